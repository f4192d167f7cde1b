//! The walk over the tree.

use super::Failure;
use crate::functions::{Call, Dialect};
use crate::limits::{Budget, Exceeded};
use crate::print::{Sink, plain};
use crate::syntax::{Branches, Definitions, Node, Pipe, Range};
use crate::value::Value;

/// What a key that is not there is (`Option("missingkey=...")`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No value, printed as `<no value>`: Go's default.
    NoValue,
    /// An error.
    Error,
}

/// A failure and the line of the action where it happened.
pub(crate) struct Stopped {
    pub(crate) line: usize,
    pub(crate) failure: Failure,
}

/// Runs a template on its data.
pub(crate) fn run(
    definitions: &Definitions,
    dialect: Dialect,
    missing: Missing,
    data: Value,
    budget: &Budget,
) -> Result<Vec<u8>, Stopped> {
    let mut state = State {
        definitions,
        call: Call {
            incumbent: dialect.incumbent(),
            yaml: dialect.yaml(),
            budget,
        },
        missing,
        variables: vec![("$".to_owned(), data.clone())],
        depth: 0,
        line: 1,
        sink: Sink::output(budget),
    };
    let body = definitions
        .get(&Vec::new())
        .map(Vec::as_slice)
        .unwrap_or_default();
    match state.nodes(&data, body) {
        Ok(_) => Ok(state.sink.finish()),
        Err(failure) => Err(Stopped {
            line: state.line,
            failure,
        }),
    }
}

pub(super) struct State<'r> {
    pub(super) definitions: &'r Definitions,
    pub(super) call: Call<'r>,
    pub(super) missing: Missing,
    pub(super) variables: Vec<(String, Value)>,
    pub(super) depth: usize,
    pub(super) line: usize,
    pub(super) sink: Sink<'r>,
}

/// How a body ended.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// Blocks, parentheses and templates that may be open at one time. Each costs stack.
const MAXIMUM_DEPTH: usize = 150;

impl<'r> State<'r> {
    fn nodes(&mut self, dot: &Value, nodes: &'r [Node]) -> Result<Flow, Failure> {
        for node in nodes {
            self.call.budget.step(1)?;
            let flow = match node {
                Node::Text(text) => {
                    self.sink.put(text)?;
                    Flow::On
                }
                Node::Action(pipe) => {
                    self.action(dot, pipe)?;
                    Flow::On
                }
                Node::If(branches) => self.branches(dot, branches, false)?,
                Node::With(branches) => self.branches(dot, branches, true)?,
                Node::Range(range) => self.range(dot, range)?,
                Node::Template { line, name, pipe } => {
                    self.line = *line;
                    self.template(dot, name, pipe.as_ref())?;
                    Flow::On
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    pub(super) fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.depth >= MAXIMUM_DEPTH {
            return Err(Exceeded::Depth(MAXIMUM_DEPTH).into());
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn action(&mut self, dot: &Value, pipe: &'r Pipe) -> Result<(), Failure> {
        let value = self.pipe(dot, pipe)?;
        if !pipe.variables.is_empty() {
            return Ok(());
        }
        if value.is_nil() {
            self.sink.put("<no value>")
        } else {
            plain(&mut self.sink, &value)
        }
    }

    fn branches(
        &mut self,
        dot: &Value,
        branches: &'r Branches,
        with: bool,
    ) -> Result<Flow, Failure> {
        let variables = self.variables.len();
        let flow = self.deeper(|state| {
            for arm in &branches.arms {
                let value = state.pipe(dot, &arm.pipe)?;
                if value.truth() {
                    return state.nodes(if with { &value } else { dot }, &arm.body);
                }
            }
            state.nodes(dot, &branches.otherwise)
        });
        self.variables.truncate(variables);
        flow
    }

    fn range(&mut self, dot: &Value, range: &'r Range) -> Result<Flow, Failure> {
        let variables = self.variables.len();
        let flow = self.deeper(|state| {
            let over = state.pipe(dot, &range.pipe)?;
            if state.iterate(range, &over)? {
                Ok(Flow::On)
            } else {
                state.nodes(dot, &range.otherwise)
            }
        });
        self.variables.truncate(variables);
        flow
    }

    /// Whether there was anything to iterate over.
    fn iterate(&mut self, range: &'r Range, over: &Value) -> Result<bool, Failure> {
        match over {
            Value::Missing | Value::Nil => Ok(false),
            Value::List(list) => {
                for (at, item) in list.items().iter().enumerate() {
                    let index = Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
                    if !self.iteration(range, index, item)? {
                        break;
                    }
                }
                Ok(list.len() > 0)
            }
            Value::Map(map) => {
                // A copy of the entries: the body may change the map, in Go too.
                self.call
                    .budget
                    .allocate_many(map.len(), crate::value::ENTRY_BYTES)?;
                let entries: Vec<_> = map
                    .entries()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                for (key, item) in &entries {
                    if !self.iteration(range, Value::String(key.clone()), item)? {
                        break;
                    }
                }
                Ok(!entries.is_empty())
            }
            Value::Int(_)
            | Value::Int64(_)
            | Value::Uint8(_)
            | Value::Uint64(_)
            | Value::Named(..) => self.count(range, over),
            other => Err(Failure::new(format!(
                "range can't iterate over a {}",
                other.type_name()
            ))),
        }
    }

    fn count(&mut self, range: &'r Range, over: &Value) -> Result<bool, Failure> {
        if range.pipe.variables.len() > 1 {
            return Err(Failure::new(
                "can't use an integer to iterate over more than one variable",
            ));
        }
        let (end, number): (u64, fn(u64) -> Value) = match over {
            Value::Int(n) => (u64::try_from(*n).unwrap_or(0), |n| {
                Value::Int(n.cast_signed())
            }),
            Value::Uint8(n) => (u64::from(*n), |n| {
                Value::Uint8(u8::try_from(n).unwrap_or(u8::MAX))
            }),
            Value::Uint64(n) => (*n, Value::Uint64),
            Value::Int64(n) | Value::Named(_, n) => (u64::try_from(*n).unwrap_or(0), |n| {
                Value::Int64(n.cast_signed())
            }),
            _ => (0, Value::Uint64),
        };
        for n in 0..end {
            if !self.iteration(range, Value::Missing, &number(n))? {
                break;
            }
        }
        Ok(end > 0)
    }

    /// One turn; false after `break`.
    fn iteration(&mut self, range: &'r Range, index: Value, item: &Value) -> Result<bool, Failure> {
        self.call.budget.step(1)?;
        let declared = &range.pipe.variables;
        if range.pipe.assigns {
            match declared.as_slice() {
                [first] => self.assign(first, item.clone())?,
                [first, second] => {
                    self.assign(first, index)?;
                    self.assign(second, item.clone())?;
                }
                _ => {}
            }
        } else {
            // The pipe has pushed them already, with its own value.
            let top = self.variables.len();
            match declared.len() {
                1 => self.variables[top - 1].1 = item.clone(),
                2 => {
                    self.variables[top - 2].1 = index;
                    self.variables[top - 1].1 = item.clone();
                }
                _ => {}
            }
        }
        let mark = self.variables.len();
        let flow = self.nodes(item, &range.body);
        self.variables.truncate(mark);
        Ok(flow? != Flow::Break)
    }

    fn template(
        &mut self,
        dot: &Value,
        name: &[u8],
        pipe: Option<&'r Pipe>,
    ) -> Result<(), Failure> {
        let Some(body) = self.definitions.get(name) else {
            return Err(Failure::new("a template of this name is not defined"));
        };
        let data = match pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Missing,
        };
        let variables =
            std::mem::replace(&mut self.variables, vec![("$".to_owned(), data.clone())]);
        let flow = self.deeper(|state| state.nodes(&data, body));
        self.variables = variables;
        flow.map(|_| ())
    }
}
