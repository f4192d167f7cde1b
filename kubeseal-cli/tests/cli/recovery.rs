//! Opening with the private keys.

use serde_json::json;

use crate::bench::{Bench, make_pair, mode, pair, secret};

fn sealed(bench: &Bench) -> String {
    let mut input = secret("db", "shop", &[("a", "1"), ("b", "2")]);
    input["metadata"]["labels"] = json!({"app": "db"});
    input["type"] = "Opaque".into();
    bench.seal(&[], &input.to_string()).text()
}

#[test]
fn upstream_a_sealed_secret_is_opened_with_every_form_of_key() {
    // TestUnseal, TestUnsealList, TestReadPrivKeySecret, TestReadPrivKeyPEM, and integration case 11.
    let bench = Bench::new();
    let sealed = sealed(&bench);
    let backup =
        |key: &str| json!({"kind": "Secret", "apiVersion": "v1", "stringData": {"tls.key": key}});
    let other = make_pair(keys::Validity::starting(
        std::time::SystemTime::now(),
        crate::bench::DAY,
    ))
    .1;
    let forms = [
        pair().1.clone(),
        backup(&pair().1).to_string(),
        json!({"kind": "List", "items": [backup(&other), backup(&pair().1)]}).to_string(),
        // A typed list names no kinds, not even its own.
        json!({"items": [{"stringData": {"tls.key": &pair().1}}], "kind": "SecretList"})
            .to_string(),
        // The README's recipe: a list, and another Secret behind it.
        format!(
            "{}\n---\n{}",
            json!({"kind": "List", "items": [backup(&other)]}),
            backup(&pair().1)
        ),
    ];
    for form in forms {
        bench.write("backup", &form);
        let arguments = ["--recovery-unseal", "--recovery-private-key", "backup"];
        let opened = bench.run(&arguments, &sealed).json();
        let expected = json!({
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {"name": "db", "namespace": "shop", "labels": {"app": "db"}},
            "data": {"a": "MQ==", "b": "Mg=="},
            "type": "Opaque",
        });
        assert_eq!(opened, expected);
    }
}

#[test]
fn keys_may_be_many_and_the_file_with_the_secret_is_the_owners() {
    let bench = Bench::new();
    let validity = keys::Validity::starting(std::time::SystemTime::now(), crate::bench::DAY);
    bench.write("other.pem", &make_pair(validity).1);
    bench.write("in.yaml", &sealed(&bench));
    let arguments = [
        "--recovery-unseal",
        "--recovery-private-key",
        "other.pem,private.pem",
        "-f",
        "in.yaml",
        "-w",
        "out.yaml",
        "--kubeconfig",
        "/nowhere",
    ];
    assert_eq!(bench.run(&arguments, "").text(), "");
    assert!(
        bench
            .read("out.yaml")
            .starts_with("---\napiVersion: v1\ndata:\n  a: MQ==\n")
    );
    assert_eq!(mode(&bench.path("out.yaml")), 0o600);
}

#[test]
fn upstream_without_the_right_key_the_items_are_named() {
    let bench = Bench::new();
    let sealed = sealed(&bench);
    let message = bench
        .run(&["--recovery-unseal", "--kubeconfig", "/bogus"], &sealed)
        .error();
    assert_eq!(message, "no key could decrypt secret (a, b)");
    let mut renamed: serde_json::Value = serde_json::from_str(&sealed).unwrap();
    renamed["metadata"]["name"] = "other".into();
    renamed["spec"]["encryptedData"]["c"] = "not base64!".into();
    let arguments = ["--recovery-unseal", "--recovery-private-key", "private.pem"];
    assert_eq!(
        bench.run(&arguments, &renamed.to_string()).error(),
        "illegal base64 data at input byte 3 (c)\nno key could decrypt secret (a, b)"
    );
}

#[test]
fn templates_are_rendered_as_in_the_cluster() {
    let bench = Bench::new();
    let with = |templates: serde_json::Value| {
        let mut sealed: serde_json::Value = serde_json::from_str(&sealed(&bench)).unwrap();
        sealed["spec"]["template"]["data"] = templates;
        let arguments = ["--recovery-unseal", "--recovery-private-key", "private.pem"];
        bench.run(&arguments, &sealed.to_string())
    };
    // An item wins over a template of its name, `null` leaves an item out, and templates see each other.
    let templates = json!({
        "a": "not this", "b": null, "both": "{{ .a }}-{{ .b | quote }}", "text": "{{ index . \"both\" }}",
    });
    let opened = with(templates).json();
    let encoded = |text: &str| keys::encode_base64(text.as_bytes());
    let expected = json!({
        "a": "MQ==", "both": encoded("1-\"2\""), "text": encoded("{{ .a }}-{{ .b | quote }}"),
    });
    assert_eq!(opened["data"], expected);
    let error = with(json!({"both": "{{ .a | nothing }}"})).error();
    assert_eq!(
        error,
        "db: template \"both\": line 1: function \"nothing\" not defined"
    );
}

#[test]
fn what_is_no_key_is_told() {
    let bench = Bench::new();
    let sealed = sealed(&bench);
    bench.write("empty", "");
    bench.write("certificates", &pair().0);
    bench.write("secret", &secret("x", "y", &[("tls.crt", "z")]).to_string());
    for (file, message) in [
        (
            "empty",
            "empty: data does not contain a valid RSA or ECDSA private key",
        ),
        (
            "certificates",
            "certificates: data does not contain a valid RSA or ECDSA private key",
        ),
        ("secret", "secret: secret must contain a 'tls.key' key"),
        ("missing", "open missing: no such file or directory"),
    ] {
        let arguments = ["--recovery-unseal", "--recovery-private-key", file];
        assert_eq!(bench.run(&arguments, &sealed).error(), message);
    }
    let old = "kind: SealedSecret\nspec: {data: eA==}\n";
    assert_eq!(
        bench.run(&["--recovery-unseal"], old).error(),
        "using deprecated 'data' field, use 'encryptedData' or flip the feature flag"
    );
}
