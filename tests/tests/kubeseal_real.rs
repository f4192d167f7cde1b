//! Our kubeseal beside the real one, print for print and flag for flag.

use serde_json::{Value, json};
use tests::{
    Failure, Invocation, Scratch,
    cache::{self, SEALED_SECRETS},
};

/// Inputs in which much is odd; what they print is compared.
fn odd_secrets() -> Vec<Value> {
    let annotations = json!({
        "a": "yes", "b": "0644", "c": "multi\nline\n", "d": " padded ", "e": "<&>", "f": "1e3",
        "g": "long words ".repeat(20), "h": "2001-01-01", "i": "{\"json\": true}", "j": "'quoted'",
        "k": "null", "l": "", "m": "# no comment", "n": "12:30:45", "a10": "x", "a9": "y",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    });
    let metadata = json!({
        "name": "odd", "namespace": "shop", "generateName": "g-", "labels": {"z": "1", "b": "2"},
        "annotations": annotations, "finalizers": ["a/b"], "uid": "u", "resourceVersion": "7",
        "creationTimestamp": "2020-01-01T00:00:00Z", "generation": 3,
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
        "managedFields": [{"apiVersion": "v1", "manager": "m", "operation": "Update"}],
    });
    vec![
        json!({"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "type": "Opaque",
               "immutable": true, "data": {"b": "eA==", "a10": "", "a9": null},
               "stringData": {"c": "d"}}),
        json!({"metadata": {"name": "bare", "namespace": "n"}, "stringData": {"a": "b"}}),
        json!({"metadata": {"name": "wide", "annotations": {
                 "sealedsecrets.bitnami.com/cluster-wide": "true"}}, "data": {"a": "eA=="}}),
        json!({"metadata": {"name": "none", "namespace": "n"}, "data": {}}),
        json!({"metadata": {"namespace": "n"}, "data": {"a": "eA=="}}),
        json!({"metadata": {"name": "homeless"}, "data": {"a": "eA=="}}),
        json!({"metadata": {"name": "wrong", "namespace": "n"}, "data": {"a": "e"}}),
    ]
}

#[tokio::test]
async fn both_kubeseals_print_the_same() -> Result<(), Failure> {
    let scratch = Scratch::new("both")?;
    let vectors: Value = serde_json::from_str(include_str!("../vectors/sealing.json"))?;
    let certificate = scratch.path().join("certificate.pem");
    std::fs::write(
        &certificate,
        vectors["keys"][0]["certificate"]
            .as_str()
            .unwrap_or_default(),
    )?;
    let programs = [
        SEALED_SECRETS.program("kubeseal")?,
        cache::own_program("kubeseal")?,
    ];
    let flags: [&[&str]; 4] = [
        &[],
        &["--scope", "namespace-wide", "-n", "shop"],
        &["--name", "other", "--allow-empty-data"],
        &["--scope", "cluster-wide"],
    ];
    for secret in odd_secrets() {
        for flags in flags {
            for format in ["json", "yaml"] {
                let mut printed = Vec::new();
                for program in &programs {
                    let mut run = Invocation::new(program)
                        .env("HOME", scratch.path())
                        .args(["--format", format, "--cert"])
                        .args([&certificate])
                        .args(flags)
                        .input(secret.to_string());
                    if *program == programs[1] {
                        run = run.args(["--no-record"]);
                    }
                    let outcome = run.outcome().await?;
                    printed.push((
                        outcome.status.code(),
                        without_ciphertext(&String::from_utf8(outcome.stdout)?),
                        first_words(&outcome.stderr),
                    ));
                }
                assert_eq!(
                    printed.first(),
                    printed.last(),
                    "{secret} {} {format}",
                    flags.join(" ")
                );
            }
        }
    }
    Ok(())
}

/// A 2048 bit item begins with `AQ` and has at least 366 characters.
fn without_ciphertext(text: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    text.split_inclusive(|c| !is_base64(c))
        .map(|word| {
            let sealed = word.starts_with("AQ") && word.len() > 360;
            if sealed {
                word.trim_start_matches(is_base64)
            } else {
                word
            }
        })
        .collect()
}

/// Our errors begin with the original's words and may go on.
fn first_words(stderr: &str) -> String {
    stderr
        .trim_end()
        .split(" (")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn every_flag_of_the_real_kubeseal_has_a_row() -> Result<(), Failure> {
    let help = Invocation::new(SEALED_SECRETS.program("kubeseal")?)
        .args(["--help"])
        .stdout()
        .await?;
    let rows = include_str!("../../docs/compatibility/kubeseal.json");
    let rows: Vec<Value> = serde_json::from_str(rows)?;
    let mut count = 0;
    for line in help.lines() {
        let Some((head, rest)) = line.split_once("--") else {
            continue;
        };
        let is_flag = head.trim_start().is_empty() || head.trim_start().starts_with('-');
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .collect();
        if !is_flag || name.is_empty() {
            continue;
        }
        count += 1;
        let row = rows.iter().find(|row| row["flag"] == name.as_str());
        let row = row.ok_or_else(|| Failure::new(format!("--{name} has no row")))?;
        assert_ne!(row["verdict"], "ours", "--{name}");
        let short = head
            .trim()
            .trim_start_matches('-')
            .trim_end_matches(", ")
            .trim_end_matches(',');
        assert_eq!(row["short"].as_str().unwrap_or_default(), short, "--{name}");
    }
    assert!(count > 50, "only {count} flags in the help text");
    Ok(())
}
