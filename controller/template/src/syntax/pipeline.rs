//! What stands inside an action: declarations, commands, operands.

use super::lexer::Kind;
use super::parser::{Parsed, Parser, Problem, SyntaxError, shown};
use super::{Command, Number, Operand, Pipe};
use crate::functions::{Function, Lookup};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let line = self.peek_word()?.line;
        let mut pipe = Pipe {
            line,
            variables: Vec::new(),
            assigns: false,
            commands: Vec::new(),
        };
        self.declarations(context, &mut pipe)?;
        loop {
            let word = self.peek_word()?;
            match word.kind {
                kind if kind == end => {
                    self.next()?;
                    break;
                }
                kind if starts_operand(kind) => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => {
                    self.next()?;
                    return Err(self.unexpected(word, context));
                }
            }
        }
        if pipe.commands.is_empty() {
            return Err(self.problem(format!("missing value for {context}")));
        }
        for (at, command) in pipe.commands.iter().enumerate().skip(1) {
            if command.operands[0].is_plain() {
                return Err(self.problem(format!(
                    "non executable command in pipeline stage {}",
                    at + 1
                )));
            }
        }
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Parsed<()> {
        while self.peek_word()?.kind == Kind::Variable {
            let at = self.after_spaces(1)?;
            match self.ahead[at].kind {
                kind @ (Kind::Assign | Kind::Declare) => {
                    let name = self.next()?.text.to_owned();
                    self.next_word()?;
                    pipe.assigns = kind == Kind::Assign;
                    self.variables.push(name.clone());
                    pipe.variables.push(name);
                    return Ok(());
                }
                Kind::Comma => {
                    let name = self.next()?.text.to_owned();
                    self.next_word()?;
                    self.variables.push(name.clone());
                    pipe.variables.push(name);
                    if context != "range" || pipe.variables.len() > 1 {
                        return Err(self.problem(format!("too many declarations in {context}")));
                    }
                    match self.peek_word()?.kind {
                        Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis => {}
                        _ => return Err(self.problem("range can only initialize variables")),
                    }
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// The place in the look-ahead of the first word from `at` on that is no space.
    fn after_spaces(&mut self, mut at: usize) -> Parsed<usize> {
        loop {
            self.fill(at + 1)?;
            if self.ahead[at].kind != Kind::Space {
                return Ok(at);
            }
            at += 1;
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let mut operands = Vec::new();
        loop {
            self.skip_space()?;
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let word = self.peek()?;
            match word.kind {
                Kind::Space => {
                    self.next()?;
                }
                Kind::RightDelimiter | Kind::RightParenthesis => break,
                Kind::Pipe => {
                    self.next()?;
                    break;
                }
                _ => return Err(self.unexpected(word, "operand")),
            }
        }
        if operands.is_empty() {
            return Err(self.problem("empty command"));
        }
        Ok(Command { operands })
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while self.peek()?.kind == Kind::Field {
            fields.push(self.next()?.text[1..].to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(term));
        }
        Ok(Some(match term {
            Operand::Field(mut names) => {
                names.append(&mut fields);
                Operand::Field(names)
            }
            Operand::Variable(name, _) => Operand::Variable(name, fields),
            plain if plain.is_plain() => {
                return Err(self.problem(format!("unexpected . after term {}", plain.describe())));
            }
            other => Operand::Chain(Box::new(other), fields),
        }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let word = self.peek()?;
        if !starts_operand(word.kind) {
            return Ok(None);
        }
        self.next()?;
        Ok(Some(match word.kind {
            Kind::Identifier => Operand::Function(self.function(word.text)?),
            Kind::Dot => Operand::Dot,
            Kind::Nil => Operand::Nil,
            Kind::Bool => Operand::Bool(word.text == "true"),
            Kind::Field => Operand::Field(vec![word.text[1..].to_owned()]),
            Kind::Variable => {
                if !self.variables.iter().any(|name| name == word.text) {
                    return Err(self.problem(format!("undefined variable {}", shown(word.text))));
                }
                Operand::Variable(word.text.to_owned(), Vec::new())
            }
            Kind::Quoted => Operand::String(self.unquoted(word)?),
            Kind::Number | Kind::Character => {
                let number = match word.kind {
                    Kind::Number => Number::parse(word.text),
                    _ => Number::character(word.text),
                };
                Operand::Number(number.ok_or_else(|| self.problem("malformed character constant"))?)
            }
            _ => {
                self.enter()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParenthesis)?;
                self.depth -= 1;
                Operand::Pipe(Box::new(pipe))
            }
        }))
    }

    fn function(&self, name: &str) -> Parsed<&'static Function> {
        match Function::find(name, self.incumbent) {
            Lookup::Found(function) => Ok(function),
            Lookup::Refused(reason) => Err(SyntaxError {
                line: self.line,
                problem: Problem::Refused {
                    name: name.to_owned(),
                    reason,
                },
            }),
            Lookup::Unknown => Err(self.problem(format!("function {} not defined", shown(name)))),
        }
    }
}

fn starts_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::Character
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Nil
            | Kind::Quoted
            | Kind::Variable
            | Kind::LeftParenthesis
    )
}
