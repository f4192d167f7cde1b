//! What deploy/ installs: every variant is rendered by the real tool, taken by the API server, starts
//! our program, and grants what is used and nothing besides.

#[path = "deploy/elsewhere.rs"]
mod elsewhere;
#[path = "deploy/installed.rs"]
mod installed;
#[path = "deploy/rendered.rs"]
mod rendered;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::cache::{HELM, own_program, repository};
use tests::{Cluster, ControlPlane, Coordinates, Failure, Invocation};

use crate::rendered::{Rendered, deploy, helm, release, rules, text, variant};

#[tokio::test]
async fn every_variant_is_taken_by_the_api_server() -> Result<(), Failure> {
    let cluster = ControlPlane::shared().await?.cluster().await?;
    for rendered in rendered::all().await? {
        for object in &rendered.objects {
            // These kinds belong to the Prometheus Operator.
            if text(&object["apiVersion"]).starts_with("monitoring.coreos.com/") {
                continue;
            }
            cluster
                .apply_value(object)
                .await
                .map_err(|failure| failure.while_doing(&rendered.name))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_arguments_of_every_variant_start_our_controller() -> Result<(), Failure> {
    let controller = own_program("controller")?;
    for rendered in rendered::all().await? {
        let container = &rendered.deployment()["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            container["command"],
            json!(["controller"]),
            "{}",
            rendered.name
        );
        let arguments = container["args"].as_array().cloned().unwrap_or_default();
        let version = Invocation::new(&controller)
            .args(arguments.iter().map(text))
            .args(["--version"])
            .stdout()
            .await
            .map_err(|failure| failure.while_doing(&rendered.name))?;
        assert!(version.starts_with("controller version: v"), "{version}");
    }
    // The check itself fails where a flag is not known.
    let outcome = Invocation::new(&controller)
        .args(["--no-such-flag", "--version"])
        .outcome()
        .await?;
    assert!(!outcome.status.success());
    Ok(())
}

#[tokio::test]
async fn every_pod_is_within_the_restricted_profile() -> Result<(), Failure> {
    let cluster = ControlPlane::shared().await?.cluster().await?;
    let namespace = "restricted";
    let enforced = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    cluster.apply_value(&enforced).await?;
    for (number, rendered) in rendered::all().await?.iter().enumerate() {
        let mut pod = pod_of(&cluster, rendered, namespace, &format!("pod-{number}")).await?;
        cluster
            .create(&pod)
            .await
            .map_err(|failure| failure.while_doing(&rendered.name))?;
        // One setting less is one that the API server misses: so it does look.
        pod["metadata"]["name"] = json!(format!("loose-{number}"));
        let container = &mut pod["spec"]["containers"][0];
        container["securityContext"]["capabilities"] = json!({});
        let refused = cluster.create(&pod).await.unwrap_err();
        assert!(refused.message().contains("restricted"), "{refused}");
        let container = &rendered.deployment()["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(
            container["securityContext"]["runAsUser"]
                .as_u64()
                .unwrap_or(1001),
            1001
        );
    }
    Ok(())
}

/// A Pod of a variant's template, and the account that it needs.
async fn pod_of(
    cluster: &Cluster,
    rendered: &Rendered,
    namespace: &str,
    name: &str,
) -> Result<Value, Failure> {
    let mut spec = rendered.deployment()["spec"]["template"]["spec"].clone();
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": spec["serviceAccountName"], "namespace": namespace},
    });
    cluster.apply_value(&account).await?;
    // Reserved for kube-system; that it is rendered is seen elsewhere.
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("priorityClassName");
    }
    Ok(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    }))
}

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

#[tokio::test]
async fn nothing_is_reached_but_what_the_network_policy_names() -> Result<(), Failure> {
    for rendered in rendered::all().await? {
        let policies: Vec<_> = rendered.of_kind("NetworkPolicy").collect();
        let [policy] = policies[..] else {
            panic!("{}: {} policies", rendered.name, policies.len());
        };
        let spec = &policy["spec"];
        assert_eq!(
            spec["policyTypes"],
            json!(["Ingress", "Egress"]),
            "{}",
            rendered.name
        );
        let labels = &rendered.deployment()["spec"]["template"]["metadata"]["labels"];
        selects(&spec["podSelector"]["matchLabels"], labels, &rendered.name);
        let ports = |value: &Value| -> Vec<String> {
            let rules = value.as_array().cloned().unwrap_or_default();
            let ports = rules
                .iter()
                .flat_map(|rule| rule["ports"].as_array().cloned().unwrap_or_default());
            ports.map(|port| port["port"].to_string()).collect()
        };
        assert_eq!(ports(&spec["ingress"]), ["\"http\"", "\"metrics\""]);
        let parts = parts_of(&rendered);
        let out = ports(&spec["egress"]);
        assert_eq!(
            out.contains(&"22".to_owned()),
            parts.contains("delivery"),
            "{}",
            rendered.name
        );
        assert_eq!(
            out.contains(&"80".to_owned()),
            parts.contains("external"),
            "{}",
            rendered.name
        );
    }
    Ok(())
}

/// The value of `--parts`, or all.
fn parts_of(rendered: &Rendered) -> String {
    let line = rendered.arguments().join("=");
    let said = line.split("--parts=").nth(1);
    said.and_then(|rest| rest.split("=--").next())
        .unwrap_or("sealed,external,delivery")
        .to_owned()
}

#[tokio::test]
async fn services_and_monitors_find_the_pod_and_its_ports() -> Result<(), Failure> {
    for rendered in rendered::all().await? {
        let name = &rendered.name;
        let deployment = rendered.deployment();
        let template = &deployment["spec"]["template"];
        let labels = &template["metadata"]["labels"];
        selects(&deployment["spec"]["selector"]["matchLabels"], labels, name);
        let ports = template["spec"]["containers"][0]["ports"]
            .as_array()
            .cloned();
        let named: Vec<String> = ports
            .iter()
            .flatten()
            .map(|port| text(&port["name"]))
            .collect();
        assert_eq!(named, ["http", "metrics"], "{name}");
        let services: Vec<_> = rendered.of_kind("Service").collect();
        assert_eq!(services.len(), 2, "{name}");
        for (service, (port, suffix)) in
            services.iter().zip([("http", ""), ("metrics", "-metrics")])
        {
            let expected = text(&deployment["metadata"]["name"]) + suffix;
            assert_eq!(service["metadata"]["name"], expected.as_str(), "{name}");
            assert_eq!(service["spec"]["ports"][0]["name"], port, "{name}");
            assert_eq!(service["spec"]["ports"][0]["targetPort"], port, "{name}");
            selects(&service["spec"]["selector"], labels, name);
        }
        for monitor in rendered.of_kind("ServiceMonitor") {
            let wanted = &monitor["spec"]["selector"]["matchLabels"];
            selects(wanted, &services[1]["metadata"]["labels"], name);
            assert_eq!(monitor["spec"]["endpoints"][0]["port"], "metrics");
        }
        for budget in rendered.of_kind("PodDisruptionBudget") {
            selects(&budget["spec"]["selector"]["matchLabels"], labels, name);
        }
    }
    let monitoring = variant("monitoring").await?;
    let base = variant("base").await?;
    let labels = &base.deployment()["spec"]["template"]["metadata"]["labels"];
    for monitor in monitoring.of_kind("PodMonitor") {
        selects(
            &monitor["spec"]["selector"]["matchLabels"],
            labels,
            "monitoring",
        );
        assert_eq!(monitor["spec"]["podMetricsEndpoints"][0]["port"], "metrics");
    }
    Ok(())
}

/// All labels of a selector, of which there is at least one, are there.
fn selects(selector: &Value, labels: &Value, name: &str) {
    let wanted = selector.as_object().cloned().unwrap_or_default();
    assert!(!wanted.is_empty(), "{name}: an empty selector");
    for (label, value) in wanted {
        assert_eq!(labels[&label], value, "{name}: {label}");
    }
}

#[tokio::test]
async fn a_release_of_the_incumbents_chart_keeps_names_and_selector() -> Result<(), Failure> {
    // `helm install sealed-secrets` of sealed-secrets 2.18.5 makes these; a selector cannot change.
    let rendered = release("standard").await?;
    let deployment = rendered.deployment();
    assert_eq!(deployment["metadata"]["name"], "sealed-secrets");
    let labels = json!({
        "app.kubernetes.io/name": "sealed-secrets", "app.kubernetes.io/instance": "sealed-secrets",
    });
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], labels);
    for (kind, name) in [
        ("ClusterRole", "secrets-unsealer"),
        ("ClusterRoleBinding", "sealed-secrets"),
        ("Role", "sealed-secrets-service-proxier"),
        ("Service", "sealed-secrets"),
        ("Service", "sealed-secrets-metrics"),
        ("ServiceAccount", "sealed-secrets"),
    ] {
        let found = rendered
            .of_kind(kind)
            .any(|object| object["metadata"]["name"] == name);
        assert!(found, "{kind} {name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_chart_passes_helms_own_checks() -> Result<(), Failure> {
    HELM.program("helm")?;
    let said = helm()?
        .args([
            "lint".as_ref(),
            deploy().join("chart").as_os_str(),
            "--strict".as_ref(),
        ])
        .stdout()
        .await?;
    assert!(said.contains("0 chart(s) failed"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_definitions_come_with_every_installation() -> Result<(), Failure> {
    let definitions = crds::all();
    let base = variant("base").await?;
    assert_eq!(
        base.of_kind("CustomResourceDefinition").count(),
        definitions.len()
    );
    let shown = helm()?
        .args([
            "show".as_ref(),
            "crds".as_ref(),
            deploy().join("chart").as_os_str(),
        ])
        .stdout()
        .await?;
    let shown = Rendered::read("chart", &shown)?;
    assert_eq!(
        shown.of_kind("CustomResourceDefinition").count(),
        definitions.len()
    );
    Ok(())
}

/// The Dockerfile is not built here; this is what can be seen without.
#[test]
fn the_image_is_small_unprivileged_and_complete() -> Result<(), Failure> {
    let file = std::fs::read_to_string(deploy().join("Dockerfile"))?;
    let lines: Vec<(&str, &str)> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let of = |wanted: &str| -> Vec<&str> {
        let found = lines
            .iter()
            .filter(|(instruction, _)| *instruction == wanted);
        found.map(|(_, rest)| *rest).collect()
    };
    let bases = of("FROM");
    assert_eq!(bases.len(), 3);
    for base in &bases {
        let image = base.split(' ').next().unwrap_or_default();
        let (_, tag) = image.rsplit_once(':').unwrap_or_default();
        assert!(
            tag.contains('.') && tag != "latest",
            "{base} names no version"
        );
    }
    for instruction in ["RUN", "ENTRYPOINT", "CMD"] {
        for line in of(instruction) {
            let words: Vec<String> = serde_json::from_str(line)?;
            assert!(!words.is_empty(), "{instruction} {line}");
        }
    }
    assert_eq!(of("USER"), ["1001:1001"]);
    assert_eq!(of("ENTRYPOINT"), [r#"["controller"]"#]);
    let last = file.rsplit("FROM ").next().unwrap_or_default();
    for program in [
        "/controller ",
        "/kubeseal ",
        "/signet-kustomize ",
        "git",
        "openssh-client",
    ] {
        assert!(last.contains(program), "{program} is not in the image");
    }
    assert!(last.contains("/usr/local/bin/"));
    let ignored = std::fs::read_to_string(deploy().join("Dockerfile.dockerignore"))?;
    let kept: BTreeSet<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    for source in of("COPY").iter().filter(|line| !line.starts_with("--")) {
        let words: Vec<&str> = source.split(' ').collect();
        for word in words.iter().take(words.len() - 1) {
            let top = word.split('/').next().unwrap_or_default();
            assert!(kept.contains(top), "{word} is ignored");
            assert!(repository().join(word).exists(), "{word} is not there");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_list_of_what_is_in_the_image_is_complete() -> Result<(), Failure> {
    let text = Invocation::new("python3")
        .args([deploy().join("sbom.py")])
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .envs_starting_with(&["CARGO_HOME", "RUSTUP_", "GO"])
        .stdout()
        .await?;
    let document: Value = serde_json::from_str(&text)?;
    assert_eq!(document["bomFormat"], "CycloneDX");
    let components = document["components"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut names = BTreeSet::new();
    for component in &components {
        let name = self::text(&component["name"]);
        assert!(
            component["version"].is_string() && component["purl"].is_string(),
            "{name}"
        );
        let from_registry = component["hashes"].is_array() || name.contains('/');
        let licensed = component["licenses"].is_array() || name.contains('/');
        assert!(licensed, "{name} has no licence");
        if from_registry {
            names.insert(name);
        }
    }
    for linked in ["aws-lc-rs", "kube", "sigs.k8s.io/kustomize/api"] {
        assert!(names.contains(linked), "{linked}");
    }
    // Only tests use it.
    assert!(!names.contains("ring") && !names.contains("tower-test"));
    Ok(())
}

#[tokio::test]
async fn the_namespaces_of_the_variants_are_made_by_them() -> Result<(), Failure> {
    // `kubectl apply -k` of a variant needs nothing that was there before.
    for name in rendered::VARIANTS {
        let rendered = variant(name).await?;
        let made: BTreeSet<String> = rendered
            .of_kind("Namespace")
            .map(|namespace| text(&namespace["metadata"]["name"]))
            .collect();
        for object in &rendered.objects {
            let namespace = text(&object["metadata"]["namespace"]);
            assert!(
                namespace.is_empty() || made.contains(&namespace),
                "{name}: {namespace}"
            );
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
