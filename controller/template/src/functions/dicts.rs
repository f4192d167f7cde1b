//! sprig's dicts (`dict.go`). `set` and `unset` change the dict they are given.
//!
//! Where Go visits a map in random order (`keys`, `values`), here it is the order of the keys.

use std::collections::BTreeMap;

use super::{Call, Function, Type, function};
use crate::print::text_of;
use crate::run::Failure;
use crate::value::{ENTRY_BYTES, List, MAXIMUM_DEPTH, Map, Text, Value};

use Type::{Any, Dict, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("dict", &[], Some(Any), |call, a| {
        let entries = BTreeMap::new();
        call.budget.allocate_many(a.len(), ENTRY_BYTES)?;
        let mut entries: BTreeMap<Text, Value> = entries;
        for pair in a.chunks(2) {
            let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
            entries.insert(text_of(&pair[0], call.budget)?, present(value));
        }
        Ok(Value::Map(Map::any(entries)))
    }),
    function("get", &[Dict, Str], None, |call, a| {
        let found = call.dict(a, 0)?.get(call.string(a, 1)?.bytes());
        Ok(found.unwrap_or_else(|| Value::text("")))
    }),
    function("set", &[Dict, Str, Any], None, |call, a| {
        if a[0].is_nil() {
            return Err(Failure::new("assignment to entry in nil map"));
        }
        let key = call.string(a, 1)?.clone();
        call.dict(a, 0)?
            .insert(key, present(a[2].clone()), call.budget)?;
        Ok(a[0].clone())
    }),
    function("unset", &[Dict, Str], None, |call, a| {
        call.dict(a, 0)?.remove(call.string(a, 1)?.bytes());
        Ok(a[0].clone())
    }),
    function("hasKey", &[Dict, Str], None, |call, a| {
        Ok(Value::Bool(
            call.dict(a, 0)?.get(call.string(a, 1)?.bytes()).is_some(),
        ))
    }),
    function("pluck", &[Str], Some(Dict), |call, a| {
        let key = call.string(a, 0)?;
        let mut found = Vec::new();
        for at in 1..a.len() {
            found.extend(call.dict(a, at)?.get(key.bytes()));
        }
        call.made_list(found)
    }),
    function("keys", &[], Some(Dict), |call, a| {
        let mut keys = Vec::new();
        for at in 0..a.len() {
            keys.extend(call.dict(a, at)?.entries().keys().cloned());
        }
        call.made_strings(keys)
    }),
    function("values", &[Dict], None, |call, a| {
        let values = call.dict(a, 0)?.entries().values().cloned().collect();
        call.made_list(values)
    }),
    function("pick", &[Dict], Some(Str), |call, a| {
        filtered(call, a, true)
    }),
    function("omit", &[Dict], Some(Str), |call, a| {
        filtered(call, a, false)
    }),
    function("dig", &[], Some(Any), dig),
    function("deepCopy", &[Any], None, |call, a| copied(call, &a[0], 0)),
    function("mustDeepCopy", &[Any], None, |call, a| {
        copied(call, &a[0], 0)
    }),
];

/// In a map there is an interface that holds nothing, never a missing value.
fn present(value: Value) -> Value {
    if value.is_nil() { Value::Nil } else { value }
}

fn filtered(call: &Call<'_>, a: &[Value], wanted: bool) -> Result<Value, Failure> {
    let dict = call.dict(a, 0)?;
    let mut names = std::collections::BTreeSet::new();
    for at in 1..a.len() {
        names.insert(call.string(a, at)?.clone());
    }
    let entries = dict.entries();
    call.budget.allocate_many(entries.len(), ENTRY_BYTES)?;
    let kept = entries
        .iter()
        .filter(|(key, _)| names.contains(*key) == wanted);
    Ok(Value::Map(Map::any(
        kept.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )))
}

/// `dig "a" "b" "default" dict`.
fn dig(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let [names @ .., default, dict] = a else {
        return Err(Failure::new("dig needs at least three arguments"));
    };
    if names.is_empty() {
        return Err(Failure::new("dig needs at least three arguments"));
    }
    let mut value = dict.clone();
    for (at, _) in names.iter().enumerate() {
        let name = call.string(names, at)?;
        let Value::Map(map) = &value else {
            return Err(Failure::new(format!(
                "there is a {} where a dict is to be dug",
                value.type_name()
            )));
        };
        if map.element != crate::value::MapElement::Any {
            return Err(Failure::new(format!(
                "there is a {} where a dict is to be dug",
                value.type_name()
            )));
        }
        let Some(found) = map.get(name.bytes()) else {
            return Ok(default.clone());
        };
        value = found;
    }
    Ok(value)
}

/// A copy that shares no dict or list with the original.
pub(super) fn copied(call: &Call<'_>, value: &Value, depth: usize) -> Result<Value, Failure> {
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep to be copied"));
    }
    match value {
        Value::Missing | Value::Nil if depth == 0 => Err(Failure::new("there is nothing to copy")),
        Value::List(list) if list.nil => Ok(value.clone()),
        Value::List(list) => {
            call.budget.allocate_many(list.len(), ENTRY_BYTES)?;
            let items: Result<Vec<_>, _> = list
                .items()
                .iter()
                .map(|item| copied(call, item, depth + 1))
                .collect();
            Ok(Value::List(List::new(list.element, items?)))
        }
        Value::Map(map) => {
            call.budget.allocate_many(map.len(), ENTRY_BYTES)?;
            let entries: Result<BTreeMap<_, _>, Failure> = map
                .entries()
                .iter()
                .map(|(key, item)| Ok((key.clone(), copied(call, item, depth + 1)?)))
                .collect();
            Ok(Value::Map(Map::new(map.element, entries?)))
        }
        other => Ok(other.clone()),
    }
}
