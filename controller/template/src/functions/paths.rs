//! `base`, `dir`, `clean`, `ext`, `isAbs` (Go's package path; on Linux filepath is the same).

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::Value;

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("base", &[Str], None, |call, a| text(call, a, base)),
    function("dir", &[Str], None, |call, a| text(call, a, dir)),
    function("clean", &[Str], None, |call, a| text(call, a, clean)),
    function("ext", &[Str], None, |call, a| text(call, a, ext)),
    function("isAbs", &[Str], None, is_absolute),
    function("osBase", &[Str], None, |call, a| text(call, a, base)),
    function("osDir", &[Str], None, |call, a| text(call, a, dir)),
    function("osClean", &[Str], None, |call, a| text(call, a, clean)),
    function("osExt", &[Str], None, |call, a| text(call, a, ext)),
    function("osIsAbs", &[Str], None, is_absolute),
];

fn text(call: &Call<'_>, a: &[Value], work: fn(&[u8]) -> Vec<u8>) -> Result<Value, Failure> {
    let path = call.string(a, 0)?.bytes();
    call.budget.allocate(path.len().saturating_mul(4))?;
    call.made(work(path))
}

fn is_absolute(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    Ok(Value::Bool(call.string(a, 0)?.bytes().starts_with(b"/")))
}

fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |at| at + 1);
    let path = &path[..end];
    let start = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    if path.is_empty() {
        b"/".to_vec()
    } else {
        path[start..].to_vec()
    }
}

fn dir(path: &[u8]) -> Vec<u8> {
    let end = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    clean(&path[..end])
}

fn ext(path: &[u8]) -> Vec<u8> {
    let name = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    let dot = path[name..].iter().rposition(|byte| *byte == b'.');
    dot.map(|at| path[name + at..].to_vec()).unwrap_or_default()
}

fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
