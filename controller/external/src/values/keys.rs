//! The keys of a Secret: conversion and validation (runtime/esutils/utils.go, `ConvertKeys` and
//! `ValidateKeys`).

use std::{fmt::Write as _, sync::LazyLock};

use crds::external_secret::ConversionStrategy;
use regex::Regex;

use super::Values;

/// The longest key of a Secret.
const LONGEST: usize = 253;

/// Why a set of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeyError {
    /// Two keys become one.
    #[error("secret name collision during conversion: {0}")]
    Collision(String),
    /// A character that no key may have.
    #[error(
        "key has invalid character {character}, only alphanumeric, '-', '.' and '_' are allowed: {key}"
    )]
    Character {
        /// The first such character.
        character: char,
        /// The key.
        key: String,
    },
    /// Too long.
    #[error("key has length {length} but max is 253: (following is truncated): {start}")]
    Length {
        /// The length in bytes.
        length: usize,
        /// As much of the key as would be allowed.
        start: String,
    },
}

/// Replaces what no key may have.
///
/// # Errors
/// [`KeyError::Collision`] where two keys become one.
pub(crate) fn convert_all(
    strategy: &ConversionStrategy,
    values: Values,
) -> Result<Values, KeyError> {
    let mut converted = Values::new();
    for (key, value) in values {
        let key = convert(strategy, &key);
        if converted.contains_key(&key) {
            return Err(KeyError::Collision(key));
        }
        converted.insert(key, value);
    }
    Ok(converted)
}

fn convert(strategy: &ConversionStrategy, key: &str) -> String {
    let mut converted = String::with_capacity(key.len());
    for character in key.chars() {
        match strategy {
            _ if allowed(character) => converted.push(character),
            ConversionStrategy::Default => converted.push('_'),
            ConversionStrategy::Unicode => {
                let written = write!(converted, "_U{:04x}_", u32::from(character));
                debug_assert!(written.is_ok(), "a String takes any text");
            }
            ConversionStrategy::Other(_) => converted.push(character),
        }
    }
    converted
}

/// Refuses keys that no Secret may have. An empty key is silently left out, as the incumbent does.
///
/// # Errors
/// [`KeyError`] for the first key that is refused.
pub(crate) fn validate(values: &mut Values) -> Result<(), KeyError> {
    values.remove("");
    for key in values.keys() {
        if key.len() > LONGEST {
            let end = (0..=LONGEST)
                .rev()
                .find(|end| key.is_char_boundary(*end))
                .unwrap_or(0);
            return Err(KeyError::Length {
                length: key.len(),
                start: key[..end].to_owned(),
            });
        }
        if let Some(character) = key.chars().find(|character| !allowed(*character)) {
            return Err(KeyError::Character {
                character,
                key: key.clone(),
            });
        }
    }
    Ok(())
}

/// Go's `unicode.IsLetter` and `unicode.IsNumber`, which Rust's `is_alphanumeric` is wider than,
/// and `-`, `.` and `_`.
fn allowed(character: char) -> bool {
    static LETTER_OR_NUMBER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}]$").ok());
    match character {
        '-' | '.' | '_' => true,
        _ if character.is_ascii() => character.is_ascii_alphanumeric(),
        _ => {
            let text = character.encode_utf8(&mut [0; 4]).to_owned();
            LETTER_OR_NUMBER
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::SecretBytes;

    use super::*;

    fn values(keys: &[&str]) -> Values {
        keys.iter()
            .map(|key| ((*key).to_owned(), SecretBytes::new(key.as_bytes().to_vec())))
            .collect()
    }

    fn keys(values: &Values) -> Vec<&str> {
        values.keys().map(String::as_str).collect()
    }

    /// The cases of the incumbent's TestConvertKeys.
    #[test]
    fn keys_are_converted_as_the_incumbent_does() {
        for (conversion, key, converted) in [
            (
                ConversionStrategy::Default,
                "foo$bar%baz*bing",
                "foo_bar_baz_bing",
            ),
            (
                ConversionStrategy::Default,
                "/foo/bar/baz/bing",
                "_foo_bar_baz_bing",
            ),
            (
                ConversionStrategy::Unicode,
                "😀foo😁bar😂baz😈bing",
                "_U1f600_foo_U1f601_bar_U1f602_baz_U1f608_bing",
            ),
            (ConversionStrategy::Unicode, "a/b", "a_U002f_b"),
            (ConversionStrategy::Default, "é-٣.Ⅷ_", "é-٣.Ⅷ_"),
            (ConversionStrategy::Default, "a\u{345}b", "a_b"),
        ] {
            assert_eq!(
                keys(&convert_all(&conversion, values(&[key])).unwrap()),
                [converted]
            );
        }
        let collision = convert_all(&ConversionStrategy::Default, values(&["foo$", "foo%"]));
        assert_eq!(collision.err(), Some(KeyError::Collision("foo_".into())));
    }

    #[test]
    fn keys_that_no_secret_may_have_are_refused() {
        let mut with_empty = values(&["", "a.b-c_D9"]);
        validate(&mut with_empty).unwrap();
        assert_eq!(keys(&with_empty), ["a.b-c_D9"]);
        let slash = validate(&mut values(&["foo/bar"])).err().unwrap();
        assert_eq!(
            slash.to_string(),
            "key has invalid character /, only alphanumeric, '-', '.' and '_' are allowed: foo/bar"
        );
        let long = validate(&mut values(&[&"é".repeat(127)])).err().unwrap();
        assert!(
            long.to_string()
                .starts_with("key has length 254 but max is 253")
        );
    }
}
