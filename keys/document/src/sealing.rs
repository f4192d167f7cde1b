//! From a Secret to a SealedSecret.

use crds::sealed_secret::SEALED_WITH;
use keys::{Label, PublicKey, Scope, SealError, encode_base64, seal};
use serde_json::{Map, Value, json};

use crate::{Record, Secret, metadata};

/// A Secret that cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealSecretError {
    /// One value cannot be sealed.
    #[error("item {item}: {source}")]
    Item {
        /// The item's name.
        item: String,
        /// Why.
        source: SealError,
    },
    /// Every scope but cluster-wide needs a namespace (`NewSealedSecret`).
    #[error("secret must declare a namespace")]
    NoNamespace,
}

/// Seals every value of a Secret and returns the SealedSecret, with its fields in the order in which
/// the incumbent prints them (`NewSealedSecret` in `sealedsecret_expansion.go`).
///
/// The Secret's metadata goes to the template only, but for the name, the namespace and the
/// annotation that says the scope. With `record`, the record is added to the annotations.
///
/// # Errors
///
/// [`SealSecretError`], see there.
pub fn seal_secret(
    secret: &Secret,
    key: &PublicKey,
    record: bool,
) -> Result<Value, SealSecretError> {
    let scope = secret.scope();
    if scope != Scope::ClusterWide && secret.namespace().is_empty() {
        return Err(SealSecretError::NoNamespace);
    }
    let label = Label::new(scope, secret.namespace(), secret.name());
    let mut items = Map::new();
    let mut recorded = Record::default();
    for (item, plaintext) in secret.items() {
        let ciphertext =
            seal(key, &label, plaintext.expose()).map_err(|source| SealSecretError::Item {
                item: item.clone(),
                source,
            })?;
        recorded.insert(item, &key.fingerprint(), &label, &ciphertext);
        items.insert(item.clone(), encode_base64(&ciphertext).into());
    }
    let recorded = (record && !recorded.is_empty()).then_some(recorded);
    Ok(json!({
        "kind": "SealedSecret",
        "apiVersion": "bitnami.com/v1alpha1",
        "metadata": outer_metadata(secret, scope, recorded.as_ref()),
        "spec": { "template": template(secret), "encryptedData": items },
    }))
}

fn outer_metadata(secret: &Secret, scope: Scope, record: Option<&Record>) -> Map<String, Value> {
    let mut outer = Map::new();
    outer.insert("name".to_owned(), secret.name().into());
    if !secret.namespace().is_empty() {
        outer.insert("namespace".to_owned(), secret.namespace().into());
    }
    let mut annotations = Map::new();
    metadata::set_scope(&mut annotations, scope);
    if let Some(record) = record {
        annotations.insert(SEALED_WITH.to_owned(), record.to_annotation().into());
    }
    if !annotations.is_empty() {
        outer.insert("annotations".to_owned(), annotations.into());
    }
    outer
}

fn template(secret: &Secret) -> Map<String, Value> {
    let mut template = Map::new();
    let inner = metadata::for_template(secret.metadata());
    template.insert("metadata".to_owned(), inner.into());
    if let Some(type_) = secret.type_() {
        template.insert("type".to_owned(), type_.into());
    }
    if let Some(immutable) = secret.immutable() {
        template.insert("immutable".to_owned(), immutable.into());
    }
    template
}
