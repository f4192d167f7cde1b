//! The templates of a SealedSecret, `spec.template.data`: they see its opened items, and each other.

use std::collections::BTreeMap;

use crate::{Delimiters, Dialect, Limits, Template, TemplateError, Values};

/// A template of several that failed.
#[derive(Debug, thiserror::Error)]
#[error("template {name:?}: {error}")]
pub struct ItemError {
    /// The item that it was to make.
    pub name: String,
    /// Why it did not.
    #[source]
    pub error: TemplateError,
}

/// Renders every template, by item name. It may take long: call it where blocking is allowed.
///
/// The templates see the opened items by name and, as in the incumbent from v0.37 on
/// (`renderTemplate`, sealedsecret_expansion.go), the raw text of the templates beside them where no
/// item has that name.
///
/// # Errors
/// [`ItemError`] names the template and quotes no value.
pub fn render_items(texts: &BTreeMap<String, String>, items: &Values) -> Result<Values, ItemError> {
    let mut seen = Values::new();
    for (name, value) in items {
        seen.insert(name.clone(), value.duplicate());
    }
    for (name, text) in texts {
        seen.entry(name.clone())
            .or_insert_with(|| text.clone().into_bytes().into());
    }
    texts
        .iter()
        .map(|(name, text)| {
            let rendered = Template::parse(text, Dialect::SealedSecrets, &Delimiters::default())
                .and_then(|template| template.render(&seen, &Limits::default()))
                .map_err(|error| ItemError {
                    name: name.clone(),
                    error,
                })?;
            Ok((name.clone(), rendered))
        })
        .collect()
}
