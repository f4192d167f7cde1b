//! `check`, over a whole tree.

use document::{KeyState, PublishedKey, PublishedKeys, certificate_file};
use serde_json::Value;

use crate::bench::{Bench, Outcome, fingerprint, pair, secret};

fn sealed(bench: &Bench, path: &str, name: &str, namespace: &str, arguments: &[&str]) {
    let input = secret(name, namespace, &[("a", "1")]).to_string();
    let text = bench
        .seal(&[&["-o", "yaml"], arguments].concat(), &input)
        .text();
    bench.write(path, &text);
}

fn publish(bench: &Bench, state: KeyState) {
    let key = PublishedKey {
        fingerprint: fingerprint(),
        state,
        not_before: "2026-01-01T00:00:00Z".to_owned(),
        not_after: "2036-01-01T00:00:00Z".to_owned(),
        items: None,
    };
    bench.write(
        ".signet/config.yaml",
        "profiles:\n- name: prod\n  paths: [\"prod/**\"]\n",
    );
    bench.write(
        ".signet/prod/keys.json",
        &PublishedKeys { keys: vec![key] }.to_json(),
    );
    let file = certificate_file(&fingerprint().parse().unwrap());
    bench.write(&format!(".signet/prod/{file}"), &pair().0);
}

/// The rules, with path and line, of a run with findings.
fn findings(outcome: Outcome) -> Vec<String> {
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{}:{} {}", text(&f["path"]), f["line"], text(&f["rule"])))
        .collect()
}

#[test]
fn a_clean_tree_passes_and_what_is_not_known_is_said() {
    let bench = Bench::new();
    sealed(&bench, "prod/one.yaml", "one", "shop", &[]);
    sealed(
        &bench,
        "prod/two.json",
        "two",
        "shop",
        &["--no-record", "-o", "json"],
    );
    publish(&bench, KeyState::Current);
    bench.write(
        "chart/templates/x.yaml",
        "kind: Secret\ndata:\n{{- range .Values }}\n",
    );
    bench.write(
        ".hidden/plain.yaml",
        &secret("x", "y", &[("a", "b")]).to_string(),
    );
    let outcome = bench.run(&["check"], "");
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert_eq!(
        outcome.stdout,
        "2 SealedSecrets with 2 items checked, 0 findings\n1 items have no record: of them only \
         structure and size could be checked, not what they are sealed for\n"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let bench = Bench::new();
    sealed(&bench, "prod/moved.yaml", "db", "shop", &[]);
    let moved = bench
        .read("prod/moved.yaml")
        .replace("namespace: shop", "namespace: other");
    bench.write("prod/moved.yaml", &moved);
    bench.write(
        "prod/plain.yaml",
        "a: 1\n---\nkind: Secret\nmetadata: {name: x}\nstringData: {a: b}\n",
    );
    bench.write(
        "prod/sops.yaml",
        "kind: Secret\nmetadata: {name: x}\ndata: {a: ENC}\nsops: {}\n",
    );
    let broken = "kind: SealedSecret\nmetadata: {name: b, namespace: s}\nspec:\n  encryptedData:\n    first: 'no base64!'\n    second: eA==\n";
    bench.write("prod/broken.yaml", broken);
    bench.write("prod/unreadable.yaml", "kind: SealedSecret\nspec: [\n");
    let outcome = bench.run(&["check", "prod", "-o", "json"], "");
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (3, "error: 5 errors were found\n")
    );
    let found = findings(outcome);
    let line = moved
        .lines()
        .position(|line| line.starts_with("    a: "))
        .unwrap()
        + 1;
    let mut expected = vec![
        "prod/broken.yaml:5 not-base64".to_owned(),
        "prod/broken.yaml:6 truncated".to_owned(),
        format!("prod/moved.yaml:{line} other-place"),
        "prod/plain.yaml:3 plain-secret".to_owned(),
    ];
    let unreadable = found
        .iter()
        .find(|found| found.starts_with("prod/unreadable"))
        .unwrap();
    expected.push(unreadable.clone());
    assert_eq!(found, expected);
    let text = bench.run(&["check", "prod"], "").stdout;
    assert!(
        text.contains("prod/plain.yaml:3: error: Secret x has values in clear"),
        "{text}"
    );
}

#[test]
fn keys_are_judged_by_the_published_list_or_the_certificate() {
    let bench = Bench::new();
    sealed(&bench, "prod/one.yaml", "one", "shop", &[]);
    for (state, code, rule) in [
        (KeyState::Active, 0, None),
        (KeyState::Retired, 3, Some("retired-key")),
        (KeyState::Compromised, 3, Some("compromised-key")),
    ] {
        publish(&bench, state);
        let outcome = bench.run(&["check", "prod", "-o", "json"], "");
        assert_eq!(outcome.code, code);
        let rules: Vec<_> = findings(outcome)
            .iter()
            .map(|found| found.rsplit(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(rules, rule.into_iter().collect::<Vec<_>>());
    }
    let validity = keys::Validity::starting(std::time::SystemTime::now(), crate::bench::DAY);
    bench.write("other.pem", &crate::bench::make_pair(validity).0);
    let outcome = bench.run(&["check", "prod", "--cert", "other.pem"], "");
    assert_eq!(
        outcome.code, 0,
        "another key may be an older one, so it is a warning"
    );
    assert!(outcome.stdout.contains("[other-key]"), "{}", outcome.stdout);
}

#[test]
fn a_kustomization_that_breaks_a_seal_is_found() {
    let bench = Bench::new();
    sealed(&bench, "base/strict.yaml", "strict", "shop", &[]);
    sealed(
        &bench,
        "base/wide.yaml",
        "wide",
        "shop",
        &["--scope", "cluster-wide"],
    );
    sealed(
        &bench,
        "base/named.yaml",
        "named",
        "shop",
        &["--scope", "namespace-wide"],
    );
    let resources = "resources: [strict.yaml, wide.yaml, named.yaml]\n";
    bench.write("base/kustomization.yaml", resources);
    bench.write(
        "same/kustomization.yaml",
        "namespace: shop\nresources: [../base]\n",
    );
    assert_eq!(bench.run(&["check", "."], "").code, 0);
    let overlay =
        "kind: Kustomization\nnamespace: prod\nnamePrefix: p-\nresources: [../base, https://x]\n";
    bench.write("overlay/kustomization.yaml", overlay);
    let found = findings(bench.run(&["check", ".", "-o", "json"], ""));
    let expected = [
        "base/named.yaml:2 kustomize-namespace",
        "base/strict.yaml:2 kustomize-namespace",
        "base/strict.yaml:2 kustomize-name",
    ];
    assert_eq!(found, expected);
    // A loop is somebody else's error, and no hang.
    bench.write(
        "base/kustomization.yaml",
        "namespace: x\nresources: [../overlay, strict.yaml]\n",
    );
    assert_eq!(bench.run(&["check", "."], "").code, 3);
}

#[test]
fn the_same_secret_twice_in_a_directory_is_found() {
    let bench = Bench::new();
    sealed(&bench, "a/one.yaml", "db", "shop", &[]);
    sealed(&bench, "a/two.yaml", "db", "shop", &[]);
    sealed(&bench, "b/three.yaml", "db", "shop", &[]);
    assert_eq!(
        findings(bench.run(&["check", "-o", "json"], "")),
        ["a/two.yaml:2 duplicate"]
    );
}

#[test]
fn sarif_has_a_rule_and_a_place_for_each_result() {
    let bench = Bench::new();
    bench.write(
        "a b/plain.yaml",
        &secret("x", "y", &[("a", "b")]).to_string(),
    );
    let outcome = bench.run(&["check", "-o", "sarif"], "");
    assert_eq!(outcome.code, 3);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "plain-secret");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/plain.yaml");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["id"] == "plain-secret"));
}

#[test]
fn what_cannot_be_checked_has_its_own_exit_code() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["check", "missing"], "").code, 1);
    assert_eq!(bench.run(&["check", "--format", "xml"], "").code, 2);
    bench.write(".signet/config.yaml", "profiles: [{name: ../x}]\n");
    bench.write("a.yaml", "kind: SealedSecret\n");
    let message = bench.run(&["check"], "").error();
    assert!(
        message.contains("config.yaml: the name of a profile"),
        "{message}"
    );
}

#[test]
fn a_thousand_files_are_checked_in_one_run() {
    // How long it takes is for `make bench`.
    let bench = Bench::new();
    sealed(&bench, "tree/0.yaml", "db", "shop", &[]);
    let text = bench.read("tree/0.yaml");
    for number in 1..1000 {
        bench.write(&format!("tree/{number}/x.yaml"), &text);
    }
    let outcome = bench.run(&["check", "tree"], "");
    assert!(
        outcome.stdout.starts_with("1000 SealedSecrets"),
        "{}",
        outcome.stdout
    );
}
