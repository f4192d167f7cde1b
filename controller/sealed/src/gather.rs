//! The inputs of one attempt: the SealedSecret as it is now, the Secret that is there, the values.

use std::{collections::BTreeMap, sync::Arc};

use crds::sealed_secret::SealedSecret;
use k8s_openapi::api::core::v1::Secret;
use keys::SecretBytes;
use kit::{redact, target};
use kube::{Api, Client};

use crate::{
    keyring::KeySet,
    memory::{Known, Memory},
    open::{Opener, Opening},
    place::Place,
    plan::{Examined, Remembered, Values, inputs_digest, reusable},
    problem::Problem,
    record,
    watch::Look,
};

/// Reads the SealedSecret. `None` when it is gone.
pub(crate) async fn sealed_secret(
    client: &Client,
    place: &Place,
) -> Result<Option<SealedSecret>, Problem> {
    let api = Api::<SealedSecret>::namespaced(client.clone(), &place.namespace);
    api.get_opt(&place.name)
        .await
        .map_err(|error| Problem::Fetch(redact::api_error(&error)))
}

/// Reads the Secret that is there. What is known to be absent is not asked for.
pub(crate) async fn live_secret(
    client: &Client,
    place: &Place,
    look: &Look,
) -> Result<Option<Secret>, Problem> {
    match look {
        Look::Absent | Look::LeftAlone(_) => Ok(None),
        Look::Present(_) | Look::Unknown => {
            Ok(target::read(client, &place.namespace, &place.name).await?)
        }
    }
}

/// What the values are taken from.
pub(crate) struct Sources<'a> {
    pub(crate) sealed: &'a SealedSecret,
    pub(crate) live: Option<&'a Secret>,
    pub(crate) known: Option<&'a Known>,
    pub(crate) memory: &'a Memory,
    pub(crate) keys: &'a Arc<KeySet>,
    pub(crate) opener: &'a Opener,
}

/// The values of all items: those that are unchanged from the Secret that we wrote, the others
/// opened.
pub(crate) async fn values(
    sources: &Sources<'_>,
    examined: &mut Examined,
) -> Result<Values, Problem> {
    let uid = sources.sealed.metadata.uid.as_deref().unwrap_or_default();
    let inputs = inputs_digest(uid, examined.scope);
    let in_status = sources
        .sealed
        .status
        .as_ref()
        .and_then(|status| status.written.as_ref());
    let written = sources.known.map(|known| &known.written).or(in_status);
    let remembered = Remembered {
        written,
        inputs: &inputs,
        marks: sources.known.map(|known| (sources.memory, &known.marks)),
    };
    let mut values = Values::default();
    if let Some(live) = sources.live {
        let templates = &sources.sealed.spec.template.data;
        examined.items.retain(|item| {
            let is_reused = !templates.contains_key(&item.name)
                && reusable(item, live, &remembered)
                && reuse(item, live, &remembered, sources.keys, &mut values);
            !is_reused
        });
    }
    if examined.items.is_empty() {
        return Ok(values);
    }
    let annotations = sources.sealed.metadata.annotations.as_ref();
    let opening = Opening {
        keys: Arc::clone(&sources.keys.keyring),
        place: examined.place.clone(),
        scope: examined.scope,
        label: examined.label.clone(),
        hints: record::hints(&examined.items, annotations, &examined.label, written),
    };
    let opened = sources
        .opener
        .open(opening, std::mem::take(&mut examined.items))
        .await?;
    values.plaintexts.extend(opened.plaintexts);
    values.items.extend(opened.items);
    Ok(values)
}

/// Takes the value of an unchanged item from the Secret, as long as its key is still held: an item
/// whose key is gone has to fail, and to say so.
fn reuse(
    item: &crate::plan::Item,
    live: &Secret,
    remembered: &Remembered<'_>,
    keys: &KeySet,
    values: &mut Values,
) -> bool {
    let known = remembered
        .written
        .and_then(|written| written.items.get(&item.name));
    let value = live.data.as_ref().and_then(|data| data.get(&item.name));
    let (Some(known), Some(value)) = (known, value) else {
        return false;
    };
    if !known
        .key
        .parse()
        .is_ok_and(|key| keys.keyring.find(&key).is_some())
    {
        return false;
    }
    values.items.insert(item.name.clone(), known.clone());
    values
        .plaintexts
        .insert(item.name.clone(), SecretBytes::new(value.0.clone()));
    true
}

/// A keyed hash of each value that the Secret is to hold.
pub(crate) fn marks(
    memory: &Memory,
    data: &BTreeMap<String, SecretBytes>,
) -> BTreeMap<String, u64> {
    let marked = data
        .iter()
        .map(|(name, value)| (name, memory.mark(name, value.expose())));
    marked.map(|(name, mark)| (name.clone(), mark)).collect()
}
