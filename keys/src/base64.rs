//! Base64 as Go's `StdEncoding` reads and writes it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

/// The text is not base64 of the standard alphabet with padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {offset}")]
pub struct NotBase64 {
    /// Where the first wrong byte is, counted without the line ends.
    pub offset: usize,
}

/// Reads standard base64. Carriage returns and line feeds are ignored wherever they stand, padding
/// is required, the bits that padding leaves over may be anything, and nothing else is forgiven, as in
/// Go's `encoding/base64` (`StdEncoding`, which is not `Strict`).
///
/// # Errors
///
/// [`NotBase64`] with the place of the first byte that does not belong.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    if text.bytes().any(is_line_end) {
        // The text may be a plaintext Secret value, so the copy without line ends is wiped.
        let joined: Zeroizing<Vec<u8>> =
            Zeroizing::new(text.bytes().filter(|byte| !is_line_end(*byte)).collect());
        return decode_bytes(&joined);
    }
    decode_bytes(text.as_bytes())
}

/// Writes standard base64 with padding and without line ends.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads as Go's `StdEncoding` does.
const LIKE_GO: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn decode_bytes(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
    LIKE_GO.decode(text).map_err(|error| NotBase64 {
        offset: match error {
            base64::DecodeError::InvalidByte(offset, _)
            | base64::DecodeError::InvalidLastSymbol(offset, _) => offset,
            // Go names the start of the last, incomplete group.
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                text.len() - text.len() % 4
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_ignored_and_nothing_else_is() {
        assert_eq!(decode("aGVs\r\nbG8=\n").unwrap(), b"hello");
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("aGVs bG8=").unwrap_err().offset, 4);
        assert_eq!(decode("aGVsbG8").unwrap_err().offset, 4);
        assert!(decode("_-8=").is_err());
    }

    #[test]
    fn the_bits_that_padding_leaves_over_are_ignored_as_go_does() {
        assert_eq!(decode("aGVsbG9=").unwrap(), decode("aGVsbG8=").unwrap());
    }
}
