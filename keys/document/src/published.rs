//! The published keys: one ConfigMap beside the controller, a copy of which may be committed.
//!
//! Its data is [`KEYS_FILE`], a JSON object ([`PublishedKeys`]), and one certificate in PEM for each
//! key, named by [`certificate_file`].

use keys::Fingerprint;
use serde::{Deserialize, Serialize};

/// Name of the ConfigMap in the controller's namespace.
pub const CONFIG_MAP_NAME: &str = "sealed-secrets-certificates";

/// The entry, or the file, that lists the keys.
pub const KEYS_FILE: &str = "keys.json";

/// The entry, or the file, that holds a key's certificate: 64 hexadecimal digits and `.pem`. The
/// fingerprint's usual form has characters that neither a ConfigMap's keys nor file names can have.
#[must_use]
pub fn certificate_file(key: &Fingerprint) -> String {
    format!("{}.pem", key.file_stem())
}

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// New values are sealed with it. One key at most is current.
    Current,
    /// It still opens.
    Active,
    /// The controller no longer holds it: what is sealed with it stays closed.
    Retired,
    /// It leaked: the controller refuses it.
    Compromised,
    /// A state that a later version introduced.
    #[serde(other)]
    Unknown,
}

/// One key of [`PublishedKeys`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedKey {
    /// The fingerprint, `SHA256:...`.
    pub fingerprint: String,
    /// What it is good for.
    pub state: KeyState,
    /// The certificate's first moment, RFC 3339 in UTC.
    pub not_before: String,
    /// The certificate's last moment, RFC 3339 in UTC.
    pub not_after: String,
    /// How many sealed items in the cluster it holds, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
}

/// All keys that the controller holds or has held.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublishedKeys {
    /// The keys, the newest first.
    pub keys: Vec<PublishedKey>,
}

impl PublishedKeys {
    /// Reads `keys.json`. Fields that a later version added are left out.
    ///
    /// # Errors
    ///
    /// The place and cause in the JSON text.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// Writes `keys.json`, one line for each field, so that a committed copy can be reviewed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text and numbers to text cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The key to seal with.
    #[must_use]
    pub fn current(&self) -> Option<&PublishedKey> {
        self.keys.iter().find(|key| key.state == KeyState::Current)
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, fingerprint: &str) -> Option<&PublishedKey> {
        self.keys.iter().find(|key| key.fingerprint == fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_later_fields_are_no_obstacle() {
        let keys = PublishedKeys {
            keys: vec![PublishedKey {
                fingerprint: "SHA256:9DOEWXRlW1xRLgSKgedEswp4zldEIWIio4ZfsNkOsBw".to_owned(),
                state: KeyState::Current,
                not_before: "2026-01-01T00:00:00Z".to_owned(),
                not_after: "2036-01-01T00:00:00Z".to_owned(),
                items: Some(3),
            }],
        };
        let json = keys.to_json();
        assert!(json.contains("\"state\": \"current\"") && json.contains("\"notBefore\""));
        assert_eq!(PublishedKeys::parse(&json).unwrap(), keys);
        let later = json
            .replace("current", "pending")
            .replace("items", "objects");
        let read = PublishedKeys::parse(&later).unwrap();
        assert_eq!(
            (read.keys[0].state, read.keys[0].items),
            (KeyState::Unknown, None)
        );
        assert_eq!(read.current(), None);
    }

    #[test]
    fn a_certificates_file_name_fits_a_config_map() {
        let key = "SHA256:9DOEWXRlW1xRLgSKgedEswp4zldEIWIio4ZfsNkOsBw"
            .parse()
            .unwrap();
        let name = certificate_file(&key);
        assert_eq!(name.len(), 68);
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        );
    }
}
