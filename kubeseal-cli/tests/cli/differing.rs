//! `diff` between Git revisions.

use std::process::Command;

use crate::bench::{Bench, fingerprint, secret};

pub(crate) fn git(bench: &Bench, arguments: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "the repository under test")]
    let status = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(bench.path(""))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .status()
        .unwrap();
    assert!(status.success());
}

/// A repository with a file of two items.
fn repository() -> Bench {
    let bench = Bench::new();
    git(&bench, &["init", "--quiet", "--initial-branch=main"]);
    let input = secret("db", "shop", &[("a", "1"), ("b", "2"), ("c", "3")]).to_string();
    bench.write(
        "clusters/db.yaml",
        &bench.seal(&["-o", "yaml"], &input).text(),
    );
    bench.write("clusters/other.yaml", "kind: ConfigMap\n");
    git(&bench, &["add", "."]);
    git(&bench, &["commit", "--quiet", "--message", "one"]);
    bench
}

#[test]
fn every_kind_of_change_is_told_item_by_item() {
    let bench = repository();
    assert_eq!(bench.run(&["diff"], "").text(), "");
    bench.seal(&["set", "clusters/db.yaml", "a"], "new").text();
    bench
        .run(&["rename", "clusters/db.yaml", "b", "z"], "")
        .text();
    bench.run(&["rm", "clusters/db.yaml", "c"], "").text();
    bench
        .seal(&["set", "clusters/db.yaml", "d", "--no-record"], "4")
        .text();
    let widened = bench.read("clusters/db.yaml").replace(
        "  annotations:\n",
        "  annotations:\n    sealedsecrets.bitnami.com/namespace-wide: \"true\"\n",
    );
    bench.write("clusters/db.yaml", &widened);
    let fresh = secret("fresh", "shop", &[("x", "1")]).to_string();
    bench.write(
        "clusters/fresh.yaml",
        &bench.seal(&["-o", "yaml"], &fresh).text(),
    );
    let key = fingerprint();
    let expected = format!(
        "clusters/db.yaml: shop/db\n  ! scope: strict -> namespace-wide\n  ~ a: sealed anew, with the \
         same key\n  - c: removed\n  + d: added\n  ~ b: renamed to z, the same bytes\n\
         clusters/fresh.yaml: shop/fresh\n  + SealedSecret: added, strict\n  + x: added, sealed \
         with {key}\n"
    );
    assert_eq!(bench.run(&["diff"], "").text(), expected);
    git(&bench, &["add", "."]);
    git(&bench, &["commit", "--quiet", "--message", "two"]);
    assert_eq!(bench.run(&["diff", "HEAD~1"], "").text(), expected);
    assert_eq!(bench.run(&["diff", "HEAD~1..HEAD"], "").text(), expected);
    let limited = bench
        .run(&["diff", "HEAD~1", "--", "clusters/fresh.yaml"], "")
        .text();
    assert!(limited.starts_with("clusters/fresh.yaml"), "{limited}");
    git(&bench, &["rm", "--quiet", "clusters/fresh.yaml"]);
    assert!(
        bench
            .run(&["diff"], "")
            .text()
            .contains("- SealedSecret: removed")
    );
}

#[test]
fn markdown_is_a_table_in_which_names_are_not_markup() {
    let bench = repository();
    assert_eq!(
        bench.run(&["diff", "-o", "markdown"], "").text(),
        "No sealed value changed.\n"
    );
    bench
        .seal(&["set", "clusters/db.yaml", "a_b"], "new")
        .text();
    let table = bench.run(&["diff", "--format", "markdown"], "").text();
    assert!(table.starts_with("| file | SealedSecret | item | change |\n|---|---|---|---|\n"));
    assert!(table.contains("| clusters/db.yaml | shop/db | a\\_b | added, sealed with SHA256:"));
}

#[test]
fn a_revision_that_is_none_is_refused() {
    let bench = repository();
    assert_eq!(
        bench.run(&["diff", "nowhere"], "").error(),
        "there is no revision nowhere"
    );
    let option = bench.run(&["diff", "--", "--output=x"], "");
    assert_eq!((option.code, bench.path("x").exists()), (0, false));
    let outside = bench.run(&["diff", "HEAD", "--", "/etc"], "").error();
    assert!(outside.contains("outside of the repository"), "{outside}");
    let nowhere = Bench::new();
    assert!(
        nowhere
            .run(&["diff"], "")
            .error()
            .starts_with("git rev-parse: ")
    );
}
