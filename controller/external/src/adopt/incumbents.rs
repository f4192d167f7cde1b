//! What there is of the incumbent itself: what runs, and what would stay in the way.

use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration, apps::v1::Deployment,
};
use kit::redact;
use kube::{Api, Client, ResourceExt as _};

use super::{Adoption, listing};
use crate::key::Key;

/// What the incumbent's images are called, wherever they are mirrored to. One image serves as
/// controller, webhook and cert-controller.
const IMAGE: &str = "external-secrets/external-secrets";

/// The group whose objects the incumbent's webhooks judge.
const GROUP: &str = "external-secrets.io";

/// Looks for the incumbent's Deployments and webhooks.
pub(super) async fn look(client: &Client, adoption: &mut Adoption) {
    match listing::all(&Api::<Deployment>::all(client.clone())).await {
        Ok(deployments) => adoption
            .running
            .extend(deployments.iter().filter_map(running)),
        Err(error) => adoption.remarks.push(format!(
            "whether the incumbent still runs is not known: {}",
            redact::api_error(&error)
        )),
    }
    let webhooks = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    match listing::all(&webhooks).await {
        Ok(found) => adoption
            .remnants
            .extend(found.iter().filter_map(in_the_way)),
        Err(error) => adoption.remarks.push(format!(
            "whether the incumbent's webhooks are there is not known: {}",
            redact::api_error(&error)
        )),
    }
}

/// The line about a Deployment, if it is the incumbent's and runs.
fn running(deployment: &Deployment) -> Option<String> {
    let spec = deployment.spec.as_ref()?;
    let pod = spec.template.spec.as_ref()?;
    let image = pod
        .containers
        .iter()
        .filter_map(|container| container.image.as_deref())
        .find(|image| image.contains(IMAGE))?;
    let replicas = spec.replicas.unwrap_or(1);
    let key = Key::of(deployment);
    (replicas > 0).then(|| {
        format!(
            "Deployment {key} ({image}, {replicas} replicas): scale it to 0 first, and see to it that Git \
             does not bring it back"
        )
    })
}

/// The line about a webhook configuration, if it judges what we serve. The cert-controller of the
/// incumbent brings its own back, so it has to be stopped before.
fn in_the_way(configuration: &ValidatingWebhookConfiguration) -> Option<String> {
    let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
    let judges = |webhook: &&k8s_openapi::api::admissionregistration::v1::ValidatingWebhook| {
        let rules = webhook.rules.as_deref().unwrap_or_default();
        rules
            .iter()
            .filter_map(|rule| rule.api_groups.as_ref())
            .any(|groups| groups.iter().any(|group| group == GROUP))
    };
    let ours: Vec<_> = webhooks.iter().filter(judges).collect();
    if ours.is_empty() {
        return None;
    }
    let name = configuration.name_any();
    // Fail is what it is when nothing is said.
    let blocks = ours
        .iter()
        .any(|webhook| webhook.failure_policy.as_deref() != Some("Ignore"));
    let effect = if blocks {
        "once nobody answers it, ExternalSecrets and stores cannot be changed any more (failurePolicy Fail)"
    } else {
        "once nobody answers it, each change of an ExternalSecret or store waits for it in vain"
    };
    Some(format!(
        "ValidatingWebhookConfiguration {name}: {effect}; stop the incumbent, then \
         kubectl delete validatingwebhookconfiguration {name}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, replicas: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"namespace": "external-secrets", "name": "external-secrets-webhook"},
            "spec": {
                "replicas": replicas, "selector": {},
                "template": {"spec": {"containers": [{"name": "c", "image": image}]}},
            },
        }))
        .unwrap()
    }

    fn webhook(group: &str, policy: Option<&str>) -> ValidatingWebhookConfiguration {
        serde_json::from_value(json!({
            "metadata": {"name": "externalsecret-validate"},
            "webhooks": [{
                "name": "validate.example.com", "admissionReviewVersions": ["v1"],
                "clientConfig": {}, "sideEffects": "None", "failurePolicy": policy,
                "rules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["*"], "resources": ["*"]}],
            }],
        }))
        .unwrap()
    }

    #[test]
    fn the_incumbent_is_known_by_its_image_and_only_counts_while_it_runs() {
        let theirs = "registry.example.com/external-secrets/external-secrets:v2.9.0";
        let line = running(&deployment(theirs, 1)).unwrap();
        assert!(
            line.starts_with("Deployment external-secrets/external-secrets-webhook"),
            "{line}"
        );
        assert_eq!(running(&deployment(theirs, 0)), None);
        assert_eq!(running(&deployment("example.com/signet:1", 1)), None);
    }

    #[test]
    fn a_webhook_that_would_block_is_told_with_the_command_that_removes_it() {
        let line = in_the_way(&webhook("external-secrets.io", None)).unwrap();
        assert!(line.contains("cannot be changed"), "{line}");
        assert!(
            line.ends_with("kubectl delete validatingwebhookconfiguration externalsecret-validate"),
            "{line}"
        );
        let line = in_the_way(&webhook("external-secrets.io", Some("Ignore"))).unwrap();
        assert!(line.contains("waits"), "{line}");
        assert_eq!(in_the_way(&webhook("example.com", Some("Fail"))), None);
    }
}
