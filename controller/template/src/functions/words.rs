//! Case and words: `goutils` and `xstrings`, which sprig uses.

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{Value, is_space, lower, push_rune, runes, title, upper};

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("nospace", &[Str], None, |call, a| {
        // Byte by byte, as goutils does: beyond ASCII a byte is taken for a code point, but only if
        // there is a space to delete.
        let text = call.string(a, 0)?.bytes();
        call.budget.allocate(text.len().saturating_mul(2))?;
        if !text.iter().any(|byte| is_space(char::from(*byte))) {
            return Ok(a[0].clone());
        }
        let mut out = Vec::with_capacity(text.len());
        for byte in text.iter().filter(|byte| !is_space(char::from(**byte))) {
            push_rune(&mut out, char::from(*byte));
        }
        Ok(Value::bytes(out))
    }),
    function("initials", &[Str], None, |call, a| {
        let text = call.string(a, 0)?.bytes();
        call.budget.allocate(text.len())?;
        let mut out = Vec::new();
        let mut after_gap = true;
        for byte in text {
            let rune = char::from(*byte);
            if is_space(rune) {
                after_gap = true;
            } else if std::mem::take(&mut after_gap) {
                push_rune(&mut out, rune);
            }
        }
        Ok(Value::bytes(out))
    }),
    function("swapcase", &[Str], None, |call, a| {
        let text = call.string(a, 0)?.bytes();
        call.budget.allocate(text.len().saturating_mul(3))?;
        let mut out = Vec::with_capacity(text.len());
        let mut after_space = true;
        for (rune, _) in runes(text) {
            let swapped = if rune.is_uppercase() || is_title(rune) {
                after_space = false;
                lower(rune)
            } else if rune.is_lowercase() {
                if std::mem::take(&mut after_space) {
                    title(rune)
                } else {
                    upper(rune)
                }
            } else {
                after_space = is_space(rune);
                rune
            };
            push_rune(&mut out, swapped);
        }
        Ok(Value::bytes(out))
    }),
    function("snakecase", &[Str], None, |call, a| lowered(call, a, '_')),
    function("kebabcase", &[Str], None, |call, a| lowered(call, a, '-')),
    function("camelcase", &[Str], None, pascal),
];

fn is_title(rune: char) -> bool {
    matches!(rune, '\u{1C5}' | '\u{1C8}' | '\u{1CB}' | '\u{1F2}')
}

fn is_connector(rune: char) -> bool {
    rune == '-' || rune == '_' || is_space(rune)
}

/// `xstrings.ToPascalCase`.
fn pascal(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let text = call.string(a, 0)?.bytes();
    call.budget.allocate(text.len().saturating_mul(3))?;
    let mut out = Vec::with_capacity(text.len());
    let mut all = runes(text).map(|(rune, _)| rune);
    // Leading connectors stay.
    let mut current = None;
    for rune in all.by_ref() {
        if !is_connector(rune) {
            current = Some(rune);
            break;
        }
        push_rune(&mut out, rune);
    }
    let Some(first) = current else {
        // A text of connectors only ends with its last one twice, as there.
        if let Some((last, _)) = runes(text).last() {
            push_rune(&mut out, last);
        }
        return Ok(Value::bytes(out));
    };
    let mut first_was_upper = first.is_uppercase();
    let mut current = upper(first);
    for rune in all {
        let before = current;
        current = rune;
        if is_connector(current) && is_connector(before) {
            push_rune(&mut out, before);
            continue;
        }
        if is_connector(before) {
            first_was_upper = current.is_uppercase();
            current = upper(current);
        } else {
            if first_was_upper {
                if current.is_uppercase() {
                    current = lower(current);
                } else {
                    first_was_upper = false;
                }
            }
            push_rune(&mut out, before);
        }
    }
    push_rune(&mut out, current);
    Ok(Value::bytes(out))
}

/// What a word of `xstrings` is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

fn is_punctuation(rune: char) -> bool {
    if rune.is_ascii() {
        return rune.is_ascii_punctuation()
            && !matches!(rune, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    let mut buffer = [0; 4];
    regex::Regex::new(r"^\p{P}$").is_ok_and(|class| class.is_match(rune.encode_utf8(&mut buffer)))
}

/// `isAlphabet` of xstrings: a letter that is no ideograph.
fn is_alphabet(rune: char) -> bool {
    if !rune.is_alphabetic() {
        return false;
    }
    !matches!(rune, '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}')
}

/// Takes the next word off the runes.
fn next_word(rest: &mut &[char]) -> (Kind, Vec<char>) {
    let Some(first) = rest.first().copied() else {
        return (Kind::None, Vec::new());
    };
    let run = |from: usize, test: &dyn Fn(char) -> bool| {
        from + rest[from..].iter().take_while(|rune| test(**rune)).count()
    };
    let plain = |rune: char| is_alphabet(rune) && !rune.is_uppercase();
    let (kind, length) = if is_connector(first) {
        (Kind::Connector, run(1, &is_connector))
    } else if is_punctuation(first) {
        (Kind::Punctuation, run(1, &is_punctuation))
    } else if first.is_uppercase() {
        let length = match rest.get(1).copied() {
            Some(second) if second.is_uppercase() => {
                let end = run(2, &char::is_uppercase);
                // "HTTPStatus" is "HTTP" and "Status".
                if rest.get(end).is_some_and(|rune| is_alphabet(*rune)) {
                    end - 1
                } else {
                    end
                }
            }
            Some(second) if is_alphabet(second) => run(2, &plain),
            _ => 1,
        };
        (Kind::Upper, length)
    } else if is_alphabet(first) {
        (Kind::Alphabet, run(1, &plain))
    } else if first.is_numeric() {
        (Kind::Number, run(1, &char::is_numeric))
    } else {
        let other = |rune: char| {
            !(is_connector(rune) || is_alphabet(rune) || rune.is_numeric() || is_punctuation(rune))
        };
        (Kind::Other, run(1, &other))
    };
    let word = rest[..length].to_vec();
    *rest = &rest[length..];
    (kind, word)
}

/// `camelCaseToLowerCase` of xstrings.
fn lowered(call: &Call<'_>, a: &[Value], connector: char) -> Result<Value, Failure> {
    let text = call.string(a, 0)?.bytes();
    call.budget.allocate(text.len().saturating_mul(6))?;
    let runes: Vec<char> = runes(text).map(|(rune, _)| rune).collect();
    let mut rest = runes.as_slice();
    let mut out = Vec::with_capacity(text.len() + 8);
    let (mut kind, mut word) = next_word(&mut rest);
    while !rest.is_empty() {
        call.budget.step(1)?;
        if kind != Kind::Connector {
            write_word(&mut out, kind, &word, connector);
        }
        let before = kind;
        let last = std::mem::take(&mut word);
        (kind, word) = next_word(&mut rest);
        match before {
            Kind::Number => {
                while matches!(kind, Kind::Alphabet | Kind::Number) {
                    write_word(&mut out, kind, &word, connector);
                    (kind, word) = next_word(&mut rest);
                }
                if !matches!(kind, Kind::None | Kind::Punctuation | Kind::Connector) {
                    push_rune(&mut out, connector);
                }
            }
            Kind::Connector => write_word(&mut out, before, &last, connector),
            Kind::Punctuation => {}
            _ if kind != Kind::Number => {
                if !matches!(kind, Kind::Connector | Kind::Punctuation) {
                    push_rune(&mut out, connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => (kind, word) = number_after_word(&mut out, word, &mut rest, connector),
        }
    }
    write_word(&mut out, kind, &word, connector);
    Ok(Value::bytes(out))
}

/// "Bld4Floor" is "bld4_floor", "HTTP2xx" is "http_2xx".
fn number_after_word(
    out: &mut Vec<u8>,
    number: Vec<char>,
    rest: &mut &[char],
    connector: char,
) -> (Kind, Vec<char>) {
    let (mut kind, mut word) = next_word(rest);
    if kind != Kind::Alphabet {
        write_word(out, Kind::Number, &number, connector);
        if !matches!(kind, Kind::Connector | Kind::Punctuation) {
            push_rune(out, connector);
        }
        return (kind, word);
    }
    push_rune(out, connector);
    write_word(out, Kind::Number, &number, connector);
    while matches!(kind, Kind::Alphabet | Kind::Number) {
        write_word(out, kind, &word, connector);
        (kind, word) = next_word(rest);
    }
    if !matches!(kind, Kind::None | Kind::Connector | Kind::Punctuation) {
        push_rune(out, connector);
    }
    (kind, word)
}

fn write_word(out: &mut Vec<u8>, kind: Kind, word: &[char], connector: char) {
    for rune in word {
        let written = match kind {
            Kind::Upper | Kind::Connector if is_connector(*rune) => connector,
            Kind::Upper | Kind::Connector if rune.is_uppercase() => lower(*rune),
            _ => *rune,
        };
        push_rune(out, written);
    }
}
