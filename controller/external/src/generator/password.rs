//! Random passwords (generators/v1/password/password.go, and github.com/sethvargo/go-password, whose
//! rules and error texts these are).

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use crds::generator::{PasswordEncoding, PasswordSpec};
use kit::SecretBytes;
use rand::{
    Rng,
    seq::{IndexedRandom as _, SliceRandom as _},
};

use crate::values::Values;

const LENGTH: i64 = 24;
const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SYMBOLS: &str = "~!@#$%^&*()_+`-={}|[]\\:\"<>?,./";
/// Longer is no password, and would not fit into a Secret.
const LONGEST: usize = 65_536;

/// One password for each key that is asked for.
pub(super) fn generate(spec: &PasswordSpec) -> Result<Values, String> {
    let keys = match spec.secret_keys.as_slice() {
        [] => vec!["password".to_owned()],
        keys => keys.to_vec(),
    };
    let unique: BTreeSet<&String> = keys.iter().collect();
    if unique.len() != keys.len() || keys.iter().any(String::is_empty) {
        return Err("secretKeys must be non-empty and unique".to_owned());
    }
    let recipe = Recipe::of(spec)?;
    let mut random = rand::rng();
    keys.into_iter()
        .map(|key| Ok((key, encoded(recipe.cook(&mut random), &spec.encoding)?)))
        .collect()
}

/// How many characters of which kind.
struct Recipe {
    parts: [(Vec<char>, usize); 3],
    allow_repeat: bool,
}

impl Recipe {
    fn of(spec: &PasswordSpec) -> Result<Self, String> {
        let length = if spec.length > 0 { spec.length } else { LENGTH };
        let quarter = length / 4;
        let count = |asked: Option<i64>| usize::try_from(asked.unwrap_or(quarter));
        let negative = |_| "digits and symbols must not be negative".to_owned();
        let digits = count(spec.digits).map_err(negative)?;
        let symbols = count(spec.symbols).map_err(negative)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(format!("length must be at most {LONGEST}"));
        }
        let letters = length.checked_sub(digits.saturating_add(symbols));
        let letters = letters.ok_or_else(|| {
            "number of digits and symbols must be less than total length".to_owned()
        })?;
        let alphabet = if spec.no_upper {
            LOWER.to_owned()
        } else {
            format!("{LOWER}{UPPER}")
        };
        let parts = [
            ("letters", distinct(&alphabet), letters),
            ("digits", distinct(DIGITS), digits),
            (
                "symbols",
                distinct(spec.symbol_characters.as_deref().unwrap_or(SYMBOLS)),
                symbols,
            ),
        ];
        for (name, pool, count) in &parts {
            let too_many = !spec.allow_repeat && *count > pool.len();
            if too_many || (*count > 0 && pool.is_empty()) {
                return Err(format!(
                    "number of {name} exceeds available {name} and repeats are not allowed"
                ));
            }
        }
        Ok(Self {
            parts: parts.map(|(_, pool, count)| (pool, count)),
            allow_repeat: spec.allow_repeat,
        })
    }

    fn cook(&self, random: &mut impl Rng) -> SecretBytes {
        let mut all = Vec::new();
        for (pool, count) in &self.parts {
            if self.allow_repeat {
                all.extend((0..*count).filter_map(|_| pool.choose(random)).copied());
            } else {
                all.extend(pool.sample(random, *count).copied());
            }
        }
        all.shuffle(random);
        let text: String = all.iter().collect();
        all.fill('\0');
        SecretBytes::new(text.into_bytes())
    }
}

fn distinct(text: &str) -> Vec<char> {
    let characters: BTreeSet<char> = text.chars().collect();
    characters.into_iter().collect()
}

fn encoded(password: SecretBytes, encoding: &PasswordEncoding) -> Result<SecretBytes, String> {
    let bytes = password.expose();
    let text = match encoding {
        PasswordEncoding::Raw => return Ok(password),
        PasswordEncoding::Base64 => BASE64_STANDARD.encode(bytes),
        PasswordEncoding::Base64Url => BASE64_URL_SAFE.encode(bytes),
        PasswordEncoding::Base32 => base32(bytes),
        PasswordEncoding::Hex => {
            let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
            bytes
                .iter()
                .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
                .collect()
        }
        PasswordEncoding::Other(other) => {
            return Err(format!("the encoding {other} is not served"));
        }
    };
    Ok(SecretBytes::new(text.into_bytes()))
}

/// RFC 4648 with padding, as Go's `base32.StdEncoding`.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let bits = (0..5).fold(0_u64, |bits, at| {
            bits << 8 | u64::from(chunk.get(at).copied().unwrap_or(0))
        });
        let digits = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let index = usize::try_from(bits >> (35 - 5 * at) & 31).unwrap_or(0);
            text.push(if at < digits {
                char::from(ALPHABET[index])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(spec: &PasswordSpec) -> Result<String, String> {
        let values = generate(spec)?;
        Ok(String::from_utf8(values["password"].expose().to_vec()).unwrap())
    }

    #[test]
    fn a_password_has_as_many_characters_of_each_kind_as_asked() {
        for (spec, length, digits, symbols) in [
            (PasswordSpec::default(), 24, 6, 6),
            (
                PasswordSpec {
                    length: 40,
                    digits: Some(0),
                    symbols: Some(3),
                    ..PasswordSpec::default()
                },
                40,
                0,
                3,
            ),
            (
                PasswordSpec {
                    length: 300,
                    digits: Some(100),
                    symbols: Some(0),
                    allow_repeat: true,
                    ..PasswordSpec::default()
                },
                300,
                100,
                0,
            ),
        ] {
            let password = made(&spec).unwrap();
            assert_eq!(password.chars().count(), length);
            assert_eq!(
                password.chars().filter(char::is_ascii_digit).count(),
                digits
            );
            assert_eq!(
                password.chars().filter(char::is_ascii_punctuation).count(),
                symbols
            );
            if !spec.allow_repeat {
                assert_eq!(distinct(&password).len(), length);
            }
        }
        let lower = PasswordSpec {
            no_upper: true,
            symbol_characters: Some("é".into()),
            symbols: Some(1),
            ..PasswordSpec::default()
        };
        let password = made(&lower).unwrap();
        assert!(password.contains('é') && !password.chars().any(char::is_uppercase));
        assert_ne!(
            made(&PasswordSpec::default()),
            made(&PasswordSpec::default())
        );
    }

    #[test]
    fn what_cannot_be_made_is_told_in_the_originals_words() {
        let of = |length, digits, symbols| PasswordSpec {
            length,
            digits: Some(digits),
            symbols: Some(symbols),
            ..PasswordSpec::default()
        };
        for (spec, text) in [
            (
                of(10, 6, 5),
                "number of digits and symbols must be less than total length",
            ),
            (
                of(60, 1, 1),
                "number of letters exceeds available letters and repeats are not allowed",
            ),
            (
                of(20, 11, 1),
                "number of digits exceeds available digits and repeats are not allowed",
            ),
            (
                of(60, 1, 40),
                "number of symbols exceeds available symbols and repeats are not allowed",
            ),
            (of(10, -1, 1), "digits and symbols must not be negative"),
            (of(1 << 40, 1, 1), "length must be at most 65536"),
            (
                PasswordSpec {
                    secret_keys: vec!["a".into(), "a".into()],
                    ..PasswordSpec::default()
                },
                "secretKeys must be non-empty and unique",
            ),
        ] {
            assert_eq!(made(&spec), Err(text.to_owned()));
        }
    }

    #[test]
    fn passwords_are_encoded() {
        for (encoding, expected) in [
            ("raw", "foob~?"),
            ("base64", "Zm9vYn4/"),
            ("base64url", "Zm9vYn4_"),
            ("base32", "MZXW6YT6H4======"),
            ("hex", "666f6f627e3f"),
        ] {
            let found = encoded(
                SecretBytes::new(b"foob~?".to_vec()),
                &PasswordEncoding::from(encoding),
            );
            assert_eq!(found.unwrap().expose(), expected.as_bytes(), "{encoding}");
        }
    }
}
