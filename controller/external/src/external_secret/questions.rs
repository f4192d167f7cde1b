//! What an ExternalSecret asks of which store. Pure.

use std::collections::BTreeSet;

use crds::external_secret::{
    ExternalSecret, ExternalSecretData, ExternalSecretDataFrom, ExternalSecretSpec, Find,
    GeneratorRef, MetadataPolicy, RemoteRef, SecretStoreRef,
};
use kube::ResourceExt as _;
use template::Expression;

use crate::{
    dependents::Named,
    provider::{Address, Search, Version},
};

/// What one entry wants.
#[derive(Clone)]
pub(crate) enum Want<'a> {
    /// One secret.
    Secret(&'a RemoteRef),
    /// Every secret that fits; or why that cannot be asked.
    Search(Result<Search, String>),
    /// Values that nobody holds.
    Generator(&'a GeneratorRef),
    /// Nothing: the entry is empty.
    Nothing,
}

/// One entry of `data` or `dataFrom`.
#[derive(Clone)]
pub(crate) struct Question<'a> {
    /// The store that is asked.
    pub(crate) store: &'a SecretStoreRef,
    /// For what.
    pub(crate) want: Want<'a>,
}

/// The questions of `dataFrom`, in order.
pub(crate) fn of_data_from(spec: &ExternalSecretSpec) -> Vec<Question<'_>> {
    spec.data_from
        .iter()
        .map(|entry| of_entry(spec, entry))
        .collect()
}

/// The questions of `data`, in order.
pub(crate) fn of_data(spec: &ExternalSecretSpec) -> Vec<Question<'_>> {
    spec.data
        .iter()
        .map(|entry| question_of(spec, entry))
        .collect()
}

fn question_of<'a>(spec: &'a ExternalSecretSpec, entry: &'a ExternalSecretData) -> Question<'a> {
    let own = entry
        .source_ref
        .as_ref()
        .and_then(|source| source.store_ref.as_ref());
    Question {
        store: own.unwrap_or(&spec.secret_store_ref),
        want: Want::Secret(&entry.remote_ref),
    }
}

fn of_entry<'a>(spec: &'a ExternalSecretSpec, entry: &'a ExternalSecretDataFrom) -> Question<'a> {
    let source = entry.source_ref.as_ref();
    let own = source.and_then(|source| source.store_ref.as_ref());
    let generator = source.and_then(|source| source.generator_ref.as_ref());
    let want = match (&entry.find, &entry.extract, generator) {
        (Some(find), ..) => Want::Search(search(find)),
        (None, Some(extract), _) => Want::Secret(extract),
        (None, None, Some(generator)) => Want::Generator(generator),
        (None, None, None) => Want::Nothing,
    };
    Question {
        store: own.unwrap_or(&spec.secret_store_ref),
        want,
    }
}

fn search(find: &Find) -> Result<Search, String> {
    if find.name.is_none() && find.tags.is_empty() {
        return Err("unexpected find operator".to_owned());
    }
    let name = find.name.as_ref().map(|name| {
        let pattern = &name.regexp;
        Expression::new(pattern)
            .map_err(|problem| format!("could not compile find.name.regexp [{pattern}]: {problem}"))
    });
    Ok(Search {
        path: find.path.clone(),
        name: name.transpose()?,
        tags: find.tags.clone(),
    })
}

/// What a reference means in a store with this prefix (secretsmanager.go, `fetch`). Names found by
/// a search have no prefix put before them: they are whole already.
pub(crate) fn address(prefix: &str, reference: &RemoteRef) -> Address {
    let id = format!("{prefix}{}", reference.key);
    if reference.metadata_policy == MetadataPolicy::Fetch {
        return Address::Tags { id };
    }
    Address::Value {
        id,
        version: Version::parse(&reference.version),
    }
}

/// The stores that an ExternalSecret names, each once.
pub(crate) fn stores(spec: &ExternalSecretSpec) -> Vec<&SecretStoreRef> {
    let all = of_data_from(spec).into_iter().chain(of_data(spec));
    let mut stores: Vec<&SecretStoreRef> = Vec::new();
    let asked = all.filter(|question| matches!(question.want, Want::Secret(_) | Want::Search(_)));
    for store in asked.map(|question| question.store) {
        if !stores.contains(&store) {
            stores.push(store);
        }
    }
    stores
}

/// The generators that an ExternalSecret names.
pub(crate) fn generators(spec: &ExternalSecretSpec) -> impl Iterator<Item = &GeneratorRef> {
    of_data_from(spec)
        .into_iter()
        .filter_map(|question| match question.want {
            Want::Generator(generator) => Some(generator),
            Want::Secret(_) | Want::Search(_) | Want::Nothing => None,
        })
}

/// The name of the target.
pub(crate) fn target(object: &ExternalSecret) -> &str {
    match object.spec.target.name.as_str() {
        "" => object.metadata.name.as_deref().unwrap_or_default(),
        name => name,
    }
}

/// Everything whose change makes the ExternalSecret worth a look.
pub(crate) fn names(object: &ExternalSecret) -> BTreeSet<Named> {
    let namespace = object.namespace().unwrap_or_default();
    let secret = |name: &str| Named::Secret {
        namespace: namespace.clone(),
        name: name.to_owned(),
    };
    let mut names = BTreeSet::from([secret(target(object))]);
    for store in stores(&object.spec) {
        let name = store.name.clone();
        if store.is_cluster() {
            names.insert(Named::ClusterStore { name });
            names.insert(Named::Namespace {
                name: namespace.clone(),
            });
        } else {
            names.insert(Named::Store {
                namespace: namespace.clone(),
                name,
            });
        }
    }
    let template = object.spec.target.template.as_ref();
    for source in template
        .into_iter()
        .flat_map(|template| &template.template_from)
    {
        if let Some(found) = &source.secret {
            names.insert(secret(&found.name));
        }
        if let Some(found) = &source.config_map {
            let name = found.name.clone();
            names.insert(Named::ConfigMap {
                namespace: namespace.clone(),
                name,
            });
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(spec: Value) -> ExternalSecret {
        serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "n", "namespace": "ns"}, "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn a_reference_becomes_an_address_behind_the_prefix() {
        let reference = |more: Value| {
            let mut reference = json!({"key": "db"});
            reference
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            address("pre/", &serde_json::from_value(reference).unwrap())
        };
        let id = "pre/db".to_owned();
        let value = |version| Address::Value {
            id: id.clone(),
            version,
        };
        assert_eq!(
            reference(json!({})),
            value(Version::Stage("AWSCURRENT".into()))
        );
        assert_eq!(
            reference(json!({"version": "AWSPREVIOUS"})),
            value(Version::Stage("AWSPREVIOUS".into()))
        );
        assert_eq!(
            reference(json!({"version": "uuid/1-2"})),
            value(Version::Id("1-2".into()))
        );
        assert_eq!(
            reference(json!({"metadataPolicy": "Fetch", "version": "x"})),
            Address::Tags { id }
        );
    }

    #[test]
    fn each_entry_asks_its_own_store_or_that_of_all() {
        let object = object(json!({
            "secretStoreRef": {"name": "all"},
            "data": [
                {"secretKey": "a", "remoteRef": {"key": "x"}},
                {"secretKey": "b", "remoteRef": {"key": "x"}, "sourceRef": {"storeRef": {"name": "own", "kind": "ClusterSecretStore"}}},
            ],
            "dataFrom": [
                {"find": {"tags": {"a": "b"}}},
                {"sourceRef": {"generatorRef": {"kind": "Password", "name": "p"}}},
                {"find": {"path": "x"}},
                {"find": {"name": {"regexp": "["}}},
            ],
        }));
        let data: Vec<&str> = of_data(&object.spec)
            .iter()
            .map(|q| q.store.name.as_str())
            .collect();
        assert_eq!(data, ["all", "own"]);
        let from = of_data_from(&object.spec);
        assert!(matches!(from[0].want, Want::Search(Ok(_))));
        assert!(matches!(from[1].want, Want::Generator(_)));
        assert!(
            matches!(&from[2].want, Want::Search(Err(text)) if text == "unexpected find operator")
        );
        assert!(
            matches!(&from[3].want, Want::Search(Err(text)) if text.contains("find.name.regexp [[]"))
        );
    }

    #[test]
    fn everything_that_is_named_wakes() {
        let object = object(json!({
            "secretStoreRef": {"name": "s", "kind": "ClusterSecretStore"},
            "target": {"name": "t", "template": {"templateFrom": [
                {"configMap": {"name": "c", "items": []}, "secret": {"name": "x", "items": []}},
            ]}},
            "data": [{"secretKey": "a", "remoteRef": {"key": "x"}}],
        }));
        let ns = || "ns".to_owned();
        let secret = |name: &str| Named::Secret {
            namespace: ns(),
            name: name.into(),
        };
        let expected = BTreeSet::from([
            secret("t"),
            secret("x"),
            Named::ConfigMap {
                namespace: ns(),
                name: "c".into(),
            },
            Named::ClusterStore { name: "s".into() },
            Named::Namespace { name: ns() },
        ]);
        assert_eq!(names(&object), expected);
    }
}
