//! Which Secrets the pods of a template read. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, PodSpec, Volume};

/// The names of the Secrets that containers get as variables or files. Those that only the kubelet
/// reads, to pull images, are not among them: no running container has them.
#[must_use]
pub(crate) fn secrets(pod: &PodSpec) -> BTreeSet<String> {
    let containers = pod
        .containers
        .iter()
        .chain(pod.init_containers.iter().flatten());
    let mut names: BTreeSet<String> = containers.flat_map(of_container).collect();
    names.extend(
        pod.ephemeral_containers
            .iter()
            .flatten()
            .flat_map(of_ephemeral),
    );
    names.extend(pod.volumes.iter().flatten().flat_map(of_volume));
    names.remove("");
    names
}

fn of_container(container: &Container) -> Vec<String> {
    let whole = container.env_from.iter().flatten();
    let whole = whole.filter_map(|source| Some(source.secret_ref.as_ref()?.name.clone()));
    let single = container.env.iter().flatten();
    let single = single.filter_map(|variable| {
        Some(
            variable
                .value_from
                .as_ref()?
                .secret_key_ref
                .as_ref()?
                .name
                .clone(),
        )
    });
    whole.chain(single).collect()
}

fn of_ephemeral(container: &EphemeralContainer) -> Vec<String> {
    let same = Container {
        env: container.env.clone(),
        env_from: container.env_from.clone(),
        ..Container::default()
    };
    of_container(&same)
}

fn of_volume(volume: &Volume) -> Vec<String> {
    let plain = volume
        .secret
        .as_ref()
        .and_then(|secret| secret.secret_name.clone());
    let projected = volume
        .projected
        .iter()
        .flat_map(|projected| projected.sources.iter().flatten());
    let projected = projected.filter_map(|source| Some(source.secret.as_ref()?.name.clone()));
    plain.into_iter().chain(projected).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_in_variables_and_files() {
        let pod: PodSpec = serde_json::from_value(json!({
            "initContainers": [{"name": "i", "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "of-init", "key": "k"}}},
            ]}],
            "containers": [{
                "name": "c",
                "envFrom": [{"secretRef": {"name": "whole"}}, {"configMapRef": {"name": "no"}}],
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "single", "key": "k"}}},
                    {"name": "B", "value": "plain"},
                ],
            }],
            "volumes": [
                {"name": "v", "secret": {"secretName": "files"}},
                {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
                {"name": "e", "emptyDir": {}},
            ],
            "imagePullSecrets": [{"name": "pull"}],
        }))
        .unwrap();
        let expected = ["files", "of-init", "projected", "single", "whole"];
        assert_eq!(secrets(&pod), expected.map(str::to_owned).into());
    }
}
