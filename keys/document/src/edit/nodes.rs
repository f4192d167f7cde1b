//! Where each node of a document begins and ends, in bytes.

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

/// A node, from its first byte to the one after its last. Properties (anchor, tag), and the header of a
/// block scalar, stand before it.
pub(super) struct Node {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) shape: Shape,
}

pub(super) enum Shape {
    Scalar(ScalarStyle),
    Alias,
    Sequence,
    Mapping { flow: bool, entries: Vec<Entry> },
}

pub(super) struct Entry {
    pub(super) key: Node,
    /// The key's text, if it is a scalar.
    pub(super) name: Option<String>,
    pub(super) value: Node,
}

impl Node {
    /// The value of a mapping's field.
    pub(super) fn entries(&self) -> Option<(&[Entry], bool)> {
        match &self.shape {
            Shape::Mapping { flow, entries } => Some((entries, *flow)),
            _ => None,
        }
    }
}

/// Reads the one document of a text.
pub(super) fn parse(text: &str) -> Option<Node> {
    let options = granit_parser::options! {
        // As `crds::yaml`, so that both see the same.
        block_scalar_eof_without_line_feed: true,
        emit_comments: false,
    };
    let mut builder = Builder {
        text,
        open: Vec::new(),
        root: None,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.ok()?;
        builder.take(event, span)?;
    }
    builder.root
}

struct Builder<'text> {
    text: &'text str,
    open: Vec<Open>,
    root: Option<Node>,
}

/// A collection whose end is still to come.
struct Open {
    start: usize,
    flow: bool,
    contents: Contents,
}

enum Contents {
    Sequence {
        end: usize,
    },
    Mapping {
        entries: Vec<Entry>,
        key: Option<(Node, Option<String>)>,
    },
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let range = span.byte_range()?;
        match event {
            Event::Scalar(value, style, ..) => {
                let end = self.scalar_end(&range, style);
                let shape = Shape::Scalar(style);
                let node = Node {
                    start: range.start,
                    end,
                    shape,
                };
                self.add(node, Some(value.into_owned()))?;
            }
            Event::Alias(_) => {
                let node = Node {
                    start: range.start,
                    end: range.end,
                    shape: Shape::Alias,
                };
                self.add(node, None)?;
            }
            Event::SequenceStart(style, ..) => {
                let contents = Contents::Sequence { end: range.end };
                self.open(range.start, style, contents);
            }
            Event::MappingStart(style, ..) => {
                let contents = Contents::Mapping {
                    entries: Vec::new(),
                    key: None,
                };
                self.open(range.start, style, contents);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end)?,
            _ => {}
        }
        Some(())
    }

    /// A block scalar's span reaches over the empty lines behind it.
    fn scalar_end(&self, range: &std::ops::Range<usize>, style: ScalarStyle) -> usize {
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                range.start + self.text[range.clone()].trim_end().len()
            }
            _ => range.end,
        }
    }

    fn open(&mut self, start: usize, style: StructureStyle, contents: Contents) {
        self.open.push(Open {
            start,
            flow: style == StructureStyle::Flow,
            contents,
        });
    }

    fn close(&mut self, event_end: usize) -> Option<()> {
        let open = self.open.pop()?;
        // The end of a block collection is that of its last node: the event comes where the indent
        // ends, which may be many comments later.
        let (last_end, shape) = match open.contents {
            Contents::Sequence { end } => (end, Shape::Sequence),
            Contents::Mapping { entries, .. } => {
                let end = entries.last().map_or(open.start, |entry| entry.value.end);
                (
                    end,
                    Shape::Mapping {
                        flow: open.flow,
                        entries,
                    },
                )
            }
        };
        let end = if open.flow { event_end } else { last_end };
        self.add(
            Node {
                start: open.start,
                end,
                shape,
            },
            None,
        )
    }

    fn add(&mut self, node: Node, text: Option<String>) -> Option<()> {
        match self.open.last_mut().map(|open| &mut open.contents) {
            None if self.root.is_none() => self.root = Some(node),
            None => return None,
            Some(Contents::Sequence { end }) => *end = node.end.max(*end),
            Some(Contents::Mapping { entries, key }) => match key.take() {
                None => *key = Some((node, text)),
                Some((key, name)) => entries.push(Entry {
                    key,
                    name,
                    value: node,
                }),
            },
        }
        Some(())
    }
}
