//! From text to values.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::compose::Composer;
use super::{Error, json};

/// One document of a text.
#[derive(Clone, PartialEq)]
#[expect(missing_debug_implementations, reason = "the value may be a Secret")]
pub struct Document {
    /// Which document of the text it is, counted from 0; empty documents count, but are not returned.
    pub index: usize,
    /// The line of its first node, counted from 1.
    pub line: usize,
    /// What it says. Keys that are no texts are turned into texts, as Go does.
    pub value: Value,
}

/// What a key that appears twice in a mapping means.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Duplicates {
    /// It is an error. A key of the mapping itself wins over a merged one (`<<`), wherever it stands, as
    /// in YAML's own text and in kustomize.
    #[default]
    Refuse,
    /// The last one wins, merged keys included, as in `sigs.k8s.io/yaml` without `Strict`.
    LastWins,
}

/// Reads all documents of a text, YAML or JSON; duplicate keys are refused. Empty documents, and those of
/// comments alone, are left out.
///
/// # Errors
/// Where the text is malformed, or exceeds a bound.
pub fn documents(text: &str) -> Result<Vec<Document>, Error> {
    documents_with(text, Duplicates::Refuse)
}

/// [`documents`], with a choice about duplicate keys.
///
/// # Errors
/// As [`documents`].
pub fn documents_with(text: &str, duplicates: Duplicates) -> Result<Vec<Document>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match json::documents(text, duplicates) {
        Some(result) => result,
        None => Composer::new(text, duplicates).documents(),
    }
}

/// [`documents`] of a file's bytes, see [`super::text`].
///
/// # Errors
/// As [`documents`], and where the bytes are no text.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Document>, Error> {
    documents(&super::text(bytes)?)
}

/// Reads the one document of a text into a type.
///
/// # Errors
/// As [`documents`]; also if there is not exactly one document, or it does not fit the type.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut documents = documents(text)?.into_iter();
    let Some(document) = documents.next() else {
        return Err(Error::new(1, 1, "there is no document"));
    };
    if let Some(second) = documents.next() {
        return Err(Error::new(
            second.line,
            1,
            "there is more than one document",
        ));
    }
    serde_json::from_value(document.value).map_err(|error| Error::unfit(document.line, &error))
}
