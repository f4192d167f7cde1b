//! Go's regular expressions in the notation of the `regex` crate. Both are without backtracking;
//! what differs is spelling: classes are ASCII in Go, `[` and `&&` inside a class are plain there.

use crate::run::Failure;

/// The names of the groups, by their number: the `regex` crate allows fewer, so its groups have none.
pub(super) type Names = Vec<Option<String>>;

/// The same expression for the `regex` crate, and the names of its groups.
pub(super) fn translated(source: &str) -> Result<(String, Names), Failure> {
    let mut translator = Translator {
        rest: source,
        out: String::with_capacity(source.len() + 16),
        repeated: false,
        names: vec![None],
    };
    while let Some(c) = translator.next() {
        translator.one(c)?;
    }
    Ok((translator.out, translator.names))
}

struct Translator<'s> {
    rest: &'s str,
    out: String,
    /// What was last written is a repetition.
    repeated: bool,
    /// The names of the groups until now; the whole match is the first and has none.
    names: Names,
}

/// The classes that are written `[[:alpha:]]`.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The most repetitions Go allows.
const MOST_REPETITIONS: u32 = 1000;

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let c = characters.next()?;
        self.rest = characters.as_str();
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn one(&mut self, c: char) -> Result<(), Failure> {
        let was_repeated = std::mem::take(&mut self.repeated);
        match c {
            '\\' => self.escape(),
            '[' => self.class(),
            '(' => self.group(),
            '*' | '+' | '?' => self.repetition(&c.to_string(), was_repeated),
            '{' => match counted(self.rest) {
                Some((length, most)) => {
                    if most > MOST_REPETITIONS {
                        return Err(Failure::new("error parsing regexp: invalid repeat count"));
                    }
                    let (count, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    self.repetition(&["{", count].concat(), was_repeated)
                }
                None => {
                    self.out.push_str("\\{");
                    Ok(())
                }
            },
            '}' | ']' => {
                self.out.push('\\');
                self.out.push(c);
                Ok(())
            }
            other => {
                self.out.push(other);
                Ok(())
            }
        }
    }

    fn repetition(&mut self, operator: &str, was_repeated: bool) -> Result<(), Failure> {
        if was_repeated {
            return Err(Failure::new(
                "error parsing regexp: invalid nested repetition operator",
            ));
        }
        self.out.push_str(operator);
        if self.peek() == Some('?') {
            self.next();
            self.out.push('?');
        }
        self.repeated = true;
        Ok(())
    }

    /// `(?i)`, `(?P<name>...)`: Go has fewer flags, and more names.
    fn group(&mut self) -> Result<(), Failure> {
        self.out.push('(');
        let Some(flags) = self.rest.strip_prefix('?') else {
            self.names.push(None);
            return Ok(());
        };
        let name = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<'));
        if let Some(name) = name {
            return self.group_name(name);
        }
        let end = flags.find([':', ')']).unwrap_or(flags.len());
        if !flags[..end]
            .chars()
            .all(|c| matches!(c, 'i' | 'm' | 's' | 'U' | '-'))
        {
            return Err(Failure::new(
                "error parsing regexp: invalid or unsupported Perl syntax",
            ));
        }
        // The question mark is no repetition.
        self.out.push('?');
        self.rest = flags;
        Ok(())
    }

    fn group_name(&mut self, rest: &str) -> Result<(), Failure> {
        let Some((name, rest)) = rest.split_once('>') else {
            return Err(Failure::new("error parsing regexp: invalid named capture"));
        };
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            return Err(Failure::new("error parsing regexp: invalid named capture"));
        }
        self.names.push(Some(name.to_owned()));
        self.rest = &self.rest[self.rest.len() - rest.len()..];
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Failure> {
        let Some(c) = self.next() else {
            return Err(Failure::new(
                "error parsing regexp: trailing backslash at end of expression",
            ));
        };
        match c {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            's' => self.out.push_str("[\\t\\n\\f\\r ]"),
            'S' => self.out.push_str("[^\\t\\n\\f\\r ]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            'b' => self.out.push_str("(?-u:\\b)"),
            'B' => self.out.push_str("\\B"),
            'A' => self.out.push_str("\\A"),
            'z' => self.out.push_str("\\z"),
            'Q' => {
                let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.out.push_str(&regex::escape(literal));
                self.rest = rest;
            }
            other => return self.shared_escape(other),
        }
        Ok(())
    }

    /// Escapes that mean the same in a class and outside.
    fn shared_escape(&mut self, c: char) -> Result<(), Failure> {
        match c {
            'p' | 'P' | 'x' => self.with_braces(c),
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                self.out.push('\\');
                self.out.push(c);
            }
            '0'..='7' => {
                let more = self
                    .rest
                    .chars()
                    .take(2)
                    .take_while(|c| c.is_digit(8))
                    .count();
                if c != '0' && more == 0 {
                    return Err(Failure::new(
                        "error parsing regexp: invalid escape sequence",
                    ));
                }
                let digits = [&c.to_string(), &self.rest[..more]].concat();
                self.rest = &self.rest[more..];
                let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
                let written = format!("\\x{{{code:x}}}");
                self.out.push_str(&written);
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => self.literal(c),
            _ => {
                return Err(Failure::new(
                    "error parsing regexp: invalid escape sequence",
                ));
            }
        }
        Ok(())
    }

    /// `\p{Greek}` and `\x{1F600}`: the braces are no repetition.
    fn with_braces(&mut self, c: char) {
        self.out.push('\\');
        let Some(inner) = self.rest.strip_prefix('{') else {
            self.out.push(c);
            return;
        };
        match (c, inner.strip_prefix('^')) {
            ('p', Some(_)) => self.out.push('P'),
            ('P', Some(_)) => self.out.push('p'),
            _ => self.out.push(c),
        }
        let end = self.rest.find('}').map_or(self.rest.len(), |at| at + 1);
        self.out
            .extend(self.rest[..end].chars().filter(|c| *c != '^'));
        self.rest = &self.rest[end..];
    }

    /// A character that stands for itself.
    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    fn class(&mut self) -> Result<(), Failure> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.next();
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(c) = self.next() else {
                return Err(Failure::new("error parsing regexp: missing closing ]"));
            };
            match c {
                ']' if !first => break,
                '[' if self.rest.starts_with(':') && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").map_or(0, |at| at + 2);
                    let name = self.rest[..end].trim_matches([':', '^', ']']);
                    if !CLASSES.contains(&name) {
                        return Err(Failure::new(
                            "error parsing regexp: invalid character class range",
                        ));
                    }
                    self.out.push('[');
                    self.out.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end..];
                }
                '\\' => self.class_escape()?,
                '-' => self.dash(first),
                other => self.literal(other),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// A range, or a plain minus at either end of the class.
    fn dash(&mut self, first: bool) {
        if first || self.peek() == Some(']') {
            self.out.push_str("\\-");
            return;
        }
        self.out.push('-');
        // The end of a range; twice without a backslash is another operator for us.
        if self.peek() == Some('-') {
            self.next();
            self.out.push_str("\\-");
        }
    }

    fn class_escape(&mut self) -> Result<(), Failure> {
        let Some(c) = self.next() else {
            return Err(Failure::new(
                "error parsing regexp: trailing backslash at end of expression",
            ));
        };
        match c {
            'd' => self.out.push_str("0-9"),
            's' => self.out.push_str("\\t\\n\\f\\r "),
            'w' => self.out.push_str("0-9A-Za-z_"),
            'D' => self.out.push_str("[^0-9]"),
            'S' => self.out.push_str("[^\\t\\n\\f\\r ]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            other => return self.shared_escape(other),
        }
        Ok(())
    }
}

/// `3}`, `3,}` or `3,5}` at the start: its length and the larger number. Anything else is text.
fn counted(rest: &str) -> Option<(usize, u32)> {
    let end = rest.find('}')?;
    let (low, high) = match rest[..end].split_once(',') {
        Some((low, high)) => (low, Some(high)),
        None => (&rest[..end], None),
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u32::MAX))
    };
    let low = number(low)?;
    let high = match high {
        None | Some("") => low,
        Some(high) => number(high)?,
    };
    Some((end + 1, low.max(high)))
}
