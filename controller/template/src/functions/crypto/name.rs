//! Distinguished names: `pkix.Name.String` and the name with a common name only.

use super::der::{
    BMP_STRING, OBJECT, PRINTABLE_STRING, Reader, SEQUENCE, SET, UTF8_STRING, element, object,
    sequence,
};
use crate::run::Failure;

/// Attributes that Go knows, in the order it writes them: the reverse of how it lists them.
const KNOWN: [(u8, &str); 9] = [
    (5, "SERIALNUMBER"),
    (3, "CN"),
    (17, "POSTALCODE"),
    (9, "STREET"),
    (8, "ST"),
    (7, "L"),
    (11, "OU"),
    (10, "O"),
    (6, "C"),
];

/// `CN=app,OU=a+OU=b,O=org`: known attributes in Go's order, then the others, last first.
pub(super) fn text(name: &[u8]) -> Result<String, Failure> {
    let mut attributes = Vec::new();
    let mut sets = Reader::new(name).open(SEQUENCE)?;
    while !sets.is_empty() {
        let mut set = sets.open(SET)?;
        while !set.is_empty() {
            let mut attribute = set.open(SEQUENCE)?;
            attributes.push((attribute.expect(OBJECT)?, attribute.next()?));
        }
    }
    let known = |identifier: &[u8]| match identifier {
        [0x55, 4, last] => KNOWN
            .iter()
            .find(|(number, _)| number == last)
            .map(|(_, name)| *name),
        _ => None,
    };
    let mut parts = Vec::new();
    for (number, label) in KNOWN {
        let values: Vec<String> = attributes
            .iter()
            .filter(|(identifier, _)| *identifier == [0x55, 4, number])
            .map(|(_, value)| format!("{label}={}", escaped(&string(value.tag, value.content))))
            .collect();
        // Of the common name and the serial number the last one counts.
        if matches!(number, 3 | 5) {
            parts.extend(values.into_iter().next_back());
        } else if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    for (identifier, value) in attributes.iter().rev() {
        if known(identifier).is_none() {
            let digits: String = value
                .whole
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            parts.push(format!("{}=#{digits}", dotted(identifier)));
        }
    }
    Ok(parts.join(","))
}

fn string(tag: u8, content: &[u8]) -> String {
    if tag == BMP_STRING {
        let units: Vec<u16> = content
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        return String::from_utf16_lossy(&units);
    }
    String::from_utf8_lossy(content).into_owned()
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let special = match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn dotted(identifier: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut current = 0u64;
    for byte in identifier {
        current = current.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (current / 40).min(2);
                numbers.extend([first, current - 40 * first]);
            } else {
                numbers.push(current);
            }
            current = 0;
        }
    }
    numbers
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(".")
}

/// A name with a common name only; an empty one is an empty name.
pub(super) fn common(name: &str) -> Vec<u8> {
    if name.is_empty() {
        return sequence(&[]);
    }
    let printable = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c));
    let tag = if printable {
        PRINTABLE_STRING
    } else {
        UTF8_STRING
    };
    let attribute = sequence(&[&object(&[0x55, 4, 3]), &element(tag, name.as_bytes())]);
    sequence(&[&element(SET, &attribute)])
}
