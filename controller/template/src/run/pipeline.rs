//! Pipelines, commands and operands (`evalPipeline`, `evalCommand`).

use super::Failure;
use super::state::State;
use crate::syntax::{Command, Operand, Pipe};
use crate::value::Value;

impl<'r> State<'r> {
    pub(super) fn pipe(&mut self, dot: &Value, pipe: &'r Pipe) -> Result<Value, Failure> {
        self.line = pipe.line;
        let mut value = None;
        for command in &pipe.commands {
            let result = self.command(dot, command, value.take())?;
            // An interface that holds nothing is no value from here on.
            value = Some(if result.is_nil() {
                Value::Missing
            } else {
                result
            });
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        for (known, slot) in self.variables.iter_mut().rev() {
            if known == name {
                *slot = value;
                return Ok(());
            }
        }
        Err(Failure::new(format!("undefined variable {name}")))
    }

    pub(super) fn variable(&self, name: &str) -> Result<Value, Failure> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| Failure::new(format!("undefined variable {name}")))
    }

    fn command(
        &mut self,
        dot: &Value,
        command: &'r Command,
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        self.call.budget.step(1)?;
        let (first, arguments) = command
            .operands
            .split_first()
            .ok_or_else(|| Failure::new("empty command"))?;
        match first {
            Operand::Function(function) => self.function(dot, function, arguments, last),
            Operand::Field(names) => self.fields(dot, dot.clone(), names, arguments, last),
            Operand::Variable(name, names) if !names.is_empty() => {
                let value = self.variable(name)?;
                self.fields(dot, value, names, arguments, last)
            }
            Operand::Chain(inner, names) => {
                let value = self.chained(dot, inner)?;
                self.fields(dot, value, names, arguments, last)
            }
            _ if !arguments.is_empty() || last.is_some() => Err(Failure::new(format!(
                "can't give argument to non-function {}",
                first.describe()
            ))),
            Operand::Nil => Err(Failure::new("nil is not a command")),
            other => self.operand(dot, other),
        }
    }

    fn chained(&mut self, dot: &Value, inner: &'r Operand) -> Result<Value, Failure> {
        if matches!(inner, Operand::Nil) {
            return Err(Failure::new("indirection through explicit nil"));
        }
        self.operand(dot, inner)
    }

    /// An operand where any type will do.
    pub(super) fn operand(&mut self, dot: &Value, operand: &'r Operand) -> Result<Value, Failure> {
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Nil => Ok(Value::Nil),
            Operand::Bool(value) => Ok(Value::Bool(*value)),
            Operand::String(bytes) => Ok(Value::bytes(bytes.clone())),
            Operand::Number(number) => match (number.is_ideal_float(), number.float, number.int) {
                (true, Some(float), _) => Ok(Value::Float(float)),
                (_, _, Some(int)) => Ok(Value::Int(int)),
                _ => Err(Failure::new(format!("{} overflows int", number.source))),
            },
            Operand::Field(names) => self.fields(dot, dot.clone(), names, &[], None),
            Operand::Variable(name, names) => {
                let value = self.variable(name)?;
                if names.is_empty() {
                    Ok(value)
                } else {
                    self.fields(dot, value, names, &[], None)
                }
            }
            Operand::Function(function) => self.function(dot, function, &[], None),
            Operand::Chain(inner, names) => {
                let value = self.chained(dot, inner)?;
                self.fields(dot, value, names, &[], None)
            }
            Operand::Pipe(pipe) => self.deeper(|state| state.pipe(dot, pipe)),
        }
    }
}
