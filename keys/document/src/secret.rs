//! A Secret in clear, as it comes in to be sealed.

use std::collections::BTreeMap;

use keys::{NotBase64, Scope, SecretBytes, decode_base64};
use serde_json::{Map, Value};

use crate::metadata;

/// A Secret whose values are in memory that is wiped.
///
/// Only what can be taken over is: the text that the Secret was read from is its reader's to wipe.
pub struct Secret {
    metadata: Map<String, Value>,
    type_: Option<String>,
    immutable: Option<bool>,
    items: BTreeMap<String, SecretBytes>,
}

/// An object that is no Secret. It names fields and types, never values; where Go has a text that
/// scripts look for, it begins with that text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// A value under `data` is not base64.
    #[error("{fault} (data.{item}; values under data are base64, put plain text under stringData)")]
    NotBase64 {
        /// The item's name.
        item: String,
        /// Where it stops being base64.
        fault: NotBase64,
    },
    /// The document is not even an object.
    #[error("json: cannot unmarshal {found} into Go value of type v1.Secret")]
    NotAnObject {
        /// The JSON type that was found.
        found: &'static str,
    },
    /// A field has another type than the API has.
    #[error("json: cannot unmarshal {found} into Go struct field {field} of type {expected}{hint}")]
    WrongType {
        /// The JSON type that was found.
        found: &'static str,
        /// Where.
        field: String,
        /// What the API has there.
        expected: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
}

impl Secret {
    /// Takes an object over. Its `kind` is not looked at, and `stringData` wins over `data`, as in the
    /// incumbent.
    ///
    /// # Errors
    ///
    /// [`SecretError`] when the object cannot be a Secret.
    pub fn from_value(value: Value) -> Result<Self, SecretError> {
        let Value::Object(mut fields) = value else {
            return Err(SecretError::NotAnObject {
                found: type_name(&value),
            });
        };
        let metadata = object(
            fields.remove("metadata"),
            "Secret.metadata",
            "v1.ObjectMeta",
        )?;
        check_metadata(&metadata)?;
        let mut items = BTreeMap::new();
        for (item, value) in object(fields.remove("data"), "Secret.data", "map[string][]uint8")? {
            let text = text(value, || format!("Secret.data.{item}"), "[]uint8")?;
            let bytes = decode_item(&text).map_err(|fault| SecretError::NotBase64 {
                item: item.clone(),
                fault,
            })?;
            items.insert(item, bytes);
        }
        let string_data = fields.remove("stringData");
        for (item, value) in object(string_data, "Secret.stringData", "map[string]string")? {
            let text = text(value, || format!("Secret.stringData.{item}"), "string")?;
            items.insert(item, text);
        }
        Ok(Self {
            metadata,
            type_: plain_text(fields.remove("type"), "Secret.type")?,
            immutable: boolean(fields.remove("immutable"), "Secret.immutable")?,
            items,
        })
    }

    /// `metadata.name`, or the empty text.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata_text("name")
    }

    /// `metadata.namespace`, or the empty text.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata_text("namespace")
    }

    /// Gives it another name.
    pub fn set_name(&mut self, name: &str) {
        self.metadata.insert("name".to_owned(), name.into());
    }

    /// Puts it in another namespace.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.metadata
            .insert("namespace".to_owned(), namespace.into());
    }

    /// The scope that its annotations ask for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        metadata::scope_in(self.metadata.get("annotations").and_then(Value::as_object))
    }

    /// Writes a scope into its annotations.
    pub fn set_scope(&mut self, scope: Scope) {
        let annotations = self
            .metadata
            .entry("annotations")
            .or_insert_with(|| Map::new().into());
        if !annotations.is_object() {
            *annotations = Map::new().into();
        }
        if let Some(annotations) = annotations.as_object_mut() {
            metadata::set_scope(annotations, scope);
        }
    }

    /// Its values, `data` and `stringData` together.
    #[must_use]
    pub fn items(&self) -> &BTreeMap<String, SecretBytes> {
        &self.items
    }

    pub(crate) fn metadata(&self) -> &Map<String, Value> {
        &self.metadata
    }

    pub(crate) fn type_(&self) -> Option<&str> {
        self.type_.as_deref()
    }

    pub(crate) fn immutable(&self) -> Option<bool> {
        self.immutable
    }

    fn metadata_text(&self, field: &str) -> &str {
        self.metadata
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

fn decode_item(text: &SecretBytes) -> Result<SecretBytes, NotBase64> {
    // The bytes came from a string, so they are UTF-8.
    let text = std::str::from_utf8(text.expose()).map_err(|_| NotBase64 { offset: 0 })?;
    decode_base64(text).map(SecretBytes::new)
}

fn check_metadata(metadata: &Map<String, Value>) -> Result<(), SecretError> {
    for field in ["name", "namespace", "generateName"] {
        match metadata.get(field) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(other) => {
                return Err(wrong_type(
                    other,
                    format!("ObjectMeta.metadata.{field}"),
                    "string",
                ));
            }
        }
    }
    for field in ["labels", "annotations"] {
        let path = format!("ObjectMeta.metadata.{field}");
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                let wrong = |value: &&Value| !value.is_string() && !value.is_null();
                if let Some(value) = entries.values().find(wrong) {
                    return Err(wrong_type(value, path, "string"));
                }
            }
            Some(other) => return Err(wrong_type(other, path, "map[string]string")),
        }
    }
    Ok(())
}

fn object(
    value: Option<Value>,
    field: &str,
    expected: &'static str,
) -> Result<Map<String, Value>, SecretError> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(other) => Err(wrong_type(&other, field.to_owned(), expected)),
    }
}

/// A value that may be secret. `null` is the empty text, as in Go.
fn text(
    value: Value,
    field: impl FnOnce() -> String,
    expected: &'static str,
) -> Result<SecretBytes, SecretError> {
    match value {
        Value::Null => Ok(SecretBytes::new(Vec::new())),
        Value::String(text) => Ok(SecretBytes::new(text.into_bytes())),
        other => Err(wrong_type(&other, field(), expected)),
    }
}

fn plain_text(value: Option<Value>, field: &str) -> Result<Option<String>, SecretError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
        Some(other) => Err(wrong_type(&other, field.to_owned(), "v1.SecretType")),
    }
}

fn boolean(value: Option<Value>, field: &str) -> Result<Option<bool>, SecretError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(value)),
        Some(other) => Err(wrong_type(&other, field.to_owned(), "bool")),
    }
}

fn wrong_type(value: &Value, field: String, expected: &'static str) -> SecretError {
    let is_text = matches!(expected, "string" | "[]uint8");
    let hint = match value {
        Value::Number(_) | Value::Bool(_) if is_text => "; put the value in quotes",
        _ => "",
    };
    SecretError::WrongType {
        found: type_name(value),
        field,
        expected,
        hint,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn string_data_wins_and_null_is_empty() {
        let secret = Secret::from_value(json!({
            "data": {"a": "eA==", "b": null, "c": "eQ\n=="},
            "stringData": {"a": "plain"},
        }))
        .unwrap();
        let items: Vec<_> = secret
            .items()
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(items, [("a", &b"plain"[..]), ("b", b""), ("c", b"y")]);
    }

    #[test]
    fn only_the_word_true_sets_a_scope_and_cluster_wide_wins() {
        let scope = |annotations: Value| {
            Secret::from_value(json!({"metadata": {"annotations": annotations}}))
                .unwrap()
                .scope()
        };
        let (cluster, namespace) = (
            "sealedsecrets.bitnami.com/cluster-wide",
            "sealedsecrets.bitnami.com/namespace-wide",
        );
        assert_eq!(scope(json!({})), Scope::Strict);
        assert_eq!(scope(json!({cluster: "false"})), Scope::Strict);
        assert_eq!(scope(json!({cluster: "True"})), Scope::Strict);
        assert_eq!(scope(json!({namespace: "true"})), Scope::NamespaceWide);
        assert_eq!(
            scope(json!({namespace: "true", cluster: "true"})),
            Scope::ClusterWide
        );
    }

    #[test]
    fn a_wrong_type_is_named_and_no_value_is() {
        let cases = [
            (
                json!({"data": {"k": "not base64!"}}),
                "illegal base64 data at input byte 3 (data.k",
            ),
            (
                json!({"stringData": {"port": 5432}}),
                "json: cannot unmarshal number into Go struct field Secret.stringData.port of type string",
            ),
            (
                json!({"metadata": {"annotations": {"a": true}}}),
                "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.annotations of type string",
            ),
            (
                json!(["x"]),
                "json: cannot unmarshal array into Go value of type v1.Secret",
            ),
            (
                json!({"data": "x"}),
                "json: cannot unmarshal string into Go struct field Secret.data of type map[string][]uint8",
            ),
        ];
        for (value, expected) in cases {
            let error = Secret::from_value(value).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("5432"), "{error}");
        }
    }
}
