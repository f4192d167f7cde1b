//! What delivery does beyond applying a directory: order, health, variables, identities, moves, requests.

#[path = "delivery/stage.rs"]
mod stage;

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Observation, eventually};
use tokio::sync::OnceCell;

use crate::stage::{Shared, Stage, with};

async fn stage() -> Result<Stage<'static>, Failure> {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_try_init(Shared::start).await?.stage().await
}

#[tokio::test]
async fn a_request_looks_at_everything_and_is_acknowledged() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    stage.deliver("./").await?;
    stage.ready("app").await?;
    let request =
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "just now"}}});
    for at in [stage.source_at(), stage.at("app")] {
        stage.cluster.merge(&at, &request).await?;
        eventually("the acknowledgement", async || {
            let status = stage.cluster.must_get(&at).await?["status"].clone();
            let handled = status["lastHandledReconcileAt"] == "just now";
            Ok(Observation::when(handled, || status.to_string()))
        })
        .await?;
        stage.cluster.condition(&at, "Ready", "True").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_kind_and_its_objects_come_in_one_kustomization() -> Result<(), Failure> {
    let stage = stage().await?;
    let group = format!("{}.example.org", stage.namespace);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    });
    let thing = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"name": "first", "namespace": stage.namespace}, "size": 1,
    });
    // The object's file comes before its kind's.
    stage.repository.write("a.yaml", thing.to_string())?;
    stage.repository.write("b.yaml", definition.to_string())?;
    stage.deliver("./").await?;
    stage.ready("app").await?;
    let at = Coordinates::new(&format!("{group}/v1"), "Thing", &stage.namespace, "first");
    assert_eq!(stage.cluster.must_get(&at).await?["size"], 1);
    stage.cluster.merge(&at, &json!({"size": 2})).await?;
    eventually("the size from Git", async || {
        let size = stage.cluster.must_get(&at).await?["size"].clone();
        Ok(Observation::when(size == 1, || size.to_string()))
    })
    .await?;
    stage.cluster.delete(&stage.at("app")).await
}

#[tokio::test]
async fn a_dependent_waits_for_what_it_depends_on_and_follows_at_once() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("base", "one", "first")?;
    stage.write("top", "two", "first")?;
    let top = with(
        stage.kustomization("top", "./top"),
        json!({"retryInterval": "1h", "dependsOn": [{"name": "base"}]}),
    );
    stage.deliver_all(&[top]).await?;
    stage
        .refused(&stage.at("top"), "DependencyNotReady", &["base"])
        .await?;
    assert!(stage.cluster.get(&stage.config_map("two")).await?.is_none());
    stage
        .cluster
        .create(&stage.kustomization("base", "./base"))
        .await?;
    stage.holds("two", "first").await?;
    stage.write("base", "one", "second")?;
    stage.write("top", "two", "second")?;
    stage.repository.commit("second").await?;
    stage.holds("two", "second").await?;
    stage.holds("one", "second").await
}

#[tokio::test]
async fn waiting_ends_when_what_was_applied_is_healthy() -> Result<(), Failure> {
    let stage = stage().await?;
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work", "namespace": stage.namespace},
        "spec": {"suspend": false, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "work", "image": "example.org/none"}],
        }}},
    });
    stage.repository.write("job.yaml", job.to_string())?;
    stage
        .deliver_all(&[with(
            stage.kustomization("app", "./"),
            json!({"wait": true, "timeout": "5m"}),
        )])
        .await?;
    eventually("the wait for the Job", async || {
        let conditions = stage.status("app").await?["conditions"].clone();
        let waits = conditions
            .as_array()
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Healthy" && condition["status"] == "Unknown");
        Ok(Observation::when(waits, || conditions.to_string()))
    })
    .await?;
    assert_ne!(
        stage.status("app").await?["lastAppliedRevision"],
        stage.status("app").await?["lastAttemptedRevision"]
    );
    // No node runs it here: suspended Jobs count as done. Another manager says so, in a field that Git has,
    // so Git has to say it too.
    stage
        .repository
        .replace("job.yaml", "\"suspend\":false", "\"suspend\":true")?;
    stage.repository.commit("suspended").await?;
    stage
        .cluster
        .condition(&stage.at("app"), "Healthy", "True")
        .await?;
    stage.ready("app").await?;
    Ok(())
}

#[tokio::test]
async fn what_does_not_become_healthy_in_time_is_told_and_recovers() -> Result<(), Failure> {
    let stage = stage().await?;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk", "namespace": stage.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}}},
    });
    stage.repository.write("disk.yaml", claim.to_string())?;
    let checks = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "by-hand"}]);
    stage
        .deliver_all(&[with(
            stage.kustomization("app", "./"),
            json!({"healthChecks": checks, "timeout": "30s"}),
        )])
        .await?;
    eventually("the wait for the ConfigMap", async || {
        let status = stage.status("app").await?;
        Ok(Observation::when(
            status.to_string().contains("Running health checks"),
            || status.to_string(),
        ))
    })
    .await?;
    stage
        .refused(
            &stage.at("app"),
            "HealthCheckFailed",
            &["ConfigMap", "by-hand", "InProgress"],
        )
        .await?;
    let found = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-hand", "namespace": stage.namespace}});
    stage.cluster.create(&found).await?;
    stage.ready("app").await?;
    Ok(())
}

#[tokio::test]
async fn variables_are_put_in_and_a_missing_one_is_named() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "${region}-${size:=small}")?;
    let secret = tests::objects::secret(&stage.namespace, "variables", &[("region", b"north")]);
    stage.cluster.create(&secret).await?;
    let from = json!({"substituteFrom": [
        {"kind": "Secret", "name": "variables"},
        {"kind": "ConfigMap", "name": "absent", "optional": true},
    ]});
    stage
        .deliver_all(&[with(
            stage.kustomization("app", "./"),
            json!({"postBuild": from}),
        )])
        .await?;
    stage.holds("one", "north-small").await?;
    stage.write("", "one", "${region}-${number}")?;
    stage.repository.commit("more").await?;
    stage
        .refused(
            &stage.at("app"),
            "BuildFailed",
            &["ConfigMap", "one", "number"],
        )
        .await?;
    let inline = json!({"spec": {"postBuild": {"substitute": {"number": "seven"}}}});
    stage.cluster.merge(&stage.at("app"), &inline).await?;
    stage.holds("one", "north-seven").await
}

#[tokio::test]
async fn a_tenant_is_held_to_the_rights_of_its_account() -> Result<(), Failure> {
    let stage = stage().await?;
    let namespace = &stage.namespace;
    stage.account("deployer").await?;
    stage.write("", "one", "first")?;
    stage
        .deliver_all(&[with(
            stage.kustomization("app", "./"),
            json!({"serviceAccountName": "deployer"}),
        )])
        .await?;
    let who = format!("system:serviceaccount:{namespace}:deployer");
    stage
        .refused(
            &stage.at("app"),
            "ReconciliationFailed",
            &["ConfigMap", "forbidden", &who],
        )
        .await?;
    stage.allow("deployer", &["*"]).await?;
    stage.holds("one", "first").await
}

#[tokio::test]
async fn an_object_that_moves_to_another_kustomization_is_never_gone() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("left", "one", "first")?;
    stage.write("left", "stays", "first")?;
    stage.write("right", "two", "first")?;
    stage
        .deliver_all(&[
            stage.kustomization("left", "./left"),
            stage.kustomization("right", "./right"),
        ])
        .await?;
    for name in ["left", "right"] {
        stage.ready(name).await?;
    }
    let uid = stage.cluster.must_get(&stage.config_map("one")).await?["metadata"]["uid"].clone();
    stage.repository.remove("left/one.yaml")?;
    stage.write("right", "one", "moved")?;
    stage.repository.commit("moved").await?;
    stage.holds("one", "moved").await?;
    let moved = stage.cluster.must_get(&stage.config_map("one")).await?;
    assert_eq!(moved["metadata"]["uid"], uid);
    assert_eq!(
        moved["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"],
        "right"
    );
    eventually("the inventories", async || {
        let left = stage.status("left").await?["inventory"].to_string();
        let right = stage.status("right").await?["inventory"].to_string();
        let settled = !left.contains("_one_") && right.contains("_one_");
        Ok(Observation::when(settled, || format!("{left} {right}")))
    })
    .await?;
    assert_eq!(
        stage.cluster.must_get(&stage.config_map("one")).await?["metadata"]["uid"],
        uid
    );
    Ok(())
}

#[tokio::test]
async fn what_another_kustomization_has_is_not_taken() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("left", "one", "left")?;
    stage.write("right", "one", "right")?;
    stage
        .deliver_all(&[stage.kustomization("left", "./left")])
        .await?;
    stage.ready("left").await?;
    stage
        .cluster
        .create(&stage.kustomization("right", "./right"))
        .await?;
    let owner = format!("{}/left", stage.namespace);
    stage
        .refused(
            &stage.at("right"),
            "ReconciliationFailed",
            &["ConfigMap", &owner],
        )
        .await?;
    stage.holds("one", "left").await?;
    stage.cluster.delete(&stage.at("right")).await?;
    stage.holds("one", "left").await
}

#[tokio::test]
async fn what_cannot_be_changed_is_made_anew_only_where_that_is_allowed() -> Result<(), Failure> {
    let stage = stage().await?;
    let immutable = |value: &str| format!("{}immutable: true\n", stage.manifest("one", value));
    stage.repository.write("one.yaml", immutable("first"))?;
    stage.deliver("./").await?;
    stage.holds("one", "first").await?;
    stage.repository.write("one.yaml", immutable("second"))?;
    stage.repository.commit("second").await?;
    stage
        .refused(&stage.at("app"), "ReconciliationFailed", &["one", "force"])
        .await?;
    stage.holds("one", "first").await?;
    stage
        .cluster
        .merge(&stage.at("app"), &json!({"spec": {"force": true}}))
        .await?;
    stage.holds("one", "second").await
}

#[tokio::test]
async fn a_rival_is_named_and_does_not_win() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "from-git")?;
    stage.deliver("./").await?;
    stage.ready("app").await?;
    for _ in 0..3 {
        stage.holds("one", "from-git").await?;
        stage
            .cluster
            .merge(
                &stage.config_map("one"),
                &json!({"data": {"key": "by-hand"}}),
            )
            .await?;
    }
    stage.holds("one", "from-git").await?;
    eventually("the event that names the rival", async || {
        let events = stage.cluster.events(&stage.at("app")).await?;
        let told: Vec<String> = events
            .iter()
            .map(|event| event["message"].to_string())
            .collect();
        let named = told
            .iter()
            .any(|message| message.contains("was changed by kubectl-edit"));
        Ok(Observation::when(named, || told.join("\n")))
    })
    .await
}

#[tokio::test]
async fn objects_are_left_alone_where_they_say_so() -> Result<(), Failure> {
    let stage = stage().await?;
    let annotated = |name: &str, key: &str, value: &str| {
        let mut object: Value = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": stage.namespace, "annotations": {}}, "data": {"key": "first"}});
        object["metadata"]["annotations"][format!("kustomize.toolkit.fluxcd.io/{key}")] =
            json!(value);
        object.to_string()
    };
    stage
        .repository
        .write("kept.yaml", annotated("kept", "prune", "disabled"))?;
    stage
        .repository
        .write("once.yaml", annotated("once", "ssa", "IfNotPresent"))?;
    stage.write("", "gone", "first")?;
    stage.deliver("./").await?;
    stage.ready("app").await?;
    stage
        .cluster
        .merge(
            &stage.config_map("once"),
            &json!({"data": {"key": "theirs"}}),
        )
        .await?;
    for file in ["kept.yaml", "gone.yaml"] {
        stage.repository.remove(file)?;
    }
    stage.repository.commit("less").await?;
    stage.gone("gone").await?;
    stage.holds("kept", "first").await?;
    stage.holds("once", "theirs").await
}

#[tokio::test]
async fn what_is_not_served_is_said_and_nothing_of_it_is_done() -> Result<(), Failure> {
    let stage = stage().await?;
    stage.write("", "one", "first")?;
    let encrypted = with(
        stage.kustomization("app", "./"),
        json!({"decryption": {"provider": "sops"}}),
    );
    stage.deliver_all(&[encrypted]).await?;
    stage
        .refused(
            &stage.at("app"),
            "FeatureGateDisabled",
            &["spec.decryption"],
        )
        .await?;
    stage
        .cluster
        .condition(&stage.at("app"), "Stalled", "True")
        .await?;
    assert!(stage.cluster.get(&stage.config_map("one")).await?.is_none());
    stage
        .cluster
        .merge(
            &stage.source_at(),
            &json!({"spec": {"recurseSubmodules": true}}),
        )
        .await?;
    stage
        .refused(
            &stage.source_at(),
            "FeatureGateDisabled",
            &["spec.recurseSubmodules"],
        )
        .await?;
    assert!(!stage.server.requests().is_empty());
    Ok(())
}

/// The same files twice: once plain, which we render, and once below a kustomization file that lists them,
/// which the real kustomize renders. The objects must be the same, whatever YAML they are written in.
#[tokio::test]
async fn a_plain_directory_is_rendered_as_kustomize_renders_it() -> Result<(), Failure> {
    let stage = stage().await?;
    let namespace = &stage.namespace;
    let text = |prefix: &str| {
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    \
             name: {prefix}-listed\n    namespace: {namespace}\n  data: {{yes: \"on\", octal: \"0644\", float: \"1e3\"}}\n\
             ---\n# only a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {prefix}-anchored\n  \
             namespace: {namespace}\n  labels: &labels {{a: \"1\", b: \"true\"}}\n  annotations: *labels\ndata:\n  \
             folded: >-\n    one\n    two\n  literal: |\n    three\n    four\n  quoted: 'it''s'\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {prefix}-local\n  namespace: {namespace}\n  \
             annotations: {{config.kubernetes.io/local-config: \"true\"}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: {prefix}-web, namespace: {namespace}}}\nspec:\n  \
             clusterIP: None\n  ports: [{{port: 0o120, name: a}}, {{port: 443, name: b, protocol: TCP}}]\n"
        )
    };
    stage.repository.write("plain/all.yaml", text("x"))?;
    stage.repository.write("built/all.yaml", text("y"))?;
    stage
        .repository
        .write("built/kustomization.yaml", "resources: [all.yaml]\n")?;
    let both = [
        stage.kustomization("plain", "./plain"),
        stage.kustomization("built", "./built"),
    ];
    stage.deliver_all(&both).await?;
    for name in ["plain", "built"] {
        stage.ready(name).await?;
    }
    assert!(
        stage
            .cluster
            .get(&stage.config_map("x-local"))
            .await?
            .is_none()
    );
    assert!(
        stage
            .cluster
            .get(&stage.config_map("y-local"))
            .await?
            .is_none()
    );
    for (kind, name) in [
        ("ConfigMap", "listed"),
        ("ConfigMap", "anchored"),
        ("Service", "web"),
    ] {
        let read = async |prefix: &str| {
            let at = Coordinates::new("v1", kind, namespace, &format!("{prefix}-{name}"));
            let mut object = stage.cluster.must_get(&at).await?;
            let metadata = object["metadata"].take();
            let labels = metadata["labels"].as_object().cloned().unwrap_or_default();
            let theirs = labels
                .into_iter()
                .filter(|(key, _)| !key.contains('/'))
                .collect::<Vec<_>>();
            Ok::<_, Failure>((object, metadata["annotations"].clone(), theirs))
        };
        assert_eq!(read("x").await?, read("y").await?, "{kind} {name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_range_of_versions_follows_the_newest_tag() -> Result<(), Failure> {
    let stage = stage().await?;
    for (tag, value) in [
        ("v1.2.0", "old"),
        ("v1.10.0", "newest"),
        ("v2.0.0-rc.1", "early"),
    ] {
        stage.write("", "one", value)?;
        stage.repository.commit(value).await?;
        stage.repository.git(&["tag", tag]).await?;
        stage.repository.git(&["push", "origin", tag]).await?;
    }
    let mut source = stage.source();
    source["spec"]["ref"] = json!({"semver": ">=1.0.0 <3.0.0"});
    stage.cluster.create(&source).await?;
    stage
        .cluster
        .create(&stage.kustomization("app", "./"))
        .await?;
    stage.holds("one", "newest").await?;
    let revision =
        stage.cluster.must_get(&stage.source_at()).await?["status"]["artifact"]["revision"]
            .to_string();
    assert!(revision.starts_with("\"v1.10.0@sha1:"), "{revision}");
    stage.repository.git(&["tag", "v2.0.0"]).await?;
    stage.repository.git(&["push", "origin", "v2.0.0"]).await?;
    stage.holds("one", "early").await
}
