//! The daily commands: set, rm, rename, edit, inspect, and what is generated.

use std::fs;

use crate::bench::{Bench, fingerprint, open_all, pair, secret, yaml};

/// A file as somebody keeps it, with two items.
fn file(bench: &Bench) -> String {
    let sealed = bench.seal(
        &["-o", "yaml"],
        &secret("db", "shop", &[("a", "1"), ("b", "2")]).to_string(),
    );
    let text = sealed.text().replace("    a: ", "    # the first\n    a: ");
    bench.write("db.yaml", &format!("# kept\n{text}---\nkind: ConfigMap\n"))
}

fn items(bench: &Bench) -> Vec<(String, String)> {
    let text = bench.read("db.yaml");
    assert!(
        text.starts_with("# kept\n") && text.contains("    # the first\n"),
        "{text}"
    );
    assert!(text.ends_with("---\nkind: ConfigMap\n"), "{text}");
    let documents = crds::yaml::documents(&text).unwrap();
    open_all(&documents[0].value)
}

fn pairs(items: &[(&str, &str)]) -> Vec<(String, String)> {
    items
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn set_takes_the_value_from_standard_input_or_a_file() {
    let bench = Bench::new();
    file(&bench);
    assert_eq!(bench.seal(&["set", "db.yaml", "a"], "new\n").text(), "");
    assert_eq!(
        bench.seal(&["set", "db.yaml", "c"], "two\nlines\n").text(),
        ""
    );
    bench.write("value", "as it is\n");
    bench
        .seal(&["set", "db.yaml", "d", "--from-file", "value"], "")
        .text();
    let expected = pairs(&[
        ("a", "new"),
        ("b", "2"),
        ("c", "two\nlines"),
        ("d", "as it is\n"),
    ]);
    assert_eq!(items(&bench), expected);
    assert!(!bench.read("db.yaml").contains("new"));
    let text = bench.read("db.yaml");
    let record = document::SealedFile::parse(text.as_bytes())
        .unwrap()
        .record(0)
        .unwrap();
    assert_eq!(record.iter().count(), 4);
}

#[test]
fn set_makes_random_values() {
    let bench = Bench::new();
    file(&bench);
    for _ in 0..2 {
        let outcome = bench.seal(&["set", "db.yaml", "a", "--generate", "40"], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
        assert_eq!(outcome.stderr, "generated 40 letters and digits\n");
    }
    let value = items(&bench)[0].1.clone();
    assert!(
        value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{value}"
    );
    let wrong = bench.seal(&["set", "db.yaml", "a", "--generate", "0"], "");
    assert_eq!(wrong.code, 2);
}

#[test]
fn rm_and_rename_need_no_certificate() {
    let bench = Bench::new();
    file(&bench);
    fs::remove_file(bench.path("certificate.pem")).unwrap();
    assert_eq!(
        bench.run(&["rename", "db.yaml", "b", "c.txt"], "").text(),
        ""
    );
    assert_eq!(items(&bench), pairs(&[("a", "1"), ("c.txt", "2")]));
    assert_eq!(bench.run(&["rm", "db.yaml", "c.txt"], "").text(), "");
    assert_eq!(items(&bench), pairs(&[("a", "1")]));
    let before = bench.read("db.yaml");
    assert_eq!(
        bench.run(&["rm", "db.yaml", "a", "x"], "").error(),
        "db.yaml: there is no item x"
    );
    assert_eq!(bench.run(&["rename", "db.yaml", "a", "a/b"], "").code, 1);
    assert_eq!(
        bench.read("db.yaml"),
        before,
        "a command that fails half way changes nothing"
    );
}

#[test]
fn the_document_is_chosen_by_name_where_there_is_more_than_one() {
    let bench = Bench::new();
    let both = [
        secret("one", "s", &[("a", "1")]),
        secret("two", "s", &[("a", "2")]),
    ];
    let text = bench
        .seal(&["-o", "yaml"], &format!("{}\n{}", both[0], both[1]))
        .text();
    bench.write("both.yaml", &text);
    let message = bench.seal(&["set", "both.yaml", "a"], "3").error();
    assert!(
        message.contains("(one, two): say which with --name"),
        "{message}"
    );
    bench
        .seal(&["set", "both.yaml", "a", "--name", "two"], "3")
        .text();
    let documents = crds::yaml::documents(&bench.read("both.yaml")).unwrap();
    assert_eq!(open_all(&documents[0].value)[0].1, "1");
    assert_eq!(open_all(&documents[1].value)[0].1, "3");
}

#[test]
fn a_file_without_a_namespace_is_sealed_for_the_one_that_is_said() {
    let bench = Bench::new();
    let text = "kind: SealedSecret\nmetadata: {name: db}\nspec: {encryptedData: {}}\n";
    bench.write("db.yaml", text);
    let message = bench.seal(&["set", "db.yaml", "a"], "1").error();
    assert!(
        message.contains("no metadata.namespace; say it with --namespace"),
        "{message}"
    );
    bench
        .seal(&["set", "db.yaml", "a", "-n", "shop", "--no-record"], "1")
        .text();
    let item = yaml(&bench.read("db.yaml"))["spec"]["encryptedData"]["a"].clone();
    let opened = crate::bench::open(item.as_str().unwrap(), keys::Scope::Strict, "shop", "db");
    assert_eq!(opened.as_deref(), Some("1"));
}

/// An editor that is a shell script.
fn editor(bench: &Bench, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bench.write("editor", &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn edit_changes_what_is_typed_and_keeps_what_is_blank() {
    let bench = Bench::new();
    file(&bench);
    let script = "cp \"$1\" seen; ls -l \"$1\" >> seen; echo \"$1\" > where\n\
                  printf 'a:\\nc: 0644\\nd: \"\"\\n' > \"$1\"";
    let editor = editor(&bench, script);
    let arguments = ["edit", "db.yaml", "--cert", "certificate.pem"];
    bench
        .run_with(&[("EDITOR", &editor)], &arguments, b"")
        .text();
    assert_eq!(
        items(&bench),
        pairs(&[("a", "1"), ("c", "0644"), ("d", "")])
    );
    let seen = bench.read("seen");
    assert!(
        seen.starts_with("# db in namespace shop, scope strict, from db.yaml\n"),
        "{seen}"
    );
    assert!(seen.contains("\na:\nb:\n-rw------- "), "{seen}");
    let place = bench.read("where");
    assert!(!std::path::Path::new(place.trim()).exists());
    assert!(
        place.starts_with("/dev/shm/") || place.starts_with("/run/"),
        "{place}"
    );
}

#[test]
fn an_editor_that_fails_or_leaves_nonsense_changes_nothing() {
    let bench = Bench::new();
    file(&bench);
    let before = bench.read("db.yaml");
    let run = |script: &str| {
        let editor = editor(&bench, script);
        let variables = [("KUBE_EDITOR", editor.as_str()), ("EDITOR", "false")];
        bench.run_with(
            &variables,
            &["edit", "db.yaml", "--cert", "certificate.pem"],
            b"",
        )
    };
    assert!(
        run("echo 'a: hunter2' > \"$1\"; exit 1")
            .error()
            .contains("nothing was changed")
    );
    let message = run("echo 'a: [hunter2' > \"$1\"").error();
    assert!(
        message.contains("line") && !message.contains("hunter2"),
        "{message}"
    );
    assert_eq!(
        run("printf 'a:\\nb:\\nc:\\n' > \"$1\"").error(),
        "the new item c has no value"
    );
    assert_eq!(run("true").stderr, "nothing was changed\n");
    assert_eq!(bench.read("db.yaml"), before);
    let arguments = ["edit", "db.yaml", "--cert", "certificate.pem"];
    let message = bench
        .run_with(&[("EDITOR", "/nowhere/vi")], &arguments, b"")
        .error();
    assert!(
        message.starts_with("the editor /nowhere/vi failed"),
        "{message}"
    );
}

#[test]
fn somebody_elses_change_in_the_meantime_is_not_lost() {
    let bench = Bench::new();
    file(&bench);
    let editor = editor(
        &bench,
        "echo '# mine' >> db.yaml; printf 'a: x\\nb:\\n' > \"$1\"",
    );
    let arguments = ["edit", "db.yaml", "--cert", "certificate.pem"];
    let message = bench
        .run_with(&[("EDITOR", &editor)], &arguments, b"")
        .error();
    assert!(message.contains("changed by somebody else"), "{message}");
    assert!(bench.read("db.yaml").ends_with("# mine\n"));
}

#[test]
fn inspect_tells_what_is_known() {
    let bench = Bench::new();
    file(&bench);
    let text = bench.run(&["inspect", "db.yaml"], "").text();
    let key = fingerprint();
    assert_eq!(
        text,
        format!(
            "SealedSecret db, namespace shop, strict\n  a: 1 bytes, 2048 bit key {key}\n  b: 1 \
             bytes, 2048 bit key {key}\n"
        )
    );
    bench.write(
        "db.yaml",
        &bench
            .read("db.yaml")
            .replace("  name: db\n", "  name: other\n"),
    );
    let described = bench.run(&["inspect", "db.yaml", "-o", "json"], "").json();
    assert_eq!(described[0]["items"][0]["sealedForThisPlace"], false);
    assert_eq!(described[0]["line"], 3);
    bench.write("none.yaml", "kind: Secret\n");
    assert!(
        bench
            .run(&["inspect", "none.yaml"], "")
            .error()
            .contains("no SealedSecret")
    );
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.run(&["completion", shell], "").text();
        for word in ["rename", "merge-into", "controller-namespace"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
    bench.run(&["man", "pages"], "").text();
    assert!(bench.read("pages/kubeseal.1").contains("merge"));
    assert!(bench.read("pages/kubeseal-set.1").contains("generate"));
    let help = bench.run(&["--help"], "").text();
    assert!(
        help.find("  set ").unwrap() < help.find("--secret-file").unwrap(),
        "{help}"
    );
}

#[test]
fn nothing_that_was_typed_or_opened_is_printed() {
    // The canary is found where it has to be, and nowhere else.
    let bench = Bench::new();
    let canary = "c4nary-hunter2";
    let mut input = secret("db", "shop", &[("a", canary)]);
    input["metadata"]["annotations"] = serde_json::json!({
        "kubectl.kubernetes.io/last-applied-configuration": canary,
        "kubecfg.ksonnet.io/last-applied-configuration": canary,
    });
    let sealed = bench.seal(&["-o", "yaml"], &input.to_string()).text();
    assert!(!sealed.contains(canary));
    bench.write("db.yaml", &sealed);
    let broken = format!("kind: Secret\nstringData:\n  a: {canary}\n  b: [\n");
    let typed = format!("kind: Secret\nmetadata: {{name: x}}\nstringData: {{a: [{canary}]}}\n");
    let runs = [
        bench.seal(&["set", "db.yaml", "a"], canary),
        bench.seal(&["set", "db.yaml", "a/b"], canary),
        bench.seal(&[], &broken),
        bench.seal(&["-n", "x"], &typed),
        bench.seal(&["--merge-into", "db.yaml"], &broken),
        bench.seal(&["--raw", "--scope", "cluster-wide"], canary),
        bench.run(&["inspect", "db.yaml"], ""),
        bench.run(&["check", "db.yaml"], ""),
    ];
    for run in runs {
        assert!(
            !run.stdout.contains(canary) && !run.stderr.contains(canary),
            "{}",
            run.stderr
        );
    }
    let key = ["--recovery-unseal", "--recovery-private-key", "private.pem"];
    let opened = bench.run(&key, &bench.read("db.yaml")).json();
    assert_eq!(opened["data"]["a"], keys::encode_base64(canary.as_bytes()));
    assert!(!pair().1.is_empty());
}
