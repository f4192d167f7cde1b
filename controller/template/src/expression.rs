//! Go's regular expressions for what is no template: keys that are rewritten, names that are sought.

use std::{fmt, sync::Arc};

use crate::functions::pattern::Pattern;
use crate::run::Failure;

/// A regular expression as Go's package `regexp` reads it.
#[derive(Clone)]
pub struct Expression(Arc<Pattern>);

/// The longest text that [`Expression::replace_all`] makes. Without a bound each character of one
/// text could become a whole object.
pub const LONGEST_REPLACEMENT: usize = 1 << 16;

impl Expression {
    /// Compiles an expression. It takes time in proportion to the text that it is matched with.
    ///
    /// # Errors
    /// In Go's words where it has some; without the expression.
    pub fn new(source: &str) -> Result<Self, String> {
        let pattern = Pattern::new(source).map_err(described)?;
        Ok(Self(Arc::new(pattern)))
    }

    /// Whether it fits some part of a text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.regex.is_match(text)
    }

    /// The text with every match replaced (`ReplaceAllString`): `$1`, `${1}` and `$name` in `target`
    /// stand for groups.
    ///
    /// # Errors
    /// Where the result would be longer than [`LONGEST_REPLACEMENT`].
    pub fn replace_all(&self, text: &str, target: &str) -> Result<String, String> {
        let mut result = Vec::new();
        let mut write = |piece: &[u8]| {
            if result.len() + piece.len() > LONGEST_REPLACEMENT {
                let limit = format!("the result is longer than {LONGEST_REPLACEMENT} bytes");
                return Err(Failure::new(limit));
            }
            result.extend_from_slice(piece);
            Ok(())
        };
        let mut done = 0;
        for captures in self.0.regex.captures_iter(text) {
            let group = |index| captures.get(index).map(|group| group.as_str().as_bytes());
            let whole = captures.get_match();
            write(&text.as_bytes()[done..whole.start()]).map_err(described)?;
            self.0
                .expanded(target.as_bytes(), &group, &mut write)
                .map_err(described)?;
            done = whole.end();
        }
        write(&text.as_bytes()[done..]).map_err(described)?;
        // Texts were joined at the ends of characters.
        String::from_utf8(result).map_err(|_| "the result is no text".to_owned())
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression")
            .field(&self.0.regex.as_str())
            .finish()
    }
}

fn described(failure: Failure) -> String {
    match failure {
        Failure::Problem(problem) => problem,
        Failure::Message(_) | Failure::Exceeded(_) => "it takes too much".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_would_grow_without_end_is_refused() {
        let every = Expression::new("(?s).").unwrap();
        let long = "x".repeat(1 << 10);
        assert_eq!(every.replace_all("ab", "$0$0").unwrap(), "aabb");
        assert!(every.replace_all(&long, &long).is_err());
    }
}
