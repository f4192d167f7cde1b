//! Finding the certificate without a flag.

use serde_json::json;

use crate::bench::{Bench, open_all, pair, secret};
use crate::controller::{ApiServer, status};

fn sealed_with(bench: &Bench, arguments: &[&str]) -> Vec<(String, String)> {
    open_all(
        &bench
            .run(arguments, &secret("db", "shop", &[("a", "1")]).to_string())
            .json(),
    )
}

#[test]
fn a_certificate_kept_in_the_repository_is_used() {
    let bench = Bench::new();
    bench.write("certs/prod.pem", &pair().0);
    let config = "profiles:\n- {name: prod, paths: ['prod/**'], certificate: certs/prod.pem}\n";
    bench.write(".signet/config.yaml", config);
    let input = bench.write(
        "prod/in.json",
        &secret("db", "shop", &[("a", "1")]).to_string(),
    );
    assert_eq!(sealed_with(&bench, &["-f", &input])[0].1, "1");
    // Another path has no profile, and then the cluster is asked.
    let other = bench.run(&[], &secret("db", "shop", &[("a", "1")]).to_string());
    assert!(other.error().starts_with("invalid configuration"));
}

#[test]
fn the_only_certificate_of_a_profile_and_the_current_published_one_are_used() {
    let bench = Bench::new();
    bench.write(".signet/config.yaml", "profiles: [{name: all}]\n");
    bench.write(".signet/all/any.pem", &pair().0);
    assert_eq!(sealed_with(&bench, &[])[0].1, "1");
    bench.write(".signet/all/keys.json", "{\"keys\": []}");
    assert!(
        bench
            .run(&[], "")
            .error()
            .starts_with("invalid configuration")
    );
}

#[test]
fn a_configuration_cannot_run_or_fetch_anything_it_should_not() {
    let bench = Bench::new();
    for (certificate, cause) in [
        ("http://127.0.0.1:1/cert.pem", "a file or an https URL"),
        ("file:///etc/passwd", "a file or an https URL"),
        ("|touch ran", "no such file or directory"),
        ("$(touch ran)", "no such file or directory"),
    ] {
        let config = json!({"profiles": [{"name": "p", "certificate": certificate}]});
        bench.write(".signet/config.yaml", &config.to_string());
        let message = bench
            .run(&[], &secret("a", "b", &[("c", "d")]).to_string())
            .error();
        assert!(message.contains(cause), "{message}");
    }
    assert!(!bench.path("ran").exists());
    for config in [
        "profiles: [{name: p, exec: touch ran}]",
        "profiles: 5",
        "- x",
        "profiles: [",
    ] {
        bench.write(".signet/config.yaml", config);
        let message = bench.run(&[], "").error();
        assert!(message.contains(".signet/config.yaml: line"), "{message}");
    }
}

#[test]
fn the_service_is_looked_for_under_its_usual_names() {
    let bench = Bench::new();
    let service = (
        200,
        String::new(),
        b"{\"spec\": {\"ports\": [{\"name\": \"http\"}]}}".to_vec(),
    );
    let pem = (200, String::new(), pair().0.clone().into_bytes());
    let helm = "/api/v1/namespaces/sealed-secrets/services";
    let gone = status(404, "not found");
    let server = ApiServer::start(&[
        (crate::controller::SERVICE, gone),
        (&format!("{helm}/sealed-secrets"), service),
        (
            &format!("{helm}/http:sealed-secrets:http/proxy/v1/cert.pem"),
            pem,
        ),
    ]);
    let fetched = bench
        .run(&["--fetch-cert", "--server", &server.url], "")
        .text();
    assert_eq!(fetched, pair().0);
    // A name that is given is the only one that is tried.
    let arguments = [
        "--fetch-cert",
        "--server",
        &server.url,
        "--controller-name",
        "mine",
    ];
    let message = bench.run(&arguments, "").error();
    assert!(
        message.contains("Services that were tried: kube-system/mine\n"),
        "{message}"
    );
}

#[test]
fn a_profile_names_context_and_controller() {
    let bench = Bench::new();
    let pem = (200, String::new(), pair().0.clone().into_bytes());
    let service = (
        200,
        String::new(),
        b"{\"spec\": {\"ports\": [{}]}}".to_vec(),
    );
    let services = "/api/v1/namespaces/security/services";
    let server = ApiServer::start(&[
        (&format!("{services}/sealer"), service),
        (&format!("{services}/http:sealer:/proxy/v1/cert.pem"), pem),
    ]);
    let kubeconfig = json!({
        "current-context": "wrong",
        "contexts": [
            {"name": "right", "context": {"cluster": "right"}},
            {"name": "wrong", "context": {"cluster": "wrong"}},
        ],
        "clusters": [
            {"name": "right", "cluster": {"server": server.url}},
            {"name": "wrong", "cluster": {"server": "http://127.0.0.1:1"}},
        ],
    });
    let kubeconfig = bench.write("kubeconfig", &kubeconfig.to_string());
    let profile = json!({"profiles": [{
        "name": "p", "context": "right", "controllerName": "sealer", "controllerNamespace": "security",
    }]});
    bench.write(".signet/config.yaml", &profile.to_string());
    assert_eq!(
        sealed_with(&bench, &["--kubeconfig", &kubeconfig])[0].1,
        "1"
    );
    let flags = ["--kubeconfig", &kubeconfig, "--context", "wrong"];
    assert_eq!(
        bench
            .run(&flags, &secret("a", "b", &[("c", "d")]).to_string())
            .code,
        1
    );
}
