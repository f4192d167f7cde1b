//! Tokens for Amazon's container registry (generators/v1/ecr/ecr.go).

use std::sync::Arc;

use aws_sdk_ecr::primitives::DateTime;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use kit::SecretBytes;

use super::{Clients, Identity, error::classify};
use crate::{provider::ReadError, values::Values};

const CALL: &str = "GetAuthorizationToken";

impl Clients {
    /// A token for the registry of the account, or for the public one: `username`, `password`,
    /// `expires_at`, and for the account's own `proxy_endpoint`.
    ///
    /// # Errors
    /// What AWS says.
    pub(crate) async fn registry_token(
        &self,
        identity: &Identity,
        public: bool,
    ) -> Result<Values, ReadError> {
        let base = self.base(&identity.region).await;
        let credentials = self.credentials(&base, identity);
        // Asked for here so that their lack is told as such and not as a failed request.
        credentials.credentials().await?;
        let provider = super::clients::shared(&Arc::clone(&credentials));
        let (token, expires, endpoint) = if public {
            let config = aws_sdk_ecrpublic::config::Builder::from(&base);
            let config = config.credentials_provider(provider).build();
            let client = aws_sdk_ecrpublic::Client::from_conf(config);
            let answer = client.get_authorization_token().send().await;
            let answer = answer.map_err(|error| classify(CALL, &error))?;
            let data = answer.authorization_data.ok_or_else(nothing)?;
            (data.authorization_token, data.expires_at, None)
        } else {
            let config = aws_sdk_ecr::config::Builder::from(&base);
            let config = config.credentials_provider(provider).build();
            let client = aws_sdk_ecr::Client::from_conf(config);
            let answer = client.get_authorization_token().send().await;
            let answer = answer.map_err(|error| classify(CALL, &error))?;
            let mut all = answer.authorization_data.unwrap_or_default();
            let data = all.pop().filter(|_| all.is_empty()).ok_or_else(nothing)?;
            (
                data.authorization_token,
                data.expires_at,
                data.proxy_endpoint,
            )
        };
        values(token.ok_or_else(nothing)?, expires, endpoint)
    }
}

fn nothing() -> ReadError {
    ReadError::Unavailable(format!("{CALL}: the answer does not hold one token"))
}

/// The token is `user:password` in base64.
fn values(
    token: String,
    expires: Option<DateTime>,
    endpoint: Option<String>,
) -> Result<Values, ReadError> {
    let token = SecretBytes::new(token.into_bytes());
    let decoded = BASE64_STANDARD
        .decode(token.expose())
        .map(SecretBytes::new)
        .map_err(|_| nothing())?;
    let mut parts = decoded.expose().split(|byte| *byte == b':');
    let (Some(user), Some(password), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ReadError::Unavailable(format!(
            "{CALL}: unexpected token format"
        )));
    };
    let seconds = expires.map(|time| time.secs()).unwrap_or_default();
    let mut values = Values::from([
        ("username".to_owned(), SecretBytes::new(user.to_vec())),
        ("password".to_owned(), SecretBytes::new(password.to_vec())),
        (
            "expires_at".to_owned(),
            SecretBytes::new(seconds.to_string().into_bytes()),
        ),
    ]);
    if let Some(endpoint) = endpoint {
        values.insert(
            "proxy_endpoint".to_owned(),
            SecretBytes::new(endpoint.into_bytes()),
        );
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &Values) -> Vec<(&str, &str)> {
        values
            .iter()
            .map(|(key, value)| (key.as_str(), str::from_utf8(value.expose()).unwrap()))
            .collect()
    }

    /// The case of the incumbent's ecr_test.go.
    #[test]
    fn a_token_becomes_user_and_password() {
        let token = BASE64_STANDARD.encode("uuser:pass");
        let made = values(token, Some(DateTime::from_secs(5555)), Some("foo".into())).unwrap();
        let expected = [
            ("expires_at", "5555"),
            ("password", "pass"),
            ("proxy_endpoint", "foo"),
            ("username", "uuser"),
        ];
        assert_eq!(shown(&made), expected);
        for bad in ["***", "dXNlcg==", &BASE64_STANDARD.encode("a:b:c")] {
            assert!(values(bad.to_owned(), None, None).is_err());
        }
    }
}
