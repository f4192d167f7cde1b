//! `semver` and `semverCompare` (`Masterminds/semver` 3.4).

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;

use regex::{Captures, Regex};

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

fn group<'t>(captures: &Captures<'t>, at: usize) -> &'t str {
    captures.get(at).map_or("", |group| group.as_str())
}

fn compare_prereleases(left: &str, right: &str) -> Ordering {
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

/// Alternatives, each a list of conditions that must all hold.
struct Constraints(Vec<Alternative>);

struct Alternative {
    conditions: Vec<Condition>,
    /// One of the conditions names a prerelease, so prereleases are looked at.
    prereleases: bool,
}

struct Condition {
    operator: String,
    version: Version,
    /// Something is left out or `x`: any part, the minor, the patch.
    open: bool,
    open_minor: bool,
    open_patch: bool,
}

impl Constraints {
    /// `NewConstraint`.
    fn parse(call: &Call<'_>, text: &str) -> Result<Self, Failure> {
        let improper = || Failure::new("improper constraint");
        let patterns = PATTERNS.as_ref().ok_or_else(improper)?;
        let text = patterns.range.replace_all(text, |parts: &Captures<'_>| {
            format!(">= {}, <= {} ", group(parts, 1), group(parts, 11))
        });
        let mut alternatives = Vec::new();
        for part in text.split("||") {
            call.budget.step(20 + part.len() as u64)?;
            if !patterns.valid.is_match(part) {
                return Err(improper());
            }
            let mut conditions = Vec::new();
            for found in patterns.find.find_iter(part) {
                conditions.push(Condition::parse(&patterns.one, found.as_str())?);
            }
            let prereleases = conditions
                .iter()
                .any(|condition| !condition.version.prerelease.is_empty());
            alternatives.push(Alternative {
                conditions,
                prereleases,
            });
        }
        Ok(Self(alternatives))
    }

    fn allow(&self, version: &Version) -> bool {
        self.0.iter().any(|alternative| {
            alternative
                .conditions
                .iter()
                .all(|condition| condition.allows(version, alternative.prereleases))
        })
    }
}

impl Condition {
    fn parse(pattern: &Regex, text: &str) -> Result<Self, Failure> {
        let parts = pattern
            .captures(text)
            .ok_or_else(|| Failure::new("improper constraint"))?;
        let open = |at: usize| {
            matches!(
                group(&parts, at).trim_start_matches('.'),
                "" | "x" | "X" | "*"
            )
        };
        let (major, minor, prerelease) = (group(&parts, 3), group(&parts, 4), group(&parts, 6));
        let (version, any, open_minor, open_patch) = if open(3) {
            (format!("0.0.0{prerelease}"), true, false, false)
        } else if open(4) {
            (format!("{major}.0.0{prerelease}"), true, true, false)
        } else if open(5) {
            (format!("{major}{minor}.0{prerelease}"), true, false, true)
        } else {
            (group(&parts, 2).to_owned(), false, false, false)
        };
        Ok(Self {
            operator: group(&parts, 1).to_owned(),
            version: Version::parse(&version)
                .map_err(|_| Failure::new("constraint parser error"))?,
            open: any,
            open_minor,
            open_patch,
        })
    }

    fn allows(&self, version: &Version, prereleases: bool) -> bool {
        if !version.prerelease.is_empty() && !prereleases {
            return false;
        }
        let order = version.compare(&self.version);
        match self.operator.as_str() {
            "" | "=" if self.open => self.tilde(version, order),
            "" | "=" => order == Ordering::Equal,
            "!=" => self.differs(version, order),
            ">" => self.is_less_than(version, order),
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" => self.is_at_least(version, order),
            "~" | "~>" => self.tilde(version, order),
            _ => self.caret(version, order),
        }
    }

    fn differs(&self, version: &Version, order: Ordering) -> bool {
        if self.open {
            if self.version.major != version.major {
                return true;
            }
            if self.version.minor != version.minor && !self.open_minor {
                return true;
            } else if self.open_minor {
                return false;
            } else if self.version.patch != version.patch && !self.open_patch {
                return true;
            } else if self.open_patch {
                return self.prerelease_differs(version);
            }
        }
        order != Ordering::Equal
    }

    fn prerelease_differs(&self, version: &Version) -> bool {
        compare_prereleases(&version.prerelease, &self.version.prerelease) != Ordering::Equal
            && !(version.prerelease.is_empty() && self.version.prerelease.is_empty())
    }

    fn is_less_than(&self, version: &Version, order: Ordering) -> bool {
        if self.open {
            if version.major != self.version.major {
                return version.major > self.version.major;
            }
            if self.open_minor {
                return false;
            }
            if self.open_patch {
                return version.minor > self.version.minor;
            }
        }
        order == Ordering::Greater
    }

    fn is_at_least(&self, version: &Version, order: Ordering) -> bool {
        if !self.open {
            return order != Ordering::Greater;
        }
        !(version.major > self.version.major
            || version.major == self.version.major
                && version.minor > self.version.minor
                && !self.open_minor)
    }

    fn tilde(&self, version: &Version, order: Ordering) -> bool {
        let own = &self.version;
        if order == Ordering::Less {
            return false;
        }
        let zero = own.major == 0 && own.minor == 0 && own.patch == 0;
        if zero && !self.open_minor && !self.open_patch {
            return true;
        }
        version.major == own.major && (version.minor == own.minor || self.open_minor)
    }

    fn caret(&self, version: &Version, order: Ordering) -> bool {
        let own = &self.version;
        if order == Ordering::Less {
            return false;
        }
        if own.major > 0 || self.open_minor {
            return version.major == own.major;
        }
        if version.major > 0 {
            return false;
        }
        if own.minor > 0 || self.open_patch {
            return version.minor == own.minor;
        }
        version.minor == 0 && own.patch == version.patch
    }
}

const VERSION_PARTS: &str = concat!(
    r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?",
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?",
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
);

const CONSTRAINT_PARTS: &str = concat!(
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?",
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?",
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
);

const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

static VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("^{VERSION_PARTS}$")).ok());

struct Patterns {
    one: Regex,
    range: Regex,
    find: Regex,
    valid: Regex,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let (ops, parts) = (OPERATORS, CONSTRAINT_PARTS);
    Some(Patterns {
        one: Regex::new(&format!(r"^\s*({ops})\s*({parts})\s*$")).ok()?,
        range: Regex::new(&format!(r"\s*({parts})\s+-\s+({parts})\s*")).ok()?,
        find: Regex::new(&format!(r"({ops})\s*({parts})")).ok()?,
        valid: Regex::new(&format!(
            r"^(\s*({ops})\s*({parts})\s*)((?:\s+|,\s*)({ops})\s*({parts})\s*)*$"
        ))
        .ok()?,
    })
});
