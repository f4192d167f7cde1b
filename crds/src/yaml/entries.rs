//! The entries of a mapping as they come: keys, values, merges.

use std::collections::BTreeSet;

use granit_parser::Marker;
use serde_json::{Map, Value};

use super::{Duplicates, Error, float, json};

/// The growing entries of a mapping.
pub(super) struct Entries {
    map: Map<String, Value>,
    /// Keys that came by merging.
    merged: BTreeSet<String>,
    duplicates: Duplicates,
    awaits: Awaits,
}

/// What the next node of a mapping is.
enum Awaits {
    Key,
    /// The value of this key, and where the key is.
    Value(String, Marker),
    /// What is to be merged.
    Merge,
}

impl Entries {
    pub(super) fn new(duplicates: Duplicates) -> Self {
        Self {
            map: Map::new(),
            merged: BTreeSet::new(),
            duplicates,
            awaits: Awaits::Key,
        }
    }

    pub(super) fn add(&mut self, value: Value, start: Marker) -> Result<(), Error> {
        match std::mem::replace(&mut self.awaits, Awaits::Key) {
            Awaits::Key => {
                let key = key_text(value).ok_or_else(|| Error::at(start, NO_KEY))?;
                self.awaits = Awaits::Value(key, start);
                Ok(())
            }
            Awaits::Value(key, start) => {
                self.insert(key, value).map_err(|why| Error::at(start, why))
            }
            Awaits::Merge => self.merge(value).map_err(|why| Error::at(start, why)),
        }
    }

    /// Tells of a `<<`. Where it is a key, what comes next is merged; else nothing changes, and the answer is
    /// no.
    pub(super) fn merges(&mut self) -> bool {
        let is_key = matches!(self.awaits, Awaits::Key);
        if is_key {
            self.awaits = Awaits::Merge;
        }
        is_key
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.map)
    }

    fn insert(&mut self, key: String, value: Value) -> Result<(), &'static str> {
        let was_merged = self.merged.remove(&key);
        let twice = self.map.insert(key, value).is_some() && !was_merged;
        if twice && self.duplicates == Duplicates::Refuse {
            Err(json::DUPLICATE)
        } else {
            Ok(())
        }
    }

    fn merge(&mut self, value: Value) -> Result<(), &'static str> {
        let mut maps = match value {
            Value::Object(_) => vec![value],
            Value::Array(maps) => maps,
            _ => return Err(NO_MAP),
        };
        // The first of several wins, so it is set last where the last one wins.
        if self.duplicates == Duplicates::LastWins {
            maps.reverse();
        }
        for map in maps {
            let Value::Object(map) = map else {
                return Err(NO_MAP);
            };
            for (key, value) in map {
                if self.duplicates == Duplicates::LastWins || !self.map.contains_key(&key) {
                    self.merged.insert(key.clone());
                    self.map.insert(key, value);
                }
            }
        }
        Ok(())
    }
}

const NO_KEY: &str = "a key must be a text, a boolean or a number";
const NO_MAP: &str = "only a mapping or a sequence of mappings can be merged";

/// A key as text, as `convertToJSONableObject` of `sigs.k8s.io/yaml` has it: neither null, nor an integer
/// beyond 63 bits, nor a collection.
fn key_text(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Some(integer.to_string()),
            (None, Some(float)) if number.is_f64() => Some(float::print_as_key(float)),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
