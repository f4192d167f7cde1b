//! The functions, one file per subject, and who has which.

mod crypto;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod function;
mod hashes;
mod json;
mod json_text;
mod layout;
mod lists;
mod merge;
mod methods;
mod numbers;
mod paths;
mod pattern;
mod random;
mod regexes;
mod semver;
mod strings;
mod time;
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
