//! Rows T28 and T42 of the regression table, on the command line.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::bench::{Bench, secret, yaml};
use crate::differing::git;

const CANARY: &str = "c4nary-hunter2";

/// What kubectl remembers of an apply, with the Secret's plaintext in it.
fn remembered() -> serde_json::Value {
    json!({
        "kubectl.kubernetes.io/last-applied-configuration": CANARY,
        "kubecfg.ksonnet.io/last-applied-configuration": CANARY,
        "kept": "yes",
    })
}

#[test]
fn t28_what_kubectl_remembers_of_a_secret_is_not_written() {
    let bench = Bench::new();
    let mut input = secret("db", "shop", &[("a", CANARY)]);
    input["metadata"]["annotations"] = remembered();
    let input = input.to_string();
    let sealed = bench.seal(&["-o", "yaml"], &input).text();
    let annotations = &yaml(&sealed)["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(*annotations, json!({"kept": "yes"}));
    // A merge takes the input's annotations over as well.
    let target = secret("db", "shop", &[("b", "2")]).to_string();
    bench.write("db.yaml", &bench.seal(&["-o", "yaml"], &target).text());
    bench.seal(&["--merge-into", "db.yaml"], &input).text();
    let merged = bench.read("db.yaml");
    assert!(
        merged.contains("kept") && !merged.contains("last-applied"),
        "{merged}"
    );
    for text in [sealed, merged] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn t28_a_plain_secret_in_the_repository_is_told_of_without_its_values() {
    let bench = Bench::new();
    git(&bench, &["init", "--quiet", "--initial-branch=main"]);
    let mut plain = secret("db", "shop", &[("a", CANARY)]);
    plain["metadata"]["annotations"] = remembered();
    bench.write("plain.yaml", &plain.to_string());
    git(&bench, &["add", "."]);
    git(&bench, &["commit", "--quiet", "--message", "one"]);
    plain["stringData"]["a"] = format!("{CANARY}-2").into();
    bench.write("plain.yaml", &plain.to_string());
    for arguments in [
        &["diff"][..],
        &["diff", "--format", "markdown"],
        &["check", "."],
    ] {
        let outcome = bench.run(arguments, "");
        let said = outcome.stdout + &outcome.stderr;
        assert!(!said.contains(CANARY), "{arguments:?}: {said}");
    }
    let checked = bench.run(&["check", "."], "");
    assert!(
        checked.code != 0 && checked.stdout.contains("plain.yaml"),
        "{}",
        checked.stdout
    );
}

#[test]
fn t42_no_program_is_looked_up_by_a_name_in_a_file() {
    let bench = Bench::new();
    git(&bench, &["init", "--quiet", "--initial-branch=main"]);
    // What other tools would take for the name of a plugin, in every place that a file offers.
    let config = json!({"profiles": [{
        "name": "trap", "paths": ["trap/**"], "certificate": "age1trap1qqqq", "context": "trap",
    }]});
    bench.write(".signet/config.yaml", &config.to_string());
    let trap = bench.write("bin/trap", "#!/bin/sh\ntouch \"$HOME/ran\"\n");
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    for name in [
        "age-plugin-trap",
        "kubeseal-trap",
        "kubectl-trap",
        "git-trap",
    ] {
        fs::copy(&trap, bench.path(&format!("bin/{name}"))).unwrap();
    }
    let sealed = bench.seal(
        &["-o", "yaml"],
        &secret("trap", "trap", &[("trap", "x")]).to_string(),
    );
    bench.write("trap/db.yaml", &sealed.text());
    git(&bench, &["add", "."]);
    git(&bench, &["commit", "--quiet", "--message", "trap"]);
    let mut started = BTreeSet::new();
    for (arguments, input) in [
        (
            &["--cert", "certificate.pem"][..],
            secret("a", "b", &[("c", "d")]).to_string(),
        ),
        (
            &["-f", "trap/db.yaml", "-w", "trap/out.yaml"],
            String::new(),
        ),
        (
            &["set", "trap/db.yaml", "trap", "--cert", "certificate.pem"],
            "x".to_owned(),
        ),
        (&["set", "trap/db.yaml", "trap"], "x".to_owned()),
        (&["rename", "trap/db.yaml", "trap", "trap2"], String::new()),
        (&["rm", "trap/db.yaml", "trap2"], String::new()),
        (&["inspect", "trap/db.yaml"], String::new()),
        (&["check", "."], String::new()),
        (&["diff", "HEAD"], String::new()),
        (&["trap"], String::new()),
    ] {
        started.extend(programs(&bench, arguments, &input));
    }
    assert_eq!(
        started,
        BTreeSet::from(["git".to_owned()]),
        "programs besides kubeseal"
    );
    assert!(!bench.path("ran").exists());
}

/// The names of the programs that a command started, the traps among those on the `PATH`.
fn programs(bench: &Bench, arguments: &[&str], input: &str) -> BTreeSet<String> {
    bench.write("stdin", input);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let trapped = std::env::join_paths(
        std::iter::once(bench.path("bin")).chain(std::env::split_paths(&path)),
    );
    #[expect(clippy::disallowed_methods, reason = "the program under test")]
    let mut strace = Command::new("strace");
    strace
        .args(["--follow-forks", "--trace=execve", "--output"])
        .arg(bench.path("trace"))
        .arg(env!("CARGO_BIN_EXE_kubeseal"))
        .args(arguments)
        .current_dir(bench.path(""))
        .env_clear()
        .env("HOME", bench.path(""))
        .env("PATH", trapped.unwrap())
        .stdin(fs::File::open(bench.path("stdin")).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    strace
        .status()
        .expect("strace starts: it is a Debian package of that name");
    let trace = bench.read("trace");
    let program = |line: &str| {
        let path = line.split_once("execve(\"")?.1.split('"').next()?;
        // Looking for a program along the PATH is no start of it.
        let is_started = line.trim_end().ends_with("= 0");
        is_started.then(|| path.rsplit('/').next().unwrap_or(path).to_owned())
    };
    let started: BTreeSet<String> = trace.lines().filter_map(program).collect();
    assert!(started.contains("kubeseal"), "{trace}");
    started
        .into_iter()
        .filter(|name| name != "kubeseal")
        .collect()
}
