//! What taking a cluster over would change: `controller adopt --dry-run`. Nothing is written.

use std::{sync::Arc, time::SystemTime};

use crds::sealed_secret::{SEALING_KEY, SealedSecret};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kit::adopt::{Adoption, ListError, everywhere};
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

/// What the real controller's images are called, wherever they are mirrored to; ours has another name.
pub const INCUMBENT: &str = "sealed-secrets-controller";

/// Looks at everything with the eyes of a controller that starts with these arguments.
///
/// # Errors
/// [`ListError`] when what it is about cannot be listed.
pub async fn adopt(
    client: &Client,
    own_namespace: &str,
    arguments: Arguments,
) -> Result<Adoption, ListError> {
    let settings = arguments.settings(own_namespace);
    let mut adoption = Adoption::default();
    let keys = keys(client, own_namespace, &settings, &mut adoption).await?;
    let newest = keys.keyring.current().map(keys::Entry::since);
    if let Some(reason) = settings.renewal.is_due(newest, SystemTime::now()) {
        adoption
            .changes
            .push(format!("a new sealing key would be made: {reason}"));
    }
    kit::adopt::incumbents(client, INCUMBENT, &mut adoption).await;
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

async fn keys(
    client: &Client,
    namespace: &str,
    settings: &Settings,
    adoption: &mut Adoption,
) -> Result<Arc<KeySet>, ListError> {
    let api = Api::<KeySecret>::namespaced(client.clone(), namespace);
    let labelled = ListParams::default().labels(SEALING_KEY);
    let listing = api
        .list(&labelled)
        .await
        .map_err(|error| ListError::new("the sealing keys", &error))?;
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

/// The places of all SealedSecrets, without their bodies.
async fn places(client: &Client, settings: &Settings) -> Result<Vec<Place>, ListError> {
    let mut parameters = ListParams::default();
    parameters
        .label_selector
        .clone_from(&settings.label_selector);
    let (namespaces, what) = (&settings.namespaces, "SealedSecrets");
    let found: Vec<PartialObjectMeta<SealedSecret>> =
        everywhere(client, namespaces, what, &parameters).await?;
    Ok(found.iter().map(Place::of).collect())
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
