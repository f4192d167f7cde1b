//! What may not be in the dependency tree: rows T44, T45 and T46 of the regression table, and one
//! decision of the design.

use std::collections::BTreeSet;

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
    let names = tree(&["--workspace", "--target=all", "--edges=normal,build"]).await?;
    assert!(names.contains("aws-lc-rs"), "{names:?}");
    assert!(!names.contains("ring"), "{names:?}");
    Ok(())
}

/// Crates that work on one system, or on some, and those in whose tree they may be.
const OF_SOME_SYSTEMS: [(&str, &[&str]); 14] = [
    ("core-foundation", &["darwin"]),
    ("inotify", &["linux"]),
    ("landlock", &["linux"]),
    ("linux-raw-sys", &["linux"]),
    ("nix", &["linux", "darwin"]),
    ("openssl-probe", &["linux"]),
    ("openssl-sys", &[]),
    ("rustix", &["linux", "darwin"]),
    ("schannel", &["windows"]),
    ("security-framework", &["darwin"]),
    ("signal-hook-registry", &["linux", "darwin"]),
    ("tikv-jemallocator", &[]),
    ("windows-link", &["windows"]),
    ("windows-sys", &["windows"]),
];

#[tokio::test]
async fn kubeseal_holds_nothing_that_is_for_another_system() -> Result<(), Failure> {
    for (system, target) in [
        ("linux", "x86_64-unknown-linux-gnu"),
        ("darwin", "aarch64-apple-darwin"),
        ("windows", "x86_64-pc-windows-msvc"),
    ] {
        let target = format!("--target={target}");
        let names = tree(&["--package=kubeseal-cli", &target, "--edges=normal"]).await?;
        // The list means something only while it names what is there.
        assert!(names.contains("aws-lc-rs"), "{system}: {names:?}");
        let native = OF_SOME_SYSTEMS
            .iter()
            .any(|(name, systems)| *systems == [system] && names.contains(*name));
        assert!(native, "{system}: {names:?}");
        for (name, systems) in OF_SOME_SYSTEMS {
            assert!(
                systems.contains(&system) || !names.contains(name),
                "{name} is in the tree of kubeseal for {system}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn kubeseals_own_code_asks_for_a_system_before_it_uses_it() -> Result<(), Failure> {
    let files = Invocation::new("/usr/bin/git")
        .args(["ls-files", "kubeseal-cli/src", "keys", "crds/src"])
        .directory(&cache::repository())
        .stdout()
        .await?;
    let mut guarded = 0;
    for file in files.lines().filter(|file| file.ends_with(".rs")) {
        let text = std::fs::read_to_string(cache::repository().join(file))?;
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.contains("std::os::") || file.contains("/tests/") {
                continue;
            }
            let before = &lines[number.saturating_sub(GUARD_LINES)..number];
            let is_guarded = before.iter().any(|line| line.contains("#[cfg("));
            assert!(is_guarded, "{file}:{}: {line}", number + 1);
            guarded += 1;
        }
    }
    assert!(guarded > 0, "nothing of a system's own was found");
    Ok(())
}

/// A `cfg` stands so many lines before what it is for, at the most.
const GUARD_LINES: usize = 4;

/// The names of the crates in a dependency tree.
async fn tree(arguments: &[&str]) -> Result<BTreeSet<String>, Failure> {
    let tree = Invocation::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix=none", "--format={p}"])
        .args(arguments)
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .envs_starting_with(&["CARGO_HOME", "RUSTUP_"])
        .directory(&cache::repository())
        .stdout()
        .await?;
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    Ok(tree.lines().map(name).collect())
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
