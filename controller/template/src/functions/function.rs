//! What a function is and how it is found.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Yaml;
use crate::limits::Budget;
use crate::run::{BUILTINS, Failure, Missing};
use crate::value::{Casting, List, Map, Text, Value};

/// Whose functions, and whose answer to a missing key.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it carries functions")]
pub enum Dialect {
    /// `spec.template.data` of a SealedSecret: sprig 3.3; a missing key prints `<no value>`.
    SealedSecrets,
    /// Templates of an ExternalSecret, engine v2: sprig and functions for PEM, PKCS#12, JWK and
    /// YAML; a missing key is an error.
    ExternalSecrets(Yaml),
}

impl Dialect {
    pub(crate) fn incumbent(self) -> Incumbent {
        match self {
            Self::SealedSecrets => Incumbent::SealedSecrets,
            Self::ExternalSecrets(_) => Incumbent::ExternalSecrets,
        }
    }

    pub(crate) fn yaml(self) -> Option<Yaml> {
        match self {
            Self::SealedSecrets => None,
            Self::ExternalSecrets(yaml) => Some(yaml),
        }
    }
}

/// Whose templates are rendered.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Incumbent {
    SealedSecrets,
    ExternalSecrets,
}

impl Incumbent {
    pub(crate) fn missing(self) -> Missing {
        match self {
            Self::SealedSecrets => Missing::NoValue,
            Self::ExternalSecrets => Missing::Error,
        }
    }

    fn casting(self) -> Casting {
        match self {
            Self::SealedSecrets => Casting::ZeroFraction,
            Self::ExternalSecrets => Casting::AnyFraction,
        }
    }
}

/// The Go type of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Any,
    Bool,
    String,
    Int,
    Uint32,
    Float,
    /// `map[string]interface{}`
    Dict,
    /// `[]interface{}`
    Anys,
    Time,
    Certificate,
    Version,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Int => "int",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Dict => "map[string]interface {}",
            Self::Anys => "[]interface {}",
            Self::Time => "time.Time",
            Self::Certificate => "sprig.certificate",
            Self::Version => "*semver.Version",
        }
    }

    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::Dict | Self::Anys | Self::Version)
    }
}

/// A function of the template language.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) fixed: &'static [Type],
    /// The type of any number of further arguments.
    pub(crate) rest: Option<Type>,
    pub(crate) body: Body,
    /// Only this dialect has it.
    only: Option<Incumbent>,
}

/// The work; the arguments are as many as declared and of the declared types.
pub(crate) type Body = fn(&Call<'_>, &[Value]) -> Result<Value, Failure>;

/// Declares a function of both dialects.
pub(crate) const fn function(
    name: &'static str,
    fixed: &'static [Type],
    rest: Option<Type>,
    body: Body,
) -> Function {
    Function {
        name,
        fixed,
        rest,
        body,
        only: None,
    }
}

impl Function {
    /// The same for one dialect.
    pub(crate) const fn only(mut self, incumbent: Incumbent) -> Self {
        self.only = Some(incumbent);
        self
    }

    /// The type of the argument at a place.
    pub(crate) fn parameter(&self, at: usize) -> Type {
        self.fixed
            .get(at)
            .copied()
            .or(self.rest)
            .unwrap_or(Type::Any)
    }

    /// The function of this name.
    pub(crate) fn find(name: &str, incumbent: Incumbent) -> Lookup {
        if let Some(found) = BY_NAME.get(&(incumbent, name)) {
            return Lookup::Found(found);
        }
        REFUSED
            .iter()
            .find(|(refused, _)| *refused == name)
            .map_or(Lookup::Unknown, |(_, reason)| Lookup::Refused(reason))
    }
}

/// All names, sorted.
pub(crate) fn names(incumbent: Incumbent) -> Vec<&'static str> {
    let mut names: Vec<_> = BY_NAME
        .keys()
        .filter(|(whose, _)| *whose == incumbent)
        .map(|(_, name)| *name)
        .collect();
    names.sort_unstable();
    names
}

/// What is known of a name.
pub(crate) enum Lookup {
    Found(&'static Function),
    Refused(&'static str),
    Unknown,
}

/// What reaches outside; the incumbents have taken these out as well, after their advisories.
const REFUSED: &[(&str, &str)] = &[
    (
        "env",
        "a template does not see the environment of the controller",
    ),
    (
        "expandenv",
        "a template does not see the environment of the controller",
    ),
    (
        "getHostByName",
        "a template does not use the network: a name it asks for could carry a secret out",
    ),
    (
        "getSecretKey",
        "a template sees the values of its own object only",
    ),
];

static BY_NAME: LazyLock<HashMap<(Incumbent, &'static str), &'static Function>> =
    LazyLock::new(|| {
        let mut by_name = HashMap::new();
        for functions in TABLES.iter().chain(super::crypto::TABLES) {
            for function in *functions {
                for incumbent in [Incumbent::SealedSecrets, Incumbent::ExternalSecrets] {
                    if function.only.is_none_or(|only| only == incumbent) {
                        by_name.insert((incumbent, function.name), function);
                    }
                }
            }
        }
        by_name
    });

/// Later ones go first: sprig's `slice` covers Go's.
const TABLES: &[&[Function]] = &[
    BUILTINS,
    super::dates::FUNCTIONS,
    super::decimal::FUNCTIONS,
    super::defaults::FUNCTIONS,
    super::dicts::FUNCTIONS,
    super::encoding::FUNCTIONS,
    super::hashes::FUNCTIONS,
    super::json::FUNCTIONS,
    super::lists::FUNCTIONS,
    super::merge::FUNCTIONS,
    super::numbers::FUNCTIONS,
    super::paths::FUNCTIONS,
    super::pieces::FUNCTIONS,
    super::random::FUNCTIONS,
    super::regexes::FUNCTIONS,
    super::semver::FUNCTIONS,
    super::strings::FUNCTIONS,
    super::urls::FUNCTIONS,
    super::words::FUNCTIONS,
    super::wrap::FUNCTIONS,
    super::yaml::FUNCTIONS,
];

/// What a function has besides its arguments.
#[derive(Clone, Copy)]
pub(crate) struct Call<'r> {
    pub(crate) incumbent: Incumbent,
    pub(crate) yaml: Option<Yaml>,
    pub(crate) budget: &'r Budget,
}

impl Call<'_> {
    pub(crate) fn string<'v>(
        &self,
        arguments: &'v [Value],
        at: usize,
    ) -> Result<&'v Text, Failure> {
        match arguments.get(at) {
            Some(Value::String(text)) => Ok(text),
            other => Err(unfit(other, "string")),
        }
    }

    pub(crate) fn int(&self, arguments: &[Value], at: usize) -> Result<i64, Failure> {
        match arguments.get(at) {
            Some(Value::Int(n)) => Ok(*n),
            other => Err(unfit(other, "int")),
        }
    }

    /// A dict; nil is one without entries.
    pub(crate) fn dict(&self, arguments: &[Value], at: usize) -> Result<Map, Failure> {
        match arguments.get(at) {
            Some(Value::Map(map)) => Ok(map.clone()),
            Some(Value::Missing | Value::Nil) => Ok(Map::any(std::collections::BTreeMap::new())),
            other => Err(unfit(other, "map[string]interface {}")),
        }
    }

    pub(crate) fn list<'v>(&self, arguments: &'v [Value], at: usize) -> Result<&'v List, Failure> {
        match arguments.get(at) {
            Some(Value::List(list)) => Ok(list),
            other => Err(unfit(other, "slice")),
        }
    }

    pub(crate) fn time<'v>(
        &self,
        arguments: &'v [Value],
        at: usize,
    ) -> Result<&'v super::Time, Failure> {
        match arguments.get(at) {
            Some(Value::Time(time)) => Ok(time),
            other => Err(unfit(other, "time.Time")),
        }
    }

    /// Any integer as `cast` reads it.
    pub(crate) fn integer(&self, value: &Value) -> i64 {
        crate::value::to_int(value, self.incumbent.casting())
    }

    /// A new text; its bytes are charged.
    pub(crate) fn made(&self, bytes: Vec<u8>) -> Result<Value, Failure> {
        self.budget.allocate(bytes.len())?;
        Ok(Value::bytes(bytes))
    }

    /// A new list; its items are charged.
    pub(crate) fn made_list(&self, items: Vec<Value>) -> Result<Value, Failure> {
        self.budget
            .allocate_many(items.len(), crate::value::ENTRY_BYTES)?;
        Ok(Value::list(items))
    }

    /// A new list of strings.
    pub(crate) fn made_strings(&self, items: Vec<Text>) -> Result<Value, Failure> {
        self.budget
            .allocate_many(items.len(), crate::value::ENTRY_BYTES)?;
        Ok(Value::List(List::strings(items)))
    }
}

fn unfit(value: Option<&Value>, wanted: &str) -> Failure {
    let got = value.map_or("nothing", Value::type_name);
    Failure::new(format!(
        "wrong type for value; expected {wanted}; got {got}"
    ))
}
