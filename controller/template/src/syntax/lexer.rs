//! The words of a template (`text/template/parse/lex.go`).

/// What stands around an action. The incumbents' default is `{{` and `}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiters {
    /// Before an action.
    pub left: String,
    /// After an action.
    pub right: String,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self {
            left: "{{".to_owned(),
            right: "}}".to_owned(),
        }
    }
}

impl Delimiters {
    /// The two given ones; an empty one stands for the default, as in Go.
    #[must_use]
    pub fn new(left: &str, right: &str) -> Self {
        let default = Self::default();
        let or = |given: &str, default: String| {
            if given.is_empty() {
                default
            } else {
                given.to_owned()
            }
        };
        Self {
            left: or(left, default.left),
            right: or(right, default.right),
        }
    }
}

/// The kind of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Assign,
    Declare,
    Pipe,
    Comma,
    LeftParenthesis,
    RightParenthesis,
    Dot,
    Field,
    Variable,
    Identifier,
    Bool,
    Nil,
    Number,
    Character,
    Quoted,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
    EndOfFile,
}

/// A word of the source with the line it starts on.
#[derive(Clone, Copy)]
pub(super) struct Word<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
    pub(super) line: usize,
}

/// Reads words until the source ends.
pub(super) struct Lexer<'s> {
    source: &'s str,
    delimiters: &'s Delimiters,
    position: usize,
    line: usize,
    inside: bool,
    parentheses: usize,
    /// The text before the position begins after a trim marker.
    trim_next: bool,
}

/// What cannot be a template.
pub(super) struct LexError {
    pub(super) line: usize,
    pub(super) problem: String,
}

type Lexed<'s> = Result<Word<'s>, LexError>;

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str, delimiters: &'s Delimiters) -> Self {
        Self {
            source,
            delimiters,
            position: 0,
            line: 1,
            inside: false,
            parentheses: 0,
            trim_next: false,
        }
    }

    /// The next word; after the last one, `EndOfFile` for ever.
    pub(super) fn next(&mut self) -> Lexed<'s> {
        if self.inside {
            self.action()
        } else {
            self.text()
        }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.position..]
    }

    fn error<T>(&self, problem: impl Into<String>) -> Result<T, LexError> {
        Err(LexError {
            line: self.line,
            problem: problem.into(),
        })
    }

    /// Takes `length` bytes as one word.
    fn take(&mut self, kind: Kind, length: usize) -> Word<'s> {
        let word = Word {
            kind,
            text: &self.rest()[..length],
            line: self.line,
        };
        self.skip(length);
        word
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest()[..length]
            .bytes()
            .filter(|byte| *byte == b'\n')
            .count();
        self.position += length;
    }

    fn text(&mut self) -> Lexed<'s> {
        loop {
            if std::mem::take(&mut self.trim_next) {
                self.skip(self.rest().len() - self.rest().trim_start_matches(SPACES).len());
            }
            let Some(length) = self.rest().find(&self.delimiters.left) else {
                let length = self.rest().len();
                let kind = if length == 0 {
                    Kind::EndOfFile
                } else {
                    Kind::Text
                };
                return Ok(self.take(kind, length));
            };
            let after = &self.rest()[length + self.delimiters.left.len()..];
            let trims = is_left_marker(after);
            let text = &self.rest()[..length];
            let kept = if trims {
                text.trim_end_matches(SPACES).len()
            } else {
                length
            };
            if kept > 0 {
                let word = self.take(Kind::Text, kept);
                self.skip(length - kept);
                return Ok(word);
            }
            self.skip(length);
            let marker = if trims { MARKER } else { 0 };
            if after[marker..].starts_with("/*") {
                self.comment(marker)?;
                continue;
            }
            self.inside = true;
            self.parentheses = 0;
            let word = self.take(Kind::LeftDelimiter, self.delimiters.left.len());
            self.skip(marker);
            return Ok(word);
        }
    }

    fn comment(&mut self, marker: usize) -> Result<(), LexError> {
        let opening = self.delimiters.left.len() + marker + 2;
        let Some(length) = self.rest()[opening..].find("*/") else {
            return self.error("unclosed comment");
        };
        self.skip(opening + length + 2);
        let Some(trims) = self.at_right() else {
            return self.error("comment ends before closing delimiter");
        };
        self.skip(self.delimiters.right.len() + if trims { MARKER } else { 0 });
        self.trim_next = trims;
        Ok(())
    }

    /// Whether the right delimiter is next, and whether with a trim marker.
    fn at_right(&self) -> Option<bool> {
        let rest = self.rest();
        if is_right_marker(rest) && rest[MARKER..].starts_with(&self.delimiters.right) {
            return Some(true);
        }
        rest.starts_with(&self.delimiters.right).then_some(false)
    }

    fn action(&mut self) -> Lexed<'s> {
        if let Some(trims) = self.at_right() {
            if self.parentheses > 0 {
                return self.error("unclosed left paren");
            }
            self.skip(if trims { MARKER } else { 0 });
            self.inside = false;
            self.trim_next = trims;
            return Ok(self.take(Kind::RightDelimiter, self.delimiters.right.len()));
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return self.error("unclosed action");
        };
        match first {
            ' ' | '\t' | '\r' | '\n' => Ok(self.space()),
            '=' => Ok(self.take(Kind::Assign, 1)),
            ':' if rest.starts_with(":=") => Ok(self.take(Kind::Declare, 2)),
            ':' => self.error("expected :="),
            '|' => Ok(self.take(Kind::Pipe, 1)),
            ',' => Ok(self.take(Kind::Comma, 1)),
            '"' => self.quoted('"', "unterminated quoted string"),
            '\'' => self.quoted('\'', "unterminated character constant"),
            '`' => match rest[1..].find('`') {
                Some(length) => Ok(self.take(Kind::Quoted, length + 2)),
                None => self.error("unterminated raw quoted string"),
            },
            '$' => self.name(Kind::Variable, 1),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            '.' => self.name(Kind::Field, 1),
            '+' | '-' | '0'..='9' => self.number(),
            c if is_alphanumeric(c) => self.name(Kind::Identifier, 0),
            '(' => {
                self.parentheses += 1;
                Ok(self.take(Kind::LeftParenthesis, 1))
            }
            ')' if self.parentheses == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parentheses -= 1;
                Ok(self.take(Kind::RightParenthesis, 1))
            }
            c => self.error(format!(
                "unexpected character {} in action",
                c.escape_default()
            )),
        }
    }

    /// A run of spaces, without the last one if that begins a trim marker.
    fn space(&mut self) -> Word<'s> {
        let rest = self.rest();
        let mut length = rest.len() - rest.trim_start_matches(SPACES).len();
        let marker = &rest[length - 1..];
        if length > 1
            && is_right_marker(marker)
            && marker[MARKER..].starts_with(&self.delimiters.right)
        {
            length -= 1;
        }
        self.take(Kind::Space, length)
    }

    fn quoted(&mut self, quote: char, problem: &str) -> Lexed<'s> {
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => return self.error(problem),
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    let kind = if quote == '"' {
                        Kind::Quoted
                    } else {
                        Kind::Character
                    };
                    return Ok(self.take(kind, at + 1));
                }
                _ => {}
            }
        }
        self.error(problem)
    }

    fn number(&mut self) -> Lexed<'s> {
        let rest = self.rest();
        let signed = usize::from(rest.starts_with(['+', '-']));
        let hex = rest[signed..].starts_with("0x") || rest[signed..].starts_with("0X");
        let mut length = signed;
        let mut previous = ' ';
        for c in rest[signed..].chars() {
            let exponent = if hex {
                matches!(previous, 'p' | 'P')
            } else {
                matches!(previous, 'e' | 'E')
            };
            if !(is_alphanumeric(c) || c == '.' || (exponent && matches!(c, '+' | '-'))) {
                break;
            }
            length += c.len_utf8();
            previous = c;
        }
        let word = &rest[..length];
        if super::Number::parse(word).is_none() {
            return self.error(format!("bad number syntax: {word}"));
        }
        Ok(self.take(Kind::Number, length))
    }

    fn name(&mut self, kind: Kind, sigil: usize) -> Lexed<'s> {
        let rest = self.rest();
        let named = &rest[sigil..];
        let length = named.find(|c| !is_alphanumeric(c)).unwrap_or(named.len());
        let after = &named[length..];
        let ends = match after.chars().next() {
            None => true,
            Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => after.starts_with(&self.delimiters.right),
        };
        if !ends {
            let c = after.chars().next().unwrap_or(' ');
            return self.error(format!("bad character {} in action", c.escape_default()));
        }
        let kind = match (kind, &named[..length]) {
            (Kind::Field, "") => Kind::Dot,
            (Kind::Identifier, word) => keyword(word),
            (other, _) => other,
        };
        Ok(self.take(kind, sigil + length))
    }
}

fn keyword(word: &str) -> Kind {
    match word {
        "block" => Kind::Block,
        "break" => Kind::Break,
        "continue" => Kind::Continue,
        "define" => Kind::Define,
        "else" => Kind::Else,
        "end" => Kind::End,
        "if" => Kind::If,
        "nil" => Kind::Nil,
        "range" => Kind::Range,
        "template" => Kind::Template,
        "with" => Kind::With,
        "true" | "false" => Kind::Bool,
        _ => Kind::Identifier,
    }
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_left_marker(text: &str) -> bool {
    text.starts_with('-') && text[1..].starts_with(SPACES)
}

fn is_right_marker(text: &str) -> bool {
    text.starts_with(SPACES) && text[1..].starts_with('-')
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// A trim marker is a minus and a space.
const MARKER: usize = 2;
