//! ExternalSecrets as they are met: each namespace of [`tests::shop`] has all of [`shapes`], and one of a
//! ClusterExternalSecret.

use serde_json::{Value, json};
use tests::shop::{self, NAMESPACES, namespace};
use tests::{Cluster, Failure, Moto, REGION, objects};

/// Makes everything that is there before the operator is: what AWS holds, stores, and objects.
pub(crate) async fn fill(cluster: &Cluster, aws: &Moto) -> Result<(), Failure> {
    shop::fill(aws).await?;
    for namespace in (0..NAMESPACES).map(namespace) {
        let metadata = json!({"name": namespace, "labels": {"shop": "yes"}});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        cluster.create(&object).await?;
        surroundings(cluster, &namespace).await?;
    }
    cluster
        .create(&store("ClusterSecretStore", "aws-for-all", &namespace(0)))
        .await?;
    for number in 0..NAMESPACES {
        for shape in shapes(&namespace(number)) {
            cluster.create(&shape).await?;
        }
    }
    cluster.create(&cluster_external_secret()).await?;
    Ok(())
}

/// What a namespace has besides ExternalSecrets.
async fn surroundings(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    let key = [("id", b"AKIAEXAMPLE".as_slice()), ("secret", b"x")];
    cluster
        .create(&objects::secret(namespace, "access-key", &key))
        .await?;
    cluster
        .create(&store("SecretStore", "aws", namespace))
        .await?;
    for name in ["merge", "create-or-merge-existing"] {
        let mut foreign = objects::secret(namespace, name, &[("theirs", b"kept")]);
        foreign["metadata"]["labels"] = json!({"app": "shop"});
        cluster.create(&foreign).await?;
    }
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "templates", "namespace": namespace},
        "data": {"config.ini": "user={{ .user }}\nport={{ .port }}\n"},
    });
    cluster.create(&map).await?;
    Ok(())
}

fn store(kind: &str, name: &str, namespace: &str) -> Value {
    let selector = |key: &str| json!({"name": "access-key", "key": key, "namespace": namespace});
    let (mut id, mut secret) = (selector("id"), selector("secret"));
    let mut metadata = json!({"name": name});
    if kind == "SecretStore" {
        metadata["namespace"] = json!(namespace);
        for selector in [&mut id, &mut secret] {
            selector
                .as_object_mut()
                .map(|selector| selector.remove("namespace"));
        }
    }
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": metadata,
        "spec": {"provider": {"aws": {
            "service": "SecretsManager", "region": REGION,
            "auth": {"secretRef": {"accessKeyIDSecretRef": id, "secretAccessKeySecretRef": secret}},
        }}},
    })
}

fn cluster_external_secret() -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
        "metadata": {"name": "everywhere"},
        "spec": {
            "externalSecretName": "everywhere",
            "externalSecretMetadata": {"labels": {"from": "cluster"}, "annotations": {"note": "n"}},
            "namespaceSelectors": [{"matchLabels": {"shop": "yes"}}],
            "externalSecretSpec": {
                "refreshInterval": "1h",
                "secretStoreRef": {"name": "aws-for-all", "kind": "ClusterSecretStore"},
                "data": [{"secretKey": "value", "remoteRef": {"key": "shop-0/plain"}}],
            },
        },
    })
}

/// The ExternalSecrets of a namespace.
fn shapes(namespace: &str) -> Vec<Value> {
    let key = |name: &str| format!("{namespace}/{name}");
    let plain = json!({"data": [{"secretKey": "value", "remoteRef": {"key": key("plain")}}]});
    let pair = json!({"dataFrom": [{"extract": {"key": key("pair")}}]});
    let mut shapes = by_policy(&plain);
    shapes.extend(by_source(&key, &pair));
    shapes.extend(by_template(&pair));
    let object = |(name, spec): (String, Value)| {
        let mut object = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {
                "name": name, "namespace": namespace,
                "labels": {"app": "shop"}, "annotations": {"note": "of the shop"},
            },
            "spec": {
                "refreshInterval": "1h",
                "secretStoreRef": {"name": "aws", "kind": "SecretStore"},
            },
        });
        for (field, value) in spec.as_object().cloned().unwrap_or_default() {
            object["spec"][field] = value;
        }
        object
    };
    shapes.into_iter().map(object).collect()
}

fn with(spec: &Value, more: &Value) -> Value {
    let mut spec = spec.clone();
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        spec[field] = value;
    }
    spec
}

fn named(name: &str, spec: &Value, more: &Value) -> (String, Value) {
    (name.to_owned(), with(spec, more))
}

fn by_policy(plain: &Value) -> Vec<(String, Value)> {
    let target = |target: Value| json!({"target": target});
    let policy = |policy: &str| target(json!({"creationPolicy": policy}));
    vec![
        named("owner", plain, &policy("Owner")),
        named("orphan", plain, &policy("Orphan")),
        named("merge", plain, &policy("Merge")),
        named("create-or-merge", plain, &policy("CreateOrMerge")),
        named("create-or-merge-existing", plain, &policy("CreateOrMerge")),
        named("none", plain, &policy("None")),
        named(
            "delete",
            plain,
            &target(json!({"deletionPolicy": "Delete"})),
        ),
        named(
            "merge-on-deletion",
            plain,
            &target(json!({"deletionPolicy": "Merge"})),
        ),
        named("immutable", plain, &target(json!({"immutable": true}))),
        named("another-name", plain, &target(json!({"name": "renamed"}))),
        named("once", plain, &json!({"refreshPolicy": "CreatedOnce"})),
        named("on-change", plain, &json!({"refreshPolicy": "OnChange"})),
        named("never-again", plain, &json!({"refreshInterval": "0s"})),
        named("a-name-of-more-than-28-characters", plain, &json!({})),
        named(&format!("long-{}", "x".repeat(70)), plain, &json!({})),
    ]
}

fn by_source(key: &dyn Fn(&str) -> String, pair: &Value) -> Vec<(String, Value)> {
    let find = json!({
        "find": {"name": {"regexp": format!("^{}", key("find/"))}},
        "rewrite": [{"regexp": {"source": key("find/(.*)"), "target": "$1"}}],
    });
    let encoded =
        json!({"key": key("encoded"), "decodingStrategy": "Base64", "version": "AWSCURRENT"});
    let property = json!({"key": key("pair"), "property": "nested.a\\.b"});
    vec![
        named("extract", pair, &json!({})),
        named("find", &json!({"dataFrom": [find]}), &json!({})),
        named(
            "several",
            &json!({"data": [
                {"secretKey": "binary", "remoteRef": {"key": key("binary")}},
                {"secretKey": "decoded", "remoteRef": encoded},
                {"secretKey": "property", "remoteRef": property},
            ]}),
            &json!({}),
        ),
        named(
            "of-the-cluster",
            pair,
            &json!({"secretStoreRef": {"name": "aws-for-all", "kind": "ClusterSecretStore"}}),
        ),
    ]
}

fn by_template(pair: &Value) -> Vec<(String, Value)> {
    let template = |template: Value| json!({"target": {"template": template}});
    let metadata = json!({
        "labels": {"user": "{{ .user }}"}, "annotations": {"plain": "text"},
        "finalizers": ["example.com/kept"],
    });
    let literal = json!({"target": "Labels", "literal": "made: {{ .user }}"});
    let map = json!({"configMap": {"name": "templates", "items": [{"key": "config.ini"}]}});
    vec![
        named(
            "template",
            pair,
            &template(
                json!({"metadata": metadata, "data": {"url": "{{ .user }}:{{ .password }}"}}),
            ),
        ),
        named(
            "template-metadata",
            pair,
            &template(json!({"metadata": {"labels": {"a": "b"}}})),
        ),
        named(
            "template-merge",
            pair,
            &template(json!({"mergePolicy": "Merge", "data": {"more": "{{ .port }}"}})),
        ),
        named(
            "template-literal",
            pair,
            &template(json!({"templateFrom": [literal]})),
        ),
        named(
            "template-map",
            pair,
            &template(json!({"templateFrom": [map]})),
        ),
    ]
}
