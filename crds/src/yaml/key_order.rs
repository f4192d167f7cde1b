//! The order that Go's `yaml.v2` writes keys in (`sorter.go`): as a person would sort them, `a2` before
//! `a10`, and punctuation before letters.

use std::cmp::Ordering;

/// Compares two keys.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let Some(at) = left
        .iter()
        .zip(&right)
        .position(|(left, right)| left != right)
    else {
        return left.len().cmp(&right.len());
    };
    let (l, r) = (left[at], right[at]);
    match (l.is_alphabetic(), r.is_alphabetic()) {
        (true, true) => return l.cmp(&r),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Zeros after another digit count: `10` against `1a`.
    let after_number = (l == '0' || r == '0') && ends_in_number(&left[..at]);
    let left_number = number(&left[at..], after_number);
    let right_number = number(&right[at..], after_number);
    left_number.cmp(&right_number).then(l.cmp(&r))
}

/// Whether the common part ends in digits that are not all zero.
fn ends_in_number(common: &[char]) -> bool {
    common
        .iter()
        .rev()
        .take_while(|c| c.is_numeric())
        .any(|c| *c != '0')
}

/// The value of the digits that `text` begins with, and how many they are. Wraps as Go's does.
fn number(text: &[char], after_number: bool) -> (i64, usize) {
    let digits = text.iter().take_while(|c| is_decimal(**c));
    digits.fold((i64::from(after_number), 0), |(value, count), digit| {
        let digit = i64::from(u32::from(*digit)) - i64::from(u32::from('0'));
        (value.wrapping_mul(10).wrapping_add(digit), count + 1)
    })
}

/// Digits of any script count in Go; those that occur in keys are ASCII.
fn is_decimal(c: char) -> bool {
    c.is_ascii_digit()
}
