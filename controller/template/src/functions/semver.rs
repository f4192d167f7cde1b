//! `semver` and `semverCompare` (`Masterminds/semver` 3.4).

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::constraint::Constraints;
use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{Text, Value};

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("semver", &[Str], None, |call, a| {
        Ok(Value::Version(Rc::new(Version::parse(text(call, a, 0)?)?)))
    }),
    function("semverCompare", &[Str, Str], None, |call, a| {
        let constraints = Constraints::parse(call, text(call, a, 0)?)?;
        Ok(Value::Bool(
            constraints.allow(&Version::parse(text(call, a, 1)?)?),
        ))
    }),
];

fn text<'v>(call: &Call<'_>, a: &'v [Value], at: usize) -> Result<&'v str, Failure> {
    let text = call.string(a, at)?.bytes();
    call.budget.step(10 + text.len() as u64)?;
    if text.len() > 1024 {
        return Err(Failure::new(
            "a version or constraint may have 1024 bytes at most",
        ));
    }
    std::str::from_utf8(text).map_err(|_| Failure::new("invalid semantic version"))
}

/// A semantic version.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    pub(crate) prerelease: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Version {
    /// `coerceNewVersion`: minor and patch may be missing, a `v` may stand before.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = || Failure::new("invalid semantic version");
        let pattern = VERSION.as_ref().ok_or_else(invalid)?;
        let parts = pattern.captures(text).ok_or_else(invalid)?;
        let number = |at: usize| match group(&parts, at).trim_start_matches('.') {
            "" => Ok(0),
            digits => digits
                .parse()
                .map_err(|_| Failure::new("error parsing version segment")),
        };
        let version = Self {
            major: number(1)?,
            minor: number(2)?,
            patch: number(3)?,
            prerelease: group(&parts, 5).to_owned(),
            metadata: group(&parts, 8).to_owned(),
            original: text.to_owned(),
        };
        let leading_zero = |part: &str| {
            part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
        };
        if version.prerelease.split('.').any(leading_zero) {
            return Err(Failure::new("version segment starts with 0"));
        }
        Ok(version)
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.major
            .cmp(&other.major)
            .then(self.minor.cmp(&other.minor))
            .then(self.patch.cmp(&other.patch))
            .then_with(
                || match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                    (true, true) => Ordering::Equal,
                    (true, false) => Ordering::Greater,
                    (false, true) => Ordering::Less,
                    (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
                },
            )
    }

    /// The next major, minor or patch version (`IncMajor`, `IncMinor`, `IncPatch`).
    pub(crate) fn next(&self, place: Place) -> Self {
        let (major, minor, patch) = match place {
            Place::Major => (self.major.wrapping_add(1), 0, 0),
            Place::Minor => (self.major, self.minor.wrapping_add(1), 0),
            Place::Patch if !self.prerelease.is_empty() => (self.major, self.minor, self.patch),
            Place::Patch => (self.major, self.minor, self.patch.wrapping_add(1)),
        };
        let prefix = if self.original.starts_with('v') {
            "v"
        } else {
            ""
        };
        let original = format!("{prefix}{major}.{minor}.{patch}");
        Self {
            major,
            minor,
            patch,
            prerelease: String::new(),
            metadata: String::new(),
            original,
        }
    }

    pub(crate) fn part(&self, text: &str) -> Value {
        Value::String(Text::from(text))
    }
}

/// A number of a version.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Major,
    Minor,
    Patch,
}

pub(super) fn group<'t>(captures: &Captures<'t>, at: usize) -> &'t str {
    captures.get(at).map_or("", |group| group.as_str())
}

pub(super) fn compare_prereleases(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

const VERSION_PARTS: &str = concat!(
    r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?",
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?",
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
);

static VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^{VERSION_PARTS}$")).ok());
