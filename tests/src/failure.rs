//! The one error of the harness: what failed, and where in the test.

use std::error::Error;
use std::fmt;
use std::panic::Location;

/// Why a test, a step of the demo or a preparation cannot go on.
///
/// Every error converts into it with `?`, which records the line that asked. It deliberately does
/// not implement [`Error`] itself, as that would forbid the conversion.
pub struct Failure {
    message: String,
    place: &'static Location<'static>,
}

impl Failure {
    /// A failure in words: a lowercase fragment that says what was attempted and what came of it.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: Location::caller(),
        }
    }

    /// Says, before the cause, what was being done.
    #[must_use]
    pub fn while_doing(self, attempt: &str) -> Self {
        Self {
            message: format!("{attempt}: {}", self.message),
            place: self.place,
        }
    }

    /// What went wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// As the test runner prints it.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  at {}", self.message, self.place)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        // Its own text repeats the whole answer of the API server after the message.
        if let Some(kube::Error::Api(status)) = (&error as &dyn Error).downcast_ref() {
            return Self::new(status.message.clone());
        }
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self {
            message,
            place: Location::caller(),
        }
    }
}
