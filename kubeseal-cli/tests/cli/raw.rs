//! Sealing one value.

use keys::Scope;

use crate::bench::{Bench, open};

#[test]
fn upstream_a_raw_value_opens_where_its_scope_lets_it() {
    // TestRaw: the value is for myns/mysecret; namespace and name as they are given to kubeseal.
    let bench = Bench::new();
    let file = bench.write("value", "supersecret");
    let cases = [
        (Scope::Strict, "myns", "mysecret", true),
        (Scope::Strict, "youGiveRest", "mysecret", false),
        (Scope::Strict, "myns", "aBadName", false),
        (Scope::NamespaceWide, "myns", "mysecret", true),
        (Scope::NamespaceWide, "youGiveRest", "", false),
        (Scope::NamespaceWide, "youGiveRest", "aBadName", false),
        (Scope::NamespaceWide, "myns", "", true),
        (Scope::NamespaceWide, "myns", "aBadName", true),
        (Scope::ClusterWide, "myns", "mysecret", true),
        (Scope::ClusterWide, "youGiveRest", "mysecret", true),
        (Scope::ClusterWide, "myns", "", true),
        (Scope::ClusterWide, "myns", "aBadName", true),
        (Scope::ClusterWide, "", "", true),
        (Scope::ClusterWide, "", "aBadName", true),
    ];
    for (scope, namespace, name, opens) in cases {
        let arguments = [
            "--raw",
            "--scope",
            scope.as_str(),
            "-n",
            namespace,
            "--name",
            name,
            "--from-file",
            &file,
        ];
        let item = bench.seal(&arguments, "").text();
        assert!(!item.ends_with('\n'));
        let opened = open(&item, scope, "myns", "mysecret");
        assert_eq!(
            opened.as_deref(),
            opens.then_some("supersecret"),
            "{scope} {namespace}/{name}"
        );
    }
}

#[test]
fn upstream_what_is_missing_is_named() {
    // TestRawSealErrors.
    let bench = Bench::new();
    let raw = |arguments: &[&str]| bench.seal(&[&["--raw"], arguments].concat(), "x").error();
    assert_eq!(
        raw(&[]),
        "must provide the --namespace flag with --raw and --scope strict"
    );
    assert_eq!(
        raw(&["-n", "myns"]),
        "must provide the --name flag with --raw and --scope strict"
    );
    assert_eq!(
        raw(&["--scope", "namespace-wide", "--name", "x"]),
        "must provide the --namespace flag with --raw and --scope namespace-wide"
    );
    assert_eq!(
        raw(&["-n", "a", "--name", "b", "--from-file", "c,d"]),
        "must provide only one --from-file when encrypting a single item with --raw"
    );
}

#[test]
fn the_value_is_taken_as_it_is_from_wherever_it_comes() {
    let bench = Bench::new();
    let arguments = ["--raw", "-n", "shop", "--name", "db"];
    let opened = |item: &str| open(item, Scope::Strict, "shop", "db").unwrap();
    assert_eq!(opened(&bench.seal(&arguments, "line\n").text()), "line\n");
    assert_eq!(opened(&bench.seal(&arguments, "").text()), "");
    let file = bench.write("value", "from a file\n");
    let named = format!("key={file}");
    for more in [["--from-file", &named], ["-f", &file]] {
        let item = bench
            .seal(&[&arguments[..], &more].concat(), "not this")
            .text();
        assert_eq!(opened(&item), "from a file\n");
    }
    let missing = [&arguments[..], &["--from-file", "nowhere"]].concat();
    assert_eq!(
        bench.seal(&missing, "").error(),
        "open nowhere: no such file or directory"
    );
    let written = [&arguments[..], &["-w", "item"]].concat();
    assert_eq!(bench.seal(&written, "v").text(), "");
    assert_eq!(opened(&bench.read("item")), "v");
}
