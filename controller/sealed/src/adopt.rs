//! What taking a cluster over would change: `controller adopt --dry-run`. Nothing is written.

use std::{fmt, sync::Arc, time::SystemTime};

use crds::sealed_secret::{SEALING_KEY, SealedSecret};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kit::{Namespaces, redact};
use kube::{Api, Client, ResourceExt as _, api::ListParams, core::PartialObjectMeta};
use prometheus_client::metrics::counter::Counter;

use crate::{
    arguments::{Arguments, Settings},
    gather::{self, Sources},
    keyring::{KeySecret, KeySet, Keys, Shelf},
    memory::Memory,
    open::Opener,
    part::rules,
    place::Place,
    plan::{self, Blueprint, Plan, Rules},
    problem::Problem,
    watch::Look,
};

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// What the controller would write besides statuses, one line each. Empty is the answer that a
    /// take-over wants.
    pub changes: Vec<String>,
    /// SealedSecrets that would not become Secrets, and why.
    pub problems: Vec<String>,
    /// The incumbents that still run, and those that Git would bring back: two controllers that write
    /// the same Secrets get in each other's way.
    pub running: Vec<String>,
    /// How many SealedSecrets and keys there are, and what could not be looked at.
    pub remarks: Vec<String>,
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The API server refused, or did not answer.
    #[error("list {what}: {cause}")]
    List {
        /// The kind.
        what: &'static str,
        /// What it said.
        cause: String,
    },
}

/// Looks at everything with the eyes of a controller that starts with these arguments.
///
/// # Errors
/// [`AdoptError`] when what it is about cannot be listed.
pub async fn adopt(
    client: &Client,
    own_namespace: &str,
    arguments: Arguments,
) -> Result<Adoption, AdoptError> {
    let settings = arguments.settings(own_namespace);
    let mut adoption = Adoption::default();
    let keys = keys(client, own_namespace, &settings, &mut adoption).await?;
    let newest = keys.keyring.current().map(keys::Entry::since);
    if let Some(reason) = settings.renewal.is_due(newest, SystemTime::now()) {
        adoption
            .changes
            .push(format!("a new sealing key would be made: {reason}"));
    }
    adoption.running = running(client, &mut adoption.remarks).await;
    let places = places(client, &settings).await?;
    adoption.remarks.push(format!(
        "{} SealedSecrets, {} keys",
        places.len(),
        keys.held.len()
    ));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let looker = Looker {
        client,
        rules: rules(&settings, own_namespace),
        memory: Memory::default(),
        opener: Opener::new(cores, Counter::default()),
        keys,
    };
    let findings: Vec<(Place, Result<Option<String>, Problem>)> = stream::iter(places)
        .map(|place| async {
            let found = looker.look(&place).await;
            (place, found)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    for (place, found) in findings {
        match found {
            Ok(None) => {}
            Ok(Some(change)) => adoption.changes.push(format!("Secret {place} {change}")),
            Err(problem) => adoption
                .problems
                .push(format!("SealedSecret {place}: {problem}")),
        }
    }
    Ok(adoption)
}

/// SealedSecrets looked at side by side.
const AT_ONCE: usize = 8;

/// A page of a listing.
const PAGE: u32 = 250;

impl fmt::Display for Adoption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sections = [
            ("would change", &self.changes),
            ("would not be opened", &self.problems),
            ("still runs, or may run again", &self.running),
            ("remarks", &self.remarks),
        ];
        for (title, lines) in sections {
            if lines.is_empty() {
                if title == "would change" {
                    writeln!(formatter, "{title}: nothing")?;
                }
                continue;
            }
            writeln!(formatter, "{title}:")?;
            for line in lines {
                writeln!(formatter, "  {line}")?;
            }
        }
        Ok(())
    }
}

async fn keys(
    client: &Client,
    namespace: &str,
    settings: &Settings,
    adoption: &mut Adoption,
) -> Result<Arc<KeySet>, AdoptError> {
    let api = Api::<KeySecret>::namespaced(client.clone(), namespace);
    let labelled = ListParams::default().labels(SEALING_KEY);
    let listing = api
        .list(&labelled)
        .await
        .map_err(|error| failed("the sealing keys", &error))?;
    let legacy = api.get_opt(&settings.design.prefix).await.ok().flatten();
    let keys = Keys::new(Shelf::new(settings.order, settings.design.prefix.clone()));
    keys.change(|shelf| {
        if let Some(legacy) = legacy {
            shelf.place(legacy);
        }
        shelf.replace(listing.items);
        for unusable in shelf.take_unusable() {
            let name = unusable.secret.name_any();
            adoption.remarks.push(format!(
                "the key Secret {name} cannot be used: {}",
                unusable.why
            ));
        }
    });
    Ok(keys.now())
}

/// The places of all SealedSecrets, page by page and without their bodies.
async fn places(client: &Client, settings: &Settings) -> Result<Vec<Place>, AdoptError> {
    let scopes: Vec<Option<&str>> = match &settings.namespaces {
        Namespaces::All => vec![None],
        Namespaces::Only(names) => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut places = Vec::new();
    for scope in scopes {
        let api: Api<PartialObjectMeta<SealedSecret>> = match scope {
            None => Api::all(client.clone()),
            Some(namespace) => Api::namespaced(client.clone(), namespace),
        };
        let mut parameters = ListParams::default().limit(PAGE);
        parameters
            .label_selector
            .clone_from(&settings.label_selector);
        loop {
            let page = api
                .list(&parameters)
                .await
                .map_err(|error| failed("SealedSecrets", &error))?;
            places.extend(
                page.items
                    .iter()
                    .map(|meta| Place::new(meta.namespace().unwrap_or_default(), meta.name_any())),
            );
            parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if parameters.continue_token.is_none() {
                break;
            }
        }
    }
    Ok(places)
}

/// Deployments of the real controller that have replicas.
async fn running(client: &Client, remarks: &mut Vec<String>) -> Vec<String> {
    let api = Api::<Deployment>::all(client.clone());
    match api.list(&ListParams::default()).await {
        Ok(deployments) => deployments.iter().filter_map(incumbent).collect(),
        Err(error) => {
            let cause = redact::api_error(&error);
            remarks.push(format!(
                "whether the incumbent still runs is not known: {cause}"
            ));
            Vec::new()
        }
    }
}

/// The line about a Deployment, if it is the real controller and runs, or may run again. Its image names
/// it, wherever it is mirrored to; ours has another name.
fn incumbent(deployment: &Deployment) -> Option<String> {
    let spec = deployment.spec.as_ref()?;
    let pod = spec.template.spec.as_ref()?;
    let image = pod
        .containers
        .iter()
        .filter_map(|container| container.image.as_deref())
        .find(|image| image.contains("sealed-secrets-controller"))?;
    let replicas = spec.replicas.unwrap_or(1);
    let place = Place::of(deployment);
    if replicas == 0 {
        // Nobody scaled it there for good while something else says how many there are.
        return kit::origin::keeper(deployment).map(|keeper| {
            format!(
                "Deployment {place} ({image}) is scaled to 0, but kept by {keeper}, which may bring it \
                 back: take it out there"
            )
        });
    }
    let advice = kit::origin::keeper(deployment).map_or_else(
        || "scale it to 0 first".to_owned(),
        |keeper| format!("kept by {keeper}, which would bring it back: take it out there first"),
    );
    Some(format!(
        "Deployment {place} ({image}, {replicas} replicas): {advice}"
    ))
}

/// Looks at one SealedSecret after the other.
struct Looker<'a> {
    client: &'a Client,
    rules: Rules,
    memory: Memory,
    opener: Opener,
    keys: Arc<KeySet>,
}

impl Looker<'_> {
    /// What would happen to the Secret; `None` is nothing.
    async fn look(&self, place: &Place) -> Result<Option<String>, Problem> {
        let Some(sealed) = gather::sealed_secret(self.client, place).await? else {
            return Ok(None);
        };
        let mut examined = plan::examine(&sealed, &self.rules)?;
        let live = gather::live_secret(self.client, place, &Look::Unknown).await?;
        let written = sealed
            .status
            .as_ref()
            .and_then(|status| status.written.as_ref());
        let ownership = live
            .as_ref()
            .map(|live| plan::ownership(live, &sealed, written))
            .transpose()?;
        let sources = Sources {
            sealed: &sealed,
            live: live.as_ref(),
            known: None,
            memory: &self.memory,
            keys: &self.keys,
            opener: &self.opener,
        };
        let values = gather::values(&sources, &mut examined).await?;
        let blueprint = Blueprint::new(&sealed, &examined, values, &self.rules)?;
        let planned = plan::decide(&sealed, &blueprint, live.as_ref().zip(ownership))?;
        Ok(match (planned, &live) {
            (Plan::Create(_), _) => Some("would be created".to_owned()),
            (Plan::Replace(wanted), Some(live)) => Some(difference(live, &wanted)),
            (Plan::Replace(_), None) | (Plan::Keep, _) => None,
        })
    }
}

/// What of a Secret would change, by name.
fn difference(live: &Secret, wanted: &Secret) -> String {
    let mut parts = Vec::new();
    if live.data != wanted.data {
        parts.push("data");
    }
    if live.labels() != wanted.labels() {
        parts.push("labels");
    }
    if live.annotations() != wanted.annotations() {
        parts.push("annotations");
    }
    if live.owner_references() != wanted.owner_references() {
        parts.push("owner references");
    }
    if live.type_ != wanted.type_ {
        parts.push("type");
    }
    format!("would change its {}", parts.join(", "))
}

fn failed(what: &'static str, error: &kube::Error) -> AdoptError {
    AdoptError::List {
        what,
        cause: redact::api_error(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, replicas: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"namespace": "kube-system", "name": "sealed-secrets-controller"},
            "spec": {
                "replicas": replicas, "selector": {},
                "template": {"spec": {"containers": [{"name": "c", "image": image}]}},
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_incumbent_is_known_by_its_image_and_only_counts_while_it_runs() {
        let theirs = "docker.io/bitnami/sealed-secrets-controller:0.36.6";
        let line = incumbent(&deployment(theirs, 1)).unwrap();
        assert!(
            line.starts_with("Deployment kube-system/sealed-secrets-controller"),
            "{line}"
        );
        assert_eq!(incumbent(&deployment(theirs, 0)), None);
        assert_eq!(incumbent(&deployment("example.com/signet:1", 1)), None);
    }

    #[test]
    fn what_git_would_bring_back_is_told_whether_it_runs_or_not() {
        let theirs = "docker.io/bitnami/sealed-secrets-controller:0.36.6";
        for (replicas, advice) in [(1, "would bring it back"), (0, "may bring it back")] {
            let mut kept = deployment(theirs, replicas);
            let label = |name: &str, value: &str| {
                (
                    format!("kustomize.toolkit.fluxcd.io/{name}"),
                    value.to_owned(),
                )
            };
            kept.metadata.labels =
                Some([label("name", "infra"), label("namespace", "flux-system")].into());
            let line = incumbent(&kept).unwrap();
            assert!(
                line.contains("the Kustomization flux-system/infra of Flux")
                    && line.contains(advice),
                "{line}"
            );
        }
    }

    #[test]
    fn the_answer_that_is_wanted_is_nothing() {
        let adoption = Adoption {
            remarks: vec!["3 SealedSecrets, 1 keys".into()],
            ..Adoption::default()
        };
        assert_eq!(
            adoption.to_string(),
            "would change: nothing\nremarks:\n  3 SealedSecrets, 1 keys\n"
        );
    }
}
