//! Go's slices and maps. Lists never change once made; maps do (`set`, `merge`), and are shared.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::{Text, Value};
use crate::limits::Budget;
use crate::run::Failure;

/// What a slice holds, for `typeOf`, `deepEqual` and the checks of arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Any,
    String,
    Int,
    Anys,
}

/// A Go slice.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) element: Element,
    /// A nil slice prints like an empty one and is `null` in JSON.
    pub(crate) nil: bool,
    items: Rc<Items>,
}

impl List {
    pub(crate) fn new(element: Element, items: Vec<Value>) -> Self {
        Self {
            element,
            nil: false,
            items: Rc::new(Items(items)),
        }
    }

    pub(crate) fn any(items: Vec<Value>) -> Self {
        Self::new(Element::Any, items)
    }

    pub(crate) fn strings(items: Vec<Text>) -> Self {
        Self::new(
            Element::String,
            items.into_iter().map(Value::String).collect(),
        )
    }

    pub(crate) fn nil(element: Element) -> Self {
        Self {
            element,
            nil: true,
            items: Rc::new(Items(Vec::new())),
        }
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.items.0
    }

    pub(crate) fn len(&self) -> usize {
        self.items.0.len()
    }
}

/// What a map holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapElement {
    Any,
    String,
}

/// A Go map with string keys. A clone is the same map.
#[derive(Clone)]
pub(crate) struct Map {
    pub(crate) element: MapElement,
    entries: Rc<RefCell<Entries>>,
}

impl Map {
    pub(crate) fn new(element: MapElement, entries: BTreeMap<Text, Value>) -> Self {
        Self {
            element,
            entries: Rc::new(RefCell::new(Entries(entries))),
        }
    }

    pub(crate) fn any(entries: BTreeMap<Text, Value>) -> Self {
        Self::new(MapElement::Any, entries)
    }

    pub(crate) fn strings(entries: BTreeMap<Text, Text>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)));
        Self::new(MapElement::String, entries.collect())
    }

    pub(crate) fn entries(&self) -> Ref<'_, BTreeMap<Text, Value>> {
        Ref::map(self.entries.borrow(), |entries| &entries.0)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Value> {
        self.entries().get(key).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        let removed = self.entries.borrow_mut().0.remove(key);
        drop(removed);
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entries, &other.entries)
    }

    /// Puts a value in. Go would let a map hold itself and die when it is printed; here that is an
    /// error, so that no value ever has a cycle.
    pub(crate) fn insert(&self, key: Text, value: Value, budget: &Budget) -> Result<(), Failure> {
        if self.reached_from(&value, budget)? {
            return Err(Failure::new("a dict cannot be put into itself"));
        }
        budget.allocate(ENTRY_BYTES)?;
        let replaced = self.entries.borrow_mut().0.insert(key, value);
        drop(replaced);
        Ok(())
    }

    fn reached_from(&self, value: &Value, budget: &Budget) -> Result<bool, Failure> {
        let mut seen = HashSet::new();
        let mut pending = vec![value.clone()];
        while let Some(next) = pending.pop() {
            budget.step(1)?;
            match next {
                Value::Map(map) if map.same(self) => return Ok(true),
                Value::Map(map) if seen.insert(Rc::as_ptr(&map.entries).cast::<()>()) => {
                    pending.extend(map.entries().values().filter(|v| v.is_container()).cloned());
                }
                Value::List(list) if seen.insert(Rc::as_ptr(&list.items).cast::<()>()) => {
                    pending.extend(list.items().iter().filter(|v| v.is_container()).cloned());
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

/// What an entry of a map or list is reckoned to cost, in bytes.
pub(crate) const ENTRY_BYTES: usize = 64;

struct Items(Vec<Value>);

impl Drop for Items {
    fn drop(&mut self) {
        release(std::mem::take(&mut self.0).into_iter());
    }
}

struct Entries(BTreeMap<Text, Value>);

impl Drop for Entries {
    fn drop(&mut self) {
        release(std::mem::take(&mut self.0).into_values());
    }
}

thread_local! {
    static PENDING: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Drops children one after the other and never one inside the other: lists nested a million deep
/// must not exhaust the stack when they go.
fn release(children: impl Iterator<Item = Value>) {
    let containers: Vec<Value> = children.filter(Value::is_container).collect();
    if containers.is_empty() {
        return;
    }
    let mut waiting = Some(containers);
    let outermost = PENDING
        .try_with(
            |pending| match (pending.borrow_mut().as_mut(), waiting.take()) {
                (Some(list), Some(more)) => {
                    list.extend(more);
                    false
                }
                (_, more) => {
                    waiting = more;
                    true
                }
            },
        )
        .unwrap_or(false);
    if !outermost {
        return;
    }
    // The thread-local outlives this loop: a nested drop finds it set and only adds to it.
    let _gone = PENDING.try_with(|pending| {
        *pending.borrow_mut() = waiting.take();
        loop {
            let next = pending.borrow_mut().as_mut().and_then(Vec::pop);
            match next {
                Some(value) => drop(value),
                None => break,
            }
        }
        *pending.borrow_mut() = None;
    });
}
