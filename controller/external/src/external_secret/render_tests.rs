//! Templates, as the incumbent's end-to-end and controller suites have them.

use crds::external_secret::ExternalSecret;
use serde_json::{Value, json};

use super::*;
use crate::{
    external_secret::desired::desired,
    template::{Engine, Sources},
    values::Values,
};

fn bytes(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn sources() -> Sources {
    let config = [
        ("config.json", "executed-{{ .one }}-{{ .two }}"),
        (
            "pairs",
            "executed-{{ .one }}: {{ .two }}\nnumber: 0123\nyes: yes\nempty:",
        ),
        ("list", "- a"),
    ];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let secret =
        [("encoded", "{{ .two | b64enc }}")].map(|(key, value)| (key.to_owned(), bytes(value)));
    Sources {
        config_maps: [("cm".to_owned(), config.into())].into(),
        secrets: [("sec".to_owned(), secret.into())].into(),
        digest: None,
    }
}

fn made(template: Value) -> Result<Secret, String> {
    let object: ExternalSecret = serde_json::from_value(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "app", "namespace": "ns"}, "spec": {"target": {"template": template}},
    }))
    .unwrap();
    let values: Values = [("one", "foo1-val"), ("two", "bar2-val")]
        .map(|(k, v)| (k.to_owned(), bytes(v)))
        .into();
    let sources = sources();
    let engine = Engine::default();
    let with = Ingredients {
        values: &values,
        templates: &engine,
        sources: &sources,
        privileged_types: false,
    };
    desired(&object, None, &with).map_err(|error| error.to_string())
}

fn data(secret: &Secret) -> Vec<(&str, &str)> {
    let data = secret.data.iter().flatten();
    data.map(|(key, value)| (key.as_str(), str::from_utf8(&value.0).unwrap()))
        .collect()
}

/// JSONDataWithTemplate and JSONDataWithTemplateFromLiteral.
#[test]
fn templates_see_the_values() {
    let found = made(json!({
        "metadata": {"labels": {"l": "{{ .one }}"}, "annotations": {"a": "{{ .two | upper }}"}},
        "data": {"my-data": "executed: {{ .one }}|{{ .two }}"},
        "templateFrom": [{"literal": "executed-{{ .one }}: {{ .two }}\nmy-data: lost"}],
    }))
    .unwrap();
    let expected = [
        ("executed-foo1-val", "bar2-val"),
        ("my-data", "executed: foo1-val|bar2-val"),
    ];
    assert_eq!(data(&found), expected);
    assert_eq!(found.metadata.labels.as_ref().unwrap()["l"], "foo1-val");
    assert_eq!(
        found.metadata.annotations.as_ref().unwrap()["a"],
        "BAR2-VAL"
    );
}

/// TemplateFromConfigmaps, and the scalars that YAML types anew.
#[test]
fn templates_come_from_config_maps_and_secrets() {
    let found = made(json!({"templateFrom": [{
        "configMap": {"name": "cm", "items": [
            {"key": "config.json"},
            {"key": "pairs", "templateAs": "KeysAndValues"},
        ]},
        "secret": {"name": "sec", "items": [{"key": "encoded"}]},
    }]}))
    .unwrap();
    let expected = [
        ("config.json", "executed-foo1-val-bar2-val"),
        ("empty", ""),
        ("encoded", "YmFyMi12YWw="),
        ("executed-foo1-val", "bar2-val"),
        ("number", "83"),
        ("true", "true"),
    ];
    assert_eq!(data(&found), expected);
}

#[test]
fn rendered_values_are_decoded_and_go_where_they_are_asked_to() {
    let found = made(json!({"templateFrom": [
        {"secret": {"name": "sec", "items": [{"key": "encoded"}]}, "valuesDecodingStrategy": "Base64"},
        {"literal": "x: {{ .one }}", "target": "labels"},
        {"literal": "note: {{ .two }}", "target": "Annotations"},
    ]}))
    .unwrap();
    assert_eq!(data(&found), [("encoded", "bar2-val")]);
    assert_eq!(found.metadata.labels.as_ref().unwrap()["x"], "foo1-val");
    assert_eq!(
        found.metadata.annotations.as_ref().unwrap()["note"],
        "bar2-val"
    );
}

#[test]
fn what_is_wrong_with_a_template_is_told_without_a_value() {
    for (template, text) in [
        (
            json!({"data": {"t": "{{ .missing }}"}}),
            "unable to execute template at key t: line 1",
        ),
        (json!({"data": {"t": "{{ nosuch }}"}}), "nosuch"),
        (json!({"data": {"t": "{{ env \"HOME\" }}"}}), "env"),
        (
            json!({"templateFrom": [{"configMap": {"name": "gone", "items": []}}]}),
            "configmaps \"gone\" not found",
        ),
        (
            json!({"templateFrom": [{"configMap": {"name": "cm", "items": [{"key": "no"}]}}]}),
            "error in configmap cm: missing key no",
        ),
        (
            json!({"templateFrom": [{"secret": {"name": "sec", "items": [{"key": "no"}]}}]}),
            "error in secret sec: missing key no",
        ),
        (
            json!({"templateFrom": [{"configMap": {"name": "cm", "items": [{"key": "list", "templateAs": "KeysAndValues"}]}}]}),
            "to keys and values",
        ),
        (
            json!({"templateFrom": [{"literal": "{{ .two }}"}]}),
            "to keys and values",
        ),
        (
            json!({"templateFrom": [{"literal": "a: {b: {{ .two }}}"}]}),
            "to keys and values",
        ),
    ] {
        let error = made(template).err().unwrap();
        assert!(
            error.starts_with("could not update secret: could not apply template: "),
            "{error}"
        );
        assert!(error.contains(text), "{error}");
        assert!(!error.contains("bar2-val"), "{error}");
    }
}
