//! One version of an object, as far as it matters.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use kube::api::ObjectMeta;

/// One version of an object. Texts are kept as hashes, seeded at random by process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    uid: u64,
    version: Version,
    /// The label `created-by`; zero where there is none.
    created_by: u64,
}

/// A resourceVersion. API servers count; one that does not can only be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Number(u64),
    Text(u64),
}

impl Sighting {
    /// This version of an object of this uid, with this label `created-by`.
    pub(crate) fn new(uid: &str, resource_version: &str, created_by: Option<&str>) -> Self {
        Self {
            uid: hash(uid),
            version: Version::parse(resource_version),
            created_by: created_by.map_or(0, hash),
        }
    }

    /// What the metadata of an object say.
    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        let labels = metadata.labels.as_ref();
        let created_by = labels.and_then(|labels| labels.get(crds::external_secret::CREATED_BY));
        Self::new(
            metadata.uid.as_deref().unwrap_or_default(),
            metadata.resource_version.as_deref().unwrap_or_default(),
            created_by.map(String::as_str),
        )
    }

    /// Whether this is that version of that object.
    pub(crate) fn is(&self, uid: &str, resource_version: &str) -> bool {
        self.uid == hash(uid) && self.version == Version::parse(resource_version)
    }

    /// Whether the object carries this value of the label `created-by`.
    pub(crate) fn is_created_by(&self, label: &str) -> bool {
        self.created_by == hash(label)
    }

    /// The resourceVersion, where it is a number as it should be.
    pub(crate) fn resource_version(&self) -> Option<String> {
        match self.version {
            Version::Number(number) => Some(number.to_string()),
            Version::Text(_) => None,
        }
    }

    /// Whether the other is surely newer. Objects of one kind share one count, so this holds across
    /// objects of one name.
    pub(crate) fn is_older_than(&self, other: &Self) -> bool {
        match (self.version, other.version) {
            (Version::Number(this), Version::Number(other)) => this < other,
            // Nobody can tell: whoever comes later is taken for the newer.
            _ => false,
        }
    }
}

impl Version {
    /// Only a number in its one canonical form is one, so that the text can be had back.
    fn parse(text: &str) -> Self {
        let number = text.parse::<u64>();
        let number = number.ok().filter(|number| number.to_string() == text);
        number.map_or_else(|| Self::Text(hash(text)), Self::Number)
    }
}

fn hash(text: &str) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SEED.hash_one(text).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sighting_knows_its_object_and_version() {
        let seen = Sighting::new("u", "7", Some("o"));
        assert!(seen.is("u", "7") && !seen.is("v", "7") && !seen.is("u", "8"));
        assert!(seen.is_created_by("o") && !seen.is_created_by("p"));
        assert!(!Sighting::new("u", "7", None).is_created_by("o"));
        assert_eq!(seen.resource_version().as_deref(), Some("7"));
    }

    #[test]
    fn versions_are_ordered_as_numbers_and_others_are_only_told_apart() {
        let version = |text| Sighting::new("u", text, None);
        assert!(version("9").is_older_than(&version("10")));
        assert!(!version("10").is_older_than(&version("9")));
        for text in ["", "07", "+7", "x", "99999999999999999999"] {
            assert_eq!(version(text).resource_version(), None, "{text}");
            assert!(version(text).is("u", text) && !version(text).is("u", "7"));
            assert!(!version(text).is_older_than(&version("9")));
        }
    }

    #[test]
    fn a_sighting_is_small_whatever_the_object_carries() {
        assert!(size_of::<Sighting>() <= 32);
    }
}
