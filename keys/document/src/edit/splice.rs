//! From a change to the bytes that are replaced.

use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::Value;

use super::nodes::{Entry, Node, Shape};

/// Bytes that take the place of others.
pub(super) struct Splice {
    range: Range<usize>,
    text: String,
}

impl Splice {
    fn new(range: Range<usize>, text: String) -> Option<Self> {
        Some(Self { range, text })
    }

    pub(super) fn apply(&self, text: &str) -> String {
        let (before, after) = (&text[..self.range.start], &text[self.range.end..]);
        [before, &self.text, after].concat()
    }
}

/// Gives a field a text. What is missing on the way to it is made.
pub(super) fn set(text: &str, root: &Node, path: &[&str], value: &str) -> Option<Splice> {
    let page = Page::of(text, root);
    let mut node = root;
    let mut field: Option<Field<'_>> = None;
    for (depth, name) in path.iter().enumerate() {
        let rest = &path[depth..];
        let Some((entries, flow)) = node.entries() else {
            return page.fill(&field?, rest, value);
        };
        let found = entries
            .iter()
            .find(|entry| entry.name.as_deref() == Some(name));
        match found {
            Some(entry) => {
                field = Some(Field { entry, flow });
                node = &entry.value;
            }
            None if entries.is_empty() => return page.fill_empty(&field?, rest, value),
            None if flow => return page.insert_flow(entries, rest, value),
            None => return page.insert_block(entries, rest, value),
        }
    }
    page.replace(&field?, value)
}

/// Takes a field out.
pub(super) fn remove(text: &str, root: &Node, path: &[&str]) -> Option<Splice> {
    let page = Page::of(text, root);
    let (entries, flow, at) = find(root, path)?;
    let entry = &entries[at];
    let (from, to) = (page.key_start(entry), page.value_end(entry));
    if entries.len() == 1 {
        // An empty block mapping cannot be written, so an empty flow mapping stands in its place.
        let text = if flow { "" } else { "{}" };
        return Splice::new(from..to, text.to_owned());
    }
    let next = entries.get(at + 1);
    match (flow, next) {
        (true, Some(next)) => Splice::new(from..page.key_start(next), String::new()),
        (true, None) => Splice::new(page.value_end(&entries[at - 1])..to, String::new()),
        (false, Some(next)) if !page.begins_line(from) => {
            Splice::new(from..page.key_start(next), String::new())
        }
        (false, _) => Splice::new(page.lines(from..to), String::new()),
    }
}

/// Gives a field another name.
pub(super) fn rename(text: &str, root: &Node, path: &[&str], name: &str) -> Option<Splice> {
    let page = Page::of(text, root);
    let (entries, flow, at) = find(root, path)?;
    let key = &entries[at].key;
    let Shape::Scalar(style) = key.shape else {
        return None;
    };
    Splice::new(key.start..key.end, page.scalar(name, Some(style), flow))
}

fn find<'a>(root: &'a Node, path: &[&str]) -> Option<(&'a [Entry], bool, usize)> {
    let (last, parents) = path.split_last()?;
    let position = |entries: &[Entry], name: &str| {
        entries
            .iter()
            .position(|entry| entry.name.as_deref() == Some(name))
    };
    let mut node = root;
    for parent in parents {
        let (entries, _) = node.entries()?;
        node = &entries[position(entries, parent)?].value;
    }
    let (entries, flow) = node.entries()?;
    Some((entries, flow, position(entries, last)?))
}

/// A field on the way to the one that is changed.
struct Field<'a> {
    entry: &'a Entry,
    /// Whether it stands in a flow mapping.
    flow: bool,
}

/// A document's text with its habits.
struct Page<'a> {
    text: &'a str,
    /// The line end that the text uses.
    line_end: &'static str,
    /// What a JSON document is indented by, or nothing where it is on one line.
    unit: &'a str,
    /// Whether the document is JSON, in which everything is quoted.
    json: bool,
}

impl<'a> Page<'a> {
    fn of(text: &'a str, root: &Node) -> Self {
        let first = root.entries().and_then(|(entries, _)| entries.first());
        let json = text[root.start..].starts_with('{')
            && first.is_some_and(|entry| text[entry.key.start..].starts_with('"'));
        let mut page = Self {
            text,
            line_end: if text.contains("\r\n") { "\r\n" } else { "\n" },
            unit: "",
            json,
        };
        if let Some(entry) = first
            && json
            && page.begins_line(entry.key.start)
        {
            page.unit = page.indent(entry.key.start);
        }
        page
    }

    /// Puts another text in the place of a field's value.
    fn replace(&self, field: &Field<'_>, value: &str) -> Option<Splice> {
        let node = &field.entry.value;
        let style = match node.shape {
            Shape::Scalar(style) => Some(style),
            Shape::Alias => None,
            Shape::Sequence | Shape::Mapping { .. } => return None,
        };
        match style {
            _ if node.start == node.end => {
                let colon = self.colon(field.entry)?;
                let written = format!(" {}", self.scalar(value, None, field.flow));
                Splice::new(colon..colon, written)
            }
            Some(ScalarStyle::Literal | ScalarStyle::Folded) => {
                let header = self.block_header(field.entry)?;
                Splice::new(header..node.end, self.scalar(value, None, false))
            }
            style => Splice::new(node.start..node.end, self.scalar(value, style, field.flow)),
        }
    }

    /// Puts a mapping in the place of a field's null.
    fn fill(&self, field: &Field<'_>, rest: &[&str], value: &str) -> Option<Splice> {
        let node = &field.entry.value;
        let written = &self.text[node.start..node.end];
        if !matches!(written, "" | "~" | "null" | "Null" | "NULL")
            || !matches!(node.shape, Shape::Scalar(ScalarStyle::Plain))
        {
            return None;
        }
        let range = if written.is_empty() {
            let colon = self.colon(field.entry)?;
            colon..colon
        } else {
            node.start..node.end
        };
        if field.flow {
            let space = if written.is_empty() { " " } else { "" };
            let indent = self.indent(field.entry.key.start);
            let mapping = self.flow_mapping(rest, value, indent);
            return Splice::new(range, format!("{space}{mapping}"));
        }
        self.nest(field, range, rest, value)
    }

    /// Puts the first field into an empty mapping.
    fn fill_empty(&self, field: &Field<'_>, rest: &[&str], value: &str) -> Option<Splice> {
        let node = &field.entry.value;
        if field.flow {
            let indent = self.indent(field.entry.key.start);
            return Splice::new(node.start..node.end, self.flow_mapping(rest, value, indent));
        }
        self.nest(field, node.start..node.end, rest, value)
    }

    /// Puts a block mapping in the place of something on the line of its key. A comment behind it stays
    /// on that line.
    fn nest(
        &self,
        field: &Field<'_>,
        range: Range<usize>,
        rest: &[&str],
        value: &str,
    ) -> Option<Splice> {
        let column = self.column(self.key_start(field.entry));
        let nested = self.block_entries(rest, value, column + INDENT);
        let line_stop = self.line_stop(range.end);
        let comment = self.text[range.end..line_stop].trim();
        if !comment.is_empty() && !comment.starts_with('#') {
            return None;
        }
        let start = self.text[..range.start].trim_end_matches(' ').len();
        let comment = &self.text[range.end..line_stop];
        Splice::new(
            start..line_stop,
            format!("{comment}{}{nested}", self.line_end),
        )
    }

    /// Adds a field to a block mapping: in its order where the fields are sorted, else at the end.
    fn insert_block(&self, entries: &[Entry], rest: &[&str], value: &str) -> Option<Splice> {
        let column = self.column(self.key_start(entries.first()?));
        let written = self.block_entries(rest, value, column);
        match place(entries, rest.first()?) {
            0 => {
                let start = self.key_start(entries.first()?);
                let head = written.trim_start();
                let indent = " ".repeat(column);
                Splice::new(start..start, format!("{head}{}{indent}", self.line_end))
            }
            after => {
                let end = self.line_stop(self.value_end(&entries[after - 1]));
                Splice::new(end..end, format!("{}{written}", self.line_end))
            }
        }
    }

    /// Adds a field to a flow mapping, on a line of its own where the others have one.
    fn insert_flow(&self, entries: &[Entry], rest: &[&str], value: &str) -> Option<Splice> {
        let after = place(entries, rest.first()?);
        let neighbour = self.key_start(&entries[after.saturating_sub(1)]);
        let own_line = self.begins_line(neighbour);
        let indent = self.indent(neighbour);
        let separator = if own_line {
            format!(",{}{indent}", self.line_end)
        } else {
            ", ".to_owned()
        };
        let written = self.flow_entry(rest, value, if own_line { indent } else { "" });
        if after == 0 {
            return Splice::new(neighbour..neighbour, format!("{written}{separator}"));
        }
        let end = self.value_end(&entries[after - 1]);
        Splice::new(end..end, format!("{separator}{written}"))
    }

    fn block_entries(&self, path: &[&str], value: &str, column: usize) -> String {
        let mut written = String::new();
        for (depth, name) in path.iter().enumerate() {
            if depth > 0 {
                written.push_str(self.line_end);
            }
            written.push_str(&" ".repeat(column + depth * INDENT));
            written.push_str(&self.scalar(name, None, false));
            written.push(':');
        }
        written.push(' ');
        written.push_str(&self.scalar(value, None, false));
        written
    }

    fn flow_entry(&self, path: &[&str], value: &str, indent: &str) -> String {
        let Some((name, rest)) = path.split_first() else {
            return String::new();
        };
        let name = self.scalar(name, None, true);
        let value = if rest.is_empty() {
            self.scalar(value, None, true)
        } else {
            self.flow_mapping(rest, value, indent)
        };
        format!("{name}: {value}")
    }

    fn flow_mapping(&self, path: &[&str], value: &str, indent: &str) -> String {
        if self.unit.is_empty() {
            return format!("{{{}}}", self.flow_entry(path, value, ""));
        }
        let inner = format!("{indent}{}", self.unit);
        let entry = self.flow_entry(path, value, &inner);
        format!("{{{0}{inner}{entry}{0}{indent}}}", self.line_end)
    }

    /// A text in the quotes of the one that it replaces, or in those that it needs.
    fn scalar(&self, text: &str, style: Option<ScalarStyle>, flow: bool) -> String {
        let quoted = || crate::go_json::write(&Value::from(text));
        match style {
            _ if self.json => quoted(),
            Some(ScalarStyle::DoubleQuoted) => quoted(),
            Some(ScalarStyle::SingleQuoted) if !text.contains(char::is_control) => {
                format!("'{}'", text.replace('\'', "''"))
            }
            _ => {
                let written = crds::yaml::to_string(text).unwrap_or_default();
                let written = written.strip_suffix('\n').unwrap_or(&written);
                let plain = |c: char| c.is_ascii_alphanumeric() || "+/=._-".contains(c);
                let bad_in_flow = flow && written == text && !text.chars().all(plain);
                if written.contains('\n') || written.is_empty() || bad_in_flow {
                    quoted()
                } else {
                    written.to_owned()
                }
            }
        }
    }

    /// The byte after the colon that follows a key.
    fn colon(&self, entry: &Entry) -> Option<usize> {
        let rest = &self.text[entry.key.end..];
        let spaces = rest.len() - rest.trim_start().len();
        rest[spaces..]
            .starts_with(':')
            .then_some(entry.key.end + spaces + 1)
    }

    /// Where `|` or `>` stands before a block scalar.
    fn block_header(&self, entry: &Entry) -> Option<usize> {
        let colon = self.colon(entry)?;
        let between = &self.text[colon..entry.value.start];
        let line = between.split('\n').next()?;
        let header = line.split('#').next()?;
        header.rfind(['|', '>']).map(|at| colon + at)
    }

    /// The start of an entry: that of its key, or of the `?` before it.
    fn key_start(&self, entry: &Entry) -> usize {
        let line_start = self.line_start(entry.key.start);
        match self.text[line_start..entry.key.start]
            .trim_end_matches(' ')
            .strip_suffix('?')
        {
            Some(before) if before.trim().is_empty() => line_start + before.len(),
            _ => entry.key.start,
        }
    }

    /// The end of an entry. An empty value ends with the colon.
    fn value_end(&self, entry: &Entry) -> usize {
        if entry.value.end <= entry.key.end {
            return self.colon(entry).unwrap_or(entry.key.end);
        }
        entry.value.end
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// The end of the line that a byte is in, without its line end.
    fn line_stop(&self, at: usize) -> usize {
        let end = self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |end| at + end);
        if self.text[..end].ends_with('\r') && end > at {
            end - 1
        } else {
            end
        }
    }

    /// Whole lines, with the line end of the last one, or of the one before where it has none.
    fn lines(&self, range: Range<usize>) -> Range<usize> {
        let start = self.line_start(range.start);
        let stop = self.line_stop(range.end);
        match self.text[stop..].find('\n') {
            Some(end) => start..stop + end + 1,
            None => self.text[..start].trim_end_matches(['\r', '\n']).len()..stop,
        }
    }

    fn begins_line(&self, at: usize) -> bool {
        self.text[self.line_start(at)..at].trim().is_empty()
    }

    fn indent(&self, at: usize) -> &'a str {
        let line = &self.text[self.line_start(at)..at];
        &line[..line.len() - line.trim_start().len()]
    }

    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }
}

const INDENT: usize = 2;

/// After how many entries a new one comes.
fn place(entries: &[Entry], name: &str) -> usize {
    let names: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry.name.as_deref())
        .collect();
    if names.len() > 1 && names.len() == entries.len() && names.is_sorted() {
        names.partition_point(|present| *present < name)
    } else {
        entries.len()
    }
}
