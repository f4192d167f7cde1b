//! Reading a text and the forms in it.

use std::{iter::Peekable, str::Chars};

use super::{
    SubstitutionError,
    parts::{first, substring, without_prefix},
};

/// Fills in a text. `value_of` knows the variables that are set.
pub(super) fn fill(
    text: &str,
    value_of: &dyn Fn(&str) -> Option<String>,
) -> Result<String, SubstitutionError> {
    let mut filler = Filler {
        rest: text.chars().peekable(),
        line: 1,
        depth: 0,
        value_of,
    };
    filler.text()
}

struct Filler<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    depth: usize,
    value_of: &'a dyn Fn(&str) -> Option<String>,
}

/// A variable as it was found, and whether it was set.
struct Found {
    name: String,
    value: Option<String>,
}

impl Filler<'_> {
    /// Everything outside of braces.
    fn text(&mut self) -> Result<String, SubstitutionError> {
        let mut result = String::new();
        while let Some(c) = self.next() {
            match (c, self.rest.peek()) {
                ('$', Some('$')) => {
                    self.next();
                    result.push('$');
                }
                ('$', Some('{')) => {
                    self.next();
                    result.push_str(&self.form()?);
                }
                _ => result.push(c),
            }
            if result.len() > LONGEST_RESULT {
                return Err(SubstitutionError::TooLong);
            }
        }
        Ok(result)
    }

    /// What follows `${`, up to its `}`.
    fn form(&mut self) -> Result<String, SubstitutionError> {
        if self.depth >= DEEPEST {
            return Err(SubstitutionError::TooDeep { line: self.line });
        }
        self.depth += 1;
        let result = self.shallow_form();
        self.depth -= 1;
        result
    }

    fn shallow_form(&mut self) -> Result<String, SubstitutionError> {
        if self.take('#') {
            let found = self.name()?;
            self.close()?;
            return Ok(self.required(found)?.len().to_string());
        }
        let found = self.name()?;
        match self.rest.peek() {
            Some(':') => self.colon(found),
            Some('=') => {
                self.next();
                self.default(found)
            }
            Some(',' | '^') => self.casing(found),
            Some('/') => self.replacing(found),
            Some('#') => self.trimming(found, '#'),
            Some('%') => self.trimming(found, '%'),
            _ => {
                self.close()?;
                self.required(found)
            }
        }
    }

    fn name(&mut self) -> Result<Found, SubstitutionError> {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            name.push(c);
        }
        if name.is_empty() {
            return Err(self.no_form());
        }
        let value = (self.value_of)(&name);
        Ok(Found { name, value })
    }

    /// `:` begins a default or a substring.
    fn colon(&mut self, found: Found) -> Result<String, SubstitutionError> {
        self.next();
        if matches!(self.rest.peek(), Some('=' | '-' | '?' | '+')) {
            self.next();
            return self.default(found);
        }
        let start = self.argument(|c| c != ':' && c != '}', false)?;
        let length = if self.take(':') {
            Some(self.argument(|c| c != '}', false)?)
        } else {
            None
        };
        self.close()?;
        Ok(substring(&self.required(found)?, &start, length.as_deref()))
    }

    /// The value, or else everything up to the brace. That of bash's forms only this one is meant for unset variables.
    fn default(&mut self, found: Found) -> Result<String, SubstitutionError> {
        let mut default = String::new();
        while !self.take('}') {
            default.push_str(&self.argument(|c| c != '}', false)?);
        }
        Ok(found
            .value
            .filter(|value| !value.is_empty())
            .unwrap_or(default))
    }

    fn casing(&mut self, found: Found) -> Result<String, SubstitutionError> {
        let mut operator = String::new();
        while operator.len() < 2
            && let Some(c) = self.rest.next_if(|c| matches!(c, ',' | '^'))
        {
            operator.push(c);
        }
        self.close()?;
        let value = self.required(found)?;
        Ok(match operator.as_str() {
            "," => first(&value, |c| c.to_lowercase().collect()),
            ",," => value.to_lowercase(),
            "^" => first(&value, |c| c.to_uppercase().collect()),
            "^^" => value.to_uppercase(),
            _ => value,
        })
    }

    fn replacing(&mut self, found: Found) -> Result<String, SubstitutionError> {
        self.next();
        let kind = self.rest.next_if(|c| matches!(c, '/' | '#' | '%'));
        let old = self.argument(|c| c != '/', true)?;
        if !self.take('/') {
            return Err(self.no_form());
        }
        let new = if self.rest.peek() == Some(&'}') {
            None
        } else {
            Some(self.argument(|c| c != '}', true)?)
        };
        self.close()?;
        let value = self.required(found)?;
        Ok(match (kind, new) {
            (None, new) => value.replacen(&old, &new.unwrap_or_default(), 1),
            (Some('/'), new) => value.replace(&old, &new.unwrap_or_default()),
            (Some('#'), Some(new)) if value.starts_with(&old) => value.replacen(&old, &new, 1),
            (Some('%'), Some(new)) => value
                .strip_suffix(&old)
                .map_or_else(|| value.clone(), |stem| format!("{stem}{new}")),
            _ => value,
        })
    }

    fn trimming(&mut self, found: Found, side: char) -> Result<String, SubstitutionError> {
        self.next();
        let longest = self.take(side);
        let pattern = self.argument(|c| c != '}', false)?;
        self.close()?;
        let value = self.required(found)?;
        if side == '#' {
            return Ok(without_prefix(&value, &pattern, longest));
        }
        let reversed = |text: &str| text.chars().rev().collect::<String>();
        Ok(reversed(&without_prefix(
            &reversed(&value),
            &reversed(&pattern),
            longest,
        )))
    }

    /// One argument: a form of its own, or text up to what `accepts` does not, or up to a form. Never nothing.
    fn argument(
        &mut self,
        accepts: fn(char) -> bool,
        escapes: bool,
    ) -> Result<String, SubstitutionError> {
        let mut text = String::new();
        while let Some(&c) = self.rest.peek() {
            let mut ahead = self.rest.clone();
            ahead.next();
            let after = ahead.peek().copied();
            match (c, after) {
                ('$', Some('{')) if text.is_empty() => {
                    self.next();
                    self.next();
                    return self.form();
                }
                ('$', Some('{')) => break,
                ('$', Some('$')) | ('\\', Some('/' | '\\')) if escapes => {
                    self.next();
                    text.extend(self.next());
                }
                _ if accepts(c) => text.extend(self.next()),
                _ => break,
            }
        }
        if text.is_empty() {
            Err(self.no_form())
        } else {
            Ok(text)
        }
    }

    fn required(&self, found: Found) -> Result<String, SubstitutionError> {
        let Found { name, value } = found;
        value.ok_or(SubstitutionError::Unset {
            line: self.line,
            name,
        })
    }

    fn close(&mut self) -> Result<(), SubstitutionError> {
        if self.take('}') {
            Ok(())
        } else {
            Err(self.no_form())
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let taken = self.rest.peek() == Some(&wanted);
        if taken {
            self.next();
        }
        taken
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn no_form(&self) -> SubstitutionError {
        SubstitutionError::Form { line: self.line }
    }
}

/// An object in etcd is at most 1.5 MiB.
pub(super) const LONGEST_RESULT: usize = 4 << 20;

/// Defaults in defaults; people write one or two.
const DEEPEST: usize = 50;
