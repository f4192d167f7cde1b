//! The template as the other crates see it.

use std::collections::BTreeMap;

use keys::SecretBytes;

use crate::functions::Dialect;
use crate::limits::{Budget, Exceeded};
use crate::run::{Failure, Missing, Stopped, run};
use crate::syntax::{Definitions, MAXIMUM_DEPTH, Problem, SyntaxError, parse};
use crate::value::{Map, Text, Value};
use crate::{Delimiters, Limits, TemplateError};

/// The values of one object by key, `.` of the template.
pub type Values = BTreeMap<String, SecretBytes>;

/// A parsed template.
///
/// ```
/// use template::{Delimiters, Dialect, Limits, Template, Values};
///
/// let source = "postgres://{{ .user | urlquery }}:{{ .password | urlquery }}@db/app";
/// let template = Template::parse(source, Dialect::SealedSecrets, &Delimiters::default())?;
/// let mut values = Values::new();
/// values.insert("user".into(), b"app".to_vec().into());
/// values.insert("password".into(), b"p@ss".to_vec().into());
/// let result = template.render(&values, &Limits::default())?;
/// assert_eq!(result.expose(), b"postgres://app:p%40ss@db/app");
/// # Ok::<(), template::TemplateError>(())
/// ```
pub struct Template {
    definitions: Definitions,
    dialect: Dialect,
    missing: Missing,
    literals: String,
}

impl Template {
    /// Reads a template. Every function it names must exist in the dialect.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Syntax`] with the line, [`TemplateError::Refused`] for a function that is
    /// known and not supported, [`TemplateError::TooCostly`] for a source that is too long or nested
    /// too deep.
    pub fn parse(
        source: &str,
        dialect: Dialect,
        delimiters: &Delimiters,
    ) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_BYTES {
            return Err(TemplateError::TooCostly {
                line: 1,
                exceeded: Exceeded::Source(SOURCE_BYTES),
            });
        }
        let definitions = parse(source, dialect.incumbent(), delimiters).map_err(
            |SyntaxError { line, problem }| match problem {
                Problem::Grammar(problem) => TemplateError::Syntax { line, problem },
                Problem::Refused { name, reason } => TemplateError::Refused { line, name, reason },
                Problem::TooDeep => TemplateError::TooCostly {
                    line,
                    exceeded: Exceeded::Depth(MAXIMUM_DEPTH),
                },
            },
        )?;
        Ok(Self {
            definitions,
            dialect,
            missing: dialect.incumbent().missing(),
            literals: source.to_owned(),
        })
    }

    /// The same template where a key that is not there is no error and prints `<no value>`: what Go
    /// does unless it is told otherwise.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self {
            missing: Missing::NoValue,
            ..self
        }
    }

    /// Runs the template on the values. Call it where blocking is allowed: it computes.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Failed`] with the line of the action, [`TemplateError::TooCostly`] if a limit
    /// is reached. What was written until then is wiped.
    pub fn render(&self, values: &Values, limits: &Limits) -> Result<SecretBytes, TemplateError> {
        let budget = Budget::new(limits);
        let data = values
            .iter()
            .map(|(key, value)| (Text::from(key.as_str()), Text::new(value.expose().to_vec())))
            .collect();
        let data = Value::Map(Map::strings(data));
        match run(&self.definitions, self.dialect, self.missing, data, &budget) {
            Ok(bytes) => Ok(SecretBytes::new(bytes)),
            Err(Stopped { line, failure }) => Err(match failure {
                Failure::Problem(problem) => TemplateError::Failed { line, problem },
                Failure::Message(message) => TemplateError::Failed {
                    line,
                    problem: self.shown(&message),
                },
                Failure::Exceeded(exceeded) => TemplateError::TooCostly { line, exceeded },
            }),
        }
    }

    /// The names of all functions of a dialect, sorted.
    #[must_use]
    pub fn functions(dialect: Dialect) -> Vec<&'static str> {
        crate::functions::names(dialect.incumbent())
    }

    /// The message given to `fail`, if the template says it word for word: made out of values, it
    /// could carry one into a status.
    fn shown(&self, message: &Text) -> String {
        match std::str::from_utf8(message.bytes()) {
            Ok(text) if self.literals.contains(text) => format!("error calling fail: {text}"),
            _ => {
                "fail was called; its message is not shown, for it is not a literal of the template"
                    .to_owned()
            }
        }
    }
}

/// The longest source: etcd takes no object of more than 1.5 MiB.
const SOURCE_BYTES: usize = 1 << 20;
