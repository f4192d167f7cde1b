//! What each variant grants: exactly what is listed, and never everything but to delivery.

use std::collections::BTreeSet;

use serde_json::json;
use tests::cache::repository;
use tests::{Cluster, ControlPlane, Coordinates, Failure};

use crate::rendered::{self, Rendered, deploy, release, rules, text, variant};

#[tokio::test]
async fn the_rights_are_those_that_are_listed() -> Result<(), Failure> {
    for rendered in rendered::all().await? {
        let name = rendered.name.replace("chart, ", "chart-");
        let file = repository().join(format!("tests/tests/deploy/rights/{name}.txt"));
        let found = rendered.rights().into_iter().collect::<Vec<_>>().join("\n") + "\n";
        if std::env::var_os("SIGNET_WRITE_GOLDEN").is_some() {
            std::fs::write(&file, &found)?;
        }
        let listed = std::fs::read_to_string(&file)?;
        assert_eq!(
            found, listed,
            "{}: SIGNET_WRITE_GOLDEN=1 writes {name}.txt",
            rendered.name
        );
        let role = rendered
            .objects
            .iter()
            .filter(|object| object["rules"].is_array());
        for rule in role.flat_map(|role| rules("", role)) {
            assert!(!rule.contains('*'), "{}: {rule}", rendered.name);
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_delivery_may_do_everything_and_says_so_in_a_file_of_its_own() -> Result<(), Failure> {
    let everything = "*everywhere*: the role cluster-admin";
    for rendered in rendered::all().await? {
        let expected = ["base", "chart, all-parts"].contains(&rendered.name.as_str());
        assert_eq!(
            rendered.rights().contains(everything),
            expected,
            "{}",
            rendered.name
        );
    }
    let base = deploy().join("base");
    for entry in std::fs::read_dir(base)? {
        let path = entry?.path();
        let named = std::fs::read_to_string(&path)?.contains("name: cluster-admin");
        assert_eq!(
            named,
            path.ends_with("delivery-role.yaml"),
            "{}",
            path.display()
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_sealed_only_variant_has_no_right_that_the_incumbent_has_not() -> Result<(), Failure> {
    let file = repository().join("tests/incumbents/sealed-secrets.yaml");
    let incumbent = Rendered::read("incumbent", &std::fs::read_to_string(file)?)?;
    let everywhere: BTreeSet<String> = incumbent
        .of_kind("ClusterRole")
        .flat_map(|role| rules("*everywhere*", role))
        .collect();
    let ours = variant("sealed-only").await?.rights();
    assert!(!ours.is_empty());
    let more: Vec<_> = ours.difference(&everywhere).collect();
    assert!(more.is_empty(), "{more:?}");
    Ok(())
}

#[tokio::test]
async fn t10_a_namespaced_installation_has_no_right_outside_of_its_namespaces()
-> Result<(), Failure> {
    for (rendered, namespaces) in [
        (
            variant("namespaced").await?,
            ["sealed-secrets", "my-app-prod"],
        ),
        (release("namespaced").await?, ["namespaced", "default"]),
    ] {
        assert_eq!(rendered.of_kind("ClusterRole").count(), 0);
        assert_eq!(rendered.of_kind("ClusterRoleBinding").count(), 0);
        for right in rendered.rights() {
            let (scope, _) = right.split_once(':').unwrap_or_default();
            assert!(namespaces.contains(&scope), "{}: {right}", rendered.name);
        }
    }
    Ok(())
}

/// CVE-2024-45041: rights that are a way to all others. Only delivery has such, in a file of its own.
#[tokio::test]
async fn t10_no_role_of_ours_is_a_way_to_more_rights() -> Result<(), Failure> {
    for rendered in rendered::all().await? {
        for role in rendered
            .objects
            .iter()
            .filter(|object| object["rules"].is_array())
        {
            for rule in role["rules"].as_array().into_iter().flatten() {
                let holds = |field: &str, words: &[&str]| {
                    let all = rule[field].as_array().into_iter().flatten();
                    all.filter_map(|word| word.as_str())
                        .any(|word| words.contains(&word))
                };
                let way = holds(
                    "verbs",
                    &[
                        "*",
                        "bind",
                        "escalate",
                        "impersonate",
                        "approve",
                        "sign",
                        "deletecollection",
                    ],
                ) || holds(
                    "apiGroups",
                    &[
                        "*",
                        "rbac.authorization.k8s.io",
                        "admissionregistration.k8s.io",
                        "apiextensions.k8s.io",
                    ],
                ) || holds(
                    "resources",
                    &["*", "pods/exec", "pods/attach", "nodes/proxy", "nodes"],
                );
                assert!(
                    !way,
                    "{} {}: {rule}",
                    rendered.name, role["metadata"]["name"]
                );
                if holds("resources", &["serviceaccounts/token"]) {
                    assert_eq!(rule["verbs"], json!(["create"]), "{}", rendered.name);
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_published_keys_are_readable_by_everybody_who_may_log_in() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let base = variant("base").await?;
    for object in base.objects.iter().filter(|object| {
        let kind = text(&object["kind"]);
        ["Namespace", "Role", "RoleBinding"].contains(&kind.as_str())
    }) {
        cluster.apply_value(object).await?;
    }
    let published = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"keys.json": "[]"},
        "metadata": {"name": "sealed-secrets-certificates", "namespace": "sealed-secrets"},
    });
    cluster.apply_value(&published).await?;
    let somebody = plane.kubeconfig_for_user("somebody", &["system:authenticated"])?;
    let theirs = Cluster::new(somebody.client().await?);
    let at = Coordinates::config_map("sealed-secrets", "sealed-secrets-certificates");
    assert_eq!(theirs.must_get(&at).await?["data"]["keys.json"], "[]");
    let secrets = theirs.list("v1", "Secret", "sealed-secrets").await;
    assert!(secrets.is_err(), "keys can be read");
    Ok(())
}
