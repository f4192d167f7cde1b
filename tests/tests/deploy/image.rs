//! What the image is made of, as far as that can be seen without building it.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::cache::repository;
use tests::{Failure, Invocation};

use crate::rendered::deploy;

/// The Dockerfile is not built here; this is what can be seen without.
#[test]
fn the_image_is_small_unprivileged_and_complete() -> Result<(), Failure> {
    let file = std::fs::read_to_string(deploy().join("Dockerfile"))?;
    let lines: Vec<(&str, &str)> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let of = |wanted: &str| -> Vec<&str> {
        let found = lines
            .iter()
            .filter(|(instruction, _)| *instruction == wanted);
        found.map(|(_, rest)| *rest).collect()
    };
    let bases = of("FROM");
    assert_eq!(bases.len(), 3);
    for base in &bases {
        let image = base.split(' ').next().unwrap_or_default();
        let (_, tag) = image.rsplit_once(':').unwrap_or_default();
        assert!(
            tag.contains('.') && tag != "latest",
            "{base} names no version"
        );
    }
    for instruction in ["RUN", "ENTRYPOINT", "CMD"] {
        for line in of(instruction) {
            let words: Vec<String> = serde_json::from_str(line)?;
            assert!(!words.is_empty(), "{instruction} {line}");
        }
    }
    assert_eq!(of("USER"), ["1001:1001"]);
    assert_eq!(of("ENTRYPOINT"), [r#"["controller"]"#]);
    let last = file.rsplit("FROM ").next().unwrap_or_default();
    for program in [
        "/controller ",
        "/kubeseal ",
        "/signet-kustomize ",
        "git",
        "openssh-client",
    ] {
        assert!(last.contains(program), "{program} is not in the image");
    }
    assert!(last.contains("/usr/local/bin/"));
    let ignored = std::fs::read_to_string(deploy().join("Dockerfile.dockerignore"))?;
    let kept: BTreeSet<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    for source in of("COPY").iter().filter(|line| !line.starts_with("--")) {
        let words: Vec<&str> = source.split(' ').collect();
        for word in words.iter().take(words.len() - 1) {
            let top = word.split('/').next().unwrap_or_default();
            assert!(kept.contains(top), "{word} is ignored");
            assert!(repository().join(word).exists(), "{word} is not there");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_list_of_what_is_in_the_image_is_complete() -> Result<(), Failure> {
    let text = Invocation::new("python3")
        .args([deploy().join("sbom.py")])
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .envs_starting_with(&["CARGO_HOME", "RUSTUP_", "GO"])
        .stdout()
        .await?;
    let document: Value = serde_json::from_str(&text)?;
    assert_eq!(document["bomFormat"], "CycloneDX");
    let components = document["components"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut names = BTreeSet::new();
    for component in &components {
        let name = crate::rendered::text(&component["name"]);
        assert!(
            component["version"].is_string() && component["purl"].is_string(),
            "{name}"
        );
        let from_registry = component["hashes"].is_array() || name.contains('/');
        let licensed = component["licenses"].is_array() || name.contains('/');
        assert!(licensed, "{name} has no licence");
        if from_registry {
            names.insert(name);
        }
    }
    for linked in ["aws-lc-rs", "kube", "sigs.k8s.io/kustomize/api"] {
        assert!(names.contains(linked), "{linked}");
    }
    // Only tests use it.
    assert!(!names.contains("ring") && !names.contains("tower-test"));
    Ok(())
}
