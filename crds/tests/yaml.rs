//! The YAML reader and writer against what the Go library made of the same inputs: row T46 of the
//! security table, and the promise that kubectl reads what we read. `golden/main.go` makes the expectations.

use crds::yaml::{self, Duplicates};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Read {
    name: String,
    input: String,
    lax: Outcome,
    strict: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default, deserialize_with = "present")]
    json: Option<Value>,
}

/// Tells a `null` that the library read from its refusal to read.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Write {
    value: Value,
    output: String,
}

/// Inputs that we read differently in the given modes, and why. A row that is no longer different fails.
const DIFFERENT: &[(&str, &[Duplicates], &str)] = &[
    (
        "binary that is no text",
        BOTH,
        "Go puts replacement characters, which destroys the value",
    ),
    (
        "colons inside",
        BOTH,
        "YAML 1.2 takes `a:` before `]` for a pair, as JSON users expect",
    ),
    ("escaped slash", BOTH, "YAML 1.2 and JSON have it"),
    (
        "infinite key",
        BOTH,
        "refused: there is no such key in JSON",
    ),
    ("merge after the key", STRICT, OWN_KEY),
    ("merge of several", STRICT, OWN_KEY),
    ("merge overridden by a later key", STRICT, OWN_KEY),
    ("next line character", BOTH, "no line break in YAML 1.2"),
    (
        "question mark and dash",
        BOTH,
        "`?` before a text is no indicator in YAML 1.2",
    ),
];

const BOTH: &[Duplicates] = &[Duplicates::LastWins, Duplicates::Refuse];
const STRICT: &[Duplicates] = &[Duplicates::Refuse];
const OWN_KEY: &str =
    "Go takes a merged key for a duplicate; in YAML and kustomize the own key wins";

#[test]
fn t46_corner_cases_read_as_kubectl_reads_them() {
    let cases: Vec<Read> = serde_json::from_str(include_str!("golden/read.json")).unwrap();
    assert!(cases.len() > 1000);
    let unknown = DIFFERENT
        .iter()
        .find(|(name, ..)| !cases.iter().any(|case| case.name == *name));
    assert!(unknown.is_none());
    let mut wrong = Vec::new();
    for case in &cases {
        for (expected, duplicates) in [
            (&case.lax, Duplicates::LastWins),
            (&case.strict, Duplicates::Refuse),
        ] {
            let read = first(&case.input, duplicates);
            let same = match (&expected.json, &read) {
                (Some(expected), Ok(read)) => equal(expected, read),
                (None, Err(_)) => true,
                _ => false,
            };
            let different = DIFFERENT
                .iter()
                .any(|(name, modes, _)| *name == case.name && modes.contains(&duplicates));
            if same == different {
                let expected = expected
                    .json
                    .as_ref()
                    .map_or_else(|| "an error".to_owned(), Value::to_string);
                let read = read.map_or_else(|error| error.to_string(), |value| value.to_string());
                wrong.push(format!(
                    "{}: {}\n  Go:   {expected}\n  ours: {read}",
                    case.name, case.input
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// As Go, which reads the first document of a text, and an empty one as null.
fn first(input: &str, duplicates: Duplicates) -> Result<Value, yaml::Error> {
    let documents = yaml::documents_with(input, duplicates)?;
    Ok(documents
        .into_iter()
        .next()
        .map(|document| document.value)
        .unwrap_or_default())
}

/// Equal but for the type of numbers: `1e+21` may be an integer in one and a float in the other.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || (left.as_f64() == right.as_f64() && (left.is_f64() || right.is_f64()))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, left)| right.get(key).is_some_and(|right| equal(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

#[test]
fn values_are_written_as_kubectl_writes_them_and_read_back() {
    let cases: Vec<Write> = serde_json::from_str(include_str!("golden/write.json")).unwrap();
    assert!(cases.len() > 400);
    let mut wrong = Vec::new();
    for case in &cases {
        let written = yaml::to_string(&case.value).unwrap();
        if written != case.output {
            wrong.push(format!(
                "{}\nGo:\n{}ours:\n{written}",
                case.value, case.output
            ));
        }
        let read = first(&written, Duplicates::Refuse);
        if !read.as_ref().is_ok_and(|read| equal(read, &case.value)) {
            let read = read.map_or_else(|error| error.to_string(), |value| value.to_string());
            wrong.push(format!("{}\nread back: {read}", case.value));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
