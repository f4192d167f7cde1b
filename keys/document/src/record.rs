//! The record: what each item of a SealedSecret was sealed with.
//!
//! It is the annotation [`SEALED_WITH`](crds::sealed_secret::SEALED_WITH) on the SealedSecret, a JSON
//! object from item name to [`RecordedItem`]. It orders keys and informs checks, it never decides: an
//! entry speaks only of the ciphertext whose digest it holds, since a real kubeseal may have merged a
//! new value beside it. Nothing in it is derived from plaintext.

use std::collections::BTreeMap;

use keys::{Fingerprint, Label};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What one item was sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedItem {
    /// The public key's fingerprint, `SHA256:...`.
    pub key: String,
    /// The [`label_digest`] of the label, which tells namespace, name and scope apart.
    pub label: String,
    /// The [`ciphertext_digest`] of the item that this speaks of.
    pub digest: String,
}

/// The record of one SealedSecret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record {
    items: BTreeMap<String, RecordedItem>,
}

impl Record {
    /// Reads the annotation's value. One that cannot be read is an empty record: it is only advice.
    #[must_use]
    pub fn parse(annotation: &str) -> Self {
        if annotation.len() > MAX_ANNOTATION_BYTES {
            return Self::default();
        }
        serde_json::from_str(annotation).unwrap_or_default()
    }

    /// The record in a SealedSecret's annotations, empty when there is none.
    #[must_use]
    pub fn of(annotations: Option<&BTreeMap<String, String>>) -> Self {
        annotations
            .and_then(|map| map.get(crds::sealed_secret::SEALED_WITH))
            .map_or_else(Self::default, |text| Self::parse(text))
    }

    /// Writes the annotation's value.
    #[must_use]
    pub fn to_annotation(&self) -> String {
        // Text to text cannot fail.
        serde_json::to_string(&self.items).unwrap_or_default()
    }

    /// Notes what an item was sealed with.
    pub fn insert(&mut self, item: &str, key: &Fingerprint, label: &Label, ciphertext: &[u8]) {
        let recorded = RecordedItem {
            key: key.to_string(),
            label: label_digest(label),
            digest: ciphertext_digest(ciphertext),
        };
        self.items.insert(item.to_owned(), recorded);
    }

    /// Forgets an item.
    pub fn remove(&mut self, item: &str) {
        self.items.remove(item);
    }

    /// Moves what is known about one item to another name.
    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(recorded) = self.items.remove(from) {
            self.items.insert(to.to_owned(), recorded);
        }
    }

    /// What is known about this item with this ciphertext (the bytes, not the base64). `None` means
    /// unknown, not wrong.
    #[must_use]
    pub fn find(&self, item: &str, ciphertext: &[u8]) -> Option<&RecordedItem> {
        self.items
            .get(item)
            .filter(|recorded| recorded.digest == ciphertext_digest(ciphertext))
    }

    /// The key to try first for this item with this ciphertext.
    #[must_use]
    pub fn hint(&self, item: &str, ciphertext: &[u8]) -> Option<Fingerprint> {
        self.find(item, ciphertext)?.key.parse().ok()
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All entries by item name, whether or not they still speak of the item's ciphertext.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RecordedItem)> {
        self.items
            .iter()
            .map(|(item, recorded)| (item.as_str(), recorded))
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of the label. The label holds no secret, but hashed
/// it has one length and one form for every scope.
#[must_use]
pub fn label_digest(label: &Label) -> String {
    short_digest(label.as_bytes())
}

/// The first 16 hexadecimal digits of the SHA-256 of an item's bytes. 64 bits suffice to tell an item
/// from the one that replaced it; nothing is trusted because of them.
#[must_use]
pub fn ciphertext_digest(ciphertext: &[u8]) -> String {
    short_digest(ciphertext)
}

/// The API server allows 256 KiB for all annotations of an object together.
const MAX_ANNOTATION_BYTES: usize = 256 << 10;
const DIGEST_BYTES: usize = 8;

fn short_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::Scope;

    const KEY: &str = "SHA256:9DOEWXRlW1xRLgSKgedEswp4zldEIWIio4ZfsNkOsBw";

    #[test]
    fn an_entry_speaks_only_of_the_ciphertext_it_was_written_for() {
        let mut record = Record::default();
        let label = Label::new(Scope::Strict, "ns", "name");
        record.insert("a", &KEY.parse().unwrap(), &label, b"sealed");
        let read = Record::parse(&record.to_annotation());
        assert_eq!(read, record);
        assert_eq!(read.hint("a", b"sealed").unwrap().to_string(), KEY);
        assert_eq!(
            read.find("a", b"sealed").unwrap().label,
            label_digest(&label)
        );
        assert_eq!(read.find("a", b"merged by another tool"), None);
        assert_eq!(read.find("b", b"sealed"), None);
    }

    #[test]
    fn an_unreadable_record_is_an_empty_one() {
        for text in [
            "",
            "nonsense",
            "[]",
            "{\"a\": 1}",
            "{\"a\": {\"key\": \"x\"}}",
        ] {
            assert!(Record::parse(text).is_empty(), "{text}");
        }
        let unreadable_key = r#"{"a":{"key":"x","label":"","digest":"e3b0c44298fc1c14"}}"#;
        assert_eq!(Record::parse(unreadable_key).hint("a", b""), None);
    }
}
