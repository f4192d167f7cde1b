//! The functions, one file per subject, and who has which.

mod constraint;
mod crypto;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod function;
mod hashes;
mod json;
mod json_read;
mod json_write;
mod layout;
mod layout_read;
mod lists;
mod merge;
mod methods;
mod notation;
mod numbers;
mod paths;
pub(crate) mod pattern;
mod pieces;
mod random;
mod regexes;
mod semver;
mod strings;
mod time;
mod url;
mod urls;
mod words;
mod wrap;
mod yaml;

pub(crate) use function::{Call, Function, Incumbent, Lookup, Type, function, names};
pub(crate) use methods::methods;
pub(crate) use semver::Version;
pub(crate) use time::{Time, duration_text};

pub use function::Dialect;
pub use yaml::Yaml;
