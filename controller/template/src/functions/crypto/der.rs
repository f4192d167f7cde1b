//! DER, as much as keys and certificates need.

use crate::run::Failure;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of an explicit or constructed `[n]`.
pub(super) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// One element with its whole encoding.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) content: &'d [u8],
    pub(super) whole: &'d [u8],
}

/// Reads elements one after the other.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d>(&'d [u8]);

fn malformed() -> Failure {
    Failure::new("asn1: structure error")
}

impl<'d> Reader<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self) -> Result<Element<'d>, Failure> {
        let [tag, length, after @ ..] = self.0 else {
            return Err(malformed());
        };
        if tag & 0x1f == 0x1f {
            return Err(malformed());
        }
        let (length, after) = match length {
            0..=0x7f => (usize::from(*length), after),
            0x81..=0x84 => {
                let count = usize::from(length & 0x7f);
                let digits = after.get(..count).ok_or_else(malformed)?;
                let length = digits
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                // DER takes the shortest form.
                if length < 0x80 || digits[0] == 0 {
                    return Err(malformed());
                }
                (length, &after[count..])
            }
            _ => return Err(malformed()),
        };
        let content = after.get(..length).ok_or_else(malformed)?;
        let taken = self.0.len() - after.len() + length;
        let whole = &self.0[..taken];
        self.0 = &self.0[taken..];
        Ok(Element {
            tag: *tag,
            content,
            whole,
        })
    }

    pub(super) fn expect(&mut self, tag: u8) -> Result<&'d [u8], Failure> {
        let element = self.next()?;
        if element.tag == tag {
            Ok(element.content)
        } else {
            Err(malformed())
        }
    }

    /// A constructed element to read into.
    pub(super) fn open(&mut self, tag: u8) -> Result<Self, Failure> {
        Ok(Self(self.expect(tag)?))
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'d [u8]>, Failure> {
        if self.0.first() == Some(&tag) {
            self.expect(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A small number.
    pub(super) fn small(&mut self) -> Result<u64, Failure> {
        let bytes = self.expect(INTEGER)?;
        if bytes.is_empty() || bytes.len() > 8 || bytes[0] & 0x80 != 0 {
            return Err(malformed());
        }
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// Reads one element and nothing after it.
pub(super) fn only(bytes: &[u8], tag: u8) -> Result<Reader<'_>, Failure> {
    let mut reader = Reader::new(bytes);
    let inner = reader.open(tag)?;
    if reader.is_empty() {
        Ok(inner)
    } else {
        Err(malformed())
    }
}

/// An element out of its content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or(0));
    } else {
        let bytes = length.to_be_bytes();
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
        out.push(0x80 | u8::try_from(bytes.len() - start).unwrap_or(0));
        out.extend_from_slice(&bytes[start..]);
    }
    out.extend_from_slice(content);
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// A number that is not negative, most significant byte first.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let start = bytes
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(bytes.len());
    let mut content = bytes[start..].to_vec();
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(INTEGER, &content)
}

pub(super) fn number(n: u64) -> Vec<u8> {
    unsigned(&n.to_be_bytes())
}

/// A bit string without unused bits.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], content].concat())
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, content)
}

/// An object identifier out of its encoded content.
pub(super) fn object(content: &[u8]) -> Vec<u8> {
    element(OBJECT, content)
}

/// An algorithm identifier; the parameters are a whole element or nothing.
pub(super) fn algorithm(identifier: &[u8], parameters: &[u8]) -> Vec<u8> {
    sequence(&[&object(identifier), parameters])
}

pub(super) const NULL_ELEMENT: [u8; 2] = [NULL, 0];
