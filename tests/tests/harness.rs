//! The harness itself: each real component starts, works, and can be disturbed as the suites need.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    ApiProxy, Cluster, ControlPlane, Coordinates, Credentials, Failure, Fault, GitServer,
    Invocation, Moto, Observation, REGION, cache, eventually, own_network,
};

#[tokio::test]
async fn the_control_plane_serves_and_collects_garbage() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("garbage").await?;
    cluster.apply(&config_map(&namespace, "owner", "")).await?;
    let owner = Coordinates::config_map(&namespace, "owner");
    let uid = cluster.must_get(&owner).await?["metadata"]["uid"].to_string();
    let owners =
        format!("ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}}}]");
    cluster
        .apply(&config_map(&namespace, "owned", &owners))
        .await?;
    cluster.delete(&owner).await?;
    let owned = Coordinates::config_map(&namespace, "owned");
    eventually("the end of what was owned", async || {
        let left = cluster.get(&owned).await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is still there")
        }))
    })
    .await
}

#[tokio::test]
async fn kubectl_is_of_the_version_of_the_server() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let text = plane
        .kubectl()?
        .args(["version", "-o", "json"])
        .stdout()
        .await?;
    let versions: Value = serde_json::from_str(&text)?;
    assert_eq!(
        versions["clientVersion"]["gitVersion"],
        versions["serverVersion"]["gitVersion"]
    );
    Ok(())
}

#[tokio::test]
async fn a_user_may_do_what_rbac_grants_and_no_more() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("rbac").await?;
    cluster.apply(&config_map(&namespace, "seen", "")).await?;
    cluster
        .apply(&reader(&namespace, "kind: Group, name: readers"))
        .await?;
    let account = "kind: ServiceAccount, name: default";
    cluster
        .apply(&reader(
            &namespace,
            &format!("{account}, namespace: {namespace}"),
        ))
        .await?;
    let user = plane.kubeconfig_for_user("jane", &["readers"])?;
    let account = plane
        .kubeconfig_for_service_account(&namespace, "default")
        .await?;
    for identity in [user, account] {
        let theirs = Cluster::new(identity.client().await?);
        let seen = Coordinates::config_map(&namespace, "seen");
        eventually("the right to read", async || {
            Ok(Observation::of(theirs.get(&seen).await?, || {
                String::from("nothing")
            }))
        })
        .await?;
        let refused = theirs.get(&Coordinates::secret(&namespace, "any")).await;
        assert!(refused.is_err_and(|failure| failure.message().contains("forbidden")));
    }
    Ok(())
}

#[tokio::test]
async fn the_proxy_before_the_api_server_counts_and_disturbs() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("proxied").await?;
    let mut proxy = ApiProxy::start(plane.admin()).await?;
    let kubeconfig = proxy.kubeconfig(plane.admin(), plane.file("proxied"))?;
    let proxied = Cluster::new(kubeconfig.client().await?);
    proxied.apply(&config_map(&namespace, "one", "")).await?;
    let writes: Vec<String> = proxy.changes().iter().map(ToString::to_string).collect();
    assert_eq!(writes, [format!("patch configmaps {namespace}/one (201)")]);

    proxy.faults().next(
        "get configmaps",
        1,
        Fault::kubernetes(409, "Conflict", "not now"),
    );
    let one = Coordinates::config_map(&namespace, "one");
    assert!(
        proxied
            .get(&one)
            .await
            .is_err_and(|failure| failure.message().contains("not now"))
    );
    assert!(proxied.get(&one).await?.is_some());

    proxy.stop();
    assert!(proxied.get(&one).await.is_err());
    proxy.resume().await?;
    assert!(proxied.get(&one).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn the_proxy_holds_an_answer_back_although_the_write_is_done() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("held").await?;
    let proxy = ApiProxy::start(plane.admin()).await?;
    let kubeconfig = proxy.kubeconfig(plane.admin(), plane.file("held"))?;
    let proxied = Cluster::new(kubeconfig.client().await?);
    proxy.hold_after(2);
    proxied.apply(&config_map(&namespace, "first", "")).await?;
    let manifest = config_map(&namespace, "second", "");
    let asked = tokio::spawn(async move { proxied.apply(&manifest).await.map(|_applied| ()) });
    proxy.held().await?;
    assert_eq!(proxy.outstanding(), 1);
    assert!(
        cluster
            .get(&Coordinates::config_map(&namespace, "second"))
            .await?
            .is_some()
    );
    assert!(!asked.is_finished());
    proxy.release();
    asked.await??;
    assert_eq!(proxy.outstanding(), 0);
    Ok(())
}

#[tokio::test]
async fn moto_answers_and_its_front_counts_and_disturbs() -> Result<(), Failure> {
    let moto = Moto::start().await?;
    moto.create_secret("harness/first", "value").await?;
    let ask = async || fetch(&moto, "harness/first").await;
    let value = ask().await?;
    assert_eq!(value["SecretString"], "value");
    moto.faults().next(
        "GetSecretValue",
        1,
        Fault::aws(400, "AccessDeniedException", "no"),
    );
    let refused = ask().await?;
    assert_eq!(refused["__type"], "AccessDeniedException");
    moto.faults().next("GetSecretValue", 1, Fault::Cut);
    assert!(ask().await.is_err());
    moto.put_secret("harness/first", "changed").await?;
    assert_eq!(ask().await?["SecretString"], "changed");
    let expected = BTreeMap::from([(String::from("GetSecretValue"), 4)]);
    assert_eq!(moto.counts(), expected);
    Ok(())
}

#[tokio::test]
async fn git_clones_with_the_password_and_not_without() -> Result<(), Failure> {
    let credentials = Credentials::new("git", "correct horse");
    let mut server = GitServer::start(Some(&credentials)).await?;
    let repository = server.create("app").await?;
    repository.write("deploy/app.yaml", "kind: None\n")?;
    let commit = repository.commit("first").await?;
    let with = repository
        .url()
        .replace("http://", "http://git:correct%20horse@");
    assert!(ls_remote(&with).await?.contains(&commit));
    let without = ls_remote(repository.url()).await;
    assert!(without.is_err_and(|failure| failure.message().contains("could not read Username")));
    let wrong = ls_remote(&repository.url().replace("http://", "http://git:wrong@")).await;
    assert!(wrong.is_err_and(|failure| failure.message().contains("Authentication failed")));
    server.set_credentials(None);
    assert!(ls_remote(repository.url()).await?.contains(&commit));
    server.faults().next("advertise", 1, Fault::status(503));
    assert!(ls_remote(repository.url()).await.is_err());
    server.stop();
    assert!(ls_remote(repository.url()).await.is_err());
    server.resume().await?;
    assert!(ls_remote(repository.url()).await?.contains(&commit));
    Ok(())
}

#[tokio::test]
async fn git_takes_a_push_over_http() -> Result<(), Failure> {
    let server = GitServer::start(None).await?;
    let repository = server.create("pushed").await?;
    repository.write("file", "content\n")?;
    repository.commit_locally("over http").await?;
    repository
        .git(&["push", "--quiet", repository.url(), "HEAD:main"])
        .await?;
    assert!(
        ls_remote(repository.url())
            .await?
            .contains(&repository.head().await?)
    );
    assert!(server.requests().contains(&String::from("push")));
    Ok(())
}

#[tokio::test]
async fn the_real_tools_are_the_versions_that_the_studies_speak_of() -> Result<(), Failure> {
    let version =
        async |program, argument: &str| Invocation::new(program).args([argument]).stdout().await;
    let kubeseal = cache::SEALED_SECRETS.program("kubeseal")?;
    assert_eq!(
        version(kubeseal, "--version").await?,
        "kubeseal version: v0.36.6\n"
    );
    let controller = cache::SEALED_SECRETS.program("controller")?;
    assert_eq!(
        version(controller, "--version").await?,
        "controller version: v0.36.6\n"
    );
    let kustomize = version(cache::KUSTOMIZE.program("kustomize")?, "version").await?;
    assert!(kustomize.contains("v5.8.1"), "{kustomize}");
    Ok(())
}

#[test]
fn the_service_proxy_reaches_a_pod_that_is_a_process() -> Result<(), Failure> {
    own_network::inside("the_service_proxy_reaches_a_pod_that_is_a_process", async {
        let plane = ControlPlane::shared().await?;
        let cluster = plane.cluster().await?;
        let namespace = cluster.namespace("proxied").await?;
        let listener = tokio::net::TcpListener::bind((own_network::ADDRESS, 0)).await?;
        let port = listener.local_addr()?.port();
        let router = axum::Router::new().fallback(async || "the process");
        let _server = tokio::spawn(async move { axum::serve(listener, router).await });
        cluster.stand_in(&namespace, "server", port).await?;
        eventually("an answer through the service proxy", async || {
            let path = format!("/api/v1/namespaces/{namespace}/services/http:server:http/proxy/x");
            let request = http::Request::get(path).body(Vec::new())?;
            let answer = cluster.client().request_text(request).await?;
            Ok(Observation::when(answer == "the process", || answer))
        })
        .await
    })
}

/// Reads a secret of AWS as the controller's SDK would.
async fn fetch(moto: &Moto, name: &str) -> Result<Value, Failure> {
    let client = kube::Client::try_from(kube::Config::new(moto.url().parse()?))?;
    let signature = format!(
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/{REGION}/secretsmanager/aws4_request, \
         SignedHeaders=host, Signature=none"
    );
    let request = http::Request::post("/")
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", signature)
        .body(json!({"SecretId": name}).to_string().into_bytes().into())?;
    let body = client
        .send(request)
        .await?
        .into_body()
        .collect_bytes()
        .await?;
    serde_json::from_slice(&body).map_err(|error| {
        let text = String::from_utf8_lossy(&body);
        Failure::new(format!("{error} in the answer of moto: {text}"))
    })
}

fn reader(namespace: &str, subject: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [''], resources: [configmaps], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader-{}, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{{subject}}}]
",
        subject.len()
    )
}

async fn ls_remote(url: &str) -> Result<String, Failure> {
    let git = Invocation::new("git")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.args(["ls-remote", url]).stdout().await
}

fn config_map(namespace: &str, name: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  {more}\n"
    )
}
