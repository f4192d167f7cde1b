//! Which namespace is sealed for, when the Secret does not say.

use std::cell::OnceCell;

use crate::arguments::Settings;
use crate::error::Failure;
use crate::kubeconfig;

/// The namespace of `-n`, or of the kubeconfig's context, which is read only when it is needed.
pub(crate) struct Namespace<'a> {
    settings: &'a Settings,
    found: OnceCell<String>,
}

impl<'a> Namespace<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            found: OnceCell::new(),
        }
    }

    /// Refuses a Secret that names another namespace than `-n` does.
    pub(crate) fn check(&self, of_secret: &str) -> Result<(), Failure> {
        let given = &self.settings.connection.namespace;
        if given.is_empty() || of_secret.is_empty() || of_secret == given {
            return Ok(());
        }
        Err(Failure::Work(format!(
            "namespace mismatch: input secret is in namespace {} but {} was specified",
            quoted(of_secret),
            quoted(given)
        )))
    }

    /// The namespace, or the empty text when nothing says one.
    pub(crate) fn resolve(&self) -> String {
        self.found
            .get_or_init(|| {
                kubeconfig::namespace(&self.settings.connection, &self.settings.environment)
            })
            .clone()
    }
}

/// Go's `%q`, for names.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
