//! What a provider holds under one name, and how a value is taken out of it.

use std::collections::BTreeMap;

use kit::SecretBytes;
use serde_json::value::RawValue;

use super::{json_text, property};

/// One secret as the provider holds it: text, bytes, or, in principle, both.
pub(crate) struct Payload {
    /// The text form.
    pub(crate) text: Option<SecretBytes>,
    /// The binary form.
    pub(crate) binary: Option<SecretBytes>,
}

/// Why a payload does not hold what was asked of it. Never quotes the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PayloadError {
    /// Neither text nor bytes.
    #[error("invalid secret received. no secret string nor binary for key: {0}")]
    Empty(String),
    /// A property that is not there.
    #[error("key {property} does not exist in secret {key}")]
    NoProperty {
        /// The path that was asked for.
        property: String,
        /// The secret's key in the reference.
        key: String,
    },
    /// Not a JSON object.
    #[error("unable to unmarshal secret {key}: {problem}")]
    NoObject {
        /// The secret's key in the reference.
        key: String,
        /// What is wrong, with a position.
        problem: String,
    },
    /// A gjson modifier that we do not have.
    #[error("the modifier {modifier} in property {property} is not served")]
    Modifier {
        /// The path that was asked for.
        property: String,
        /// The modifier in it.
        modifier: String,
    },
}

impl Payload {
    /// A payload of text.
    #[must_use]
    pub(crate) fn of_text(text: String) -> Self {
        Self {
            text: Some(SecretBytes::new(text.into_bytes())),
            binary: None,
        }
    }

    /// The whole value, or one property of it; `key` names the secret in errors
    /// (secretsmanager.go, `GetSecret`).
    ///
    /// # Errors
    /// [`PayloadError`] where there is no value or no such property.
    pub(crate) fn value(&self, key: &str, property: &str) -> Result<SecretBytes, PayloadError> {
        if property.is_empty() {
            let whole = self.text.as_ref().or(self.binary.as_ref());
            return whole
                .map(SecretBytes::duplicate)
                .ok_or_else(|| PayloadError::Empty(key.to_owned()));
        }
        // A property is sought in the bytes where both forms are there (`retrievePayload`).
        let sought_in = self
            .binary
            .as_ref()
            .or(self.text.as_ref())
            .map_or(&b""[..], SecretBytes::expose);
        property::find(sought_in, property)
            .map_err(|modifier| PayloadError::Modifier {
                property: property.to_owned(),
                modifier,
            })?
            .ok_or_else(|| PayloadError::NoProperty {
                property: property.to_owned(),
                key: key.to_owned(),
            })
    }

    /// The value of a secret that a search found: the bytes where both forms are there
    /// (secretsmanager.go, `fetchAndSet`). `None` where there is neither.
    #[must_use]
    pub(crate) fn found(&self) -> Option<SecretBytes> {
        self.binary
            .as_ref()
            .or(self.text.as_ref())
            .map(SecretBytes::duplicate)
    }

    /// One value for each field of the JSON object that the payload, or one property of it, is:
    /// strings without their quotes, `null` as nothing, anything else as the JSON text it was
    /// (secretsmanager.go, `GetSecretMap`).
    ///
    /// # Errors
    /// [`PayloadError`] where there is no such object.
    pub(crate) fn fields(
        &self,
        key: &str,
        property: &str,
    ) -> Result<BTreeMap<String, SecretBytes>, PayloadError> {
        let value = self.value(key, property)?;
        // Keys are read with their unpaired surrogates mended, values taken from the text as it stands.
        let mended = json_text::with_paired_surrogates(value.expose());
        let readable = mended.as_ref().unwrap_or(&value).expose();
        // serde_json's own text quotes what it did not expect, so only the position is kept.
        let object: Option<BTreeMap<String, &RawValue>> = serde_json::from_slice(readable)
            .map_err(|error| PayloadError::NoObject {
                key: key.to_owned(),
                problem: format!(
                    "not a JSON object (line {}, column {})",
                    error.line(),
                    error.column()
                ),
            })?;
        let original = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - readable.as_ptr() as usize;
            let raw = value.expose().get(start..start + raw.get().len());
            raw.and_then(|raw| str::from_utf8(raw).ok())
                .map_or_else(|| SecretBytes::new(Vec::new()), field)
        };
        let fields = object.unwrap_or_default().into_iter();
        Ok(fields.map(|(name, raw)| (name, original(raw))).collect())
    }
}

fn field(raw: &str) -> SecretBytes {
    match raw.as_bytes().first() {
        Some(b'"') => json_text::unquote(raw),
        Some(b'n') => SecretBytes::new(Vec::new()),
        _ => SecretBytes::new(raw.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Payload {
        Payload::of_text(text.to_owned())
    }

    fn shown(fields: &BTreeMap<String, SecretBytes>) -> Vec<(String, String)> {
        let show = |bytes: &SecretBytes| String::from_utf8(bytes.expose().to_vec()).unwrap();
        fields
            .iter()
            .map(|(key, value)| (key.clone(), show(value)))
            .collect()
    }

    #[test]
    fn the_whole_value_is_the_text_or_else_the_bytes() {
        let both = Payload {
            text: Some(SecretBytes::new(b"{\"a\":1}".to_vec())),
            binary: Some(SecretBytes::new(b"{\"a\":2}".to_vec())),
        };
        assert_eq!(both.value("k", "").unwrap().expose(), b"{\"a\":1}");
        assert_eq!(both.value("k", "a").unwrap().expose(), b"2");
        let bytes = Payload {
            text: None,
            binary: Some(SecretBytes::new(vec![0, 159])),
        };
        assert_eq!(bytes.value("k", "").unwrap().expose(), [0, 159]);
        assert!(text("").value("k", "").unwrap().is_empty());
        let neither = Payload {
            text: None,
            binary: None,
        };
        assert_eq!(
            neither.value("/baz", "").err(),
            Some(PayloadError::Empty("/baz".into()))
        );
    }

    #[test]
    fn a_missing_property_is_named_with_its_secret() {
        let error = text("------").value("/baz", "fail").err().unwrap();
        assert_eq!(error.to_string(), "key fail does not exist in secret /baz");
    }

    #[test]
    fn an_object_becomes_one_value_for_each_field() {
        let payload = text(
            r#"{"s":"a\nb\u00e9\ud83d\ude00","n":5432,"big":12345678901234567890,"o":{ "a" : 1 },
               "l":[1, 2],"t":true,"z":null,"s2":"x","s2":"last"}"#,
        );
        let fields = shown(&payload.fields("k", "").unwrap());
        let expected = [
            ("big", "12345678901234567890"),
            ("l", "[1, 2]"),
            ("n", "5432"),
            ("o", r#"{ "a" : 1 }"#),
            ("s", "a\nbé😀"),
            ("s2", "last"),
            ("t", "true"),
            ("z", ""),
        ];
        assert_eq!(fields, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(text("null").fields("k", "").unwrap().is_empty());
        assert!(text("{}").fields("k", "").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_object_is_an_error_that_quotes_nothing() {
        for value in [
            "hunter2",
            "\"hunter2\"",
            "[\"hunter2\"]",
            "{\"a\":\"hunter2",
            "{\"a\" hunter2}",
        ] {
            let error = text(value).fields("db", "").err().unwrap().to_string();
            assert!(
                error.starts_with("unable to unmarshal secret db: not a JSON object"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    /// What Go's encoding/json finds in these (vectors/make).
    #[test]
    fn objects_are_taken_apart_as_go_takes_them_apart() {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../vectors/json.json")).unwrap();
        let mut wrong = Vec::new();
        for vector in &vectors {
            let document = vector["document"].as_str().unwrap();
            let expected = vector["extract"].as_object().map(|fields| {
                let pairs = fields.iter();
                let pairs = pairs.map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned()));
                pairs.collect::<BTreeMap<_, _>>()
            });
            let found = text(document).fields("k", "").ok();
            let found = found.map(|fields| shown(&fields).into_iter().collect());
            if found != expected {
                wrong.push(format!("{document}: {found:?} for {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
