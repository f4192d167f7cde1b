//! Reading what templates come from, and noticing when it has changed.

use std::collections::BTreeMap;

use crds::external_secret::ExternalSecret;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kit::{SecretBytes, redact};
use kube::{Api, ResourceExt as _};

use super::failure::{Stage, SyncFailure};
use crate::{hash, key::Key, part::Part, sightings::Sightings, template::Sources};

/// What `templateFrom` names: ConfigMaps and Secrets in the object's own namespace.
struct Names<'a> {
    config_maps: Vec<&'a str>,
    secrets: Vec<&'a str>,
}

fn names(object: &ExternalSecret) -> Names<'_> {
    let template = object.spec.target.template.as_ref();
    let entries = || {
        template
            .into_iter()
            .flat_map(|template| &template.template_from)
    };
    let mut names = Names {
        config_maps: entries()
            .filter_map(|entry| Some(entry.config_map.as_ref()?.name.as_str()))
            .collect(),
        secrets: entries()
            .filter_map(|entry| Some(entry.secret.as_ref()?.name.as_str()))
            .collect(),
    };
    for names in [&mut names.config_maps, &mut names.secrets] {
        names.sort_unstable();
        names.dedup();
    }
    names
}

/// Reads what templates come from. What is not there is told when it is rendered from.
///
/// # Errors
/// When the API server refuses or does not answer.
pub(crate) async fn sources(part: &Part, object: &ExternalSecret) -> Result<Sources, SyncFailure> {
    let mut sources = Sources::default();
    let mut versions = BTreeMap::new();
    let names = names(object);
    let namespace = object.namespace().unwrap_or_default();
    let client = &part.context.client;
    for name in names.config_maps {
        let _call = part.calls.acquire().await;
        let found = Api::<ConfigMap>::namespaced(client.clone(), &namespace)
            .get_opt(name)
            .await;
        if let Some(found) = found.map_err(|error| failed(&error))? {
            versions.insert(format!("ConfigMap/{name}"), found.resource_version());
            sources
                .config_maps
                .insert(name.to_owned(), found.data.unwrap_or_default());
        }
    }
    for name in names.secrets {
        let _call = part.calls.acquire().await;
        let found = Api::<Secret>::namespaced(client.clone(), &namespace)
            .get_opt(name)
            .await;
        if let Some(found) = found.map_err(|error| failed(&error))? {
            versions.insert(format!("Secret/{name}"), found.resource_version());
            let data = found.data.unwrap_or_default().into_iter();
            let data = data.map(|(key, value)| (key, SecretBytes::new(value.0)));
            sources.secrets.insert(name.to_owned(), data.collect());
        }
    }
    sources.digest = digest(&versions);
    Ok(sources)
}

/// Whether what the target was rendered from is another version now than the status says. Without a
/// word in the status (the incumbent writes none) nobody can tell.
///
/// # Errors
/// When the API server has to be asked and refuses or does not answer.
pub(crate) async fn changed(part: &Part, object: &ExternalSecret) -> Result<bool, SyncFailure> {
    let written = object
        .status
        .as_ref()
        .and_then(|status| status.written.as_ref());
    let Some(noted) = written.and_then(|written| written.inputs.as_ref()) else {
        return Ok(false);
    };
    let mut versions = BTreeMap::new();
    let names = names(object);
    for name in names.config_maps {
        if let Some(version) = version::<ConfigMap>(part, object, &part.config_maps, name).await? {
            versions.insert(format!("ConfigMap/{name}"), Some(version));
        }
    }
    for name in names.secrets {
        if let Some(version) = version::<Secret>(part, object, &part.sightings, name).await? {
            versions.insert(format!("Secret/{name}"), Some(version));
        }
    }
    Ok(digest(&versions).as_ref() != Some(noted))
}

async fn version<K>(
    part: &Part,
    object: &ExternalSecret,
    sightings: &Sightings,
    name: &str,
) -> Result<Option<String>, SyncFailure>
where
    K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let namespace = object.namespace().unwrap_or_default();
    let seen = sightings.of(&Key::new(&namespace, name));
    if let Some(version) = seen.and_then(|seen| seen.resource_version()) {
        return Ok(Some(version));
    }
    let _call = part.calls.acquire().await;
    let api = Api::<K>::namespaced(part.context.client.clone(), &namespace);
    let found = api
        .get_metadata_opt(name)
        .await
        .map_err(|error| failed(&error))?;
    Ok(found.and_then(|found| found.resource_version()))
}

/// `None` where nothing is rendered from anywhere.
fn digest(versions: &BTreeMap<String, Option<String>>) -> Option<String> {
    let text = |(name, version): (&String, &Option<String>)| {
        format!("{name}@{}", version.as_deref().unwrap_or_default())
    };
    let texts: Vec<String> = versions.iter().map(text).collect();
    (!texts.is_empty()).then(|| hash::of_text(&texts.join(" ")))
}

fn failed(error: &kube::Error) -> SyncFailure {
    let cause = redact::api_error(error);
    let cause = format!("could not apply template: error fetching templateFrom data: {cause}");
    SyncFailure::at(Stage::Update, cause)
}
