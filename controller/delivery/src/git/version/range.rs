//! Ranges, and which versions they hold.

use std::{cmp::Ordering, fmt};

use super::{Version, parser::Parser};

/// Versions, in the words of Masterminds' semver: `>=1.2 <2.0 || ^3.1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionRange {
    text: String,
    /// One of them has to hold, each with all of its bounds.
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Bound {
    pub(super) operator: Operator,
    /// With zeros for what is left open.
    pub(super) version: Version,
    pub(super) open: Open,
}

/// From which number on a bound is left open: `1.x` from the minor one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Open {
    Nothing,
    Patch,
    Minor,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operator {
    Caret,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
    Tilde,
}

/// A text that is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a range of versions such as \">=1.2.0 <2.0.0\", \"~1.2\" or \"1.x\"")]
pub struct NotARange;

impl VersionRange {
    /// Reads a range.
    ///
    /// # Errors
    /// [`NotARange`], also for one that is too long.
    pub fn parse(text: &str) -> Result<Self, NotARange> {
        if text.len() > LONGEST_RANGE {
            return Err(NotARange);
        }
        let alternatives: Option<Vec<_>> = text
            .split("||")
            .map(|part| Parser { rest: part }.bounds())
            .collect();
        let alternatives = alternatives
            .filter(|all| all.len() <= MOST_ALTERNATIVES)
            .ok_or(NotARange)?;
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// Whether a version is in it. A prerelease is only where the range speaks of one.
    #[must_use]
    pub fn holds(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|bounds| {
            let speaks_of_prereleases = bounds
                .iter()
                .any(|bound| !bound.version.prerelease.is_empty());
            (version.prerelease.is_empty() || speaks_of_prereleases)
                && bounds.iter().all(|bound| bound.holds(version))
        })
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Bound {
    fn holds(&self, version: &Version) -> bool {
        let [major, minor, patch] = version.numbers;
        let [bound_major, bound_minor, bound_patch] = self.version.numbers;
        let order = version.cmp(&self.version);
        let is_open = self.open != Open::Nothing;
        match self.operator {
            Operator::Equal if is_open => self.is_near(version),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => match self.open {
                Open::Nothing => order != Ordering::Equal,
                _ if major != bound_major => true,
                Open::Minor => false,
                _ if minor != bound_minor => true,
                Open::Patch => version.prerelease != self.version.prerelease,
                _ => patch != bound_patch || order != Ordering::Equal,
            },
            Operator::Greater => match self.open {
                Open::Nothing => order == Ordering::Greater,
                _ if major != bound_major => major > bound_major,
                Open::Minor => false,
                Open::Patch => minor > bound_minor,
                Open::All => order == Ordering::Greater,
            },
            Operator::Less => order == Ordering::Less,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::LessOrEqual if is_open => {
                major < bound_major
                    || (major == bound_major && (minor <= bound_minor || self.open == Open::Minor))
            }
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Tilde => self.is_near(version),
            Operator::Caret => order != Ordering::Less && self.is_compatible(version),
        }
    }

    /// `~1.2.3`: the same major and minor number, as far as they are given.
    fn is_near(&self, version: &Version) -> bool {
        if version < &self.version {
            return false;
        }
        let any = self.version.numbers == [0; 3] && !matches!(self.open, Open::Minor | Open::Patch);
        any || (version.numbers[0] == self.version.numbers[0]
            && (version.numbers[1] == self.version.numbers[1] || self.open == Open::Minor))
    }

    /// `^1.2.3`: the same leftmost number that is not zero.
    fn is_compatible(&self, version: &Version) -> bool {
        let [major, minor, patch] = version.numbers;
        let [bound_major, bound_minor, bound_patch] = self.version.numbers;
        if bound_major > 0 || self.open == Open::Minor {
            major == bound_major
        } else if bound_minor > 0 || self.open == Open::Patch {
            major == 0 && minor == bound_minor
        } else {
            major == 0 && minor == 0 && patch == bound_patch
        }
    }
}

/// As Masterminds' semver.
const LONGEST_RANGE: usize = 512;
const MOST_ALTERNATIVES: usize = 32;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Made {
        versions: Vec<String>,
        ranges: Vec<Ranged>,
    }

    #[derive(Deserialize)]
    struct Ranged {
        range: String,
        failed: bool,
        holds: Vec<String>,
    }

    #[test]
    fn ranges_hold_what_they_hold_for_flux() {
        let made: Made =
            serde_json::from_str(include_str!("../../../vectors/versions.json")).unwrap();
        for Ranged {
            range,
            failed,
            holds,
        } in made.ranges
        {
            let parsed = VersionRange::parse(&range);
            assert_eq!(parsed.is_err(), failed, "{range:?}");
            let Ok(parsed) = parsed else { continue };
            let held = made
                .versions
                .iter()
                .filter(|version| parsed.holds(&Version::of_tag(version).unwrap()));
            assert_eq!(
                held.collect::<Vec<_>>(),
                holds.iter().collect::<Vec<_>>(),
                "{range:?}"
            );
        }
    }
}
