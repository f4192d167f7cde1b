//! The address of a Git repository, parsed once so that nothing later has to ask what it may hold.

use std::fmt;

use kit::SecretBytes;

use super::address;

/// A URL that `git` may be given: one of three schemes, a host, no option in disguise, no credentials in its text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RemoteUrl {
    scheme: Scheme,
    /// Host and port.
    authority: String,
    /// What follows the authority; empty or beginning with a slash.
    path: String,
    /// The user of an ssh URL; nobody in http URLs, where it is taken as a credential.
    ssh_user: Option<String>,
}

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain http.
    Http,
    /// http over TLS.
    Https,
    /// ssh.
    Ssh,
}

/// Credentials that stood in a URL.
pub struct UserInfo {
    /// The user name.
    pub user: String,
    /// The password, if there was one.
    pub password: Option<SecretBytes>,
}

/// Why a text is no URL of a repository. Never quotes the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Another scheme, or none.
    #[error("the URL must begin with http://, https:// or ssh://")]
    Scheme,
    /// No host, or one that a program could take for an option.
    #[error("the host of the URL is missing or malformed")]
    Host,
    /// A link-local address.
    #[error(
        "the host of the URL is a link-local address, where machines keep their credentials, and no repository"
    )]
    LinkLocal,
    /// A control character, a blank or a backslash.
    #[error("the URL holds a character that no URL may hold")]
    Character,
    /// A query or a fragment, which no repository has.
    #[error("the URL must not have a query or a fragment")]
    Query,
    /// A percent sign that does not introduce two hexadecimal digits.
    #[error("the user or password in the URL is not percent-encoded correctly")]
    Encoding,
}

impl RemoteUrl {
    /// Parses a URL and takes the credentials out of it.
    ///
    /// # Errors
    /// [`UrlError`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<(Self, Option<UserInfo>), UrlError> {
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = Scheme::split(text).ok_or(UrlError::Scheme)?;
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let path_start = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_start);
        let (user_info, host) = match authority.rsplit_once('@') {
            Some((user_info, host)) => (Some(UserInfo::parse(user_info)?), host),
            None => (None, authority),
        };
        if !is_host(host) {
            return Err(UrlError::Host);
        }
        if address::literal(split_port(host).0).is_some_and(address::is_link_local) {
            return Err(UrlError::LinkLocal);
        }
        let mut url = Self {
            scheme,
            authority: host.to_ascii_lowercase(),
            path: path.to_owned(),
            ssh_user: None,
        };
        if scheme != Scheme::Ssh {
            return Ok((url, user_info));
        }
        let user = user_info.map_or_else(|| DEFAULT_SSH_USER.to_owned(), |info| info.user);
        if user.is_empty() || user.starts_with('-') || !user.chars().all(is_user_character) {
            return Err(UrlError::Host);
        }
        url.ssh_user = Some(user);
        Ok((url, None))
    }

    /// How the repository is reached.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, an IPv6 address in its brackets.
    pub(super) fn host(&self) -> &str {
        split_port(&self.authority).0
    }

    /// The port, that of the scheme if none is said.
    pub(super) fn port(&self) -> u16 {
        let said = split_port(&self.authority)
            .1
            .and_then(|port| port.parse().ok());
        said.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Ssh => 22,
        })
    }

    /// Scheme and authority with a slash: what a credential is bound to.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}/", self.scheme.name(), self.authority)
    }
}

impl fmt::Display for RemoteUrl {
    /// The URL as `git` is given it, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.name())?;
        if let Some(user) = &self.ssh_user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}{}", self.authority, self.path)
    }
}

impl Scheme {
    fn split(text: &str) -> Option<(Self, &str)> {
        [Self::Http, Self::Https, Self::Ssh]
            .into_iter()
            .find_map(|scheme| {
                let rest = text.strip_prefix(scheme.name())?.strip_prefix("://")?;
                Some((scheme, rest))
            })
    }

    /// The name, as in a URL and in git's `protocol.<name>.allow`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ssh => "ssh",
        }
    }
}

impl UserInfo {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(SecretBytes::new(percent_decoded(password)?))),
            None => (text, None),
        };
        let user = String::from_utf8(percent_decoded(user)?).map_err(|_| UrlError::Encoding)?;
        Ok(Self { user, password })
    }
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && !host.starts_with(['-', ':', '.'])
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']'))
}

/// The host of an authority, and the port if there is one.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_user_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn percent_decoded(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let (high, low) = (digit(), digit());
        let (Some(high), Some(low)) = (high, low) else {
            return Err(UrlError::Encoding);
        };
        decoded.push(high << 4 | low);
    }
    Ok(decoded)
}

/// As Flux (fluxcd/pkg git/options.go, `DefaultPublicKeyAuthUser`).
const DEFAULT_SSH_USER: &str = "git";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_urls_are_read() {
        for (text, printed) in [
            (
                "https://git.example/org/repo.git",
                "https://git.example/org/repo.git",
            ),
            ("http://127.0.0.1:8080/r", "http://127.0.0.1:8080/r"),
            ("https://[::1]:8443/r", "https://[::1]:8443/r"),
            (
                "ssh://git@git.example:22/org/repo",
                "ssh://git@git.example:22/org/repo",
            ),
            (
                "ssh://git.example/org/repo",
                "ssh://git@git.example/org/repo",
            ),
            ("https://GIT.example/Org", "https://git.example/Org"),
        ] {
            let (url, user_info) = RemoteUrl::parse(text).ok().unwrap();
            assert_eq!(url.to_string(), printed);
            assert!(user_info.is_none());
        }
    }

    #[test]
    fn a_password_leaves_the_url() {
        let (url, info) = RemoteUrl::parse("https://b%40b:p%3Aw@git.example/r")
            .ok()
            .unwrap();
        let info = info.unwrap();
        assert_eq!(url.to_string(), "https://git.example/r");
        assert_eq!(info.user, "b@b");
        assert_eq!(info.password.unwrap().expose(), b"p:w");
    }

    /// CVE-2026-54725: the metadata service of a machine, in all spellings.
    #[test]
    fn t13_link_local_addresses_are_refused() {
        for text in [
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            "http://169.254.169.254:80/r",
            "http://user:pass@169.254.170.2/v2/credentials",
            "https://[fe80::1]/r",
            "http://[fd00:ec2::254]:80/r",
            "http://[::ffff:169.254.169.254]/r",
            "http://2852039166/r",
            "http://0xa9fea9fe/r",
            "ssh://git@169.254.169.254/r",
        ] {
            assert_eq!(
                RemoteUrl::parse(text).err(),
                Some(UrlError::LinkLocal),
                "{text}"
            );
        }
        assert!(RemoteUrl::parse("https://10.0.0.1/r").is_ok());
    }

    #[test]
    fn t38_options_in_disguise_are_refused() {
        for (text, error) in [
            ("ssh://-oProxyCommand=touch%20x/repo", UrlError::Host),
            ("ssh://-oProxyCommand=x@host/repo", UrlError::Host),
            ("ssh://git@-oProxyCommand=x/repo", UrlError::Host),
            ("ssh://a$(x)@host/repo", UrlError::Host),
            ("https://-x/repo", UrlError::Host),
            ("https:///repo", UrlError::Host),
            ("https://@/repo", UrlError::Host),
            ("-uhttps://x/y", UrlError::Scheme),
            ("--upload-pack=touch x", UrlError::Character),
            ("ext::sh -c x", UrlError::Character),
            ("ext::sh", UrlError::Scheme),
            ("file:///etc", UrlError::Scheme),
            ("git://host/x", UrlError::Scheme),
            ("git@host:org/repo", UrlError::Scheme),
            ("/srv/repo", UrlError::Scheme),
            ("https://host/a\nb", UrlError::Character),
            ("https://host/a\0b", UrlError::Character),
            ("https://host\\@evil/x", UrlError::Character),
            ("https://host/x?y=z", UrlError::Query),
            ("https://u:%zz@host/x", UrlError::Encoding),
            ("https://u:%1@host/x", UrlError::Encoding),
        ] {
            assert_eq!(RemoteUrl::parse(text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn an_error_never_quotes_the_url() {
        let error = RemoteUrl::parse("https://bob:hunter2@/x").err().unwrap();
        assert!(!error.to_string().contains("hunter2"));
    }
}
