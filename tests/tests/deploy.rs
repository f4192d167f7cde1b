//! What deploy/ installs: every variant is rendered by the real tool, taken by the API server, starts
//! our program, and grants what is used and nothing besides.

#[path = "deploy/elsewhere.rs"]
mod elsewhere;
#[path = "deploy/granted.rs"]
mod granted;
#[path = "deploy/image.rs"]
mod image;
#[path = "deploy/installed.rs"]
mod installed;
#[path = "deploy/metrics.rs"]
mod metrics;
#[path = "deploy/rendered.rs"]
mod rendered;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::cache::{HELM, own_program};
use tests::{Cluster, ControlPlane, Failure, Invocation};

use crate::rendered::{Rendered, deploy, helm, release, text, variant};

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
