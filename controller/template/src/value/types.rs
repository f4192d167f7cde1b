//! The value itself and the names Go has for its type.

use std::rc::Rc;

use super::{Element, List, Map, MapElement, Text};
use crate::functions::{Time, Version};

/// A Go value. Sized integers are apart because Go tells them apart: `until (add 1 2)` is an error
/// there, for `add` gives an `int64` and `until` wants an `int`.
#[derive(Clone)]
pub(crate) enum Value {
    /// No value at all: Go's zero `reflect.Value`, the result of a key that is not there.
    Missing,
    /// An interface that holds nothing.
    Nil,
    Bool(bool),
    Int(i64),
    Int64(i64),
    Uint8(u8),
    Uint64(u64),
    Float(f64),
    String(Text),
    List(List),
    Map(Map),
    Time(Time),
    Named(Named, i64),
    Certificate(Rc<Certificate>),
    Version(Rc<Version>),
}

/// Go's named integers of package time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Duration,
    Month,
    Weekday,
}

/// sprig's `certificate`: both fields are PEM.
#[derive(PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) cert: Text,
    pub(crate) key: Text,
}

impl Value {
    pub(crate) fn text(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self::String(Text::new(bytes))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(List::any(items))
    }

    pub(crate) fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Self::Missing | Self::Nil)
    }

    /// `reflect.Type.String`, what `%T` prints.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Uint64(_) => "uint64",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::List(list) => match list.element {
                Element::Any => "[]interface {}",
                Element::String => "[]string",
                Element::Int => "[]int",
                Element::Anys => "[][]interface {}",
            },
            Self::Map(map) => match map.element {
                MapElement::Any => "map[string]interface {}",
                MapElement::String => "map[string]string",
            },
            Self::Time(_) => "time.Time",
            Self::Named(Named::Duration, _) => "time.Duration",
            Self::Named(Named::Month, _) => "time.Month",
            Self::Named(Named::Weekday, _) => "time.Weekday",
            Self::Certificate(_) => "sprig.certificate",
            Self::Version(_) => "*semver.Version",
        }
    }

    /// `reflect.Kind.String`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "invalid",
            Self::List(_) => "slice",
            Self::Map(_) => "map",
            Self::Time(_) | Self::Certificate(_) => "struct",
            Self::Named(Named::Duration, _) => "int64",
            Self::Named(..) => "int",
            Self::Version(_) => "ptr",
            other => other.type_name(),
        }
    }

    /// `template.IsTrue`.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(n) | Self::Int64(n) | Self::Named(_, n) => *n != 0,
            Self::Uint8(n) => *n != 0,
            Self::Uint64(n) => *n != 0,
            Self::Float(n) => *n != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(list) => list.len() > 0,
            Self::Map(map) => map.len() > 0,
            Self::Time(_) | Self::Certificate(_) | Self::Version(_) => true,
        }
    }
}
