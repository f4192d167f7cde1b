//! Which Kustomization something belongs to.

use std::fmt;

use crds::kustomization::{Kustomization, OWNER_NAME, OWNER_NAMESPACE};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{ResourceExt as _, runtime::reflector::ObjectRef};

/// The name of a Kustomization, as the owner labels have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Owner {
    /// The name of this Kustomization.
    #[must_use]
    pub fn of(kustomization: &Kustomization) -> Self {
        Self {
            namespace: kustomization.namespace().unwrap_or_default(),
            name: kustomization.name_any(),
        }
    }

    /// Who the labels of an object say; `None` if they say nobody.
    #[must_use]
    pub fn in_labels(metadata: &ObjectMeta) -> Option<Self> {
        let labels = metadata.labels.as_ref()?;
        Some(Self {
            namespace: labels.get(OWNER_NAMESPACE)?.clone(),
            name: labels.get(OWNER_NAME)?.clone(),
        })
    }

    /// The reference by which reconciles are asked for.
    #[must_use]
    pub fn reference(&self) -> ObjectRef<Kustomization> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
