//! Reading a range.

use super::{
    Version, identifiers,
    range::{Bound, Open, Operator},
};

/// Reads one alternative of a range.
pub(super) struct Parser<'a> {
    pub(super) rest: &'a str,
}

impl Parser<'_> {
    /// Bounds with blanks or commas between them.
    pub(super) fn bounds(mut self) -> Option<Vec<Bound>> {
        let mut bounds = Vec::new();
        self.blanks();
        loop {
            let operator = self.operator();
            self.blanks();
            let bound = self.bound(operator.unwrap_or(Operator::Equal))?;
            let had_blanks = self.blanks();
            if had_blanks && operator.is_none() && self.is_hyphen() {
                self.take("-");
                self.blanks();
                bounds.push(Bound {
                    operator: Operator::GreaterOrEqual,
                    ..bound
                });
                bounds.push(self.bound(Operator::LessOrEqual)?);
            } else {
                bounds.push(bound);
            }
            let had_blanks = self.blanks() || had_blanks;
            if self.rest.is_empty() {
                return Some(bounds);
            }
            if !self.take(",") && !had_blanks {
                return None;
            }
            self.blanks();
        }
    }

    fn is_hyphen(&self) -> bool {
        self.rest
            .strip_prefix('-')
            .is_some_and(|after| after.starts_with(char::is_whitespace))
    }

    fn operator(&mut self) -> Option<Operator> {
        OPERATORS
            .iter()
            .find(|(text, _)| self.take(text))
            .map(|(_, operator)| *operator)
    }

    fn bound(&mut self, operator: Operator) -> Option<Bound> {
        self.take("v");
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || c == ',')
            .unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (text, prerelease) = text
            .split_once('-')
            .map_or((text, None), |(text, prerelease)| (text, Some(prerelease)));
        let mut numbers = [0; 3];
        let mut open = Open::Nothing;
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        for (index, number) in numbers.iter_mut().enumerate() {
            let part = parts.get(index).copied().unwrap_or("x");
            if matches!(part, "x" | "X" | "*") {
                open = if open == Open::Nothing {
                    [Open::All, Open::Minor, Open::Patch][index]
                } else {
                    open
                };
                continue;
            }
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let given: u64 = part.parse().ok()?;
            if open == Open::Nothing {
                *number = given;
            }
        }
        let prerelease = prerelease.map_or(Some(Vec::new()), identifiers)?;
        Some(Bound {
            operator,
            version: Version {
                numbers,
                prerelease,
            },
            open,
        })
    }

    fn blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start();
        self.rest.len() != before
    }

    fn take(&mut self, text: &str) -> bool {
        self.rest
            .strip_prefix(text)
            .map(|rest| self.rest = rest)
            .is_some()
    }
}

/// The longer ones first.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];
