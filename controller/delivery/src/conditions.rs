//! Writing conditions as Flux's controllers do (fluxcd/pkg runtime/conditions/setter.go).

use crds::flux::{READY, REASON_PROGRESSING_WITH_RETRY, RECONCILING, STALLED};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The conditions of one object, being brought up to date. What does not change keeps its transition time, so that saying
/// the same thing again changes nothing.
pub(crate) struct Conditions {
    list: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    /// Continues from what a status says.
    pub(crate) fn from(list: &[Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self {
            list: list.to_vec(),
            generation,
            now,
        }
    }

    /// Sets a condition.
    pub(crate) fn set(&mut self, kind: &str, is_true: bool, reason: &str, message: &str) {
        let status = if is_true { "True" } else { "False" };
        self.set_status(kind, status, reason, message);
    }

    /// Sets a condition to neither true nor false.
    pub(crate) fn set_unknown(&mut self, kind: &str, reason: &str, message: &str) {
        self.set_status(kind, "Unknown", reason, message);
    }

    /// Takes a condition away: those that speak of trouble are there only while there is some.
    pub(crate) fn remove(&mut self, kind: &str) {
        self.list.retain(|condition| condition.type_ != kind);
    }

    /// Ready, and neither under way nor stuck.
    pub(crate) fn ready(&mut self, reason: &str, message: &str) {
        self.set(READY, true, reason, message);
        self.remove(RECONCILING);
        self.remove(STALLED);
    }

    /// Not ready, and tried again.
    pub(crate) fn failed(&mut self, reason: &str, message: &str) {
        self.set(READY, false, reason, message);
        self.set(RECONCILING, true, REASON_PROGRESSING_WITH_RETRY, message);
        self.remove(STALLED);
    }

    /// Not ready, and no retry can help.
    pub(crate) fn stalled(&mut self, reason: &str, message: &str) {
        self.set(READY, false, reason, message);
        self.set(STALLED, true, reason, message);
        self.remove(RECONCILING);
    }

    /// The outcome, in an order that does not depend on history.
    pub(crate) fn into_list(mut self) -> Vec<Condition> {
        let rank = |kind: &str| match kind {
            RECONCILING => 0,
            STALLED => 1,
            READY => 2,
            _ => 3,
        };
        self.list.sort_by(|a, b| {
            rank(&a.type_)
                .cmp(&rank(&b.type_))
                .then_with(|| a.type_.cmp(&b.type_))
        });
        self.list
    }

    fn set_status(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let now = self.now;
        let mut since = Time(now);
        if let Some(old) = find(&self.list, kind)
            && old.status == status
        {
            since = old.last_transition_time.clone();
        }
        let condition = Condition {
            last_transition_time: since,
            message: message.to_owned(),
            observed_generation: self.generation,
            reason: reason.to_owned(),
            status: status.to_owned(),
            type_: kind.to_owned(),
        };
        self.remove(kind);
        self.list.push(condition);
    }
}

/// The condition of this type.
pub(crate) fn find<'a>(list: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    list.iter().find(|condition| condition.type_ == kind)
}

/// Whether Ready says something else than before: what is worth an event.
pub(crate) fn ready_differs(before: &[Condition], after: &[Condition]) -> bool {
    let words = |list: &[Condition]| {
        find(list, READY).map(|ready| {
            (
                ready.status.clone(),
                ready.reason.clone(),
                ready.message.clone(),
            )
        })
    };
    words(before) != words(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn saying_the_same_again_changes_nothing() {
        let mut first = Conditions::from(&[], Some(1), at(1));
        first.set("ArtifactInStorage", true, "Succeeded", "stored");
        first.ready("Succeeded", "stored");
        let first = first.into_list();
        let mut again = Conditions::from(&first, Some(1), at(9));
        again.ready("Succeeded", "stored");
        again.set("ArtifactInStorage", true, "Succeeded", "stored");
        assert_eq!(again.into_list(), first);
    }

    #[test]
    fn a_failure_and_its_end_leave_no_trace() {
        let mut failed = Conditions::from(&[], Some(1), at(1));
        failed.failed("GitOperationFailed", "no");
        let failed = failed.into_list();
        assert_eq!(
            find(&failed, RECONCILING).unwrap().reason,
            REASON_PROGRESSING_WITH_RETRY
        );
        let mut ready = Conditions::from(&failed, Some(2), at(2));
        ready.ready("Succeeded", "yes");
        let ready = ready.into_list();
        assert!(find(&ready, RECONCILING).is_none());
        assert_eq!(
            find(&ready, READY).unwrap().last_transition_time,
            Time(at(2))
        );
        assert!(ready_differs(&failed, &ready) && !ready_differs(&ready, &ready));
    }
}
