//! From values to text, byte for byte as `sigs.k8s.io/yaml` writes them (that is, kubectl): keys sorted,
//! sequences not indented, lines folded after 80 columns, `|` for several lines.
//!
//! The rules are those of libyaml's emitter as `yaml.v2` uses it (`encode.go`, `emitterc.go`); only the
//! part that JSON values can reach is here.

use serde::Serialize;
use serde_json::Value;

use super::style::{Style, is_printable};
use super::{Error, float, key_order};

/// Columns after which a space may become a line break.
const WIDTH: usize = 80;
/// Bytes up to which a key may stand without a `? ` before it.
const SIMPLE_KEY: usize = 128;

/// Writes a value as one document, without `---`. Ends with a line break.
///
/// # Errors
/// When the value is none that JSON has: a map with keys that are no texts, an infinite number.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    let value = serde_json::to_value(value).map_err(|error| Error::unfit(1, &error))?;
    let mut writer = Writer::default();
    writer.node(&value, Place::Root);
    writer.line();
    Ok(writer.text)
}

/// Where a node stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Root,
    Item,
    Value,
    SimpleKey,
}

#[derive(Default)]
struct Writer {
    text: String,
    /// Characters since the last line break.
    column: usize,
    /// Indentation of the innermost collection; `None` before the first.
    indent: Option<usize>,
    /// Whether a blank was written last, so that none is needed before a token.
    blank: bool,
    /// Whether nothing but indentation and `- ` is on the line.
    fresh: bool,
}

impl Writer {
    fn node(&mut self, value: &Value, place: Place) {
        match value {
            Value::Null => self.token("null"),
            Value::Bool(boolean) => self.token(if *boolean { "true" } else { "false" }),
            Value::Number(number) => match float_of(number) {
                Some(float) => self.token(&float::print(float)),
                None => self.token(&number.to_string()),
            },
            Value::String(text) => self.string(text, place),
            Value::Array(items) if items.is_empty() => self.token("[]"),
            Value::Object(entries) if entries.is_empty() => self.token("{}"),
            Value::Array(items) => {
                // A sequence that is a value stands where its key stands.
                let flush = place == Place::Value && !self.fresh;
                let outer = self.enter(if flush { 0 } else { 2 });
                for item in items {
                    self.line();
                    self.indicator("-");
                    self.node(item, Place::Item);
                }
                self.indent = outer;
            }
            Value::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|(left, _), (right, _)| key_order::compare(left, right));
                let outer = self.enter(2);
                for (key, value) in entries {
                    self.entry(key, value);
                }
                self.indent = outer;
            }
        }
    }

    fn entry(&mut self, key: &str, value: &Value) {
        self.line();
        if key.len() <= SIMPLE_KEY && !key.contains('\n') {
            self.string(key, Place::SimpleKey);
            self.put(':');
            self.blank = false;
            self.fresh = false;
        } else {
            self.indicator("?");
            self.string(key, Place::Value);
            self.line();
            self.indicator(":");
        }
        self.node(value, Place::Value);
    }

    /// Enters a collection or a scalar; the result is for leaving it. The first one starts at the margin.
    fn enter(&mut self, by: usize) -> Option<usize> {
        let outer = self.indent;
        self.indent = Some(outer.map_or(0, |indent| indent + by));
        outer
    }

    /// Begins a line at the indentation, unless we stand there.
    fn line(&mut self) {
        let indent = self.indent.unwrap_or_default();
        if !self.fresh || self.column > indent || (self.column == indent && !self.blank) {
            // The very first line is there already.
            if !self.text.is_empty() {
                self.line_break();
            }
        }
        while self.column < indent {
            self.put(' ');
        }
        self.blank = true;
        self.fresh = true;
    }

    /// `-`, `?` or `:`, after which a collection may go on in the same line.
    fn indicator(&mut self, indicator: &str) {
        self.space();
        self.text.push_str(indicator);
        self.column += 1;
        self.blank = false;
    }

    fn token(&mut self, token: &str) {
        self.space();
        for c in token.chars() {
            self.put(c);
        }
        self.blank = false;
        self.fresh = false;
    }

    fn space(&mut self) {
        if !self.blank && !self.text.is_empty() {
            self.put(' ');
        }
    }

    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    fn line_break(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn string(&mut self, text: &str, place: Place) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(2, |indent| indent + 2));
        let folds = place != Place::SimpleKey;
        match Style::of(text, place == Place::SimpleKey) {
            Style::Plain => self.plain(text, folds),
            Style::Single => self.single_quoted(text, folds),
            Style::Double => self.double_quoted(text, folds),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    fn plain(&mut self, text: &str, folds: bool) {
        self.space();
        self.folded(text, folds, |writer, c| writer.put(c), 0);
        self.blank = false;
        self.fresh = false;
    }

    fn single_quoted(&mut self, text: &str, folds: bool) {
        self.space();
        self.put('\'');
        self.fresh = false;
        let quoted = |writer: &mut Self, c| {
            if c == '\'' {
                writer.put('\'');
            }
            writer.put(c);
        };
        self.folded(text, folds, quoted, 1);
        self.put('\'');
        self.blank = false;
        self.fresh = false;
    }

    /// Writes a text that may be folded at single spaces, but at least `margin` characters from its ends.
    /// Writes a text that may be folded at single spaces, but at least `margin` characters from its ends.
    fn folded(&mut self, text: &str, folds: bool, put: impl Fn(&mut Self, char), margin: usize) {
        let characters: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (at, c) in characters.iter().copied().enumerate() {
            if c != ' ' {
                put(self, c);
                after_space = false;
                continue;
            }
            let inside = at >= margin && at + margin < characters.len();
            let single = !after_space && characters.get(at + 1) != Some(&' ');
            if folds && single && inside && self.column > WIDTH {
                self.fresh = false;
                self.line();
            } else {
                self.put(' ');
            }
            after_space = true;
        }
    }

    fn double_quoted(&mut self, text: &str, folds: bool) {
        self.space();
        self.put('"');
        self.fresh = false;
        let characters: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (at, c) in characters.iter().copied().enumerate() {
            if c != ' ' {
                if !is_printable(c) || matches!(c, '\n' | '"' | '\\') {
                    self.escape(c);
                } else {
                    self.put(c);
                }
                after_space = false;
                continue;
            }
            let inside = at > 0 && at + 1 < characters.len();
            if folds && !after_space && inside && self.column > WIDTH {
                self.line();
                if characters.get(at + 1) == Some(&' ') {
                    self.put('\\');
                }
            } else {
                self.put(' ');
            }
            after_space = true;
        }
        self.put('"');
        self.blank = false;
        self.fresh = false;
    }

    fn escape(&mut self, c: char) {
        let code = u32::from(c);
        let escape = match c {
            '\0' => "\\0".to_owned(),
            '\u{7}' => "\\a".to_owned(),
            '\u{8}' => "\\b".to_owned(),
            '\t' => "\\t".to_owned(),
            '\n' => "\\n".to_owned(),
            '\u{b}' => "\\v".to_owned(),
            '\u{c}' => "\\f".to_owned(),
            '\r' => "\\r".to_owned(),
            '\u{1b}' => "\\e".to_owned(),
            '"' | '\\' => format!("\\{c}"),
            '\u{85}' => "\\N".to_owned(),
            '\u{a0}' => "\\_".to_owned(),
            '\u{2028}' => "\\L".to_owned(),
            '\u{2029}' => "\\P".to_owned(),
            _ if code <= 0xFF => format!("\\x{code:02X}"),
            _ if code <= 0xFFFF => format!("\\u{code:04X}"),
            _ => format!("\\U{code:08X}"),
        };
        for c in escape.chars() {
            self.put(c);
        }
    }

    fn literal(&mut self, text: &str) {
        self.space();
        self.put('|');
        if text.starts_with([' ', '\n']) {
            self.put('2');
        }
        match text.strip_suffix('\n') {
            None => self.put('-'),
            Some("") => self.put('+'),
            Some(rest) if rest.ends_with('\n') => self.put('+'),
            Some(_) => {}
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.line_break();
            self.blank = true;
            self.fresh = true;
            if !line.is_empty() {
                self.line();
                for c in line.chars() {
                    self.put(c);
                }
                self.fresh = false;
            }
        }
        if text.ends_with('\n') {
            self.line_break();
            self.blank = true;
            self.fresh = true;
        }
    }
}

/// A number that Go prints as float.
fn float_of(number: &serde_json::Number) -> Option<f64> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    float::number(float)
        .is_some_and(|number| number.is_f64())
        .then_some(float)
}
