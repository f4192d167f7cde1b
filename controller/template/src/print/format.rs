//! `fmt.Sprintf`.

use super::quote::escape;
use super::{Sink, exponential, fixed, general, is_printable, plain, quoted, quoted_ascii};
use crate::limits::Budget;
use crate::run::Failure;
use crate::value::{MAXIMUM_DEPTH, Text, Value, first_rune, push_rune};

/// Formats as `printf` does. A verb that does not fit is said in the text, as in Go.
pub(crate) fn sprintf(budget: &Budget, format: &[u8], values: &[Value]) -> Result<Text, Failure> {
    let mut printer = Printer {
        sink: Sink::made(budget),
        format,
        at: 0,
        values,
        next: 0,
        reordered: false,
    };
    printer.run()?;
    Ok(Text::new(printer.sink.finish()))
}

/// What stands between the `%` and the verb.
#[derive(Default, Clone)]
struct Flags {
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    /// `%#v` and `%+v`: the flag changes the meaning of the verb and is no flag of the parts.
    sharp_v: bool,
    plus_v: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

struct Printer<'b, 'v> {
    sink: Sink<'b>,
    format: &'v [u8],
    at: usize,
    values: &'v [Value],
    next: usize,
    reordered: bool,
}

/// The widest field and longest fraction (`tooLarge` of package fmt).
const WIDEST: usize = 1_000_000;

impl Printer<'_, '_> {
    /// `doPrintf`.
    fn run(&mut self) -> Result<(), Failure> {
        while self.at < self.format.len() {
            let rest = &self.format[self.at..];
            let literal = rest
                .iter()
                .position(|byte| *byte == b'%')
                .unwrap_or(rest.len());
            self.sink.write(&rest[..literal])?;
            self.at += literal;
            if self.at >= self.format.len() {
                break;
            }
            self.at += 1;
            if !self.verb()? {
                break;
            }
        }
        self.extra()
    }

    fn byte(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// One verb with its flags; false if the format ends before the verb.
    fn verb(&mut self) -> Result<bool, Failure> {
        let mut flags = Flags::default();
        while let Some(byte) = self.byte() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut good = true;
        let mut after_index = self.index(&mut good);
        self.width(&mut flags, &mut good, &mut after_index)?;
        self.precision(&mut flags, &mut good, &mut after_index)?;
        if !after_index {
            self.index(&mut good);
        }
        let Some((verb, width)) = first_rune(&self.format[self.at..]) else {
            self.sink.put("%!(NOVERB)")?;
            return Ok(false);
        };
        self.at += width;
        if verb == '%' {
            self.sink.put("%")?;
        } else if !good {
            self.sink.put(&format!("%!{verb}(BADINDEX)"))?;
        } else if self.next >= self.values.len() {
            self.sink.put(&format!("%!{verb}(MISSING)"))?;
        } else {
            if matches!(verb, 'v' | 'w') {
                flags.sharp_v = std::mem::take(&mut flags.sharp);
                flags.plus_v = std::mem::take(&mut flags.plus);
            }
            let value = self.values[self.next].clone();
            self.next += 1;
            argument(&mut self.sink, &flags, &value, verb, 0)?;
        }
        Ok(true)
    }

    fn width(
        &mut self,
        flags: &mut Flags,
        good: &mut bool,
        after: &mut bool,
    ) -> Result<(), Failure> {
        if self.byte() == Some(b'*') {
            self.at += 1;
            match self.int_argument() {
                Some(width) => {
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.sink.put("%!(BADWIDTH)")?,
            }
            *after = false;
        } else {
            flags.width = self.number();
            if *after && flags.width.is_some() {
                *good = false;
            }
        }
        Ok(())
    }

    fn precision(
        &mut self,
        flags: &mut Flags,
        good: &mut bool,
        after: &mut bool,
    ) -> Result<(), Failure> {
        if self.byte() != Some(b'.') || self.at + 1 >= self.format.len() {
            return Ok(());
        }
        self.at += 1;
        if *after {
            *good = false;
        }
        *after = self.index(good);
        if self.byte() == Some(b'*') {
            self.at += 1;
            match self.int_argument() {
                Some(precision) if precision >= 0 => {
                    flags.precision = usize::try_from(precision).ok()
                }
                _ => self.sink.put("%!(BADPREC)")?,
            }
            *after = false;
        } else {
            flags.precision = Some(self.number().unwrap_or(0));
        }
        Ok(())
    }

    /// `intFromArg`: an argument that says a width or a precision.
    fn int_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        let n = match value {
            Value::Int(n) | Value::Int64(n) | Value::Named(_, n) => *n,
            Value::Uint8(n) => i64::from(*n),
            Value::Uint64(n) => i64::try_from(*n).ok()?,
            _ => return None,
        };
        (n.unsigned_abs() <= WIDEST as u64).then_some(n)
    }

    /// `parsenum`: a number that is too long ends the format.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            let before = number.unwrap_or(0);
            if before > WIDEST {
                self.at = self.format.len();
                return None;
            }
            number = Some(before * 10 + usize::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    /// `argNumber`: `[3]` says which argument is next.
    fn index(&mut self, good: &mut bool) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|byte| *byte == b']') else {
            self.at += 1;
            *good = false;
            return false;
        };
        let digits = std::str::from_utf8(&rest[1..close]).unwrap_or_default();
        self.at += close + 1;
        let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        match digits.parse::<usize>() {
            Ok(place) if all_digits && place >= 1 && place <= self.values.len() => {
                self.next = place - 1;
                true
            }
            Ok(_) if all_digits => {
                *good = false;
                true
            }
            _ => {
                *good = false;
                false
            }
        }
    }

    fn extra(&mut self) -> Result<(), Failure> {
        if self.reordered || self.next >= self.values.len() {
            return Ok(());
        }
        self.sink.put("%!(EXTRA ")?;
        for (at, value) in self.values[self.next..].iter().enumerate() {
            if at > 0 {
                self.sink.put(", ")?;
            }
            self.sink.put(value.type_name())?;
            if !value.is_nil() {
                self.sink.put("=")?;
                plain(&mut self.sink, value)?;
            }
        }
        self.sink.put(")")
    }
}

/// `printArg` and `printValue`.
fn argument(
    sink: &mut Sink<'_>,
    flags: &Flags,
    value: &Value,
    verb: char,
    depth: usize,
) -> Result<(), Failure> {
    sink.budget().step(1)?;
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep to be printed"));
    }
    if verb == 'T' {
        return string(sink, flags, value.type_name().as_bytes(), 's');
    }
    match value {
        Value::Missing | Value::Nil if verb == 'v' => string(sink, flags, b"<nil>", 's'),
        Value::Missing | Value::Nil => bad_verb(sink, value, verb),
        Value::Bool(truth) if matches!(verb, 't' | 'v') => {
            pad(sink, flags, if *truth { b"true" } else { b"false" })
        }
        Value::Bool(_) => bad_verb(sink, value, verb),
        Value::Int(n) | Value::Int64(n) => integer(sink, flags, Whole::signed(*n), value, verb),
        Value::Uint8(n) => integer(sink, flags, Whole::unsigned(u64::from(*n)), value, verb),
        Value::Uint64(n) => integer(sink, flags, Whole::unsigned(*n), value, verb),
        Value::Float(n) => float(sink, flags, *n, value, verb),
        Value::String(text) if matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') => {
            string(sink, flags, text.bytes(), verb)
        }
        Value::String(_) => bad_verb(sink, value, verb),
        Value::List(_) | Value::Map(_) | Value::Certificate(_) => {
            compound(sink, flags, value, verb, depth)
        }
        Value::Named(_, n) => match verb {
            'v' if flags.sharp_v => integer(sink, flags, Whole::signed(*n), value, 'v'),
            'v' | 's' | 'x' | 'X' | 'q' => stringer(sink, flags, value, verb),
            _ => integer(sink, flags, Whole::signed(*n), value, verb),
        },
        Value::Time(_) | Value::Version(_) => match verb {
            'v' | 's' | 'x' | 'X' | 'q' => stringer(sink, flags, value, verb),
            _ => bad_verb(sink, value, verb),
        },
    }
}

fn stringer(sink: &mut Sink<'_>, flags: &Flags, value: &Value, verb: char) -> Result<(), Failure> {
    let text = super::text_of(value, sink.budget())?;
    string(sink, flags, text.bytes(), verb)
}

/// A list, map or struct: the verb is for the items.
fn compound(
    sink: &mut Sink<'_>,
    flags: &Flags,
    value: &Value,
    verb: char,
    depth: usize,
) -> Result<(), Failure> {
    let go = flags.sharp_v;
    let (open, between, close) = match (value, go) {
        (_, true) => (format!("{}{{", value.type_name()), ", ", "}"),
        (Value::List(_), false) => ("[".to_owned(), " ", "]"),
        (Value::Map(_), false) => ("map[".to_owned(), " ", "]"),
        (_, false) => ("{".to_owned(), " ", "}"),
    };
    if let (Value::List(list), true) = (value, go)
        && list.nil
    {
        return sink.put(&format!("{}(nil)", value.type_name()));
    }
    sink.put(&open)?;
    let mut first = true;
    let mut separate = |sink: &mut Sink<'_>| {
        if std::mem::take(&mut first) {
            Ok(())
        } else {
            sink.put(between)
        }
    };
    match value {
        Value::List(list) => {
            for item in list.items() {
                separate(sink)?;
                nested(sink, flags, item, verb, depth)?;
            }
        }
        Value::Map(map) => {
            for (key, item) in map.entries().iter() {
                separate(sink)?;
                argument(sink, flags, &Value::String(key.clone()), verb, depth + 1)?;
                sink.put(":")?;
                nested(sink, flags, item, verb, depth)?;
            }
        }
        Value::Certificate(certificate) => {
            for (name, field) in [("Cert", &certificate.cert), ("Key", &certificate.key)] {
                separate(sink)?;
                if go || flags.plus_v {
                    sink.put(name)?;
                    sink.put(":")?;
                }
                argument(sink, flags, &Value::String(field.clone()), verb, depth + 1)?;
            }
        }
        _ => {}
    }
    sink.put(close)
}

/// An item of a container: an absent one is `<nil>` whatever the verb, `interface {}(nil)` in Go syntax.
fn nested(
    sink: &mut Sink<'_>,
    flags: &Flags,
    item: &Value,
    verb: char,
    depth: usize,
) -> Result<(), Failure> {
    match item {
        Value::Missing | Value::Nil if flags.sharp_v => sink.put("interface {}(nil)"),
        Value::Missing | Value::Nil => sink.put("<nil>"),
        other => argument(sink, flags, other, verb, depth + 1),
    }
}

fn bad_verb(sink: &mut Sink<'_>, value: &Value, verb: char) -> Result<(), Failure> {
    if value.is_nil() {
        return sink.put(&format!("%!{verb}(<nil>)"));
    }
    sink.put(&format!("%!{verb}({}=", value.type_name()))?;
    plain(sink, value)?;
    sink.put(")")
}

/// `fmtString`.
fn string(sink: &mut Sink<'_>, flags: &Flags, bytes: &[u8], verb: char) -> Result<(), Failure> {
    match verb {
        'x' => hexadecimal(sink, flags, bytes, false),
        'X' => hexadecimal(sink, flags, bytes, true),
        'q' => quote(sink, flags, flags.sharp, flags.plus, bytes),
        'v' if flags.sharp_v => quote(sink, flags, false, false, bytes),
        _ => pad(sink, flags, truncated(flags, bytes)),
    }
}

fn truncated<'t>(flags: &Flags, bytes: &'t [u8]) -> &'t [u8] {
    let Some(precision) = flags.precision else {
        return bytes;
    };
    let length = crate::value::runes(bytes)
        .take(precision)
        .map(|(_, width)| width)
        .sum();
    &bytes[..length]
}

fn quote(
    sink: &mut Sink<'_>,
    flags: &Flags,
    raw: bool,
    ascii: bool,
    bytes: &[u8],
) -> Result<(), Failure> {
    let bytes = truncated(flags, bytes);
    let can_be_raw = std::str::from_utf8(bytes).is_ok_and(|text| {
        text.chars()
            .all(|c| (c >= ' ' || c == '\t') && !matches!(c, '`' | '\u{7f}' | '\u{feff}'))
    });
    sink.budget().allocate(bytes.len() * 4)?;
    if raw && can_be_raw {
        pad(sink, flags, &[b"`", bytes, b"`"].concat())
    } else if ascii {
        pad(sink, flags, &quoted_ascii(bytes))
    } else {
        pad(sink, flags, &quoted(bytes))
    }
}

/// `fmtSbx`.
fn hexadecimal(
    sink: &mut Sink<'_>,
    flags: &Flags,
    bytes: &[u8],
    upper: bool,
) -> Result<(), Failure> {
    let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
    sink.budget().allocate(bytes.len() * 5)?;
    let prefix = if upper { "0X" } else { "0x" };
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if flags.space && at > 0 {
            text.push(' ');
        }
        if flags.sharp && (at == 0 || flags.space) {
            text.push_str(prefix);
        }
        let digits = if upper {
            format!("{byte:02X}")
        } else {
            format!("{byte:02x}")
        };
        text.push_str(&digits);
    }
    pad(
        sink,
        &Flags {
            zero: false,
            ..flags.clone()
        },
        text.as_bytes(),
    )
}

/// An integer without its sign.
struct Whole {
    negative: bool,
    magnitude: u64,
}

impl Whole {
    fn signed(n: i64) -> Self {
        Self {
            negative: n < 0,
            magnitude: n.unsigned_abs(),
        }
    }

    fn unsigned(n: u64) -> Self {
        Self {
            negative: false,
            magnitude: n,
        }
    }

    /// The bits, as Go passes a signed number on to a verb for characters.
    fn bits(&self) -> u64 {
        if self.negative {
            self.magnitude.wrapping_neg()
        } else {
            self.magnitude
        }
    }
}

fn integer(
    sink: &mut Sink<'_>,
    flags: &Flags,
    whole: Whole,
    value: &Value,
    verb: char,
) -> Result<(), Failure> {
    let magnitude = whole.magnitude;
    let (digits, prefix) = match verb {
        'v' if flags.sharp_v && matches!(value, Value::Uint8(_) | Value::Uint64(_)) => {
            (format!("{magnitude:x}"), "0x")
        }
        'd' | 'v' => (magnitude.to_string(), ""),
        'b' => (
            format!("{magnitude:b}"),
            if flags.sharp { "0b" } else { "" },
        ),
        'o' => (format!("{magnitude:o}"), if flags.sharp { "0" } else { "" }),
        'O' => (format!("{magnitude:o}"), "0o"),
        'x' => (
            format!("{magnitude:x}"),
            if flags.sharp { "0x" } else { "" },
        ),
        'X' => (
            format!("{magnitude:X}"),
            if flags.sharp { "0X" } else { "" },
        ),
        'c' | 'q' | 'U' => return character(sink, flags, whole.bits(), verb),
        _ => return bad_verb(sink, value, verb),
    };
    let without_zero = Flags {
        zero: false,
        ..flags.clone()
    };
    let wanted = match flags.precision {
        Some(0) if magnitude == 0 => {
            return pad(
                sink,
                &Flags {
                    width: flags.width,
                    ..Flags::default()
                },
                b"",
            );
        }
        Some(precision) => precision,
        None if flags.zero && !flags.minus => {
            let sign = usize::from(whole.negative || flags.plus || flags.space);
            flags.width.unwrap_or(0).saturating_sub(sign)
        }
        None => 0,
    };
    sink.budget().allocate(wanted)?;
    let mut text = String::new();
    text.push_str(match (whole.negative, flags.plus, flags.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    });
    let zeros = wanted.saturating_sub(digits.len());
    if !(prefix == "0" && (zeros > 0 || digits.starts_with('0'))) {
        text.push_str(prefix);
    }
    text.extend(std::iter::repeat_n('0', zeros));
    text.push_str(&digits);
    pad(sink, &without_zero, text.as_bytes())
}

fn character(sink: &mut Sink<'_>, flags: &Flags, code: u64, verb: char) -> Result<(), Failure> {
    let rune = u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut text = Vec::new();
    match verb {
        'c' => push_rune(&mut text, rune),
        'q' => {
            text.push(b'\'');
            escape(&mut text, rune, '\'', flags.plus);
            text.push(b'\'');
        }
        _ => {
            let digits = format!("{code:X}");
            let zeros = flags
                .precision
                .unwrap_or(4)
                .max(4)
                .saturating_sub(digits.len());
            sink.budget().allocate(zeros)?;
            text.extend_from_slice(b"U+");
            text.resize(2 + zeros, b'0');
            text.extend_from_slice(digits.as_bytes());
            let shown = u32::try_from(code)
                .ok()
                .and_then(char::from_u32)
                .filter(|c| is_printable(*c));
            if let (true, Some(shown)) = (flags.sharp, shown) {
                text.extend_from_slice(b" '");
                push_rune(&mut text, shown);
                text.push(b'\'');
            }
            return pad(
                sink,
                &Flags {
                    zero: false,
                    ..flags.clone()
                },
                &text,
            );
        }
    }
    pad(sink, flags, &text)
}

/// `fmtFloat`.
fn float(
    sink: &mut Sink<'_>,
    flags: &Flags,
    n: f64,
    value: &Value,
    verb: char,
) -> Result<(), Failure> {
    let precision = flags.precision;
    sink.budget().allocate(precision.unwrap_or(0) + 350)?;
    let text = match verb {
        'v' | 'g' => general(n, precision),
        'G' => general(n, precision).to_uppercase(),
        'e' => exponential(n, precision.or(Some(6))),
        'E' => exponential(n, precision.or(Some(6))).to_uppercase(),
        'f' | 'F' => fixed(n, precision.or(Some(6))),
        'b' | 'x' | 'X' => {
            return Err(Failure::new(
                "printf: this engine does not print floats in binary or hexadecimal",
            ));
        }
        _ => return bad_verb(sink, value, verb),
    };
    let text = match (verb, n.is_finite()) {
        ('G' | 'E', false) => fixed(n, None),
        _ => text,
    };
    let unsigned = text.trim_start_matches(['+', '-']);
    let sign = match (text.starts_with('-'), flags.plus, flags.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ if n == f64::INFINITY => "+",
        _ => "",
    };
    let body = if flags.sharp && n.is_finite() {
        sharpened(unsigned, verb, precision)
    } else {
        unsigned.to_owned()
    };
    let zero = flags.zero && n.is_finite() && !flags.minus;
    if zero && let Some(width) = flags.width {
        let zeros = width.saturating_sub(sign.len() + body.len());
        sink.budget().allocate(zeros)?;
        sink.put(sign)?;
        sink.put(&"0".repeat(zeros))?;
        return sink.put(&body);
    }
    pad(
        sink,
        &Flags {
            zero: false,
            ..flags.clone()
        },
        [sign, &body].concat().as_bytes(),
    )
}

/// `%#g` keeps a decimal point and the zeros up to the precision.
fn sharpened(text: &str, verb: char, precision: Option<usize>) -> String {
    let (mantissa, tail) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut mantissa = mantissa.to_owned();
    let significant = mantissa
        .chars()
        .filter(char::is_ascii_digit)
        .skip_while(|c| *c == '0')
        .count();
    if !mantissa.contains('.') {
        mantissa.push('.');
    }
    if matches!(verb, 'v' | 'g' | 'G') {
        let wanted = precision.unwrap_or(6);
        let have = if significant == 0 { 1 } else { significant };
        mantissa.extend(std::iter::repeat_n('0', wanted.saturating_sub(have)));
    }
    mantissa + tail
}

/// `pad`: the width counts runes.
fn pad(sink: &mut Sink<'_>, flags: &Flags, bytes: &[u8]) -> Result<(), Failure> {
    let Some(width) = flags.width else {
        return sink.write(bytes);
    };
    let missing = width.saturating_sub(crate::value::runes(bytes).count());
    sink.budget().allocate(missing)?;
    if flags.minus {
        sink.write(bytes)?;
        sink.write(&vec![b' '; missing])
    } else {
        sink.write(&vec![if flags.zero { b'0' } else { b' ' }; missing])?;
        sink.write(bytes)
    }
}
