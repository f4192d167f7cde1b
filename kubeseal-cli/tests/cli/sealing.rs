//! Sealing whole Secrets.

use std::time::SystemTime;

use keys::{Scope, Validity};
use serde_json::{Value, json};

use crate::bench::{Bench, DAY, fingerprint, make_pair, mode, open, open_all, secret, yaml};

const CLUSTER_WIDE: &str = "sealedsecrets.bitnami.com/cluster-wide";
const NAMESPACE_WIDE: &str = "sealedsecrets.bitnami.com/namespace-wide";

#[test]
fn a_secret_is_sealed_with_its_name_namespace_and_metadata() {
    let bench = Bench::new();
    let mut input = secret("db", "shop", &[("password", "hunter2")]);
    input["metadata"]["labels"] = json!({"app": "db"});
    input["metadata"]["annotations"] = json!({
        "kubectl.kubernetes.io/last-applied-configuration": "{\"hunter2\": 1}", "note": "x",
    });
    input["metadata"]["uid"] = "1".into();
    input["metadata"]["ownerReferences"] = json!([{"name": "x"}]);
    input["type"] = "Opaque".into();
    input["immutable"] = true.into();
    let printed = bench.seal(&["--no-record"], &input.to_string()).text();
    assert!(!printed.contains("hunter2"));

    let sealed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        open_all(&sealed),
        [("password".to_owned(), "hunter2".to_owned())]
    );
    assert_eq!(
        sealed["metadata"],
        json!({"name": "db", "namespace": "shop"})
    );
    let template = json!({
        "metadata": {
            "name": "db", "namespace": "shop", "labels": {"app": "db"}, "annotations": {"note": "x"},
        },
        "type": "Opaque",
        "immutable": true,
    });
    assert_eq!(sealed["spec"]["template"], template);
    assert!(printed.starts_with("{\n  \"kind\": \"SealedSecret\",\n  \"apiVersion\": "));
    assert!(printed.ends_with("}\n"));
}

#[test]
fn the_record_names_key_label_and_ciphertext_of_every_item() {
    let bench = Bench::new();
    let input = secret("db", "shop", &[("a", "1"), ("b", "2")]).to_string();
    let sealed = bench.seal(&[], &input).json();
    let record = sealed["metadata"]["annotations"]["signet.dev/sealed-with"]
        .as_str()
        .unwrap();
    let record = document::Record::parse(record);
    for name in ["a", "b"] {
        let item = sealed["spec"]["encryptedData"][name].as_str().unwrap();
        let item = keys::decode_base64(item).unwrap();
        let recorded = record.find(name, &item).unwrap();
        assert_eq!(recorded.key, fingerprint());
        let label = document::Identity::of(&sealed).label();
        assert_eq!(recorded.label, document::label_digest(&label));
    }
}

#[test]
fn the_namespace_is_that_of_the_secret_the_flag_or_the_context() {
    let bench = Bench::new();
    let without = secret("db", "", &[("a", "1")]).to_string();
    let with = secret("db", "shop", &[("a", "1")]).to_string();
    let namespace = |value: Value| value["metadata"]["namespace"].clone();
    let context = "{contexts: [{name: c, context: {cluster: k, namespace: ctx}}], current-context: c, \
                   clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}]}";
    let kubeconfig = bench.write("kubeconfig", context);
    assert_eq!(
        namespace(bench.seal(&["--kubeconfig", &kubeconfig], &without).json()),
        "ctx"
    );
    assert_eq!(
        namespace(bench.seal(&["--kubeconfig", &kubeconfig], &with).json()),
        "shop"
    );
    assert_eq!(
        namespace(bench.seal(&["-n", "flag"], &without).json()),
        "flag"
    );
    assert_eq!(namespace(bench.seal(&["-n", "shop"], &with).json()), "shop");
    assert_eq!(
        bench.seal(&["-n", "flag"], &with).error(),
        "namespace mismatch: input secret is in namespace \"shop\" but \"flag\" was specified"
    );
    assert_eq!(
        bench.seal(&[], &without).error(),
        "secret must declare a namespace"
    );
    let variables = [
        ("SEALED_SECRETS_NAMESPACE", "env"),
        ("SEALED_SECRETS_CERT", "certificate.pem"),
    ];
    let sealed = bench.run_with(&variables, &[], without.as_bytes()).json();
    assert_eq!(namespace(sealed), "env");
}

#[test]
fn upstream_the_scope_comes_from_flag_or_annotation() {
    // TestSeal: scope, namespace and annotations of seven inputs.
    let bench = Bench::new();
    let cases: [(&str, Option<&str>, &str, &str, Value); 5] = [
        (
            "",
            Some(NAMESPACE_WIDE),
            "strict",
            "default",
            json!({NAMESPACE_WIDE: "true"}),
        ),
        (
            "",
            Some(CLUSTER_WIDE),
            "strict",
            "",
            json!({CLUSTER_WIDE: "true"}),
        ),
        (
            "myns",
            Some(CLUSTER_WIDE),
            "strict",
            "myns",
            json!({CLUSTER_WIDE: "true"}),
        ),
        (
            "",
            None,
            "namespace-wide",
            "default",
            json!({NAMESPACE_WIDE: "true"}),
        ),
        ("", None, "cluster-wide", "", json!({CLUSTER_WIDE: "true"})),
    ];
    for (namespace, annotation, scope, sealed_namespace, annotations) in cases {
        let mut input = secret("mysecret", namespace, &[("foo", "sekret")]);
        if let Some(annotation) = annotation {
            input["metadata"]["annotations"] = json!({annotation: "true"});
        }
        let mut arguments = vec!["--no-record", "--scope", scope];
        if sealed_namespace == "default" {
            arguments.extend(["-n", "default"]);
        }
        let sealed = bench.seal(&arguments, &input.to_string()).json();
        let found = sealed["metadata"]["namespace"].as_str().unwrap_or_default();
        assert_eq!(found, sealed_namespace);
        assert_eq!(sealed["metadata"]["annotations"], annotations);
        assert_eq!(open_all(&sealed)[0].1, "sekret");
    }
}

#[test]
fn a_name_from_the_command_line_wins() {
    let bench = Bench::new();
    let input = secret("db", "shop", &[("a", "1")]).to_string();
    let sealed = bench.seal(&["--name", "other"], &input).json();
    assert_eq!(sealed["metadata"]["name"], "other");
    assert_eq!(open_all(&sealed)[0].1, "1");
    let nameless = json!({"kind": "Secret", "stringData": {"a": "1"}}).to_string();
    assert_eq!(
        bench.seal(&[], &nameless).error(),
        "missing metadata.name in input Secret"
    );
}

#[test]
fn upstream_several_secrets_are_sealed_in_both_formats() {
    // TestSealWithMultiDocSecrets.
    let bench = Bench::new();
    let (one, two) = (
        secret("one", "a", &[("x", "1")]),
        secret("two", "b", &[("y", "2")]),
    );
    for input in [
        format!("{one}\n{two}\n"),
        format!("---\n{one}\n---\n{two}\n---\n"),
    ] {
        let printed = bench.seal(&["-o", "YAML"], &input).text();
        assert!(printed.starts_with("---\n") && !printed.trim_end().ends_with("---"));
        let names: Vec<_> = crds::yaml::documents(&printed)
            .unwrap()
            .iter()
            .map(|document| document.value["metadata"]["name"].clone())
            .collect();
        assert_eq!(names, ["one", "two"]);
        let printed = bench.seal(&[], &input).text();
        assert_eq!(
            serde_json::Deserializer::from_str(&printed)
                .into_iter::<Value>()
                .count(),
            2
        );
    }
}

#[test]
fn what_is_no_secret_passes_byte_for_byte() {
    let bench = Bench::new();
    let other = "# a map\nkind: ConfigMap\ndata:   {a: 'b'} # odd\n";
    let sealed = "kind: SealedSecret\nspec: {encryptedData: {a:   eA==}}\n";
    let input = format!(
        "---\n{other}---\n{}\n---\n{sealed}",
        secret("db", "shop", &[("a", "1")])
    );
    let outcome = bench.seal(&["-o", "yaml"], &input);
    assert_eq!(outcome.code, 0);
    assert!(
        outcome.stderr.contains("document 3 is sealed already"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stdout.starts_with(&format!("---\n{other}---\n")),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.ends_with(&format!("---\n{sealed}")),
        "{}",
        outcome.stdout
    );
    let message = bench.seal(&[], other).error();
    assert_eq!(
        message,
        "no secrets found. Ensure the input is valid and UTF-8 encoded (found: ConfigMap)"
    );
}

#[test]
fn input_that_is_no_secret_is_an_error_and_prints_nothing() {
    let bench = Bench::new();
    let empty = secret("db", "shop", &[]).to_string();
    let good = secret("db", "shop", &[("a", "1")]).to_string();
    let cases = [
        (
            String::new(),
            "no secrets found. Ensure the input is valid and UTF-8 encoded",
        ),
        (
            empty.clone(),
            "secret.data is empty in input Secret, assuming this is an error",
        ),
        (
            format!("{good}\n---\n{empty}"),
            "secret.data is empty in input Secret",
        ),
        (format!("{good}\n{{\"kind\": "), "document 2, line 2"),
        ("kind: Secret\nhunter2: [".to_owned(), "document 1, line 2"),
        (
            "kind: Secret\ndata: {a: hunter2!}".to_owned(),
            "illegal base64 data at input byte 7",
        ),
        (
            "kind: Secret\nstringData: {a: 5}".to_owned(),
            "json: cannot unmarshal number into Go struct field Secret.stringData",
        ),
    ];
    for (input, expected) in cases {
        let message = bench.seal(&["-n", "shop"], &input).error();
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let sealed = bench.seal(&["--allow-empty-data"], &empty).json();
    assert_eq!(sealed["spec"]["encryptedData"], json!({}));
    assert_eq!(bench.files(), ["certificate.pem", "private.pem"]);
}

#[test]
fn utf_16_and_a_byte_order_mark_are_read() {
    let bench = Bench::new();
    let text = secret("db", "shop", &[("a", "ä")]).to_string();
    let little: Vec<u8> = std::iter::once(0xfeff)
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for input in [little, marked] {
        let arguments = ["--cert", "certificate.pem"];
        let sealed = bench.run_with(&[], &arguments, &input).json();
        assert_eq!(open_all(&sealed)[0].1, "ä");
    }
}

#[test]
fn upstream_the_output_file_decides_the_format_and_is_written_whole() {
    // TestWriteToFile and TestFailToWriteToFile.
    let bench = Bench::new();
    let input = bench.write(
        "in.json",
        &secret("foo", "bar", &[("super", "secret")]).to_string(),
    );
    let printed = bench
        .seal(&["-f", &input, "-w", "out.yaml", "-o", "json"], "")
        .text();
    assert_eq!(printed, "");
    assert_eq!(open_all(&yaml(&bench.read("out.yaml")))[0].1, "secret");

    bench.write("old", "previous content");
    let bad = bench.write(
        "bad.yaml",
        "apiVersion: v1\nkind: BadInput\nmetadata: {name: foo}\n",
    );
    bench.seal(&["-f", &bad, "-w", "old"], "").error();
    assert_eq!(bench.read("old"), "previous content");
    assert_eq!(bench.files().len(), 6, "no temporary file stays behind");
}

#[test]
fn an_existing_output_file_keeps_its_mode_and_its_links() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let bench = Bench::new();
    let input = secret("db", "shop", &[("a", "1")]).to_string();
    bench.write("real.yaml", "old");
    let executable = std::fs::Permissions::from_mode(0o754);
    std::fs::set_permissions(bench.path("real.yaml"), executable).unwrap();
    symlink("real.yaml", bench.path("link.yaml")).unwrap();
    bench.seal(&["-w", "link.yaml"], &input).text();
    assert_eq!(mode(&bench.path("real.yaml")), 0o754);
    assert!(bench.read("real.yaml").contains("SealedSecret"));
    assert!(
        std::fs::symlink_metadata(bench.path("link.yaml"))
            .unwrap()
            .is_symlink()
    );
    bench.seal(&["-w", "new.yaml"], &input).text();
    assert_eq!(
        mode(&bench.path("new.yaml")) & 0o444,
        0o444,
        "a sealed file may be read"
    );
}

#[test]
fn a_file_may_be_named_without_a_flag_and_a_directory_is_refused() {
    let bench = Bench::new();
    let input = bench.write("in.json", &secret("db", "shop", &[("a", "1")]).to_string());
    assert_eq!(open_all(&bench.seal(&[&input], "").json())[0].1, "1");
    let directory = bench.path("").to_str().unwrap().to_owned();
    let message = bench.seal(&["-f", &directory], "").error();
    assert!(message.ends_with("is a directory"), "{message}");
    let message = bench.seal(&["-f", "/?this/file/is/not"], "").error();
    assert!(message.ends_with("no such file or directory"), "{message}");
}

#[test]
fn an_expired_or_broken_certificate_is_refused() {
    let bench = Bench::new();
    let input = secret("db", "shop", &[("a", "1")]).to_string();
    // 2001-09-09
    let start = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let expired = bench.write("expired.pem", &make_pair(Validity::starting(start, DAY)).0);
    assert_eq!(
        bench.run(&["--cert", &expired], &input).error(),
        "failed to encrypt using an expired certificate on September 10, 2001"
    );
    let none = bench.write("none.pem", "no certificate");
    assert_eq!(
        bench.run(&["--cert", &none], &input).error(),
        "data does not contain any valid RSA or ECDSA certificates"
    );
    let missing = bench.run(&["--cert", "/?this/file/is/not"], &input).error();
    assert!(
        missing.starts_with("open /?this/file/is/not: no such file"),
        "{missing}"
    );
}

#[test]
fn the_version_and_wrong_flags_are_answered_as_before() {
    let bench = Bench::new();
    let version = bench.run(&["--version"], "").text();
    let number = version
        .strip_prefix("kubeseal version: v")
        .unwrap()
        .trim_end();
    assert!(
        number.split('.').all(|part| part.parse::<u32>().is_ok()),
        "{version}"
    );
    let wrong = bench.run(&["--bogus"], "");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.starts_with("error: unknown flag: --bogus"));
    assert_eq!(
        bench.seal(&["--from-file", "x"], "").error(),
        "--from-file requires --raw"
    );
    let format = bench.seal(&["-o", "xml"], &secret("a", "b", &[("c", "d")]).to_string());
    assert_eq!(format.error(), "unsupported output format: xml");
    for help in ["--help", "-h"] {
        assert!(bench.run(&[help], "").text().contains("--merge-into"));
    }
}

#[test]
fn a_sealed_item_opens_in_its_place_only() {
    let bench = Bench::new();
    let sealed = bench
        .seal(&[], &secret("db", "shop", &[("a", "1")]).to_string())
        .json();
    let item = sealed["spec"]["encryptedData"]["a"].as_str().unwrap();
    assert_eq!(
        open(item, Scope::Strict, "shop", "db").as_deref(),
        Some("1")
    );
    assert_eq!(open(item, Scope::Strict, "shop", "other"), None);
    assert_eq!(open(item, Scope::NamespaceWide, "shop", "db"), None);
}
