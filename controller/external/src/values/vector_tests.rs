//! What Go's own libraries make of keys and values (vectors/make).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crds::external_secret::{
    ConversionStrategy, DecodingStrategy, MergeConflictPolicy, MergePriorityPolicy, MergeStrategy,
    Rewrite, RewriteMerge, RewriteRegexp,
};
use kit::SecretBytes;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{Values, convert_all, decode, rewrite, validate};

fn bytes(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn values(pairs: &BTreeMap<String, String>) -> Values {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| (key.clone(), bytes(value)))
        .collect()
}

fn texts(values: &Values) -> BTreeMap<String, String> {
    let text = |value: &SecretBytes| String::from_utf8(value.expose().to_vec()).unwrap();
    let pairs = values.iter();
    pairs
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

fn rewritten(operation: Rewrite, values: Values) -> Result<Values, String> {
    let no_templates = |_: &str, _: &str| Err("not here".to_owned());
    rewrite(&[operation], values, &no_templates).map_err(|error| error.to_string())
}

fn none_of(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn keys_are_rewritten_as_gos_regexp_rewrites_them() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../vectors/rewrite.json")).unwrap();
    let mut wrong = Vec::new();
    for vector in &vectors {
        let text = |field: &str| vector[field].as_str().map(str::to_owned);
        let (source, target) = (text("source").unwrap(), text("target").unwrap());
        let key = text("key").unwrap();
        let operation = Rewrite {
            regexp: Some(RewriteRegexp {
                source: source.clone(),
                target: target.clone(),
            }),
            ..Rewrite::default()
        };
        let found = rewritten(operation, Values::from([(key.clone(), bytes("v"))]));
        let found = found.ok().and_then(|values| values.keys().next().cloned());
        if found != text("result") {
            wrong.push(format!(
                "{source} -> {target} of {key:?}: {found:?} for {:?}",
                text("result")
            ));
        }
    }
    none_of(&wrong);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Merged {
    #[serde(rename = "in")]
    input: BTreeMap<String, String>,
    priority: Option<Vec<String>>,
    ignore_not_found: bool,
    conflicts: Option<Vec<String>>,
    extract: Option<BTreeMap<String, String>>,
    json: Option<String>,
}

impl Merged {
    fn operation(&self, conflicts: MergeConflictPolicy, strategy: MergeStrategy) -> Rewrite {
        let policy = if self.ignore_not_found {
            MergePriorityPolicy::IgnoreNotFound
        } else {
            MergePriorityPolicy::Strict
        };
        Rewrite {
            merge: Some(RewriteMerge {
                priority: self.priority.clone().unwrap_or_default(),
                priority_policy: policy,
                conflict_policy: conflicts,
                strategy,
                into: "merged into".to_owned(),
            }),
            ..Rewrite::default()
        }
    }

    fn run(&self, operation: Rewrite) -> Result<BTreeMap<String, String>, String> {
        rewritten(operation, values(&self.input)).map(|values| texts(&values))
    }
}

#[test]
fn objects_are_merged_as_go_merges_them() {
    let vectors: Vec<Merged> =
        serde_json::from_str(include_str!("../../vectors/merge.json")).unwrap();
    for vector in &vectors {
        use MergeConflictPolicy::{Error, Ignore};
        let shown = format!("{:?} by {:?}", vector.input, vector.priority);
        let extracted = vector.run(vector.operation(Ignore, MergeStrategy::Extract));
        assert_eq!(extracted.ok(), vector.extract, "{shown}");
        let text = vector.run(vector.operation(Ignore, MergeStrategy::Json));
        let text = text.ok().and_then(|mut all| all.remove("merged into"));
        assert_eq!(text, vector.json, "{shown}");
        let strict = vector.run(vector.operation(Error, MergeStrategy::Extract));
        match &vector.conflicts {
            Some(conflicts) if conflicts.is_empty() => assert_eq!(strict.ok(), vector.extract),
            Some(conflicts) => assert!(
                strict.err().unwrap().ends_with(&format!(
                    "merge failed with conflicts: {}",
                    conflicts.join(", ")
                )),
                "{shown}"
            ),
            None => assert!(strict.is_err(), "{shown}"),
        }
    }
}

#[derive(Deserialize)]
struct Object {
    document: String,
    merge: Option<BTreeMap<String, String>>,
    printed: String,
}

#[test]
fn fields_become_the_texts_that_go_makes_of_them() {
    let vectors: Vec<Object> =
        serde_json::from_str(include_str!("../../vectors/json.json")).unwrap();
    let mut wrong = Vec::new();
    for vector in &vectors {
        let input = BTreeMap::from([("only".to_owned(), vector.document.clone())]);
        let mut merge = RewriteMerge::default();
        let run = |merge: &RewriteMerge| {
            let operation = Rewrite {
                merge: Some(merge.clone()),
                ..Rewrite::default()
            };
            let found = rewritten(operation, values(&input));
            found.ok().map(|values| texts(&values))
        };
        let found = run(&merge);
        if found != vector.merge {
            wrong.push(format!(
                "{}: {found:?} for {:?}",
                vector.document, vector.merge
            ));
        }
        merge.strategy = MergeStrategy::Json;
        merge.into = "into".to_owned();
        let printed = run(&merge).and_then(|mut all| all.remove("into"));
        if printed.as_deref().unwrap_or_default() != vector.printed {
            wrong.push(format!(
                "{}: {printed:?} for {}",
                vector.document, vector.printed
            ));
        }
    }
    none_of(&wrong);
}

#[derive(Deserialize)]
struct Keys {
    unicode: String,
    kept: Vec<(u32, u32)>,
    converted: Vec<Converted>,
}

#[derive(Deserialize)]
struct Converted {
    key: String,
    default: String,
    unicode: String,
}

#[test]
fn keys_keep_the_characters_that_go_calls_letters_and_numbers() {
    let vectors: Keys = serde_json::from_str(include_str!("../../vectors/keys.json")).unwrap();
    // Go may know fewer characters than we do, and none other.
    let age = vectors.unicode.trim_end_matches(".0.0");
    let known = Regex::new(&format!("\\p{{age={age}.0}}")).unwrap();
    let mut wrong = Vec::new();
    for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let code = u32::from(character);
        let next = vectors.kept.partition_point(|(_, last)| *last < code);
        let kept = vectors
            .kept
            .get(next)
            .is_some_and(|(first, _)| *first <= code);
        let valid = validate(&mut Values::from([(character.to_string(), bytes(""))])).is_ok();
        if valid != kept && known.is_match(&character.to_string()) {
            wrong.push(format!("U+{code:04X}: {valid}"));
        }
    }
    none_of(&wrong);
    for vector in &vectors.converted {
        let converted = |strategy: ConversionStrategy| {
            let values = Values::from([(vector.key.clone(), bytes(""))]);
            let values = convert_all(&strategy, values).unwrap();
            values.keys().next().cloned()
        };
        assert_eq!(
            converted(ConversionStrategy::Default).as_ref(),
            Some(&vector.default)
        );
        assert_eq!(
            converted(ConversionStrategy::Unicode).as_ref(),
            Some(&vector.unicode)
        );
    }
}

#[derive(Deserialize)]
struct Decoded {
    value: String,
    base64: Option<String>,
    base64url: Option<String>,
    auto: Option<String>,
}

#[test]
fn values_decode_as_gos_base64_decodes_them() {
    let vectors: Vec<Decoded> =
        serde_json::from_str(include_str!("../../vectors/decoding.json")).unwrap();
    for vector in &vectors {
        for (strategy, expected) in [
            (DecodingStrategy::Base64, &vector.base64),
            (DecodingStrategy::Base64Url, &vector.base64url),
            (DecodingStrategy::Auto, &vector.auto),
        ] {
            let found = decode(&strategy, bytes(&vector.value)).ok();
            let found = found.map(|value| STANDARD.encode(value.expose()));
            assert_eq!(&found, expected, "{:?} by {strategy}", vector.value);
        }
    }
}
