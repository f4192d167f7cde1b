//! `strconv.FormatFloat`.

/// The decimal digits of a finite float: `0.d1d2d3... * 10^point`.
pub(crate) struct Digits {
    pub(crate) negative: bool,
    pub(crate) digits: String,
    pub(crate) point: i32,
}

impl Digits {
    /// The fewest digits that give the same float back.
    pub(crate) fn shortest(value: f64) -> Self {
        Self::from_exponential(&format!("{value:e}"))
    }

    /// So many digits, correctly rounded.
    fn rounded(value: f64, digits: usize) -> Self {
        let digits = digits.min(MOST_DIGITS);
        Self::from_exponential(&format!("{value:.*e}", digits.saturating_sub(1)))
    }

    fn from_exponential(text: &str) -> Self {
        let (negative, text) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let zero = digits.bytes().all(|d| d == b'0');
        let point = if zero {
            1
        } else {
            exponent.parse::<i32>().unwrap_or(0) + 1
        };
        Self {
            negative,
            digits,
            point,
        }
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// `%v`: `'g'` with the fewest digits.
pub(crate) fn shortest(value: f64) -> String {
    general(value, None)
}

/// `'g'`, without a precision with the fewest digits.
pub(crate) fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let (digits, limit) = match precision {
        None => (Digits::shortest(value), SHORTEST_EXPONENT),
        Some(precision) => {
            let precision = precision.max(1);
            let mut digits = Digits::rounded(value, precision);
            let kept = digits.digits.trim_end_matches('0').len().max(1);
            digits.digits.truncate(kept);
            let mut limit = i32::try_from(precision).unwrap_or(i32::MAX);
            let count = i32::try_from(kept).unwrap_or(i32::MAX);
            if limit > count && count >= digits.point {
                limit = count;
            }
            (digits, limit)
        }
    };
    let exponent = if value == 0.0 { 0 } else { digits.point - 1 };
    if exponent < -4 || exponent >= limit {
        let precision = digits.digits.len() - 1;
        return exponential_of(&digits, precision, exponent);
    }
    let count = i32::try_from(digits.digits.len()).unwrap_or(i32::MAX);
    fixed_of(
        &digits,
        usize::try_from((count - digits.point).max(0)).unwrap_or(0),
    )
}

/// `'e'`.
pub(crate) fn exponential(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let digits = match precision {
        None => Digits::shortest(value),
        Some(precision) => Digits::rounded(value, precision + 1),
    };
    let exponent = if value == 0.0 { 0 } else { digits.point - 1 };
    exponential_of(
        &digits,
        precision.unwrap_or(digits.digits.len() - 1),
        exponent,
    )
}

/// `'f'`.
pub(crate) fn fixed(value: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    match precision {
        Some(precision) => {
            let exact = precision.min(MOST_DIGITS);
            let mut text = format!("{value:.exact$}");
            text.extend(std::iter::repeat_n('0', precision - exact));
            text
        }
        None => {
            let digits = Digits::shortest(value);
            let count = i32::try_from(digits.digits.len()).unwrap_or(i32::MAX);
            fixed_of(
                &digits,
                usize::try_from((count - digits.point).max(0)).unwrap_or(0),
            )
        }
    }
}

fn exponential_of(digits: &Digits, precision: usize, exponent: i32) -> String {
    let mut text = String::from(if digits.negative { "-" } else { "" });
    let mut all = digits.digits.clone();
    all.extend(std::iter::repeat_n(
        '0',
        (precision + 1).saturating_sub(all.len()),
    ));
    text.push_str(&all[..1]);
    if precision > 0 {
        text.push('.');
        text.push_str(&all[1..=precision]);
    }
    text.push('e');
    text.push(if exponent < 0 { '-' } else { '+' });
    let magnitude = format!("{:02}", exponent.unsigned_abs());
    text.push_str(&magnitude);
    text
}

fn fixed_of(digits: &Digits, precision: usize) -> String {
    let mut text = String::from(if digits.negative { "-" } else { "" });
    let at = |place: i32| {
        usize::try_from(place)
            .ok()
            .and_then(|place| digits.digits.as_bytes().get(place))
            .map_or('0', |d| char::from(*d))
    };
    if digits.point > 0 {
        text.extend((0..digits.point).map(at));
    } else {
        text.push('0');
    }
    if precision > 0 {
        text.push('.');
        let precision = i32::try_from(precision).unwrap_or(i32::MAX);
        text.extend((0..precision).map(|place| at(digits.point + place)));
    }
    text
}

/// The exponent form starts here if the fewest digits are asked for (`formatDigits` of strconv).
const SHORTEST_EXPONENT: i32 = 6;

/// No float64 has more digits than this that are not zero, before or after the point.
const MOST_DIGITS: usize = 1100;
