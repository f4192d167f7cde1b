//! From the source to the tree. The grammar is that of Go's `text/template/parse`.

mod lexer;
mod literal;
mod node;
mod parser;
mod pipeline;

pub use lexer::Delimiters;
pub(crate) use literal::{Number, hex_float};
pub(crate) use node::{Arm, Branches, Command, Node, Operand, Pipe, Range};
pub(crate) use parser::{Definitions, MAXIMUM_DEPTH, Problem, SyntaxError, parse};
