//! What every part answers to `controller adopt --dry-run`: what taking a cluster over would change.

mod incumbent;
mod listing;

use std::fmt;

pub use incumbent::{Incumbent, incumbents};
pub use listing::{ListError, all, everywhere};

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// What the controller would write besides statuses, one line each. Empty is the answer that a
    /// take-over wants.
    pub changes: Vec<String>,
    /// The objects for which something outside would be asked at once, and why. The incumbent would
    /// ask for the same.
    pub due: Vec<String>,
    /// What would not be served, and why. What it made stays as it is.
    pub problems: Vec<String>,
    /// The incumbents that still run, and those that something would bring back: two controllers that
    /// write the same objects get in each other's way.
    pub running: Vec<String>,
    /// What the incumbent would leave behind, and what to do about it.
    pub remnants: Vec<String>,
    /// How many objects there are, what is left alone, and what could not be looked at.
    pub remarks: Vec<String>,
}

impl fmt::Display for Adoption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            writeln!(formatter, "would change: nothing")?;
        }
        let sections = [
            ("would change", &self.changes),
            ("would be asked for at once", &self.due),
            ("would not be served", &self.problems),
            ("still runs, or may run again", &self.running),
            ("stays behind", &self.remnants),
            ("remarks", &self.remarks),
        ];
        for (title, lines) in sections {
            if !lines.is_empty() {
                writeln!(formatter, "{title}:")?;
            }
            for line in lines {
                writeln!(formatter, "  {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_that_is_wanted_is_nothing() {
        let adoption = Adoption {
            remarks: vec!["3 ExternalSecrets".into()],
            ..Adoption::default()
        };
        assert_eq!(
            adoption.to_string(),
            "would change: nothing\nremarks:\n  3 ExternalSecrets\n"
        );
        let adoption = Adoption {
            changes: vec!["Secret a/b would be created".into()],
            ..Adoption::default()
        };
        assert_eq!(
            adoption.to_string(),
            "would change:\n  Secret a/b would be created\n"
        );
    }
}
