//! Where templates are rendered.
//!
//! The engine is a crate of its own; until it is there, a text without an action renders as itself,
//! which is what Go's template language says of it, and anything else is refused by name.

use kit::SecretBytes;

use crate::values::Values;

/// Renders templates over the values of one ExternalSecret, and over nothing else.
pub(crate) trait Templates: Send + Sync {
    /// The output of a template over these values.
    ///
    /// # Errors
    /// What is wrong with it, without any value.
    fn render(&self, template: &str, values: &Values) -> Result<SecretBytes, String>;

    /// The output of a template over one key, `.value`.
    ///
    /// # Errors
    /// What is wrong with it.
    fn rename(&self, template: &str, key: &str) -> Result<String, String>;
}

/// The engine that is not there yet.
pub(crate) struct NotYet;

impl Templates for NotYet {
    fn render(&self, template: &str, _: &Values) -> Result<SecretBytes, String> {
        plain(template).map(|text| SecretBytes::new(text.into_bytes()))
    }

    fn rename(&self, template: &str, _: &str) -> Result<String, String> {
        plain(template)
    }
}

fn plain(template: &str) -> Result<String, String> {
    if template.contains("{{") {
        return Err("template actions ({{ ... }}) are not served yet".to_owned());
    }
    Ok(template.to_owned())
}
