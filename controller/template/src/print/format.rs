//! `fmt.Sprintf`.

use super::verbs::argument;
use super::{Sink, plain};
use crate::limits::Budget;
use crate::run::Failure;
use crate::value::{Text, Value, first_rune};

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
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v` and `%+v`: the flag changes the meaning of the verb and is no flag of the parts.
    pub(super) sharp_v: bool,
    pub(super) plus_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
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
                    flags.precision = usize::try_from(precision).ok();
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
