//! Putting variables into the text of an object, as Flux's dialect of shell parameters does (fluxcd/pkg envsubst).
//!
//! The dialect has corners that repositories rely on: `$$` is a dollar, `$name` stays as it is, `:?` and `:+` are defaults
//! like `:-`, and what is none of the known forms is an error. All of them are in `vectors/substitution.json`, made by
//! Flux's library.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

use crate::tree::glob;

/// Names and values. No `Debug`: values may come from Secrets.
#[derive(Clone, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    /// Whether texts are looked at even without any variable, for their defaults.
    always: bool,
}

/// Why a text could not be filled in. Names variables, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubstitutionError {
    /// A name that no variable can have.
    #[error("'{0}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    Name(String),
    /// A `${` that is none of the known forms.
    #[error(
        "line {line}: not a substitution; write $${{ for a literal ${{, or turn it off with the annotation kustomize.toolkit.fluxcd.io/substitute: disabled"
    )]
    Form {
        /// In the object as it was rendered.
        line: usize,
    },
    /// Forms within forms, without end.
    #[error("line {line}: substitutions are nested too deeply")]
    TooDeep {
        /// In the object as it was rendered.
        line: usize,
    },
    /// More text than an object can hold.
    #[error("the result is over {LONGEST_RESULT} bytes")]
    TooLong,
    /// A variable without a value and without a default.
    #[error("line {line}: variable not set (strict mode): \"{name}\"")]
    Unset {
        /// In the object as it was rendered.
        line: usize,
        /// The variable.
        name: String,
    },
}

impl Variables {
    /// No variables yet; `always` says whether texts are looked at without any.
    #[must_use]
    pub fn new(always: bool) -> Self {
        Self {
            values: BTreeMap::new(),
            always,
        }
    }

    /// Sets a variable. Line breaks are taken out of the value, as Flux does (kustomize_varsub.go, `LoadVariables`).
    ///
    /// # Errors
    /// [`SubstitutionError::Name`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SubstitutionError> {
        let is_start = |c: char| c == '_' || c.is_ascii_alphabetic();
        let fits =
            name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
        if !fits {
            return Err(SubstitutionError::Name(kit::redact::foreign(name)));
        }
        self.values.insert(name.to_owned(), value.replace('\n', ""));
        Ok(())
    }

    /// Whether texts are looked at at all.
    #[must_use]
    pub fn are_used(&self) -> bool {
        self.always || !self.values.is_empty()
    }

    /// Fills in a text. A variable that is not set and has no default is an error.
    ///
    /// # Errors
    /// [`SubstitutionError`] with the line.
    pub fn fill(&self, text: &str) -> Result<String, SubstitutionError> {
        fill(text, &|name| self.values.get(name).cloned())
    }
}

fn fill(
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

fn first(value: &str, change: fn(char) -> String) -> String {
    let mut rest = value.chars();
    rest.next()
        .map_or_else(String::new, |c| change(c) + rest.as_str())
}

/// A part of the value by bytes, counted from the end where negative. What is no number gives the whole value.
fn substring(value: &str, start: &str, length: Option<&str>) -> String {
    let number = |text: &str| text.parse::<i64>().ok();
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let Some(start) = number(start) else {
        return value.to_owned();
    };
    let start = if start < 0 {
        size.saturating_add(start).max(0)
    } else {
        start
    };
    let end = match length {
        None => size,
        Some(length) => match number(length) {
            None => return value.to_owned(),
            Some(length) if length < 0 => size.saturating_add(length),
            Some(length) => start.saturating_add(length).min(size),
        },
    };
    let index = |at: i64| usize::try_from(at).unwrap_or_default();
    let part = value
        .as_bytes()
        .get(index(start)..index(end.max(0)))
        .unwrap_or_default();
    String::from_utf8_lossy(part).into_owned()
}

/// The value without what its beginning has of the pattern: the longest such beginning, or the shortest, but never none.
fn without_prefix(value: &str, pattern: &str, longest: bool) -> String {
    let ends = value.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut fitting = ends.filter(|end| glob::matches(pattern, &value[..*end]));
    let end = if longest {
        fitting.next_back()
    } else {
        fitting.next()
    };
    value[end.unwrap_or_default()..].to_owned()
}

/// An object in etcd is at most 1.5 MiB.
const LONGEST_RESULT: usize = 4 << 20;

/// Defaults in defaults; people write one or two.
const DEEPEST: usize = 50;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Made {
        variables: BTreeMap<String, String>,
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        text: String,
        strict: bool,
        result: String,
        failed: bool,
        #[serde(default)]
        crashed: bool,
    }

    #[test]
    fn texts_are_filled_in_as_by_flux() {
        let made: Made =
            serde_json::from_str(include_str!("../../vectors/substitution.json")).unwrap();
        assert!(made.vectors.len() > 300);
        for vector in made.vectors {
            let value_of = |name: &str| {
                let value = made.variables.get(name).cloned();
                if vector.strict {
                    value
                } else {
                    Some(value.unwrap_or_default())
                }
            };
            let filled = fill(&vector.text, &value_of);
            if vector.crashed {
                continue;
            }
            let expected = (!vector.failed).then_some(vector.result.as_str());
            assert_eq!(
                filled.as_deref().ok(),
                expected,
                "{} {}: {filled:?}",
                vector.text,
                vector.strict
            );
        }
    }

    #[test]
    fn a_negative_length_counts_from_the_end() {
        let fill = |text: &str| fill(text, &|_| Some("Signet".into())).unwrap();
        assert_eq!(fill("${name:1:-1}"), "igne");
        assert_eq!(fill("${name:4:-4}"), "");
    }

    #[test]
    fn errors_name_the_line_and_the_variable_and_no_value() {
        let mut variables = Variables::new(false);
        variables.set("secret", "hunter2\n").unwrap();
        assert_eq!(variables.fill("a: ${secret}").unwrap(), "a: hunter2");
        let error = variables.fill("a: ${secret}\nb: ${other}").unwrap_err();
        assert_eq!(
            error,
            SubstitutionError::Unset {
                line: 2,
                name: "other".into()
            }
        );
        let error = variables
            .fill("a: ${secret}\n\nb: ${secret.x}")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("line 3: not a substitution") && !error.contains("hunter2"));
        assert!(matches!(
            variables.set("a-b", "x"),
            Err(SubstitutionError::Name(_))
        ));
        assert!(matches!(
            variables.set("1a", "x"),
            Err(SubstitutionError::Name(_))
        ));
    }

    #[test]
    fn forms_within_forms_and_long_values_are_bounded() {
        let deep = "${a:-".repeat(10_000) + &"}".repeat(10_000);
        assert!(matches!(
            fill(&deep, &|_| None),
            Err(SubstitutionError::TooDeep { .. })
        ));
        let long = "${a}".repeat(10_000);
        assert_eq!(
            fill(&long, &|_| Some("x".repeat(10_000))),
            Err(SubstitutionError::TooLong)
        );
    }
}
