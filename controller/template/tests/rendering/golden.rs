//! What Go's own text/template makes of every case, and what this engine makes of it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use template::{Dialect, Limits, TemplateError, Values};

use crate::shared::{YAML, render};

#[derive(Deserialize)]
struct Case {
    template: String,
    output: Option<String>,
    output_base64: Option<String>,
    error: Option<String>,
    message: Option<String>,
}

fn values() -> Values {
    let raw: BTreeMap<String, String> =
        serde_json::from_str(include_str!("../../golden/values.json")).unwrap();
    raw.into_iter()
        .map(|(key, value)| (key, BASE64_STANDARD.decode(value).unwrap().into()))
        .collect()
}

/// The result, or whether parsing or running failed and why.
fn outcome(
    source: &str,
    dialect: Dialect,
    values: &Values,
) -> Result<Vec<u8>, (&'static str, String)> {
    render(source, dialect, values, &Limits::default()).map_err(|error| {
        let phase = match error {
            TemplateError::TooCostly { .. } => "limit",
            TemplateError::Syntax { .. } | TemplateError::Refused { .. } => "parse",
            _ => "execute",
        };
        (phase, error.to_string())
    })
}

fn differences(cases: &str, dialect: Dialect) -> Vec<String> {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 450, "the golden file is cut off");
    let values = values();
    let mut different = Vec::new();
    for case in cases {
        let expected = match (&case.error, &case.output_base64) {
            (Some(error), _) => Err(error.as_str()),
            (None, Some(bytes)) => Ok(BASE64_STANDARD.decode(bytes).unwrap()),
            (None, None) => Ok(case.output.clone().unwrap_or_default().into_bytes()),
        };
        let found = outcome(&case.template, dialect, &values);
        let same = match (&expected, &found) {
            (Ok(expected), Ok(found)) => expected == found,
            (Err(expected), Err((found, _))) => expected == found,
            _ => false,
        };
        if !same {
            let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let go = match expected {
                Ok(bytes) => show(&bytes),
                Err(phase) => format!("{phase} error: {}", case.message.unwrap_or_default()),
            };
            let here = match found {
                Ok(bytes) => show(&bytes),
                Err((phase, message)) => format!("{phase} error: {message}"),
            };
            different.push(format!("{}\n  go:   {go}\n  here: {here}", case.template));
        }
    }
    different
}

#[test]
fn sealed_secrets_templates_render_as_with_the_incumbent() {
    let different = differences(
        include_str!("../../golden/vectors/sealed.json"),
        Dialect::SealedSecrets,
    );
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}

#[test]
fn external_secrets_templates_render_as_with_the_incumbent() {
    let different = differences(
        include_str!("../../golden/vectors/eso.json"),
        Dialect::ExternalSecrets(YAML),
    );
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}
