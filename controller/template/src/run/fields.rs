//! `.field` and methods (`evalField`).

use super::Failure;
use super::state::{Missing, State};
use crate::functions::methods;
use crate::syntax::Operand;
use crate::value::Value;

impl<'r> State<'r> {
    /// Follows the names; the arguments are for the last one.
    pub(super) fn fields(
        &mut self,
        dot: &Value,
        mut value: Value,
        names: &'r [String],
        operands: &'r [Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let Some((final_name, names)) = names.split_last() else {
            return Ok(value);
        };
        for name in names {
            value = self.field(dot, &value, name, &[], None)?;
        }
        self.field(dot, &value, final_name, operands, last)
    }

    fn field(
        &mut self,
        dot: &Value,
        value: &Value,
        name: &str,
        operands: &'r [Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let has_arguments = !operands.is_empty() || last.is_some();
        match value {
            Value::Missing if self.missing == Missing::Error => Err(Failure::new(format!(
                "nil data; no entry for key \"{name}\""
            ))),
            Value::Missing => Ok(Value::Missing),
            Value::Nil => Err(Failure::new(format!(
                "nil pointer evaluating interface {{}}.{name}"
            ))),
            Value::Map(_) if has_arguments => Err(Failure::new(format!(
                "{name} is not a method but has arguments"
            ))),
            Value::Map(map) => match map.get(name.as_bytes()) {
                Some(found) => Ok(found),
                None if self.missing == Missing::Error => {
                    Err(Failure::new(format!("map has no entry for key \"{name}\"")))
                }
                None => Ok(Value::Missing),
            },
            Value::Certificate(certificate) => match name {
                "Cert" | "Key" if has_arguments => Err(Failure::new(format!(
                    "{name} has arguments but cannot be invoked as function"
                ))),
                "Cert" => Ok(Value::String(certificate.cert.clone())),
                "Key" => Ok(Value::String(certificate.key.clone())),
                _ => Err(unknown(value, name)),
            },
            other => match methods(other).iter().find(|method| method.name == name) {
                Some(method) => self.method(dot, value, method, operands, last),
                None => Err(unknown(value, name)),
            },
        }
    }

    fn method(
        &mut self,
        dot: &Value,
        receiver: &Value,
        method: &'static crate::functions::Function,
        operands: &'r [Operand],
        last: Option<Value>,
    ) -> Result<Value, Failure> {
        let wanted = method.fixed.len() - 1;
        let count = operands.len() + usize::from(last.is_some());
        if count != wanted {
            let name = method.name;
            return Err(Failure::new(format!(
                "wrong number of args for {name}: want {wanted} got {count}"
            )));
        }
        let mut arguments = vec![receiver.clone()];
        for (at, operand) in operands.iter().enumerate() {
            arguments.push(self.argument(dot, method.parameter(at + 1), operand)?);
        }
        arguments.extend(last);
        (method.body)(&self.call, &arguments).map_err(|failure| failure.calling(method.name))
    }
}

fn unknown(value: &Value, name: &str) -> Failure {
    Failure::new(format!(
        "can't evaluate field {name} in type {}",
        value.type_name()
    ))
}
