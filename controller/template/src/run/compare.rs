//! `eq`, `lt` and the others.

use std::cmp::Ordering;

use super::Failure;
use crate::limits::Budget;
use crate::value::{Value, deep_equal};

/// A basic kind with its content: Go compares an `int` with an `int64`, and even with a `uint8`.
enum Basic<'v> {
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(&'v [u8]),
    Other,
}

fn basic(value: &Value) -> Basic<'_> {
    match value {
        Value::Bool(value) => Basic::Bool(*value),
        Value::Int(n) | Value::Int64(n) | Value::Named(_, n) => Basic::Integer(i128::from(*n)),
        Value::Uint8(n) => Basic::Integer(i128::from(*n)),
        Value::Uint64(n) => Basic::Integer(i128::from(*n)),
        Value::Float(n) => Basic::Float(*n),
        Value::String(text) => Basic::String(text.bytes()),
        _ => Basic::Other,
    }
}

/// `eq first second`.
pub(super) fn equal(first: &Value, second: &Value, budget: &Budget) -> Result<bool, Failure> {
    Ok(match (basic(first), basic(second)) {
        (Basic::Bool(a), Basic::Bool(b)) => a == b,
        (Basic::Integer(a), Basic::Integer(b)) => a == b,
        (Basic::Float(a), Basic::Float(b)) => a == b,
        (Basic::String(a), Basic::String(b)) => a == b,
        (Basic::Other, Basic::Other) => return equal_others(first, second, budget),
        _ if first.is_nil() || second.is_nil() => false,
        _ => return Err(incompatible(first, second)),
    })
}

fn equal_others(first: &Value, second: &Value, budget: &Budget) -> Result<bool, Failure> {
    if first.is_nil() || second.is_nil() {
        let absent = |value: &Value| match value {
            Value::List(list) => list.nil,
            other => other.is_nil(),
        };
        return Ok(absent(first) == absent(second));
    }
    if first.kind() != second.kind() {
        return Err(Failure::new("non-comparable types"));
    }
    match second {
        Value::List(_) | Value::Map(_) => Err(Failure::new(format!(
            "non-comparable type {}",
            second.type_name()
        ))),
        // Two pointers are equal if they are one; versions that are parsed apart never are.
        Value::Version(second) => {
            Ok(matches!(first, Value::Version(first) if std::rc::Rc::ptr_eq(first, second)))
        }
        _ => deep_equal(first, second, budget),
    }
}

/// `lt first second`.
pub(super) fn less(first: &Value, second: &Value) -> Result<bool, Failure> {
    let order = match (basic(first), basic(second)) {
        (Basic::Integer(a), Basic::Integer(b)) => Some(a.cmp(&b)),
        (Basic::Float(a), Basic::Float(b)) => a.partial_cmp(&b),
        (Basic::String(a), Basic::String(b)) => Some(a.cmp(b)),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Other, _) | (_, Basic::Other) => {
            return Err(Failure::new("invalid type for comparison"));
        }
        _ => return Err(incompatible(first, second)),
    };
    Ok(order == Some(Ordering::Less))
}

fn incompatible(first: &Value, second: &Value) -> Failure {
    Failure::new(format!(
        "incompatible types for comparison: {} and {}",
        first.type_name(),
        second.type_name()
    ))
}
