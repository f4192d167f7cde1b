//! Go's package fmt, as far as templates show it.

mod float;
mod format;
mod numbers;
mod plain;
mod quote;
mod sink;
mod verbs;

pub(crate) use float::{Digits, exponential, fixed, general, shortest};
pub(crate) use format::sprintf;
pub(crate) use plain::{MONTHS, WEEKDAYS, plain, sprint, sprintln, text_of};
pub(crate) use quote::{is_printable, quoted, quoted_ascii};
pub(crate) use sink::Sink;
