//! What has to be done to make the cluster as a revision wants it. Pure.

use std::time::Duration;

use crate::{
    cluster::{Expectation, State},
    inventory::{Inventory, ObjectId},
    render::Manifest,
};

/// An object of the revision.
pub(super) struct Desired {
    /// With the namespace that its kind really has.
    pub(super) id: ObjectId,
    pub(super) manifest: Manifest,
    /// Of the manifest.
    pub(super) digest: String,
}

/// All that the plan is made from.
pub(super) struct Inputs<'a> {
    pub(super) desired: Vec<Desired>,
    /// What the status says is ours.
    pub(super) recorded: &'a Inventory,
    /// `spec.prune`
    pub(super) prune: bool,
    /// Somebody asked for a look at everything.
    pub(super) look_at_all: bool,
    /// Kustomizations of the same source have not looked at this revision yet: they may want what we no longer do.
    pub(super) siblings_behind: bool,
    /// How each object stands.
    pub(super) state: &'a dyn Fn(&ObjectId) -> State,
    /// How long a change by this rival stays.
    pub(super) patience: &'a dyn Fn(&ObjectId, &str) -> Duration,
    /// Whether another Kustomization wants the object.
    pub(super) wanted_by_another: &'a dyn Fn(&ObjectId) -> bool,
}

/// What to do, in this order.
pub(super) struct Plan {
    /// To be recorded before anything is written; `None` if the status says all of it already.
    pub(super) record: Option<Inventory>,
    /// Objects to apply, in the order of application.
    pub(super) steps: Vec<Step>,
    /// What is as it should be, or is left for a while.
    pub(super) kept: Vec<ObjectId>,
    /// The shortest time for which a change stays as it is.
    pub(super) held_for: Option<Duration>,
    /// To be deleted if everything could be applied, last applied first.
    pub(super) stale: Vec<ObjectId>,
    /// Deleting is for later.
    pub(super) prune_later: bool,
    /// All objects of the revision.
    pub(super) wanted: Inventory,
}

/// One object to apply.
pub(super) struct Step {
    pub(super) desired: Desired,
    pub(super) expectation: Expectation,
    /// Who changed it, if somebody did.
    pub(super) rival: Option<String>,
}

/// Makes the plan.
pub(super) fn plan(inputs: Inputs<'_>) -> Plan {
    let wanted: Inventory = inputs
        .desired
        .iter()
        .map(|desired| (desired.id.clone(), desired.manifest.version().to_owned()))
        .collect();
    let union = inputs.recorded.union(&wanted);
    let mut stale = if inputs.prune {
        inputs.recorded.stale(&wanted)
    } else {
        Vec::new()
    };
    stale.retain(|id| !(inputs.wanted_by_another)(id));
    let mut plan = Plan {
        record: (union != *inputs.recorded).then_some(union),
        steps: Vec::new(),
        kept: Vec::new(),
        held_for: None,
        prune_later: !stale.is_empty() && inputs.siblings_behind,
        stale,
        wanted,
    };
    let mut desired = inputs.desired;
    desired.sort_by(|a, b| a.id.cmp(&b.id));
    for desired in desired {
        let recorded = inputs.recorded.contains(&desired.id);
        let (expectation, rival) = match (inputs.state)(&desired.id) {
            State::AsLeft(digest) if digest.as_ref() == Some(&desired.digest) => {
                if !inputs.look_at_all {
                    plan.kept.push(desired.id);
                    continue;
                }
                (Expectation::Nothing, None)
            }
            State::AsLeft(Some(_)) => (Expectation::Changes, None),
            State::AsLeft(None) => (Expectation::Nothing, None),
            State::Unknown if recorded => (Expectation::Nothing, None),
            State::Unknown => (Expectation::Changes, None),
            State::Changed(rival) => (Expectation::Nothing, Some(rival)),
            State::Gone => (Expectation::Changes, Some(DELETER.to_owned())),
        };
        let patience = rival
            .as_deref()
            .map(|rival| (inputs.patience)(&desired.id, rival));
        match patience.filter(|patience| !patience.is_zero() && !inputs.look_at_all) {
            Some(patience) => {
                plan.held_for = Some(
                    plan.held_for
                        .map_or(patience, |shortest| shortest.min(patience)),
                );
                plan.kept.push(desired.id);
            }
            None => plan.steps.push(Step {
                desired,
                expectation,
                rival,
            }),
        }
    }
    plan
}

/// Stands for whoever deletes an object: the API server does not say who did.
pub(super) const DELETER: &str = "somebody who deleted it";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    fn desired(name: &str) -> Desired {
        let document = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
        let manifest = Manifest::from_document(document, "a.yaml")
            .unwrap()
            .remove(0);
        Desired {
            id: manifest.id(),
            manifest,
            digest: "d1".into(),
        }
    }

    fn id(name: &str) -> ObjectId {
        format!("shop_{name}__ConfigMap").parse().unwrap()
    }

    fn inventory(names: &[&str]) -> Inventory {
        names
            .iter()
            .map(|name| (id(name), "v1".to_owned()))
            .collect()
    }

    struct Case<'a> {
        desired: &'a [&'a str],
        recorded: Inventory,
        states: HashMap<&'a str, State>,
        patience: Duration,
        look_at_all: bool,
        prune: bool,
        siblings_behind: bool,
        elsewhere: &'a str,
    }

    impl Default for Case<'_> {
        fn default() -> Self {
            Self {
                desired: &[],
                recorded: Inventory::default(),
                states: HashMap::new(),
                patience: Duration::ZERO,
                look_at_all: false,
                prune: true,
                siblings_behind: false,
                elsewhere: "",
            }
        }
    }

    impl Case<'_> {
        fn plan(&self) -> Plan {
            plan(Inputs {
                desired: self.desired.iter().map(|name| desired(name)).collect(),
                recorded: &self.recorded,
                prune: self.prune,
                look_at_all: self.look_at_all,
                siblings_behind: self.siblings_behind,
                state: &|id| {
                    self.states
                        .get(id.name.as_str())
                        .cloned()
                        .unwrap_or(State::Unknown)
                },
                patience: &|_, _| self.patience,
                wanted_by_another: &|id| id.name == self.elsewhere,
            })
        }

        fn steps(&self) -> Vec<(String, Expectation)> {
            self.plan()
                .steps
                .into_iter()
                .map(|step| (step.desired.id.name, step.expectation))
                .collect()
        }
    }

    #[test]
    fn new_objects_are_recorded_before_they_are_applied() {
        let plan = Case {
            desired: &["b", "a"],
            ..Case::default()
        }
        .plan();
        assert_eq!(plan.record, Some(inventory(&["a", "b"])));
        assert_eq!(plan.steps.len(), 2);
        assert!(
            plan.steps
                .iter()
                .all(|step| step.expectation == Expectation::Changes)
        );
    }

    #[test]
    fn how_an_object_stands_decides_how_it_is_looked_at() {
        let as_left = |digest: &str| State::AsLeft(Some(digest.to_owned()));
        let names = ["kept", "newer", "earlier", "edited", "gone", "unknown"];
        let states = HashMap::from([
            ("kept", as_left("d1")),
            ("newer", as_left("d0")),
            ("earlier", State::AsLeft(None)),
            ("edited", State::Changed("kubectl-edit".into())),
            ("gone", State::Gone),
        ]);
        let case = Case {
            desired: &names,
            recorded: inventory(&names),
            states,
            ..Case::default()
        };
        let steps: HashMap<String, Expectation> = case.steps().into_iter().collect();
        assert_eq!(case.plan().kept, [id("kept")]);
        assert_eq!(case.plan().record, None);
        assert_eq!(steps["newer"], Expectation::Changes);
        assert_eq!(steps["earlier"], Expectation::Nothing);
        assert_eq!(steps["edited"], Expectation::Nothing);
        assert_eq!(steps["gone"], Expectation::Changes);
        assert_eq!(steps["unknown"], Expectation::Nothing);
        let asked = Case {
            look_at_all: true,
            ..case
        };
        assert!(
            asked
                .steps()
                .contains(&("kept".to_owned(), Expectation::Nothing))
        );
    }

    #[test]
    fn a_fight_is_waited_out_unless_somebody_asks() {
        let states = HashMap::from([("a", State::Changed("hpa".into()))]);
        let case = Case {
            desired: &["a"],
            recorded: inventory(&["a"]),
            states,
            patience: Duration::from_secs(4),
            ..Case::default()
        };
        let plan = case.plan();
        assert!(plan.steps.is_empty());
        assert_eq!(
            (plan.kept, plan.held_for),
            (vec![id("a")], Some(Duration::from_secs(4)))
        );
        assert_eq!(
            Case {
                look_at_all: true,
                ..case
            }
            .steps()
            .len(),
            1
        );
    }

    #[test]
    fn only_what_nobody_wants_any_more_is_pruned() {
        let case = Case {
            desired: &["a"],
            recorded: inventory(&["a", "b", "moved"]),
            elsewhere: "moved",
            ..Case::default()
        };
        let plan = case.plan();
        assert_eq!(
            (plan.stale, plan.prune_later, plan.record),
            (vec![id("b")], false, None)
        );
        let behind = Case {
            siblings_behind: true,
            ..case
        };
        assert!(behind.plan().prune_later);
        assert!(
            Case {
                prune: false,
                ..behind
            }
            .plan()
            .stale
            .is_empty()
        );
    }
}
