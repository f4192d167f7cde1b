//! Whether the provider has to be asked. Pure.

use crds::external_secret::{
    CreationPolicy, ExternalSecret, ExternalSecretStatus, RefreshPolicy, WrittenSecret,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use super::windows;
use crate::{hash, sightings::Sighting};

/// Whether the provider has to be asked for the sake of time or of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// It was never asked, or what is asked for has changed.
    Changed,
    /// The time has come.
    Due,
    /// Not before then; never without a change where it is `None`.
    NotBefore(Option<Timestamp>),
}

/// What `status.syncedResourceVersion` would be now.
pub(crate) fn version(object: &ExternalSecret) -> String {
    hash::synced_version(
        object.metadata.generation.unwrap_or_default(),
        object.metadata.annotations.as_ref(),
        object.metadata.labels.as_ref(),
    )
}

/// Whether the provider has to be asked (externalsecret_controller.go, `shouldRefresh`). `due` is
/// the time that the timetable says, if it knows the object.
pub(crate) fn decide(object: &ExternalSecret, now: Timestamp, due: Option<Timestamp>) -> Refresh {
    let none = ExternalSecretStatus::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let refreshed = status.refresh_time.as_ref().map(|time| time.0);
    let never = status.synced_resource_version.is_empty() || refreshed.is_none();
    let changed = status.synced_resource_version != version(object);
    match object.spec.refresh_policy {
        RefreshPolicy::CreatedOnce if never => return Refresh::Changed,
        RefreshPolicy::CreatedOnce => return Refresh::NotBefore(None),
        RefreshPolicy::OnChange if never || changed => return Refresh::Changed,
        RefreshPolicy::OnChange => return Refresh::NotBefore(None),
        RefreshPolicy::Periodic | RefreshPolicy::Other(_) => {}
    }
    // An interval that cannot be read is refused before this.
    let interval = object.spec.parse_refresh_interval().unwrap_or_default();
    if interval.is_none() && !status.synced_resource_version.is_empty() {
        return Refresh::NotBefore(None);
    }
    let (Some(refreshed), Some(interval)) = (refreshed, interval) else {
        return Refresh::Changed;
    };
    if changed || refreshed > now {
        return Refresh::Changed;
    }
    let due = due.unwrap_or_else(|| refreshed.checked_add(interval).unwrap_or(Timestamp::MAX));
    if now < due {
        return Refresh::NotBefore(Some(due));
    }
    match &object.spec.sync_windows {
        Some(closed) if !windows::allow(Some(closed), now) => {
            Refresh::NotBefore(Some(windows::look_again(closed, now)))
        }
        _ => Refresh::Due,
    }
}

/// What is known of the target without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing.
    Unknown,
    /// There is none.
    Missing,
    /// There is one.
    Seen(Sighting),
}

/// Whether the target is as it was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is, or it does not matter.
    Good,
    /// Only reading it can tell.
    Look,
    /// It is not.
    Broken,
}

/// Whether the target is as it was left, as far as its metadata tells
/// (externalsecret_controller.go, `isSecretValid`).
pub(crate) fn standing(
    policy: &CreationPolicy,
    sight: &Sight,
    written: Option<&WrittenSecret>,
) -> Standing {
    match (policy, sight) {
        // An orphan is made anew only when the time comes, and for `None` there is no target.
        (CreationPolicy::Orphan | CreationPolicy::None, _) => Standing::Good,
        // There is nothing to merge into until it appears.
        (CreationPolicy::Merge, Sight::Missing) => Standing::Good,
        (_, Sight::Missing) => Standing::Broken,
        (_, Sight::Unknown) => Standing::Look,
        (_, Sight::Seen(seen)) => match written {
            Some(written) if seen.is(&written.uid, &written.resource_version) => Standing::Good,
            _ => Standing::Look,
        },
    }
}

/// Whether a Secret that was read still is what an ExternalSecret wrote: its label is there and its
/// data has the hash that its annotation names.
pub(crate) fn is_intact(secret: &Secret) -> bool {
    let managed = secret.labels().get(crds::external_secret::MANAGED);
    let named = secret.annotations().get(crds::external_secret::DATA_HASH);
    let none = std::collections::BTreeMap::new();
    managed.is_some_and(|value| value == crds::external_secret::MANAGED_VALUE)
        && named.is_some_and(|named| *named == hash::of_data(secret.data.as_ref().unwrap_or(&none)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::Time};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn object(policy: &str, interval: &str) -> ExternalSecret {
        let mut object: ExternalSecret = serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "n", "namespace": "ns", "generation": 2, "labels": {"a": "b"}},
            "spec": {"refreshPolicy": policy, "refreshInterval": interval},
        }))
        .unwrap();
        if policy.is_empty() {
            object.spec.refresh_policy = RefreshPolicy::default();
        }
        object
    }

    fn synced(mut object: ExternalSecret, ago: i64) -> ExternalSecret {
        object.status = Some(ExternalSecretStatus {
            refresh_time: Some(Time(at(NOW - ago))),
            synced_resource_version: version(&object),
            ..ExternalSecretStatus::default()
        });
        object
    }

    fn changed(mut object: ExternalSecret) -> ExternalSecret {
        object.metadata.generation = Some(3);
        object
    }

    fn decided(object: &ExternalSecret) -> Refresh {
        decide(object, at(NOW), None)
    }

    /// The incumbent's refreshPolicy and refresh tables (externalsecret_controller_test.go).
    #[test]
    fn the_provider_is_asked_when_the_incumbent_would_ask() {
        use Refresh::{Changed, Due, NotBefore};
        let later = |seconds| NotBefore(Some(at(NOW + seconds)));
        for (what, object, expected) in [
            ("once, never synced", object("CreatedOnce", "1h"), Changed),
            (
                "once, synced",
                synced(object("CreatedOnce", "1m"), 999),
                NotBefore(None),
            ),
            (
                "once, changed",
                changed(synced(object("CreatedOnce", "1m"), 999)),
                NotBefore(None),
            ),
            ("on change, never synced", object("OnChange", "1h"), Changed),
            (
                "on change, synced",
                synced(object("OnChange", "1m"), 999),
                NotBefore(None),
            ),
            (
                "on change, changed",
                changed(synced(object("OnChange", "1h"), 1)),
                Changed,
            ),
            ("periodic, never synced", object("Periodic", "1h"), Changed),
            (
                "periodic, not due",
                synced(object("Periodic", "1m"), 10),
                later(50),
            ),
            ("periodic, due", synced(object("Periodic", "1m"), 60), Due),
            (
                "periodic, changed",
                changed(synced(object("Periodic", "1m"), 10)),
                Changed,
            ),
            ("unset is periodic", synced(object("", "1m"), 61), Due),
            (
                "in the future",
                synced(object("Periodic", "1m"), -10),
                Changed,
            ),
            ("zero, never synced", object("Periodic", "0s"), Changed),
            (
                "zero, synced",
                synced(object("Periodic", "0"), 9_999),
                NotBefore(None),
            ),
            (
                "zero, changed",
                changed(synced(object("Periodic", "0s"), 10)),
                NotBefore(None),
            ),
        ] {
            assert_eq!(decided(&object), expected, "{what}");
        }
        let mut no_interval = synced(object("Periodic", "1m"), 10);
        no_interval.spec.refresh_interval = None;
        assert_eq!(decided(&no_interval), later(3_590));
        let mut labelled = synced(object("Periodic", "1h"), 10);
        labelled.metadata.annotations = Some([("force-sync".into(), "1".into())].into());
        assert_eq!(decided(&labelled), Changed);
    }

    #[test]
    fn the_timetable_may_call_earlier() {
        let object = synced(object("Periodic", "1m"), 50);
        assert_eq!(decide(&object, at(NOW), Some(at(NOW - 1))), Refresh::Due);
        let soon = at(NOW) + Duration::from_millis(1);
        assert_eq!(
            decide(&object, at(NOW), Some(soon)),
            Refresh::NotBefore(Some(soon))
        );
    }

    #[test]
    fn the_metadata_tells_whether_the_target_was_touched() {
        use CreationPolicy::{CreateOrMerge, Merge, None, Orphan, Owner};
        let written = WrittenSecret {
            uid: "u".into(),
            resource_version: "7".into(),
        };
        let seen =
            |uid: &str, version: &str| Sight::Seen(Sighting::new(uid, version, Option::None));
        for (policy, sight, expected) in [
            (Owner, Sight::Missing, Standing::Broken),
            (Owner, Sight::Unknown, Standing::Look),
            (Owner, seen("u", "7"), Standing::Good),
            (Owner, seen("u", "8"), Standing::Look),
            (Owner, seen("v", "7"), Standing::Look),
            (CreateOrMerge, Sight::Missing, Standing::Broken),
            (Merge, Sight::Missing, Standing::Good),
            (Merge, seen("u", "8"), Standing::Look),
            (Orphan, Sight::Missing, Standing::Good),
            (Orphan, seen("v", "9"), Standing::Good),
            (None, Sight::Missing, Standing::Good),
        ] {
            assert_eq!(
                standing(&policy, &sight, Some(&written)),
                expected,
                "{policy}"
            );
        }
        assert_eq!(
            standing(&Owner, &seen("u", "7"), Option::None),
            Standing::Look
        );
    }

    /// The incumbent's isSecretValid table.
    #[test]
    fn a_target_is_intact_while_label_and_hash_are() {
        let data: std::collections::BTreeMap<_, _> = [
            ("foo".to_owned(), ByteString(b"value1".to_vec())),
            ("bar".to_owned(), ByteString(b"value2".to_vec())),
        ]
        .into();
        let secret = |managed: &str, hash: &str| {
            let mut secret = Secret {
                data: Some(data.clone()),
                ..Secret::default()
            };
            secret.metadata.labels =
                Some([(crds::external_secret::MANAGED.into(), managed.into())].into());
            secret.metadata.annotations =
                Some([(crds::external_secret::DATA_HASH.into(), hash.into())].into());
            secret
        };
        let hash = hash::of_data(&data);
        assert!(is_intact(&secret("true", &hash)));
        assert!(!is_intact(&secret("false", &hash)));
        assert!(!is_intact(&secret("true", "1bed8bcb")));
        assert!(!is_intact(&Secret::default()));
    }
}
