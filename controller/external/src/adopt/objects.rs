//! The ExternalSecrets: what would be asked for them, and what would be written to their Secrets.

use crds::external_secret::{ExternalSecret, FINALIZER};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kit::{adopt::Adoption, target};
use kube::{Client, ResourceExt as _};

use super::stores::{Stores, Verdict};
use crate::{
    external_secret::{Ask, Foreseen, Foresight, foresee, generators, target_of},
    generator,
    key::Key,
    settings::Settings,
    template::Engine,
};

/// ExternalSecrets looked at side by side.
const AT_ONCE: usize = 8;

/// What was found out about one.
enum Found {
    /// It is somebody else's.
    Foreign,
    /// It would not be served, and why.
    Refused(String),
    /// It would be served.
    Served(Foreseen),
}

/// Looks at every ExternalSecret and its Secret.
pub(super) async fn look(
    client: &Client,
    settings: &Settings,
    stores: &Stores,
    objects: &[ExternalSecret],
    adoption: &mut Adoption,
) {
    let templates = Engine::new(&settings.delimiters.0, &settings.delimiters.1);
    let with = Foresight {
        templates: &templates,
        delimiters: &settings.delimiters,
        privileged_types: settings.privileged_types,
        now: Timestamp::now(),
    };
    let with = &with;
    let looks = objects
        .iter()
        .map(|object| async move { (object, one(client, stores, object, with).await) });
    let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let mut tally = Tally::default();
    for (object, found) in found {
        tally.count(object, &found);
        note(object, found, adoption);
    }
    adoption.remarks.extend(tally.remarks(objects.len()));
}

async fn one(
    client: &Client,
    stores: &Stores,
    object: &ExternalSecret,
    with: &Foresight<'_>,
) -> Found {
    match stores.verdict(object) {
        Verdict::Served => {}
        Verdict::Foreign => return Found::Foreign,
        Verdict::Refused(cause) => return Found::Refused(cause),
    }
    let unserved =
        generators(&object.spec).find(|reference| !generator::is_served(&reference.kind));
    if let Some(reference) = unserved {
        return Found::Refused(format!("the generator {} is not served", reference.kind));
    }
    let namespace = object.namespace().unwrap_or_default();
    let live = match target_of(object) {
        Some(name) => match target::read(client, &namespace, name).await {
            Ok(live) => live,
            Err(error) => return Found::Refused(format!("its Secret cannot be read: {error}")),
        },
        None => None,
    };
    match foresee(object, live.as_ref(), with) {
        Ok(foreseen) => Found::Served(foreseen),
        Err(failure) => Found::Refused(failure.to_string()),
    }
}

fn note(object: &ExternalSecret, found: Found, adoption: &mut Adoption) {
    let key = Key::of(object);
    match found {
        Found::Foreign => {}
        Found::Refused(cause) => adoption
            .problems
            .push(format!("ExternalSecret {key}: {cause}")),
        Found::Served(Foreseen { ask, write }) => {
            if let Ask::Now(why) = ask {
                adoption.due.push(format!("ExternalSecret {key}: {why}"));
            }
            if let Some(write) = write {
                let name = target_of(object).unwrap_or_default();
                let target = Key::new(&key.namespace, name);
                adoption.changes.push(format!("Secret {target} {write}"));
            }
        }
    }
}

/// What is told of all together.
#[derive(Default)]
struct Tally {
    foreign: usize,
    finalizers: usize,
    next: Option<Timestamp>,
}

impl Tally {
    fn count(&mut self, object: &ExternalSecret, found: &Found) {
        if object.finalizers().iter().any(|name| name == FINALIZER) {
            self.finalizers += 1;
        }
        match found {
            Found::Foreign => self.foreign += 1,
            Found::Served(Foreseen {
                ask: Ask::NotBefore(Some(next)),
                ..
            }) => self.next = Some(self.next.map_or(*next, |soonest| soonest.min(*next))),
            Found::Served(_) | Found::Refused(_) => {}
        }
    }

    fn remarks(self, objects: usize) -> Vec<String> {
        let mut remarks = vec![format!(
            "{objects} ExternalSecrets, {} of them of stores of another class, which are left alone",
            self.foreign
        )];
        if let Some(next) = self.next {
            remarks.push(format!("the next one that is not yet due is at {next}"));
        }
        if self.finalizers > 0 {
            remarks.push(format!(
                "{} ExternalSecrets have the finalizer {FINALIZER}, which this controller honours; one that is \
                 deleted while no controller runs waits for the next",
                self.finalizers
            ));
        }
        remarks
    }
}
