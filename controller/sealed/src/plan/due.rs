//! Whether there is anything to do for a SealedSecret that was woken.

use std::time::Duration;

use crds::sealed_secret::SYNCED;

use super::inputs_digest;
use crate::{
    memory::{Inputs, Known, Outcome},
    problem::Problem,
    watch::{Look, Watched},
};

/// What is due.
#[derive(Debug, PartialEq)]
pub(crate) enum Due {
    /// The Secret is what was written for this very generation.
    Nothing,
    /// It failed, and nothing that the failure depends on has changed.
    StillFailing(Problem),
    /// Something, but not before this time has passed.
    Later(Duration),
    /// An attempt.
    Attempt,
}

/// Compares what is watched with what is remembered, here or in the status.
pub(crate) fn due(watched: &Watched, known: Option<&Known>, look: &Look, keys: u64) -> Due {
    if let Look::LeftAlone(wait) = look {
        return Due::Later(*wait);
    }
    let inputs = inputs_of(watched);
    let known = known.filter(|known| known.inputs == inputs);
    match known.map(|known| (&known.outcome, known)) {
        Some((Outcome::Synced, known)) if is_as_written(look, &known.written) => Due::Nothing,
        Some((
            Outcome::Failed {
                problem,
                keys: tried,
                secret,
                ..
            },
            _,
        )) if problem.is_settled()
            && *tried == keys
            && look.is_known()
            && look.version() == secret.as_deref() =>
        {
            Due::StillFailing(problem.clone())
        }
        None if is_synced(watched, &inputs) && is_as_written(look, written_of(watched)) => {
            Due::Nothing
        }
        _ => Due::Attempt,
    }
}

/// What an attempt for this object belongs to.
pub(crate) fn inputs_of(watched: &Watched) -> Inputs {
    Inputs {
        uid: watched.uid().to_owned(),
        generation: watched.generation(),
        digest: inputs_digest(watched.uid(), watched.scope()),
    }
}

fn written_of(watched: &Watched) -> &crds::sealed_secret::Written {
    static NOTHING: std::sync::LazyLock<crds::sealed_secret::Written> =
        std::sync::LazyLock::new(Default::default);
    watched.status.written.as_ref().unwrap_or(&NOTHING)
}

/// Whether the status says so, of this generation and scope.
fn is_synced(watched: &Watched, inputs: &Inputs) -> bool {
    let status = &watched.status;
    status.observed_generation == Some(inputs.generation)
        && status
            .conditions
            .iter()
            .any(|condition| condition.type_ == SYNCED && condition.status == "True")
        && written_of(watched).inputs.as_deref() == Some(&inputs.digest)
}

/// Whether the Secret in the cluster is the version that we wrote. Where Secrets are not watched
/// (`--skip-recreate`) nobody asks.
fn is_as_written(look: &Look, written: &crds::sealed_secret::Written) -> bool {
    match (look, &written.secret) {
        (Look::Present(seen), Some(secret)) => seen.is(&secret.uid, &secret.resource_version),
        (Look::Unknown, Some(_)) => true,
        _ => false,
    }
}

impl Look {
    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// The resourceVersion of the Secret that is there.
    pub(crate) fn version(&self) -> Option<&str> {
        match self {
            Self::Present(seen) => Some(&seen.resource_version),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::sealed_secret::{CLUSTER_WIDE, Written};
    use serde_json::json;

    use super::*;
    use crate::watch::Sighting;

    fn watched(generation: i64, observed: i64, synced: &str) -> Watched {
        let mut watched: Watched = serde_json::from_value(json!({
            "metadata": {"namespace": "a", "name": "x", "uid": "u", "generation": generation},
            "status": {
                "observedGeneration": observed,
                "conditions": [{"type": "Synced", "status": synced}],
            },
        }))
        .unwrap();
        watched.status.written = Some(written("s", "7"));
        watched
    }

    fn written(uid: &str, version: &str) -> Written {
        serde_json::from_value(json!({
            "secret": {"uid": uid, "resourceVersion": version},
            "inputs": inputs_digest("u", keys::Scope::Strict),
        }))
        .unwrap()
    }

    fn present(uid: &str, version: &str) -> Look {
        Look::Present(Sighting::for_test(uid, version))
    }

    fn known(outcome: Outcome) -> Known {
        Known {
            inputs: inputs_of(&watched(1, 1, "True")),
            written: written("s", "8"),
            outcome,
            ..Known::default()
        }
    }

    #[test]
    fn a_restart_trusts_the_status_of_this_generation_and_this_secret() {
        let keys = 1;
        for (object, look, expected) in [
            (watched(1, 1, "True"), present("s", "7"), Due::Nothing),
            (watched(1, 1, "True"), Look::Unknown, Due::Nothing),
            (watched(2, 1, "True"), present("s", "7"), Due::Attempt),
            (watched(1, 1, "False"), present("s", "7"), Due::Attempt),
            (watched(1, 1, "True"), present("s", "9"), Due::Attempt),
            (watched(1, 1, "True"), present("t", "7"), Due::Attempt),
            (watched(1, 1, "True"), Look::Absent, Due::Attempt),
            (
                watched(1, 1, "True"),
                Look::LeftAlone(Duration::from_secs(1)),
                Due::Later(Duration::from_secs(1)),
            ),
        ] {
            assert_eq!(due(&object, None, &look, keys), expected);
        }
    }

    #[test]
    fn a_status_that_was_pruned_is_no_memory() {
        let mut object = watched(1, 1, "True");
        object.status.written = None;
        assert_eq!(due(&object, None, &present("s", "7"), 1), Due::Attempt);
    }

    #[test]
    fn a_changed_scope_annotation_is_an_attempt_although_the_generation_is_the_same() {
        let mut object = watched(1, 1, "True");
        object.metadata.annotations = Some([(CLUSTER_WIDE.to_owned(), "true".to_owned())].into());
        assert_eq!(due(&object, None, &present("s", "7"), 1), Due::Attempt);
    }

    #[test]
    fn what_we_remember_goes_before_the_status() {
        let object = watched(1, 1, "True");
        let synced = known(Outcome::Synced);
        assert_eq!(
            due(&object, Some(&synced), &present("s", "8"), 1),
            Due::Nothing
        );
        assert_eq!(
            due(&object, Some(&synced), &present("s", "7"), 1),
            Due::Attempt
        );
        let begun = known(Outcome::Unknown);
        assert_eq!(
            due(&object, Some(&begun), &present("s", "7"), 1),
            Due::Attempt
        );
    }

    #[test]
    fn a_failure_is_tried_again_when_a_key_the_secret_or_the_object_changed() {
        let object = watched(1, 1, "False");
        let problem = Problem::NotOurs("x".into());
        let failed = known(Outcome::Failed {
            problem: problem.clone(),
            attempts: 1,
            keys: 1,
            secret: Some("5".into()),
        });
        let look = present("f", "5");
        assert_eq!(
            due(&object, Some(&failed), &look, 1),
            Due::StillFailing(problem)
        );
        assert_eq!(due(&object, Some(&failed), &look, 2), Due::Attempt);
        assert_eq!(
            due(&object, Some(&failed), &present("f", "6"), 1),
            Due::Attempt
        );
        assert_eq!(due(&object, Some(&failed), &Look::Absent, 1), Due::Attempt);
        assert_eq!(due(&object, Some(&failed), &Look::Unknown, 1), Due::Attempt);
        assert_eq!(
            due(&watched(2, 1, "False"), Some(&failed), &look, 1),
            Due::Attempt
        );
    }

    #[test]
    fn a_failure_of_the_api_server_is_tried_again_whatever_is_the_same() {
        let object = watched(1, 1, "False");
        let failed = known(Outcome::Failed {
            problem: Problem::Write(kit::target::WriteError::Unanswered("timeout".into())),
            attempts: 1,
            keys: 1,
            secret: None,
        });
        assert_eq!(due(&object, Some(&failed), &Look::Absent, 1), Due::Attempt);
    }
}
