//! One ExternalSecret, from a look at it to its status.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use crds::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecret, ExternalSecretStatus, FINALIZER,
    REASON_MISSING_PROVIDER_SECRET, REASON_UPDATE_FAILED, RefreshPolicy, WrittenSecret,
};
use jiff::{SignedDuration, Timestamp};
use kit::{
    reconcile::{Next, Reconcile},
    redact,
};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;
use sha3::{Digest as _, Sha3_256};
use tracing::debug;

use super::{
    assemble::{Assembled, Lack, Unserved, assemble},
    carry_out::{self, carry_out},
    desired::Ingredients,
    failure::{Stage, SyncFailure},
    gather::{self, Gathered},
    plan::{Outcome, plan},
    questions,
    refresh::{self, Refresh, Sight, Standing},
    sources::{self, sources},
    status::{self, Done},
    view,
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

/// Keeps Secrets in step with ExternalSecrets.
pub(crate) struct ExternalSecrets(pub(crate) Arc<Part>);

impl Reconcile for ExternalSecrets {
    type Kind = ExternalSecret;
    type Failure = SyncFailure;

    async fn reconcile(&self, object: Arc<ExternalSecret>) -> Result<Next, SyncFailure> {
        let part = &self.0;
        let key = Key::of(object.as_ref());
        if object.metadata.deletion_timestamp.is_some() {
            return let_go(part, &object, &key).await;
        }
        if gather::is_foreign(part, &object) {
            return Ok(Next::WaitForChange);
        }
        if view::is_older(&object, &part.memory.of(&key)) {
            return Ok(Next::After(view::LOOK_AGAIN));
        }
        let began = Instant::now();
        let result = Box::pin(look(part, &object, &key)).await;
        part.memory.change(&key, |remembered| {
            remembered.calls += 1;
            remembered.errors += u64::from(result.is_err());
            remembered.took = began.elapsed();
        });
        match result {
            Err(failure @ SyncFailure::Failed { .. }) => {
                report_failure(part, &object, &failure).await?;
                Err(failure)
            }
            other => other,
        }
    }
}

/// The object is being deleted: its finalizer is the incumbent's, and we take it away.
async fn let_go(part: &Part, object: &ExternalSecret, key: &Key) -> Result<Next, SyncFailure> {
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        if object.spec.target.deletion_policy == DeletionPolicy::Delete {
            carry_out::clean_up(part, object).await?;
        }
        let rest: Vec<&String> = object
            .finalizers()
            .iter()
            .filter(|name| *name != FINALIZER)
            .collect();
        let patch = json!({"metadata": {
            "finalizers": rest, "resourceVersion": object.metadata.resource_version,
        }});
        let api: Api<ExternalSecret> = Api::namespaced(part.context.client.clone(), &key.namespace);
        let _call = part.calls.acquire().await;
        let patched = api
            .patch(&key.name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        match patched {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {
                return Err(SyncFailure::Overtaken(
                    "the ExternalSecret was changed meanwhile",
                ));
            }
            Err(error) => return Err(SyncFailure::Status(redact::api_error(&error))),
        }
    }
    Ok(Next::WaitForChange)
}

/// Decides whether anything has to be done, and has it done.
async fn look(part: &Part, object: &ExternalSecret, key: &Key) -> Result<Next, SyncFailure> {
    check(object)?;
    let now = Timestamp::now();
    let due = part.timetable(|table| table.due(&key.to_string()));
    let decision = refresh::decide(object, now, due);
    let lane = match decision {
        Refresh::Due => &part.due,
        Refresh::Changed | Refresh::NotBefore(_) => &part.changed,
    };
    let _place = lane.acquire().await;
    if let Refresh::NotBefore(next) = decision
        && !sources::changed(part, object).await?
        && target_is_good(part, object, key).await?
    {
        return Ok(wait_until(next, now));
    }
    Box::pin(refresh(part, object, key)).await
}

/// What no store is needed for to see that it is wrong.
fn check(object: &ExternalSecret) -> Result<(), SyncFailure> {
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

fn wait_until(next: Option<Timestamp>, now: Timestamp) -> Next {
    next.map_or(Next::WaitForChange, |next| {
        let wait = next.duration_since(now).max(SignedDuration::ZERO);
        Next::After(wait.unsigned_abs())
    })
}

/// Whether the target is as it was left. Reads it only where its metadata cannot tell.
async fn target_is_good(
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

fn sight(part: &Part, object: &ExternalSecret, key: &Key) -> Sight {
    match part
        .sightings
        .of(&Key::new(&key.namespace, questions::target(object)))
    {
        Some(sighting) => Sight::Seen(sighting),
        None if part.sightings.complete(&key.namespace) => Sight::Missing,
        None => Sight::Unknown,
    }
}

/// Asks the provider and brings the target in step.
async fn refresh(part: &Part, object: &ExternalSecret, key: &Key) -> Result<Next, SyncFailure> {
    let started = Timestamp::now();
    let Gathered { answers, most } = Box::pin(gather::gather(part, object)).await;
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
    report_success(part, object, &done, started).await?;
    Ok(wait_until(next, Timestamp::now()))
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
                lane: (source.principal, source.region),
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

/// A salted digest of all that the target is made from. It stays in this process.
fn digest(object: &ExternalSecret, assembled: &Assembled, sources: &Sources) -> [u8; 32] {
    static SALT: LazyLock<[u64; 4]> = LazyLock::new(|| {
        let state = RandomState::new();
        [0, 1, 2, 3].map(|index| state.hash_one(index))
    });
    let mut hasher = Sha3_256::new();
    for part in *SALT {
        hasher.update(part.to_le_bytes());
    }
    let mut add = |field: &[u8]| {
        hasher.update(field.len().to_le_bytes());
        hasher.update(field);
    };
    add(refresh::version(object).as_bytes());
    for (key, value) in &assembled.values {
        add(key.as_bytes());
        add(value.expose());
    }
    for (name, pairs) in &sources.config_maps {
        add(name.as_bytes());
        pairs
            .iter()
            .flat_map(|(key, text)| [key, text])
            .for_each(|text| add(text.as_bytes()));
    }
    for (name, values) in &sources.secrets {
        add(name.as_bytes());
        values
            .iter()
            .flat_map(|(key, value)| [key.as_bytes(), value.expose()])
            .for_each(&mut add);
    }
    hasher.finalize().into()
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

async fn report_success(
    part: &Part,
    object: &ExternalSecret,
    done: &Done,
    started: Timestamp,
) -> Result<(), SyncFailure> {
    let status = status::done(object, done, started);
    let before = status::ready(object.status.as_ref()).map(|condition| condition.message.clone());
    let now = status::ready(Some(&status)).map(|condition| condition.message.clone());
    if before != now {
        for entry in &done.skipped {
            let message = format!("secret does not exist at provider using {entry}");
            part.events
                .normal(object, REASON_MISSING_PROVIDER_SECRET, &message);
        }
    }
    write_status(part, object, status).await
}

async fn report_failure(
    part: &Part,
    object: &ExternalSecret,
    failure: &SyncFailure,
) -> Result<(), SyncFailure> {
    let SyncFailure::Failed { cause, .. } = failure else {
        return Ok(());
    };
    let status = status::failed(object, &failure.to_string(), Timestamp::now());
    if object.status.as_ref() == Some(&status) {
        return Ok(());
    }
    part.events
        .warning(object, REASON_UPDATE_FAILED, &redact::foreign(cause));
    write_status(part, object, status).await
}

/// Writes the status if it differs. Where the object has changed meanwhile in a way that does not
/// matter, the status is put on it as it is now.
async fn write_status(
    part: &Part,
    object: &ExternalSecret,
    status: ExternalSecretStatus,
) -> Result<(), SyncFailure> {
    if status::is_same(object.status.as_ref(), &status, part.prunes()) {
        return Ok(());
    }
    let client = &part.context.client;
    let failed = |error: &kube::Error| SyncFailure::Status(redact::api_error(error));
    let _call = part.calls.acquire().await;
    let changed = ExternalSecret {
        status: Some(status.clone()),
        ..object.clone()
    };
    match kit::status::replace(client, &changed).await {
        Ok(written) => {
            part.kept(&status, written.status.as_ref());
            view::wrote(part, &Key::of(&written), &written);
            return Ok(());
        }
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            debug!("the status meets a newer object");
        }
        Err(error) => return Err(failed(&error)),
    }
    let api: Api<ExternalSecret> =
        Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let latest = api
        .get_opt(&object.name_any())
        .await
        .map_err(|error| failed(&error))?;
    let Some(mut latest) = latest.filter(|latest| latest.uid() == object.uid()) else {
        return Ok(());
    };
    if refresh::version(&latest) != refresh::version(object) {
        return Err(SyncFailure::Overtaken(
            "the ExternalSecret was changed meanwhile",
        ));
    }
    latest.status = Some(status);
    let written = kit::status::replace(client, &latest).await;
    let written = written.map_err(|error| failed(&error))?;
    view::wrote(part, &Key::of(&written), &written);
    Ok(())
}
