//! The Deployments of an incumbent: those that run, and those that something would bring back.

use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use super::{Adoption, all};
use crate::{origin, redact};

/// A Deployment of an incumbent that runs, or that may run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incumbent {
    place: String,
    image: String,
    replicas: i32,
    keeper: Option<String>,
}

impl Incumbent {
    /// What a Deployment says about it. `image` is what the incumbent's images are called, wherever they
    /// are mirrored to. `None` where it is another program, and where it is scaled to 0 and nothing
    /// would change that.
    pub fn of(deployment: &Deployment, image: &str) -> Option<Self> {
        let spec = deployment.spec.as_ref()?;
        let pod = spec.template.spec.as_ref()?;
        let image = pod
            .containers
            .iter()
            .filter_map(|container| container.image.as_deref())
            .find(|found| found.contains(image))?;
        let found = Self {
            place: format!(
                "{}/{}",
                deployment.namespace().unwrap_or_default(),
                deployment.name_any()
            ),
            image: image.to_owned(),
            replicas: spec.replicas.unwrap_or(1),
            keeper: origin::keeper(deployment),
        };
        (found.is_running() || found.keeper.is_some()).then_some(found)
    }

    /// Whether it writes what we write.
    pub fn is_running(&self) -> bool {
        self.replicas > 0
    }
}

impl fmt::Display for Incumbent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            image,
            replicas,
            keeper,
        } = self;
        match keeper {
            // Nobody scaled it there for good while something else says how many there are.
            Some(keeper) if !self.is_running() => write!(
                formatter,
                "Deployment {place} ({image}) is scaled to 0, but kept by {keeper}, which may bring it back: \
                 take it out there"
            ),
            Some(keeper) => write!(
                formatter,
                "Deployment {place} ({image}, {replicas} replicas): kept by {keeper}, which would bring it \
                 back: take it out there first"
            ),
            None => write!(
                formatter,
                "Deployment {place} ({image}, {replicas} replicas): scale it to 0 first"
            ),
        }
    }
}

/// Looks for an incumbent's Deployments in all namespaces, by what its images are called.
pub async fn incumbents(client: &Client, image: &str, adoption: &mut Adoption) {
    match all(
        &Api::<Deployment>::all(client.clone()),
        ListParams::default(),
    )
    .await
    {
        Ok(deployments) => {
            let found = deployments
                .iter()
                .filter_map(|deployment| Incumbent::of(deployment, image));
            adoption
                .running
                .extend(found.map(|incumbent| incumbent.to_string()));
        }
        Err(error) => adoption.remarks.push(format!(
            "whether the incumbent still runs is not known: {}",
            redact::api_error(&error)
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const IMAGE: &str = "sealed-secrets-controller";
    const THEIRS: &str = "docker.io/bitnami/sealed-secrets-controller:0.36.6";

    fn deployment(image: &str, replicas: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"namespace": "kube-system", "name": "theirs"},
            "spec": {
                "replicas": replicas, "selector": {},
                "template": {"spec": {"containers": [{"name": "c", "image": image}]}},
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_incumbent_is_known_by_its_image_and_only_counts_while_it_runs() {
        let found = Incumbent::of(&deployment(THEIRS, 1), IMAGE).unwrap();
        assert_eq!(
            found.to_string(),
            format!("Deployment kube-system/theirs ({THEIRS}, 1 replicas): scale it to 0 first")
        );
        assert_eq!(Incumbent::of(&deployment(THEIRS, 0), IMAGE), None);
        let ours = deployment("example.com/signet:1", 1);
        assert_eq!(Incumbent::of(&ours, IMAGE), None);
    }

    #[test]
    fn what_git_would_bring_back_is_told_whether_it_runs_or_not() {
        for (replicas, advice) in [(1, "would bring it back"), (0, "may bring it back")] {
            let mut kept = deployment(THEIRS, replicas);
            let label = |name: &str, value: &str| {
                (
                    format!("kustomize.toolkit.fluxcd.io/{name}"),
                    value.to_owned(),
                )
            };
            kept.metadata.labels =
                Some([label("name", "infra"), label("namespace", "flux-system")].into());
            let found = Incumbent::of(&kept, IMAGE).unwrap();
            assert_eq!(found.is_running(), replicas > 0);
            let line = found.to_string();
            assert!(
                line.contains("the Kustomization flux-system/infra of Flux")
                    && line.contains(advice),
                "{line}"
            );
        }
    }
}
