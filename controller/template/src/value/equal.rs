//! `reflect.DeepEqual`.

use super::{List, Map, Value};
use crate::limits::Budget;
use crate::run::Failure;

/// How deep values are followed when they are compared, copied or printed.
pub(crate) const MAXIMUM_DEPTH: usize = 100;

/// Whether two values have the same type and content.
pub(crate) fn deep_equal(left: &Value, right: &Value, budget: &Budget) -> Result<bool, Failure> {
    equal_at(left, right, budget, 0)
}

fn equal_at(left: &Value, right: &Value, budget: &Budget, depth: usize) -> Result<bool, Failure> {
    budget.step(1)?;
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep"));
    }
    Ok(match (left, right) {
        (Value::Missing | Value::Nil, Value::Missing | Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Uint8(a), Value::Uint8(b)) => a == b,
        (Value::Uint64(a), Value::Uint64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) => {
            budget.step(a.len() as u64 / 64)?;
            a == b
        }
        (Value::List(a), Value::List(b)) => lists_equal(a, b, budget, depth)?,
        (Value::Map(a), Value::Map(b)) => maps_equal(a, b, budget, depth)?,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Named(n, a), Value::Named(m, b)) => n == m && a == b,
        (Value::Certificate(a), Value::Certificate(b)) => a == b,
        (Value::Version(a), Value::Version(b)) => a == b,
        _ => false,
    })
}

fn lists_equal(a: &List, b: &List, budget: &Budget, depth: usize) -> Result<bool, Failure> {
    if a.element != b.element || a.nil != b.nil || a.len() != b.len() {
        return Ok(false);
    }
    for (left, right) in a.items().iter().zip(b.items()) {
        if !equal_at(left, right, budget, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(a: &Map, b: &Map, budget: &Budget, depth: usize) -> Result<bool, Failure> {
    if a.element != b.element || a.len() != b.len() {
        return Ok(false);
    }
    if a.same(b) {
        return Ok(true);
    }
    for (key, left) in a.entries().iter() {
        let Some(right) = b.get(key.bytes()) else {
            return Ok(false);
        };
        if !equal_at(left, &right, budget, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}
