//! What the controller finds around itself: credentials of its environment and of its machine, and
//! whom it trusts to be AWS. Each of these needs a controller of its own, so one test at a time.

#[expect(dead_code, reason = "this suite starts controllers of its own")]
#[path = "external/stage.rs"]
mod stage;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tests::{ControlPlane, ControllerBuilder, Failure, Moto, REGION, Scratch, rights};
use tokio::sync::Mutex;

use crate::stage::{Stage, store};

static ALONE: Mutex<()> = Mutex::const_new(());

/// A controller that knows where AWS is, and nothing else about it.
async fn without_credentials(url: &str) -> Result<ControllerBuilder, Failure> {
    let identity = rights::ours(ControlPlane::shared().await?).await?;
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
    Ok(builder
        .parts("external")
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_REGION", REGION))
}

/// An ExternalSecret of a store that names no credentials.
async fn ask(stage: &Stage, name: &str) -> Result<(), Failure> {
    let mut ambient = store("SecretStore", name, &stage.namespace);
    let aws = ambient["spec"]["provider"]["aws"].as_object_mut();
    aws.map(|aws| aws.remove("auth"));
    stage.cluster.create(&ambient).await?;
    let mut object = stage.one_value(name, name, None);
    object["spec"]["secretStoreRef"]["name"] = json!(name);
    stage.cluster.create(&object).await?;
    Ok(())
}

/// The access keys that signed the reads of the secret of this name.
fn signed_by(aws: &Moto, id: &str) -> Vec<String> {
    let calls = aws.calls().into_iter();
    let reads = calls.filter(|call| {
        let batch = call.body["SecretIdList"].as_array();
        call.body["SecretId"] == id || batch.is_some_and(|ids| ids.contains(&json!(id)))
    });
    let mut keys: Vec<String> = reads.map(|call| call.access_key).collect();
    keys.dedup();
    keys
}

/// Variables of the environment.
type Variables = Vec<(&'static str, String)>;

/// The whole chain, one link after the other: environment, web identity, container, instance.
#[tokio::test]
async fn each_link_of_the_ambient_chain_is_used() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let plane = ControlPlane::shared().await?;
    let aws = Moto::start().await?;
    let stage = Stage::on(plane).await?;
    let files = Scratch::new("ambient")?;
    let token = files.path().join("token");
    std::fs::write(&token, "a-token-of-the-cluster")?;
    let machine = Machine::start().await?;
    let role = "arn:aws:iam::123456789012:role/ambient";
    let disabled = ("AWS_EC2_METADATA_DISABLED", "true".to_owned());
    let token = token.display().to_string();
    let links: [(&str, Variables, Option<&str>); 4] = [
        (
            "environment",
            vec![
                ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "x".to_owned()),
                disabled.clone(),
            ],
            Some("AKIAENVIRONMENT"),
        ),
        (
            "web-identity",
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token.clone()),
                ("AWS_ROLE_ARN", role.to_owned()),
                disabled.clone(),
            ],
            None,
        ),
        (
            "container",
            vec![
                (
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    machine.url("/v1/credentials"),
                ),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
                disabled,
            ],
            Some("AKIACONTAINER"),
        ),
        (
            "instance",
            vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.url(""))],
            Some("AKIAINSTANCE"),
        ),
    ];
    for (name, variables, key) in links {
        let builder = without_credentials(&aws.url()).await?;
        let builder = variables
            .iter()
            .fold(builder, |builder, (name, value)| builder.env(name, value));
        let mut controller = builder.start().await?;
        aws.create_secret(&stage.remote(name), name).await?;
        ask(&stage, name).await?;
        stage
            .cluster
            .secret_holds(&stage.namespace, name, "value", name.as_bytes())
            .await?;
        let keys = signed_by(&aws, &stage.remote(name));
        match key {
            Some(key) => assert_eq!(keys, [key], "{name}"),
            None => assert_eq!(keys.len(), 1, "{name}: {keys:?}"),
        }
        controller.terminate().await?;
    }
    let exchanges = aws.calls().into_iter();
    let exchanges = exchanges.filter(|call| call.operation == "AssumeRoleWithWebIdentity");
    let exchanges: Vec<_> = exchanges.collect();
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0].body["RoleArn"], role);
    assert_eq!(
        exchanges[0].body["WebIdentityToken"],
        "a-token-of-the-cluster"
    );
    let asked = machine.asked.lock().await.clone();
    assert!(
        asked.contains(&"GET /v1/credentials a-token-of-the-cluster".to_owned()),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn no_credentials_anywhere_are_told_as_such() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let plane = ControlPlane::shared().await?;
    let aws = Moto::start().await?;
    let stage = Stage::on(plane).await?;
    let builder = without_credentials(&aws.url()).await?;
    let builder = builder.env("AWS_EC2_METADATA_DISABLED", "true");
    let mut controller = builder.start().await?;
    ask(&stage, "nobody").await?;
    stage.refused(&controller, "nobody", &["nobody"]).await?;
    let at = tests::Coordinates::new(
        "external-secrets.io/v1",
        "SecretStore",
        &stage.namespace,
        "nobody",
    );
    let condition = stage.cluster.condition(&at, "Ready", "False").await?;
    let message = condition["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("no AWS credentials around the controller"),
        "{message}"
    );
    controller.terminate().await?;
    Ok(())
}

/// ignoreClusterSecretStoreWhenDisabled, and ignoreMismatchController with a class of our own: no
/// condition at all, neither at the store nor at who asks it.
#[tokio::test]
async fn what_the_flags_leave_to_others_gets_no_condition() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let plane = ControlPlane::shared().await?;
    let aws = Moto::start().await?;
    let stage = Stage::on(plane).await?;
    let builder = without_credentials(&aws.url()).await?;
    let mut controller = builder
        .flag("enable-cluster-store-reconciler", "false")
        .flag("controller-class", "ours")
        .start()
        .await?;
    aws.create_secret(&stage.remote("db"), "value").await?;
    let cluster_store = format!("disabled-{}", stage.namespace);
    let object = store("ClusterSecretStore", &cluster_store, &stage.namespace);
    stage.cluster.create(&object).await?;
    for (name, class) in [("theirs", "default"), ("ours", "ours")] {
        let mut object = store("SecretStore", name, &stage.namespace);
        object["spec"]["controller"] = json!(class);
        stage.cluster.create(&object).await?;
    }
    for (name, kind, of) in [
        ("of-cluster", "ClusterSecretStore", cluster_store.as_str()),
        ("of-theirs", "SecretStore", "theirs"),
        ("of-ours", "SecretStore", "ours"),
    ] {
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["secretStoreRef"] = json!({"name": of, "kind": kind});
        stage.cluster.create(&object).await?;
    }
    // The one that is made last and served shows that the others had their turn.
    stage
        .cluster
        .secret_holds(&stage.namespace, "of-ours", "value", b"value")
        .await?;
    let group = "external-secrets.io/v1";
    for at in [
        stage.at("of-cluster"),
        stage.at("of-theirs"),
        tests::Coordinates::new(group, "ClusterSecretStore", "", &cluster_store),
        tests::Coordinates::new(group, "SecretStore", &stage.namespace, "theirs"),
    ] {
        let object = stage.cluster.must_get(&at).await?;
        assert_eq!(object["status"]["conditions"], Value::Null, "{at}");
    }
    controller.terminate().await?;
    Ok(())
}

/// An endpoint that cannot prove who it is: its certificate is of an authority that we do not trust, or
/// for another host. The API server plays it, since its own certificate is for 127.0.0.1 and not for
/// localhost.
#[tokio::test]
async fn t35_an_endpoint_with_a_bad_certificate_is_refused() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let plane = ControlPlane::shared().await?;
    let stage = Stage::on(plane).await?;
    let server = plane.admin().server().to_owned();
    let authority = plane.admin().certificate_authority();
    let authority = authority.ok_or_else(|| Failure::new("the API server has no authority"))?;
    let other_host = server.replace("127.0.0.1", "localhost");
    for (name, url, trusted, refused) in [
        ("unknown-authority", &server, None, true),
        ("other-host", &other_host, Some(authority), true),
        ("trusted", &server, Some(authority), false),
    ] {
        let mut builder = without_credentials(url).await?;
        if let Some(authority) = trusted {
            builder = builder.env("SSL_CERT_FILE", authority);
        }
        let mut controller = builder.start().await?;
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["refreshInterval"] = json!("1h");
        stage.cluster.create(&object).await?;
        stage.refused(&controller, name, &[]).await?;
        let condition = stage
            .cluster
            .condition(&stage.at(name), "Ready", "False")
            .await?;
        let message = condition["message"].as_str().unwrap_or_default();
        assert_eq!(
            message.contains("certificate"),
            refused,
            "{name}: {message}"
        );
        controller.terminate().await?;
    }
    Ok(())
}

/// What a machine or a Pod Identity agent serves its processes.
struct Machine {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _server: tokio::task::JoinSet<()>,
}

impl Machine {
    async fn start() -> Result<Self, Failure> {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(async move |headers: HeaderMap, request: Request| {
            let token = headers
                .get("authorization")
                .and_then(|token| token.to_str().ok());
            let (method, path) = (request.method().as_str(), request.uri().path());
            let line = format!("{method} {path} {}", token.unwrap_or("-"));
            log.lock().await.push(line);
            answer(method, path)
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router).await.unwrap_or_default();
        });
        Ok(Self {
            port,
            asked,
            _server: server,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn answer(method: &str, path: &str) -> axum::response::Response {
    let credentials = |key: &str| {
        let body: Value = json!({
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
            "AccessKeyId": key, "SecretAccessKey": "x", "Token": "session",
            "Expiration": "2199-01-01T00:00:00Z",
        });
        axum::Json(body).into_response()
    };
    match (method, path.trim_end_matches('/')) {
        (_, "/v1/credentials") => credentials("AKIACONTAINER"),
        ("PUT", "/latest/api/token") => {
            ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "imds").into_response()
        }
        (_, "/latest/meta-data/iam/security-credentials") => "machine".into_response(),
        (_, "/latest/meta-data/iam/security-credentials/machine") => credentials("AKIAINSTANCE"),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
