//! Why running stopped, before a line is known.

use crate::limits::Exceeded;
use crate::value::Text;

/// Why a function or action failed. The text names types and constants, never a value.
pub(crate) enum Failure {
    Problem(String),
    /// What the template said by `fail`.
    Message(Text),
    Exceeded(Exceeded),
}

impl Failure {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self::Problem(problem.into())
    }

    /// The same failure, said to come from a function.
    pub(crate) fn calling(self, function: &str) -> Self {
        match self {
            Self::Problem(problem) => Self::Problem(format!("error calling {function}: {problem}")),
            other => other,
        }
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}
