//! Putting variables into the text of an object, as Flux's dialect of shell parameters does (fluxcd/pkg envsubst).
//!
//! The dialect has corners that repositories rely on: `$$` is a dollar, `$name` stays as it is, `:?` and `:+` are defaults
//! like `:-`, and what is none of the known forms is an error. All of them are in `vectors/substitution.json`, made by
//! Flux's library.

mod filler;
mod parts;

use std::collections::BTreeMap;

use self::filler::{LONGEST_RESULT, fill};

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
