//! What would become of an ExternalSecret, as far as it can be told without asking the provider. Pure.
//!
//! The values are taken to be those that the target holds; everything else is what a refresh would make.

use std::collections::BTreeMap;

use crds::external_secret::{CreationPolicy, ExternalSecret, Template};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kit::SecretBytes;
use kube::ResourceExt as _;

use super::{
    desired::{Ingredients, desired, is_same},
    failure::SyncFailure,
    questions,
    refresh::{self, Refresh},
    spec,
};
use crate::{
    template::{Engine, Sources},
    values::Values,
};

/// What an ExternalSecret is judged by, besides its target.
pub(crate) struct Foresight<'a> {
    pub(crate) templates: &'a Engine,
    /// What begins an action of a template, and what ends it.
    pub(crate) delimiters: &'a (String, String),
    pub(crate) privileged_types: bool,
    pub(crate) now: Timestamp,
}

/// When the provider would be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// At once, and why.
    Now(&'static str),
    /// Not before then; never without a change where it is `None`.
    NotBefore(Option<Timestamp>),
}

/// What would become of an ExternalSecret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreseen {
    /// When the provider would be asked.
    pub(crate) ask: Ask,
    /// What would be written to its target when it has been; `None` is nothing.
    pub(crate) write: Option<String>,
}

/// The name of the target; `None` if it has none to be looked at.
pub(crate) fn target_of(object: &ExternalSecret) -> Option<&str> {
    let has_target = object.spec.target.creation_policy != CreationPolicy::None;
    has_target.then(|| questions::target(object))
}

/// What would become of an ExternalSecret whose target is `live`.
///
/// # Errors
/// Why it would not be served, or its target not be written.
pub(crate) fn foresee(
    object: &ExternalSecret,
    live: Option<&Secret>,
    with: &Foresight<'_>,
) -> Result<Foreseen, SyncFailure> {
    spec::check(object)?;
    let ask = ask(object, live, with.now);
    let write = match (&object.spec.target.creation_policy, live) {
        (CreationPolicy::None | CreationPolicy::Merge, None) | (CreationPolicy::None, Some(_)) => {
            None
        }
        (_, None) => matches!(ask, Ask::Now(_)).then(|| "would be created".to_owned()),
        (_, Some(live)) => difference_of(object, live, with)?,
    };
    Ok(Foreseen { ask, write })
}

fn ask(object: &ExternalSecret, live: Option<&Secret>, now: Timestamp) -> Ask {
    match refresh::decide(object, now, None) {
        Refresh::Changed => Ask::Now("it was never synced, or was changed since"),
        Refresh::Due => Ask::Now("its refreshInterval has passed"),
        Refresh::NotBefore(next) => match (&object.spec.target.creation_policy, live) {
            (CreationPolicy::Orphan | CreationPolicy::None, _) | (CreationPolicy::Merge, None) => {
                Ask::NotBefore(next)
            }
            (_, None) => Ask::Now("its Secret is missing"),
            (_, Some(live)) if !refresh::is_intact(live) => {
                Ask::Now("its Secret was changed by somebody else")
            }
            (_, Some(_)) => Ask::NotBefore(next),
        },
    }
}

fn difference_of(
    object: &ExternalSecret,
    live: &Secret,
    with: &Foresight<'_>,
) -> Result<Option<String>, SyncFailure> {
    let mut object = object.clone();
    if let Some(template) = &mut object.spec.target.template {
        keep_rendered(template, live, with.delimiters);
    }
    let data = live.data.iter().flatten();
    let values: Values = data
        .map(|(key, value)| (key.clone(), SecretBytes::new(value.0.clone())))
        .collect();
    let ingredients = Ingredients {
        values: &values,
        templates: with.templates,
        sources: &Sources::default(),
        privileged_types: with.privileged_types,
    };
    let wanted = desired(&object, Some(live), &ingredients)?;
    Ok((!is_same(&wanted, live)).then(|| difference(live, &wanted)))
}

/// Leaves of a template what needs no values, and puts what was made of the rest in its place.
fn keep_rendered(template: &mut Template, live: &Secret, delimiters: &(String, String)) {
    let (left, right) = delimiters;
    let literal = |text: &str| {
        let quoted = serde_json::Value::from(text);
        format!("{left} {quoted} {right}")
    };
    let keep = |asked: &mut BTreeMap<String, String>, there: &BTreeMap<String, String>| {
        for (key, text) in asked.iter_mut().filter(|(_, text)| text.contains(left)) {
            // One that is missing is a difference, whatever it would be.
            *text = literal(there.get(key).map_or("", String::as_str));
        }
    };
    keep(&mut template.metadata.labels, live.labels());
    keep(&mut template.metadata.annotations, live.annotations());
    for source in std::mem::take(&mut template.template_from) {
        let (asked, there) = match source.target.to_ascii_lowercase().as_str() {
            "labels" => (&mut template.metadata.labels, live.labels()),
            "annotations" => (&mut template.metadata.annotations, live.annotations()),
            _ => continue,
        };
        for (key, rendered) in there {
            asked
                .entry(key.clone())
                .or_insert_with(|| literal(rendered));
        }
    }
    template.data.clear();
}

/// What of a Secret would change, by name.
fn difference(live: &Secret, wanted: &Secret) -> String {
    let keys = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        let names = one.keys().chain(other.keys());
        let mut names: Vec<&str> = names
            .filter(|name| one.get(*name) != other.get(*name))
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let mut parts = Vec::new();
    let labels = keys(live.labels(), wanted.labels());
    if !labels.is_empty() {
        parts.push(format!("labels ({labels})"));
    }
    let annotations = keys(live.annotations(), wanted.annotations());
    if !annotations.is_empty() {
        parts.push(format!("annotations ({annotations})"));
    }
    for (what, differs) in [
        (
            "owner references",
            live.owner_references() != wanted.owner_references(),
        ),
        ("finalizers", live.finalizers() != wanted.finalizers()),
        ("type", live.type_ != wanted.type_),
        ("immutability", live.immutable != wanted.immutable),
    ] {
        if differs {
            parts.push(what.to_owned());
        }
    }
    format!("would change its {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_000_000;

    fn object(target: Value) -> ExternalSecret {
        let mut object: ExternalSecret = serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "app", "namespace": "ns", "uid": "es", "generation": 1},
            "spec": {
                "target": target, "refreshInterval": "1h",
                "data": [{"secretKey": "k", "remoteRef": {"key": "remote"}}],
            },
        }))
        .unwrap();
        object.status = serde_json::from_value(json!({
            "refreshTime": Timestamp::from_second(NOW - 60).unwrap().to_string(),
            "syncedResourceVersion": refresh::version(&object),
        }))
        .unwrap();
        object
    }

    fn with<T>(judge: impl FnOnce(&Foresight<'_>) -> T) -> T {
        let delimiters = ("{{".to_owned(), "}}".to_owned());
        let templates = Engine::new(&delimiters.0, &delimiters.1);
        judge(&Foresight {
            templates: &templates,
            delimiters: &delimiters,
            privileged_types: false,
            now: Timestamp::from_second(NOW).unwrap(),
        })
    }

    /// The target as it is left by whoever synced it.
    fn left(object: &ExternalSecret) -> Secret {
        let values: Values = [("k".to_owned(), SecretBytes::new(b"v".to_vec()))].into();
        with(|with| {
            let ingredients = Ingredients {
                values: &values,
                templates: with.templates,
                sources: &Sources::default(),
                privileged_types: false,
            };
            desired(object, None, &ingredients).unwrap()
        })
    }

    fn foreseen(object: &ExternalSecret, live: Option<&Secret>) -> Foreseen {
        with(|with| foresee(object, live, with)).unwrap()
    }

    #[test]
    fn what_was_left_in_step_stays_as_it_is_whatever_its_policy() {
        let next = Ask::NotBefore(Some(Timestamp::from_second(NOW + 3_540).unwrap()));
        for target in [
            json!({}),
            json!({"creationPolicy": "Orphan"}),
            json!({"creationPolicy": "Merge"}),
            json!({"immutable": true}),
            json!({"template": {"metadata": {"labels": {"of": "{{ .k }}"}, "finalizers": ["a/b"]}}}),
            json!({"template": {"data": {"other": "{{ .k | upper }}"}}}),
            json!({"template": {"templateFrom": [{"target": "Labels", "literal": "l-{{ .k }}: x"}]}}),
        ] {
            let object = object(target.clone());
            let nothing = Foreseen {
                ask: next,
                write: None,
            };
            assert_eq!(foreseen(&object, Some(&left(&object))), nothing, "{target}");
        }
    }

    #[test]
    fn a_difference_is_named_without_values() {
        let object = object(json!({}));
        let mut touched = left(&object);
        let labels = touched.metadata.labels.get_or_insert_default();
        labels.remove(crds::external_secret::CREATED_BY);
        touched.metadata.owner_references = None;
        let foreseen = foreseen(&object, Some(&touched));
        assert_eq!(
            foreseen.write.as_deref(),
            Some(
                "would change its labels (reconcile.external-secrets.io/created-by), owner references"
            )
        );
    }

    #[test]
    fn an_edited_or_missing_target_is_asked_for_at_once() {
        let mut object = object(json!({}));
        let mut edited = left(&object);
        let data = edited.data.get_or_insert_default();
        data.insert("k".to_owned(), k8s_openapi::ByteString(b"other".to_vec()));
        let found = foreseen(&object, Some(&edited));
        assert_eq!(
            found.ask,
            Ask::Now("its Secret was changed by somebody else")
        );
        assert!(found.write.is_some_and(|write| !write.contains("other")));
        let found = foreseen(&object, None);
        assert_eq!(found.ask, Ask::Now("its Secret is missing"));
        assert_eq!(found.write.as_deref(), Some("would be created"));
        object.spec.target.creation_policy = CreationPolicy::Merge;
        let found = foreseen(&object, None);
        assert!(matches!(found.ask, Ask::NotBefore(Some(_))), "{found:?}");
        assert_eq!(found.write, None);
    }

    #[test]
    fn what_is_refused_is_told() {
        let object = object(json!({"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}));
        let refused = with(|with| foresee(&object, None, with)).unwrap_err();
        assert!(
            refused.to_string().contains("spec.target.manifest"),
            "{refused}"
        );
    }
}
