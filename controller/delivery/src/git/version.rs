//! Versions in the names of tags, and the ranges that `spec.ref.semver` asks for.
//!
//! The ranges are those of Masterminds' semver, which Flux uses; they differ from Cargo's and npm's. All corners are in
//! `vectors/versions.json`, made by that library.

mod parser;
mod range;

use std::cmp::Ordering;

pub use range::{NotARange, VersionRange};

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

#[cfg(test)]
mod tests {
    use super::*;

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
