//! Which kinds the API server serves, asked once for each group and version.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::{
    Client, Resource as _,
    core::{ApiResource, DynamicObject, Request},
};

/// A kind that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Where its objects are.
    pub resource: ApiResource,
    /// Whether they are in namespaces.
    pub namespaced: bool,
    /// Whether they can be watched.
    pub watchable: bool,
}

impl Served {
    /// Requests to the objects of one namespace, or of the cluster.
    #[must_use]
    pub fn request(&self, namespace: &str) -> Request {
        let namespace =
            Some(namespace).filter(|namespace| self.namespaced && !namespace.is_empty());
        Request::new(DynamicObject::url_path(&self.resource, namespace))
    }
}

/// The kinds that are known to be served. What is not served is asked again each time: it may come.
pub struct Kinds {
    client: Client,
    known: Mutex<HashMap<String, Arc<HashMap<String, Served>>>>,
}

impl Kinds {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// The kind in this group and version, or `None` if it is not served.
    ///
    /// # Errors
    /// What the API server says, other than that it does not know the group.
    pub async fn find(&self, api_version: &str, kind: &str) -> Result<Option<Served>, kube::Error> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(api_version)
            .cloned();
        if let Some(served) = known.and_then(|kinds| kinds.get(kind).cloned()) {
            return Ok(Some(served));
        }
        let kinds = Arc::new(self.ask(api_version).await?);
        let served = kinds.get(kind).cloned();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.is_empty() {
            known.remove(api_version);
        } else {
            known.insert(api_version.to_owned(), kinds);
        }
        Ok(served)
    }

    /// The kind in this version, or in another version of its group: an inventory may name one that is gone.
    ///
    /// # Errors
    /// What the API server says, other than that it does not know the group.
    pub async fn find_in_group(
        &self,
        group: &str,
        version: &str,
        kind: &str,
    ) -> Result<Option<Served>, kube::Error> {
        let full = |version: &str| {
            if group.is_empty() {
                version.to_owned()
            } else {
                format!("{group}/{version}")
            }
        };
        if !version.is_empty()
            && let Some(served) = self.find(&full(version), kind).await?
        {
            return Ok(Some(served));
        }
        if group.is_empty() {
            return self.find("v1", kind).await;
        }
        let groups = self.client.list_api_groups().await?;
        for found in groups.groups.iter().filter(|found| found.name == group) {
            for version in &found.versions {
                if let Some(served) = self.find(&version.group_version, kind).await? {
                    return Ok(Some(served));
                }
            }
        }
        Ok(None)
    }

    /// Forgets a group and version: a definition has changed, or what we knew was wrong.
    pub fn forget(&self, api_version: &str) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(api_version);
    }

    async fn ask(&self, api_version: &str) -> Result<HashMap<String, Served>, kube::Error> {
        let answer = match api_version.split_once('/') {
            Some(_) => self.client.list_api_group_resources(api_version).await,
            None => self.client.list_core_api_resources(api_version).await,
        };
        match answer {
            Ok(list) => Ok(served_in(api_version, list)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(HashMap::new()),
            Err(error) => Err(error),
        }
    }
}

fn served_in(api_version: &str, list: APIResourceList) -> HashMap<String, Served> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kinds = list
        .resources
        .into_iter()
        .filter(|resource| !resource.name.contains('/'));
    let served = kinds.map(|found| {
        let can = |verb: &str| found.verbs.iter().any(|known| known == verb);
        let served = Served {
            watchable: can("list") && can("watch"),
            namespaced: found.namespaced,
            resource: ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: api_version.to_owned(),
                kind: found.kind.clone(),
                plural: found.name,
            },
        };
        (found.kind, served)
    });
    served.collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResource;

    use super::*;

    #[test]
    fn subresources_are_no_kinds_and_paths_follow_the_scope() {
        let resource = |name: &str, kind: &str, namespaced| APIResource {
            name: name.into(),
            kind: kind.into(),
            namespaced,
            verbs: vec!["get".into(), "list".into(), "watch".into()],
            ..APIResource::default()
        };
        let list = APIResourceList {
            group_version: "apps/v1".into(),
            resources: vec![
                resource("deployments", "Deployment", true),
                resource("deployments/scale", "Scale", true),
                resource("things", "Thing", false),
            ],
        };
        let served = served_in("apps/v1", list);
        assert_eq!(served.len(), 2);
        assert_eq!(
            served["Deployment"].request("shop").url_path,
            "/apis/apps/v1/namespaces/shop/deployments"
        );
        assert_eq!(
            served["Thing"].request("shop").url_path,
            "/apis/apps/v1/things"
        );
        assert!(served["Thing"].watchable);
    }
}
