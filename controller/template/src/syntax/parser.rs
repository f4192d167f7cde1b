//! The grammar of a template (`text/template/parse/parse.go`).

use std::collections::{BTreeMap, VecDeque};

use super::lexer::{Kind, LexError, Lexer, Word};
use super::literal::unquote;
use super::{Arm, Branches, Command, Delimiters, Node, Number, Operand, Pipe, Range};
use crate::functions::{Function, Incumbent, Lookup};

/// The bodies by name; the template itself has the empty name.
pub(crate) type Definitions = BTreeMap<Vec<u8>, Vec<Node>>;

/// Why a source is not a template.
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) problem: Problem,
}

/// What is wrong with a source.
pub(crate) enum Problem {
    Grammar(String),
    Refused { name: String, reason: &'static str },
    TooDeep,
}

/// How deep blocks and parentheses may stand in each other.
pub(crate) const MAXIMUM_DEPTH: usize = 100;

/// Parses a source.
pub(crate) fn parse(
    source: &str,
    incumbent: Incumbent,
    delimiters: &Delimiters,
) -> Result<Definitions, SyntaxError> {
    let mut parser = Parser {
        lexer: Lexer::new(source, delimiters),
        ahead: VecDeque::new(),
        incumbent,
        definitions: Definitions::new(),
        variables: vec!["$".to_owned()],
        ranges: 0,
        depth: 0,
        line: 1,
    };
    let body = parser.top()?;
    parser.define(Vec::new(), body)?;
    Ok(parser.definitions)
}

struct Parser<'s> {
    lexer: Lexer<'s>,
    ahead: VecDeque<Word<'s>>,
    incumbent: Incumbent,
    definitions: Definitions,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
    line: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

/// How a list of nodes ended.
enum Ending {
    End,
    Else,
    ElseIf,
    ElseWith,
}

enum Item {
    Node(Node),
    Ending(Ending),
}

impl From<LexError> for SyntaxError {
    fn from(error: LexError) -> Self {
        Self {
            line: error.line,
            problem: Problem::Grammar(error.problem),
        }
    }
}

impl<'s> Parser<'s> {
    // Words.

    fn fill(&mut self, count: usize) -> Parsed<()> {
        while self.ahead.len() < count {
            let word = self.lexer.next()?;
            self.ahead.push_back(word);
        }
        Ok(())
    }

    fn peek(&mut self) -> Parsed<Word<'s>> {
        self.fill(1)?;
        Ok(self.ahead[0])
    }

    fn next(&mut self) -> Parsed<Word<'s>> {
        self.fill(1)?;
        let word = self.ahead.pop_front();
        let word = word.ok_or_else(|| self.problem("unexpected end"))?;
        self.line = word.line;
        Ok(word)
    }

    fn skip_space(&mut self) -> Parsed<()> {
        while self.peek()?.kind == Kind::Space {
            self.next()?;
        }
        Ok(())
    }

    fn peek_word(&mut self) -> Parsed<Word<'s>> {
        self.skip_space()?;
        self.peek()
    }

    fn next_word(&mut self) -> Parsed<Word<'s>> {
        self.skip_space()?;
        self.next()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Word<'s>> {
        let word = self.next_word()?;
        if word.kind == kind {
            Ok(word)
        } else {
            Err(self.unexpected(word, context))
        }
    }

    fn problem(&self, problem: impl Into<String>) -> SyntaxError {
        SyntaxError {
            line: self.line,
            problem: Problem::Grammar(problem.into()),
        }
    }

    fn unexpected(&self, word: Word<'_>, context: &str) -> SyntaxError {
        match word.kind {
            Kind::EndOfFile => self.problem("unexpected EOF"),
            _ => self.problem(format!("unexpected {} in {context}", shown(word.text))),
        }
    }

    // Blocks.

    fn top(&mut self) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.peek()?.kind != Kind::EndOfFile {
            if self.peek()?.kind == Kind::LeftDelimiter && self.word_in_action()? == Kind::Define {
                self.definition()?;
                continue;
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(Ending::End) => return Err(self.problem("unexpected {{end}}")),
                Item::Ending(_) => return Err(self.problem("unexpected {{else}}")),
            }
        }
        Ok(nodes)
    }

    /// The first word of the action whose left delimiter is next.
    fn word_in_action(&mut self) -> Parsed<Kind> {
        let mut at = 1;
        loop {
            self.fill(at + 1)?;
            match self.ahead[at].kind {
                Kind::Space => at += 1,
                kind => return Ok(kind),
            }
        }
    }

    fn definition(&mut self) -> Parsed<()> {
        self.next()?;
        self.next_word()?;
        let name = self.expect(Kind::Quoted, "define clause")?;
        let name = self.unquoted(name)?;
        self.expect(Kind::RightDelimiter, "define clause")?;
        let body = self.separate_body("define clause")?;
        self.define(name, body)
    }

    /// A body with variables and loops of its own: `define` and `block`.
    fn separate_body(&mut self, context: &str) -> Parsed<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, ending) = self.nested()?;
        self.variables = variables;
        self.ranges = ranges;
        match ending {
            Ending::End => Ok(body),
            _ => Err(self.problem(format!("unexpected {{{{else}}}} in {context}"))),
        }
    }

    /// Of several bodies with one name the one with content counts; two with content are an error.
    fn define(&mut self, name: Vec<u8>, body: Vec<Node>) -> Parsed<()> {
        match self.definitions.get(&name) {
            Some(known) if !is_empty(known) => {
                if !is_empty(&body) {
                    let name = String::from_utf8_lossy(&name);
                    return Err(
                        self.problem(format!("multiple definition of template {}", shown(&name)))
                    );
                }
            }
            _ => {
                self.definitions.insert(name, body);
            }
        }
        Ok(())
    }

    fn nested(&mut self) -> Parsed<(Vec<Node>, Ending)> {
        self.enter()?;
        let mut nodes = Vec::new();
        loop {
            if self.peek_word()?.kind == Kind::EndOfFile {
                return Err(self.problem("unexpected EOF: a block is not closed with {{end}}"));
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((nodes, ending));
                }
            }
        }
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAXIMUM_DEPTH {
            return Err(SyntaxError {
                line: self.line,
                problem: Problem::TooDeep,
            });
        }
        Ok(())
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let word = self.next_word()?;
        match word.kind {
            Kind::Text => Ok(Item::Node(Node::Text(word.text.to_owned()))),
            Kind::LeftDelimiter => self.action(),
            _ => Err(self.unexpected(word, "input")),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let word = self.peek_word()?;
        let node = match word.kind {
            Kind::Block => self.block()?,
            Kind::Break | Kind::Continue => self.jump(word.kind)?,
            Kind::Else => return self.otherwise(),
            Kind::End => {
                self.next()?;
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::If => Node::If(self.branches(Kind::If)?),
            Kind::With => Node::With(self.branches(Kind::With)?),
            Kind::Range => self.range()?,
            Kind::Template => self.call()?,
            // Variables declared here live until the block ends.
            _ => Node::Action(self.pipeline("command", Kind::RightDelimiter)?),
        };
        Ok(Item::Node(node))
    }

    fn jump(&mut self, kind: Kind) -> Parsed<Node> {
        let word = self.next()?;
        self.expect(Kind::RightDelimiter, word.text)?;
        if self.ranges == 0 {
            return Err(self.problem(format!("{{{{{}}}}} outside {{{{range}}}}", word.text)));
        }
        Ok(if kind == Kind::Break {
            Node::Break
        } else {
            Node::Continue
        })
    }

    fn otherwise(&mut self) -> Parsed<Item> {
        self.next()?;
        let ending = match self.peek_word()?.kind {
            Kind::If => Ending::ElseIf,
            Kind::With => Ending::ElseWith,
            _ => {
                self.expect(Kind::RightDelimiter, "else")?;
                Ending::Else
            }
        };
        Ok(Item::Ending(ending))
    }

    fn branches(&mut self, keyword: Kind) -> Parsed<Branches> {
        let context = if keyword == Kind::If { "if" } else { "with" };
        let variables = self.variables.len();
        let mut branches = Branches {
            arms: Vec::new(),
            otherwise: Vec::new(),
        };
        loop {
            self.next_word()?; // the keyword
            let pipe = self.pipeline(context, Kind::RightDelimiter)?;
            let (body, ending) = self.nested()?;
            branches.arms.push(Arm { pipe, body });
            match (ending, keyword) {
                (Ending::End, _) => break,
                (Ending::ElseIf, Kind::If) | (Ending::ElseWith, Kind::With) => {}
                (Ending::Else, _) => {
                    branches.otherwise = self.last_body()?;
                    break;
                }
                _ => {
                    let word = self.next_word()?;
                    return Err(self.unexpected(word, "else"));
                }
            }
        }
        self.variables.truncate(variables);
        Ok(branches)
    }

    fn last_body(&mut self) -> Parsed<Vec<Node>> {
        match self.nested()? {
            (body, Ending::End) => Ok(body),
            _ => Err(self.problem("expected end; found {{else}}")),
        }
    }

    fn range(&mut self) -> Parsed<Node> {
        self.next()?;
        let variables = self.variables.len();
        let pipe = self.pipeline("range", Kind::RightDelimiter)?;
        self.ranges += 1;
        let (body, ending) = self.nested()?;
        self.ranges -= 1;
        let otherwise = match ending {
            Ending::End => Vec::new(),
            Ending::Else => self.last_body()?,
            _ => {
                let word = self.next_word()?;
                return Err(self.unexpected(word, "else"));
            }
        };
        self.variables.truncate(variables);
        Ok(Node::Range(Box::new(Range {
            pipe,
            body,
            otherwise,
        })))
    }

    fn block(&mut self) -> Parsed<Node> {
        self.next()?;
        let word = self.expect(Kind::Quoted, "block clause")?;
        let name = self.unquoted(word)?;
        let pipe = self.pipeline("block clause", Kind::RightDelimiter)?;
        let body = self.separate_body("block clause")?;
        self.define(name.clone(), body)?;
        Ok(Node::Template {
            line: word.line,
            name,
            pipe: Some(pipe),
        })
    }

    fn call(&mut self) -> Parsed<Node> {
        self.next()?;
        let word = self.expect(Kind::Quoted, "template clause")?;
        let name = self.unquoted(word)?;
        let pipe = if self.peek_word()?.kind == Kind::RightDelimiter {
            self.next()?;
            None
        } else {
            Some(self.pipeline("template clause", Kind::RightDelimiter)?)
        };
        Ok(Node::Template {
            line: word.line,
            name,
            pipe,
        })
    }

    fn unquoted(&self, word: Word<'_>) -> Parsed<Vec<u8>> {
        unquote(word.text).ok_or_else(|| self.problem("invalid syntax in a string"))
    }

    // Pipelines.

    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
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

fn is_empty(nodes: &[Node]) -> bool {
    nodes
        .iter()
        .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

/// A word of the source between quotes, short and on one line.
fn shown(word: &str) -> String {
    const LONGEST: usize = 60;
    let mut text: String = word
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_default)
        .collect();
    if word.chars().count() > LONGEST {
        text.push_str("...");
    }
    format!("\"{text}\"")
}
