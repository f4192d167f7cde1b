//! A whole Kubernetes control plane on loopback, in seconds.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::cache::{self, CONTROL_PLANE};
use crate::scratch::Scratch;
use crate::{
    Cluster, Failure, Invocation, Kubeconfig, Observation, Process, ProcessBuilder, Shared,
    eventually, own_network, share,
};

/// kube-apiserver with RBAC and a certificate authority of its own, etcd without fsync, and
/// kube-controller-manager with its garbage collector.
///
/// Where `SIGNET_TEST_KUBECONFIG` names a file, the cluster of its current context is used instead;
/// it is written to, so name one that may be.
pub struct ControlPlane {
    scratch: Scratch,
    admin: Kubeconfig,
    /// In the order in which they must go: a user before what it uses.
    processes: Vec<Process>,
    files: AtomicU32,
    /// Where the API server and etcd listen.
    ports: Option<Ports>,
}

#[derive(Clone, Copy)]
struct Ports {
    secure: u16,
    etcd: u16,
}

impl ControlPlane {
    /// The one that all tests of this process share, with our kinds installed.
    ///
    /// # Errors
    /// If it does not start; with the end of the log of the part that did not.
    pub async fn shared() -> Result<&'static Self, Failure> {
        static SHARED: Shared<ControlPlane> = Shared::const_new();
        share(&SHARED, Self::start).await
    }

    /// Starts one with the kinds of `crds/yaml` installed. They are there before the controller
    /// manager is, as its garbage collector looks for new kinds only every 30 seconds.
    ///
    /// # Errors
    /// If it does not start; with the end of the log of the part that did not.
    pub async fn start() -> Result<Self, Failure> {
        Self::start_with(&definitions()?).await
    }

    /// Starts one with the given manifests applied before the controller manager starts.
    ///
    /// # Errors
    /// If it does not start; with the end of the log of the part that did not.
    pub async fn start_with(manifests: &[String]) -> Result<Self, Failure> {
        if let Some(theirs) = std::env::var_os("SIGNET_TEST_KUBECONFIG") {
            return Self::adopt(Path::new(&theirs), manifests).await;
        }
        let mut last = Failure::new("not tried");
        // Ports are chosen before they are used; somebody may be faster.
        for _attempt in 0..3 {
            match Self::try_start(manifests).await {
                Ok(started) => return Ok(started),
                Err(failure) if failure.message().contains("address already in use") => {
                    last = failure;
                }
                Err(failure) => return Err(failure.while_doing("start the control plane")),
            }
        }
        Err(last.while_doing("start the control plane"))
    }

    async fn adopt(theirs: &Path, manifests: &[String]) -> Result<Self, Failure> {
        let scratch = Scratch::new("cluster")?;
        let admin = Kubeconfig::adopt(theirs, scratch.path().join("admin.kubeconfig"))?;
        let plane = Self {
            scratch,
            admin,
            processes: Vec::new(),
            files: AtomicU32::new(0),
            ports: None,
        };
        plane.install(manifests).await?;
        Ok(plane)
    }

    async fn try_start(manifests: &[String]) -> Result<Self, Failure> {
        let scratch = Scratch::new("control-plane")?;
        let directory = scratch.path();
        let [client_port, peer_port, secure_port] = free_ports()?;
        write_credentials(directory)?;
        let etcd = etcd(client_port, peer_port, directory)?.start(directory)?;
        let mut apiserver = apiserver(secure_port, client_port, directory)?.start(directory)?;
        let authority = directory.join("certificates/apiserver.crt");
        eventually("the API server's certificate", async || {
            if let Err(ended) = apiserver.must_run() {
                return Ok(Observation::Never(ended));
            }
            // It is a certificate of an authority made for it, followed by that authority's.
            let text = std::fs::read_to_string(&authority).unwrap_or_default();
            let whole = text.matches("END CERTIFICATE").count() == 2;
            Ok(Observation::when(whole, || String::from("no file")))
        })
        .await
        .map_err(|failure| blame(failure, &mut apiserver))?;
        let admin = Kubeconfig::write(
            directory.join("admin.kubeconfig"),
            json!({
                "server": format!("https://127.0.0.1:{secure_port}"),
                "certificate-authority": authority,
            }),
            json!({"token": ADMIN_TOKEN}),
        )?;
        let waited = ready(&admin, &mut apiserver).await;
        waited.map_err(|failure| blame(failure, &mut apiserver))?;
        let mut plane = Self {
            scratch,
            admin,
            processes: vec![apiserver, etcd],
            files: AtomicU32::new(0),
            ports: Some(Ports {
                secure: secure_port,
                etcd: client_port,
            }),
        };
        plane.install(manifests).await?;
        let mut manager = controller_manager(&plane)?.start(plane.scratch.path())?;
        let waited = plane.default_account(&mut manager).await;
        waited.map_err(|failure| blame(failure, &mut manager))?;
        plane.processes.insert(0, manager);
        Ok(plane)
    }

    /// The kubeconfig of a member of `system:masters`.
    pub fn admin(&self) -> &Kubeconfig {
        &self.admin
    }

    /// Reads and writes as admin.
    ///
    /// # Errors
    /// If no client can be made.
    pub async fn cluster(&self) -> Result<Cluster, Failure> {
        Ok(Cluster::new(self.admin.client().await?))
    }

    /// The kubeconfig of a user with RBAC as bound to its name and groups: the admin's identity that
    /// impersonates it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn kubeconfig_for_user(&self, name: &str, groups: &[&str]) -> Result<Kubeconfig, Failure> {
        let mut user = self.admin.user().clone();
        user["as"] = json!(name);
        user["as-groups"] = json!(groups);
        self.admin.with_user(self.file("user.kubeconfig"), user)
    }

    /// The kubeconfig of a ServiceAccount, which must exist, with a token good for a day.
    ///
    /// # Errors
    /// If the API server gives no token.
    pub async fn kubeconfig_for_service_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Kubeconfig, Failure> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(86_400),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await?;
        let token = answer.status.map(|status| status.token);
        let token = token.ok_or_else(|| Failure::new("the API server answered without a token"))?;
        let path = self.file("service-account.kubeconfig");
        self.admin.with_user(path, json!({"token": token}))
    }

    /// The kubectl that belongs to this control plane, as admin.
    ///
    /// # Errors
    /// If it is not built.
    pub fn kubectl(&self) -> Result<Invocation, Failure> {
        Ok(Invocation::new(CONTROL_PLANE.program("kubectl")?)
            .env("HOME", self.scratch.path())
            .env("KUBECONFIG", self.admin.path()))
    }

    /// The API server, to be stopped, looked at or killed by a test that has this control plane for
    /// itself. There is none where the cluster is one that the user named.
    pub fn api_server(&mut self) -> Option<&mut Process> {
        self.processes.get_mut(1)
    }

    /// Kills the API server, and starts it again at the same address with what etcd has. Returns once
    /// it answers.
    ///
    /// # Errors
    /// If it does not come back, and where the cluster is one that the user named.
    pub async fn restart_api_server(&mut self) -> Result<(), Failure> {
        let ports = self.ports;
        let (Some(ports), Some(running)) = (ports, self.api_server()) else {
            return Err(Failure::new("the API server of a user is not restarted"));
        };
        running.kill()?;
        let directory = self.scratch.path();
        let mut next = apiserver(ports.secure, ports.etcd, directory)?.start(directory)?;
        let waited = ready(&self.admin, &mut next).await;
        waited.map_err(|failure| blame(failure, &mut next))?;
        if let Some(place) = self.api_server() {
            *place = next;
        }
        Ok(())
    }

    /// A directory for what belongs to this control plane, removed with it.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// A path for a new file in the directory of this control plane.
    pub fn file(&self, name: &str) -> PathBuf {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        self.scratch.path().join(format!("{number}-{name}"))
    }

    /// Applies manifests and waits until the kinds that they define are served.
    async fn install(&self, manifests: &[String]) -> Result<(), Failure> {
        let cluster = self.cluster().await?;
        let mut kinds = Vec::new();
        for manifest in manifests {
            kinds.extend(cluster.apply(manifest).await?);
        }
        for kind in kinds
            .iter()
            .filter(|kind| kind.kind == "CustomResourceDefinition")
        {
            eventually(&format!("establishment of {kind}"), async || {
                let object = cluster.must_get(kind).await?;
                let conditions = object["status"]["conditions"].as_array().cloned();
                let established = conditions.unwrap_or_default().iter().any(|condition| {
                    condition["type"] == "Established" && condition["status"] == "True"
                });
                Ok(Observation::when(established, || {
                    object["status"].to_string()
                }))
            })
            .await?;
        }
        Ok(())
    }

    /// The controller manager works once it has given the default namespace its account.
    async fn default_account(&self, manager: &mut Process) -> Result<(), Failure> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.client().await?, "default");
        eventually("the controller manager's first work", async || {
            if let Err(ended) = manager.must_run() {
                return Ok(Observation::Never(ended));
            }
            let account = accounts.get_opt("default").await?;
            Ok(Observation::when(account.is_some(), || {
                String::from("no default account")
            }))
        })
        .await
    }
}

/// The manifests of the kinds that we define, one string per file.
///
/// # Errors
/// If `crds/yaml` cannot be read.
pub fn definitions() -> Result<Vec<String>, Failure> {
    let directory = cache::repository().join("crds/yaml");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files
        .iter()
        .map(std::fs::read_to_string)
        .collect::<Result<_, _>>()?)
}

fn etcd(client_port: u16, peer_port: u16, directory: &Path) -> Result<ProcessBuilder, Failure> {
    let (client, peer) = (url(client_port), url(peer_port));
    Ok(ProcessBuilder::new("etcd", &CONTROL_PLANE.program("etcd")?)
        .flag("data-dir", directory.join("etcd"))
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("default={peer}"))
        .flag("log-level", "warn")
        .arg("--unsafe-no-fsync"))
}

fn apiserver(
    secure_port: u16,
    etcd_port: u16,
    directory: &Path,
) -> Result<ProcessBuilder, Failure> {
    let key = directory.join(ACCOUNT_KEY);
    // Loopback is refused as an advertised address. Nobody connects to it outside a network of our
    // own, so that one from the range for documentation does.
    let advertised = if own_network::entered() {
        own_network::ADDRESS
    } else {
        "192.0.2.1"
    };
    Ok(
        ProcessBuilder::new("kube-apiserver", &CONTROL_PLANE.program("kube-apiserver")?)
            .flag("etcd-servers", url(etcd_port))
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", secure_port.to_string())
            .flag("advertise-address", advertised)
            .flag("endpoint-reconciler-type", "none")
            .flag("cert-dir", directory.join("certificates"))
            .flag("service-cluster-ip-range", "10.0.0.0/24")
            .flag("authorization-mode", "RBAC")
            .flag("token-auth-file", directory.join(TOKENS))
            .flag("service-account-issuer", "https://kubernetes.default.svc")
            .flag("service-account-key-file", &key)
            .flag("service-account-signing-key-file", &key),
    )
}

fn controller_manager(plane: &ControlPlane) -> Result<ProcessBuilder, Failure> {
    let directory = plane.directory();
    let program = CONTROL_PLANE.program("kube-controller-manager")?;
    Ok(ProcessBuilder::new("kube-controller-manager", &program)
        .flag("kubeconfig", plane.admin.path())
        .flag("secure-port", "0")
        .flag("leader-elect", "false")
        .flag("kube-api-qps", "500")
        .flag("kube-api-burst", "1000")
        .flag(
            "service-account-private-key-file",
            directory.join(ACCOUNT_KEY),
        )
        .flag("root-ca-file", directory.join("certificates/apiserver.crt"))
        .flag("controllers", CONTROLLERS.join(",")))
}

/// All that a workload without a node can notice.
const CONTROLLERS: [&str; 10] = [
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
];

async fn ready(admin: &Kubeconfig, apiserver: &mut Process) -> Result<(), Failure> {
    let client = admin.client().await?;
    eventually("readiness of the API server", async || {
        if let Err(ended) = apiserver.must_run() {
            return Ok(Observation::Never(ended));
        }
        let request = http::Request::get("/readyz").body(Vec::new())?;
        let answer = client.request_text(request).await?;
        Ok(Observation::when(answer == "ok", || answer))
    })
    .await
}

/// The key that signs the tokens of ServiceAccounts, and the token of the admin.
fn write_credentials(directory: &Path) -> Result<(), Failure> {
    std::fs::write(
        directory.join(TOKENS),
        format!("{ADMIN_TOKEN},admin,admin,system:masters\n"),
    )?;
    let key = KeyPair::generate(KeySize::Rsa2048)?;
    let body = STANDARD.encode(key.as_der()?.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    std::fs::write(directory.join(ACCOUNT_KEY), pem)?;
    Ok(())
}

/// Ports that nobody listens on now, all different as they are held together.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], Failure> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Adds the end of the log of the process that a wait was for.
fn blame(failure: Failure, process: &mut Process) -> Failure {
    if process.must_run().is_err() {
        return failure;
    }
    Failure::new(format!(
        "{failure}; the end of its log:\n{}",
        process.tail()
    ))
}

/// It reaches loopback only, and the control plane lives for one test run.
const ADMIN_TOKEN: &str = "admin-of-the-test-control-plane";
const TOKENS: &str = "tokens.csv";
const ACCOUNT_KEY: &str = "service-account.key";

/// How long the parts may take to end by themselves before a test goes on without.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
