//! Certificates, as far as templates look into them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::der::{
    BIT_STRING, GENERALIZED_TIME, INTEGER, OBJECT, OCTET_STRING, Reader, SEQUENCE, UTC_TIME,
    context, only,
};
use super::{name, pem, private_key};
use crate::run::Failure;

/// A certificate.
#[derive(Clone)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    /// The whole element.
    pub(super) subject: Vec<u8>,
    pub(super) subject_key: Option<Vec<u8>>,
    pub(super) authority_key: Option<Vec<u8>>,
    names: Vec<AlternativeName>,
}

#[derive(Clone)]
enum AlternativeName {
    Dns(String),
    Address(String),
    Mail(String),
    Uri(String),
}

const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 14];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 35];

impl Certificate {
    /// `x509.ParseCertificate`, as far as the structure goes.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, Failure> {
        Self::parsed(der).map_err(|_| Failure::new("x509: malformed certificate"))
    }

    fn parsed(der: &[u8]) -> Result<Self, Failure> {
        let mut certificate = only(der, SEQUENCE)?;
        let mut body = certificate.open(SEQUENCE)?;
        certificate.open(SEQUENCE)?.expect(OBJECT)?;
        certificate.expect(BIT_STRING)?;
        body.optional(context(0))?;
        body.expect(INTEGER)?;
        body.open(SEQUENCE)?.expect(OBJECT)?;
        body.open(SEQUENCE)?;
        let mut validity = body.open(SEQUENCE)?;
        for _ in 0..2 {
            if !matches!(validity.next()?.tag, UTC_TIME | GENERALIZED_TIME) {
                return Err(Failure::new("x509: malformed validity"));
            }
        }
        let subject = body.next()?.whole.to_vec();
        private_key::check_public(&mut body)?;
        body.optional(0x81)?;
        body.optional(0x82)?;
        let mut found = Self {
            der: der.to_vec(),
            subject,
            subject_key: None,
            authority_key: None,
            names: Vec::new(),
        };
        if let Some(extensions) = body.optional(context(3))? {
            let mut extensions = Reader::new(extensions).open(SEQUENCE)?;
            while !extensions.is_empty() {
                found.extension(extensions.open(SEQUENCE)?)?;
            }
        }
        Ok(found)
    }

    fn extension(&mut self, mut extension: Reader<'_>) -> Result<(), Failure> {
        let identifier = extension.expect(OBJECT)?;
        extension.optional(1)?;
        let value = extension.expect(OCTET_STRING)?;
        match identifier {
            SUBJECT_KEY => {
                self.subject_key = Some(Reader::new(value).expect(OCTET_STRING)?.to_vec());
            }
            AUTHORITY_KEY => {
                let key = Reader::new(value).open(SEQUENCE)?.optional(0x80)?;
                self.authority_key = key.map(<[u8]>::to_vec);
            }
            ALTERNATIVE_NAMES => {
                let mut names = Reader::new(value).open(SEQUENCE)?;
                while !names.is_empty() {
                    let name = names.next()?;
                    let text = String::from_utf8_lossy(name.content).into_owned();
                    match name.tag {
                        0x81 => self.names.push(AlternativeName::Mail(text)),
                        0x82 => self.names.push(AlternativeName::Dns(text)),
                        0x86 => self.names.push(AlternativeName::Uri(text)),
                        0x87 => self
                            .names
                            .push(AlternativeName::Address(address(name.content)?)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// Names, addresses, mail addresses and URIs, in this order (`certSANs` of external-secrets).
    pub(super) fn alternative_names(&self) -> Vec<String> {
        let of = |kind: fn(&AlternativeName) -> Option<&String>| {
            self.names.iter().filter_map(kind).cloned()
        };
        let dns = of(|name| {
            if let AlternativeName::Dns(text) = name {
                Some(text)
            } else {
                None
            }
        });
        let addresses = of(|name| {
            if let AlternativeName::Address(text) = name {
                Some(text)
            } else {
                None
            }
        });
        let mail = of(|name| {
            if let AlternativeName::Mail(text) = name {
                Some(text)
            } else {
                None
            }
        });
        let uris = of(|name| {
            if let AlternativeName::Uri(text) = name {
                Some(text)
            } else {
                None
            }
        });
        dns.chain(addresses).chain(mail).chain(uris).collect()
    }

    /// `isRootCertificate` of external-secrets.
    pub(super) fn is_root(&self) -> bool {
        self.authority_key
            .as_ref()
            .is_none_or(|key| Some(key) == self.subject_key.as_ref())
    }

    /// `Subject.String()`.
    pub(super) fn subject_text(&self) -> Result<String, Failure> {
        name::text(&self.subject)
    }
}

fn address(bytes: &[u8]) -> Result<String, Failure> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Ok(Ipv4Addr::from(four).to_string());
    }
    let sixteen =
        <[u8; 16]>::try_from(bytes).map_err(|_| Failure::new("x509: cannot parse IP address"))?;
    let address = Ipv6Addr::from(sixteen);
    // Go prints a mapped address as the IPv4 one.
    Ok(address
        .to_ipv4_mapped()
        .map_or_else(|| address.to_string(), |four| four.to_string()))
}

/// All certificates of a PEM text; any other block is an error.
pub(super) fn from_pem(text: &[u8]) -> Result<Vec<Certificate>, Failure> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some((block, after)) = pem::decode(rest) {
        all.push(Certificate::from_der(&block.bytes)?);
        rest = after;
    }
    Ok(all)
}

/// From the leaf to the root, by the key identifiers (`fetchX509CertChains` of external-secrets).
/// It orders, it does not verify.
pub(super) fn chain(certificates: &[Certificate]) -> Result<Vec<Certificate>, Failure> {
    let mut parents: Vec<Option<usize>> = vec![None; certificates.len()];
    let mut is_parent = vec![false; certificates.len()];
    for (child, parent_of_child) in parents.iter_mut().enumerate() {
        let authority = certificates[child]
            .authority_key
            .as_deref()
            .unwrap_or_default();
        let parent = certificates.iter().enumerate().position(|(at, other)| {
            at != child && other.subject_key.as_deref().unwrap_or_default() == authority
        });
        if let Some(parent) = parent {
            is_parent[parent] = true;
            *parent_of_child = Some(parent);
        }
    }
    let mut leaves = (0..certificates.len()).filter(|at| !is_parent[*at]);
    let mut next = match (leaves.next(), leaves.next()) {
        (None, _) => return Err(Failure::new("no leaf certificate found")),
        (Some(_), Some(_)) => {
            return Err(Failure::new("found multiple leaf or disjunct certificates"));
        }
        (leaf, None) => leaf,
    };
    let mut ordered = Vec::new();
    while let Some(at) = next {
        if ordered.len() == certificates.len() {
            return Err(Failure::new("constructing chain resulted in cycle"));
        }
        ordered.push(certificates[at].clone());
        next = parents[at];
    }
    Ok(ordered)
}
