//! Git to cluster: pulled, rendered, applied, kept, pruned; and every bad input told of.

#[path = "delivery/stage.rs"]
mod stage;

use serde_json::json;
use tests::{Coordinates, Failure, Observation, eventually, objects};

use crate::stage::{Shared, Stage};

async fn stage() -> Result<Stage<'static>, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    tests::share(&SHARED, Shared::start).await?.stage().await
}

#[tokio::test]
async fn a_plain_directory_is_applied() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("deploy", "one", "first")?;
    stage
        .repository
        .write("deploy/nested/two.yml", stage.manifest("two", "second"))?;
    stage
        .repository
        .write("deploy/README.md", "not a manifest")?;
    let commit = stage.deliver("./deploy").await?;
    stage.holds("one", "first").await?;
    stage.holds("two", "second").await?;
    stage.ready("app").await?;
    let kustomization = stage.cluster.must_get(&stage.at("app")).await?;
    let revision = format!("main@sha1:{commit}");
    assert_eq!(kustomization["status"]["lastAppliedRevision"], revision);
    let namespace = &stage.namespace;
    let ids = [
        format!("{namespace}_one__ConfigMap"),
        format!("{namespace}_two__ConfigMap"),
    ];
    let entries = ids.map(|id| json!({"id": id, "v": "v1"}));
    assert_eq!(
        kustomization["status"]["inventory"]["entries"],
        json!(entries)
    );
    let one = stage.cluster.must_get(&stage.config_map("one")).await?;
    let labels = &one["metadata"]["labels"];
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/name"], "app");
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/namespace"], *namespace);
    let manager = &one["metadata"]["managedFields"][0];
    assert_eq!(manager["manager"], "kustomize-controller");
    assert_eq!(manager["operation"], "Apply");
    Ok(())
}

#[tokio::test]
async fn an_overlay_is_rendered_by_kustomize() -> Result<(), Failure> {
    let stage = stage().await?;
    let repository = &stage.repository;
    repository.write("base/one.yaml", stage.manifest("one", "base"))?;
    repository.write("base/kustomization.yaml", "resources: [one.yaml]\n")?;
    let overlay = format!(
        "resources: [../base]\nnamePrefix: production-\nnamespace: {}\npatches:\n  \
         - patch: |-\n      - {{op: replace, path: /data/key, value: patched}}\n    \
         target: {{kind: ConfigMap}}\n",
        stage.namespace
    );
    repository.write("overlay/kustomization.yaml", overlay)?;
    stage.deliver("./overlay").await?;
    stage.holds("production-one", "patched").await?;
    stage.ready("app").await?;
    Ok(())
}

#[tokio::test]
async fn drift_is_corrected_and_deleted_objects_are_back() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "from-git")?;
    stage.deliver("./").await?;
    stage.holds("one", "from-git").await?;
    stage.ready("app").await?;
    let edit = json!({"data": {"key": "by-hand"}});
    stage.cluster.merge(&stage.config_map("one"), &edit).await?;
    stage.holds("one", "from-git").await?;
    stage.cluster.delete(&stage.config_map("one")).await?;
    stage.holds("one", "from-git").await
}

#[tokio::test]
async fn what_is_not_in_git_is_left_to_others() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.deliver("./").await?;
    stage.holds("one", "first").await?;
    // With another field manager; what kubectl adds is taken away, as by Flux.
    let more = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "one", "namespace": stage.namespace, "labels": {"team": "shop"},
        },
        "data": {"more": "theirs"},
    });
    stage.cluster.apply_value(&more).await?;
    stage.write("", "one", "second")?;
    stage.repository.commit("second").await?;
    stage.holds("one", "second").await?;
    let one = stage.cluster.must_get(&stage.config_map("one")).await?;
    assert_eq!(one["data"]["more"], "theirs");
    assert_eq!(one["metadata"]["labels"]["team"], "shop");
    Ok(())
}

#[tokio::test]
async fn a_new_commit_is_applied_and_what_it_removes_is_pruned() -> Result<(), Failure> {
    let stage = stage().await?;
    for name in ["stays", "goes"] {
        stage
            .repository
            .write(&format!("{name}.yaml"), stage.manifest(name, "first"))?;
    }
    stage.deliver("./").await?;
    stage.holds("goes", "first").await?;
    stage.write("", "stays", "second")?;
    stage.repository.remove("goes.yaml")?;
    let commit = stage.repository.commit("second").await?;
    stage.holds("stays", "second").await?;
    stage.gone("goes").await?;
    eventually("the new revision", async || {
        let status = stage.cluster.must_get(&stage.at("app")).await?["status"].clone();
        let applied = status["lastAppliedRevision"] == format!("main@sha1:{commit}");
        let entries = status["inventory"]["entries"].as_array().map(Vec::len);
        Ok(Observation::when(applied && entries == Some(1), || {
            status.to_string()
        }))
    })
    .await
}

#[tokio::test]
async fn without_prune_what_git_removes_stays() -> Result<(), Failure> {
    let stage = stage().await?;
    for name in ["stays", "orphan"] {
        stage
            .repository
            .write(&format!("{name}.yaml"), stage.manifest(name, "first"))?;
    }
    stage.repository.commit("first").await?;
    stage.cluster.create(&stage.source()).await?;
    let mut object = stage.kustomization("app", "./");
    object["spec"]["prune"] = json!(false);
    stage.cluster.create(&object).await?;
    stage.holds("orphan", "first").await?;
    stage.write("", "stays", "second")?;
    stage.repository.remove("orphan.yaml")?;
    let commit = stage.repository.commit("second").await?;
    stage.holds("stays", "second").await?;
    eventually("the new revision", async || {
        let status = stage.cluster.must_get(&stage.at("app")).await?["status"].clone();
        let applied = status["lastAppliedRevision"] == format!("main@sha1:{commit}");
        Ok(Observation::when(applied, || status.to_string()))
    })
    .await?;
    stage.holds("orphan", "first").await
}

#[tokio::test]
async fn a_deleted_kustomization_takes_its_objects_with_it() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.deliver("./").await?;
    stage.holds("one", "first").await?;
    stage.ready("app").await?;
    stage.cluster.delete(&stage.at("app")).await?;
    stage.gone("one").await
}

#[tokio::test]
async fn a_suspended_kustomization_applies_nothing() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.deliver("./").await?;
    stage.holds("one", "first").await?;
    stage
        .cluster
        .merge(&stage.at("app"), &json!({"spec": {"suspend": true}}))
        .await?;
    stage.write("", "one", "second")?;
    let commit = stage.repository.commit("second").await?;
    eventually("the pull of the new commit", async || {
        let status = stage.cluster.must_get(&stage.source_at()).await?["status"].clone();
        let pulled = status["artifact"]["revision"] == format!("main@sha1:{commit}");
        Ok(Observation::when(pulled, || status.to_string()))
    })
    .await?;
    stage.holds("one", "first").await?;
    stage
        .cluster
        .merge(&stage.at("app"), &json!({"spec": {"suspend": false}}))
        .await?;
    stage.holds("one", "second").await
}

#[tokio::test]
async fn a_repository_without_a_password_needs_no_secret() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.server.set_credentials(None);
    stage.write("", "one", "first")?;
    stage.repository.commit("first").await?;
    let mut source = stage.source();
    source["spec"]["secretRef"].take();
    stage.cluster.create(&source).await?;
    stage
        .cluster
        .create(&stage.kustomization("app", "./"))
        .await?;
    stage.holds("one", "first").await
}

#[tokio::test]
async fn a_wrong_password_is_told_without_showing_it() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    let wrong = json!({"stringData": {"password": "hunter2-wrong"}});
    stage
        .cluster
        .merge(&Coordinates::secret(&stage.namespace, "git"), &wrong)
        .await?;
    stage.deliver("./").await?;
    let at = stage.source_at();
    stage
        .refused(&at, "GitOperationFailed", &["authentication"])
        .await?;
    let source = stage.cluster.must_get(&at).await?;
    assert!(
        !source["status"].to_string().contains("hunter2"),
        "{}",
        source["status"]
    );
    assert!(!stage.controller.log()?.contains("hunter2"));
    let right = json!({"stringData": {"password": "a password"}});
    stage
        .cluster
        .merge(&Coordinates::secret(&stage.namespace, "git"), &right)
        .await?;
    stage.holds("one", "first").await
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let mut stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.deliver("./").await?;
    stage.holds("one", "first").await?;
    stage.server.stop();
    stage
        .refused(&stage.source_at(), "GitOperationFailed", &["127.0.0.1"])
        .await?;
    stage.holds("one", "first").await?;
    stage.write("", "one", "second")?;
    stage.repository.commit("second").await?;
    stage.server.resume().await?;
    stage.holds("one", "second").await?;
    stage
        .cluster
        .condition(&stage.source_at(), "Ready", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_branch_that_does_not_exist_is_named() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.repository.commit("first").await?;
    let mut source = stage.source();
    source["spec"]["ref"]["branch"] = json!("nowhere");
    stage.cluster.create(&source).await?;
    stage
        .refused(&stage.source_at(), "GitOperationFailed", &["nowhere"])
        .await
}

#[tokio::test]
async fn a_secret_of_the_source_that_does_not_exist_is_named() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.repository.commit("empty").await?;
    let mut source = stage.source();
    source["spec"]["secretRef"]["name"] = json!("absent");
    stage.cluster.create(&source).await?;
    stage
        .refused(&stage.source_at(), "AuthenticationFailed", &["absent"])
        .await
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_named_and_nothing_is_pruned() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("deploy", "one", "first")?;
    stage.deliver("./deploy").await?;
    stage.holds("one", "first").await?;
    let patch = json!({"spec": {"path": "./elsewhere"}});
    stage.cluster.merge(&stage.at("app"), &patch).await?;
    stage
        .refused(&stage.at("app"), "ArtifactFailed", &["elsewhere"])
        .await?;
    stage.holds("one", "first").await
}

#[tokio::test]
async fn yaml_that_does_not_parse_is_told_with_file_and_line() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.deliver("./").await?;
    stage.holds("one", "first").await?;
    let broken = format!("{}  bad: [unclosed\n", stage.manifest("one", "second"));
    stage.repository.write("one.yaml", broken)?;
    stage.repository.commit("broken").await?;
    stage
        .refused(&stage.at("app"), "BuildFailed", &["one.yaml", "line"])
        .await?;
    stage.holds("one", "first").await?;
    stage.write("", "one", "third")?;
    stage.repository.commit("mended").await?;
    stage.holds("one", "third").await
}

#[tokio::test]
async fn an_object_that_the_api_server_refuses_does_not_stop_the_others() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "a", "first")?;
    stage
        .repository
        .write("b.yaml", stage.manifest("Not_A_Name", "first"))?;
    stage.write("", "c", "first")?;
    stage.deliver("./").await?;
    stage.holds("a", "first").await?;
    stage.holds("c", "first").await?;
    stage
        .refused(&stage.at("app"), "ReconciliationFailed", &["Not_A_Name"])
        .await
}

#[tokio::test]
async fn a_secret_that_the_api_server_refuses_is_told_without_its_value() -> Result<(), Failure> {
    let stage = stage().await?;
    let secret = objects::secret(&stage.namespace, "Bad_Name", &[("key", b"canary-7d1e")]);
    stage.repository.write("bad.yaml", secret.to_string())?;
    stage.deliver("./").await?;
    stage
        .refused(&stage.at("app"), "ReconciliationFailed", &["Bad_Name"])
        .await?;
    let told = stage.cluster.must_get(&stage.at("app")).await?["status"].to_string();
    let log = stage.controller.log()?;
    for form in ["canary-7d1e", "Y2FuYXJ5LTdkMWU="] {
        assert!(!told.contains(form), "{told}");
        assert!(!log.contains(form), "the log holds the canary");
    }
    Ok(())
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_named_and_does_not_stop_the_others() -> Result<(), Failure> {
    let stage = stage().await?;
    let unknown = format!(
        "apiVersion: example.com/v1\nkind: Unknown\nmetadata: {{name: x, namespace: {}}}\n",
        stage.namespace
    );
    stage.repository.write("a.yaml", unknown)?;
    stage.write("", "b", "first")?;
    stage.deliver("./").await?;
    stage.holds("b", "first").await?;
    stage
        .refused(&stage.at("app"), "ReconciliationFailed", &["Unknown"])
        .await
}

#[tokio::test]
async fn a_kustomization_without_its_source_says_so() -> Result<(), Failure> {
    let stage = stage().await?;
    stage
        .cluster
        .create(&stage.kustomization("app", "./"))
        .await?;
    stage
        .refused(&stage.at("app"), "ArtifactFailed", &["app"])
        .await?;
    stage.write("", "one", "first")?;
    stage.repository.commit("first").await?;
    stage.cluster.create(&stage.source()).await?;
    stage.holds("one", "first").await
}
