//! Checking and re-encrypting a SealedSecret that somebody sent, without writing it anywhere.
//!
//! Neither renders a template: what a template makes of the values would tell about them (T02, T03).
//! Neither reads a scope from the template: it would widen it (T01).

use std::collections::BTreeMap;

use crds::sealed_secret::{CLUSTER_WIDE, NAMESPACE_WIDE, SEALED_WITH, SealedSecret};
use document::{DocumentKind, Record};
use keys::{Keyring, SecretBytes, encode_base64, seal};
use serde_json::{Map, Value};

use crate::{
    plan::{Examined, Format, Rules, sealed_items},
    problem::Problem,
};

/// A Secret of 1 MiB, sealed and in base64, with room for many small items.
pub(crate) const LONGEST_BODY: usize = 3 << 20;

/// Each item costs an RSA operation, and nobody has a Secret with so many keys.
const MOST_ITEMS: usize = 1_024;

/// Why a file is not what the endpoints take.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the body is not text")]
    NotText,
    #[error("{0}")]
    NotYaml(#[from] document::StreamError),
    #[error("send exactly one SealedSecret, not {0} documents")]
    NotOne(usize),
    #[error("unexpected resource type: only a SealedSecret of bitnami.com/v1alpha1 is taken")]
    OtherKind,
    #[error("it has more than {MOST_ITEMS} items")]
    TooManyItems,
    #[error("there is no key to seal with")]
    NoKey,
    #[error("an item cannot be sealed: {0}")]
    Seal(#[from] keys::SealError),
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error("{0}")]
    Open(#[from] keys::OpenError),
}

/// A SealedSecret as it was sent.
pub(crate) struct SealedFile {
    value: Map<String, Value>,
    sealed: SealedSecret,
}

impl SealedFile {
    /// Reads JSON or YAML.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Unfit> {
        let text = std::str::from_utf8(body).map_err(|_| Unfit::NotText)?;
        let mut documents = document::read(text)?;
        let document = match (documents.pop(), documents.len()) {
            (Some(document), 0) => document,
            (_, others) => return Err(Unfit::NotOne(others + 1)),
        };
        if document.kind() != DocumentKind::SealedSecret
            || document.value["apiVersion"] != "bitnami.com/v1alpha1"
        {
            return Err(Unfit::OtherKind);
        }
        let sealed: SealedSecret =
            serde_json::from_value(document.value.clone()).map_err(|_| Unfit::OtherKind)?;
        if sealed.spec.encrypted_data.len() > MOST_ITEMS {
            return Err(Unfit::TooManyItems);
        }
        match document.value {
            Value::Object(value) => Ok(Self { value, sealed }),
            _ => Err(Unfit::OtherKind),
        }
    }

    /// Whether every item opens where the file says it is.
    pub(crate) fn opens(&self, keys: &Keyring, rules: &Rules) -> bool {
        let is_open = |examined: &Examined| {
            let mut hint = None;
            examined.items.iter().all(|item| {
                let opened = keys.open(&item.bytes, &examined.label, hint.as_ref());
                hint = opened.as_ref().ok().map(|opened| opened.key).or(hint);
                opened.is_ok()
            })
        };
        // What the controller would refuse for another reason still opens.
        sealed_items(&self.sealed, rules).is_ok_and(|examined| is_open(&examined))
    }

    /// The same file with every item sealed anew with the current key: same scope, same template,
    /// not a value more. As with the incumbent, fields that only the API server sets are left out.
    pub(crate) fn reencrypted(mut self, keys: &Keyring, rules: &Rules) -> Result<Value, Unfit> {
        let examined = sealed_items(&self.sealed, rules)?;
        let certificate = keys
            .current()
            .and_then(keys::Entry::certificate)
            .ok_or(Unfit::NoKey)?;
        let key = certificate.public_key();
        let mut items = Map::new();
        let mut record = Record::default();
        for (name, plaintext) in opened(&examined, keys)? {
            let item = seal(key, &examined.label, plaintext.expose())?;
            record.insert(&name, &key.fingerprint(), &examined.label, &item);
            items.insert(name, encode_base64(&item).into());
        }
        let had_record = !Record::of(self.sealed.metadata.annotations.as_ref()).is_empty();
        self.tidy(had_record.then_some(&record));
        if let Some(spec) = self.value.get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove("data");
            spec.insert("encryptedData".to_owned(), items.into());
        }
        // The incumbent's answer names no kind either; kubeseal adds both.
        self.value.remove("apiVersion");
        self.value.remove("kind");
        Ok(self.value.into())
    }

    fn tidy(&mut self, record: Option<&Record>) {
        self.value.remove("status");
        if let Some(metadata) = self
            .value
            .get_mut("metadata")
            .and_then(Value::as_object_mut)
        {
            for field in [
                "creationTimestamp",
                "deletionGracePeriodSeconds",
                "deletionTimestamp",
                "generation",
                "managedFields",
                "ownerReferences",
                "resourceVersion",
                "selfLink",
                "uid",
            ] {
                metadata.remove(field);
            }
            if let Some(annotations) = annotations(metadata) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
                annotations.remove(SEALED_WITH);
                if let Some(record) = record {
                    annotations.insert(SEALED_WITH.to_owned(), record.to_annotation().into());
                }
            }
        }
        self.narrow_template();
    }

    /// A scope annotation in the template says nothing here, but kubeseal would believe it when it
    /// seals the resulting Secret again. One that the file itself does not have is taken out.
    fn narrow_template(&mut self) {
        let outer = self.sealed.metadata.annotations.clone().unwrap_or_default();
        let template = self
            .value
            .get_mut("spec")
            .and_then(|spec| spec.get_mut("template"));
        let metadata = template.and_then(|template| template.get_mut("metadata"));
        let Some(metadata) = metadata.and_then(Value::as_object_mut) else {
            return;
        };
        if let Some(annotations) = annotations(metadata) {
            annotations.remove(SEALED_WITH);
            for scope in [CLUSTER_WIDE, NAMESPACE_WIDE] {
                if outer.get(scope).is_none_or(|value| value != "true") {
                    annotations.remove(scope);
                }
            }
        }
    }
}

fn annotations(metadata: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
}

/// The values of all items; of the deprecated format, those of the Secret inside.
fn opened(examined: &Examined, keys: &Keyring) -> Result<BTreeMap<String, SecretBytes>, Unfit> {
    let mut plaintexts = BTreeMap::new();
    let mut hint = None;
    for item in &examined.items {
        let opened = keys.open(&item.bytes, &examined.label, hint.as_ref())?;
        hint = Some(opened.key);
        plaintexts.insert(item.name.clone(), opened.plaintext);
    }
    if examined.format == Format::Whole {
        let whole = plaintexts.pop_first().map(|(_, whole)| whole);
        let json = whole.as_ref().map_or(&[][..], SecretBytes::expose);
        return Ok(crate::plan::Blueprint::data_of_whole(json)?);
    }
    Ok(plaintexts)
}
