//! Calls: arguments are evaluated and checked against what the function wants (`evalCall`).

use super::Failure;
use super::state::State;
use crate::functions::{Function, Type};
use crate::syntax::Operand;
use crate::value::{Element, MapElement, Value};

impl<'r> State<'r> {
    /// Calls a function with the operands after it and the value piped into it.
    pub(super) fn function(
        &mut self,
        dot: &Value,
        function: &'static Function,
        operands: &'r [Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        match function.name {
            "and" => return self.first_decisive(dot, false, operands, last),
            "or" => return self.first_decisive(dot, true, operands, last),
            _ => {}
        }
        let count = operands.len() + usize::from(last.is_some());
        self.check_count(function, count)?;
        let mut arguments = Vec::with_capacity(count);
        for (at, operand) in operands.iter().enumerate() {
            arguments.push(self.argument(dot, function.parameter(at), operand)?);
        }
        if let Some(last) = last {
            arguments.push(fit(last, function.parameter(operands.len()))?);
        }
        self.call.budget.step(1)?;
        guarded(|| (function.body)(&self.call, &arguments))
            .map_err(|failure| failure.calling(function.name))
    }

    fn check_count(&self, function: &Function, count: usize) -> Result<(), Failure> {
        let fixed = function.fixed.len();
        let name = function.name;
        match function.rest {
            Some(_) if count < fixed => Err(Failure::new(format!(
                "wrong number of args for {name}: want at least {fixed} got {count}"
            ))),
            None if count != fixed => Err(Failure::new(format!(
                "wrong number of args for {name}: want {fixed} got {count}"
            ))),
            _ => Ok(()),
        }
    }

    /// `and` stops at the first false value, `or` at the first true one.
    fn first_decisive(
        &mut self,
        dot: &Value,
        decisive: bool,
        operands: &'r [Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut value = Value::Missing;
        if operands.is_empty() && last.is_none() {
            let name = if decisive { "or" } else { "and" };
            return Err(Failure::new(format!(
                "wrong number of args for {name}: want at least 1 got 0"
            )));
        }
        for operand in operands {
            value = self.operand(dot, operand)?;
            if value.truth() == decisive {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// One operand for a parameter of a type; a constant takes the type on (`evalArg`).
    pub(super) fn argument(
        &mut self,
        dot: &Value,
        wanted: Type,
        operand: &'r Operand,
    ) -> Result<Value, Failure> {
        let expected =
            |what: &str| Failure::new(format!("expected {what}; found {}", operand.describe()));
        match operand {
            Operand::Nil if wanted.can_be_nil() => Ok(Value::Nil),
            Operand::Nil => Err(Failure::new(format!(
                "cannot assign nil to {}",
                wanted.name()
            ))),
            Operand::Bool(value) => match wanted {
                Type::Any | Type::Bool => Ok(Value::Bool(*value)),
                _ => Err(unfit_constant(wanted, expected)),
            },
            Operand::String(bytes) => match wanted {
                Type::Any | Type::String => Ok(Value::bytes(bytes.clone())),
                _ => Err(unfit_constant(wanted, expected)),
            },
            Operand::Number(number) => match wanted {
                Type::Any => self.operand(dot, operand),
                Type::Int => number
                    .int
                    .map(Value::Int)
                    .ok_or_else(|| expected("integer")),
                Type::Uint32 => number
                    .uint
                    .map(|n| Value::Uint64(n & 0xffff_ffff))
                    .ok_or_else(|| expected("unsigned integer")),
                Type::Float => number
                    .float
                    .map(Value::Float)
                    .ok_or_else(|| expected("float")),
                _ => Err(unfit_constant(wanted, expected)),
            },
            other => {
                let value = self.operand(dot, other)?;
                fit(value, wanted)
            }
        }
    }
}

fn unfit_constant(wanted: Type, expected: impl Fn(&str) -> Failure) -> Failure {
    match wanted {
        Type::Bool => expected("bool"),
        Type::String => expected("string"),
        Type::Int => expected("integer"),
        Type::Uint32 => expected("unsigned integer"),
        Type::Float => expected("float"),
        other => Failure::new(format!(
            "can't handle a constant for arg of type {}",
            other.name()
        )),
    }
}

/// `validateType`: a value goes into a parameter of its own type or of any type.
fn fit(value: Value, wanted: Type) -> Result<Value, Failure> {
    let fits = match (wanted, &value) {
        (Type::Any, _) => true,
        (Type::Dict | Type::Anys, Value::Missing | Value::Nil) => true,
        (Type::Bool, Value::Bool(_))
        | (Type::String, Value::String(_))
        | (Type::Int, Value::Int(_))
        | (Type::Float, Value::Float(_))
        | (Type::Time, Value::Time(_))
        | (Type::Certificate, Value::Certificate(_)) => true,
        (Type::Version, Value::Version(_)) => true,
        (Type::Dict, Value::Map(map)) => map.element == MapElement::Any,
        (Type::Anys, Value::List(list)) => list.element == Element::Any,
        (_, Value::Missing | Value::Nil) => {
            return Err(Failure::new(format!(
                "invalid value; expected {}",
                wanted.name()
            )));
        }
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    Err(Failure::new(format!(
        "wrong type for value; expected {}; got {}",
        wanted.name(),
        value.type_name()
    )))
}

/// A function that panics is a function that failed: the render ends, the process goes on.
fn guarded(work: impl FnOnce() -> Result<Value, Failure>) -> Result<Value, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Failure::new(
            "the function failed unexpectedly; please report this",
        ))
    })
}
