//! Edits that touch one value: every other byte of the file stays as it is.
//!
//! The text is never printed anew. A parser's events say where each node begins and ends ([`nodes`]),
//! an edit replaces a stretch of bytes ([`splice`]), and then the result is read again: unless it says
//! what it said before but for the one value, the edit is refused. So a style of YAML that nobody thought
//! of costs an error, never a wrong file.

mod nodes;
mod sealed_file;
mod splice;

use serde_json::{Map, Value};

pub(crate) use sealed_file::check_item_name;
pub use sealed_file::{Identity, SealedFile};

/// An edit that cannot be made. The texts hold names of fields, never values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The item is there already, and another should get its name.
    #[error("there is an item {0} already")]
    ItemExists(String),
    /// The item is not there.
    #[error("there is no item {0}")]
    NoItem(String),
    /// The document has no SealedSecret, or not the one that is asked for.
    #[error("{0}")]
    NoDocument(String),
    /// The name cannot be that of an item.
    #[error("{0} cannot be the name of an item: letters, digits, '-', '_' and '.' may be in it")]
    ItemName(String),
    /// The text is written in a way that cannot be edited without touching more than one value.
    #[error(
        "{path} is written in a way that cannot be edited by itself (an anchor, an alias, a merge \
         key or a tag is in the way); write it plainly and try again"
    )]
    NotEditable {
        /// The field.
        path: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Stream(#[from] crate::StreamError),
    /// The file is no text in UTF-8.
    #[error("the file is not UTF-8; save it as UTF-8 and try again")]
    NotUtf8,
}

/// What is done to one field of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// The field gets this text; it and the mappings above it are made where they are missing.
    Set(&'a str),
    /// The field goes.
    Remove,
    /// The field gets this name.
    Rename(&'a str),
}

/// Makes one change to one document.
pub(crate) fn change(text: &str, path: &[&str], change: Change<'_>) -> Result<String, EditError> {
    let refused = || EditError::NotEditable {
        path: path.join("."),
    };
    let before = single(text).ok_or_else(refused)?;
    let expected = expected(before, path, change).ok_or_else(refused)?;
    let root = nodes::parse(text).ok_or_else(refused)?;
    let splice = match change {
        Change::Set(value) => splice::set(text, &root, path, value),
        Change::Remove => splice::remove(text, &root, path),
        Change::Rename(name) => splice::rename(text, &root, path, name),
    };
    let after = splice.ok_or_else(refused)?.apply(text);
    if single(&after).as_ref() == Some(&expected) {
        Ok(after)
    } else {
        Err(refused())
    }
}

/// The one document of a text.
fn single(text: &str) -> Option<Value> {
    let mut documents = crds::yaml::documents(text).ok()?.into_iter();
    let document = documents.next()?;
    documents.next().is_none().then_some(document.value)
}

/// What the document must say after the change.
fn expected(mut document: Value, path: &[&str], change: Change<'_>) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut fields = &mut document;
    for parent in parents {
        let map = fields.as_object_mut()?;
        if matches!(change, Change::Set(_)) {
            fields = map.entry((*parent).to_owned()).or_insert(Value::Null);
            if fields.is_null() {
                *fields = Map::new().into();
            }
        } else {
            fields = map.get_mut(*parent)?;
        }
    }
    let map = fields.as_object_mut()?;
    match change {
        Change::Set(value) => {
            map.insert((*last).to_owned(), value.into());
        }
        Change::Remove => {
            map.shift_remove(*last)?;
        }
        Change::Rename(name) => {
            let value = map.shift_remove(*last)?;
            if map.insert(name.to_owned(), value).is_some() {
                return None;
            }
        }
    }
    Some(document)
}
