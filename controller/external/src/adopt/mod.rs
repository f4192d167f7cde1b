//! What taking a cluster over would change: `controller adopt --dry-run`. Nothing is written, and AWS
//! is not asked: whether its values are still those of the Secrets is seen when they are due.

mod cluster;
mod incumbents;
mod listing;
mod objects;
mod stores;

use std::fmt;

use kube::Client;

use crate::{Arguments, settings::Settings};

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// What the controller would write besides statuses, one line each. Empty is the answer that a
    /// take-over wants.
    pub changes: Vec<String>,
    /// The ExternalSecrets for which AWS would be asked at once, and why. The incumbent would ask for
    /// the same.
    pub due: Vec<String>,
    /// What would not be served, and why. Its Secrets stay as they are.
    pub problems: Vec<String>,
    /// The incumbents that still run: two controllers that write the same Secrets get in each
    /// other's way.
    pub running: Vec<String>,
    /// What the incumbent would leave behind, and what to do about it.
    pub remnants: Vec<String>,
    /// How many objects there are, what is left alone, and what could not be looked at.
    pub remarks: Vec<String>,
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The API server refused, or did not answer.
    #[error("list {what}: {cause}")]
    List {
        /// The kind.
        what: &'static str,
        /// What it said.
        cause: String,
    },
}

/// Looks at everything with the eyes of a controller that starts with these arguments.
///
/// # Errors
/// [`AdoptError`] when what it is about cannot be listed.
pub async fn adopt(client: &Client, arguments: Arguments) -> Result<Adoption, AdoptError> {
    adopt_with(client, &arguments.settings(false)).await
}

async fn adopt_with(client: &Client, settings: &Settings) -> Result<Adoption, AdoptError> {
    let mut adoption = Adoption::default();
    incumbents::look(client, &mut adoption).await;
    let stores = stores::look(client, settings, &mut adoption).await?;
    let objects = listing::external_secrets(client, settings).await?;
    objects::look(client, settings, &stores, &objects, &mut adoption).await;
    if settings.cluster_external_secrets {
        cluster::look(client, &objects, &mut adoption).await?;
    }
    listing::push_secrets(client, &mut adoption).await;
    Ok(adoption)
}

impl fmt::Display for Adoption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            writeln!(formatter, "would change: nothing")?;
        }
        let sections = [
            ("would change", &self.changes),
            ("would be asked of AWS at once", &self.due),
            ("would not be served", &self.problems),
            ("still runs", &self.running),
            ("stays behind", &self.remnants),
            ("remarks", &self.remarks),
        ];
        for (title, lines) in sections {
            if !lines.is_empty() {
                writeln!(formatter, "{title}:")?;
            }
            for line in lines {
                writeln!(formatter, "  {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_that_is_wanted_is_nothing() {
        let adoption = Adoption {
            remarks: vec!["3 ExternalSecrets".into()],
            ..Adoption::default()
        };
        assert_eq!(
            adoption.to_string(),
            "would change: nothing\nremarks:\n  3 ExternalSecrets\n"
        );
        let adoption = Adoption {
            changes: vec!["Secret a/b would be created".into()],
            ..Adoption::default()
        };
        assert_eq!(
            adoption.to_string(),
            "would change:\n  Secret a/b would be created\n"
        );
    }
}
