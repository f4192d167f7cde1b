//! What there is of the incumbent itself: what runs, and what would stay in the way.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kit::{
    adopt::{Adoption, all, incumbents},
    redact,
};
use kube::{Api, Client, ResourceExt as _, api::ListParams};

/// What the incumbent's images are called, wherever they are mirrored to. One image serves as
/// controller, webhook and cert-controller.
const IMAGE: &str = "external-secrets/external-secrets";

/// The group whose objects the incumbent's webhooks judge.
const GROUP: &str = "external-secrets.io";

/// Looks for the incumbent's Deployments and webhooks.
pub(super) async fn look(client: &Client, adoption: &mut Adoption) {
    incumbents(client, IMAGE, adoption).await;
    let webhooks = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    match all(&webhooks, ListParams::default()).await {
        Ok(found) => adoption
            .remnants
            .extend(found.iter().filter_map(in_the_way)),
        Err(error) => adoption.remarks.push(format!(
            "whether the incumbent's webhooks are there is not known: {}",
            redact::api_error(&error)
        )),
    }
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
