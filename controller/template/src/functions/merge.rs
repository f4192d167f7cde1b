//! `merge` and `mergeOverwrite`, as `mergo` does it: the first dict is changed and returned.

use super::defaults::is_empty;
use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{MAXIMUM_DEPTH, Map, MapElement, Value};

use Type::Dict;

pub(super) const FUNCTIONS: &[Function] = &[
    function("merge", &[Dict], Some(Dict), |call, a| {
        merged(call, a, Mode::FillGaps)
    }),
    function("mustMerge", &[Dict], Some(Dict), |call, a| {
        merged(call, a, Mode::FillGaps)
    }),
    function("mergeOverwrite", &[Dict], Some(Dict), |call, a| {
        merged(call, a, Mode::Overwrite)
    }),
    function("mustMergeOverwrite", &[Dict], Some(Dict), |call, a| {
        merged(call, a, Mode::Overwrite)
    }),
];

/// Which side wins where both have a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The destination, unless it is empty.
    FillGaps,
    /// The source.
    Overwrite,
}

fn merged(call: &Call<'_>, a: &[Value], mode: Mode) -> Result<Value, Failure> {
    let to = call.dict(a, 0)?;
    for at in 1..a.len() {
        into(call, &to, &call.dict(a, at)?, mode, 0)?;
    }
    Ok(Value::Map(to))
}

/// `deepMerge` of mergo for maps.
fn into(call: &Call<'_>, to: &Map, from: &Map, mode: Mode, depth: usize) -> Result<(), Failure> {
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the dicts are nested too deep"));
    }
    let entries: Vec<_> = from
        .entries()
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    call.budget
        .allocate_many(entries.len(), crate::value::ENTRY_BYTES)?;
    let nothing_there = to.len() == 0;
    for (key, source) in entries {
        if source.is_nil() {
            if mode == Mode::Overwrite {
                put(call, to, key, Value::Nil)?;
            }
            continue;
        }
        let there = to.get(key.bytes());
        if let (Value::Map(source), Some(Value::Map(there))) = (&source, &there) {
            into(call, there, source, mode, depth + 1)?;
        }
        let is_list = matches!(source, Value::List(_));
        if is_list && (mode == Mode::Overwrite || nothing_there) {
            put(call, to, key.clone(), source.clone())?;
        }
        if let Some(there) = there.as_ref().filter(|there| !is_empty(there)) {
            let both_maps = matches!((&source, there), (Value::Map(_), Value::Map(_)));
            if is_list || both_maps || mode == Mode::FillGaps {
                continue;
            }
        }
        put(call, to, key, source)?;
    }
    Ok(())
}

fn put(call: &Call<'_>, map: &Map, key: crate::value::Text, value: Value) -> Result<(), Failure> {
    if map.element == MapElement::String && !matches!(value, Value::String(_)) {
        let got = value.type_name();
        return Err(Failure::new(format!(
            "a {got} cannot be put into a map[string]string"
        )));
    }
    map.insert(key, value, call.budget)
}
