//! Targets for fuzzing: readers of what anybody may write into a file. None of them may panic or hang,
//! whatever the bytes. Property tests and the long runs share them.

use serde_json::Value;

use crate::{Form, Format, KnownKeys, PublishedKeys, Record, SealedFile, Secret, examine, read};

/// A stream of documents, taken for Secrets and for sealed ones, and printed again.
pub fn stream(bytes: &[u8]) {
    let Ok(text) = crds::yaml::text(bytes) else {
        return;
    };
    let Ok(documents) = read(&text) else { return };
    for document in documents {
        if let Some(range) = &document.range {
            assert!(text.get(range.clone()).is_some());
        }
        drop(examine(&document.value, &KnownKeys::default()));
        drop(Format::Json.write(&document.value));
        drop(Format::Yaml.write(&document.value));
        drop(Secret::from_value(document.value));
    }
}

/// Edits of a file. What an edit does not name must still be there, byte for byte where it is another
/// document, and by its meaning where it is the same one.
pub fn editor(bytes: &[u8]) {
    let Ok(mut file) = SealedFile::parse(bytes) else {
        return;
    };
    assert_eq!(file.to_bytes(), bytes);
    let Ok(at) = file.find(None) else { return };
    let before: Vec<Value> = file
        .documents()
        .iter()
        .map(|document| document.value.clone())
        .collect();
    let first = file.items(at).keys().next().cloned();
    let set = file.set_item(at, "added-by-fuzz", b"bytes", None).is_ok();
    if let Some(first) = first {
        let renamed = file.rename_item(at, &first, "renamed-by-fuzz").is_ok();
        drop(file.remove_item(at, if renamed { "renamed-by-fuzz" } else { &first }));
    }
    if set {
        assert!(file.items(at).contains_key("added-by-fuzz"));
        drop(file.remove_item(at, "added-by-fuzz"));
    }
    for (position, (before, after)) in before.iter().zip(file.documents()).enumerate() {
        if position != at {
            assert_eq!(*before, after.value);
        }
    }
    assert!(SealedFile::parse(&file.to_bytes()).is_ok());
}

/// The small formats: the record, the published keys, the form of `edit`.
pub fn notes(bytes: &[u8]) {
    drop(Form::read(bytes));
    let text = String::from_utf8_lossy(bytes);
    let record = Record::parse(&text);
    assert_eq!(Record::parse(&record.to_annotation()), record);
    if let Ok(keys) = PublishedKeys::parse(&text) {
        drop(keys.to_json());
    }
}
