//! Reading and writing objects of any kind, as JSON.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch,
    PatchParams, PostParams,
};
use kube::discovery::{Scope, pinned_kind};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::{Failure, Observation, eventually};

/// Which object: `Coordinates::new("v1", "Secret", "shop", "db")`; the namespace is empty for kinds
/// without one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Coordinates {
    /// As in a manifest.
    pub api_version: String,
    /// As in a manifest.
    pub kind: String,
    /// Empty for kinds without namespaces.
    pub namespace: String,
    /// As in a manifest.
    pub name: String,
}

impl Coordinates {
    /// Names an object.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Names a Secret.
    pub fn secret(namespace: &str, name: &str) -> Self {
        Self::new("v1", "Secret", namespace, name)
    }

    /// Names a ConfigMap.
    pub fn config_map(namespace: &str, name: &str) -> Self {
        Self::new("v1", "ConfigMap", namespace, name)
    }

    fn of_kind(api_version: &str, kind: &str, namespace: &str) -> Self {
        Self::new(api_version, kind, namespace, "")
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
            ..
        } = self;
        if namespace.is_empty() {
            write!(f, "{kind} {name}")
        } else {
            write!(f, "{kind} {namespace}/{name}")
        }
    }
}

/// A cluster as one identity sees it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// The cluster behind a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client, for typed access.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Makes a namespace of its own for a test, whose name starts with `prefix`, and waits until
    /// workloads can be made in it.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn namespace(&self, prefix: &str) -> Result<String, Failure> {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"generateName": format!("{prefix}-")},
        });
        let kind = Coordinates::of_kind("v1", "Namespace", "");
        let object = serde_json::from_value(manifest)?;
        let made = self
            .api(&kind)
            .await?
            .create(&PostParams::default(), &object)
            .await?;
        let name = made.name_any();
        let account = Coordinates::new("v1", "ServiceAccount", &name, "default");
        eventually("the default account of a new namespace", async || {
            Ok(Observation::of(self.get(&account).await?, || {
                String::from("none")
            }))
        })
        .await?;
        Ok(name)
    }

    /// Applies every document of some YAML, server-side, forcing conflicts, and gives what it named.
    ///
    /// # Errors
    /// If the YAML cannot be read, or the API server refuses a document.
    pub async fn apply(&self, yaml: &str) -> Result<Vec<Coordinates>, Failure> {
        let mut applied = Vec::new();
        for document in crds::yaml::documents(yaml)? {
            if !document.value.is_null() {
                applied.push(self.apply_value(&document.value).await?);
            }
        }
        Ok(applied)
    }

    /// Applies one object, server-side, forcing conflicts.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn apply_value(&self, object: &Value) -> Result<Coordinates, Failure> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut at = Coordinates {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        };
        let (resource, scope) = self.resource(&at).await?;
        if matches!(scope, Scope::Namespaced) && at.namespace.is_empty() {
            at.namespace = String::from("default");
        }
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api_of(&resource, &at);
        api.patch(&at.name, &parameters, &Patch::Apply(object))
            .await
            .map_err(|error| Failure::from(error).while_doing(&format!("apply {at}")))?;
        Ok(at)
    }

    /// Merges a patch into an object.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn merge(&self, at: &Coordinates, patch: &Value) -> Result<Value, Failure> {
        let api = self.api(at).await?;
        let parameters = PatchParams {
            field_manager: Some(HAND.to_owned()),
            ..Default::default()
        };
        let merged = api
            .patch(&at.name, &parameters, &Patch::Merge(patch))
            .await
            .map_err(|error| Failure::from(error).while_doing(&format!("patch {at}")))?;
        Ok(serde_json::to_value(merged)?)
    }

    /// Creates an object as it is written; fails where there is one.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn create(&self, object: &Value) -> Result<Value, Failure> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let at = Coordinates {
            api_version: text(&object["apiVersion"]),
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        };
        let parameters = PostParams {
            field_manager: Some(HAND.to_owned()),
            ..Default::default()
        };
        let object = serde_json::from_value(object.clone())?;
        let made = self
            .api(&at)
            .await?
            .create(&parameters, &object)
            .await
            .map_err(|error| Failure::from(error).while_doing(&format!("create {at}")))?;
        Ok(serde_json::to_value(made)?)
    }

    /// An object, if it is there.
    ///
    /// # Errors
    /// If the API server answers with anything but it or "not found".
    pub async fn get(&self, at: &Coordinates) -> Result<Option<Value>, Failure> {
        let found = self.api(at).await?.get_opt(&at.name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// An object that must be there.
    ///
    /// # Errors
    /// If it is not.
    pub async fn must_get(&self, at: &Coordinates) -> Result<Value, Failure> {
        self.get(at)
            .await?
            .ok_or_else(|| Failure::new(format!("there is no {at}")))
    }

    /// All objects of a kind, in one namespace or, where that is empty, in all.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
    ) -> Result<Vec<Value>, Failure> {
        let at = Coordinates::of_kind(api_version, kind, namespace);
        let list = self.api(&at).await?.list(&ListParams::default()).await?;
        let values = list.items.into_iter().map(serde_json::to_value);
        Ok(values.collect::<Result<_, _>>()?)
    }

    /// Deletes an object and waits until it is gone, or another of the same name is there.
    ///
    /// # Errors
    /// If it is not there, or does not go.
    pub async fn delete(&self, at: &Coordinates) -> Result<(), Failure> {
        let uid = self.must_get(at).await?["metadata"]["uid"].clone();
        let api = self.api(at).await?;
        let _status = api
            .delete(&at.name, &DeleteParams::background())
            .await
            .map_err(|error| Failure::from(error).while_doing(&format!("delete {at}")))?;
        eventually(&format!("the end of {at}"), async || {
            let left = self
                .get(at)
                .await?
                .filter(|object| object["metadata"]["uid"] == uid);
            Ok(Observation::when(left.is_none(), || {
                String::from("it is still there")
            }))
        })
        .await
    }

    /// The data of a Secret, decoded, if the Secret is there.
    ///
    /// # Errors
    /// If the API server answers with anything but it or "not found".
    pub async fn secret_data(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<BTreeMap<String, Vec<u8>>>, Failure> {
        let Some(secret) = self.get(&Coordinates::secret(namespace, name)).await? else {
            return Ok(None);
        };
        let mut data = BTreeMap::new();
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let bytes = STANDARD.decode(value.as_str().unwrap_or_default())?;
            data.insert(key.clone(), bytes);
        }
        Ok(Some(data))
    }

    /// Waits until a Secret holds a value under a key.
    ///
    /// # Errors
    /// If that does not happen within the usual minute; tells the keys and lengths that were there.
    pub async fn secret_holds(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
        value: &[u8],
    ) -> Result<(), Failure> {
        eventually(
            &format!("Secret {namespace}/{name} with its {key}"),
            async || {
                let data = self.secret_data(namespace, name).await?;
                let holds = data
                    .as_ref()
                    .and_then(|data| data.get(key))
                    .is_some_and(|is| is == value);
                Ok(Observation::when(holds, || match data {
                    None => String::from("no such Secret"),
                    Some(data) => data
                        .iter()
                        .map(|(key, value)| format!("{key} of {} bytes", value.len()))
                        .collect::<Vec<_>>()
                        .join(", "),
                }))
            },
        )
        .await
    }

    /// Waits until a condition of an object has a status, for the generation that the object has now,
    /// and gives the condition.
    ///
    /// # Errors
    /// If that does not happen within the usual minute; tells the conditions that were there.
    pub async fn condition(
        &self,
        at: &Coordinates,
        kind: &str,
        status: &str,
    ) -> Result<Value, Failure> {
        eventually(&format!("{kind}={status} of {at}"), async || {
            let object = self.must_get(at).await?;
            let found =
                condition_of(&object, kind).filter(|condition| condition["status"] == status);
            Ok(Observation::of(found.cloned(), || {
                object["status"]["conditions"].to_string()
            }))
        })
        .await
    }

    /// The events about an object, oldest first.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn events(&self, at: &Coordinates) -> Result<Vec<Value>, Failure> {
        let mut events = self.list("v1", "Event", &at.namespace).await?;
        events.retain(|event| {
            let about = &event["involvedObject"];
            about["kind"] == at.kind && about["name"] == at.name
        });
        events.sort_by_key(|event| event["lastTimestamp"].to_string());
        Ok(events)
    }

    /// Waits for an event about an object with a reason, and gives it.
    ///
    /// # Errors
    /// If there is none within the usual minute; tells those that there were.
    pub async fn event(&self, at: &Coordinates, reason: &str) -> Result<Value, Failure> {
        eventually(&format!("event {reason} of {at}"), async || {
            let events = self.events(at).await?;
            let found = events
                .iter()
                .find(|event| event["reason"] == reason)
                .cloned();
            Ok(Observation::of(found, || {
                let told = events.iter().map(|event| format!("{}", event["reason"]));
                format!("events {}", told.collect::<Vec<_>>().join(", "))
            }))
        })
        .await
    }

    /// Makes a Service whose only Pod is a process that listens at `port` of
    /// [`crate::own_network::ADDRESS`]: the Pod has no node, and its status says where it is.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn stand_in(&self, namespace: &str, service: &str, port: u16) -> Result<(), Failure> {
        let labels = json!({"name": service});
        let metadata = json!({"name": service, "namespace": namespace, "labels": labels});
        self.apply_value(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            // It never runs; the namespace may ask for the restricted profile all the same.
            "spec": {
                "securityContext": {
                    "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "process", "image": "none",
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    },
                }],
            },
        }))
        .await?;
        let pod = Coordinates::new("v1", "Pod", namespace, service);
        let address = crate::own_network::ADDRESS;
        let status = json!({"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        }});
        let parameters = PatchParams::default();
        self.api(&pod)
            .await?
            .patch_status(service, &parameters, &Patch::Merge(status))
            .await?;
        self.apply_value(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {
                "selector": labels, "publishNotReadyAddresses": true,
                "ports": [{"name": "http", "port": port, "targetPort": port}],
            },
        }))
        .await?;
        Ok(())
    }

    async fn resource(&self, at: &Coordinates) -> Result<(ApiResource, Scope), Failure> {
        let (group, version) = at
            .api_version
            .split_once('/')
            .unwrap_or(("", &at.api_version));
        let kind = GroupVersionKind::gvk(group, version, &at.kind);
        let (resource, capabilities) = pinned_kind(&self.client, &kind)
            .await
            .map_err(|error| Failure::from(error).while_doing(&format!("find kind {}", at.kind)))?;
        Ok((resource, capabilities.scope))
    }

    async fn api(&self, at: &Coordinates) -> Result<Api<DynamicObject>, Failure> {
        let (resource, _scope) = self.resource(at).await?;
        Ok(self.api_of(&resource, at))
    }

    fn api_of(&self, resource: &ApiResource, at: &Coordinates) -> Api<DynamicObject> {
        if at.namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), &at.namespace, resource)
        }
    }
}

/// A condition of an object, if it speaks of the generation that the object has now.
fn condition_of<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let generation = &object["metadata"]["generation"];
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    let observed = [
        &condition["observedGeneration"],
        &object["status"]["observedGeneration"],
    ];
    let stale = observed
        .into_iter()
        .any(|seen| !seen.is_null() && seen != generation);
    (!stale).then_some(condition)
}

const FIELD_MANAGER: &str = "tests";
/// As somebody with kubectl.
const HAND: &str = "kubectl-edit";
