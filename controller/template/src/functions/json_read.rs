//! JSON text to values, as `encoding/json` reads it. Every number is a float64.

use std::collections::BTreeMap;

use crate::limits::Budget;
use crate::run::Failure;
use crate::value::{ENTRY_BYTES, List, MAXIMUM_DEPTH, Map, Text, Value, first_rune, push_rune};

/// Reads one JSON text.
pub(super) fn parse(text: &[u8], budget: &Budget) -> Result<Value, Failure> {
    let mut reader = Reader {
        text,
        at: 0,
        budget,
    };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(Failure::new("invalid character after top-level value"));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    budget: &'t Budget,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn wrong<T>(&self, where_: &str) -> Result<T, Failure> {
        if self.at >= self.text.len() {
            return Err(Failure::new("unexpected end of JSON input"));
        }
        Err(Failure::new(format!(
            "invalid character {where_} at byte {}",
            self.at
        )))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Failure> {
        self.budget.step(1)?;
        if depth > MAXIMUM_DEPTH {
            return Err(Failure::new("the JSON text is nested too deep"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.wrong("looking for beginning of value"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Failure> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return self.wrong("in literal");
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value, Failure> {
        self.at += 1;
        let mut entries = BTreeMap::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'}') if entries.is_empty() => break,
                Some(b'"') => {}
                _ => return self.wrong("looking for beginning of object key string"),
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.wrong("after object key");
            }
            self.at += 1;
            self.budget.allocate(ENTRY_BYTES)?;
            entries.insert(key, self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.wrong("after object key:value pair"),
            }
        }
        self.at += 1;
        Ok(Value::Map(Map::any(entries)))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Failure> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(List::any(items)));
        }
        loop {
            self.budget.allocate(ENTRY_BYTES)?;
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.wrong("after array element"),
            }
        }
        self.at += 1;
        Ok(Value::List(List::any(items)))
    }

    fn number(&mut self) -> Result<Value, Failure> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.wrong("in numeric literal"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.at_least_one_digit()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.at_least_one_digit()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(Value::Float(n)),
            _ => Err(Failure::new("a number is out of range")),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn at_least_one_digit(&mut self) -> Result<(), Failure> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.wrong("in numeric literal");
        }
        self.digits();
        Ok(())
    }

    /// Invalid UTF-8 and lone surrogates become U+FFFD.
    fn string(&mut self) -> Result<Text, Failure> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let Some((rune, width)) = first_rune(&self.text[self.at..]) else {
                return self.wrong("in string literal");
            };
            match rune {
                '"' => break,
                '\\' => {
                    self.at += 1;
                    self.escape(&mut out)?;
                    continue;
                }
                low if low < ' ' => return self.wrong("in string literal"),
                other => push_rune(&mut out, other),
            }
            self.at += width;
        }
        self.at += 1;
        self.budget.allocate(out.len())?;
        Ok(Text::new(out))
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let first = self.hexadecimal()?;
                push_rune(out, self.surrogates(first)?);
                return Ok(());
            }
            _ => return self.wrong("in string escape code"),
        };
        out.push(plain);
        self.at += 1;
        Ok(())
    }

    fn surrogates(&mut self, first: u32) -> Result<char, Failure> {
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        if self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.hexadecimal()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Result<u32, Failure> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let parsed = digits
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        let Some(code) = parsed else {
            return self.wrong("in \\u hexadecimal character escape");
        };
        self.at += 4;
        Ok(code)
    }
}
