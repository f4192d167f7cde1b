//! The rights of a variant, granted in a namespace of a test's own, so that several variants fit into
//! one cluster without seeing each other's.

use serde_json::{Value, json};
use tests::{ControlPlane, Failure, rights::Identity};

use crate::rendered::{Rendered, text};

/// The namespace that every variant is written for.
const HOME: &str = "sealed-secrets";

/// Grants everything that a variant grants to its ServiceAccount, but for the role bindings named in
/// `without`, and gives the account. `namespace` stands in for the variant's own namespace, and
/// `others` for further ones that it names.
pub(crate) async fn grant(
    plane: &ControlPlane,
    rendered: &Rendered,
    namespace: &'static str,
    others: &[(&str, &str)],
    without: &[&str],
) -> Result<Identity, Failure> {
    let cluster = plane.cluster().await?;
    let moved = |name: &Value| {
        let name = text(name);
        let other = others.iter().find(|(from, _)| *from == name);
        match other {
            Some((_, to)) => json!(to),
            None if name == HOME => json!(namespace),
            None => json!(name),
        }
    };
    for object in &rendered.objects {
        let kind = text(&object["kind"]);
        let name = text(&object["metadata"]["name"]);
        if !GRANTS.contains(&kind.as_str()) || without.contains(&name.as_str()) {
            continue;
        }
        let mut object = object.clone();
        if kind == "Namespace" {
            object["metadata"]["name"] = moved(&object["metadata"]["name"]);
        } else if kind.starts_with("ClusterRole") {
            object["metadata"]["name"] = json!(format!("{namespace}-{name}"));
            if object["roleRef"].is_object() {
                let role = text(&object["roleRef"]["name"]);
                object["roleRef"]["name"] = json!(format!("{namespace}-{role}"));
            }
        } else {
            object["metadata"]["namespace"] = moved(&object["metadata"]["namespace"]);
        }
        let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
        for subject in subjects.into_iter().flatten() {
            if subject["namespace"].is_string() {
                subject["namespace"] = moved(&subject["namespace"]);
            }
        }
        cluster.apply_value(&object).await?;
    }
    let account = "sealed-secrets-controller";
    let kubeconfig = plane
        .kubeconfig_for_service_account(namespace, account)
        .await?;
    Ok(Identity {
        kubeconfig,
        namespace,
    })
}

const GRANTS: [&str; 6] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "Role",
    "RoleBinding",
    "ServiceAccount",
];
