//! Applying one object, as kustomize-controller does (fluxcd/pkg ssa manager_apply.go), in as few requests as it takes.

use std::time::Duration;

use crds::kustomization as names;
use kit::redact;
use kube::{
    Client,
    api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy},
    core::params::GetParams,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Fingerprint, Kinds, Live, ObjectError, Served, Why, takeover};
use crate::{claims::Claims, inventory::ObjectId, owner::Owner, render::Manifest};

/// Applies the objects of one Kustomization.
pub struct Applier<'a> {
    /// Who asks the API server: ourselves, or a tenant's ServiceAccount.
    pub client: &'a Client,
    /// What is served.
    pub kinds: &'a Kinds,
    /// Who wants what.
    pub claims: &'a Claims,
    /// Whose objects these are.
    pub owner: &'a Owner,
    /// Whether objects that cannot be changed in place are replaced (`spec.force`).
    pub force: bool,
}

/// Whether there is reason to believe that applying changes something. It decides the number of requests, never the
/// outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// The object is new, other than last time, or was changed by somebody.
    Changes,
    /// We only do not know; a dry run decides, so that nothing is written for nothing.
    Nothing,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It is other than before.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// An annotation or label says not to touch it.
    Skipped,
}

/// An object that is as its repository wants it.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The object, with the namespace that its kind really has.
    pub id: ObjectId,
    /// What became of it.
    pub change: Change,
    /// Whether it is ours now: what is skipped may be somebody else's.
    pub is_ours: bool,
    /// How it looks now; `None` if it was skipped and is not there.
    pub fingerprint: Option<Fingerprint>,
    /// Its resourceVersion as a number.
    pub version: u64,
    /// Its kind.
    pub served: Served,
}

impl Applier<'_> {
    /// Applies one object.
    ///
    /// # Errors
    /// [`ObjectError`] with the object and the cause.
    pub async fn apply(
        &self,
        manifest: &Manifest,
        expectation: Expectation,
    ) -> Result<Applied, ObjectError> {
        let mut id = manifest.id();
        let result = self.apply_known(manifest, &mut id, expectation).await;
        result.map_err(|why| ObjectError { id, why })
    }

    async fn apply_known(
        &self,
        manifest: &Manifest,
        id: &mut ObjectId,
        expectation: Expectation,
    ) -> Result<Applied, Why> {
        let served = self.served(manifest).await?;
        if !served.namespaced {
            id.namespace.clear();
        } else if id.namespace.is_empty() {
            return Err(Why::NoNamespace);
        }
        let target = Target {
            served,
            id: id.clone(),
            is_secret: manifest.is_secret(),
        };
        let live = self.get(&target).await?;
        if manifest.is_excluded() {
            return Ok(self.skipped(&target, live.as_ref()));
        }
        let Some(live) = live else {
            let created = self.patch(&target, &manifest.value(), Run::Real).await?;
            return Ok(target.applied(Change::Created, Some(&created)));
        };
        if is_excluded(&live) || manifest.says(names::SSA, names::SSA_IF_NOT_PRESENT) {
            return Ok(self.skipped(&target, Some(&live)));
        }
        self.refuse_if_claimed(&target, manifest, &live).await?;
        match self
            .change(&target, manifest, live.clone(), expectation)
            .await
        {
            Err(Why::Immutable(_)) if self.may_replace(manifest, &live) => {
                self.replace(&target, manifest, &live).await
            }
            other => other,
        }
    }

    async fn served(&self, manifest: &Manifest) -> Result<Served, Why> {
        let found = self
            .kinds
            .find(manifest.api_version(), manifest.kind())
            .await;
        let found = found.map_err(|error| Why::from_api(&error, false))?;
        found.ok_or_else(|| Why::NoSuchKind {
            api_version: manifest.api_version().to_owned(),
            kind: manifest.kind().to_owned(),
        })
    }

    /// Applies to an object that is there.
    async fn change(
        &self,
        target: &Target,
        manifest: &Manifest,
        mut live: Live,
        expectation: Expectation,
    ) -> Result<Applied, Why> {
        let mut taken_over = false;
        if let Some(patch) = takeover::patch(&live, manifest) {
            live = self.take_over(target, &patch).await?;
            taken_over = true;
        }
        if expectation == Expectation::Nothing {
            let outcome = self.patch(target, &manifest.value(), Run::Dry).await?;
            if !live.differs(&outcome) {
                let change = if taken_over {
                    Change::Configured
                } else {
                    Change::Unchanged
                };
                return Ok(target.applied(change, Some(&live)));
            }
        }
        let applied = self.patch(target, &manifest.value(), Run::Real).await?;
        let same = applied.version() == live.version() && !taken_over;
        let change = if same {
            Change::Unchanged
        } else {
            Change::Configured
        };
        Ok(target.applied(change, Some(&applied)))
    }

    fn may_replace(&self, manifest: &Manifest, live: &Live) -> bool {
        self.force
            || manifest.says(names::FORCE, crds::flux::ENABLED)
            || live.says(names::FORCE, crds::flux::ENABLED)
    }

    /// Deletes the object and makes it anew. Flux deletes first and then finds out whether the new one is accepted; here a
    /// dry run under another name comes first.
    async fn replace(
        &self,
        target: &Target,
        manifest: &Manifest,
        live: &Live,
    ) -> Result<Applied, Why> {
        let mut rehearsal = manifest.value().clone();
        let name = format!(
            "{}-signet-rehearsal",
            target.id.name.chars().take(40).collect::<String>()
        );
        if let Some(Value::Object(metadata)) = rehearsal.get_mut("metadata") {
            metadata.insert("name".to_owned(), Value::String(name.clone()));
        }
        let other = Target {
            id: ObjectId {
                name,
                ..target.id.clone()
            },
            ..target.clone()
        };
        self.patch(&other, &&rehearsal, Run::Dry).await?;
        self.delete_for_good(target, live).await?;
        let created = self.patch(target, &manifest.value(), Run::Real).await?;
        Ok(target.applied(Change::Created, Some(&created)))
    }

    async fn delete_for_good(&self, target: &Target, live: &Live) -> Result<(), Why> {
        let parameters = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: live.metadata.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let request = target
            .served
            .request(&target.id.namespace)
            .delete(&target.id.name, &parameters);
        let request = request.map_err(|error| Why::Refused(redact::foreign(&error.to_string())))?;
        match self.client.request::<Value>(request).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(Why::from_api(&error, target.is_secret)),
            Ok(_) => {}
        }
        let started = tokio::time::Instant::now();
        let mut wait = Duration::from_millis(50);
        while started.elapsed() < LONGEST_DELETION {
            match self.get(target).await? {
                Some(now) if now.metadata.uid == live.metadata.uid => {}
                _ => return Ok(()),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(2));
        }
        Err(Why::Lingers("a finalizer holds it".to_owned()))
    }

    fn skipped(&self, target: &Target, live: Option<&Live>) -> Applied {
        let owner = live.and_then(|live| Owner::in_labels(&live.metadata));
        Applied {
            is_ours: owner.as_ref() == Some(self.owner),
            ..target.applied(Change::Skipped, live)
        }
    }

    /// Leaves to others what they hold. [`Why::Claimed`] means that it would be ours without them: who may not apply it
    /// anyway hears that instead, and gets no claim to it.
    async fn refuse_if_claimed(
        &self,
        target: &Target,
        manifest: &Manifest,
        live: &Live,
    ) -> Result<(), Why> {
        let holder = Owner::in_labels(&live.metadata)
            .filter(|other| other != self.owner && self.claims.has(other, &target.id));
        let Some(holder) = holder else {
            return Ok(());
        };
        match self.patch(target, &manifest.value(), Run::Dry).await {
            Err(why @ (Why::Refused(_) | Why::Unanswered(_))) => Err(why),
            _ => Err(Why::Claimed(holder.to_string())),
        }
    }

    async fn get(&self, target: &Target) -> Result<Option<Live>, Why> {
        let request = target
            .served
            .request(&target.id.namespace)
            .get(&target.id.name, &GetParams::default());
        let request = request.map_err(|error| Why::Refused(redact::foreign(&error.to_string())))?;
        match self.client.request::<Map<String, Value>>(request).await {
            Ok(value) => Ok(Some(Live::new(value))),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(Why::from_api(&error, target.is_secret)),
        }
    }

    async fn patch<T: Serialize>(&self, target: &Target, value: &T, run: Run) -> Result<Live, Why> {
        let parameters = PatchParams {
            dry_run: run == Run::Dry,
            ..PatchParams::apply(names::FIELD_MANAGER).force()
        };
        self.send(target, &parameters, &Patch::Apply(value)).await
    }

    async fn send<T: Serialize>(
        &self,
        target: &Target,
        parameters: &PatchParams,
        patch: &Patch<T>,
    ) -> Result<Live, Why> {
        let request =
            target
                .served
                .request(&target.id.namespace)
                .patch(&target.id.name, parameters, patch);
        let request = request.map_err(|error| Why::Refused(redact::foreign(&error.to_string())))?;
        self.ask(target, request).await
    }

    /// Sends a JSON patch, which kube has behind a feature that brings a crate along.
    async fn take_over(&self, target: &Target, patch: &Value) -> Result<Live, Why> {
        let path = target.served.request(&target.id.namespace).url_path;
        let request = http::Request::patch(format!(
            "{path}/{}?fieldManager={}",
            target.id.name,
            names::FIELD_MANAGER
        ))
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .header(http::header::ACCEPT, "application/json")
        .body(patch.to_string().into_bytes());
        let request = request.map_err(|error| Why::Refused(redact::foreign(&error.to_string())))?;
        self.ask(target, request).await
    }

    async fn ask(&self, target: &Target, request: http::Request<Vec<u8>>) -> Result<Live, Why> {
        match self.client.request::<Map<String, Value>>(request).await {
            Ok(value) => Ok(Live::new(value)),
            Err(error) => {
                if matches!(&error, kube::Error::Api(status) if status.code == 404) {
                    // Either the namespace is missing, or the kind went away since we learned of it.
                    self.kinds.forget(&target.served.resource.api_version);
                }
                Err(Why::from_api(&error, target.is_secret))
            }
        }
    }
}

/// Where an object is.
#[derive(Clone)]
struct Target {
    served: Served,
    id: ObjectId,
    is_secret: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Dry,
    Real,
}

impl Target {
    fn applied(&self, change: Change, live: Option<&Live>) -> Applied {
        Applied {
            id: self.id.clone(),
            change,
            is_ours: true,
            fingerprint: live.map(Live::fingerprint),
            version: live.map_or(0, Live::version),
            served: self.served.clone(),
        }
    }
}

fn is_excluded(live: &Live) -> bool {
    live.says(names::RECONCILE, crds::flux::DISABLED) || live.says(names::SSA, names::SSA_IGNORE)
}

/// How long an object that is being replaced may take to go.
const LONGEST_DELETION: Duration = Duration::from_secs(60);
