//! A text that is JSON: one object, or several after another, as kubeseal writes them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

use super::compose::MAX_DOCUMENTS;
use super::{Document, Duplicates, Error, float};

/// The documents of a text that is JSON throughout; `None` if it is not, and YAML has to be tried.
pub(super) fn documents(
    text: &str,
    duplicates: Duplicates,
) -> Option<Result<Vec<Document>, Error>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    match duplicates {
        Duplicates::Refuse => stream::<true>(text),
        Duplicates::LastWins => stream::<false>(text),
    }
}

fn stream<const STRICT: bool>(text: &str) -> Option<Result<Vec<Document>, Error>> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Json<STRICT>>();
    let mut line = 1;
    let mut counted = 0;
    loop {
        let rest = text.get(stream.byte_offset()..)?;
        let begins = text.len() - rest.trim_start().len();
        match stream.next() {
            None => return Some(Ok(documents)),
            Some(Ok(Json(value))) => {
                line += text
                    .get(counted..begins)?
                    .bytes()
                    .filter(|byte| *byte == b'\n')
                    .count();
                counted = begins;
                if documents.len() == MAX_DOCUMENTS {
                    return Some(Err(Error::new(line, 1, "too many documents")));
                }
                documents.push(Document {
                    index: documents.len(),
                    line,
                    value,
                });
            }
            // The only fault of this kind that a value without a type can have is ours.
            Some(Err(error)) if error.classify() == Category::Data => {
                return Some(Err(Error::new(error.line(), error.column(), DUPLICATE)));
            }
            Some(Err(_)) => return None,
        }
    }
}

/// The message for a key that appears twice.
pub(super) const DUPLICATE: &str = "duplicate key in a mapping";

/// A JSON value in which, if `STRICT`, no key appears twice.
struct Json<const STRICT: bool>(Value);

impl<'de, const STRICT: bool> Deserialize<'de> for Json<STRICT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor::<STRICT>)
    }
}

struct JsonVisitor<const STRICT: bool>;

impl<'de, const STRICT: bool> Visitor<'de> for JsonVisitor<STRICT> {
    type Value = Json<STRICT>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json(Value::Null))
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Self::Value, E> {
        Ok(Json(Value::Bool(boolean)))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Self::Value, E> {
        Ok(Json(Value::from(integer)))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Self::Value, E> {
        Ok(Json(Value::from(integer)))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Self::Value, E> {
        Ok(Json(float::number(float).unwrap_or_default()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json(Value::String(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Json(Value::String(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Json::<STRICT>(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Json(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut values = Map::new();
        while let Some((key, Json::<STRICT>(value))) = entries.next_entry::<String, _>()? {
            if values.insert(key, value).is_some() && STRICT {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Json(Value::Object(values)))
    }
}
