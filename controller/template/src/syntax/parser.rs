//! The grammar of a template (`text/template/parse/parse.go`).

use std::collections::{BTreeMap, VecDeque};

use super::lexer::{Kind, LexError, Lexer, Word};
use super::literal::unquote;
use super::{Arm, Branches, Delimiters, Node, Range};
use crate::functions::Incumbent;

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

pub(super) struct Parser<'s> {
    pub(super) lexer: Lexer<'s>,
    pub(super) ahead: VecDeque<Word<'s>>,
    pub(super) incumbent: Incumbent,
    pub(super) definitions: Definitions,
    pub(super) variables: Vec<String>,
    pub(super) ranges: usize,
    pub(super) depth: usize,
    pub(super) line: usize,
}

pub(super) type Parsed<T> = Result<T, SyntaxError>;

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
    pub(super) fn fill(&mut self, count: usize) -> Parsed<()> {
        while self.ahead.len() < count {
            let word = self.lexer.next()?;
            self.ahead.push_back(word);
        }
        Ok(())
    }

    pub(super) fn peek(&mut self) -> Parsed<Word<'s>> {
        self.fill(1)?;
        Ok(self.ahead[0])
    }

    pub(super) fn next(&mut self) -> Parsed<Word<'s>> {
        self.fill(1)?;
        let word = self.ahead.pop_front();
        let word = word.ok_or_else(|| self.problem("unexpected end"))?;
        self.line = word.line;
        Ok(word)
    }

    pub(super) fn skip_space(&mut self) -> Parsed<()> {
        while self.peek()?.kind == Kind::Space {
            self.next()?;
        }
        Ok(())
    }

    pub(super) fn peek_word(&mut self) -> Parsed<Word<'s>> {
        self.skip_space()?;
        self.peek()
    }

    pub(super) fn next_word(&mut self) -> Parsed<Word<'s>> {
        self.skip_space()?;
        self.next()
    }

    pub(super) fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Word<'s>> {
        let word = self.next_word()?;
        if word.kind == kind {
            Ok(word)
        } else {
            Err(self.unexpected(word, context))
        }
    }

    pub(super) fn problem(&self, problem: impl Into<String>) -> SyntaxError {
        SyntaxError {
            line: self.line,
            problem: Problem::Grammar(problem.into()),
        }
    }

    pub(super) fn unexpected(&self, word: Word<'_>, context: &str) -> SyntaxError {
        match word.kind {
            Kind::EndOfFile => self.problem("unexpected EOF"),
            _ => self.problem(format!("unexpected {} in {context}", shown(word.text))),
        }
    }

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

    pub(super) fn enter(&mut self) -> Parsed<()> {
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

    pub(super) fn unquoted(&self, word: Word<'_>) -> Parsed<Vec<u8>> {
        unquote(word.text).ok_or_else(|| self.problem("invalid syntax in a string"))
    }
}

fn is_empty(nodes: &[Node]) -> bool {
    nodes
        .iter()
        .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

/// A word of the source between quotes, short and on one line.
pub(super) fn shown(word: &str) -> String {
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
