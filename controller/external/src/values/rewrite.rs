//! `dataFrom[].rewrite` (runtime/esutils/utils.go, `RewriteMap`).

use crds::external_secret::{
    MergeConflictPolicy, MergePriorityPolicy, MergeStrategy, Rewrite, RewriteMerge,
};
use kit::SecretBytes;
use serde_json::{Map, Value};
use template::Expression;

use super::Values;
use crate::go_json::{self, Html};
use crate::provider::json_text;

/// Why a rewrite was not possible. Quotes keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed rewrite operation[{index}]: {problem}")]
pub(crate) struct RewriteError {
    /// The position in the list.
    pub(crate) index: usize,
    /// What went wrong.
    pub(crate) problem: String,
}

/// Applies the operations in their order. `transform` renders a template with the key as `.value`.
///
/// # Errors
/// [`RewriteError`] for the first operation that is not possible.
pub(crate) fn apply(
    operations: &[Rewrite],
    values: Values,
    transform: &dyn Fn(&str, &str) -> Result<String, String>,
) -> Result<Values, RewriteError> {
    operations
        .iter()
        .enumerate()
        .try_fold(values, |values, (index, operation)| {
            let result = match operation {
                Rewrite {
                    merge: Some(merge), ..
                } => merged(merge, values),
                Rewrite {
                    regexp: Some(by), ..
                } => regexp(&by.source, &by.target, values),
                Rewrite {
                    transform: Some(by),
                    ..
                } => transformed(&by.template, values, transform),
                Rewrite {
                    merge: None,
                    regexp: None,
                    transform: None,
                } => Ok(values),
            };
            result.map_err(|problem| RewriteError { index, problem })
        })
}

/// Two keys that become one: the later in order wins. (In the incumbent a random one does.)
fn regexp(source: &str, target: &str, values: Values) -> Result<Values, String> {
    let pattern = Expression::new(source)
        .map_err(|problem| format!("regexp failed with failed to compile: {source}: {problem}"))?;
    let renamed = values.into_iter().map(|(key, value)| {
        let name = pattern.replace_all(&key, target);
        let name = name.map_err(|problem| format!("regexp failed for key \"{key}\": {problem}"))?;
        Ok((name, value))
    });
    renamed.collect()
}

fn transformed(
    template: &str,
    values: Values,
    transform: &dyn Fn(&str, &str) -> Result<String, String>,
) -> Result<Values, String> {
    let mut renamed = Values::new();
    for (key, value) in values {
        let name = transform(template, &key).map_err(|problem| {
            format!("transform failed with failed to execute template for key \"{key}\": {problem}")
        })?;
        renamed.insert(name, value);
    }
    Ok(renamed)
}

fn merged(merge: &RewriteMerge, mut values: Values) -> Result<Values, String> {
    let object = merged_object(merge, &values)?;
    match &merge.strategy {
        MergeStrategy::Extract => Ok(object
            .into_iter()
            .map(|(key, value)| (key, SecretBytes::new(bytes(&value))))
            .collect()),
        MergeStrategy::Json if merge.into.is_empty() => {
            Err("merge failed with missing 'into' field".to_owned())
        }
        MergeStrategy::Json => {
            let text = go_json::print(&Value::Object(object), Html::Plain);
            values.insert(merge.into.clone(), SecretBytes::new(text.into_bytes()));
            Ok(values)
        }
        MergeStrategy::Other(other) => Err(format!("merge strategy {other} is not served")),
    }
}

fn merged_object(merge: &RewriteMerge, values: &Values) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    let mut conflicts = Vec::new();
    let rest = values.keys().filter(|key| !merge.priority.contains(key));
    for key in rest.chain(&merge.priority) {
        let Some(value) = values.get(key) else {
            if merge.priority_policy == MergePriorityPolicy::IgnoreNotFound {
                continue;
            }
            return Err(format!(
                "merge failed with key \"{key}\" not found in input map"
            ));
        };
        let mended = json_text::with_paired_surrogates(value.expose());
        let readable = mended.as_ref().unwrap_or(value).expose();
        let fields: Option<Map<String, Value>> = serde_json::from_slice(readable)
            .map_err(|_| format!("merge failed with failed to unmarshal JSON: the value of \"{key}\" is no JSON object"))?;
        for (name, field) in fields.unwrap_or_default() {
            if object.insert(name.clone(), field).is_some() {
                conflicts.push(name);
            }
        }
    }
    if conflicts.is_empty() || merge.conflict_policy == MergeConflictPolicy::Ignore {
        return Ok(object);
    }
    conflicts.sort_unstable();
    Err(format!(
        "merge failed with conflicts: {}",
        conflicts.join(", ")
    ))
}

/// A field as the bytes of a value (`GetByteValue`): numbers go through a float as in Go, so an
/// integer beyond 2^53 loses digits there and here.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        Value::Number(number) => {
            go_json::plain_float(number.as_f64().unwrap_or_default()).into_bytes()
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            go_json::print(value, Html::Escaped).into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::external_secret::RewriteRegexp;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs
            .iter()
            .map(|(key, value)| {
                (
                    (*key).to_owned(),
                    SecretBytes::new(value.as_bytes().to_vec()),
                )
            })
            .collect()
    }

    fn shown(values: &Values) -> Vec<(&str, &str)> {
        values
            .iter()
            .map(|(key, value)| (key.as_str(), str::from_utf8(value.expose()).unwrap()))
            .collect()
    }

    fn run(operations: &[Rewrite], pairs: &[(&str, &str)]) -> Result<Values, String> {
        let no_templates = |_: &str, _: &str| Err("not here".to_owned());
        apply(operations, values(pairs), &no_templates).map_err(|error| error.to_string())
    }

    fn replace(source: &str, target: &str) -> Rewrite {
        let regexp = RewriteRegexp {
            source: source.to_owned(),
            target: target.to_owned(),
        };
        Rewrite {
            regexp: Some(regexp),
            ..Rewrite::default()
        }
    }

    fn merge(merge: RewriteMerge) -> [Rewrite; 1] {
        [Rewrite {
            merge: Some(merge),
            ..Rewrite::default()
        }]
    }

    #[test]
    fn keys_are_rewritten_by_regular_expressions_in_order() {
        let operations = [replace("my/(.*?)/", "${1}_"), replace("(.*)", "${1}_x")];
        let found = run(&operations, &[("my/db/user", "u"), ("other", "o")]).unwrap();
        assert_eq!(shown(&found), [("db_user_x", "u"), ("other_x", "o")]);
        let error = run(&[replace("[", "")], &[]).err().unwrap();
        assert!(
            error.starts_with("failed rewrite operation[0]: regexp failed"),
            "{error}"
        );
    }

    #[test]
    fn objects_are_merged_into_keys() {
        let pairs = [
            ("a", r#"{"n":123,"big":9007199254740993,"x":"a"}"#),
            (
                "b",
                r#"{"o":{"z":1,"a":"<"},"x":"b","l":[1,2.5],"t":false,"e":null}"#,
            ),
        ];
        let error = run(&merge(RewriteMerge::default()), &pairs).err().unwrap();
        assert_eq!(
            error,
            "failed rewrite operation[0]: merge failed with conflicts: x"
        );
        let wins = RewriteMerge {
            conflict_policy: MergeConflictPolicy::Ignore,
            priority: vec!["a".into()],
            ..RewriteMerge::default()
        };
        let found = run(&merge(wins), &pairs).unwrap();
        assert_eq!(
            shown(&found),
            [
                ("big", "9007199254740992"),
                ("e", ""),
                ("l", "[1,2.5]"),
                ("n", "123"),
                ("o", "{\"a\":\"\\u003c\",\"z\":1}"),
                ("t", "false"),
                ("x", "a"),
            ]
        );
    }

    #[test]
    fn objects_are_merged_into_one_json_text() {
        let into = RewriteMerge {
            priority: vec!["gone".into()],
            priority_policy: MergePriorityPolicy::IgnoreNotFound,
            strategy: MergeStrategy::Json,
            into: "all".into(),
            ..RewriteMerge::default()
        };
        let found = run(
            &merge(into.clone()),
            &[("a", r#"{"y":"<"}"#), ("b", r#"{"x":1}"#)],
        )
        .unwrap();
        assert_eq!(
            shown(&found),
            [
                ("a", r#"{"y":"<"}"#),
                ("all", r#"{"x":1,"y":"<"}"#),
                ("b", r#"{"x":1}"#)
            ]
        );
        let strict = RewriteMerge {
            priority_policy: MergePriorityPolicy::Strict,
            ..into
        };
        let error = run(&merge(strict), &[]).err().unwrap();
        assert!(error.ends_with("merge failed with key \"gone\" not found in input map"));
    }

    #[test]
    fn a_value_that_is_no_object_is_named_but_not_quoted() {
        let error = run(&merge(RewriteMerge::default()), &[("db", "hunter2")])
            .err()
            .unwrap();
        assert!(
            error.contains("\"db\"") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
