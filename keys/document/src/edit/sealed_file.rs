//! A file with sealed documents, edited item by item.

use std::collections::BTreeMap;

use crds::sealed_secret::SEALED_WITH;
use keys::{Fingerprint, Label, Scope, encode_base64};
use serde_json::Value;

use super::{Change, EditError, change};
use crate::{Document, DocumentKind, Record, metadata, stream};

/// A file as it is, and the documents in it.
pub struct SealedFile {
    /// Whether a byte order mark comes before the text.
    marked: bool,
    text: String,
    documents: Vec<Document>,
}

/// What a SealedSecret is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `metadata.name`, or the empty text.
    pub name: String,
    /// `metadata.namespace`, or the empty text.
    pub namespace: String,
    /// What its annotations say. The template's annotations do not count.
    pub scope: Scope,
}

impl Identity {
    /// That of a SealedSecret object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let text = |path: &str| {
            object
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let annotations = object
            .pointer("/metadata/annotations")
            .and_then(Value::as_object);
        Self {
            name: text("/metadata/name").to_owned(),
            namespace: text("/metadata/namespace").to_owned(),
            scope: metadata::scope_in(annotations),
        }
    }

    /// The label that its items are sealed with.
    #[must_use]
    pub fn label(&self) -> Label {
        Label::new(self.scope, &self.namespace, &self.name)
    }
}

impl SealedFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`EditError::NotUtf8`] and [`EditError::Stream`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EditError> {
        let unmarked = bytes.strip_prefix(BYTE_ORDER_MARK);
        let text =
            std::str::from_utf8(unmarked.unwrap_or(bytes)).map_err(|_| EditError::NotUtf8)?;
        let documents = stream::read(text)?;
        Ok(Self {
            marked: unmarked.is_some(),
            text: text.to_owned(),
            documents,
        })
    }

    /// The file's bytes with the edits made so far.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mark = if self.marked { BYTE_ORDER_MARK } else { b"" };
        [mark, self.text.as_bytes()].concat()
    }

    /// All documents of the file, whatever they are.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The positions of the SealedSecrets among the documents.
    pub fn sealed(&self) -> impl Iterator<Item = usize> {
        let sealed =
            |(_, document): &(usize, &Document)| document.kind() == DocumentKind::SealedSecret;
        self.documents
            .iter()
            .enumerate()
            .filter(sealed)
            .map(|(position, _)| position)
    }

    /// The SealedSecret of this name, or the only one where no name is given.
    ///
    /// # Errors
    ///
    /// [`EditError::NoDocument`] when there is none, or more than one.
    pub fn find(&self, name: Option<&str>) -> Result<usize, EditError> {
        let all: Vec<(usize, String)> = self
            .sealed()
            .map(|at| (at, self.identity(at).name))
            .collect();
        let fits: Vec<usize> = all
            .iter()
            .filter(|(_, present)| name.is_none_or(|name| name == present))
            .map(|(at, _)| *at)
            .collect();
        match (fits.as_slice(), name) {
            ([one], _) => Ok(*one),
            ([], _) if all.is_empty() => Err(EditError::NoDocument(
                "there is no SealedSecret in it".to_owned(),
            )),
            ([], name) => Err(EditError::NoDocument(format!(
                "there is no SealedSecret {} in it, but {}",
                name.unwrap_or_default(),
                names(&all)
            ))),
            _ => Err(EditError::NoDocument(format!(
                "there is more than one SealedSecret in it ({}): say which with --name",
                names(&all)
            ))),
        }
    }

    /// What a SealedSecret of the file is bound to.
    #[must_use]
    pub fn identity(&self, at: usize) -> Identity {
        Identity::of(self.value(at))
    }

    /// The items of a SealedSecret of the file, as they stand in it.
    #[must_use]
    pub fn items(&self, at: usize) -> BTreeMap<String, String> {
        let items = self
            .value(at)
            .pointer("/spec/encryptedData")
            .and_then(Value::as_object);
        let text = |(name, value): (&String, &Value)| {
            (name.clone(), value.as_str().unwrap_or_default().to_owned())
        };
        items.into_iter().flatten().map(text).collect()
    }

    /// The record of a SealedSecret of the file, if it has one.
    #[must_use]
    pub fn record(&self, at: usize) -> Option<Record> {
        let annotations = self.value(at).pointer("/metadata/annotations")?;
        annotations.get(SEALED_WITH)?.as_str().map(Record::parse)
    }

    /// Puts a sealed value in, for a new item or in the place of the old value. With `key` the record
    /// notes what it was sealed with.
    ///
    /// # Errors
    ///
    /// [`EditError::NotEditable`] and [`EditError::ItemName`].
    pub fn set_item(
        &mut self,
        at: usize,
        item: &str,
        ciphertext: &[u8],
        key: Option<&Fingerprint>,
    ) -> Result<(), EditError> {
        check_item_name(item)?;
        self.set_text(
            at,
            &["spec", "encryptedData", item],
            &encode_base64(ciphertext),
        )?;
        let Some(key) = key else { return Ok(()) };
        let mut record = self.record(at).unwrap_or_default();
        record.insert(item, key, &self.identity(at).label(), ciphertext);
        self.set_record(at, &record)
    }

    /// Takes an item out.
    ///
    /// # Errors
    ///
    /// [`EditError::NoItem`] and [`EditError::NotEditable`].
    pub fn remove_item(&mut self, at: usize, item: &str) -> Result<(), EditError> {
        if !self.items(at).contains_key(item) {
            return Err(EditError::NoItem(item.to_owned()));
        }
        self.edit(at, &["spec", "encryptedData", item], Change::Remove)?;
        self.update_record(at, |record| record.remove(item))
    }

    /// Gives an item another name. Its value stays as it is, for the name is not sealed with it.
    ///
    /// # Errors
    ///
    /// [`EditError::NoItem`], [`EditError::ItemExists`], [`EditError::ItemName`] and
    /// [`EditError::NotEditable`].
    pub fn rename_item(&mut self, at: usize, from: &str, to: &str) -> Result<(), EditError> {
        check_item_name(to)?;
        let items = self.items(at);
        if !items.contains_key(from) {
            return Err(EditError::NoItem(from.to_owned()));
        }
        if items.contains_key(to) {
            return Err(EditError::ItemExists(to.to_owned()));
        }
        self.edit(at, &["spec", "encryptedData", from], Change::Rename(to))?;
        self.update_record(at, |record| record.rename(from, to))
    }

    /// Gives a field a text, and makes the mappings above it where they are missing. A field that says
    /// so already is left alone.
    ///
    /// # Errors
    ///
    /// [`EditError::NotEditable`].
    pub fn set_text(&mut self, at: usize, path: &[&str], text: &str) -> Result<(), EditError> {
        let present = path
            .iter()
            .try_fold(self.value(at), |value, name| value.get(name));
        if present.and_then(Value::as_str) == Some(text) {
            return Ok(());
        }
        self.edit(at, path, Change::Set(text))
    }

    fn set_record(&mut self, at: usize, record: &Record) -> Result<(), EditError> {
        self.set_text(
            at,
            &["metadata", "annotations", SEALED_WITH],
            &record.to_annotation(),
        )
    }

    /// Changes the record where there is one.
    fn update_record(
        &mut self,
        at: usize,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), EditError> {
        let Some(mut record) = self.record(at) else {
            return Ok(());
        };
        change(&mut record);
        self.set_record(at, &record)
    }

    fn edit(&mut self, at: usize, path: &[&str], what: Change<'_>) -> Result<(), EditError> {
        let not_editable = || EditError::NotEditable {
            path: path.join("."),
        };
        let range = self
            .documents
            .get(at)
            .and_then(|document| document.range.clone());
        let range = range.ok_or_else(not_editable)?;
        let edited = change(&self.text[range.clone()], path, what)?;
        let text = [&self.text[..range.start], &edited, &self.text[range.end..]].concat();
        let documents = stream::read(&text)?;
        // What looked right by itself must not have moved the borders of the documents.
        if documents.len() != self.documents.len() {
            return Err(not_editable());
        }
        self.text = text;
        self.documents = documents;
        Ok(())
    }

    fn value(&self, at: usize) -> &Value {
        self.documents
            .get(at)
            .map_or(&Value::Null, |document| &document.value)
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What the API server allows for the key of a Secret.
const MAX_ITEM_NAME_BYTES: usize = 253;

/// The names that the API server takes for the items of a Secret (`IsConfigMapKey`).
pub(crate) fn check_item_name(name: &str) -> Result<(), EditError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = (1..=MAX_ITEM_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed);
    if fits && name != "." && !name.starts_with("..") {
        Ok(())
    } else {
        Err(EditError::ItemName(name.to_owned()))
    }
}

fn names(all: &[(usize, String)]) -> String {
    all.iter()
        .map(|(_, name)| name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}
