//! A key Secret as it is read and written.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use crds::sealed_secret::{SEALING_KEY, SEALING_KEY_ACTIVE};
use k8s_openapi::{
    ByteString, NamespaceResourceScope, api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use keys::{KeyError, KeyPair, SecretBytes};
use kube::{Resource, ResourceExt as _};
use serde::{Deserialize, Deserializer};

/// Where a TLS Secret has its private key and certificate.
const PRIVATE: &str = "tls.key";
const CERTIFICATE: &str = "tls.crt";

/// A Secret that holds, or claims to hold, a sealing key. Its private key is never printed, and
/// wiped when the last clone goes.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct KeySecret {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default, deserialize_with = "tls_data")]
    data: Arc<TlsData>,
}

#[derive(Default)]
struct TlsData {
    private: Option<SecretBytes>,
    certificate: Vec<u8>,
}

/// The decoder's own errors would quote a value, so a value that is not base64 reads as absent.
fn tls_data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<TlsData>, D::Error> {
    let mut entries = Option::<BTreeMap<String, String>>::deserialize(deserializer)?;
    let mut take = |key: &str| {
        let text = entries.as_mut().and_then(|entries| entries.remove(key))?;
        let text = SecretBytes::new(text.into_bytes());
        let text = std::str::from_utf8(text.expose()).ok()?;
        keys::decode_base64(text).ok()
    };
    Ok(Arc::new(TlsData {
        private: take(PRIVATE).map(SecretBytes::new),
        certificate: take(CERTIFICATE).unwrap_or_default(),
    }))
}

impl KeySecret {
    /// A new key Secret in the incumbent's form (`pkg/controller/keys.go`, `writeKey`), but with a
    /// name of its own instead of a generated one.
    pub(crate) fn compose(
        name: String,
        namespace: String,
        pair: &KeyPair,
        mut labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
    ) -> Secret {
        labels.insert(SEALING_KEY.to_owned(), SEALING_KEY_ACTIVE.to_owned());
        let private = ByteString(pair.private_key().to_pem().expose().to_vec());
        let certificate = ByteString(pair.certificate().to_pem().into_bytes());
        Secret {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace),
                labels: Some(labels),
                annotations: Some(annotations).filter(|all| !all.is_empty()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(
                [
                    (PRIVATE.to_owned(), private),
                    (CERTIFICATE.to_owned(), certificate),
                ]
                .into(),
            ),
            ..Secret::default()
        }
    }

    /// A key Secret that was just written.
    pub(crate) fn of(secret: Secret) -> Self {
        let mut data = secret.data.unwrap_or_default();
        Self {
            metadata: secret.metadata,
            data: Arc::new(TlsData {
                private: data.remove(PRIVATE).map(|bytes| SecretBytes::new(bytes.0)),
                certificate: data
                    .remove(CERTIFICATE)
                    .map(|bytes| bytes.0)
                    .unwrap_or_default(),
            }),
        }
    }

    /// Reads the key, and checks that certificate and private key belong together.
    pub(crate) fn pair(&self) -> Result<KeyPair, KeyError> {
        let private = self
            .data
            .private
            .as_ref()
            .map_or(&[][..], SecretBytes::expose);
        KeyPair::from_pem(private, &self.data.certificate)
    }

    /// The value of the label that makes it a key, if it has one.
    pub(crate) fn label(&self) -> Option<&str> {
        self.labels().get(SEALING_KEY).map(String::as_str)
    }

    /// Who made it, if that is one of the kinds whose objects a tenant may write: what they contain
    /// must not become a key.
    pub(crate) fn maker(&self) -> Option<String> {
        let owner = self
            .owner_references()
            .iter()
            .find(|owner| owner.controller == Some(true))?;
        let is_made = ["SealedSecret", "ExternalSecret"].contains(&owner.kind.as_str());
        is_made.then(|| format!("{} {}", owner.kind, owner.name))
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeySecret {}", self.name_any())
    }
}

impl Resource for KeySecret {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        Secret::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        Secret::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        Secret::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        Secret::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
