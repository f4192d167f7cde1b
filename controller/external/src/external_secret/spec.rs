//! What no store is needed for to see that an ExternalSecret is wrong. Pure.

use crds::external_secret::{CreationPolicy, DeletionPolicy, ExternalSecret, RefreshPolicy};

use super::failure::{Stage, SyncFailure};

/// Refuses an ExternalSecret that cannot be served, whatever is in the stores.
///
/// # Errors
/// Which field is wrong, and why.
pub(crate) fn check(object: &ExternalSecret) -> Result<(), SyncFailure> {
    let spec = &object.spec;
    let wrong = |cause: String| Err(SyncFailure::at(Stage::Spec, cause));
    if let Err(error) = spec.parse_refresh_interval() {
        return wrong(format!("spec.refreshInterval: {error}"));
    }
    if spec.data.is_empty() && spec.data_from.is_empty() {
        return wrong("either data or dataFrom should be specified".to_owned());
    }
    if spec.target.manifest.is_some() {
        return wrong(
            "spec.target.manifest: targets of other kinds than Secret are not served".to_owned(),
        );
    }
    for (field, known) in [
        (
            "spec.refreshPolicy",
            matches!(spec.refresh_policy, RefreshPolicy::Other(_)),
        ),
        (
            "spec.target.creationPolicy",
            matches!(spec.target.creation_policy, CreationPolicy::Other(_)),
        ),
        (
            "spec.target.deletionPolicy",
            matches!(spec.target.deletion_policy, DeletionPolicy::Other(_)),
        ),
    ] {
        if known {
            return wrong(format!("{field}: this value is not served"));
        }
    }
    Ok(())
}
