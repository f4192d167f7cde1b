//! What is wrong with a text, and where, without a word of it.

use granit_parser::{ErrorKind, Marker, ScanError};

/// Why a text could not be read. Never quotes the text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl Error {
    pub(super) fn new(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self {
            line,
            column,
            message: message.into(),
        }
    }

    pub(super) fn at(marker: Marker, message: impl Into<String>) -> Self {
        Self::new(marker.line(), marker.col() + 1, message)
    }

    /// A value that is not of the type it is read as. serde's own text quotes the value.
    pub(super) fn unfit(line: usize, error: &serde_json::Error) -> Self {
        Self::new(line, 1, without_value(&error.to_string()))
    }
}

impl From<ScanError> for Error {
    fn from(error: ScanError) -> Self {
        let message = match error.kind() {
            ErrorKind::UnexpectedCharacter { .. } => "unexpected character".to_owned(),
            ErrorKind::Custom(_) => "malformed".to_owned(),
            kind => kind.to_string(),
        };
        Self::at(*error.marker(), message)
    }
}

/// Of serde's message what comes from our types: the name of a missing field, and what was expected.
fn without_value(message: &str) -> String {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message);
    if message.starts_with("missing field `") {
        return message.to_owned();
    }
    let kind = ["invalid type", "invalid value", "invalid length"];
    let kind = kind.into_iter().find(|kind| message.starts_with(kind));
    match (kind, message.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {expected}"),
        _ if message.starts_with("unknown field") => "unknown field".to_owned(),
        _ => "does not fit the expected type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_error_never_quotes_the_value() {
        #[derive(Debug, serde::Deserialize)]
        struct Config {
            #[serde(rename = "port")]
            _port: u16,
        }
        for (value, message) in [
            (
                serde_json::json!({"port": "hunter2"}),
                "invalid type, expected u16",
            ),
            (
                serde_json::json!({"port": "a, expected b"}),
                "invalid type, expected u16",
            ),
            (
                serde_json::json!({"port": 70_000}),
                "invalid value, expected u16",
            ),
            (serde_json::json!({}), "missing field `port`"),
        ] {
            let error = serde_json::from_value::<Config>(value).unwrap_err();
            assert_eq!(
                Error::unfit(3, &error).to_string(),
                format!("line 3, column 1: {message}")
            );
        }
    }
}
