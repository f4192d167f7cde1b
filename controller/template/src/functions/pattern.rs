//! Go's regular expressions in the notation of the `regex` crate. Both are without backtracking;
//! what differs is spelling: classes are ASCII in Go, `[` and `&&` inside a class are plain there.

use crate::run::Failure;

/// The same expression for the `regex` crate.
pub(super) fn translated(source: &str) -> Result<String, Failure> {
    let mut translator = Translator {
        rest: source,
        out: String::with_capacity(source.len() + 16),
        repeated: false,
    };
    while let Some(c) = translator.next() {
        translator.one(c)?;
    }
    Ok(translator.out)
}

struct Translator<'s> {
    rest: &'s str,
    out: String,
    /// What was last written is a repetition.
    repeated: bool,
}

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

    /// `(?i)`, `(?P<name>...)`: Go has fewer flags.
    fn group(&mut self) -> Result<(), Failure> {
        self.out.push('(');
        let Some(flags) = self.rest.strip_prefix('?') else {
            return Ok(());
        };
        let named = flags.starts_with("P<") || flags.starts_with('<');
        let end = flags.find([':', ')', '<']).unwrap_or(flags.len());
        if !named
            && !flags[..end]
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
            'p' | 'P' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'x' => self.out.push_str("\\x"),
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
        } else {
            self.out.push('-');
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
