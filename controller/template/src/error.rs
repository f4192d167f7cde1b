//! Why a template gave no result.

use crate::limits::Exceeded;

/// Why a template could not be parsed or rendered.
///
/// The text never holds a value of the object: it names functions, types, keys and lines of the
/// template only, so it may go into a status or an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The source is not a template. `line` counts from one.
    #[error("line {line}: {problem}")]
    Syntax {
        /// The line where reading stopped.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The template uses a function that the incumbent has and this engine refuses to run.
    #[error("line {line}: function {name} is not supported: {reason}")]
    Refused {
        /// The line of the call.
        line: usize,
        /// The function.
        name: String,
        /// Why it is refused and what to do instead.
        reason: &'static str,
    },
    /// A missing key, a wrong type, or a function that failed.
    #[error("line {line}: {problem}")]
    Failed {
        /// The line of the action.
        line: usize,
        /// What went wrong.
        problem: String,
    },
    /// The template asked for more than it may have.
    #[error("line {line}: the template takes too much: {exceeded}")]
    TooCostly {
        /// The line of the action.
        line: usize,
        /// Which limit, and how high it is.
        exceeded: Exceeded,
    },
}

impl TemplateError {
    /// Whether the template was stopped for the time it took, which depends on what else the machine
    /// does.
    #[must_use]
    pub fn is_for_want_of_time(&self) -> bool {
        matches!(
            self,
            Self::TooCostly {
                exceeded: Exceeded::Time(_),
                ..
            }
        )
    }
}
