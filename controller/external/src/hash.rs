//! The incumbent's hashes, bit for bit: SHA3-224 over Go's `%+v` text of a value.
//!
//! They decide whether a Secret counts as untouched and an ExternalSecret as synced, so one wrong
//! byte would rewrite a whole cluster at take-over (runtime/esutils/utils.go, `ObjectHash`;
//! pkg/controllers/util/util.go, `GetResourceVersion`).

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use sha3::{Digest as _, Sha3_224};

/// The hash of a text as it stands.
#[must_use]
pub(crate) fn of_text(text: &str) -> String {
    let mut hasher = Sha3_224::new();
    hasher.update(text.as_bytes());
    hex(hasher)
}

/// The hash of a Secret's data, as the `data-hash` annotation has it.
///
/// The text, `map[key:[1 2 3] ...]`, is fed to the hash piece by piece and never exists as a whole.
#[must_use]
pub(crate) fn of_data(data: &BTreeMap<String, ByteString>) -> String {
    let mut hasher = Sha3_224::new();
    hasher.update(b"map[");
    for (index, (key, value)) in data.iter().enumerate() {
        if index > 0 {
            hasher.update(b" ");
        }
        hasher.update(key.as_bytes());
        hasher.update(b":[");
        feed_bytes(&mut hasher, &value.0);
        hasher.update(b"]");
    }
    hasher.update(b"]");
    hex(hasher)
}

/// What `status.syncedResourceVersion` holds: the generation, and a hash of annotations and labels.
#[must_use]
pub(crate) fn synced_version(
    generation: i64,
    annotations: Option<&BTreeMap<String, String>>,
    labels: Option<&BTreeMap<String, String>>,
) -> String {
    let text = format!(
        "{{annotations:map[{}] labels:map[{}]}}",
        pairs(annotations),
        pairs(labels)
    );
    format!("{generation}-{}", of_text(&text))
}

fn pairs(map: Option<&BTreeMap<String, String>>) -> String {
    let pairs: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}:{value}"))
        .collect();
    pairs.join(" ")
}

/// Decimal numbers with single spaces between them, as Go prints a `[]byte`.
fn feed_bytes(hasher: &mut Sha3_224, bytes: &[u8]) {
    let mut text = [0_u8; 4];
    for (index, byte) in bytes.iter().enumerate() {
        let mut at = text.len();
        let mut rest = *byte;
        loop {
            at -= 1;
            text[at] = b'0' + rest % 10;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if index > 0 {
            at -= 1;
            text[at] = b' ';
        }
        hasher.update(&text[at..]);
    }
}

fn hex(hasher: Sha3_224) -> String {
    let digest = hasher.finalize();
    digest
        .iter()
        .fold(String::with_capacity(56), |mut text, byte| {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &[u8])]) -> BTreeMap<String, ByteString> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), ByteString(v.to_vec())))
            .collect()
    }

    fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    /// The vectors of the incumbent's own TestObjectHash and of its controller tests.
    #[test]
    fn hashes_are_the_incumbents() {
        assert_eq!(
            of_text("hello there"),
            "f78681ec611ebaeea0689bff6c7812a83ff98a7faba986d9af76c999"
        );
        assert_eq!(
            of_text("default/my-es"),
            "b8464376b5fe3535e690594280bfe59b60be2603cb6cbb6d6c8bcbb4"
        );
        for (pairs, hash) in [
            (
                &[("foo", &b"value1"[..]), ("bar", b"value2")][..],
                "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64",
            ),
            (
                &[],
                "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b",
            ),
            (
                &[("targetProperty", b"someValue")],
                "03a707af0159f9cbff01ece86d3f85a3d7c3a11b512f5e7fc90bd042",
            ),
        ] {
            assert_eq!(of_data(&data(pairs)), hash);
        }
    }

    #[test]
    fn the_streamed_text_is_gos_text() {
        let all: Vec<u8> = (0..=255).collect();
        let text = all.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(
            of_data(&data(&[("a", &all), ("b", b""), ("c", b"\0")])),
            of_text(&format!("map[a:[{text}] b:[] c:[0]]"))
        );
    }

    #[test]
    fn the_synced_version_tells_generation_annotations_and_labels() {
        assert_eq!(
            synced_version(1, None, None),
            "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2"
        );
        assert_eq!(
            synced_version(
                7,
                Some(&strings(&[("c", "d"), ("a", "b")])),
                Some(&strings(&[("app", "x")]))
            ),
            "7-2570f4ca0adbdf03fe268a2312ed12442c0ba2d679162cb0b7fb4dd5"
        );
    }

    #[derive(serde::Deserialize)]
    struct Vectors {
        data: Vec<DataHash>,
        synced: Vec<SyncedVersion>,
        #[serde(rename = "createdBy")]
        created_by: Vec<TextHash>,
    }

    #[derive(serde::Deserialize)]
    struct DataHash {
        data: Option<BTreeMap<String, Option<ByteString>>>,
        hash: String,
    }

    #[derive(serde::Deserialize)]
    struct SyncedVersion {
        generation: i64,
        annotations: Option<BTreeMap<String, String>>,
        labels: Option<BTreeMap<String, String>>,
        version: String,
    }

    #[derive(serde::Deserialize)]
    struct TextHash {
        text: String,
        hash: String,
    }

    /// What Go makes of these (vectors/make).
    #[test]
    fn hashes_are_those_that_go_computes() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../vectors/hashes.json")).unwrap();
        for DataHash { data, hash } in vectors.data {
            let data = data.unwrap_or_default().into_iter();
            let data = data.map(|(key, value)| (key, value.unwrap_or_default()));
            assert_eq!(of_data(&data.collect()), hash);
        }
        for vector in vectors.synced {
            let (annotations, labels) = (vector.annotations.as_ref(), vector.labels.as_ref());
            assert_eq!(
                synced_version(vector.generation, annotations, labels),
                vector.version
            );
        }
        for TextHash { text, hash } in vectors.created_by {
            assert_eq!(of_text(&text), hash, "{text}");
        }
    }
}
