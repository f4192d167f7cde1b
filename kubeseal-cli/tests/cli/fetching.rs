//! What is asked of the controller: its certificate, whether it can open a file, and to seal it anew.

use document::{KeyState, PublishedKey, PublishedKeys, certificate_file};
use serde_json::{Value, json};

use crate::bench::{Bench, fingerprint, open_all, pair, secret, yaml};
use crate::controller::{ApiServer, CONFIG_MAP, PROXY, SERVICE, status};

fn published(keys: Value) -> (u16, String, Vec<u8>) {
    (
        200,
        String::new(),
        json!({ "data": keys }).to_string().into_bytes(),
    )
}

fn current() -> (u16, String, Vec<u8>) {
    let key = PublishedKey {
        fingerprint: fingerprint(),
        state: KeyState::Current,
        not_before: String::new(),
        not_after: String::new(),
        items: None,
    };
    let file = certificate_file(&fingerprint().parse().unwrap());
    let keys = PublishedKeys { keys: vec![key] };
    published(json!({"keys.json": keys.to_json(), file: pair().0}))
}

#[test]
fn the_certificate_comes_through_the_service_proxy() {
    let bench = Bench::new();
    let server = ApiServer::start(&[]);
    let arguments = ["--server", &server.url];
    let fetched = bench
        .run(&[&arguments[..], &["--fetch-cert"]].concat(), "")
        .text();
    assert_eq!(fetched, pair().0);
    assert_eq!(
        server.requests(),
        [format!("GET {SERVICE}"), format!("GET {PROXY}/v1/cert.pem")]
    );
    let input = secret("db", "shop", &[("a", "1")]).to_string();
    assert_eq!(open_all(&bench.run(&arguments, &input).json())[0].1, "1");
    bench
        .run(
            &[&arguments[..], &["--fetch-cert", "-w", "saved.pem"]].concat(),
            "",
        )
        .text();
    assert_eq!(bench.read("saved.pem"), pair().0);
}

#[test]
fn the_published_certificate_helps_where_the_controller_cannot_be_reached() {
    let bench = Bench::new();
    let unreachable = status(503, "no endpoints available for service");
    let proxy = format!("{PROXY}/v1/cert.pem");
    for broken in [SERVICE, proxy.as_str()] {
        let server = ApiServer::start(&[(broken, unreachable.clone()), (CONFIG_MAP, current())]);
        let fetched = bench
            .run(&["--server", &server.url, "--fetch-cert"], "")
            .text();
        assert_eq!(fetched, pair().0);
    }
}

#[test]
fn when_all_fails_all_that_was_tried_is_named() {
    let bench = Bench::new();
    let gone = status(404, "services \"sealed-secrets-controller\" not found");
    let cases = [
        (status(404, "configmaps not found"), "configmaps not found"),
        (
            status(403, "configmaps is forbidden"),
            "configmaps is forbidden",
        ),
        (published(json!({})), "it has no keys.json"),
        (
            published(json!({"keys.json": "nonsense"})),
            "its keys.json cannot be read",
        ),
        (
            published(json!({"keys.json": "{\"keys\": []}"})),
            "it names no current key",
        ),
    ];
    for (answer, cause) in cases {
        let server = ApiServer::start(&[(SERVICE, gone.clone()), (CONFIG_MAP, answer)]);
        let message = bench
            .run(&["--server", &server.url, "--fetch-cert"], "")
            .error();
        let expected = "cannot get sealed secret service: services \"sealed-secrets-controller\" \
                        not found.\nPlease, use the flag --controller-name and \
                        --controller-namespace";
        assert!(message.starts_with(expected), "{message}");
        assert!(
            message.contains("ConfigMap kube-system/sealed-secrets-certificates"),
            "{message}"
        );
        assert!(message.contains(cause), "{message}");
    }
    let nobody = bench
        .run(&["--server", "http://127.0.0.1:1", "--fetch-cert"], "")
        .error();
    assert!(nobody.contains("onnection refused"), "{nobody}");
    assert_eq!(
        bench.run(&["--fetch-cert"], "").error(),
        "invalid configuration: no configuration has been provided, try setting \
         KUBERNETES_MASTER environment variable"
    );
}

#[test]
fn a_service_without_ports_is_told() {
    let bench = Bench::new();
    let portless = (200, String::new(), b"{\"spec\": {}}".to_vec());
    let server = ApiServer::start(&[(SERVICE, portless)]);
    let message = bench
        .run(&["--server", &server.url, "--fetch-cert"], "")
        .error();
    assert!(message.starts_with("the service kube-system/sealed-secrets-controller has no port"));
}

#[test]
fn upstream_a_certificate_is_found_by_path_and_by_url() {
    // TestOpenCertFile: path, http, file://.
    let bench = Bench::new();
    let redirect = |to: &str| (302, format!("Location: {to}\r\n"), vec![]);
    let pem = (200, String::new(), pair().0.clone().into_bytes());
    let server = ApiServer::start(&[
        ("/cert.pem", pem),
        ("/moved", redirect("/cert.pem")),
        ("/loop", redirect("/loop")),
    ]);
    let path = bench.path("certificate.pem").to_str().unwrap().to_owned();
    let spaced = bench.write("a b.pem", &pair().0).replace(' ', "%20");
    let good = [
        path.clone(),
        format!("file://{path}"),
        format!("file://{spaced}"),
        format!("{}/cert.pem", server.url),
        format!("{}/moved", server.url),
    ];
    for source in good {
        assert_eq!(
            bench.run(&["--fetch-cert", "--cert", &source], "").text(),
            pair().0,
            "{source}"
        );
    }
    let bad = [
        (format!("{}/nothing", server.url), "404 Not Found"),
        (format!("{}/loop", server.url), "stopped after 10 redirects"),
        ("file:///nowhere.pem".to_owned(), "404 Not Found"),
    ];
    for (source, cause) in bad {
        let message = bench.run(&["--fetch-cert", "--cert", &source], "").error();
        assert!(message.contains(cause), "{message}");
        assert!(message.contains(&source), "{message}");
    }
}

#[test]
fn a_sealed_file_is_validated_document_by_document() {
    let bench = Bench::new();
    let server = ApiServer::start(&[]);
    let sealed = bench
        .seal(
            &["-o", "yaml"],
            &secret("db", "shop", &[("a", "1")]).to_string(),
        )
        .text();
    let validate = ["--validate", "--server", &server.url];
    assert_eq!(
        bench.run(&validate, &format!("{sealed}{sealed}")).text(),
        ""
    );
    assert_eq!(server.requests().len(), 3);
    let renamed = sealed.replace("name: db", "name: other");
    let message = bench.run(&validate, &format!("{sealed}{renamed}")).error();
    assert_eq!(message, "unable to decrypt sealed secret: other");
    assert!(
        bench
            .run(&validate, "")
            .error()
            .starts_with("no sealed secrets found")
    );
    let server = ApiServer::start(&[(&format!("{PROXY}/v1/verify"), status(500, "broken"))]);
    let message = bench
        .run(&["--validate", "--server", &server.url], &sealed)
        .error();
    assert_eq!(message, "cannot validate sealed secret: broken");
}

#[test]
fn a_throttled_request_is_made_again_when_the_controller_says_so() {
    let bench = Bench::new();
    let patience = (
        429,
        "Retry-After: 0\r\n".to_owned(),
        b"limit exceeded".to_vec(),
    );
    let server = ApiServer::start(&[(&format!("{PROXY}/v1/verify"), patience)]);
    let sealed = bench
        .seal(&[], &secret("db", "shop", &[("a", "1")]).to_string())
        .text();
    assert_eq!(
        bench
            .run(&["--validate", "--server", &server.url], &sealed)
            .text(),
        ""
    );
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|request| request.ends_with("verify"))
            .count(),
        2
    );
}

#[test]
fn a_file_is_re_encrypted_in_place_and_keeps_its_template() {
    let bench = Bench::new();
    let server = ApiServer::start(&[]);
    let mut input = secret("db", "shop", &[("a", "1"), ("b", "2")]);
    input["metadata"]["labels"] = json!({"app": "db"});
    let sealed = bench.seal(&["-o", "yaml"], &input.to_string()).text();
    let before = format!(
        "# mine\n{}",
        sealed.replace("    a:", "    # first\n    a:")
    );
    let path = bench.write("file.yaml", &before);
    for flag in ["--re-encrypt", "--rotate"] {
        bench.write("file.yaml", &before);
        assert_eq!(
            bench
                .run(&[flag, "--server", &server.url, "-f", &path], "")
                .text(),
            ""
        );
        let after = bench.read("file.yaml");
        let changed: Vec<_> = before
            .lines()
            .zip(after.lines())
            .filter(|(before, after)| before != after)
            .map(|(_, after)| after.trim_start().split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(changed, ["signet.dev/sealed-with", "a", "b"]);
        assert_eq!(before.lines().count(), after.lines().count());
        let after = yaml(&after);
        assert_eq!(open_all(&after).len(), 2);
        let record = after["metadata"]["annotations"]["signet.dev/sealed-with"]
            .as_str()
            .unwrap();
        let item = after["spec"]["encryptedData"]["a"].as_str().unwrap();
        let hint = document::Record::parse(record).hint("a", &keys::decode_base64(item).unwrap());
        assert_eq!(hint.unwrap().to_string(), fingerprint());
    }
}

#[test]
fn a_stream_is_re_encrypted_to_standard_output() {
    let bench = Bench::new();
    let server = ApiServer::start(&[]);
    let sealed = bench
        .seal(&[], &secret("db", "shop", &[("a", "1")]).to_string())
        .text();
    let arguments = ["--re-encrypt", "--server", &server.url];
    let printed = bench.run(&arguments, &sealed).json();
    assert_eq!(open_all(&printed)[0].1, "1");
    assert_eq!(printed["kind"], "SealedSecret");
    let yaml = bench
        .run(&[&arguments[..], &["-o", "yaml"]].concat(), &sealed)
        .text();
    assert!(yaml.starts_with("---\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\n"));
    let foreign = sealed.replace("\"name\": \"db\"", "\"name\": \"x\"");
    let message = bench.run(&arguments, &foreign).error();
    assert!(
        message.starts_with("cannot re-encrypt secret: "),
        "{message}"
    );
}

#[test]
fn kubectls_flags_and_the_kubeconfig_say_who_asks() {
    let bench = Bench::new();
    let server = ApiServer::start(&[]);
    let user = |user: Value| {
        let config = json!({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server.url}}],
            "users": [{"name": "u", "user": user}],
        });
        bench.write("kubeconfig", &config.to_string())
    };
    let fetch = |path: &str, more: &[&str]| {
        server.identities.lock().unwrap().clear();
        let arguments = [&["--fetch-cert", "--kubeconfig", path], more].concat();
        assert_eq!(bench.run(&arguments, "").text(), pair().0);
        server.identities()
    };
    let path = user(json!({"token": "of-the-file"}));
    assert_eq!(fetch(&path, &[]), ["authorization: bearer of-the-file"]);
    assert_eq!(
        fetch(&path, &["--token", "given"]),
        ["authorization: bearer given"]
    );
    let someone = [
        "--as",
        "alice",
        "--as-group",
        "a",
        "--as-group",
        "b",
        "--as-uid",
        "7",
    ];
    assert_eq!(
        fetch(&path, &someone),
        [
            "authorization: bearer of-the-file",
            "impersonate-group: a",
            "impersonate-group: b",
            "impersonate-uid: 7",
            "impersonate-user: alice",
        ]
    );
    let path = user(json!({"username": "u", "password": "p"}));
    assert_eq!(fetch(&path, &[]), ["authorization: basic dtpw"]);
    assert_eq!(
        fetch(&path, &["--password", "q"]),
        ["authorization: basic dtpx"]
    );
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": "of-the-plugin"},
    });
    let plugin = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": "/bin/echo", "args": [credential.to_string()],
    }});
    assert_eq!(
        fetch(&user(plugin), &[]),
        ["authorization: bearer of-the-plugin"]
    );
}

#[test]
fn a_kubeconfig_that_is_broken_is_not_quoted() {
    let bench = Bench::new();
    let path = bench.write(
        "kubeconfig",
        "users: [{name: u, user: {token: [hunter2]}}]\n",
    );
    let message = bench
        .run(&["--fetch-cert", "--kubeconfig", &path], "")
        .error();
    assert!(!message.contains("hunter2"), "{message}");
    let message = bench
        .run(&["--fetch-cert", "--kubeconfig", "/nowhere"], "")
        .error();
    assert_eq!(message, "stat /nowhere: no such file or directory");
    for (flag, cause) in [
        ("--context", "context \"x\" does not exist"),
        ("--cluster", "cluster \"x\" does not exist"),
        ("--user", "auth info \"x\" does not exist"),
    ] {
        assert_eq!(bench.run(&["--fetch-cert", flag, "x"], "").error(), cause);
    }
}
