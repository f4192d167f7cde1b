//! Values that must be seen nowhere: planted everywhere they belong, searched for everywhere they
//! could leak to. Each sink is first shown to find a leak that is planted in it.

mod world;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;
use tests::{
    Cluster, ControlPlane, Coordinates, Failure, Fault, Observation, ProcessBuilder, Scratch,
    eventually, objects,
};
use world::{APPLICATION, Outside, Values, World, vector_key};

const LOG: &str = "stdout and stderr";
const OBJECTS: &str = "events, status and metadata of objects";
const METRICS: &str = "metrics";
const FILES: &str = "files";
const COMMAND_LINES: &str = "command lines of children";
const ENVIRONMENTS: &str = "environments of children";

#[tokio::test]
async fn t11_no_secret_value_is_seen_anywhere() -> Result<(), Failure> {
    let values = Values {
        sealed: String::from("canary-sealed-8f2e61"),
        from_aws: String::from("canary-from-aws-77b0c4"),
        rotated: String::from("canary-rotated-1d95ae"),
        git_password: String::from("canary-git-password-c03f"),
        access_key: String::from("canary-access-key-55d812"),
    };
    let outside = Outside::set(values.clone()).await?;
    let world = World::set(&outside).await?;
    let files = Scratch::new("canary-files")?;
    let builder = world
        .builder
        .clone()
        .env("TMPDIR", files.path())
        .env("HOME", files.path())
        .env("XDG_CACHE_HOME", files.path())
        .flag("log-level", "debug");
    // Children live long enough to be looked at.
    outside
        .git
        .faults()
        .next("fetch", 3, Fault::Delay(Duration::from_millis(300)));
    let mut controller = builder.start().await?;
    let children = Children::of(controller.process().id());
    world.deliver(&outside).await?;
    go_wrong(&world, &outside).await?;
    world.change(&outside).await?;
    assert!(children.seen() > 0, "no child of the controller was seen");

    let sinks = Sinks {
        cluster: world.cluster.clone(),
        log: controller.process().log().to_owned(),
        metrics: controller.metrics().await?,
        files: files.path().to_owned(),
        children,
    };
    let private = vector_key("pkcs1")?;
    let key_line = private.lines().nth(10).unwrap_or_default().to_owned();
    for value in [
        &values.sealed,
        &values.from_aws,
        &values.rotated,
        &values.access_key,
        &key_line,
    ] {
        let found = sinks.find(value).await?;
        assert!(found.is_empty(), "{value} is in: {found:?}");
    }
    // Git has no other way to be told a password than its environment.
    let found = sinks.find(&values.git_password).await?;
    assert!(
        found.iter().all(|sink| *sink == ENVIRONMENTS),
        "the password of Git is in: {found:?}"
    );
    Ok(())
}

/// Errors quote what they are about: provokes those that are about secrets.
async fn go_wrong(world: &World, outside: &Outside) -> Result<(), Failure> {
    let sealed = Coordinates::new(
        "bitnami.com/v1alpha1",
        "SealedSecret",
        APPLICATION,
        "db-creds",
    );
    let item = world.cluster.must_get(&sealed).await?["spec"]["encryptedData"]["password"].clone();
    // The good item is opened, the bad one stops the object.
    let mut bad = objects::sealed_secret(APPLICATION, "db-creds-bad", &[("bad", "AgBcdef=")]);
    bad["spec"]["encryptedData"]["password"] = item.clone();
    world.cluster.create(&bad).await?;
    // A value that the API server refuses: it quotes what it refuses.
    let mut refused = objects::sealed_secret(APPLICATION, "db-creds", &[]);
    refused["metadata"]["name"] = json!("typed");
    refused["spec"]["encryptedData"]["password"] = item;
    refused["spec"]["template"] = json!({"type": "kubernetes.io/dockerconfigjson"});
    world.cluster.create(&refused).await?;
    for name in ["db-creds-bad", "typed"] {
        let at = Coordinates::new("bitnami.com/v1alpha1", "SealedSecret", APPLICATION, name);
        world.cluster.condition(&at, "Synced", "False").await?;
    }
    let group = "external-secrets.io/v1";
    let external = Coordinates::new(group, "ExternalSecret", APPLICATION, "database-credentials");
    for operation in ["GetSecretValue", "BatchGetSecretValue"] {
        outside.aws.faults().always(operation, Fault::Cut);
    }
    world.cluster.condition(&external, "Ready", "False").await?;
    outside.aws.faults().clear();
    world.cluster.condition(&external, "Ready", "True").await?;
    outside
        .git
        .faults()
        .next("advertise", 2, Fault::status(500));
    Ok(())
}

#[tokio::test]
async fn a_planted_leak_is_found_in_each_sink() -> Result<(), Failure> {
    let leak = "canary-planted-3b9f";
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("canary").await?;
    let scratch = Scratch::new("planted")?;
    let mut sinks = Sinks {
        cluster: cluster.clone(),
        log: scratch.path().join("log"),
        metrics: String::new(),
        files: scratch.path().join("files"),
        children: Children::of(std::process::id()),
    };
    std::fs::create_dir(&sinks.files)?;
    std::fs::write(&sinks.log, "nothing")?;
    assert_eq!(sinks.find(leak).await?, BTreeSet::new());

    let encoded = STANDARD_NO_PAD.encode(format!("user:{leak}:more"));
    std::fs::write(&sinks.log, format!("Authorization: Basic {encoded}"))?;
    assert_eq!(sinks.find(leak).await?, BTreeSet::from([LOG]));
    std::fs::write(&sinks.log, "nothing")?;

    sinks.metrics = format!("signet_things{{name=\"{leak}\"}} 1");
    assert_eq!(sinks.find(leak).await?, BTreeSet::from([METRICS]));
    sinks.metrics.clear();

    std::fs::write(sinks.files.join("left"), leak)?;
    assert_eq!(sinks.find(leak).await?, BTreeSet::from([FILES]));
    std::fs::remove_file(sinks.files.join("left"))?;

    let annotated = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "x", "namespace": namespace, "annotations": {"note": leak}},
    });
    let at = cluster.apply_value(&annotated).await?;
    assert_eq!(sinks.find(leak).await?, BTreeSet::from([OBJECTS]));
    cluster.delete(&at).await?;
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "message": leak, "reason": "Planted",
        "metadata": {"name": "x", "namespace": namespace},
        "involvedObject": {"kind": "Namespace", "name": namespace, "namespace": namespace},
    });
    let at = cluster.apply_value(&event).await?;
    assert_eq!(sinks.find(leak).await?, BTreeSet::from([OBJECTS]));
    cluster.delete(&at).await?;

    let sleeper = ProcessBuilder::new("sleeper", Path::new("/bin/sleep")).arg("60");
    let _child = sleeper.clone().env("LEAK", leak).start(scratch.path())?;
    sinks.found_soon(leak, ENVIRONMENTS).await?;
    let shell = ProcessBuilder::new("shell", Path::new("/bin/sh"));
    let _child = shell
        .args(["-c", "sleep 60; true", leak])
        .start(scratch.path())?;
    sinks.found_soon(leak, COMMAND_LINES).await
}

/// Everything that could show a value.
struct Sinks {
    cluster: Cluster,
    log: PathBuf,
    metrics: String,
    files: PathBuf,
    children: Children,
}

impl Sinks {
    /// The sinks that hold a value, plainly or encoded.
    async fn find(&self, value: &str) -> Result<BTreeSet<&'static str>, Failure> {
        let forms = forms(value);
        let holds = |text: &str| forms.iter().any(|form| text.contains(form));
        let mut found = BTreeSet::new();
        if holds(&String::from_utf8_lossy(&std::fs::read(&self.log)?)) {
            found.insert(LOG);
        }
        if holds(&self.metrics) {
            found.insert(METRICS);
        }
        if holds(&self.objects().await?) {
            found.insert(OBJECTS);
        }
        let mut files = String::new();
        read_all(&self.files, &mut files)?;
        if holds(&files) {
            found.insert(FILES);
        }
        let (lines, environments) = self.children.texts();
        if holds(&lines) {
            found.insert(COMMAND_LINES);
        }
        if holds(&environments) {
            found.insert(ENVIRONMENTS);
        }
        Ok(found)
    }

    async fn found_soon(&self, value: &str, sink: &'static str) -> Result<(), Failure> {
        eventually(&format!("the planted leak in {sink}"), async || {
            let found = self.find(value).await?;
            Ok(Observation::when(found.contains(sink), || {
                format!("{found:?}")
            }))
        })
        .await
    }

    /// All objects that the controller writes or could write, but for the data of Secrets, which is
    /// where the values belong.
    async fn objects(&self) -> Result<String, Failure> {
        let mut text = String::new();
        for (api_version, kind) in [
            ("v1", "Event"),
            ("v1", "Secret"),
            ("v1", "ConfigMap"),
            ("v1", "Namespace"),
            ("v1", "Service"),
            ("apps/v1", "Deployment"),
            ("coordination.k8s.io/v1", "Lease"),
            ("bitnami.com/v1alpha1", "SealedSecret"),
            ("external-secrets.io/v1", "ExternalSecret"),
            ("external-secrets.io/v1", "SecretStore"),
            ("external-secrets.io/v1", "ClusterSecretStore"),
            ("source.toolkit.fluxcd.io/v1", "GitRepository"),
            ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
        ] {
            for mut object in self.cluster.list(api_version, kind, "").await? {
                if kind == "Secret" {
                    object["data"].take();
                }
                text.push_str(&object.to_string());
                text.push('\n');
            }
        }
        Ok(text)
    }
}

/// A value as it is, in hexadecimal, and in base64 wherever in a longer text it stands.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    forms.push(value.bytes().map(|byte| format!("{byte:02x}")).collect());
    for before in 0..3 {
        let text = STANDARD_NO_PAD.encode(format!("{}{value}", "-".repeat(before)));
        // The first and last digits also depend on what is around.
        let first = if before == 0 { 0 } else { before + 1 };
        let inner = text.get(first..text.len() - 2).unwrap_or_default();
        forms.push(inner.to_owned());
    }
    forms
}

fn read_all(directory: &Path, into: &mut String) -> Result<(), Failure> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            read_all(&entry.path(), into)?;
        } else if let Ok(content) = std::fs::read(entry.path()) {
            into.push_str(&String::from_utf8_lossy(&content));
        }
    }
    Ok(())
}

/// The command lines and environments of all children that a process has, looked at again and again.
struct Children {
    state: Arc<Mutex<Seen>>,
    ended: Arc<AtomicBool>,
}

#[derive(Default)]
struct Seen {
    processes: BTreeSet<u32>,
    lines: BTreeSet<String>,
    environments: BTreeSet<String>,
}

impl Children {
    fn of(parent: u32) -> Self {
        let this = Self {
            state: Arc::default(),
            ended: Arc::default(),
        };
        let (state, ended) = (Arc::clone(&this.state), Arc::clone(&this.ended));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                look(parent, &state);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        this
    }

    fn seen(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .processes
            .len()
    }

    fn texts(&self) -> (String, String) {
        let seen = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let join = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>().join("\n");
        (join(&seen.lines), join(&seen.environments))
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn look(parent: u32, state: &Mutex<Seen>) {
    let tasks = format!("/proc/{parent}/task");
    for task in std::fs::read_dir(tasks).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            let read = |file: &str| {
                let bytes = std::fs::read(format!("/proc/{child}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let (line, environment) = (read("cmdline"), read("environ"));
            {
                let mut seen = state.lock().unwrap_or_else(PoisonError::into_inner);
                seen.processes.insert(child);
                seen.lines.insert(line);
                seen.environments.insert(environment);
            }
            // git has children of its own, which do the talking.
            look(child, state);
        }
    }
}
