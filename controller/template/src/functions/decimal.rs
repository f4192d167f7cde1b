//! `addf` and its kin: exact decimals (`shopspring/decimal`), so that 0.1 + 0.2 is 0.3.

use super::{Call, Function, Type, function};
use crate::print::Digits;
use crate::run::Failure;
use crate::value::{Value, to_float};

use Type::Any;

pub(super) const FUNCTIONS: &[Function] = &[
    function("add1f", &[Any], None, |call, a| {
        computed(call, to_float(&a[0]), &[Value::Int(1)], Decimal::plus)
    }),
    function("addf", &[], Some(Any), |call, a| {
        computed(call, 0.0, a, Decimal::plus)
    }),
    function("subf", &[Any], Some(Any), |call, a| {
        computed(call, to_float(&a[0]), &a[1..], Decimal::minus)
    }),
    function("divf", &[Any], Some(Any), |call, a| {
        computed(call, to_float(&a[0]), &a[1..], Decimal::over)
    }),
    function("mulf", &[Any], Some(Any), |call, a| {
        computed(call, to_float(&a[0]), &a[1..], Decimal::times)
    }),
];

type Operation = fn(&Decimal, &Decimal) -> Result<Decimal, Failure>;

fn computed(
    call: &Call<'_>,
    first: f64,
    others: &[Value],
    operation: Operation,
) -> Result<Value, Failure> {
    let mut result = Decimal::from_float(first)?;
    for other in others {
        call.budget.step(1 + result.digits.len() as u64)?;
        result = operation(&result, &Decimal::from_float(to_float(other))?)?;
        if result.digits.len() > LONGEST {
            return Err(Failure::new("the number has too many digits"));
        }
    }
    Ok(Value::Float(result.to_float()))
}

/// Digits of an intermediate result; a float64 needs 770 to be written out in full.
const LONGEST: usize = 4096;

/// `DivisionPrecision` of shopspring/decimal.
const DIVISION_DIGITS: i64 = 16;

/// `digits * 10^exponent`, digits least significant first and without leading zeros.
#[derive(Clone)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn from_float(value: f64) -> Result<Self, Failure> {
        if !value.is_finite() {
            return Err(Failure::new("cannot create a decimal from NaN or infinity"));
        }
        if value == 0.0 {
            return Ok(Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            });
        }
        let Digits {
            negative,
            digits,
            point,
        } = Digits::shortest(value);
        let digits: Vec<u8> = digits.bytes().rev().map(|digit| digit - b'0').collect();
        let exponent = i64::from(point) - i64::try_from(digits.len()).unwrap_or(0);
        Ok(Self {
            negative,
            digits,
            exponent,
        }
        .trimmed())
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        self
    }

    fn to_float(&self) -> f64 {
        if self.digits.is_empty() {
            return 0.0;
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        text.extend(
            self.digits
                .iter()
                .rev()
                .map(|digit| char::from(b'0' + digit)),
        );
        let exponent = self.exponent.to_string();
        [&text, "e", &exponent].concat().parse().unwrap_or(0.0)
    }

    /// The same number with a lower exponent.
    fn at(&self, exponent: i64) -> Result<Vec<u8>, Failure> {
        let zeros = usize::try_from(self.exponent - exponent).unwrap_or(0);
        if zeros > LONGEST {
            return Err(Failure::new("the numbers are too far apart"));
        }
        let mut digits = vec![0; if self.digits.is_empty() { 0 } else { zeros }];
        digits.extend_from_slice(&self.digits);
        Ok(digits)
    }

    fn plus(&self, other: &Self) -> Result<Self, Failure> {
        let exponent = self.exponent.min(other.exponent);
        let (left, right) = (self.at(exponent)?, other.at(exponent)?);
        let (negative, digits) = if self.negative == other.negative {
            (self.negative, sum(&left, &right))
        } else if less(&left, &right) {
            (other.negative, difference(&right, &left))
        } else {
            (self.negative, difference(&left, &right))
        };
        Ok(Self {
            negative,
            digits,
            exponent,
        }
        .trimmed())
    }

    fn minus(&self, other: &Self) -> Result<Self, Failure> {
        self.plus(&Self {
            negative: !other.negative,
            ..other.clone()
        })
    }

    fn times(&self, other: &Self) -> Result<Self, Failure> {
        let mut wide = vec![0u32; self.digits.len() + other.digits.len() + 1];
        for (i, left) in self.digits.iter().enumerate() {
            for (j, right) in other.digits.iter().enumerate() {
                wide[i + j] += u32::from(*left) * u32::from(*right);
            }
        }
        let mut carry = 0;
        let digits = wide
            .into_iter()
            .map(|digit| {
                let all = digit + carry;
                carry = all / 10;
                u8::try_from(all % 10).unwrap_or(0)
            })
            .collect();
        let negative = self.negative != other.negative;
        Ok(Self {
            negative,
            digits,
            exponent: self.exponent + other.exponent,
        }
        .trimmed())
    }

    /// To 16 places after the point, half away from zero.
    fn over(&self, other: &Self) -> Result<Self, Failure> {
        if other.digits.is_empty() {
            return Err(Failure::new("decimal division by 0"));
        }
        let shift = self.exponent - other.exponent + DIVISION_DIGITS;
        let zeros = |n: i64| usize::try_from(n).ok().filter(|n| *n <= LONGEST);
        let too_far = || Failure::new("the numbers are too far apart");
        let pad = |digits: &[u8], by: usize| [vec![0; by].as_slice(), digits].concat();
        let (above, below) = if shift >= 0 {
            (
                pad(&self.digits, zeros(shift).ok_or_else(too_far)?),
                other.digits.clone(),
            )
        } else {
            (
                self.digits.clone(),
                pad(&other.digits, zeros(-shift).ok_or_else(too_far)?),
            )
        };
        let (mut quotient, rest) = divided(&above, &below);
        if !less(&sum(&rest, &rest), &below) {
            quotient = sum(&quotient, &[1]);
        }
        let negative = self.negative != other.negative;
        Ok(Self {
            negative,
            digits: quotient,
            exponent: -DIVISION_DIGITS,
        }
        .trimmed())
    }
}

fn cut(mut digits: Vec<u8>) -> Vec<u8> {
    while digits.last() == Some(&0) {
        digits.pop();
    }
    digits
}

fn less(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (cut(left.to_vec()), cut(right.to_vec()));
    left.len() < right.len()
        || left.len() == right.len() && left.iter().rev().lt(right.iter().rev())
}

fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let length = left.len().max(right.len()) + 1;
    let at = |digits: &[u8], place: usize| digits.get(place).copied().unwrap_or(0);
    let digits = (0..length)
        .map(|place| {
            let all = at(left, place) + at(right, place) + carry;
            carry = all / 10;
            all % 10
        })
        .collect();
    cut(digits)
}

/// The left must not be less than the right.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let digits = left
        .iter()
        .enumerate()
        .map(|(place, digit)| {
            let take = right.get(place).copied().unwrap_or(0) + borrow;
            borrow = u8::from(*digit < take);
            digit + 10 * borrow - take
        })
        .collect();
    cut(digits)
}

fn divided(above: &[u8], below: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut quotient = vec![0; above.len()];
    let mut rest: Vec<u8> = Vec::new();
    for place in (0..above.len()).rev() {
        rest.insert(0, above[place]);
        rest = cut(rest);
        while !less(&rest, below) {
            rest = difference(&rest, below);
            quotient[place] += 1;
        }
    }
    (cut(quotient), rest)
}
