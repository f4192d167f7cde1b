//! Opening items: the costly part, on a bounded number of threads of its own.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use crds::sealed_secret::WrittenItem;
use keys::{Fingerprint, Keyring, Label, OpenError, Opened, Scope};
use prometheus_client::metrics::counter::Counter;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    place::Place,
    plan::{Item, Values},
    problem::{ItemProblem, Problem, WhyNot},
};

/// For so many items of one object it is found out why they do not open. Finding out costs two RSA
/// operations for each key.
const DIAGNOSED: usize = 3;

/// Opens items on at most so many threads as there are cores.
#[derive(Clone)]
pub(crate) struct Opener {
    permits: Arc<Semaphore>,
    operations: Counter<u64, AtomicU64>,
    last_good: Arc<std::sync::Mutex<Option<Fingerprint>>>,
}

/// What the items of one object are opened with.
pub(crate) struct Opening {
    pub(crate) keys: Arc<Keyring>,
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) label: Label,
    /// What the record and the status say about the items.
    pub(crate) hints: BTreeMap<String, Hint>,
}

/// What is known about an item that is to be opened. It orders the keys, it never decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hint {
    /// The key that it is said to be sealed with.
    pub(crate) key: Option<Fingerprint>,
    /// Whether the record says that it was sealed for this very label.
    pub(crate) for_this_label: Option<bool>,
}

impl Opener {
    /// `operations` counts the RSA operations.
    pub(crate) fn new(threads: usize, operations: Counter<u64, AtomicU64>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(threads.max(1))),
            operations,
            last_good: Arc::default(),
        }
    }

    /// Opens all items, or says of each that did not open why.
    pub(crate) async fn open(&self, opening: Opening, items: Vec<Item>) -> Result<Values, Problem> {
        let opening = Arc::new(opening);
        let mut tasks = JoinSet::new();
        for item in items {
            let (this, opening) = (self.clone(), Arc::clone(&opening));
            tasks.spawn(async move { this.open_one(opening, item).await });
        }
        let mut values = Values::default();
        let mut unopened = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok((item, Ok(opened))) => {
                    let written = WrittenItem {
                        key: opened.key.to_string(),
                        digest: item.digest,
                    };
                    values.items.insert(item.name.clone(), written);
                    values.plaintexts.insert(item.name, opened.plaintext);
                }
                Ok((item, Err(error))) => unopened.push((item, error)),
                // A panic in the cipher, or the runtime is ending. Either way nothing was opened.
                Err(_) => return Err(Problem::Interrupted),
            }
        }
        if unopened.is_empty() {
            return Ok(values);
        }
        unopened.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
        Err(Problem::Items(self.diagnose(&opening, unopened).await))
    }

    /// Runs work that needs a core for a while where it may.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        result.await.ok()
    }

    async fn open_one(
        &self,
        opening: Arc<Opening>,
        item: Item,
    ) -> (Item, Result<Opened, OpenError>) {
        let hint = opening
            .hints
            .get(&item.name)
            .and_then(|hint| hint.key)
            .or_else(|| self.last_good());
        let result = self
            .run(move || {
                let result = opening
                    .keys
                    .open(&item.bytes, &opening.label, hint.as_ref());
                (item, result)
            })
            .await;
        let Some((item, result)) = result else {
            let nothing = Item {
                name: String::new(),
                bytes: Vec::new(),
                digest: String::new(),
            };
            return (nothing, Err(OpenError::NoKeys));
        };
        self.count(&result);
        (item, result)
    }

    fn count(&self, result: &Result<Opened, OpenError>) {
        let attempts = match result {
            Ok(opened) => {
                self.remember(opened.key);
                opened.attempts
            }
            Err(OpenError::NoKeyOpens { attempts }) => *attempts,
            Err(_) => 0,
        };
        self.operations.inc_by(attempts as u64);
    }

    async fn diagnose(
        &self,
        opening: &Arc<Opening>,
        unopened: Vec<(Item, OpenError)>,
    ) -> Vec<ItemProblem> {
        let mut problems = Vec::with_capacity(unopened.len());
        for (position, (item, error)) in unopened.into_iter().enumerate() {
            let name = item.name.clone();
            let hint = opening.hints.get(&name).cloned().unwrap_or_default();
            let why = match error {
                OpenError::NoKeyOpens { .. } if position < DIAGNOSED => {
                    self.why_not(opening, item, &hint).await
                }
                OpenError::NoKeyOpens { .. } => from_record(&opening.keys, &hint),
                other => WhyNot::Malformed(other),
            };
            problems.push(ItemProblem { name, why });
        }
        problems
    }

    async fn why_not(&self, opening: &Arc<Opening>, item: Item, hint: &Hint) -> WhyNot {
        let (said, trying) = (opening.scope, Arc::clone(opening));
        let sealed = self.run(move || {
            let place = &trying.place;
            trying
                .keys
                .scope_that_opens(&item.bytes, said, &place.namespace, &place.name)
        });
        self.operations.inc_by(2 * opening.keys.len() as u64);
        match sealed.await.flatten() {
            Some(sealed) => WhyNot::OtherScope { sealed, said },
            None => from_record(&opening.keys, hint),
        }
    }

    fn last_good(&self) -> Option<Fingerprint> {
        *self
            .last_good
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn remember(&self, key: Fingerprint) {
        *self
            .last_good
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(key);
    }
}

/// What the record lets us guess about an item that nothing opens.
fn from_record(keys: &Keyring, hint: &Hint) -> WhyNot {
    match hint {
        Hint { key: Some(key), .. } if keys.find(key).is_none() => {
            WhyNot::OtherKey(key.to_string())
        }
        Hint {
            for_this_label: Some(false),
            ..
        } => WhyNot::OtherPlace,
        _ => WhyNot::Unknown,
    }
}
