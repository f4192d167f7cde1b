//! Versions in the names of tags, and the ranges that `spec.ref.semver` asks for.
//!
//! The ranges are those of Masterminds' semver, which Flux uses; they differ from Cargo's and npm's. All corners are in
//! `vectors/versions.json`, made by that library.

use std::{cmp::Ordering, fmt};

/// A version of three numbers. Build metadata does not count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    numbers: [u64; 3],
    /// Empty for a release.
    prerelease: Vec<Identifier>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Identifier {
    /// Less than any text.
    Number(u64),
    Text(String),
}

/// Versions, in the words of Masterminds' semver: `>=1.2 <2.0 || ^3.1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionRange {
    text: String,
    /// One of them has to hold, each with all of its bounds.
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Bound {
    operator: Operator,
    /// With zeros for what is left open.
    version: Version,
    open: Open,
}

/// From which number on a bound is left open: `1.x` from the minor one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Open {
    Nothing,
    Patch,
    Minor,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operator {
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

impl Version {
    /// The version that a tag names, with three numbers and perhaps a leading `v` (fluxcd/pkg version/version.go,
    /// `ParseVersion`).
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let text = tag.strip_prefix('v').unwrap_or(tag);
        let (text, build) = text
            .split_once('+')
            .map_or((text, None), |(text, build)| (text, Some(build)));
        let (text, prerelease) = text
            .split_once('-')
            .map_or((text, ""), |(text, prerelease)| (text, prerelease));
        let mut parts = text.split('.');
        let mut number = || {
            let part = parts.next()?;
            let fits = !part.is_empty()
                && (part == "0" || !part.starts_with('0'))
                && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| fits)
        };
        let numbers = [number()?, number()?, number()?];
        let build_fits = build.is_none_or(|build| build.split('.').all(is_identifier));
        if parts.next().is_some() || !build_fits {
            return None;
        }
        let has_prerelease = !prerelease.is_empty() || tag.contains("-+") || tag.ends_with('-');
        let prerelease = if has_prerelease {
            identifiers(prerelease)?
        } else {
            Vec::new()
        };
        Some(Self {
            numbers,
            prerelease,
        })
    }
}

fn identifiers(text: &str) -> Option<Vec<Identifier>> {
    text.split('.')
        .map(|part| {
            let numeric = part.bytes().all(|b| b.is_ascii_digit());
            if !is_identifier(part) || (numeric && part.len() > 1 && part.starts_with('0')) {
                return None;
            }
            Some(
                part.parse()
                    .map_or_else(|_| Identifier::Text(part.to_owned()), Identifier::Number),
            )
        })
        .collect()
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let prerelease = || match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.prerelease.cmp(&other.prerelease),
        };
        self.numbers.cmp(&other.numbers).then_with(prerelease)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

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

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// Bounds with blanks or commas between them.
    fn bounds(mut self) -> Option<Vec<Bound>> {
        let mut bounds = Vec::new();
        self.blanks();
        loop {
            let operator = self.operator();
            self.blanks();
            let bound = self.bound(operator.unwrap_or(Operator::Equal))?;
            let had_blanks = self.blanks();
            if had_blanks && operator.is_none() && self.is_hyphen() {
                self.take("-");
                self.blanks();
                bounds.push(Bound {
                    operator: Operator::GreaterOrEqual,
                    ..bound
                });
                bounds.push(self.bound(Operator::LessOrEqual)?);
            } else {
                bounds.push(bound);
            }
            let had_blanks = self.blanks() || had_blanks;
            if self.rest.is_empty() {
                return Some(bounds);
            }
            if !self.take(",") && !had_blanks {
                return None;
            }
            self.blanks();
        }
    }

    fn is_hyphen(&self) -> bool {
        self.rest
            .strip_prefix('-')
            .is_some_and(|after| after.starts_with(char::is_whitespace))
    }

    fn operator(&mut self) -> Option<Operator> {
        OPERATORS
            .iter()
            .find(|(text, _)| self.take(text))
            .map(|(_, operator)| *operator)
    }

    fn bound(&mut self, operator: Operator) -> Option<Bound> {
        self.take("v");
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || c == ',')
            .unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (text, prerelease) = text
            .split_once('-')
            .map_or((text, None), |(text, prerelease)| (text, Some(prerelease)));
        let mut numbers = [0; 3];
        let mut open = Open::Nothing;
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        for (index, number) in numbers.iter_mut().enumerate() {
            let part = parts.get(index).copied().unwrap_or("x");
            if matches!(part, "x" | "X" | "*") {
                open = if open == Open::Nothing {
                    [Open::All, Open::Minor, Open::Patch][index]
                } else {
                    open
                };
                continue;
            }
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let given: u64 = part.parse().ok()?;
            if open == Open::Nothing {
                *number = given;
            }
        }
        let prerelease = prerelease.map_or(Some(Vec::new()), identifiers)?;
        Some(Bound {
            operator,
            version: Version {
                numbers,
                prerelease,
            },
            open,
        })
    }

    fn blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start();
        self.rest.len() != before
    }

    fn take(&mut self, text: &str) -> bool {
        self.rest
            .strip_prefix(text)
            .map(|rest| self.rest = rest)
            .is_some()
    }
}

/// The longer ones first.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

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
        let made: Made = serde_json::from_str(include_str!("../../vectors/versions.json")).unwrap();
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

    #[test]
    fn tags_are_versions_only_with_three_numbers() {
        for tag in ["1.2.3", "v1.2.3", "v0.0.0-rc.1+build.5", "1.2.3-a-b"] {
            assert!(Version::of_tag(tag).is_some(), "{tag}");
        }
        for tag in [
            "",
            "v",
            "1",
            "1.2",
            "v1.2",
            "1.2.3.4",
            "01.2.3",
            "1.2.x",
            "release-1.2.3",
            "vv1.2.3",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3+",
            "1.2.3-a..b",
        ] {
            assert!(Version::of_tag(tag).is_none(), "{tag}");
        }
    }

    #[test]
    fn versions_are_ordered_as_semver_says() {
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.1.0",
            "2.0.0",
        ];
        let versions: Vec<Version> = ordered
            .iter()
            .map(|text| Version::of_tag(text).unwrap())
            .collect();
        assert!(versions.is_sorted() && versions.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(
            Version::of_tag("1.0.0+a")
                .unwrap()
                .cmp(&Version::of_tag("1.0.0+b").unwrap()),
            Ordering::Equal
        );
    }
}
