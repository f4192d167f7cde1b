//! One refresh, from what the provider said to the target and its status.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crds::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecret, RefreshPolicy, WrittenSecret,
};
use jiff::Timestamp;

use super::{
    assemble::{Assembled, Lack, Unserved, assemble},
    carry_out::{self, carry_out},
    desired::Ingredients,
    digest::digest,
    failure::{Stage, SyncFailure},
    gather::Gathered,
    plan::{Outcome, plan},
    questions,
    refresh::Sight,
    report,
    sources::sources,
    status::Done,
    target::sight,
};
use crate::{
    fetch::{Seat, Source},
    key::Key,
    part::Part,
    provider::Address,
    template::Sources,
};

/// How long a provider that throttles us is no error of the ExternalSecret, at most. One that wants
/// to be refreshed more often is told earlier.
const PATIENCE: Duration = Duration::from_secs(60);

/// A refresh of one ExternalSecret.
pub(crate) struct Attempt<'a> {
    pub(crate) part: &'a Part,
    pub(crate) object: &'a ExternalSecret,
    pub(crate) key: &'a Key,
    /// When the provider was asked.
    pub(crate) started: Timestamp,
}

/// Brings the target in step with what the provider said, and tells so. Returns when the next
/// refresh is due.
///
/// # Errors
/// Why it is not in step.
pub(crate) async fn bring_in_step(
    attempt: &Attempt<'_>,
    gathered: Gathered,
) -> Result<Option<Timestamp>, SyncFailure> {
    let Attempt {
        part,
        object,
        key,
        started,
    } = *attempt;
    let Gathered { answers, most } = gathered;
    let assembled = computing(object, || assemble(&object.spec, answers, &part.templates));
    let assembled = match assembled {
        Ok(assembled) => assembled,
        Err(unserved) => return Err(unserved_failure(part, object, key, unserved)),
    };
    part.memory
        .change(key, |remembered| remembered.throttled_since = None);
    let sources = sources(part, object).await?;
    let digest = digest(object, &assembled, &sources);
    let (outcome, target) = match still_good(part, object, key, &digest) {
        Some(good) => (outcome_of(object, &assembled), Some(good)),
        None => Box::pin(write(part, object, key, &assembled, &sources)).await?,
    };
    carry_out::delete_orphans(part, object).await?;
    let name = questions::target(object).to_owned();
    let done = Done {
        outcome,
        skipped: assembled.skipped,
        target: target.map(|written| (name, written)),
        inputs: sources.digest,
    };
    let next = seat(part, object, key, most, started);
    part.memory.change(key, |remembered| {
        remembered.good = done.target.as_ref().map(|(_, written)| written.clone());
        remembered.made_from = remembered.good.is_some().then_some(digest);
    });
    report::success(part, object, &done, started).await?;
    Ok(next)
}

fn outcome_of(object: &ExternalSecret, assembled: &Assembled) -> Outcome {
    let retains = object.spec.target.deletion_policy == DeletionPolicy::Retain;
    if assembled.values.is_empty() && retains {
        Outcome::Retained
    } else {
        Outcome::Synced
    }
}

/// What the timetable says of the next refresh, now that one has happened.
fn seat(
    part: &Part,
    object: &ExternalSecret,
    key: &Key,
    most: Option<(Source, BTreeSet<Address>)>,
    started: Timestamp,
) -> Option<Timestamp> {
    let who = key.to_string();
    let periodic = matches!(object.spec.refresh_policy, RefreshPolicy::Periodic);
    let interval = object
        .spec
        .parse_refresh_interval()
        .ok()
        .flatten()
        .filter(|_| periodic);
    match (interval, most) {
        (Some(interval), Some((source, units))) => part.timetable(|table| {
            let seat = Seat {
                lane: source.lane(),
                units,
                interval,
            };
            table.refreshed(&who, started, &seat);
            table.due(&who)
        }),
        (interval, _) => {
            part.timetable(|table| table.leave(&who));
            interval.and_then(|interval| started.checked_add(interval).ok())
        }
    }
}

fn unserved_failure(
    part: &Part,
    object: &ExternalSecret,
    key: &Key,
    Unserved { lack, text }: Unserved,
) -> SyncFailure {
    match lack {
        Lack::StoreNotYet(store) => SyncFailure::StoreNotYet(store),
        Lack::Throttled(_) => {
            let mut since = None;
            part.memory.change(key, |remembered| {
                since = Some(*remembered.throttled_since.get_or_insert_with(Instant::now));
            });
            let interval = object.spec.parse_refresh_interval().ok().flatten();
            let patience = interval.unwrap_or(PATIENCE).min(PATIENCE);
            if since.is_some_and(|since| since.elapsed() < patience) {
                return SyncFailure::Throttled(text);
            }
            SyncFailure::at(Stage::Data, text)
        }
        Lack::Missing | Lack::Failed(_) => SyncFailure::at(Stage::Data, text),
    }
}

/// The target, if it is still what these values made of it, so that it need not even be read.
fn still_good(
    part: &Part,
    object: &ExternalSecret,
    key: &Key,
    digest: &[u8; 32],
) -> Option<WrittenSecret> {
    let remembered = part.memory.of(key);
    let good = remembered
        .good
        .filter(|_| remembered.made_from.as_ref() == Some(digest))?;
    match sight(part, object, key) {
        Sight::Seen(seen) if seen.is(&good.uid, &good.resource_version) => Some(good),
        _ => None,
    }
}

/// Templates may compute for seconds; nobody else is to wait for that.
fn computing<T>(object: &ExternalSecret, compute: impl FnOnce() -> T) -> T {
    let has_templates = object.spec.target.template.is_some()
        || object
            .spec
            .data_from
            .iter()
            .flat_map(|entry| &entry.rewrite)
            .any(|r| r.transform.is_some());
    if has_templates {
        tokio::task::block_in_place(compute)
    } else {
        compute()
    }
}

async fn write(
    part: &Part,
    object: &ExternalSecret,
    key: &Key,
    assembled: &Assembled,
    sources: &Sources,
) -> Result<carry_out::Left, SyncFailure> {
    let with = Ingredients {
        values: &assembled.values,
        templates: &part.templates,
        sources,
        privileged_types: part.settings.privileged_types,
    };
    let policy = &object.spec.target.creation_policy;
    let surely_none = *policy == CreationPolicy::None
        || (*policy != CreationPolicy::Merge && sight(part, object, key) == Sight::Missing);
    if surely_none {
        let first = carry_out(
            part,
            object,
            None,
            computing(object, || plan(object, None, &with))?,
        )
        .await;
        // A Secret that was there before anything named it was not noted by the watch.
        if first != Err(SyncFailure::Overtaken(carry_out::APPEARED)) {
            return first;
        }
    }
    let existing = carry_out::read(part, object).await?;
    let plan = computing(object, || plan(object, existing.as_ref(), &with))?;
    carry_out(part, object, existing.as_ref(), plan).await
}
