//! Objects as text, as the incumbent prints them.

use std::str::FromStr;

use serde_json::Value;

use crate::go_json;

/// How an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON with an indent of two, one line end after each object.
    #[default]
    Json,
    /// YAML with sorted keys, `---` before each object.
    Yaml,
}

impl Format {
    /// Writes one object of a stream (`resourceOutput` in `pkg/kubeseal/kubeseal.go`).
    #[must_use]
    pub fn write(self, object: &Value) -> String {
        match self {
            Self::Json => write_json(object) + "\n",
            Self::Yaml => format!("---\n{}", write_yaml(object)),
        }
    }
}

impl FromStr for Format {
    type Err = UnsupportedFormat;

    /// Upper and lower case are one, and the empty text means JSON, as in the incumbent.
    fn from_str(text: &str) -> Result<Self, UnsupportedFormat> {
        match text.to_lowercase().as_str() {
            "" | "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => Err(UnsupportedFormat(text.to_owned())),
        }
    }
}

/// The text names no output format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unsupported output format: {0}")]
pub struct UnsupportedFormat(pub String);

/// JSON with an indent of two, escaped as Go escapes it, in the order of the object's fields. There is
/// no line end at the end.
#[must_use]
pub fn write_json(object: &Value) -> String {
    go_json::write(object)
}

/// YAML as `sigs.k8s.io/yaml` writes it: sorted keys, and a line end at the end.
#[must_use]
pub fn write_yaml(object: &Value) -> String {
    // A JSON value has only what YAML can say.
    crds::yaml::to_string(object).unwrap_or_default()
}
