//! What is known about items that are to be opened.

use std::collections::BTreeMap;

use crds::sealed_secret::Written;
use document::Record;
use keys::Label;

use crate::{open::Hint, plan::Item};

/// A hint for each item: the key that we remember for this very ciphertext, else the one that the
/// record names for it.
pub(crate) fn hints(
    items: &[Item],
    annotations: Option<&BTreeMap<String, String>>,
    label: &Label,
    written: Option<&Written>,
) -> BTreeMap<String, Hint> {
    let record = Record::of(annotations);
    let label = document::label_digest(label);
    let hint = |item: &Item| {
        let recorded = record.find(&item.name, &item.bytes);
        let remembered = written
            .and_then(|written| written.items.get(&item.name))
            .filter(|known| known.digest == item.digest);
        Hint {
            key: remembered
                .and_then(|known| known.key.parse().ok())
                .or_else(|| recorded.and_then(|recorded| recorded.key.parse().ok())),
            for_this_label: recorded.map(|recorded| recorded.label == label),
        }
    };
    items
        .iter()
        .map(|item| (item.name.clone(), hint(item)))
        .collect()
}
