//! Go's `text/template` with the sprig functions, as the two incumbents offer it, bounded.
//!
//! A [`Template`] is parsed once and rendered with the values of one object. It sees nothing else:
//! no environment, no files, no network, no other object. What it may cost is in [`Limits`]: every
//! function counts what it makes before it makes it, so a template can fail but cannot take the
//! process with it.
//!
//! ```text
//! syntax (source -> tree) -> run (tree + values -> bytes) -> functions (one file per subject)
//!                               \-> print (Go's fmt), value (Go's types)
//! ```
//!
//! What it does not do: decide in which order results take precedence, or where they go. That is for
//! the crates that use it. The one set of templates that two of them render, a SealedSecret's, is in
//! [`render_items`].
//!
//! Invariants:
//! - strings are bytes, as in Go: a keystore passes through unharmed;
//! - no value reaches an error message, which may end in a status that more people can read;
//! - a value holds no cycle, whatever `set` and `merge` are asked to do;
//! - `golden/functions.json` has a row for every function of both incumbents.
//!
//! A template that uses a random or dated function (`randAlphaNum`, `now`, `genCA`...) gives another
//! value at every render, as it does with the incumbents.

mod error;
mod expression;
mod functions;
mod items;
mod limits;
mod print;
mod run;
mod syntax;
mod template;
mod value;

pub use error::TemplateError;
pub use expression::{Expression, LONGEST_REPLACEMENT};
pub use functions::{Dialect, Yaml};
pub use items::{ItemError, render_items};
pub use limits::{Exceeded, Limits};
pub use syntax::Delimiters;
pub use template::{Template, Values};
