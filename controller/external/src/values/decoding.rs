//! `decodingStrategy` (runtime/decoding/decoding.go).

use base64::{
    Engine as _,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use crds::external_secret::DecodingStrategy;
use kit::SecretBytes;

use super::Values;

/// Why a value was not decoded. Does not quote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DecodingError {
    /// It is not what its strategy promises.
    #[error("illegal base64 data")]
    Illegal,
    /// A strategy that we do not know.
    #[error("decoding strategy {0} is not supported")]
    Strategy(String),
}

/// Decodes one value. `Auto` decodes any plain text that happens to be valid base64, as the
/// incumbent does.
///
/// # Errors
/// [`DecodingError`] where the value is not base64 and has to be.
pub(crate) fn decode(
    strategy: &DecodingStrategy,
    value: SecretBytes,
) -> Result<SecretBytes, DecodingError> {
    match strategy {
        DecodingStrategy::None => Ok(value),
        DecodingStrategy::Base64 => base64(&STANDARD, &value),
        DecodingStrategy::Base64Url => base64(&URL_SAFE, &value),
        DecodingStrategy::Auto => Ok(base64(&STANDARD, &value)
            .or_else(|_| base64(&URL_SAFE, &value))
            .unwrap_or(value)),
        DecodingStrategy::Other(other) => Err(DecodingError::Strategy(other.clone())),
    }
}

/// Decodes every value.
///
/// # Errors
/// The key of the first value that does not decode, and why.
pub(crate) fn decode_all(
    strategy: &DecodingStrategy,
    values: Values,
) -> Result<Values, (String, DecodingError)> {
    let decoded = values
        .into_iter()
        .map(|(key, value)| match decode(strategy, value) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err((key, error)),
        });
    decoded.collect()
}

/// Go's decoder leaves out line breaks and does not look at the unused bits of the last digit.
fn base64(alphabet: &Alphabet, value: &SecretBytes) -> Result<SecretBytes, DecodingError> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(alphabet, config);
    let mut digits = Vec::with_capacity(value.len());
    digits.extend(
        value
            .expose()
            .iter()
            .filter(|byte| !matches!(byte, b'\r' | b'\n')),
    );
    let digits = SecretBytes::new(digits);
    engine
        .decode(digits.expose())
        .map(SecretBytes::new)
        .map_err(|_| DecodingError::Illegal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of the incumbent's decoding_test.go, and Go's leniencies.
    #[test]
    fn values_decode_as_in_go() {
        use DecodingStrategy::{Auto, Base64, Base64Url, None};
        for (decoding, value, decoded) in [
            (Base64, "Z3JlYXQtbmFtZQ==", Some("great-name")),
            (Base64, "Z3JlYXQt\r\nbmFtZQ==\n", Some("great-name")),
            (Base64, "YR==", Some("a")),
            (Base64, "YQ", Option::None),
            (Base64, "foo", Option::None),
            (Base64, "", Some("")),
            (
                Base64Url,
                "aHR0cHM6Ly9nb29nbGUuY29t",
                Some("https://google.com"),
            ),
            (Base64Url, "8J-YgA==", Some("😀")),
            (Base64, "8J-YgA==", Option::None),
            (Auto, "8J-YgA==", Some("😀")),
            (Auto, "not base64", Some("not base64")),
            (None, "Zm9v", Some("Zm9v")),
        ] {
            let result = decode(&decoding, SecretBytes::new(value.as_bytes().to_vec()));
            let found = result
                .ok()
                .map(|bytes| String::from_utf8(bytes.expose().to_vec()).unwrap());
            assert_eq!(found.as_deref(), decoded, "{} {value}", decoding);
        }
        let plain = decode(&Auto, SecretBytes::new(b"test".to_vec())).unwrap();
        assert_eq!(plain.expose(), [0xb5, 0xeb, 0x2d]);
    }
}
