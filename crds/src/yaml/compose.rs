//! From the parser's events to values, within bounds.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};
use serde_json::Value;

use super::entries::Entries;
use super::scalar::Meaning;
use super::{Document, Duplicates, Error};

/// Nesting. Rendered CRDs reach 60. What goes through the values later does so recursively.
const MAX_DEPTH: usize = 256;
/// Scalars, sequences and mappings of one text, copies by alias included. A rendered chart of several
/// hundred objects has 100,000.
const MAX_NODES: usize = 2_000_000;
/// Bytes of keys and texts that aliases may copy: a node may be long.
const MAX_COPIED_BYTES: usize = 64 << 20;
/// Documents of one text, empty ones included.
pub(super) const MAX_DOCUMENTS: usize = 20_000;

/// Builds values from the parser's events. With a stack of its own: the depth that we allow would be too
/// much for that of a thread.
pub(super) struct Composer<'text> {
    parser: Parser<'text, StrInput<'text>>,
    duplicates: Duplicates,
    /// Finished nodes with an anchor, by its id.
    anchors: HashMap<usize, Node>,
    open: Vec<Open>,
    nodes: usize,
    copied_bytes: usize,
}

impl<'text> Composer<'text> {
    pub(super) fn new(text: &'text str, duplicates: Duplicates) -> Self {
        let options = granit_parser::options! {
            // Go's libyaml reads a block scalar at the end of the text as it stands.
            block_scalar_eof_without_line_feed: true,
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            duplicates,
            anchors: HashMap::new(),
            open: Vec::new(),
            nodes: 0,
            copied_bytes: 0,
        }
    }

    pub(super) fn documents(mut self) -> Result<Vec<Document>, Error> {
        let mut documents = Vec::new();
        let mut index = 0;
        while let Some(next) = self.parser.next_event() {
            let (event, span) = next?;
            if !matches!(event, Event::DocumentStart(..)) {
                continue;
            }
            if index == MAX_DOCUMENTS {
                return Err(Error::at(span.start, "too many documents"));
            }
            let (value, line) = self.document()?;
            if !value.is_null() {
                documents.push(Document { index, line, value });
            }
            index += 1;
        }
        Ok(documents)
    }

    /// The root node of a document, and its line.
    fn document(&mut self) -> Result<(Value, usize), Error> {
        self.anchors.clear();
        while let Some(next) = self.parser.next_event() {
            let (event, span) = next?;
            let Some((node, start)) = self.take(event, span.start)? else {
                continue;
            };
            match self.open.last_mut() {
                None => return Ok((node.value, start.line())),
                Some(open) => open.add(node, start)?,
            }
        }
        Err(Error::new(1, 1, "the text ends too early"))
    }

    /// Takes one event. What it makes is a finished node and where that began, if it finishes one.
    fn take(&mut self, event: Event<'_>, start: Marker) -> Result<Option<(Node, Marker)>, Error> {
        match event {
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Err(Error::at(start, "malformed"));
                };
                let (anchor, start) = (open.anchor, open.start);
                return Ok(Some((self.anchored(anchor, open.close()), start)));
            }
            Event::Scalar(..) if is_merge(&event) && self.merges() => return Ok(None),
            _ => {}
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Error::at(start, "too many nodes"));
        }
        if self.open.len() > MAX_DEPTH {
            return Err(Error::at(start, TOO_DEEP));
        }
        let node = match event {
            Event::Alias(anchor) => self.copy(anchor, start)?,
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                let value = value.map_err(|message| Error::at(start, message))?;
                self.anchored(
                    anchor,
                    Node {
                        value,
                        nodes: 1,
                        bytes: text.len(),
                        depth: 0,
                    },
                )
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open
                    .push(Open::new(Collection::Sequence(Vec::new()), anchor, start));
                return Ok(None);
            }
            Event::MappingStart(_, anchor, _) => {
                let mapping = Collection::Mapping(Entries::new(self.duplicates));
                self.open.push(Open::new(mapping, anchor, start));
                return Ok(None);
            }
            _ => return Err(Error::at(start, "malformed")),
        };
        Ok(Some((node, start)))
    }

    /// Whether a `<<` here is a key; if so, what follows it is merged.
    fn merges(&mut self) -> bool {
        match self.open.last_mut().map(|open| &mut open.collection) {
            Some(Collection::Mapping(entries)) => entries.merges(),
            _ => false,
        }
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    /// What an alias stands for, if there is room for one more copy.
    fn copy(&mut self, anchor: usize, start: Marker) -> Result<Node, Error> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Error::at(start, "an anchor that contains its own alias"));
        };
        self.nodes += node.nodes;
        self.copied_bytes += node.bytes;
        if self.nodes > MAX_NODES || self.copied_bytes > MAX_COPIED_BYTES {
            return Err(Error::at(start, "excessive aliasing"));
        }
        if self.open.len() + node.depth > MAX_DEPTH {
            return Err(Error::at(start, TOO_DEEP));
        }
        Ok(node.clone())
    }
}

const TOO_DEEP: &str = "nested too deeply";

/// A value, and what a copy of it costs.
#[derive(Clone)]
struct Node {
    value: Value,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

/// A collection whose end is still to come.
struct Open {
    collection: Collection,
    anchor: usize,
    start: Marker,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

enum Collection {
    Sequence(Vec<Value>),
    Mapping(Entries),
}

impl Open {
    fn new(collection: Collection, anchor: usize, start: Marker) -> Self {
        Self {
            collection,
            anchor,
            start,
            nodes: 1,
            bytes: 0,
            depth: 0,
        }
    }

    fn add(&mut self, node: Node, start: Marker) -> Result<(), Error> {
        self.nodes += node.nodes;
        self.bytes += node.bytes;
        self.depth = self.depth.max(node.depth);
        match &mut self.collection {
            Collection::Sequence(items) => items.push(node.value),
            Collection::Mapping(entries) => entries.add(node.value, start)?,
        }
        Ok(())
    }

    fn close(self) -> Node {
        let value = match self.collection {
            Collection::Sequence(items) => Value::Array(items),
            Collection::Mapping(entries) => entries.into_value(),
        };
        Node {
            value,
            nodes: self.nodes,
            bytes: self.bytes,
            depth: self.depth + 1,
        }
    }
}

/// `isMerge` of `yaml.v2`: an unquoted `<<`.
fn is_merge(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
        Event::Scalar(text, _, _, Some(tag)) => text == "<<" && core_type(tag) == Some("merge"),
        _ => false,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, &'static str> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return if plain {
            untagged(text)
        } else {
            Ok(Value::String(text.to_owned()))
        };
    };
    let meaning = Meaning::of(text);
    match core_type(tag) {
        Some("binary") => super::text::binary(text),
        Some("null") if meaning == Meaning::Null => Ok(Value::Null),
        Some("bool") if matches!(meaning, Meaning::Boolean(_)) => untagged(text),
        Some("int") if matches!(meaning, Meaning::Integer(_) | Meaning::Unsigned(_)) => {
            untagged(text)
        }
        Some("float")
            if matches!(
                meaning,
                Meaning::Integer(_) | Meaning::Unsigned(_) | Meaning::Float(_)
            ) =>
        {
            untagged(text)
        }
        Some("null" | "bool" | "int" | "float") => Err("the value is not of the type its tag says"),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn untagged(text: &str) -> Result<Value, &'static str> {
    Meaning::of(text)
        .value(text)
        .ok_or("JSON has no infinite numbers and no NaN")
}

/// `int` for `!!int`, and so on.
fn core_type(tag: &Tag) -> Option<&'static str> {
    let name = tag.suffix_in_namespace("tag:yaml.org,2002:")?;
    let names = ["binary", "null", "bool", "int", "float", "merge"];
    names.into_iter().find(|known| *known == name)
}
