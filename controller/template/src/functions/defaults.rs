//! `default` and its kin, types, and `fail` (`defaults.go`, `reflect.go`).

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{Value, deep_equal};

use Type::{Any, Bool, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("default", &[Any], Some(Any), |_, a| {
        Ok(a.get(1)
            .filter(|given| !is_empty(given))
            .unwrap_or(&a[0])
            .clone())
    }),
    function("empty", &[Any], None, |_, a| {
        Ok(Value::Bool(is_empty(&a[0])))
    }),
    function("coalesce", &[], Some(Any), |_, a| {
        Ok(a.iter()
            .find(|value| !is_empty(value))
            .cloned()
            .unwrap_or(Value::Nil))
    }),
    function("all", &[], Some(Any), |_, a| {
        Ok(Value::Bool(!a.iter().any(is_empty)))
    }),
    function("any", &[], Some(Any), |_, a| {
        Ok(Value::Bool(!a.iter().all(is_empty)))
    }),
    function("ternary", &[Any, Any, Bool], None, |_, a| {
        Ok(a[usize::from(!matches!(a[2], Value::Bool(true)))].clone())
    }),
    function("fail", &[Str], None, |call, a| {
        Err(Failure::Message(call.string(a, 0)?.clone()))
    }),
    function("typeOf", &[Any], None, |_, a| {
        Ok(Value::text(a[0].type_name()))
    }),
    function("typeIs", &[Str, Any], None, |call, a| {
        Ok(Value::Bool(
            call.string(a, 0)?.bytes() == a[1].type_name().as_bytes(),
        ))
    }),
    function("typeIsLike", &[Str, Any], None, |call, a| {
        let (wanted, name) = (call.string(a, 0)?, a[1].type_name().as_bytes());
        let pointer = name
            .strip_prefix(b"*")
            .is_some_and(|pointed| pointed == wanted.bytes());
        Ok(Value::Bool(wanted.bytes() == name || pointer))
    }),
    function("kindOf", &[Any], None, |_, a| Ok(Value::text(a[0].kind()))),
    function(
        "kindIs",
        &[Str, Any],
        None,
        |call: &Call<'_>, a: &[Value]| {
            Ok(Value::Bool(
                call.string(a, 0)?.bytes() == a[1].kind().as_bytes(),
            ))
        },
    ),
    function("deepEqual", &[Any, Any], None, |call, a| {
        Ok(Value::Bool(deep_equal(&a[0], &a[1], call.budget)?))
    }),
];

/// sprig's `empty`: the zero value of its type; a struct never is.
pub(super) fn is_empty(value: &Value) -> bool {
    !value.truth()
}
