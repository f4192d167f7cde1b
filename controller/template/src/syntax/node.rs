//! The tree that a template is parsed into.

use super::Number;
use crate::functions::Function;

/// One thing to do.
pub(crate) enum Node {
    Text(String),
    Action(Pipe),
    If(Branches),
    With(Branches),
    Range(Box<Range>),
    Template {
        line: usize,
        name: Vec<u8>,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

/// `if` and `with`: the first arm whose pipe is true is taken. A chain of `else if` is one list, not
/// a tree, so that a long one does not nest.
pub(crate) struct Branches {
    pub(crate) arms: Vec<Arm>,
    pub(crate) otherwise: Vec<Node>,
}

/// One condition and its body.
pub(crate) struct Arm {
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
}

/// `range`.
pub(crate) struct Range {
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
}

/// Commands joined by `|`, with the variables that take the result.
pub(crate) struct Pipe {
    pub(crate) line: usize,
    pub(crate) variables: Vec<String>,
    /// `=` and not `:=`.
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Command>,
}

/// One operand, or a function or method with its arguments.
pub(crate) struct Command {
    pub(crate) operands: Vec<Operand>,
}

/// A term with the fields that follow it.
pub(crate) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    String(Vec<u8>),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(&'static Function),
    Chain(Box<Self>, Vec<String>),
    Pipe(Box<Pipe>),
}

impl Operand {
    /// Whether it is a constant or the dot, which can only start a pipeline.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(
            self,
            Self::Dot | Self::Nil | Self::Bool(_) | Self::Number(_) | Self::String(_)
        )
    }

    /// What to call it in an error.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Dot => ".".to_owned(),
            Self::Nil => "nil".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.source.clone(),
            Self::String(_) => "a string".to_owned(),
            Self::Field(names) => format!(".{}", names.join(".")),
            Self::Variable(name, fields) if fields.is_empty() => name.clone(),
            Self::Variable(name, fields) => format!("{name}.{}", fields.join(".")),
            Self::Function(function) => function.name.to_owned(),
            Self::Chain(inner, fields) => format!("{}.{}", inner.describe(), fields.join(".")),
            Self::Pipe(_) => "(...)".to_owned(),
        }
    }
}
