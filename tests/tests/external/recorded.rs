//! The objects that the real operator left (`tests/incumbents/external-secrets`), put back into a
//! cluster as they were.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tests::{ControlPlane, Failure, cache};

const GROUP: &str = "external-secrets.io";

/// Puts objects into a cluster. What the API server gives them anew, they are known by in each other.
pub(crate) struct Restorer<'a> {
    plane: &'a ControlPlane,
    uids: BTreeMap<String, String>,
    /// What `status.refreshTime` becomes.
    refreshed: Timestamp,
}

impl<'a> Restorer<'a> {
    pub(crate) fn new(plane: &'a ControlPlane, refreshed: Timestamp) -> Self {
        Self {
            plane,
            uids: BTreeMap::new(),
            refreshed,
        }
    }

    /// Everything, each before what names it.
    pub(crate) async fn everything(&mut self) -> Result<(), Failure> {
        for (file, group, version, kind) in [
            ("namespaces", "", "v1", "Namespace"),
            ("config-maps", "", "v1", "ConfigMap"),
            ("cluster-secret-stores", GROUP, "v1", "ClusterSecretStore"),
            ("secret-stores", GROUP, "v1", "SecretStore"),
            (
                "cluster-external-secrets",
                GROUP,
                "v1",
                "ClusterExternalSecret",
            ),
            ("external-secrets", GROUP, "v1", "ExternalSecret"),
            ("secrets", "", "v1", "Secret"),
        ] {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            for object in recorded(file)? {
                self.one(&resource, object).await?;
            }
        }
        Ok(())
    }

    async fn one(&mut self, resource: &ApiResource, object: Value) -> Result<(), Failure> {
        let mut object: Value = serde_json::from_str(&self.with_new_uids(&object.to_string()))?;
        let status = object["status"].take();
        let left: DynamicObject = serde_json::from_value(object)?;
        let api = self.api(resource, left.namespace()).await?;
        let mut fresh = left.clone();
        fresh.metadata.uid = None;
        fresh.metadata.resource_version = None;
        fresh.metadata.managed_fields = None;
        let mut made = api.create(&PostParams::default(), &fresh).await?;
        let (old, new) = (left.uid(), made.uid());
        self.uids.extend(old.zip(new));
        // The generation is part of status.syncedResourceVersion.
        assert_eq!(
            made.metadata.generation, left.metadata.generation,
            "{left:?}"
        );
        if resource.kind == "Secret" {
            // A write that changes nothing else leaves them as they are given.
            made.metadata
                .managed_fields
                .clone_from(&left.metadata.managed_fields);
            api.replace(&left.name_any(), &PostParams::default(), &made)
                .await?;
        } else if resource.group == GROUP {
            self.status(&api, &left.name_any(), status).await?;
        }
        Ok(())
    }

    async fn status(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        mut status: Value,
    ) -> Result<(), Failure> {
        if !status["refreshTime"].is_null() {
            let second = Timestamp::from_second(self.refreshed.as_second())?;
            status["refreshTime"] = second.to_string().into();
        }
        let patch = Patch::Merge(json!({"status": status}));
        api.patch_status(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    fn with_new_uids(&self, text: &str) -> String {
        let replace = |text: String, (old, new): (&String, &String)| text.replace(old, new);
        self.uids.iter().fold(text.to_owned(), replace)
    }

    async fn api(
        &self,
        resource: &ApiResource,
        namespace: Option<String>,
    ) -> Result<Api<DynamicObject>, Failure> {
        let client = self.plane.admin().client().await?;
        Ok(match namespace {
            Some(namespace) => Api::namespaced_with(client, &namespace, resource),
            None => Api::all_with(client, resource),
        })
    }
}

/// The objects of a file.
pub(crate) fn recorded(file: &str) -> Result<Vec<Value>, Failure> {
    let directory = cache::repository().join("tests/incumbents/external-secrets");
    let text = std::fs::read_to_string(directory.join(format!("{file}.json")))?;
    Ok(serde_json::from_str(&text)?)
}
