//! PEM as Go reads and writes it (`encoding/pem`).

use crate::functions::encoding::{decode64, encode64};

/// A block.
pub(super) struct Block {
    pub(super) label: Vec<u8>,
    /// In the order Go writes them: `Proc-Type` first, then by name.
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) bytes: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const CLOSE: &[u8] = b"-----";

/// The first block and what follows it. What is no block is passed over; without any block nothing
/// is given and the rest is all there was (`pem.Decode`).
pub(super) fn decode(data: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = data;
    loop {
        let end = find(rest, END)?;
        let after_end = end + END.len();
        let found = block_before(rest, end);
        if let Some((block, next)) = found {
            return Some((block, next));
        }
        rest = &rest[after_end..];
    }
}

/// The block that the end marker at `end` closes.
fn block_before(text: &[u8], end: usize) -> Option<(Block, &[u8])> {
    let begin = last(&text[..end], BEGIN)?;
    if begin > 0 && text[begin - 1] != b'\n' {
        return None;
    }
    let (line, mut body) = line(&text[begin + BEGIN.len()..]);
    let label = line.strip_suffix(CLOSE)?;
    let mut headers = Vec::new();
    loop {
        if body.is_empty() {
            return None;
        }
        let (header, next) = self::line(body);
        let Some(colon) = header.iter().position(|byte| *byte == b':') else {
            break;
        };
        headers.push((
            header[..colon].trim_ascii().to_vec(),
            header[colon + 1..].trim_ascii().to_vec(),
        ));
        body = next;
    }
    let body_start = text.len() - body.len();
    if !headers.is_empty() && end < body_start {
        return None;
    }
    let trailer = &text[end + END.len()..];
    let after_label = trailer.strip_prefix(label)?.strip_prefix(CLOSE)?;
    let (rest_of_line, next) = self::line(after_label);
    if !rest_of_line.is_empty() {
        return None;
    }
    let encoded: Vec<u8> = text
        .get(body_start..end)
        .unwrap_or_default()
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b' ' | b'\t'))
        .collect();
    let bytes = decode64(&encoded).ok()?;
    headers.sort();
    headers.dedup_by(|later, earlier| later.0 == earlier.0);
    headers.sort_by_key(|(name, _)| name != b"Proc-Type");
    Some((
        Block {
            label: label.to_vec(),
            headers,
            bytes,
        },
        next,
    ))
}

/// A line without its break and the spaces before it, and what follows.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => (
            text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]),
            &text[at + 1..],
        ),
        None => (text, &text[text.len()..]),
    };
    let kept = line
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t'))
        .map_or(0, |at| at + 1);
    (&line[..kept], rest)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    crate::functions::pieces::find(text, part)
}

fn last(text: &[u8], part: &[u8]) -> Option<usize> {
    (0..text.len().checked_sub(part.len())? + 1)
        .rev()
        .find(|at| text[*at..].starts_with(part))
}

impl Block {
    /// `pem.Encode`.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut out = [BEGIN, &self.label, CLOSE, b"\n"].concat();
        for (name, value) in &self.headers {
            out.extend_from_slice(&[name.as_slice(), b": ", value, b"\n"].concat());
        }
        if !self.headers.is_empty() {
            out.push(b'\n');
        }
        push_lines(&mut out, &self.bytes);
        out.extend_from_slice(&[&END[1..], &self.label, CLOSE, b"\n"].concat());
        out
    }
}

/// A block without headers.
pub(super) fn encode(label: &str, bytes: &[u8]) -> Vec<u8> {
    Block {
        label: label.as_bytes().to_vec(),
        headers: Vec::new(),
        bytes: bytes.to_vec(),
    }
    .encoded()
}

fn push_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    for line in encode64(bytes).chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}
