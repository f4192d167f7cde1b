//! A stream of documents, JSON or YAML, as `kubectl` and its friends print them.
//!
//! The stream is cut at its `---` lines before anything is parsed, so that a document which is none
//! of our business can be passed on byte for byte, and an error names the document it is in.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

/// What a document is, judged by `apiVersion` and `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// A Secret, or an object that names no kind at all, which the incumbent takes for one.
    Secret,
    /// Already sealed.
    SealedSecret,
    /// Anything else.
    Other,
}

/// One document of a stream.
pub struct Document {
    /// Its number in the stream, from 1, without empty documents.
    pub index: usize,
    /// The line of the input that it begins in, from 1.
    pub line: usize,
    /// The document's bytes in the input, without its `---` line. `None` for the item of a list.
    pub range: Option<Range<usize>>,
    /// What the text says.
    pub value: Value,
}

impl Document {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> DocumentKind {
        kind_of(&self.value)
    }
}

/// A document that cannot be read. Nothing of the document's text is in it, since it may be a Secret.
#[derive(Debug, thiserror::Error)]
#[error("document {index}, line {line}, column {column}: {message}")]
pub struct StreamError {
    /// The document's number, from 1.
    pub index: usize,
    /// The line of the input, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong with the syntax.
    pub message: String,
}

/// Reads all documents. Empty ones are left out. The items of a `List` or `SecretList` are documents of
/// their own, as `kubectl get secrets -o yaml` prints them.
///
/// # Errors
///
/// [`StreamError`] for the first document that does not parse.
pub fn read(text: &str) -> Result<Vec<Document>, StreamError> {
    let mut documents = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for range in split(text) {
        line += line_ends(&text[counted..range.start]);
        counted = range.start;
        let start = documents.len();
        let chunk = Chunk {
            text: &text[range.clone()],
            start: range.start,
            line,
        };
        chunk.read(&mut documents)?;
        flatten_lists(&mut documents, start);
    }
    Ok(documents)
}

/// The byte ranges of a stream's documents, without their `---` lines; what stands on such a line
/// after the dashes belongs to the document. A range may hold comments only, or nothing.
#[must_use]
pub fn split(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        let end = position + line.len();
        match Marker::of(line) {
            // Directives (`%YAML`) stand before the dashes of their own document.
            Some(Marker::Start) if is_directives(&text[start..position]) => {}
            Some(Marker::Start) => {
                ranges.push(start..position);
                start = position + DASHES.len();
            }
            Some(Marker::End) => {
                ranges.push(start..position);
                start = end;
            }
            None => {}
        }
        position = end;
    }
    ranges.push(start..text.len());
    ranges
}

/// What an object is, judged by `apiVersion` and `kind`.
pub(crate) fn kind_of(value: &Value) -> DocumentKind {
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    match (field("apiVersion"), field("kind")) {
        ("v1" | "", "Secret") | ("", "") => DocumentKind::Secret,
        (version, "SealedSecret") if version.starts_with("bitnami.com/") || version.is_empty() => {
            DocumentKind::SealedSecret
        }
        _ => DocumentKind::Other,
    }
}

const DASHES: &str = "---";

enum Marker {
    Start,
    End,
}

impl Marker {
    /// A marker stands at the start of a line, followed by white space or nothing (YAML 1.2.2
    /// section 9.1.2). No scalar can hold such a line.
    fn of(line: &str) -> Option<Self> {
        let (head, tail) = line.split_at_checked(DASHES.len())?;
        if !tail.is_empty() && !tail.starts_with([' ', '\t', '\r', '\n']) {
            return None;
        }
        match head {
            DASHES => Some(Self::Start),
            "..." => Some(Self::End),
            _ => None,
        }
    }
}

fn is_directives(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    lines.clone().next().is_some() && lines.all(|line| line.starts_with('%'))
}

fn line_ends(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// What stands between two marker lines.
struct Chunk<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl Chunk<'_> {
    fn read(&self, into: &mut Vec<Document>) -> Result<(), StreamError> {
        if self.text.trim_start().starts_with('{') {
            let before = into.len();
            match self.read_json(into) {
                Ok(()) => return Ok(()),
                // A YAML flow mapping begins like JSON; but what began as JSON has to go on as JSON.
                Err(error) if into.len() > before => return Err(error),
                Err(_) => {}
            }
        }
        self.read_yaml(into)
    }

    /// Any number of JSON values, one after the other. Where each ends is found first; what it says is
    /// read as everything else is, so that a key that is there twice is an error here as well.
    fn read_json(&self, into: &mut Vec<Document>) -> Result<(), StreamError> {
        let mut values = serde_json::Deserializer::from_str(self.text).into_iter::<IgnoredAny>();
        let (mut line, mut start) = (self.line, 0);
        while let Some(value) = values.next() {
            value.map_err(|error| StreamError {
                index: into.len() + 1,
                line: self.line + error.line().saturating_sub(1),
                column: error.column(),
                message: json_fault(&error).to_owned(),
            })?;
            let rest = &self.text[start..];
            let spaces = rest.len() - rest.trim_start().len();
            line += line_ends(&rest[..spaces]);
            start += spaces;
            let end = values.byte_offset();
            let text = &self.text[start..end];
            Chunk {
                text,
                start: self.start + start,
                line,
            }
            .read_yaml(into)?;
            line += line_ends(text);
            start = end;
        }
        Ok(())
    }

    fn read_yaml(&self, into: &mut Vec<Document>) -> Result<(), StreamError> {
        let documents = crds::yaml::documents(self.text).map_err(|error| StreamError {
            index: into.len() + 1,
            line: self.line + error.line.saturating_sub(1),
            column: error.column,
            message: error.message,
        })?;
        for document in documents {
            into.push(Document {
                index: into.len() + 1,
                line: self.line + document.line.saturating_sub(1),
                range: Some(self.start..self.start + self.text.len()),
                value: document.value,
            });
        }
        Ok(())
    }
}

/// serde_json quotes no input for syntax errors, but says so nowhere; this says as much as is needed.
fn json_fault(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "the JSON ends too early",
        _ => "this is not JSON",
    }
}

fn flatten_lists(documents: &mut Vec<Document>, start: usize) {
    for document in documents.split_off(start) {
        if is_list(&document.value) {
            flatten(document, documents);
        } else {
            let index = documents.len() + 1;
            documents.push(Document { index, ..document });
        }
    }
}

fn is_list(value: &Value) -> bool {
    matches!(
        value.get("kind").and_then(Value::as_str),
        Some("List" | "SecretList")
    ) && value.get("items").is_some_and(Value::is_array)
}

fn flatten(mut list: Document, into: &mut Vec<Document>) {
    let kind = list
        .value
        .get("kind")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let Some(Value::Array(items)) = list.value.get_mut("items").map(Value::take) else {
        return;
    };
    for mut value in items {
        // A typed list names the kind once, at its head.
        if let (Some("SecretList"), Value::Object(fields)) = (kind.as_deref(), &mut value)
            && !fields.contains_key("kind")
        {
            fields.insert("kind".to_owned(), "Secret".into());
            fields.insert("apiVersion".to_owned(), "v1".into());
        }
        let index = into.len() + 1;
        // The item's own bytes are not known, so it is printed anew if it is passed on.
        into.push(Document {
            index,
            line: list.line,
            range: None,
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str) -> Vec<&str> {
        split(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn the_stream_is_cut_at_marker_lines_and_nowhere_else() {
        assert_eq!(chunks("a: 1\n---\nb: 2\n"), ["a: 1\n", "\nb: 2\n"]);
        assert_eq!(chunks("---\r\na: 1\r\n"), ["", "\r\na: 1\r\n"]);
        assert_eq!(chunks("a: |\n  ---\n---x: 1\n"), ["a: |\n  ---\n---x: 1\n"]);
        assert_eq!(chunks("--- # first\na: 1"), ["", " # first\na: 1"]);
        assert_eq!(chunks("a: 1\n...\n---\nb: 2"), ["a: 1\n", "", "\nb: 2"]);
        assert_eq!(chunks("%YAML 1.2\n---\na: 1"), ["%YAML 1.2\n---\na: 1"]);
    }

    #[test]
    fn json_and_yaml_may_follow_each_other() {
        let text = "{\"kind\": \"Secret\"}\n{\"kind\": \"ConfigMap\"}\n---\nkind: Secret\n---\n# no more\n";
        let documents = read(text).unwrap();
        let seen: Vec<_> = documents
            .iter()
            .map(|d| (d.index, d.line, d.kind()))
            .collect();
        assert_eq!(
            seen,
            [
                (1, 1, DocumentKind::Secret),
                (2, 2, DocumentKind::Other),
                (3, 4, DocumentKind::Secret)
            ]
        );
        assert_eq!(
            &text[documents[1].range.clone().unwrap()],
            "{\"kind\": \"ConfigMap\"}"
        );
    }

    #[test]
    fn a_key_that_is_there_twice_is_an_error_in_json_too() {
        for text in [
            "{\"a\": 1, \"a\": 2}",
            "a: 1\na: 2\n",
            "{\"b\": 1}\n{\"a\": 1,\n \"a\": 2}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_is_its_items() {
        let text = "kind: List\nitems:\n- kind: Secret\n- kind: ConfigMap\n---\nkind: SecretList\nitems:\n- {metadata: {name: a}}\n";
        let kinds: Vec<_> = read(text)
            .unwrap()
            .iter()
            .map(|d| (d.index, d.kind()))
            .collect();
        assert_eq!(
            kinds,
            [
                (1, DocumentKind::Secret),
                (2, DocumentKind::Other),
                (3, DocumentKind::Secret)
            ]
        );
    }

    #[test]
    fn broken_input_is_named_by_document_and_line_and_quotes_nothing() {
        for text in [
            "a: 1\n---\nb: 2\nhunter2: [\n",
            "a: 1\n---\n{\"a\": 1}\n{\"hunter2\": }\n",
        ] {
            let error = read(text).err().unwrap();
            assert!(error.line >= 4, "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
