//! Row T48 of the regression table: killed at any moment, a command leaves the old file or the new one.
//!
//! `strace` kills the program as it enters its k-th call of a kind that touches files, for every kind and
//! every k until it comes to its end. What happens between two such calls cannot be seen in the file
//! system, so nothing is left out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;

use crate::bench::{Bench, mode, open_all, pair, secret};
use crate::controller::ApiServer;

/// Every call by which a program changes what others find in the file system, and its last one. Not
/// every architecture has them all.
const CALLS: [&str; 31] = [
    "open",
    "openat",
    "creat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "sendfile",
    "copy_file_range",
    "fsync",
    "fdatasync",
    "ftruncate",
    "truncate",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "symlink",
    "symlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "exit_group",
];

/// What the commands read.
const STDIN: &str = "stdin";

/// More than any of the commands makes of one kind.
const MOST_CALLS: usize = 2_000;

/// What a command did to `file` when it was killed at every call, one run each.
#[derive(Default)]
struct Kills {
    /// Runs after which the file was the old one.
    old: usize,
    /// Runs after which it was a new one.
    new: usize,
}

/// Runs a command once for each of its calls and kills it there. `before` is what is in `file` at the
/// start of each run, and `must_be_whole` looks at what is there afterwards if it is something else.
fn at_every_call(
    bench: &Bench,
    (file, before): (&str, &str),
    arguments: &[&str],
    input: &str,
    must_be_whole: impl Fn(&str),
) -> Kills {
    let mut kills = Kills::default();
    bench.write(STDIN, input);
    // What a killed `edit` leaves in memory goes at the end.
    let memory = TempDir::new_in("/dev/shm").unwrap();
    let names = bench.files();
    for call in CALLS {
        let ended = (1..MOST_CALLS).any(|count| {
            let when = format!("{call} {count} of {}", arguments.join(" "));
            fs::write(bench.path(file), before).unwrap();
            fs::set_permissions(bench.path(file), fs::Permissions::from_mode(0o640)).unwrap();
            let status = killed_at(bench, memory.path(), (call, count), arguments);
            let after = bench.read(file);
            if after == before {
                kills.old += 1;
            } else {
                must_be_whole(&after);
                kills.new += usize::from(!status.success());
            }
            assert_eq!(mode(&bench.path(file)), 0o640, "{when}");
            remove_what_a_kill_leaves(bench, &names);
            if status.success() {
                assert!(
                    after != before,
                    "{when}: let to its end, it changed nothing"
                );
                return true;
            }
            // An editor that is killed is an error of kubeseal's.
            let end = (status.signal(), status.code());
            assert!(
                matches!(end, (Some(9), _) | (_, Some(1))),
                "{when}: {status}"
            );
            false
        });
        assert!(ended, "{call}: more than {MOST_CALLS}");
    }
    kills
}

/// The temporary file beside the target is all that may be left, and its name says whose it is.
fn remove_what_a_kill_leaves(bench: &Bench, names: &[String]) {
    for name in bench.files() {
        if !names.contains(&name) {
            assert!(name.starts_with(".kubeseal-"), "{name}");
            fs::remove_file(bench.path(&name)).unwrap();
        }
    }
}

fn killed_at(
    bench: &Bench,
    memory: &Path,
    (call, count): (&str, usize),
    arguments: &[&str],
) -> ExitStatus {
    #[expect(clippy::disallowed_methods, reason = "the program under test")]
    Command::new("strace")
        .args(["--follow-forks", "--output=/dev/null"])
        .arg(format!("--trace=?{call}"))
        .arg(format!("--inject=?{call}:signal=SIGKILL:when={count}"))
        .arg(env!("CARGO_BIN_EXE_kubeseal"))
        .args(["--cert", "certificate.pem"])
        .args(arguments)
        .current_dir(bench.path(""))
        .env_clear()
        .env("HOME", bench.path(""))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("EDITOR", bench.path("editor"))
        .env("XDG_RUNTIME_DIR", memory)
        .stdin(fs::File::open(bench.path(STDIN)).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace starts: it is a Debian package of that name")
}

const TAIL: &str = "---\nkind: ConfigMap\n";

/// A sealed file with two items, and what else somebody keeps in it.
fn sealed(bench: &Bench) -> String {
    let items = [("a", "1"), ("b", "2")];
    let sealed = bench.seal(&["-o", "yaml"], &secret("db", "shop", &items).to_string());
    format!("# kept\n{}{TAIL}", sealed.text())
}

/// The items of a whole file.
fn items(text: &str) -> Vec<(String, String)> {
    assert!(
        text.starts_with("# kept\n") && text.ends_with(TAIL),
        "{text}"
    );
    open_all(&crds::yaml::documents(text).unwrap()[0].value)
}

fn is_old_until_it_is_new(kills: &Kills) {
    // The file is exchanged by one call near the end.
    assert!(
        kills.old > 10 && kills.new > 0,
        "{} old, {} new",
        kills.old,
        kills.new
    );
}

#[test]
fn t48_an_edit_killed_at_any_call_leaves_the_old_file_or_the_new_one() {
    let bench = Bench::new();
    let before = sealed(&bench);
    let script = "#!/bin/sh\nprintf 'a: typed\\nb:\\n' > \"$1\"\n";
    let editor = bench.write("editor", script);
    fs::set_permissions(editor, fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("db.yaml", &before);
    let expect = |arguments: &[&str], input: &str, expected: &[(&str, &str)]| {
        let kills = at_every_call(&bench, ("db.yaml", &before), arguments, input, |after| {
            let items = items(after);
            let items: Vec<(&str, &str)> = items
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(items, expected);
        });
        // The editor that `edit` waits for is traced too, and killed at its own last call.
        if arguments[0] == "edit" {
            assert!(kills.old > 10);
        } else {
            is_old_until_it_is_new(&kills);
        }
    };
    expect(
        &["set", "db.yaml", "a"],
        "new\n",
        &[("a", "new"), ("b", "2")],
    );
    expect(&["rm", "db.yaml", "a"], "", &[("b", "2")]);
    expect(
        &["rename", "db.yaml", "a", "c"],
        "",
        &[("c", "1"), ("b", "2")],
    );
    expect(&["edit", "db.yaml"], "", &[("a", "typed"), ("b", "2")]);
}

#[test]
fn t48_a_merge_killed_at_any_call_leaves_the_old_file_or_the_new_one() {
    let bench = Bench::new();
    let before = sealed(&bench);
    bench.write("db.yaml", &before);
    let input = secret("db", "shop", &[("c", "3")]).to_string();
    let merge = ["--merge-into", "db.yaml"];
    let kills = at_every_call(&bench, ("db.yaml", &before), &merge, &input, |after| {
        assert_eq!(items(after).len(), 3);
    });
    is_old_until_it_is_new(&kills);
}

#[test]
fn t48_a_re_encryption_killed_at_any_call_leaves_the_old_file_or_the_new_one() {
    let bench = Bench::new();
    let server = ApiServer::start(&[]);
    let before = sealed(&bench).replace(TAIL, "");
    bench.write("db.yaml", &before);
    let arguments = ["--re-encrypt", "--server", &server.url, "-f", "db.yaml"];
    let kills = at_every_call(&bench, ("db.yaml", &before), &arguments, "", |after| {
        assert_eq!(items(&format!("{after}{TAIL}")).len(), 2);
    });
    is_old_until_it_is_new(&kills);
}

#[test]
fn t48_an_output_file_killed_at_any_call_is_the_old_one_or_the_new_one() {
    let bench = Bench::new();
    let before = sealed(&bench);
    bench.write("out.yaml", &before);
    let input = secret("other", "shop", &[("c", "3")]).to_string();
    let seal = ["-w", "out.yaml"];
    let kills = at_every_call(&bench, ("out.yaml", &before), &seal, &input, |after| {
        assert_eq!(items(&format!("# kept\n{after}{TAIL}")).len(), 1);
    });
    is_old_until_it_is_new(&kills);
    // A Secret that is opened into a file is there whole as well, and for its owner alone.
    let opened = "# an older Secret\n";
    bench.write("opened.yaml", opened);
    assert!(!pair().1.is_empty());
    let unseal = [
        "--recovery-unseal",
        "--recovery-private-key",
        "private.pem",
        "-w",
        "opened.yaml",
    ];
    let kills = at_every_call(&bench, ("opened.yaml", opened), &unseal, &before, |after| {
        let value = crate::bench::yaml(after);
        assert_eq!(value["data"].as_object().unwrap().len(), 2);
    });
    is_old_until_it_is_new(&kills);
}
