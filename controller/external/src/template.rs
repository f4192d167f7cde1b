//! Where templates are rendered, and where they come from.

use std::collections::BTreeMap;

use crds::yaml::{self, Duplicates};
use kit::SecretBytes;
use serde_json::Value;
use template::{Delimiters, Dialect, Limits, Template, Yaml};

use crate::values::Values;

/// Renders templates over the values of one ExternalSecret, and over nothing else.
pub(crate) trait Templates: Send + Sync {
    /// The output of a template over these values.
    ///
    /// # Errors
    /// What is wrong with it, without any value.
    fn render(&self, template: &str, values: &Values) -> Result<SecretBytes, String>;

    /// The output of a template over one key, `.value`.
    ///
    /// # Errors
    /// What is wrong with it.
    fn rename(&self, template: &str, key: &str) -> Result<String, String>;
}

/// Go's template language with the incumbent's functions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engine {
    delimiters: Delimiters,
}

/// What `templateFrom` refers to.
#[derive(Default)]
pub(crate) struct Sources {
    /// ConfigMaps by name.
    pub(crate) config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Secrets by name.
    pub(crate) secrets: BTreeMap<String, Values>,
    /// A digest of which versions of them these are. `None` where there are none.
    pub(crate) digest: Option<String>,
}

impl Engine {
    /// The engine with these delimiters around its actions.
    pub(crate) fn new(left: &str, right: &str) -> Self {
        Self {
            delimiters: Delimiters::new(left, right),
        }
    }
}

const DIALECT: Dialect = Dialect::ExternalSecrets(Yaml {
    read: read_yaml,
    write: write_yaml,
});

fn rendered(template: &Template, values: &Values) -> Result<SecretBytes, String> {
    let result = template.render(values, &Limits::default());
    result.map_err(|error| error.to_string())
}

impl Templates for Engine {
    fn render(&self, template: &str, values: &Values) -> Result<SecretBytes, String> {
        let template = Template::parse(template, DIALECT, &self.delimiters);
        rendered(&template.map_err(|error| error.to_string())?, values)
    }

    fn rename(&self, template: &str, key: &str) -> Result<String, String> {
        let value = SecretBytes::new(key.as_bytes().to_vec());
        let values = Values::from([("value".to_owned(), value)]);
        // Go's own delimiters, whatever is set for other templates, and no error for a key that is not
        // there: this is another template engine than that of `target.template`.
        let template = Template::parse(template, DIALECT, &Delimiters::default());
        let template = template.map_err(|error| error.to_string())?.lenient();
        let renamed = rendered(&template, &values)?;
        String::from_utf8(renamed.expose().to_vec())
            .map_err(|_| "the new key is no text".to_owned())
    }
}

fn read_yaml(text: &str) -> Result<Value, String> {
    let documents = yaml::documents_with(text, Duplicates::LastWins);
    let first = documents
        .map_err(|error| error.to_string())?
        .into_iter()
        .next();
    Ok(first.map_or(Value::Null, |document| document.value))
}

fn write_yaml(value: &Value) -> Result<String, String> {
    yaml::to_string(value).map_err(|error| error.to_string())
}

/// A YAML map of texts, where a scalar of another type becomes the text that Go makes of it
/// (sigs.k8s.io/yaml, `convertToJSONableObject` with a text as its target). Quotes nothing.
///
/// # Errors
/// Where the text is no such map.
pub(crate) fn text_map(text: &SecretBytes) -> Result<Values, String> {
    let text = str::from_utf8(text.expose()).map_err(|_| "it is no text".to_owned())?;
    let pairs = match read_yaml(text)? {
        Value::Null => return Ok(Values::new()),
        Value::Object(pairs) => pairs,
        _ => return Err("it is no map".to_owned()),
    };
    let texts = pairs.into_iter().map(|(key, value)| match value {
        Value::Null => Ok((key, SecretBytes::new(Vec::new()))),
        Value::Bool(value) => Ok((key, SecretBytes::new(value.to_string().into_bytes()))),
        Value::String(text) => Ok((key, SecretBytes::new(text.into_bytes()))),
        Value::Number(number) => {
            let text = match number.as_f64() {
                Some(value) if number.is_f64() => shortest_float(value),
                _ => number.to_string(),
            };
            Ok((key, SecretBytes::new(text.into_bytes())))
        }
        Value::Array(_) | Value::Object(_) => {
            Err(format!("the value of {key} is neither text nor number"))
        }
    });
    texts.collect()
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, which loses digits: that is what the incumbent
/// makes of `1234567.89`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the incumbent rounds to 32 bits, too"
)]
fn shortest_float(value: f64) -> String {
    let scientific = format!("{:e}", value as f32);
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Go's rule for the shortest form: an exponent below 1e-4 and from 1e6 on.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{}", value as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(yaml: &str) -> Result<Vec<(String, String)>, String> {
        let pairs = text_map(&SecretBytes::new(yaml.as_bytes().to_vec()))?;
        let show = |value: SecretBytes| String::from_utf8(value.expose().to_vec()).unwrap();
        Ok(pairs
            .into_iter()
            .map(|(key, value)| (key, show(value)))
            .collect())
    }

    /// What sigs.k8s.io/yaml v1.6.0 makes of these in a map of texts.
    #[test]
    fn scalars_become_the_texts_that_go_makes_of_them() {
        for (value, expected) in [
            ("plain", "plain"),
            ("yes", "true"),
            ("off", "false"),
            ("0123", "83"),
            ("0x1F", "31"),
            ("12345678901234567890", "12345678901234567890"),
            ("1.5", "1.5"),
            ("1234567.89", "1.2345679e+06"),
            ("0.00001", "1e-05"),
            ("0.0001", "0.0001"),
            ("~", ""),
            ("'yes'", "yes"),
            ("'0123'", "0123"),
        ] {
            assert_eq!(
                texts(&format!("k: {value}")).unwrap(),
                [("k".to_owned(), expected.to_owned())],
                "{value}"
            );
        }
        assert!(texts("").unwrap().is_empty());
        for bad in [
            "- a",
            "hunter2",
            "k: [hunter2]",
            "k: {a: hunter2}",
            "k: \"hunter2",
        ] {
            let error = texts(bad).err().unwrap();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    /// What Go's text/template makes of these (vectors/make).
    #[test]
    fn keys_are_renamed_as_go_renames_them() {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../vectors/transform.json")).unwrap();
        let wrong = vectors.iter().filter_map(|vector| {
            let text = |field: &str| vector[field].as_str();
            let (template, key) = (text("template").unwrap(), text("key").unwrap());
            let renamed = Engine::default().rename(template, key);
            let differs = renamed.as_deref().ok() != text("result");
            differs.then(|| format!("{template} of {key}: {renamed:?} for {:?}", text("result")))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn keys_are_renamed_by_templates() {
        for engine in [Engine::default(), Engine::new("[[", "]]")] {
            assert_eq!(engine.rename("{{ .value | upper }}", "abc").unwrap(), "ABC");
        }
    }
}
