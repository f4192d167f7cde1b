//! Where the template engine comes in.

use std::collections::BTreeMap;

use keys::SecretBytes;

/// Renders `spec.template.data`.
///
/// The templates see the opened items by name, and, as in the incumbent from v0.37 on, the raw text
/// of the templates beside them where no item has that name.
pub trait Templates: Send + Sync {
    /// Renders every template. It may take long, so it is called where blocking is allowed.
    ///
    /// # Errors
    /// The first template that is wrong, and what is wrong with it.
    fn render(
        &self,
        templates: &BTreeMap<String, String>,
        values: &BTreeMap<String, SecretBytes>,
    ) -> Result<BTreeMap<String, SecretBytes>, TemplateError>;
}

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct TemplateError {
    /// The item that it was to make.
    pub key: String,
    /// What is wrong with it, without any value.
    pub message: String,
}
