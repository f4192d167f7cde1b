//! What comes out for what is in AWS: the cases of the incumbent's end-to-end suite
//! (e2e/suites/provider/cases), by the names that they have there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Observation, eventually};

use crate::{data, pairs, shared, stage::Stage, synced};

/// A case: what is in AWS, what is asked for, and what the Secret is then.
struct Case {
    name: &'static str,
    remote: Vec<(&'static str, String)>,
    spec: Value,
    kind: &'static str,
    data: Vec<(&'static str, String)>,
}

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n+/==\n-----END OPENSSH PRIVATE KEY-----\n";

fn texts<const N: usize>(pairs: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    pairs.map(|(key, value)| (key, value.to_owned())).into()
}

fn value(key: &str, remote: &str, property: &str) -> Value {
    let mut reference = json!({"key": remote});
    if !property.is_empty() {
        reference["property"] = json!(property);
    }
    json!({"secretKey": key, "remoteRef": reference})
}

fn properties_and_types(of: &dyn Fn(&str) -> String) -> Vec<Case> {
    let docker = r#"{"auths":{"https://example.com":{"username":"u","password":"p"}}}"#;
    let nested = r#"{"name":{"first":"Tom","last":"Anderson"},"friends":[{"first":"Dale"},{"first":"Roger"}]}"#;
    vec![
        Case {
            name: "json-data-with-property",
            remote: texts([
                ("p1", r#"{"foo1":"foo1-val","bar1":"bar1-val"}"#),
                ("p2", r#"{"foo2":"foo2-val","bar2":"bar2-val"}"#),
            ]),
            spec: json!({"data": [value("one", &of("p1"), "foo1"), value("two", &of("p2"), "bar2")]}),
            kind: "Opaque",
            data: texts([("one", "foo1-val"), ("two", "bar2-val")]),
        },
        Case {
            name: "nested-json-with-gjson",
            remote: texts([("gjson", nested)]),
            spec: json!({"data": [
                value("first", &of("gjson"), "name.first"), value("friend", &of("gjson"), "friends.1.first"),
            ]}),
            kind: "Opaque",
            data: texts([("first", "Tom"), ("friend", "Roger")]),
        },
        Case {
            name: "docker-json-config",
            remote: vec![("docker", format!(r#"{{"dockerconfig": {docker}}}"#))],
            spec: json!({
                "target": {"template": {
                    "type": "kubernetes.io/dockerconfigjson",
                    "data": {".dockerconfigjson": "{{ .mysecret }}"},
                }},
                "data": [value("mysecret", &of("docker"), "dockerconfig")],
            }),
            kind: "kubernetes.io/dockerconfigjson",
            data: vec![(".dockerconfigjson", docker.to_owned())],
        },
        Case {
            name: "data-property-dockerconfigjson",
            remote: vec![("docker-text", json!({"dockerconfig": docker}).to_string())],
            spec: json!({
                "target": {"template": {"type": "kubernetes.io/dockerconfigjson"}},
                "data": [value(".dockerconfigjson", &of("docker-text"), "dockerconfig")],
            }),
            kind: "kubernetes.io/dockerconfigjson",
            data: vec![(".dockerconfigjson", docker.to_owned())],
        },
        Case {
            name: "ssh-key-sync",
            remote: texts([("ssh", KEY)]),
            spec: json!({
                "target": {"template": {"type": "kubernetes.io/ssh-auth"}},
                "data": [value("ssh-privatekey", &of("ssh"), "")],
            }),
            kind: "kubernetes.io/ssh-auth",
            data: texts([("ssh-privatekey", KEY)]),
        },
        Case {
            name: "ssh-key-sync-data-property",
            remote: vec![("ssh-json", json!({"ssh-auth": KEY}).to_string())],
            spec: json!({
                "target": {"template": {"type": "kubernetes.io/ssh-auth"}},
                "data": [value("ssh-privatekey", &of("ssh-json"), "ssh-auth")],
            }),
            kind: "kubernetes.io/ssh-auth",
            data: texts([("ssh-privatekey", KEY)]),
        },
    ]
}

fn whole_secrets(of: &dyn Fn(&str) -> String) -> Vec<Case> {
    let database = r#"{"db":{"username":"my_user","password":"my_pass","port":5432},"apiKey":"x"}"#;
    let person = r#"{"username":"great-name","address":"great-address"}"#;
    let encoded = r#"{"name":"Z3JlYXQtbmFtZQ==","surname":"Z3JlYXQtc3VybmFtZQ==","address":"Plain Street 1"}"#;
    let decoded = |key: &str, decoding: &str| {
        let mut value = value(key, &of("encoded"), "name");
        value["remoteRef"]["decodingStrategy"] = json!(decoding);
        value
    };
    vec![
        Case {
            name: "simple-data-sync",
            remote: texts([("s1", "value one"), ("s2", "value two")]),
            spec: json!({"data": [value("one", &of("s1"), ""), value("two", &of("s2"), "")]}),
            kind: "Opaque",
            data: texts([("one", "value one"), ("two", "value two")]),
        },
        Case {
            name: "json-data-from-extract-property",
            remote: texts([("database", database)]),
            spec: json!({"dataFrom": [{"extract": {"key": of("database"), "property": "db"}}]}),
            kind: "Opaque",
            data: texts([
                ("username", "my_user"),
                ("password", "my_pass"),
                ("port", "5432"),
            ]),
        },
        Case {
            name: "json-data-from-rewrite",
            remote: texts([("person", person)]),
            spec: json!({"dataFrom": [{
                "extract": {"key": of("person")},
                "rewrite": [
                    {"regexp": {"source": "(.*)", "target": "my_$1"}},
                    {"transform": {"template": "{{ .value }}{{ if .nothing }}-never{{ end }}"}},
                ],
            }]}),
            kind: "Opaque",
            data: texts([
                ("my_username", "great-name"),
                ("my_address", "great-address"),
            ]),
        },
        Case {
            name: "decoding-policy-sync",
            remote: texts([("encoded", encoded)]),
            spec: json!({
                "dataFrom": [{"extract": {"key": of("encoded"), "decodingStrategy": "Auto"}}],
                "data": [decoded("base64", "Base64"), decoded("none", "None")],
            }),
            kind: "Opaque",
            data: texts([
                ("name", "great-name"),
                ("surname", "great-surname"),
                ("address", "Plain Street 1"),
                ("base64", "great-name"),
                ("none", "Z3JlYXQtbmFtZQ=="),
            ]),
        },
        Case {
            name: "template",
            remote: texts([
                ("bar", "bar"),
                ("json", r#"{"foo":{"bar":"baz"}}"#),
                ("map", "barmap"),
            ]),
            spec: json!({
                "target": {"template": {"data": {
                    "single": "executed: {{ .singlefoo }}|{{ .singlebaz }}",
                    "upper": "{{ .foo | upper }}",
                    "json": "{{ $var := .singlejson | fromJson }}{{ $var.foo | toJson }}",
                }}},
                "data": [
                    value("singlefoo", &of("bar"), ""), value("singlebaz", &of("bar"), ""),
                    value("singlejson", &of("json"), ""), value("foo", &of("map"), ""),
                ],
            }),
            kind: "Opaque",
            data: texts([
                ("single", "executed: bar|bar"),
                ("upper", "BARMAP"),
                ("json", r#"{"bar":"baz"}"#),
            ]),
        },
    ]
}

#[tokio::test]
async fn each_case_of_the_incumbents_suite_comes_out_the_same() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let of = |name: &str| stage.remote(name);
    let cases: Vec<Case> = properties_and_types(&of)
        .into_iter()
        .chain(whole_secrets(&of))
        .collect();
    for case in &cases {
        for (name, value) in &case.remote {
            shared.aws.create_secret(&of(name), value).await?;
        }
        let mut object = stage.external_secret(case.name, case.spec.clone());
        object["spec"]["refreshInterval"] = json!("1h");
        stage.cluster.create(&object).await?;
    }
    for case in &cases {
        let at = stage.at(case.name);
        let condition = stage.cluster.condition(&at, "Ready", "True").await?;
        assert_eq!(condition["reason"], "SecretSynced", "{}", case.name);
        assert_eq!(condition["message"], "secret synced", "{}", case.name);
        let expected: BTreeMap<String, String> = case
            .data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        assert_eq!(data(&stage, case.name).await?, expected, "{}", case.name);
        let secret = Coordinates::secret(&stage.namespace, case.name);
        let secret = stage.cluster.must_get(&secret).await?;
        assert_eq!(secret["type"], case.kind, "{}", case.name);
    }
    Ok(())
}

/// JSONDataWithTemplate, JSONDataWithTemplateFromLiteral and TemplateFromConfigmaps.
#[tokio::test]
async fn templates_take_metadata_literals_and_whole_config_maps() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    for (name, value) in [("one", "foo1-val"), ("two", "bar2-val")] {
        shared.aws.create_secret(&stage.remote(name), value).await?;
    }
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "templates", "namespace": stage.namespace},
        "data": {
            "config.json": "executed-{{ .one }}-{{ .two }}",
            "templated": "executed-{{ .one }}: {{ .two }}\n",
        },
    });
    stage.cluster.create(&config).await?;
    let spec = json!({
        "target": {"template": {
            "metadata": {
                "labels": {"example": "label"}, "annotations": {"example": "annotation {{ .one }}"},
                "finalizers": ["example.com/finalizer"],
            },
            "data": {"my-data": "executed: {{ .one }}|{{ .two }}"},
            "templateFrom": [
                {"literal": "literal-{{ .one }}: {{ .two }}"},
                {"configMap": {"name": "templates", "items": [
                    {"key": "config.json", "templateAs": "Values"},
                    {"key": "templated", "templateAs": "KeysAndValues"},
                ]}},
            ],
        }},
        "data": [value("one", &stage.remote("one"), ""), value("two", &stage.remote("two"), "")],
    });
    let found = synced(&stage, "templated", spec).await?;
    let expected = [
        ("my-data", "executed: foo1-val|bar2-val"),
        ("literal-foo1-val", "bar2-val"),
        ("config.json", "executed-foo1-val-bar2-val"),
        ("executed-foo1-val", "bar2-val"),
    ];
    assert_eq!(found, pairs(expected));
    let at = Coordinates::secret(&stage.namespace, "templated");
    let metadata = stage.cluster.must_get(&at).await?["metadata"].clone();
    assert_eq!(metadata["labels"]["example"], "label");
    assert_eq!(metadata["annotations"]["example"], "annotation foo1-val");
    assert_eq!(metadata["finalizers"], json!(["example.com/finalizer"]));
    let free = json!({"metadata": {"finalizers": null}});
    stage.cluster.merge(&at, &free).await?;
    Ok(())
}

/// FindByNameWithPath, FindByTagWithPath and the incumbent's conversion of names.
#[tokio::test]
async fn secrets_are_found_by_path_with_tags_and_their_names_converted() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    for (name, tag) in [("foobar/one", "x"), ("foobar/two", "y"), ("other/one", "x")] {
        let body = json!({
            "Name": stage.remote(name), "SecretString": name,
            "Tags": [{"Key": "test", "Value": format!("{}-{tag}", stage.namespace)}],
        });
        shared.aws.call("CreateSecret", body).await?;
    }
    let find = json!({"dataFrom": [{"find": {
        "path": stage.remote("foobar"),
        "tags": {"test": format!("{}-x", stage.namespace)},
    }}]});
    let found = synced(&stage, "by-tag-and-path", find).await?;
    let key = format!("{}_foobar_one", stage.namespace);
    assert_eq!(found, pairs([(&key, "foobar/one")]));
    let find = json!({"dataFrom": [{"find": {
        "path": stage.remote("foobar"), "name": {"regexp": "two$"}, "conversionStrategy": "Unicode",
    }}]});
    let found = synced(&stage, "by-name-and-path", find).await?;
    let key = format!("{}_U002f_foobar_U002f_two", stage.namespace);
    assert_eq!(found, pairs([(&key, "foobar/two")]));
    Ok(())
}

/// StatusNotUpdatedAfterSuccessfulSync of regressions.go, and refreshintervalZero of the controller's
/// table: another object shows that time has passed for these.
#[tokio::test]
async fn what_is_not_due_is_left_as_it_is() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "first")
        .await?;
    let names = [("hourly", "1h"), ("once", "0s")];
    for (name, interval) in names {
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["refreshInterval"] = json!(interval);
        stage.cluster.create(&object).await?;
        stage
            .cluster
            .condition(&stage.at(name), "Ready", "True")
            .await?;
    }
    let state = async |stage: &Stage| {
        let mut found = Vec::new();
        for (name, _) in names {
            let object = stage.cluster.must_get(&stage.at(name)).await?;
            let metadata = &object["metadata"];
            found.push((
                metadata["resourceVersion"].clone(),
                object["status"].clone(),
            ));
        }
        Ok::<_, Failure>(found)
    };
    let before = state(&stage).await?;
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    stage
        .cluster
        .create(&stage.one_value("each-second", "db", None))
        .await?;
    let refreshed = async || {
        let object = stage.cluster.must_get(&stage.at("each-second")).await?;
        Ok::<_, Failure>(object["status"]["refreshTime"].clone())
    };
    stage
        .cluster
        .secret_holds(&stage.namespace, "each-second", "value", b"second")
        .await?;
    for _ in 0..3 {
        let last = refreshed().await?;
        eventually("another refresh of what is due", async || {
            let now = refreshed().await?;
            Ok(Observation::when(now != last, || now.to_string()))
        })
        .await?;
    }
    assert_eq!(state(&stage).await?, before);
    for (name, _) in names {
        assert_eq!(data(&stage, name).await?, pairs([("value", "first")]));
    }
    Ok(())
}

/// The provider's cases that need an answer of AWS (secretsmanager_test.go, TestSecretsManagerGetSecret
/// and TestCaching): prefix, version by id, stage, tags, and one call for one secret.
#[tokio::test]
async fn prefixes_versions_and_tags_are_asked_for_and_a_secret_once() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let mut prefixed = crate::stage::store("SecretStore", "prefixed", &stage.namespace);
    prefixed["spec"]["provider"]["aws"]["prefix"] = json!(format!("{}/", stage.namespace));
    stage.cluster.create(&prefixed).await?;
    let body = json!({
        "Name": stage.remote("db"), "SecretString": r#"{"a":"1","b":"2"}"#,
        "Tags": [{"Key": "b", "Value": "<2>"}, {"Key": "a", "Value": "1"}],
    });
    let first = shared.aws.call("CreateSecret", body).await?;
    let first = first["VersionId"].as_str().unwrap_or_default().to_owned();
    shared
        .aws
        .put_secret(&stage.remote("db"), r#"{"a":"3","b":"4"}"#)
        .await?;
    let entry = |key: &str, more: Value| {
        let mut reference = json!({"key": "db"});
        for (field, value) in more.as_object().cloned().unwrap_or_default() {
            reference[field] = value;
        }
        json!({"secretKey": key, "remoteRef": reference})
    };
    let spec = json!({
        "refreshInterval": "1h", "secretStoreRef": {"name": "prefixed", "kind": "SecretStore"},
        "data": [
            entry("a", json!({"property": "a"})),
            entry("b", json!({"property": "b"})),
            entry("by-id", json!({"version": format!("uuid/{first}")})),
            entry("stage", json!({"version": "AWSPREVIOUS", "property": "b"})),
            entry("tags", json!({"metadataPolicy": "Fetch"})),
            entry("tag", json!({"metadataPolicy": "Fetch", "property": "b"})),
        ],
    });
    let found = synced(&stage, "prefixed", spec).await?;
    let expected = [
        ("a", "3"),
        ("b", "4"),
        ("by-id", r#"{"a":"1","b":"2"}"#),
        ("stage", "2"),
        ("tags", r#"{"a":"1","b":"\u003c2\u003e"}"#),
        ("tag", "<2>"),
    ];
    assert_eq!(found, pairs(expected));
    let id = stage.remote("db");
    let calls = shared.aws.calls().into_iter();
    let calls = calls.filter(|call| {
        let batch = call.body["SecretIdList"].as_array();
        call.body["SecretId"] == id || batch.is_some_and(|ids| ids.contains(&json!(id)))
    });
    let mut calls: Vec<String> = calls
        .map(|call| {
            format!(
                "{} {}{}",
                call.operation.replace("Batch", ""),
                call.body["VersionStage"],
                call.body["VersionId"]
            )
        })
        .map(|call| call.replace("null", "").replace("\"AWSCURRENT\"", ""))
        .collect();
    calls.sort_unstable();
    let expected = [
        "DescribeSecret ".to_owned(),
        "GetSecretValue ".to_owned(),
        format!("GetSecretValue \"{first}\""),
        "GetSecretValue \"AWSPREVIOUS\"".to_owned(),
    ];
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(calls, expected);
    let wrong = json!({
        "secretStoreRef": {"name": "prefixed", "kind": "SecretStore"},
        "data": [entry("tag", json!({"metadataPolicy": "Fetch", "property": "fail"}))],
    });
    stage
        .cluster
        .create(&stage.external_secret("wrong-tag", wrong))
        .await?;
    stage
        .refused(
            &shared.controller,
            "wrong-tag",
            &["key fail does not exist in secret db"],
        )
        .await
}
