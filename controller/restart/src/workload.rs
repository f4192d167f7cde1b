//! The kinds that run pods from a template.

use std::fmt::Debug;

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        core::v1::PodTemplateSpec,
    },
};
use kube::Resource;
use serde::de::DeserializeOwned;

/// The annotation of a workload that is to be restarted.
pub(crate) const RESTART: &str = "signet.dev/restart";
/// The annotation of its pod template: the digest.
pub(crate) const SECRETS: &str = "signet.dev/secrets";
/// Who writes it.
pub(crate) const FIELD_MANAGER: &str = "signet-restart";

/// A kind that runs pods from a template.
pub(crate) trait Workload:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The kind in logs and metrics.
    const NAME: &str;

    /// The template.
    fn template(&self) -> Option<&PodTemplateSpec>;
}

impl Workload for Deployment {
    const NAME: &str = "deployment";

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref().map(|spec| &spec.template)
    }
}

impl Workload for StatefulSet {
    const NAME: &str = "statefulset";

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref().map(|spec| &spec.template)
    }
}

impl Workload for DaemonSet {
    const NAME: &str = "daemonset";

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref().map(|spec| &spec.template)
    }
}

/// Whether an object asks to be restarted.
pub(crate) fn opted_in<K: Resource>(object: &K) -> bool {
    let annotations = object.meta().annotations.as_ref();
    annotations
        .and_then(|all| all.get(RESTART))
        .is_some_and(|value| value == "true")
}
