//! What is known of the target, asking no more than needed.

use crds::external_secret::{CreationPolicy, ExternalSecret};

use super::{
    carry_out,
    failure::SyncFailure,
    questions,
    refresh::{self, Sight, Standing},
};
use crate::{key::Key, part::Part};

/// Whether the target is as it was left. Reads it only where its metadata cannot tell.
///
/// # Errors
/// When it has to be read and the API server refuses or does not answer.
pub(crate) async fn is_good(
    part: &Part,
    object: &ExternalSecret,
    key: &Key,
) -> Result<bool, SyncFailure> {
    let policy = &object.spec.target.creation_policy;
    let remembered = part.memory.of(key).good;
    let recorded = object
        .status
        .as_ref()
        .and_then(|status| status.written.as_ref()?.secret.clone());
    let written = remembered.or(recorded);
    let sight = sight(part, object, key);
    match refresh::standing(policy, &sight, written.as_ref()) {
        Standing::Good => Ok(true),
        Standing::Broken => Ok(false),
        Standing::Look => {
            let found = carry_out::read(part, object).await?;
            let merges_into_nothing = found.is_none() && *policy == CreationPolicy::Merge;
            let intact = found.as_ref().filter(|secret| refresh::is_intact(secret));
            if let Some(secret) = intact {
                let good = Some(carry_out::version(secret));
                part.memory.change(key, |remembered| remembered.good = good);
            }
            Ok(intact.is_some() || merges_into_nothing)
        }
    }
}

/// What the watch has shown of the target.
pub(crate) fn sight(part: &Part, object: &ExternalSecret, key: &Key) -> Sight {
    match part
        .sightings
        .of(&Key::new(&key.namespace, questions::target(object)))
    {
        Some(sighting) => Sight::Seen(sighting),
        None if part.sightings.complete(&key.namespace) => Sight::Missing,
        None => Sight::Unknown,
    }
}
