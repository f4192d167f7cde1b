//! The name of a Git object.

use std::fmt;

/// The name of a Git object: SHA-1, as 20 bytes. Git itself checks for collisions (its SHA-1 detects them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid([u8; 20]);

impl Oid {
    /// Reads 40 lower- or upper-case hexadecimal digits; `None` for anything else, SHA-256 names too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_as_they_were_read() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Oid::parse(text).unwrap().to_string(), text);
        assert_eq!(Oid::parse(&text.to_uppercase()).unwrap().to_string(), text);
        for wrong in [
            "",
            "0123",
            &text[1..],
            &"0".repeat(64),
            &"g".repeat(40),
            &"é".repeat(20),
        ] {
            assert_eq!(Oid::parse(wrong), None, "{wrong}");
        }
    }
}
