//! PEM as Go reads it: text around the blocks is skipped, line ends may be of either kind.

use zeroize::Zeroizing;

use crate::base64::encode;
use crate::{KeyError, SecretBytes, decode_base64};

/// One block between `-----BEGIN LABEL-----` and `-----END LABEL-----`.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    /// Whether lines like `Proc-Type: 4,ENCRYPTED` come before the data.
    pub(crate) has_headers: bool,
    pub(crate) data: SecretBytes,
}

/// All well-formed blocks of a text. Blocks that are not well-formed are skipped, as Go's
/// `pem.Decode` does.
pub(crate) fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, KeyError> {
    if text.len() > MAX_PEM_BYTES {
        return Err(KeyError::TooLong(text.len()));
    }
    let mut found = Vec::new();
    let mut lines = Lines(text);
    while let Some(line) = lines.next() {
        if let Some(label) = marker(line, BEGIN)
            && let Some((block, rest)) = body(label, lines.0)
        {
            found.push(block);
            lines = Lines(rest);
        }
    }
    Ok(found)
}

/// Writes one block with lines of 64 characters, as Go's `pem.EncodeToMemory` does. The result is
/// wiped on drop, since it may be a private key.
pub(crate) fn write(label: &str, data: &[u8]) -> SecretBytes {
    let encoded = Zeroizing::new(encode(data));
    let lines = encoded.len().div_ceil(LINE_CHARACTERS);
    let mut text = Vec::with_capacity(2 * (label.len() + 17) + encoded.len() + lines);
    text.extend_from_slice(format!("{BEGIN}{label}{DASHES}\n").as_bytes());
    for line in encoded.as_bytes().chunks(LINE_CHARACTERS) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("{END}{label}{DASHES}\n").as_bytes());
    SecretBytes::new(text)
}

/// The longest text that is searched for keys: a certificate chain is a few KiB, a key 12 KiB.
const MAX_PEM_BYTES: usize = 1 << 20;
const LINE_CHARACTERS: usize = 64;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, &self.0[self.0.len()..]),
        };
        self.0 = rest;
        Some(line.trim_ascii_end())
    }
}

fn marker<'a>(line: &'a [u8], kind: &str) -> Option<&'a str> {
    let label = line
        .strip_prefix(kind.as_bytes())?
        .strip_suffix(DASHES.as_bytes())?;
    std::str::from_utf8(label).ok()
}

/// Reads up to the end marker of the same label, and returns what follows it.
fn body<'a>(label: &'a str, text: &'a [u8]) -> Option<(Block<'a>, &'a [u8])> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len().min(MAX_PEM_BYTES)));
    let mut has_headers = false;
    let mut lines = Lines(text);
    while let Some(line) = lines.next() {
        if line.starts_with(DASHES.as_bytes()) {
            let data = (marker(line, END)? == label).then(|| decode_base64(&encoded).ok())??;
            return Some((
                Block {
                    label,
                    has_headers,
                    data: SecretBytes::new(data),
                },
                lines.0,
            ));
        }
        if line.contains(&b':') {
            has_headers = true;
        } else {
            encoded.push_str(std::str::from_utf8(line.trim_ascii_start()).ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_between_other_text_and_with_either_line_end() {
        let text = "noise\n-----BEGIN A-----\r\naGVs\r\nbG8=\r\n-----END A-----\nnoise\n\
                    -----BEGIN B-----\nProc-Type: 4,ENCRYPTED\n\naGk=\n-----END B-----";
        let found = blocks(text.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].label, found[0].data.expose()),
            ("A", &b"hello"[..])
        );
        assert!(!found[0].has_headers);
        assert_eq!((found[1].label, found[1].data.expose()), ("B", &b"hi"[..]));
        assert!(found[1].has_headers);
    }

    #[test]
    fn a_broken_block_does_not_hide_the_next_one() {
        let text = "-----BEGIN A-----\nnot base64!\n-----END A-----\n\
                    -----BEGIN C-----\naGk=\n-----END C-----\n";
        let labels: Vec<_> = blocks(text.as_bytes())
            .unwrap()
            .iter()
            .map(|b| b.label)
            .collect();
        assert_eq!(labels, ["C"]);
    }

    #[test]
    fn a_written_block_is_read_back() {
        let data: Vec<u8> = (0..=255).collect();
        let text = write("X", &data);
        let found = blocks(text.expose()).unwrap();
        assert_eq!(found[0].data.expose(), data);
        assert!(
            text.expose()
                .split(|byte| *byte == b'\n')
                .all(|line| line.len() <= 64)
        );
    }
}
