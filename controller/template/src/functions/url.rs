//! URLs as Go's package net/url takes them apart and puts them together.

use crate::run::Failure;

/// `url.URL`.
#[derive(Default)]
pub(super) struct Url {
    pub(super) scheme: Vec<u8>,
    pub(super) opaque: Vec<u8>,
    pub(super) user: Option<User>,
    pub(super) host: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) force_query: bool,
    pub(super) fragment: Vec<u8>,
}

pub(super) struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

/// Which part of a URL is escaped: what may stand there as it is differs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    User,
    Host,
    Zone,
    Fragment,
}

impl Url {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Failure> {
        let (text, fragment) = cut(text, b'#');
        let mut url = Self::without_fragment(text)?;
        if let Some(fragment) = fragment {
            url.fragment = unescaped(fragment, Place::Fragment)?;
        }
        Ok(url)
    }

    fn without_fragment(text: &[u8]) -> Result<Self, Failure> {
        if text.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return Err(wrong("invalid control character in URL"));
        }
        let mut url = Self::default();
        if text == b"*" {
            url.path = b"*".to_vec();
            return Ok(url);
        }
        let (scheme, mut rest) = scheme_of(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        if rest.ends_with(b"?") && rest.iter().filter(|byte| **byte == b'?').count() == 1 {
            url.force_query = true;
            rest = &rest[..rest.len() - 1];
        } else {
            let (before, query) = cut(rest, b'?');
            rest = before;
            url.query = query.unwrap_or_default().to_vec();
        }
        if !rest.starts_with(b"/") {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_vec();
                return Ok(url);
            }
            let (segment, _) = cut(rest, b'/');
            if segment.contains(&b':') {
                return Err(wrong("first path segment in URL cannot contain colon"));
            }
        }
        let has_authority =
            rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///"));
        if has_authority {
            let authority = &rest[2..];
            let end = authority
                .iter()
                .position(|byte| *byte == b'/')
                .unwrap_or(authority.len());
            url.authority(&authority[..end])?;
            rest = &authority[end..];
        }
        url.path = unescaped(rest, Place::Path)?;
        Ok(url)
    }

    fn authority(&mut self, authority: &[u8]) -> Result<(), Failure> {
        let (userinfo, host) = match authority.iter().rposition(|byte| *byte == b'@') {
            Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
            None => (None, authority),
        };
        self.host = parse_host(host)?;
        if let Some(userinfo) = userinfo {
            if !userinfo
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte))
            {
                return Err(wrong("net/url: invalid userinfo"));
            }
            let (name, password) = cut(userinfo, b':');
            self.user = Some(User {
                name: unescaped(name, Place::User)?,
                password: password
                    .map(|password| unescaped(password, Place::User))
                    .transpose()?,
            });
        }
        Ok(())
    }

    /// `URL.String`.
    pub(super) fn joined(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                    out.extend_from_slice(b"//");
                }
                if let Some(user) = &self.user {
                    out.extend_from_slice(&user.shown());
                    out.push(b'@');
                }
                out.extend_from_slice(&escaped(&self.host, Place::Host));
            }
            let path = if self.path == b"*" {
                b"*".to_vec()
            } else {
                escaped(&self.path, Place::Path)
            };
            if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
                out.push(b'/');
            }
            if out.is_empty() && cut(&path, b'/').0.contains(&b':') {
                out.extend_from_slice(b"./");
            }
            out.extend_from_slice(&path);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend_from_slice(&escaped(&self.fragment, Place::Fragment));
        }
        out
    }
}

impl User {
    pub(super) fn shown(&self) -> Vec<u8> {
        let mut out = escaped(&self.name, Place::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.extend_from_slice(&escaped(password, Place::User));
        }
        out
    }
}

fn wrong(problem: &str) -> Failure {
    Failure::new(format!("unable to parse url: {problem}"))
}

fn cut(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// `getScheme`.
fn scheme_of(text: &[u8]) -> Result<(&[u8], &[u8]), Failure> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err(wrong("missing protocol scheme")),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_host(host: &[u8]) -> Result<Vec<u8>, Failure> {
    let port_of = |rest: &[u8]| match rest {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if host.starts_with(b"[") {
        let Some(end) = host.iter().rposition(|byte| *byte == b']') else {
            return Err(wrong("missing ']' in host"));
        };
        if !port_of(&host[end + 1..]) {
            return Err(wrong("invalid port after host"));
        }
        let address = &host[1..end];
        let (address, zone) = match super::pieces::find(address, b"%25") {
            Some(at) => (&address[..at], Some(&address[at..])),
            None => (address, None),
        };
        let mut out = [b"[".as_slice(), &unescaped(address, Place::Host)?].concat();
        if let Some(zone) = zone {
            out.extend_from_slice(&unescaped(zone, Place::Zone)?);
        }
        let plain = std::str::from_utf8(address).unwrap_or_default();
        if plain.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(wrong("invalid host"));
        }
        out.extend_from_slice(&host[end..]);
        return Ok(out);
    }
    if host.contains(&b'[') {
        return Err(wrong("invalid character in host name"));
    }
    if let Some(colon) = host.iter().position(|byte| *byte == b':')
        && !port_of(&host[colon..])
    {
        return Err(wrong("invalid port after host"));
    }
    unescaped(host, Place::Host)
}

/// `URL.Hostname`: without port and brackets.
pub(super) fn hostname(host: &[u8]) -> &[u8] {
    let without_port = match host.iter().rposition(|byte| *byte == b':') {
        Some(at) if host[at + 1..].iter().all(u8::is_ascii_digit) => &host[..at],
        _ => host,
    };
    match without_port {
        [b'[', inner @ .., b']'] => inner,
        other => other,
    }
}

fn unescaped(text: &[u8], place: Place) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            if matches!(place, Place::Host | Place::Zone)
                && byte.is_ascii()
                && should_escape(*byte, place)
            {
                return Err(wrong("invalid character in host name"));
            }
            out.push(*byte);
            rest = after;
            continue;
        }
        let hex = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        let (Some(high), Some(low)) = (hex(0), hex(1)) else {
            return Err(wrong("invalid URL escape"));
        };
        let decoded = u8::try_from(high * 16 + low).unwrap_or(0);
        if place == Place::Host && decoded < 0x80 && &after[..2] != b"25" {
            return Err(wrong("invalid URL escape"));
        }
        if place == Place::Zone
            && &after[..2] != b"25"
            && decoded != b' '
            && should_escape(decoded, Place::Host)
        {
            return Err(wrong("invalid URL escape"));
        }
        out.push(decoded);
        rest = &after[2..];
    }
    Ok(out)
}

fn escaped(text: &[u8], place: Place) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if should_escape(*byte, place) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

/// `shouldEscape`.
fn should_escape(byte: u8, place: Place) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    let plain: &[u8] = match place {
        Place::Host | Place::Zone => b"!$&'()*+,;=:[]<>\"",
        Place::Path => b"$&+,/:;=@",
        Place::User => b"$&+,;=",
        Place::Fragment => b"$&+,/:;=?@!()*",
    };
    !plain.contains(&byte)
}
