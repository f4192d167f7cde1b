//! What `semverCompare` compares with: `>=1.2, <2 || ^3.1` (`constraints.go` of Masterminds/semver).

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Call;
use super::semver::{Version, compare_prereleases, group};
use crate::run::Failure;

/// Alternatives, each a list of conditions that must all hold.
pub(super) struct Constraints(Vec<Alternative>);

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
    pub(super) fn parse(call: &Call<'_>, text: &str) -> Result<Self, Failure> {
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

    pub(super) fn allow(&self, version: &Version) -> bool {
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

const CONSTRAINT_PARTS: &str = concat!(
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?",
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?",
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
);

const OPERATORS: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";

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
