//! Which account a request is charged to, as far as it can be told without asking.
//!
//! AWS throttles the account of the identity that asks, so all identities of one account share one
//! allowance of ours.

use aws_credential_types::Credentials;

/// The account of these credentials: what STS said, else what the access key id says.
#[must_use]
pub(super) fn account_of(credentials: &Credentials) -> Option<String> {
    credentials
        .account_id()
        .map(|account| account.as_str().to_owned())
        .or_else(|| from_access_key(credentials.access_key_id()))
}

/// AWS puts the account into the access key ids that it makes: 40 bits in base32 behind the
/// four-letter prefix, shifted by seven (of 48 bits, the first is not used).
fn from_access_key(access_key: &str) -> Option<String> {
    let digits = access_key
        .strip_prefix("AKIA")
        .or_else(|| access_key.strip_prefix("ASIA"))?;
    let is_base32 = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    if digits.len() != 16 || !digits.bytes().all(is_base32) {
        return None;
    }
    let bits = digits.bytes().take(10).try_fold(0_u64, |bits, byte| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            _ => byte.checked_sub(b'2')? + 26,
        };
        Some(bits << 5 | u64::from(digit))
    })?;
    let first_six_bytes = bits >> 2;
    let account = (first_six_bytes & 0x7fff_ffff_ff80) >> 7;
    Some(format!("{account:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the article that found the encoding (Aidan Steele, "AWS access key formats").
    #[test]
    fn an_access_key_tells_its_account() {
        assert_eq!(
            from_access_key("ASIAQNZGKIQY56JQ7WML").as_deref(),
            Some("029608264753")
        );
        for not_ours in [
            "test",
            "AKIA",
            "AKIAIOSFODNN7EXAMPL0",
            "AKIA================",
        ] {
            assert_eq!(from_access_key(not_ours), None, "{not_ours}");
        }
    }
}
