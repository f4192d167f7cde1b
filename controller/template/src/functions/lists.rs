//! sprig's lists (`list.go`). A function that would panic there is an error here, as it is in the
//! end there too.

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{ENTRY_BYTES, Element, List, Value, deep_equal};

use Type::{Any, Int};

pub(super) const FUNCTIONS: &[Function] = &[
    function("list", &[], Some(Any), |call, a| call.made_list(a.to_vec())),
    function("tuple", &[], Some(Any), |call, a| {
        call.made_list(a.to_vec())
    }),
    function("append", &[Any, Any], None, append),
    function("push", &[Any, Any], None, append),
    function("mustAppend", &[Any, Any], None, append),
    function("mustPush", &[Any, Any], None, append),
    function("prepend", &[Any, Any], None, prepend),
    function("mustPrepend", &[Any, Any], None, prepend),
    function("first", &[Any], None, |call, a| end(call, a, "first")),
    function("mustFirst", &[Any], None, |call, a| end(call, a, "first")),
    function("last", &[Any], None, |call, a| end(call, a, "last")),
    function("mustLast", &[Any], None, |call, a| end(call, a, "last")),
    function("rest", &[Any], None, |call, a| without_end(call, a, true)),
    function("mustRest", &[Any], None, |call, a| {
        without_end(call, a, true)
    }),
    function("initial", &[Any], None, |call, a| {
        without_end(call, a, false)
    }),
    function("mustInitial", &[Any], None, |call, a| {
        without_end(call, a, false)
    }),
    function("reverse", &[Any], None, reverse),
    function("mustReverse", &[Any], None, reverse),
    function("uniq", &[Any], None, uniq),
    function("mustUniq", &[Any], None, uniq),
    function("without", &[Any], Some(Any), without),
    function("mustWithout", &[Any], Some(Any), without),
    function("has", &[Any, Any], None, has),
    function("mustHas", &[Any, Any], None, has),
    function("slice", &[Any], Some(Any), slice),
    function("mustSlice", &[Any], Some(Any), slice),
    function("chunk", &[Int, Any], None, chunk),
    function("mustChunk", &[Int, Any], None, chunk),
    function("concat", &[], Some(Any), |call, a| {
        let mut all = Vec::new();
        for value in a {
            let items = items(value, "concat")?;
            call.budget.allocate_many(items.len(), ENTRY_BYTES)?;
            all.extend_from_slice(items);
        }
        // Nothing appended to nothing stays nil in Go.
        if all.is_empty() {
            return Ok(Value::List(List::nil(Element::Any)));
        }
        Ok(Value::list(all))
    }),
    function("compact", &[Any], None, compact),
    function("mustCompact", &[Any], None, compact),
];

fn items<'v>(value: &'v Value, purpose: &str) -> Result<&'v [Value], Failure> {
    match value {
        Value::List(list) => Ok(list.items()),
        other => Err(Failure::new(format!(
            "cannot find {purpose} on type {}",
            other.kind()
        ))),
    }
}

fn append(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let mut all = items(&a[0], "push")?.to_vec();
    all.push(a[1].clone());
    call.made_list(all)
}

fn prepend(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let mut all = vec![a[1].clone()];
    all.extend_from_slice(items(&a[0], "prepend")?);
    call.made_list(all)
}

fn end(_: &Call<'_>, a: &[Value], which: &str) -> Result<Value, Failure> {
    let items = items(&a[0], which)?;
    let found = if which == "first" {
        items.first()
    } else {
        items.last()
    };
    Ok(found.cloned().unwrap_or(Value::Nil))
}

fn without_end(call: &Call<'_>, a: &[Value], first: bool) -> Result<Value, Failure> {
    let items = items(&a[0], if first { "rest" } else { "initial" })?;
    let Some(last) = items.len().checked_sub(1) else {
        return Ok(Value::List(List::nil(Element::Any)));
    };
    call.made_list(if first {
        items[1..].to_vec()
    } else {
        items[..last].to_vec()
    })
}

fn reverse(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    call.made_list(items(&a[0], "reverse")?.iter().rev().cloned().collect())
}

fn contains(call: &Call<'_>, items: &[Value], wanted: &Value) -> Result<bool, Failure> {
    for item in items {
        if deep_equal(item, wanted, call.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let mut all: Vec<Value> = Vec::new();
    for item in items(&a[0], "uniq")? {
        if !contains(call, &all, item)? {
            all.push(item.clone());
        }
    }
    call.made_list(all)
}

fn without(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for item in items(&a[0], "without")? {
        if !contains(call, &a[1..], item)? {
            all.push(item.clone());
        }
    }
    call.made_list(all)
}

fn has(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    if a[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(contains(call, items(&a[1], "has")?, &a[0])?))
}

fn slice(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let Value::List(list) = &a[0] else {
        return Err(Failure::new(format!(
            "list should be type of slice or array but {}",
            a[0].kind()
        )));
    };
    if list.len() == 0 {
        return Ok(Value::Nil);
    }
    let bound = |at: usize, default: usize| {
        a.get(at)
            .map_or(Ok(default), |value| usize::try_from(call.integer(value)))
    };
    let out_of_range = || Failure::new("slice index out of bounds");
    let start = bound(1, 0).map_err(|_| out_of_range())?;
    let end = bound(2, list.len()).map_err(|_| out_of_range())?;
    let part = list.items().get(start..end).ok_or_else(out_of_range)?;
    call.budget.allocate_many(part.len(), ENTRY_BYTES)?;
    Ok(Value::List(List::new(list.element, part.to_vec())))
}

fn chunk(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let items = items(&a[1], "chunk")?;
    // Go gives one empty chunk, or none, or dies, for sizes that cut nothing.
    let size = usize::try_from(call.int(a, 0)?)
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(|| Failure::new("a chunk must have a size of at least 1"))?;
    call.budget.allocate_many(items.len(), 2 * ENTRY_BYTES)?;
    let chunks = items
        .chunks(size)
        .map(|chunk| Value::list(chunk.to_vec()))
        .collect();
    Ok(Value::List(List::new(Element::Anys, chunks)))
}

fn compact(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let kept = items(&a[0], "compact")?
        .iter()
        .filter(|item| !super::defaults::is_empty(item));
    call.made_list(kept.cloned().collect())
}
