//! Sealing into a file that exists.

use serde_json::json;

use crate::bench::{Bench, open_all, secret, yaml};

const TARGET: &str = "\
# The database of the shop.
kind: SealedSecret
apiVersion: bitnami.com/v1alpha1
metadata:
  name: db   # as the chart wants it
  namespace: shop
spec:
  encryptedData:
    # rotated in May
    user: \"AAA=\"

  template:
    metadata: {name: db, labels: {app: db}}
---
kind: ConfigMap
data: {a: b}
";

fn merge(bench: &Bench, target: &str, arguments: &[&str], input: &str) -> String {
    bench.write("target.yaml", target);
    assert_eq!(
        bench
            .seal(
                &[&["--merge-into", "target.yaml"], arguments].concat(),
                input
            )
            .text(),
        ""
    );
    bench.read("target.yaml")
}

#[test]
fn a_merge_changes_the_items_and_nothing_else() {
    let bench = Bench::new();
    let input = secret("elsewhere", "nowhere", &[("password", "hunter2")]).to_string();
    let merged = merge(&bench, TARGET, &["--no-record", "-o", "json"], &input);
    let lines: Vec<&str> = merged.lines().collect();
    let put = lines
        .iter()
        .position(|line| line.starts_with("    password: "))
        .unwrap();
    let mut kept = lines.clone();
    let item = kept
        .remove(put)
        .trim_start()
        .strip_prefix("password: ")
        .unwrap();
    assert_eq!(kept.join("\n") + "\n", TARGET);
    let opened = crate::bench::open(item, keys::Scope::Strict, "shop", "db");
    assert_eq!(opened.as_deref(), Some("hunter2"));
}

#[test]
fn upstream_items_labels_and_annotations_are_added_and_updated() {
    // TestMergeInto: added, updated, bad name.
    let bench = Bench::new();
    let old = |key: &str| {
        let mut input = secret("testname", "testns", &[(key, "old")]);
        input["metadata"]["annotations"] = json!({key: "old"});
        input["metadata"]["labels"] = json!({key: "old"});
        bench.seal(&[], &input.to_string()).text()
    };
    let mut new = secret("badname", "badns", &[("foo", "new")]);
    new["metadata"]["annotations"] = json!({"foo": "new"});
    new["metadata"]["labels"] = json!({"foo": "new"});
    for (before, count) in [("bar", 2), ("foo", 1)] {
        let merged = yaml(&merge(&bench, &old(before), &[], &new.to_string()));
        let opened = open_all(&merged);
        assert_eq!(opened.len(), count);
        assert!(opened.contains(&("foo".to_owned(), "new".to_owned())));
        for place in ["annotations", "labels"] {
            let map = merged["spec"]["template"]["metadata"][place]
                .as_object()
                .unwrap();
            assert_eq!(
                (map.len(), map["foo"].as_str()),
                (count, Some("new")),
                "{place}"
            );
        }
    }
}

#[test]
fn the_scope_is_that_of_the_target() {
    let bench = Bench::new();
    let input = secret("db", "shop", &[("a", "1")]).to_string();
    for scope in ["strict", "namespace-wide", "cluster-wide"] {
        let target = bench.seal(&["--scope", scope, "-o", "yaml"], &input).text();
        let more = secret("x", "", &[("b", "2")]).to_string();
        let merged = yaml(&merge(&bench, &target, &[], &more));
        let opened: Vec<_> = open_all(&merged)
            .into_iter()
            .map(|(_, value)| value)
            .collect();
        assert_eq!(opened, ["1", "2"], "{scope}");
    }
    bench.write("target.yaml", &bench.seal(&[], &input).text());
    let arguments = ["--merge-into", "target.yaml", "--scope", "cluster-wide"];
    assert_eq!(
        bench.seal(&arguments, &input).error(),
        "scope mismatch: the sealed secret db has scope strict but cluster-wide was specified"
    );
    let elsewhere = bench
        .seal(&["--merge-into", "target.yaml", "-n", "other"], &input)
        .error();
    assert!(elsewhere.starts_with("namespace mismatch"), "{elsewhere}");
}

#[test]
fn of_several_documents_the_one_with_the_inputs_name_is_meant() {
    let bench = Bench::new();
    let both = [
        secret("one", "s", &[("a", "1")]),
        secret("two", "s", &[("a", "2")]),
    ];
    let target = bench
        .seal(&["-o", "yaml"], &format!("{}\n{}", both[0], both[1]))
        .text();
    let merged = merge(
        &bench,
        &target,
        &[],
        &secret("two", "s", &[("b", "3")]).to_string(),
    );
    let documents = crds::yaml::documents(&merged).unwrap();
    assert_eq!(open_all(&documents[0].value).len(), 1);
    assert_eq!(open_all(&documents[1].value).len(), 2);
    let nobody = secret("three", "s", &[("b", "3")]).to_string();
    let message = bench
        .seal(&["--merge-into", "target.yaml"], &nobody)
        .error();
    assert_eq!(
        message,
        "target.yaml: there is no SealedSecret three in it, but one, two"
    );
    assert_eq!(bench.read("target.yaml"), merged);
}

#[test]
fn a_target_without_items_or_metadata_is_no_obstacle() {
    let bench = Bench::new();
    let mut input = secret("x", "y", &[("a", "1")]);
    input["metadata"]["labels"] = json!({"l": "v"});
    let head = "kind: SealedSecret\nmetadata: {name: db, namespace: shop}\n";
    for spec in [
        "spec: {}\n",
        "spec:\n  encryptedData:\n",
        "",
        "spec: {template: {}}",
    ] {
        let merged = yaml(&merge(
            &bench,
            &format!("{head}{spec}"),
            &[],
            &input.to_string(),
        ));
        assert_eq!(
            open_all(&merged),
            [("a".to_owned(), "1".to_owned())],
            "{spec}"
        );
        assert_eq!(merged["spec"]["template"]["metadata"]["labels"]["l"], "v");
    }
    bench.write("target.yaml", "kind: Secret\n");
    let message = bench
        .seal(&["--merge-into", "target.yaml"], &input.to_string())
        .error();
    assert_eq!(message, "target.yaml: there is no SealedSecret in it");
    let message = bench
        .seal(&["--merge-into", "missing"], &input.to_string())
        .error();
    assert_eq!(message, "open missing: no such file or directory");
}
