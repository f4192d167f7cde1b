//! `toYaml` and `fromYaml` of external-secrets (`yaml.go`), on the reader and writer that are given.

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Number, Value as Json};

use super::function::Incumbent;
use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{ENTRY_BYTES, List, MAXIMUM_DEPTH, Map, Text, Value};

use Type::{Any, String as Str};

/// YAML as `sigs.k8s.io/yaml` reads and writes it. The project has one reader of YAML, and it stands
/// above this crate: it is handed in.
#[derive(Clone, Copy)]
#[expect(
    missing_debug_implementations,
    reason = "two functions have nothing to show"
)]
pub struct Yaml {
    /// The first document of a text; a duplicate key is no error, the last one counts. An error says
    /// why and quotes nothing of the text.
    pub read: fn(&str) -> Result<Json, String>,
    /// A value as one document.
    pub write: fn(&Json) -> Result<String, String>,
}

pub(super) const FUNCTIONS: &[Function] = &[
    function("toYaml", &[Any], None, to_yaml).only(Incumbent::ExternalSecrets),
    function("fromYaml", &[Str], None, from_yaml).only(Incumbent::ExternalSecrets),
];

fn yaml(call: &Call<'_>) -> Result<Yaml, Failure> {
    call.yaml
        .ok_or_else(|| Failure::new("there is no YAML here"))
}

/// What cannot be written gives the empty text, as there.
fn to_yaml(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let json = match to_json(call, &a[0], 0) {
        Ok(json) => json,
        Err(Failure::Problem(_)) => return Ok(Value::text("")),
        Err(other) => return Err(other),
    };
    let text = (yaml(call)?.write)(&json).unwrap_or_default();
    call.made(text.strip_suffix('\n').unwrap_or(&text).as_bytes().to_vec())
}

/// What cannot be read gives a dict with the key `Error`, as there.
fn from_yaml(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let text = call.string(a, 0)?;
    call.budget
        .allocate(text.len().saturating_mul(BYTES_PER_BYTE))?;
    let problem = match (yaml(call)?.read)(&text.lossy()) {
        Ok(Json::Null) => return Ok(Value::Map(Map::any(BTreeMap::new()))),
        Ok(json @ Json::Object(_)) => return from_json(call, json, 0),
        Ok(_) => "the document is no mapping".to_owned(),
        Err(problem) => problem,
    };
    let entries = BTreeMap::from([(Text::from("Error"), Value::text(problem))]);
    Ok(Value::Map(Map::any(entries)))
}

/// What a byte of YAML may become in memory: `-` and a line break are a list item.
const BYTES_PER_BYTE: usize = 16;

/// Go marshals to JSON and reads that as YAML, so a whole float becomes an integer.
fn to_json(call: &Call<'_>, value: &Value, depth: usize) -> Result<Json, Failure> {
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep"));
    }
    call.budget.allocate(ENTRY_BYTES)?;
    Ok(match value {
        Value::Missing | Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(n) | Value::Int64(n) | Value::Named(_, n) => Json::from(*n),
        Value::Uint8(n) => Json::from(*n),
        Value::Uint64(n) => Json::from(*n),
        Value::Float(n) => number(*n)?,
        Value::String(text) => text_of(call, text)?,
        Value::List(list) if list.nil => Json::Null,
        Value::List(list) => {
            let items: Result<_, _> = list
                .items()
                .iter()
                .map(|item| to_json(call, item, depth + 1))
                .collect();
            Json::Array(items?)
        }
        Value::Map(map) => {
            let mut object = JsonMap::new();
            for (key, item) in map.entries().iter() {
                object.insert(key.lossy().into_owned(), to_json(call, item, depth + 1)?);
            }
            Json::Object(object)
        }
        Value::Time(time) => Json::String(time.rfc3339_nano()?),
        Value::Version(version) => Json::String(version.to_string()),
        Value::Certificate(certificate) => {
            let mut object = JsonMap::new();
            object.insert("Cert".to_owned(), text_of(call, &certificate.cert)?);
            object.insert("Key".to_owned(), text_of(call, &certificate.key)?);
            Json::Object(object)
        }
    })
}

fn text_of(call: &Call<'_>, text: &Text) -> Result<Json, Failure> {
    call.budget.allocate(text.len())?;
    Ok(Json::String(text.lossy().into_owned()))
}

fn number(n: f64) -> Result<Json, Failure> {
    if n.fract() == 0.0 && n.abs() < 9e18 {
        return Ok(Json::from(n as i64));
    }
    Number::from_f64(n)
        .map(Json::Number)
        .ok_or_else(|| Failure::new("json: unsupported value"))
}

/// Every number is a float64, as after `json.Unmarshal`.
fn from_json(call: &Call<'_>, json: Json, depth: usize) -> Result<Value, Failure> {
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the YAML text is nested too deep"));
    }
    call.budget.allocate(ENTRY_BYTES)?;
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(0.0)),
        Json::String(text) => Value::text(text),
        Json::Array(items) => {
            let items: Result<_, _> = items
                .into_iter()
                .map(|item| from_json(call, item, depth + 1))
                .collect();
            Value::List(List::any(items?))
        }
        Json::Object(object) => {
            let entries: Result<_, Failure> = object
                .into_iter()
                .map(|(key, item)| Ok((Text::from(key), from_json(call, item, depth + 1)?)))
                .collect();
            Value::Map(Map::any(entries?))
        }
    })
}
