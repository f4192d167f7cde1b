//! What a GitRepository's Secret holds for the way to the repository (fluxcd/pkg git/options.go).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::ByteString;
use kit::SecretBytes;

use super::url::{RemoteUrl, Scheme, UserInfo};

/// How we show who we are, and how the server does.
#[derive(Default)]
pub struct Credentials {
    /// The whole `Authorization` header.
    authorization: Option<SecretBytes>,
    /// Certificates to trust instead of the system's, PEM. Public.
    pub ca: Option<Vec<u8>>,
}

/// Why a Secret does not fit. Names keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// `password` without `username`.
    #[error("the Secret has a password and no username")]
    NoUsername,
    /// Two ways at once.
    #[error("basic auth and bearer token cannot be set at the same time")]
    Both,
    /// A line break would end the header and begin another.
    #[error("the key {0} of the Secret holds a line break or another control character")]
    ControlCharacter(&'static str),
    /// Keys that we cannot use yet.
    #[error("the key {0} of the Secret is not served yet")]
    NotServed(&'static str),
}

impl Credentials {
    /// Nobody in particular, or who the URL says.
    ///
    /// # Errors
    /// [`CredentialsError::ControlCharacter`] if the user name in the URL holds one.
    pub fn from_url(user_info: Option<&UserInfo>) -> Result<Self, CredentialsError> {
        let Some(info) = user_info else {
            return Ok(Self::default());
        };
        let password = info.password.as_ref().map_or(&[][..], SecretBytes::expose);
        Ok(Self {
            authorization: Some(basic(info.user.as_bytes(), password)),
            ca: None,
        })
    }

    /// Reads a Secret; credentials in the URL are the fallback.
    ///
    /// # Errors
    /// [`CredentialsError`] names the key that does not fit.
    pub fn from_secret(
        data: &BTreeMap<String, ByteString>,
        url: &RemoteUrl,
        user_info: Option<&UserInfo>,
    ) -> Result<Self, CredentialsError> {
        let value = |key: &str| data.get(key).map(|value| value.0.as_slice());
        let ca = value("ca.crt")
            .or_else(|| value("caFile"))
            .map(<[u8]>::to_vec);
        if url.scheme() == Scheme::Ssh {
            return Err(CredentialsError::NotServed("identity"));
        }
        for key in ["tls.crt", "tls.key", "certFile", "keyFile", "githubAppID"] {
            if data.contains_key(key) {
                return Err(CredentialsError::NotServed(key));
            }
        }
        // The token wins over user and password in the Secret, and contradicts those in the URL.
        if let Some(token) = value("bearerToken").filter(|token| !token.is_empty()) {
            if user_info.is_some() {
                return Err(CredentialsError::Both);
            }
            if token.iter().any(u8::is_ascii_control) {
                return Err(CredentialsError::ControlCharacter("bearerToken"));
            }
            let authorization = Some(header(b"Authorization: Bearer ", token));
            return Ok(Self { authorization, ca });
        }
        let username = value("username").unwrap_or_default();
        let password = value("password").unwrap_or_default();
        if username.is_empty() && !password.is_empty() {
            return Err(CredentialsError::NoUsername);
        }
        if username.is_empty() {
            return Ok(Self {
                ca,
                ..Self::from_url(user_info)?
            });
        }
        let authorization = Some(basic(username, password));
        Ok(Self { authorization, ca })
    }

    /// The header for `git`, or `None` for nobody in particular.
    #[must_use]
    pub fn authorization(&self) -> Option<SecretBytes> {
        self.authorization.as_ref().map(SecretBytes::duplicate)
    }
}

/// RFC 7617: base64 of `user:password`, which also keeps line breaks out of the header.
fn basic(user: &[u8], password: &[u8]) -> SecretBytes {
    let pair = SecretBytes::new([user, b":", password].concat());
    let encoded = SecretBytes::new(STANDARD.encode(pair.expose()).into_bytes());
    header(b"Authorization: Basic ", encoded.expose())
}

fn header(name: &[u8], value: &[u8]) -> SecretBytes {
    SecretBytes::new([name, value].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(entries: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
        let entry = |(key, value): &(&str, &str)| {
            ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))
        };
        entries.iter().map(entry).collect()
    }

    fn read(entries: &[(&str, &str)], url: &str) -> Result<String, CredentialsError> {
        let (url, info) = RemoteUrl::parse(url).ok().unwrap();
        let credentials = Credentials::from_secret(&secret(entries), &url, info.as_ref())?;
        let header = credentials
            .authorization()
            .map(|header| header.expose().to_vec());
        Ok(String::from_utf8(header.unwrap_or_default()).unwrap())
    }

    #[test]
    fn secrets_are_read_as_flux_reads_them() {
        let url = "https://h/r";
        let with_user = "https://u:p@h/r";
        for (entries, url, expected) in [
            (
                &[("username", "bob"), ("password", "pw")][..],
                url,
                Ok("Authorization: Basic Ym9iOnB3"),
            ),
            (
                &[("username", "bob")],
                url,
                Ok("Authorization: Basic Ym9iOg=="),
            ),
            (
                &[("bearerToken", "t"), ("username", "bob")],
                url,
                Ok("Authorization: Bearer t"),
            ),
            (&[], url, Ok("")),
            (&[], with_user, Ok("Authorization: Basic dTpw")),
            (
                &[("username", "bob"), ("password", "pw")],
                with_user,
                Ok("Authorization: Basic Ym9iOnB3"),
            ),
            (
                &[("bearerToken", "t")],
                with_user,
                Err(CredentialsError::Both),
            ),
            (
                &[("password", "pw")],
                url,
                Err(CredentialsError::NoUsername),
            ),
            (
                &[("bearerToken", "t\nX: y")],
                url,
                Err(CredentialsError::ControlCharacter("bearerToken")),
            ),
            (
                &[("tls.crt", "c")],
                url,
                Err(CredentialsError::NotServed("tls.crt")),
            ),
        ] {
            assert_eq!(read(entries, url), expected.map(str::to_owned));
        }
    }

    #[test]
    fn a_line_break_in_a_password_cannot_end_the_header() {
        let header = read(
            &[("username", "bob"), ("password", "pw\nX: y")],
            "https://h/r",
        )
        .unwrap();
        assert!(!header.contains('\n'));
    }
}
