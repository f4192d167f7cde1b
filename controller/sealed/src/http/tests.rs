//! The endpoints as a caller sees them, without a cluster.

use std::time::SystemTime;

use axum::http::Request;
use crds::sealed_secret::{CLUSTER_WIDE, NAMESPACE_WIDE, SEALED_WITH};
use keys::{KeyPair, KeySize, Keyring, Label, Scope, Validity, decode_base64, encode_base64, seal};
use kit::Metrics;
use kube::core::ObjectMeta;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::keyring::{KeySecret, Order, Shelf};

struct Stage {
    routes: Router,
    keyring: Arc<Keyring>,
    metrics: Metrics,
    old: KeyPair,
}

fn pair(age: u64) -> KeyPair {
    let start = SystemTime::now() - Duration::from_secs(age);
    let validity = Validity::starting(start, Duration::from_secs(86_400));
    KeyPair::generate(KeySize::Bits2048, validity, "").unwrap()
}

fn stage(per_second: u32) -> Stage {
    let keys = Keys::new(Shelf::new(
        Order::CertNotBefore,
        "sealed-secrets-key".into(),
    ));
    let old = pair(3_600);
    for (name, pair) in [("old", &old), ("new", &pair(60))] {
        let secret = KeySecret::compose(name.into(), "ns".into(), pair, [].into(), [].into());
        keys.change(|shelf| shelf.place(KeySecret::of(secret)));
    }
    let metrics = Metrics::new();
    let measures = Measures::register(&metrics, "v1", false);
    let rules = Rules {
        own_namespace: "kube-system".into(),
        key_prefix: "sealed-secrets-key".into(),
        accept_v1_data: true,
        allow_privileged_types: false,
    };
    let opener = Opener::new(2, measures.rsa_operations.clone());
    let rate = RateLimit {
        per_second,
        burst: 100,
    };
    let keyring = Arc::clone(&keys.now().keyring);
    let routes = routes(Served::new(keys, opener, rules, measures, rate));
    Stage {
        routes,
        keyring,
        metrics,
        old,
    }
}

impl Stage {
    fn sealed(&self, scope: Scope, more: &Value) -> Value {
        let label = Label::new(scope, "a", "x");
        let item = seal(self.old.public_key(), &label, b"hunter2").unwrap();
        let mut file = json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"namespace": "a", "name": "x", "annotations": {}, "labels": {"l": "1"}},
            "spec": {
                "encryptedData": {"k": encode_base64(&item)},
                "template": {"metadata": {"annotations": {}}, "data": {"t": "{{ .k }}"}},
            },
        });
        let annotations = &mut file["metadata"]["annotations"];
        match scope {
            Scope::Strict => {}
            Scope::NamespaceWide => annotations[NAMESPACE_WIDE] = "true".into(),
            Scope::ClusterWide => annotations[CLUSTER_WIDE] = "true".into(),
        }
        for (pointer, value) in more.as_object().unwrap() {
            *file.pointer_mut(pointer).unwrap() = value.clone();
        }
        file
    }

    async fn send(&self, path: &str, body: impl Into<Body>) -> Response {
        let request = Request::post(path).body(body.into()).unwrap();
        self.routes.clone().oneshot(request).await.unwrap()
    }

    async fn status(&self, path: &str, body: impl Into<Body>) -> StatusCode {
        self.send(path, body).await.status()
    }
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), LONGEST_BODY).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_certificate_is_that_of_the_newest_key() {
    let stage = stage(100);
    let response = stage.send(CERTIFICATE, "").await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/x-pem-file"
    );
    let current = stage
        .keyring
        .current()
        .unwrap()
        .certificate()
        .unwrap()
        .to_pem();
    assert_eq!(text(response).await, current);
    assert!(
        stage
            .metrics
            .render()
            .contains("path=\"/v1/cert.pem\",code=\"200\",method=\"post\"} 1")
    );
}

#[tokio::test]
async fn verify_tells_what_opens_from_what_does_not_and_from_what_is_no_sealed_secret() {
    let stage = stage(100);
    let good = stage.sealed(Scope::Strict, &json!({}));
    let yaml = crds::yaml::to_string(&good).unwrap();
    let moved = stage.sealed(Scope::Strict, &json!({"/metadata/name": "y"}));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}});
    for (body, expected) in [
        (good.to_string(), StatusCode::OK),
        (yaml.clone(), StatusCode::OK),
        (moved.to_string(), StatusCode::CONFLICT),
        (
            stage
                .sealed(Scope::Strict, &json!({"/spec/encryptedData/k": "!"}))
                .to_string(),
            StatusCode::CONFLICT,
        ),
        (secret.to_string(), StatusCode::INTERNAL_SERVER_ERROR),
        (
            format!("{yaml}---\n{yaml}"),
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
        ("{".to_owned(), StatusCode::INTERNAL_SERVER_ERROR),
        (String::new(), StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let response = stage.send(VERIFY, body.clone()).await;
        assert_eq!(response.status(), expected, "{body}");
        assert_eq!(text(response).await, "");
    }
}

/// CVE-2026-22728: what the template says about the scope is for the Secret, and no reason to seal for
/// a wider one.
#[tokio::test]
async fn t01_rotate_keeps_the_scope_whatever_the_template_says() {
    let stage = stage(100);
    let wide = Label::new(Scope::ClusterWide, "", "");
    let whole_namespace = Label::new(Scope::NamespaceWide, "a", "");
    for (scope, widening, too_wide) in [
        (Scope::Strict, CLUSTER_WIDE, vec![&wide, &whole_namespace]),
        (Scope::Strict, NAMESPACE_WIDE, vec![&wide, &whole_namespace]),
        (Scope::NamespaceWide, CLUSTER_WIDE, vec![&wide]),
    ] {
        let annotations = json!({"/spec/template/metadata/annotations": {widening: "true"}});
        let file = stage.sealed(scope, &annotations);
        let response = stage.send(ROTATE, file.to_string()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let rotated: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(
            rotated["metadata"]["annotations"],
            file["metadata"]["annotations"]
        );
        let template = &rotated["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(template, &json!({}));
        let item = rotated["spec"]["encryptedData"]["k"].as_str().unwrap();
        let item = decode_base64(item).unwrap();
        let label = Label::new(scope, "a", "x");
        let opened = stage.keyring.open(&item, &label, None).unwrap();
        let current = stage.keyring.current().unwrap().fingerprint();
        assert_eq!(
            (opened.plaintext.expose(), opened.key),
            (&b"hunter2"[..], current)
        );
        for label in too_wide {
            assert!(stage.keyring.open(&item, label, None).is_err());
        }
    }
}

#[tokio::test]
async fn t02_verify_does_not_render_templates() {
    let stage = stage(100);
    for template in [
        "{{ if hasPrefix \"h\" .k }}{{ fail \"yes\" }}{{ end }}",
        "{{ nonsense",
    ] {
        let file = stage.sealed(Scope::Strict, &json!({"/spec/template/data/t": template}));
        assert_eq!(stage.status(VERIFY, file.to_string()).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn t03_rotate_does_not_render_templates() {
    let stage = stage(100);
    let template = "{{ if hasPrefix \"h\" .k }}{{ fail \"yes\" }}{{ end }}";
    let file = stage.sealed(Scope::Strict, &json!({"/spec/template/data/t": template}));
    let response = stage.send(ROTATE, file.to_string()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let rotated: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(rotated["spec"]["template"]["data"]["t"], template);
    assert_eq!(
        rotated["spec"]["encryptedData"].as_object().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn rotate_keeps_the_rest_of_the_file_and_leaves_out_what_only_the_server_sets() {
    let stage = stage(100);
    let server = serde_json::to_value(ObjectMeta {
        name: Some("x".into()),
        namespace: Some("a".into()),
        uid: Some("u".into()),
        resource_version: Some("5".into()),
        generation: Some(3),
        labels: Some([("l".into(), "1".into())].into()),
        annotations: Some([(SEALED_WITH.into(), "{}".into()), ("k".into(), "v".into())].into()),
        ..ObjectMeta::default()
    })
    .unwrap();
    let file = stage.sealed(Scope::Strict, &json!({"/metadata": server}));
    let response = stage.send(ROTATE, file.to_string()).await;
    let rotated: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(
        rotated["metadata"],
        json!({"name": "x", "namespace": "a", "labels": {"l": "1"}, "annotations": {"k": "v"}})
    );
    assert!(rotated.get("kind").is_none());
}

/// What the controller would not write is no less sealed (the incumbent checks neither).
#[tokio::test]
async fn what_may_not_become_a_secret_is_verified_and_rotated_all_the_same() {
    let stage = stage(100);
    let label = json!({crds::sealed_secret::SEALING_KEY: "active"});
    for template in [
        json!({"type": "kubernetes.io/service-account-token"}),
        json!({"metadata": {"labels": label}}),
    ] {
        let file = stage.sealed(Scope::Strict, &json!({"/spec/template": template}));
        for path in [VERIFY, ROTATE] {
            let status = stage.status(path, file.to_string()).await;
            assert_eq!(status, StatusCode::OK, "{path} {template}");
        }
    }
}

#[tokio::test]
async fn rotate_of_what_does_not_open_is_an_error_without_words() {
    let stage = stage(100);
    let moved = stage.sealed(Scope::Strict, &json!({"/metadata/name": "y"}));
    let response = stage.send(ROTATE, moved.to_string()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn the_limits_hold() {
    let stage = stage(1);
    let file = stage.sealed(Scope::ClusterWide, &json!({})).to_string();
    let first = stage.send(VERIFY, file.clone()).await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(first.headers()["x-ratelimit-limit"], "101");
    assert_eq!(first.headers()["x-ratelimit-remaining"], "100");
    let too_long = vec![b' '; LONGEST_BODY + 1];
    assert_eq!(
        stage.status(VERIFY, too_long).await,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    for _ in 0..99 {
        stage.send(VERIFY, "").await;
    }
    let refused = stage.send(VERIFY, file).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(text(refused).await, "limit exceeded\n");
}

#[tokio::test]
async fn a_rate_of_zero_switches_verify_and_rotate_off() {
    let stage = stage(0);
    for path in [VERIFY, ROTATE] {
        assert_eq!(stage.status(path, "").await, StatusCode::NOT_FOUND);
    }
    assert_eq!(stage.status(CERTIFICATE, "").await, StatusCode::OK);
}
