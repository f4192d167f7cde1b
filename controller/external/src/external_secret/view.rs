//! Whether the object in hand is the one that we wrote last.
//!
//! The Secret that we make wakes its ExternalSecret, often before the watch has brought the status that
//! says that it was made. Whoever believed that older object would ask AWS again, and a generator
//! would make another password a moment after the first.

use std::time::{Duration, Instant};

use crds::external_secret::ExternalSecret;
use kube::ResourceExt as _;

use crate::{key::Key, memory::Remembered, part::Part};

/// How long the watch may take to bring what we wrote. Longer, and what it has is believed.
const PATIENCE: Duration = Duration::from_secs(5);
/// After how long we look again meanwhile.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Notes what the API server made of a status.
pub(crate) fn wrote(part: &Part, key: &Key, written: &ExternalSecret) {
    if let Some(version) = number(written) {
        let reported = Some((version, Instant::now()));
        part.memory
            .change(key, |remembered| remembered.reported = reported);
    }
}

/// Whether the object is older than what we wrote, and the newer one may still come.
pub(crate) fn is_older(object: &ExternalSecret, remembered: &Remembered) -> bool {
    let Some((written, when)) = remembered.reported else {
        return false;
    };
    number(object).is_some_and(|version| version < written) && when.elapsed() < PATIENCE
}

/// Versions are compared as numbers (Kubernetes promises that for what it stores itself); one that is
/// none is not compared.
fn number(object: &ExternalSecret) -> Option<u64> {
    object.resource_version()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(version: &str) -> ExternalSecret {
        let mut object = ExternalSecret::default();
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    #[test]
    fn an_object_from_before_our_status_is_not_believed_for_a_while() {
        let now = Instant::now();
        let remembered = |when| Remembered {
            reported: Some((100, when)),
            ..Remembered::default()
        };
        assert!(is_older(&object("99"), &remembered(now)));
        for version in ["100", "101", "1000", "of another kind"] {
            assert!(!is_older(&object(version), &remembered(now)), "{version}");
        }
        assert!(!is_older(&object("99"), &Remembered::default()));
        if let Some(long_ago) = now.checked_sub(PATIENCE) {
            assert!(!is_older(&object("99"), &remembered(long_ago)));
        }
    }
}
