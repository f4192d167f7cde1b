//! What may not be in the dependency tree: rows T44, T45 and T46 of the regression table, and one
//! decision of the design.

use tests::{Failure, Invocation, cache};

#[test]
fn t44_aws_lc_is_not_older_than_its_x509_fixes() -> Result<(), Failure> {
    // RUSTSEC-2026-0044 to 0048.
    floor("aws-lc-sys", [0, 39, 0])
}

#[test]
fn t45_h2_is_not_older_than_its_fix_of_empty_data_frames() -> Result<(), Failure> {
    // RUSTSEC-2026-0258.
    floor("h2", [0, 4, 16])
}

#[test]
fn t46_the_yaml_crates_are_maintained_ones() -> Result<(), Failure> {
    // RUSTSEC-2025-0068 for the first; the others are archived or wrap libyaml.
    for abandoned in ["serde_yml", "serde_yaml", "libyml", "unsafe-libyaml"] {
        assert_eq!(locked(abandoned)?, Vec::<[u64; 3]>::new(), "{abandoned}");
    }
    Ok(())
}

#[tokio::test]
async fn ring_is_not_built() -> Result<(), Failure> {
    // The lock file may name it, for features and systems that nobody builds.
    let tree = Invocation::new(env!("CARGO"))
        .args(["tree", "--locked", "--workspace", "--target", "all"])
        .args([
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .envs_starting_with(&["CARGO_HOME", "RUSTUP_"])
        .directory(&cache::repository())
        .stdout()
        .await?;
    assert!(
        tree.lines().any(|line| line.starts_with("aws-lc-rs v")),
        "{tree}"
    );
    let found: Vec<&str> = tree
        .lines()
        .filter(|line| line.starts_with("ring v"))
        .collect();
    assert!(found.is_empty(), "{found:?}");
    Ok(())
}

/// Every version of a crate in Cargo.lock is at least this one, and there is one.
fn floor(name: &str, least: [u64; 3]) -> Result<(), Failure> {
    let versions = locked(name)?;
    assert!(!versions.is_empty(), "{name} is not in Cargo.lock");
    for version in versions {
        assert!(
            version >= least,
            "{name} {version:?} is older than {least:?}"
        );
    }
    Ok(())
}

fn locked(name: &str) -> Result<Vec<[u64; 3]>, Failure> {
    let lock = std::fs::read_to_string(cache::repository().join("Cargo.lock"))?;
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line != format!("name = \"{name}\"") {
            continue;
        }
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = \""));
        let version = version
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or_default();
        let plain = version.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = plain.split('.').map(str::parse);
        let mut next = || {
            numbers
                .next()
                .ok_or_else(|| Failure::new(format!("{name} {version}")))
        };
        found.push([next()??, next()??, next()??]);
    }
    Ok(found)
}
