//! The template of a target: what it renders, and where that goes. Pure.
//!
//! `templateFrom` in order, then `data`, then labels and annotations: later ones win
//! (externalsecret_controller_template.go, `ApplyTemplate`; templating/parser.go).

use std::collections::BTreeMap;

use crds::external_secret::{
    DecodingStrategy, Template, TemplateFrom, TemplateRef, TemplateRefItem, TemplateScope,
};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kit::SecretBytes;

use super::{
    desired::Ingredients,
    failure::{Stage, SyncFailure},
};
use crate::{template::text_map, values};

/// Where rendered values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Data,
    Labels,
    Annotations,
}

impl Place {
    /// Reads `templateFrom[].target`, in any case. Anything else was refused before.
    fn of(target: &str) -> Self {
        if target.eq_ignore_ascii_case("Labels") {
            Self::Labels
        } else if target.eq_ignore_ascii_case("Annotations") {
            Self::Annotations
        } else {
            Self::Data
        }
    }
}

/// Renders a template into a Secret.
///
/// # Errors
/// What is wrong with the template, or with where it comes from.
pub(crate) fn render(
    template: &Template,
    secret: &mut Secret,
    with: &Ingredients<'_>,
) -> Result<(), SyncFailure> {
    let rendering = Rendering { with, secret };
    rendering.all(template).map_err(|problem| {
        SyncFailure::at(
            Stage::Update,
            format!("could not apply template: {problem}"),
        )
    })
}

struct Rendering<'a> {
    with: &'a Ingredients<'a>,
    secret: &'a mut Secret,
}

impl Rendering<'_> {
    fn all(mut self, template: &Template) -> Result<(), String> {
        for source in &template.template_from {
            self.from(source)
                .map_err(|e| format!("error fetching templateFrom data: {e}"))?;
        }
        let metadata = &template.metadata;
        for (templates, place) in [
            (&template.data, Place::Data),
            (&metadata.labels, Place::Labels),
            (&metadata.annotations, Place::Annotations),
        ] {
            for (key, text) in templates {
                let value = self.execute(key, text);
                let value = value.map_err(|e| format!("could not execute template: {e}"))?;
                self.put(place, key, &value);
            }
        }
        if self.secret.metadata.deletion_timestamp.is_none() {
            let finalizers = self.secret.metadata.finalizers.get_or_insert_default();
            for finalizer in &metadata.finalizers {
                if !finalizers.contains(finalizer) {
                    finalizers.push(finalizer.clone());
                }
            }
        }
        Ok(())
    }

    /// One entry may have all three sources.
    fn from(&mut self, source: &TemplateFrom) -> Result<(), String> {
        let sources = self.with.sources;
        if let Some(reference) = &source.config_map {
            let found = sources.config_maps.get(&reference.name);
            let found =
                found.ok_or_else(|| format!("configmaps \"{}\" not found", reference.name))?;
            self.items(source, reference, &|key| {
                let text = found.get(key).cloned();
                text.ok_or_else(|| {
                    format!("error in configmap {}: missing key {key}", reference.name)
                })
            })?;
        }
        if let Some(reference) = &source.secret {
            let found = sources.secrets.get(&reference.name);
            let found = found.ok_or_else(|| format!("secrets \"{}\" not found", reference.name))?;
            self.items(source, reference, &|key| {
                let bytes = found.get(key);
                let bytes = bytes.ok_or_else(|| {
                    format!("error in secret {}: missing key {key}", reference.name)
                })?;
                String::from_utf8(bytes.expose().to_vec()).map_err(|_| {
                    format!("error in secret {}: key {key} is no text", reference.name)
                })
            })?;
        }
        if let Some(text) = &source.literal {
            self.keys_and_values(source, "literal", text)?;
        }
        Ok(())
    }

    fn items(
        &mut self,
        source: &TemplateFrom,
        reference: &TemplateRef,
        text_of: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        for TemplateRefItem { key, template_as } in &reference.items {
            let text = text_of(key)?;
            match template_as {
                TemplateScope::Values => {
                    let value = decoded(source, key, self.execute(key, &text)?)?;
                    self.put(Place::of(&source.target), key, &value);
                }
                TemplateScope::KeysAndValues => self.keys_and_values(source, key, &text)?,
                TemplateScope::Other(other) => {
                    return Err(format!(
                        "unknown scope '{other}': expected 'Values' or 'KeysAndValues'"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The output is a YAML map of keys and values.
    fn keys_and_values(
        &mut self,
        source: &TemplateFrom,
        name: &str,
        text: &str,
    ) -> Result<(), String> {
        let output = self.execute(name, text)?;
        let pairs = text_map(&output).map_err(|problem| {
            format!("could not unmarshal the output of the template at key {name} to keys and values: {problem}")
        })?;
        for (key, value) in pairs {
            let value = decoded(source, &key, value)?;
            self.put(Place::of(&source.target), &key, &value);
        }
        Ok(())
    }

    fn execute(&self, key: &str, text: &str) -> Result<SecretBytes, String> {
        let result = self.with.templates.render(text, self.with.values);
        result.map_err(|problem| format!("unable to execute template at key {key}: {problem}"))
    }

    /// Labels and annotations are public by nature: the user asked for this value in one.
    fn put(&mut self, place: Place, key: &str, value: &SecretBytes) {
        let metadata = &mut self.secret.metadata;
        let map: &mut BTreeMap<String, String> = match place {
            Place::Data => {
                let data = self.secret.data.get_or_insert_default();
                data.insert(key.to_owned(), ByteString(value.expose().to_vec()));
                return;
            }
            Place::Labels => metadata.labels.get_or_insert_default(),
            Place::Annotations => metadata.annotations.get_or_insert_default(),
        };
        map.insert(
            key.to_owned(),
            String::from_utf8_lossy(value.expose()).into_owned(),
        );
    }
}

fn decoded(source: &TemplateFrom, key: &str, value: SecretBytes) -> Result<SecretBytes, String> {
    let strategy: &DecodingStrategy = &source.values_decoding_strategy;
    values::decode(strategy, value)
        .map_err(|error| format!("failed to decode rendered template value for key {key}: {error}"))
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
