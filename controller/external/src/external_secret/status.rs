//! What is said about an ExternalSecret. Pure.

use crds::external_secret::{
    Binding, ExternalSecret, ExternalSecretCondition, ExternalSecretStatus, READY,
    REASON_SECRET_SYNCED_ERROR, Written, WrittenSecret,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::redact;

use super::{plan::Outcome, refresh};

/// What a refresh that went well left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// What it comes to.
    pub(crate) outcome: Outcome,
    /// The entries that the provider had nothing for.
    pub(crate) skipped: Vec<String>,
    /// The target, where there is one that we wrote or found as it should be.
    pub(crate) target: Option<(String, WrittenSecret)>,
    /// A digest of the versions of what it was rendered from.
    pub(crate) inputs: Option<String>,
}

/// The status after a refresh that began at `started` and went well (`markAsDone`).
pub(crate) fn done(
    object: &ExternalSecret,
    done: &Done,
    started: Timestamp,
) -> ExternalSecretStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let mut message = done.outcome.message().to_owned();
    if !done.skipped.is_empty() {
        message.push_str("; not in the store, so left out: ");
        message.push_str(&done.skipped.join(", "));
    }
    let reason = done.outcome.reason();
    set_ready(
        &mut status,
        "True",
        reason,
        redact::foreign(&message),
        started,
    );
    status.observed_generation = object.metadata.generation;
    status.refresh_time = Some(Time(whole_second(started)));
    status.synced_resource_version = refresh::version(object);
    match &done.target {
        Some((name, written)) => {
            status.binding = Some(Binding { name: name.clone() });
            status.written = Some(Written {
                secret: Some(written.clone()),
                inputs: done.inputs.clone(),
            });
        }
        None => status.written = None,
    }
    status
}

/// The status after something went wrong (`markAsFailed`): what was written before stays.
pub(crate) fn failed(
    object: &ExternalSecret,
    message: &str,
    now: Timestamp,
) -> ExternalSecretStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let message = redact::foreign(message);
    status.observed_generation = object.metadata.generation;
    set_ready(
        &mut status,
        "False",
        REASON_SECRET_SYNCED_ERROR,
        message,
        now,
    );
    status
}

/// Whether two statuses say the same. Where the installed CRD keeps nothing of ours, ours does not
/// count, or we would write it again and again.
pub(crate) fn is_same(
    one: Option<&ExternalSecretStatus>,
    other: &ExternalSecretStatus,
    prunes: bool,
) -> bool {
    let Some(one) = one else { return false };
    if !prunes {
        return one == other;
    }
    let theirs = |status: &ExternalSecretStatus| ExternalSecretStatus {
        observed_generation: None,
        written: None,
        ..status.clone()
    };
    theirs(one) == theirs(other)
}

/// The `Ready` condition.
pub(crate) fn ready(status: Option<&ExternalSecretStatus>) -> Option<&ExternalSecretCondition> {
    status?
        .conditions
        .iter()
        .find(|condition| condition.type_ == READY)
}

fn set_ready(
    status: &mut ExternalSecretStatus,
    word: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) {
    let before = ready(Some(status)).filter(|before| before.status == word);
    let since = before.and_then(|before| before.last_transition_time.clone());
    status
        .conditions
        .retain(|condition| condition.type_ != READY);
    status.conditions.push(ExternalSecretCondition {
        type_: READY.to_owned(),
        status: word.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: since.or_else(|| Some(Time(whole_second(now)))),
    });
}

/// Times in the API have no fractions; one that had would never compare equal to what comes back.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millisecond(second * 1_000 + 700).unwrap()
    }

    fn object(status: Option<ExternalSecretStatus>) -> ExternalSecret {
        let mut object: ExternalSecret = serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "app", "namespace": "ns", "generation": 3}, "spec": {},
        }))
        .unwrap();
        object.status = status;
        object
    }

    fn synced() -> Done {
        let secret = WrittenSecret {
            uid: "u".into(),
            resource_version: "7".into(),
        };
        Done {
            outcome: Outcome::Synced,
            skipped: vec![],
            target: Some(("app".into(), secret)),
            inputs: None,
        }
    }

    #[test]
    fn a_refresh_that_went_well_says_when_and_of_what() {
        let status = done(&object(None), &synced(), at(5));
        assert_eq!(
            serde_json::to_value(&status).unwrap(),
            json!({
                "refreshTime": "1970-01-01T00:00:05Z",
                "observedGeneration": 3,
                "syncedResourceVersion": "3-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2",
                "binding": {"name": "app"},
                "written": {"secret": {"uid": "u", "resourceVersion": "7"}},
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "SecretSynced",
                    "message": "secret synced", "lastTransitionTime": "1970-01-01T00:00:05Z",
                }],
            })
        );
    }

    #[test]
    fn an_error_keeps_what_was_there_and_the_time_moves_with_the_status_alone() {
        let good = done(&object(None), &synced(), at(5));
        let bad = failed(
            &object(Some(good.clone())),
            "could not get secret data from provider: x",
            at(6),
        );
        assert_eq!(
            (&bad.refresh_time, &bad.binding, &bad.written),
            (&good.refresh_time, &good.binding, &good.written)
        );
        assert_eq!(
            bad.conditions[0].last_transition_time,
            Some(Time(whole_second(at(6))))
        );
        let worse = failed(
            &object(Some(bad.clone())),
            "could not get secret data from provider: y",
            at(7),
        );
        assert_eq!(
            worse.conditions[0].last_transition_time,
            bad.conditions[0].last_transition_time
        );
        assert_eq!(
            failed(
                &object(Some(worse.clone())),
                &worse.conditions[0].message,
                at(8)
            ),
            worse
        );
    }

    #[test]
    fn what_the_installed_crd_does_not_keep_is_not_missed() {
        let good = done(&object(None), &synced(), at(5));
        let kept = ExternalSecretStatus {
            observed_generation: None,
            written: None,
            ..good.clone()
        };
        assert!(!is_same(Some(&kept), &good, false) && is_same(Some(&kept), &good, true));
        let later = done(&object(None), &synced(), at(6));
        assert!(!is_same(Some(&kept), &later, true) && !is_same(None, &good, true));
    }

    #[test]
    fn what_was_left_out_is_told_behind_the_known_message() {
        let partial = Done {
            skipped: vec!["spec.data[0] (key=a)".into()],
            ..synced()
        };
        let status = done(&object(None), &partial, at(5));
        assert_eq!(
            status.conditions[0].message,
            "secret synced; not in the store, so left out: spec.data[0] (key=a)"
        );
    }
}
