//! What one user of delivery cannot do to the others, and to the machine.

#[path = "delivery/stage.rs"]
mod stage;

use std::{path::Path, time::Duration};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use delivery::{
    git::{
        Budget, Credentials, Git, GitError, Identity, Reference, RemoteUrl, Repositories,
        Repository,
    },
    render::{self, Variables, kustomize::Kustomize},
    tree::Snapshot,
};
use kit::exec::{confine, launch_through};
use serde_json::{Value, json};
use tests::{
    ControlPlane, Controller, ControllerBuilder, Failure, GitRepository, GitServer, Observation,
    cache, eventually,
};

use crate::stage::{Shared, Stage};

async fn stage() -> Result<Stage<'static>, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    tests::share(&SHARED, Shared::start).await?.stage().await
}

#[tokio::test]
async fn who_may_not_apply_an_object_does_not_keep_it_from_being_pruned() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("left", "one", "left")?;
    stage.write("left", "stays", "left")?;
    stage.write("right", "one", "right")?;
    stage.deliver("./left").await?;
    stage.ready("app").await?;
    stage.account("nobody").await?;
    let tenant = stage.kustomization("tenant", "./right");
    let tenant = stage::with(tenant, json!({"serviceAccountName": "nobody"}));
    stage.cluster.create(&tenant).await?;
    let told = &["ConfigMap", "forbidden"];
    stage
        .refused(&stage.at("tenant"), "ReconciliationFailed", told)
        .await?;
    // Who may look but not write is no better.
    stage.allow("nobody", &["get"]).await?;
    eventually("the refusal of the patch", async || {
        let conditions = stage.status("tenant").await?["conditions"].to_string();
        Ok(Observation::when(
            conditions.contains("cannot patch"),
            || conditions,
        ))
    })
    .await?;
    stage.repository.remove("left/one.yaml")?;
    stage.repository.commit("less").await?;
    stage.gone("one").await?;
    stage.holds("stays", "left").await
}

#[tokio::test]
async fn what_a_tenant_only_skips_is_no_claim_of_its() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("left", "one", "left")?;
    stage.write("left", "stays", "left")?;
    let skipped = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "one", "namespace": stage.namespace,
            "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"},
        },
    });
    stage
        .repository
        .write("right/one.yaml", skipped.to_string())?;
    stage.deliver("./left").await?;
    stage.ready("app").await?;
    let tenant = stage.kustomization("tenant", "./right");
    stage.cluster.create(&tenant).await?;
    stage.ready("tenant").await?;
    stage.repository.remove("left/one.yaml")?;
    stage.repository.commit("less").await?;
    stage.gone("one").await
}

#[tokio::test]
async fn a_kustomization_whose_account_is_gone_can_be_deleted() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.account("deployer").await?;
    stage.allow("deployer", &["*"]).await?;
    let app = stage.kustomization("app", "./");
    let app = stage::with(app, json!({"serviceAccountName": "deployer"}));
    stage.deliver_all(&[app]).await?;
    stage.ready("app").await?;
    let uid = stage.cluster.must_get(&stage.at("app")).await?["metadata"]["uid"].clone();
    stage.cluster.delete(&stage.account_at("deployer")).await?;
    stage.cluster.delete(&stage.role_at("deployer")).await?;
    stage.cluster.delete(&stage.at("app")).await?;
    assert!(
        stage.cluster.get(&stage.at("app")).await?.is_none(),
        "{uid}"
    );
    let event = stage.cluster.event(&stage.at("app"), "PruneFailed").await?;
    let told = event["message"].as_str().unwrap_or_default();
    for text in ["ConfigMap", "one", "deployer", "does not exist"] {
        assert!(told.contains(text), "{told}");
    }
    stage.holds("one", "first").await
}

/// The incumbent's definition knows nothing of what we remember.
#[tokio::test]
async fn a_foreign_definition_is_named_once() -> Result<(), Failure> {
    let mut definitions = Vec::new();
    for text in tests::definitions()? {
        for document in crds::yaml::documents(&text).map_err(|error| Failure::new(error.message))? {
            definitions.push(without_written(document.value).to_string());
        }
    }
    let plane = ControlPlane::start_with(&definitions).await?;
    let cluster = plane.cluster().await?;
    let own = cluster.namespace("delivery").await?;
    let controller = ControllerBuilder::new(plane.admin(), &own)?;
    let controller = controller.parts("delivery").start().await?;
    let stage = Stage::of(cluster, &controller).await?;
    stage.write("", "one", "first")?;
    let names = ["app", "second"];
    stage
        .deliver_all(&names.map(|name| stage.kustomization(name, "./")))
        .await?;
    stage.holds("one", "first").await?;
    controller
        .logged("the installed CRD drops status.written")
        .await?;
    stage.write("", "one", "second")?;
    stage.repository.commit("second").await?;
    stage.holds("one", "second").await?;
    assert_eq!(lines_of(&controller, "drops status.written")?, 1);
    Ok(())
}

fn without_written(mut definition: Value) -> Value {
    let versions = definition
        .pointer_mut("/spec/versions")
        .and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        let status = "/schema/openAPIV3Schema/properties/status/properties";
        if let Some(Value::Object(properties)) = version.pointer_mut(status) {
            properties.remove("written");
        }
    }
    definition
}

fn lines_of(controller: &Controller, text: &str) -> Result<usize, Failure> {
    Ok(controller
        .log()?
        .lines()
        .filter(|line| line.contains(text))
        .count())
}

#[tokio::test]
async fn a_kernel_that_cannot_confine_children_is_told_once() -> Result<(), Failure> {
    let stage = stage().await?;
    let told = lines_of(stage.controller, "has no Landlock")?;
    assert_eq!(told, usize::from(!confine::is_enforced()));
    Ok(())
}

/// A repository on a server, and what the controller keeps of it within a small budget.
struct Kept {
    _server: GitServer,
    remote: GitRepository,
    root: tempfile::TempDir,
    repositories: Repositories,
}

impl Kept {
    async fn new() -> Result<Self, Failure> {
        launch_through(&cache::own_program("controller")?);
        let server = GitServer::start(None).await?;
        let remote = server.create("app").await?;
        let root = tempfile::tempdir()?;
        let git = Git::find().await.map_err(failed)?;
        let repositories = Repositories::new(git, root.path()).map_err(failed)?;
        let repositories = repositories.with_budget(Budget {
            pack_bytes: 2 << 20,
            repository_bytes: 6 << 20,
        });
        Ok(Self {
            _server: server,
            remote,
            root,
            repositories,
        })
    }

    fn repository(&self) -> std::sync::Arc<Repository> {
        let url = RemoteUrl::parse(self.remote.url()).expect("a URL").0;
        self.repositories.repository(&url, &Identity::Anonymous)
    }

    /// Commits a file of random bytes, and fetches.
    async fn fetch(&self, bytes: usize) -> Result<Result<(), GitError>, Failure> {
        let mut content = vec![0; bytes];
        SystemRandom::new()
            .fill(&mut content)
            .map_err(|_| Failure::new("no random bytes"))?;
        self.remote.write("blob", content)?;
        self.remote.commit("more").await?;
        let url = RemoteUrl::parse(self.remote.url()).expect("a URL").0;
        let main = Reference::Branch("main".into());
        let anonymous = Credentials::default();
        let repository = self.repository();
        let fetched = repository.update(&url, &anonymous, &main, LONGEST_FETCH);
        Ok(fetched.await.map(drop))
    }

    fn size(&self) -> u64 {
        size(self.root.path())
    }
}

const LONGEST_FETCH: Duration = Duration::from_secs(60);

fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

fn failed(error: GitError) -> Failure {
    Failure::new(error.to_string())
}

#[tokio::test]
async fn t39_a_fetch_that_sends_too_much_is_ended_and_leaves_nothing() -> Result<(), Failure> {
    let kept = Kept::new().await?;
    kept.fetch(1_000).await?.map_err(failed)?;
    let before = kept.size();
    let error = kept.fetch(5 << 20).await?.expect_err("an error");
    assert!(matches!(error, GitError::PackTooLarge { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains(kept.remote.url()) && said.contains("more than 2 MiB"),
        "{said}"
    );
    assert!(
        kept.size() < before + (1 << 20),
        "{} after {before}",
        kept.size()
    );
    kept.fetch(2_000).await?.map_err(failed)
}

#[tokio::test]
async fn many_fetches_stay_within_the_budget_of_the_disk() -> Result<(), Failure> {
    let kept = Kept::new().await?;
    for _ in 0..12 {
        kept.fetch(1 << 20).await?.map_err(failed)?;
        assert!(kept.size() <= 6 << 20, "{} bytes", kept.size());
    }
    Ok(())
}

/// Git follows `objects/info/alternates` wherever it leads.
#[tokio::test]
async fn git_reads_no_repository_but_its_own() -> Result<(), Failure> {
    let (victim, attacker) = (Kept::new().await?, Kept::new().await?);
    victim.fetch(1_000).await?.map_err(failed)?;
    attacker.fetch(1_000).await?.map_err(failed)?;
    let commit = victim.remote.git(&["rev-parse", "HEAD"]).await?;
    let commit = delivery::git::Oid::parse(commit.trim()).expect("a commit");
    let only = |kept: &Kept| {
        let mut entries = std::fs::read_dir(kept.root.path()).expect("a directory");
        entries
            .next()
            .expect("a repository")
            .expect("a repository")
            .path()
    };
    let alternates = only(&attacker).join("objects/info/alternates");
    std::fs::write(
        alternates,
        only(&victim).join("objects").display().to_string(),
    )?;
    victim.repository().list(commit).await.map_err(failed)?;
    let stolen = attacker.repository().list(commit).await;
    assert_eq!(stolen.is_err(), confine::is_enforced());
    Ok(())
}

#[tokio::test]
async fn a_build_that_needs_too_much_memory_says_so() -> Result<(), Failure> {
    let kept = Kept::new().await?;
    kept.remote
        .write("kustomization.yaml", "resources: [one.yaml]\n")?;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n";
    kept.remote.write("one.yaml", map)?;
    kept.fetch(1).await?.map_err(failed)?;
    let commit = kept.remote.git(&["rev-parse", "HEAD"]).await?;
    let commit = delivery::git::Oid::parse(commit.trim()).expect("a commit");
    let repository = kept.repository();
    let listed = repository.list(commit).await.map_err(failed)?;
    let tree = Snapshot::new(listed, None, &*repository).await;
    let tree = tree.map_err(|error| Failure::new(error.to_string()))?;
    let build = async |memory| {
        let program = cache::SIGNET_KUSTOMIZE.program("signet-kustomize")?;
        let kustomize = Kustomize::new(program).with_memory(memory);
        let rendering = render::plan(&tree, &*repository, &Default::default(), "").await;
        let rendering = rendering.map_err(|error| Failure::new(error.to_string()))?;
        let built = rendering.run(&tree, &*repository, Some(&kustomize), Variables::default());
        Ok::<_, Failure>(
            built
                .await
                .map(|(manifests, _)| manifests.len())
                .map_err(|error| error.to_string()),
        )
    };
    assert_eq!(build(1 << 30).await?, Ok(1));
    let error = build(40 << 20).await?.expect_err("too little memory");
    assert!(error.contains("more than 40 MiB of memory"), "{error}");
    Ok(())
}
