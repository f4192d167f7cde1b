//! Constants: Go's string, character and number literals.

/// A number as written. One constant can serve as an `int` and as a `float64`: which it becomes is
/// decided by the parameter it is given to (`parse.NumberNode`).
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) source: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
}

impl Number {
    /// `newNumber` of text/template/parse, without complex numbers.
    pub(crate) fn parse(source: &str) -> Option<Self> {
        let uint = crate::value::parse_magnitude(source);
        let int = crate::value::parse_int(source);
        let mut number = Self {
            source: source.to_owned(),
            int,
            uint,
            float: None,
        };
        if let Some(n) = number.int {
            number.float = Some(n as f64);
        } else if let Some(n) = number.uint {
            number.float = Some(n as f64);
        } else {
            let cleaned = source.replace('_', "");
            let float = crate::value::parse_float(&cleaned)?;
            if !cleaned.contains(['.', 'e', 'E', 'p', 'P']) {
                return None; // an integer that fits nothing
            }
            number.float = Some(float);
            let whole = crate::value::float_to_int(float);
            if whole as f64 == float {
                number.int = Some(whole);
            }
            if float >= 0.0 && (float as u64) as f64 == float {
                number.uint = Some(float as u64);
            }
        }
        Some(number)
    }

    /// A character constant is its code point.
    pub(crate) fn character(source: &str) -> Option<Self> {
        let inner = source.strip_prefix('\'')?.strip_suffix('\'')?;
        let (point, rest) = first_escaped(inner, '\'')?;
        let code = match point {
            Piece::Byte(byte) => u32::from(byte),
            Piece::Rune(rune) => u32::from(rune),
        };
        rest.is_empty().then(|| Self {
            source: source.to_owned(),
            int: Some(i64::from(code)),
            uint: Some(u64::from(code)),
            float: Some(f64::from(code)),
        })
    }

    /// What the constant is where nothing says what it should be (`idealConstant` of
    /// text/template/exec).
    pub(crate) fn is_ideal_float(&self) -> bool {
        let hex_int = (self.source.starts_with("0x") || self.source.starts_with("0X"))
            && !self.source.contains(['p', 'P']);
        self.float.is_some()
            && !hex_int
            && !self.source.starts_with('\'')
            && self.source.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

/// `strconv.Unquote` of a string between double quotes or back quotes.
pub(crate) fn unquote(source: &str) -> Option<Vec<u8>> {
    if let Some(raw) = source.strip_prefix('`') {
        let raw = raw.strip_suffix('`')?;
        return Some(raw.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut rest = source.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (piece, after) = first_escaped(rest, '"')?;
        match piece {
            Piece::Byte(byte) => bytes.push(byte),
            Piece::Rune(rune) => crate::value::push_rune(&mut bytes, rune),
        }
        rest = after;
    }
    Some(bytes)
}

enum Piece {
    Byte(u8),
    Rune(char),
}

/// `strconv.UnquoteChar`.
fn first_escaped(text: &str, quote: char) -> Option<(Piece, &str)> {
    let mut characters = text.chars();
    let first = characters.next()?;
    if first == quote || first == '\n' {
        return None;
    }
    if first != '\\' {
        return Some((Piece::Rune(first), characters.as_str()));
    }
    let escape = characters.next()?;
    let rest = characters.as_str();
    let simple = |rune| Some((Piece::Rune(rune), rest));
    match escape {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{C}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{B}'),
        '\\' => simple('\\'),
        '\'' | '"' if escape == quote => simple(escape),
        'x' => digits(rest, 2, 16).and_then(|(n, rest)| byte(n, rest)),
        '0'..='7' => digits(&text[1..], 3, 8).and_then(|(n, rest)| byte(n, rest)),
        'u' => {
            digits(rest, 4, 16).and_then(|(n, rest)| Some((Piece::Rune(char::from_u32(n)?), rest)))
        }
        'U' => {
            digits(rest, 8, 16).and_then(|(n, rest)| Some((Piece::Rune(char::from_u32(n)?), rest)))
        }
        _ => None,
    }
}

fn byte(n: u32, rest: &str) -> Option<(Piece, &str)> {
    Some((Piece::Byte(u8::try_from(n).ok()?), rest))
}

fn digits(text: &str, count: usize, base: u32) -> Option<(u32, &str)> {
    let digits = text.get(..count)?;
    if !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    Some((u32::from_str_radix(digits, base).ok()?, &text[count..]))
}

/// A hexadecimal float without sign and prefix, `1.8p3` (`strconv.ParseFloat`).
pub(crate) fn hex_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (mantissa, exponent) = lower.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let value = u64::from_str_radix(&digits, 16).ok()? as f64;
    let shift = exponent.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    Some(value * 2f64.powi(shift)).filter(|n| n.is_finite())
}
