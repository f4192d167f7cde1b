//! The names that the incumbent leaves in a cluster, and that we leave in the same way.

use crds::external_secret::FIELD_MANAGER_PREFIX;

use crate::hash;

/// The source component of events.
pub(crate) const EVENT_SOURCE: &str = "external-secrets";

/// The field manager of the Secret of the ExternalSecret of this name: the name itself, or its hash
/// where the whole would be longer than 63 bytes (externalsecret/util.go, `fqdnFor`).
#[must_use]
pub(crate) fn field_manager(external_secret: &str) -> String {
    const LONGEST: usize = 63;
    if FIELD_MANAGER_PREFIX.len() + external_secret.len() > LONGEST {
        format!(
            "{FIELD_MANAGER_PREFIX}sha3/{}",
            hash::of_text(external_secret)
        )
    } else {
        format!("{FIELD_MANAGER_PREFIX}{external_secret}")
    }
}

/// The value of the `created-by` label (externalsecret_controller.go, `applyOwnership`).
#[must_use]
pub(crate) fn owner_label(namespace: &str, external_secret: &str) -> String {
    hash::of_text(&format!("{namespace}/{external_secret}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_hashed_in_the_field_manager() {
        let longest = "a".repeat(63 - FIELD_MANAGER_PREFIX.len());
        assert_eq!(
            field_manager(&longest),
            format!("{FIELD_MANAGER_PREFIX}{longest}")
        );
        let hashed = field_manager(&format!("{longest}a"));
        assert!(
            hashed.starts_with("externalsecrets.external-secrets.io/sha3/") && hashed.len() == 97
        );
    }
}
