//! The form that `kubeseal edit` shows: item names with blanks for values.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle};
use keys::SecretBytes;

/// What was typed: for each item its new value, or `None` where the blank stayed blank.
pub struct Form {
    /// By item name.
    pub entries: BTreeMap<String, Option<SecretBytes>>,
}

/// A form that cannot be read. Nothing of what was typed is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}; nothing was changed")]
pub struct FormError {
    line: usize,
    message: &'static str,
}

impl Form {
    /// The text of an empty form with a heading in comments.
    #[must_use]
    pub fn blank(heading: &str, items: &[&str]) -> String {
        let comments = heading.lines().map(|line| format!("# {line}\n"));
        let lines = items.iter().map(|item| {
            let key = crds::yaml::to_string(*item).unwrap_or_default();
            format!("{}:\n", key.trim_end())
        });
        comments
            .chain(std::iter::once("\n".to_owned()))
            .chain(lines)
            .collect()
    }

    /// Reads what was typed. Every value is text, whatever YAML would take it for: `5432` and `no` need
    /// no quotes here.
    ///
    /// # Errors
    ///
    /// [`FormError`] with the line that is not `name: value`.
    pub fn read(text: &[u8]) -> Result<Self, FormError> {
        let text = std::str::from_utf8(text).map_err(|_| FormError {
            line: 1,
            message: "this is not UTF-8",
        })?;
        let mut entries = BTreeMap::new();
        let mut key: Option<String> = None;
        let mut depth = 0;
        for next in Parser::new_from_str(text) {
            let (event, span) = next.map_err(|error| FormError {
                line: error.marker().line(),
                message: BROKEN,
            })?;
            let wrong = |message| FormError {
                line: span.start.line(),
                message,
            };
            match event {
                Event::MappingStart(..) if depth == 0 => depth = 1,
                Event::MappingEnd => depth = 0,
                Event::Scalar(value, style, ..) if depth == 1 => match key.take() {
                    None => key = Some(value.into_owned()),
                    Some(name) => {
                        let blank = style == ScalarStyle::Plain && span.is_empty();
                        let value =
                            (!blank).then(|| SecretBytes::new(value.into_owned().into_bytes()));
                        if entries.insert(name, value).is_some() {
                            return Err(wrong("this item is there twice"));
                        }
                    }
                },
                // A form of which all lines were removed.
                Event::Scalar(value, ..) if value.is_empty() || value == "~" => {}
                Event::Scalar(..)
                | Event::Alias(_)
                | Event::SequenceStart(..)
                | Event::MappingStart(..) => return Err(wrong(BROKEN)),
                _ => {}
            }
        }
        Ok(Self { entries })
    }
}

const BROKEN: &str = "this is not a line of the form NAME: VALUE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_stay_blank_and_values_are_text() {
        let blank = Form::blank("two\nlines", &["a", "1e3", "c.txt"]);
        assert_eq!(blank, "# two\n# lines\n\na:\n\"1e3\":\nc.txt:\n");
        let typed = blank.replace("a:", "a: 0644") + "new: |\n  one\n  two\nempty: \"\"\n";
        let form = Form::read(typed.as_bytes()).unwrap();
        let value = |name: &str| {
            form.entries[name]
                .as_ref()
                .map(|value| value.expose().to_vec())
        };
        assert_eq!(value("a").unwrap(), b"0644");
        assert_eq!(value("1e3"), None);
        assert_eq!(value("c.txt"), None);
        assert_eq!(value("new").unwrap(), b"one\ntwo\n");
        assert_eq!(value("empty").unwrap(), b"");
        assert!(Form::read(b"# nothing left\n").unwrap().entries.is_empty());
    }

    #[test]
    fn what_is_no_form_is_refused_without_a_word_of_it() {
        for text in [
            "a: [hunter2]\n",
            "- hunter2",
            "hunter2",
            "a: {hunter2: x}",
            "a: 1\na: 2",
            "a: \"hunter2",
        ] {
            let error = Form::read(text.as_bytes()).err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
