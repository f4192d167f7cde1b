//! What is said about a store. Pure.

use crds::secret_store::{
    CAPABILITIES_READ_WRITE, READY, REASON_INVALID_PROVIDER_CONFIG, REASON_VALID,
    SecretStoreCondition, SecretStoreStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What a validation found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The store can be used, or will show for each namespace whether it can.
    Valid,
    /// It cannot be used as it is written.
    NoClient(String),
    /// It can, but AWS does not know us.
    NotValidated(String),
}

impl Finding {
    /// The reason in condition and event.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Valid => REASON_VALID,
            Self::NoClient(_) | Self::NotValidated(_) => REASON_INVALID_PROVIDER_CONFIG,
        }
    }

    /// The incumbent's message, and behind it the cause (common.go, `validateStore`).
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Valid => "store validated".to_owned(),
            Self::NoClient(cause) => format!("unable to create client: {cause}"),
            Self::NotValidated(cause) => format!("unable to validate store: {cause}"),
        }
    }
}

/// The status after a validation.
pub(crate) fn after(
    old: Option<&SecretStoreStatus>,
    finding: &Finding,
    now: Timestamp,
) -> SecretStoreStatus {
    let mut status = old.cloned().unwrap_or_default();
    if *finding == Finding::Valid {
        status.capabilities = CAPABILITIES_READ_WRITE.to_owned();
    }
    let before = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == READY)
        .cloned();
    let mut condition = SecretStoreCondition {
        type_: READY.to_owned(),
        status: if *finding == Finding::Valid {
            "True"
        } else {
            "False"
        }
        .to_owned(),
        reason: finding.reason().to_owned(),
        message: finding.message(),
        last_transition_time: Some(Time(whole_second(now))),
    };
    if let Some(before) = before.filter(|before| before.status == condition.status) {
        condition.last_transition_time = before.last_transition_time;
    }
    status
        .conditions
        .retain(|condition| condition.type_ != READY);
    status.conditions.push(condition);
    status
}

/// Times in the API have no fractions; one that had would never compare equal to what comes back.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millisecond(second * 1_000 + 999).unwrap()
    }

    #[test]
    fn the_time_moves_only_when_the_status_does() {
        let first = after(None, &Finding::Valid, at(1));
        assert_eq!(first.capabilities, "ReadWrite");
        assert_eq!(after(Some(&first), &Finding::Valid, at(2)), first);
        let broken = after(Some(&first), &Finding::NotValidated("x".into()), at(3));
        let condition = &broken.conditions[0];
        assert_eq!(
            (condition.status.as_str(), condition.reason.as_str()),
            ("False", "InvalidProviderConfig")
        );
        assert_eq!(condition.message, "unable to validate store: x");
        assert_eq!(
            condition.last_transition_time,
            Some(Time(Timestamp::from_second(3).unwrap()))
        );
        let other = after(Some(&broken), &Finding::NoClient("y".into()), at(4));
        assert_eq!(
            other.conditions[0].last_transition_time,
            condition.last_transition_time
        );
        assert_eq!(other.conditions.len(), 1);
    }
}
