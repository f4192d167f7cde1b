//! What the status says: computed without a client, and written only when it changed.

use crds::sealed_secret::{
    REASON_UNSEALED, SYNCED, SealedSecretCondition, SealedSecretStatus, Written,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::redact;

use crate::problem::Problem;

/// kstatus' word for the same thing, which Flux and Argo CD wait for.
const READY: &str = "Ready";

/// What the incumbent's Event says, and our `Ready` condition.
pub(crate) const UNSEALED: &str = "SealedSecret unsealed successfully";

/// What one attempt found out.
pub(crate) struct Observation<'a> {
    /// The generation that was worked on.
    pub(crate) generation: i64,
    /// What stands in the way, if anything.
    pub(crate) problem: Option<&'a Problem>,
    /// What was written, to be remembered. `None` keeps what the status remembers.
    pub(crate) written: Option<Written>,
}

/// The status that follows, or `None` if the present one says it all already.
pub(crate) fn next(
    present: &SealedSecretStatus,
    observation: &Observation<'_>,
    now: Timestamp,
) -> Option<SealedSecretStatus> {
    let generation = observation.generation;
    let (status, reason, message) = match observation.problem {
        None => ("True", REASON_UNSEALED, String::new()),
        Some(problem) => (
            "False",
            problem.reason(),
            redact::foreign(&problem.to_string()),
        ),
    };
    let ready_message = if message.is_empty() {
        UNSEALED
    } else {
        &message
    };
    let wanted = SealedSecretStatus {
        observed_generation: Some(generation),
        // The first one is what the printer columns show.
        conditions: vec![
            condition(present, SYNCED, status, reason, &message, generation, now),
            condition(
                present,
                READY,
                status,
                reason,
                ready_message,
                generation,
                now,
            ),
        ],
        written: observation
            .written
            .clone()
            .or_else(|| present.written.clone()),
    };
    (!says_the_same(present, &wanted)).then_some(wanted)
}

fn condition(
    present: &SealedSecretStatus,
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> SealedSecretCondition {
    let before = present
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_);
    let since = before.filter(|before| before.status == status);
    SealedSecretCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_update_time: Some(Time(now)),
        last_transition_time: since
            .and_then(|before| before.last_transition_time.clone())
            .or(Some(Time(now))),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: Some(generation),
    }
}

/// Whether the two differ in nothing but times, and in what the incumbent's CRD prunes: the
/// generation inside a condition is the outer one.
fn says_the_same(present: &SealedSecretStatus, wanted: &SealedSecretStatus) -> bool {
    tells_the_same(present, wanted) && present.written == wanted.written
}

/// Whether people read the same in both.
pub(crate) fn tells_the_same(present: &SealedSecretStatus, wanted: &SealedSecretStatus) -> bool {
    fn said(condition: &SealedSecretCondition) -> [&str; 4] {
        [
            &condition.type_,
            &condition.status,
            &condition.reason,
            &condition.message,
        ]
    }
    present.observed_generation == wanted.observed_generation
        && present
            .conditions
            .iter()
            .map(said)
            .eq(wanted.conditions.iter().map(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn good(generation: i64) -> Observation<'static> {
        Observation {
            generation,
            problem: None,
            written: None,
        }
    }

    #[test]
    fn synced_comes_first_and_ready_says_the_same() {
        let status = next(&SealedSecretStatus::default(), &good(1), at(5)).unwrap();
        let told: Vec<_> = status
            .conditions
            .iter()
            .map(|c| {
                (
                    c.type_.as_str(),
                    c.status.as_str(),
                    c.reason.as_str(),
                    c.message.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("Synced", "True", "Unsealed", ""),
                ("Ready", "True", "Unsealed", UNSEALED)
            ]
        );
        assert_eq!(status.observed_generation, Some(1));
        let times = &status.conditions[0];
        assert_eq!(times.last_update_time, times.last_transition_time);
    }

    #[test]
    fn the_same_again_is_not_written() {
        let status = next(&SealedSecretStatus::default(), &good(1), at(5)).unwrap();
        assert_eq!(next(&status, &good(1), at(9)), None);
    }

    #[test]
    fn a_new_generation_is_written_and_keeps_the_time_of_the_transition() {
        let first = next(&SealedSecretStatus::default(), &good(1), at(5)).unwrap();
        let second = next(&first, &good(2), at(9)).unwrap();
        let condition = &second.conditions[0];
        assert_eq!(condition.last_update_time, Some(Time(at(9))));
        assert_eq!(condition.last_transition_time, Some(Time(at(5))));
        assert_eq!(second.observed_generation, Some(2));
    }

    #[test]
    fn another_error_is_written_although_it_stays_false() {
        let failed = |problem| Observation {
            generation: 1,
            problem: Some(problem),
            written: None,
        };
        let one = Problem::NotOurs("x".into());
        let other = Problem::NotASecret;
        let first = next(&SealedSecretStatus::default(), &failed(&one), at(5)).unwrap();
        assert_eq!(next(&first, &failed(&one), at(6)), None);
        let second = next(&first, &failed(&other), at(9)).unwrap();
        assert_eq!(second.conditions[0].message, other.to_string());
        assert_eq!(second.conditions[1].message, other.to_string());
        assert_eq!(second.conditions[0].last_transition_time, Some(Time(at(5))));
    }

    #[test]
    fn a_failure_keeps_what_is_remembered_of_the_last_write() {
        let written = Written {
            inputs: Some("i".into()),
            ..Written::default()
        };
        let synced = Observation {
            written: Some(written.clone()),
            ..good(1)
        };
        let first = next(&SealedSecretStatus::default(), &synced, at(5)).unwrap();
        let problem = Problem::NotASecret;
        let failed = Observation {
            generation: 2,
            problem: Some(&problem),
            written: None,
        };
        assert_eq!(next(&first, &failed, at(6)).unwrap().written, Some(written));
    }
}
