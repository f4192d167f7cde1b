//! Children of the real controller's launcher: what they cannot read, write, run, reach and use.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    time::Instant,
};

use kit::exec::{
    Command, ExecError, Output,
    confine::{self, Confinement},
    launch_through,
};
use tempfile::TempDir;

/// A shell with the given confinement. Its built-in commands are enough for most of what it tries.
async fn shell(script: &str, confinement: Confinement) -> Output {
    command(script, confinement)
        .run()
        .await
        .expect("a child that ends")
}

fn command(script: &str, confinement: Confinement) -> Command {
    launch_through(Path::new(env!("CARGO_BIN_EXE_controller")));
    Command::new(Path::new("/bin/sh"))
        .args(["-c", script])
        .env("PATH", "/usr/bin:/bin")
        .confined(confinement.with_libraries())
}

/// A directory with a secret in it.
fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "canary").expect("a file");
    (directory, secret)
}

/// What a child was kept from, where the kernel can.
fn is_kept_from(output: &Output) {
    if confine::is_enforced() {
        assert!(output.stdout.is_empty(), "{}", output.stderr);
        assert!(
            output.stderr.contains("ermission denied"),
            "{}",
            output.stderr
        );
    }
}

#[tokio::test]
async fn a_child_reads_only_what_it_was_given() {
    let (directory, secret) = directory();
    let script = format!("read -r line < {}; echo \"$line\"", secret.display());
    let given = Confinement::default().reads(directory.path());
    let output = shell(&script, given).await;
    assert_eq!(output.stdout, b"canary\n", "{}", output.stderr);
    let kept = shell(&script, Confinement::default()).await;
    if confine::is_enforced() {
        assert_eq!(kept.stdout, b"\n");
        assert!(kept.stderr.contains("ermission denied"), "{}", kept.stderr);
    }
    is_kept_from(&shell("exec < /etc/shadow", Confinement::default()).await);
}

#[tokio::test]
async fn a_child_cannot_read_the_memory_or_environment_of_its_parent() {
    let script = format!("exec < /proc/{}/environ", std::process::id());
    is_kept_from(&shell(&script, Confinement::default()).await);
}

#[tokio::test]
async fn a_child_changes_only_what_it_was_given() {
    let (directory, secret) = directory();
    let (other, other_secret) = crate::directory();
    let given = || {
        Confinement::default()
            .longest_file(1 << 20)
            .writes(directory.path())
    };
    let script = format!(
        "echo changed > {}; : > {}/new",
        secret.display(),
        directory.path().display()
    );
    let output = shell(&script, given()).await;
    assert!(output.is_success(), "{}", output.stderr);
    assert_eq!(std::fs::read(&secret).unwrap(), b"changed\n");
    let outside = shell(
        &format!("echo changed > {}", other_secret.display()),
        given(),
    )
    .await;
    is_kept_from(&outside);
    is_kept_from(&shell(&format!(": > {}/new", other.path().display()), given()).await);
    if confine::is_enforced() {
        assert_eq!(std::fs::read(&other_secret).unwrap(), b"canary");
    }
}

#[tokio::test]
async fn a_child_runs_only_what_it_was_given() {
    let (directory, _) = directory();
    let program = directory.path().join("program");
    std::fs::copy("/bin/true", &program).unwrap();
    let script = format!("exec {}", program.display());
    let output = shell(&script, Confinement::default().runs(directory.path())).await;
    assert!(output.is_success(), "{}", output.stderr);
    // Neither what it can write, as a hook that came with a repository.
    let written = Confinement::default().writes(directory.path());
    is_kept_from(&shell(&script, written).await);
}

#[tokio::test]
async fn only_a_child_with_network_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // bash is no part of every system; what it is asked for here is `connect` and nothing else.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
    let connect = async |confinement: Confinement| {
        launch_through(Path::new(env!("CARGO_BIN_EXE_controller")));
        let command = Command::new(Path::new("/bin/bash")).args(["-c", &script]);
        let command = command.confined(confinement.with_libraries());
        command.run().await.unwrap()
    };
    let open = connect(Confinement::default().with_network()).await;
    assert_eq!(open.stdout, b"connected\n", "{}", open.stderr);
    is_kept_from(&connect(Confinement::default()).await);
}

#[tokio::test]
async fn a_child_that_writes_too_long_a_file_is_ended() {
    let (directory, _) = directory();
    let file = directory.path().join("long");
    let script = format!(
        "while echo 0123456789012345678901234567890123456789; do :; done > {}",
        file.display()
    );
    let limited = Confinement::default()
        .longest_file(1_000)
        .writes(directory.path());
    let output = shell(&script, limited).await;
    assert!(!output.is_success());
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_child_that_wants_too_much_memory_does_not_get_it() {
    let script = "x=0123456789; while :; do x=$x$x; done";
    let output = shell(script, Confinement::default().memory(32 << 20)).await;
    assert!(!output.is_success());
    let said = output.stderr.to_lowercase();
    let known = ["memory", "out of space", "alloc"];
    assert!(known.iter().any(|words| said.contains(words)), "{said}");
}

#[tokio::test]
async fn a_child_dumps_no_core_and_gains_no_privileges() {
    let script = "ulimit -c; while read -r line; do echo \"$line\"; done < /proc/self/status";
    let given = Confinement::default().reads(Path::new("/proc"));
    let output = shell(script, given).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("0\n"), "{text}");
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
}

#[tokio::test]
async fn a_secret_reaches_the_child_and_nothing_of_ours_does() {
    let output = shell(
        "echo $TOKEN; env 2>&1",
        Confinement::default().runs(Path::new("/usr/bin")),
    )
    .await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("CARGO"), "{text}");
    let secret = command("echo $TOKEN", Confinement::default())
        .secret_env("TOKEN", kit::SecretBytes::new(b"canary".to_vec()));
    assert_eq!(secret.run().await.unwrap().stdout, b"canary\n");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    launch_through(Path::new(env!("CARGO_BIN_EXE_controller")));
    let error = Command::new(Path::new("/nowhere/git"))
        .run()
        .await
        .err()
        .unwrap();
    assert!(matches!(error, ExecError::NotConfined { .. }));
    let said = error.to_string();
    assert!(
        said.contains("/nowhere/git") && said.contains("No such file"),
        "{said}"
    );
}

/// Not a limit, a measurement: `cargo test -p controller --test confined -- --nocapture cost`.
#[tokio::test]
async fn the_launcher_costs_a_few_milliseconds() {
    launch_through(Path::new(env!("CARGO_BIN_EXE_controller")));
    let started = Instant::now();
    for _ in 0..RUNS {
        assert!(
            shell(":", Confinement::default().with_network())
                .await
                .is_success()
        );
    }
    let confined = started.elapsed() / RUNS;
    let started = Instant::now();
    for _ in 0..RUNS {
        assert!(plain().await);
    }
    let plain = started.elapsed() / RUNS;
    println!("a child: {plain:?} by itself, {confined:?} through the launcher");
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a child costs without kit::exec"
)]
async fn plain() -> bool {
    let status = tokio::process::Command::new("/bin/sh")
        .args(["-c", ":"])
        .status()
        .await;
    status.expect("a child that ends").success()
}

const RUNS: u32 = 50;
