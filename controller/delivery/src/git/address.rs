//! Where the host of a URL is: never at a link-local address, where machines keep their credentials
//! for whoever asks from inside (T13).

use std::net::{IpAddr, Ipv4Addr};

use super::{failure::GitError, url::RemoteUrl};

/// `http.curloptResolve` of git: what a name resolved to when it was looked at, so that git does not
/// look again and find something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin(pub(super) String);

/// Resolves the host of a URL. `None` where the URL says the address itself.
///
/// # Errors
/// [`GitError::Unreachable`] where the name does not resolve, [`GitError::LinkLocal`] where it leads to
/// a link-local address.
pub(super) async fn resolve(url: &RemoteUrl) -> Result<Option<Pin>, GitError> {
    let (host, port) = (url.host(), url.port());
    if literal(host).is_some() {
        return Ok(None);
    }
    let unreachable = |error: std::io::Error| GitError::Unreachable {
        url: url.to_string(),
        said: format!("could not resolve host {host}: {error}"),
    };
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<IpAddr> = found.map_err(unreachable)?.map(|at| at.ip()).collect();
    if addresses.iter().copied().any(is_link_local) {
        return Err(GitError::LinkLocal(url.to_string()));
    }
    Ok(Some(Pin(pinned(host, port, &addresses))))
}

fn pinned(host: &str, port: u16, addresses: &[IpAddr]) -> String {
    let addresses = addresses.iter().map(|address| match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    });
    let mut all: Vec<String> = addresses.collect();
    all.dedup();
    format!("{host}:{port}:{}", all.join(","))
}

/// The address that a host is, in any of the spellings that programs take for one.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(bare) = bare {
        return bare.parse().ok();
    }
    host.parse()
        .ok()
        .or_else(|| short_form(host.strip_suffix('.').unwrap_or(host)).map(IpAddr::V4))
}

/// `inet_aton`: one to four numbers, decimal, octal or hexadecimal, the last of which fills the rest.
fn short_form(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let shift = 8 * u32::try_from(4 - first.len()).ok()?;
    if shift < 32 && *last >= 1 << shift {
        return None;
    }
    let high = first
        .iter()
        .zip([24_u32, 16, 8])
        .fold(0, |address, (part, shift)| address | part << shift);
    Some(Ipv4Addr::from(high | last))
}

fn number(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
        _ => text.parse().ok(),
    }
}

/// Whether an address is one of the network segment only. `fd00:ec2::/32` is where EC2 has over IPv6
/// what it has at 169.254.169.254.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let mapped = address
                .to_ipv4_mapped()
                .or_else(|| nat64(address.segments()));
            mapped.is_some_and(|address| address.is_link_local())
                || address.is_unicast_link_local()
                || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

/// `64:ff9b::/96`, through which IPv4 is reached where there is only IPv6.
fn nat64(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = segments else {
        return None;
    };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "169.254.169.254.",
            "2852039166",
            "0xa9fea9fe",
            "0xA9.0xfe.169.254",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.16689662",
            "[::ffff:169.254.169.254]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[64:ff9b::a9fe:a9fe]",
        ] {
            assert!(literal(host).is_some_and(is_link_local), "{host}");
        }
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "[fd00::1]",
            "0x7f.1",
            "8.8.8.8",
        ] {
            assert!(literal(host).is_some_and(|ip| !is_link_local(ip)), "{host}");
        }
        for host in [
            "git.example",
            "169.254.169.254.nip.example",
            "1.2.3.4.5",
            "256.1",
            "0x",
            "08",
            "",
        ] {
            assert_eq!(literal(host), None, "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_stays_where_it_was_found() {
        let (url, _) = RemoteUrl::parse("http://localhost:8080/r").ok().unwrap();
        let Pin(pin) = resolve(&url).await.ok().flatten().unwrap();
        assert!(pin.starts_with("localhost:8080:"), "{pin}");
        assert!(pin.contains("127.0.0.1") || pin.contains("[::1]"), "{pin}");
        let (url, _) = RemoteUrl::parse("http://127.0.0.1/r").ok().unwrap();
        assert_eq!(resolve(&url).await.ok().unwrap(), None);
    }
}
