//! Decoding that never fails, for fields whose bad value must not take the whole object with it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `null` reads as the type's default, as Go's decoder leaves a field untouched by `null`.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Anything that does not fit reads as the type's default. For what we can do without: the status,
/// which is written anew anyway.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// A map of strings in which a value of another type reads as `""`, and anything but a map as an
/// empty map.
pub(crate) fn strings_or_empty<'de, D>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let Value::Object(entries) = Value::deserialize(deserializer)? else {
        return Ok(BTreeMap::new());
    };
    let text = |value| match value {
        Value::String(text) => text,
        _ => String::new(),
    };
    Ok(entries
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect())
}

/// A map of strings in which a scalar of another type reads as its JSON text (`5432` as `"5432"`);
/// `null` is left out, and anything but a map reads as an empty map.
pub(crate) fn texts<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let entries = nullable_texts(deserializer)?;
    Ok(entries
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}

/// As [`texts`], with `null` kept.
pub(crate) fn nullable_texts<'de, D>(
    deserializer: D,
) -> Result<BTreeMap<String, Option<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    let Value::Object(entries) = Value::deserialize(deserializer)? else {
        return Ok(BTreeMap::new());
    };
    let text = |value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    Ok(entries
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect())
}

/// Makes a spec decode from nothing. The incumbents' schemas do not require `spec`, and kube's derive
/// has no default for it; serde asks an absent field's type whether it can do with `None`.
/// The spec derives serde's traits with `remote = "Self"`.
macro_rules! optional_spec {
    ($spec:ident) => {
        impl<'de> serde::Deserialize<'de> for $spec {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Present($spec);
                impl<'de> serde::Deserialize<'de> for Present {
                    fn deserialize<D: serde::Deserializer<'de>>(
                        deserializer: D,
                    ) -> Result<Self, D::Error> {
                        // The inherent function that `remote = "Self"` makes, not the trait's.
                        <$spec>::deserialize(deserializer).map(Self)
                    }
                }
                let spec = Option::<Present>::deserialize(deserializer)?;
                Ok(spec.map_or_else(Self::default, |spec| spec.0))
            }
        }

        impl serde::Serialize for $spec {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }
    };
}

pub(crate) use optional_spec;
