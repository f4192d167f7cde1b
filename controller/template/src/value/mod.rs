//! Go's values, as far as a template can meet them.

mod cast;
mod containers;
mod equal;
mod text;
mod types;

pub(crate) use cast::{
    Casting, float_to_int, parse_float, parse_int, parse_magnitude, to_float, to_int,
};
pub(crate) use containers::{ENTRY_BYTES, Element, List, Map, MapElement};
pub(crate) use equal::{MAXIMUM_DEPTH, deep_equal};
pub(crate) use text::{Text, first_rune, is_space, lower, push_rune, runes, title, upper};
pub(crate) use types::{Certificate, Named, Value};
