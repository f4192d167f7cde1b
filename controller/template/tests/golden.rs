//! What Go's own text/template makes of every case, and what this engine makes of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use template::{Delimiters, Dialect, Limits, Template, TemplateError, Values};

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
        serde_json::from_str(include_str!("../golden/values.json")).unwrap();
    raw.into_iter()
        .map(|(key, value)| (key, BASE64_STANDARD.decode(value).unwrap().into()))
        .collect()
}

/// The result, or whether parsing or running failed and why.
fn rendered(source: &str, dialect: Dialect) -> Result<Vec<u8>, (&'static str, String)> {
    let template = Template::parse(source, dialect, &Delimiters::default())
        .map_err(|e| ("parse", e.to_string()))?;
    match template.render(&values(), &Limits::default()) {
        Ok(result) => Ok(result.expose().to_vec()),
        Err(error @ TemplateError::TooCostly { .. }) => Err(("limit", error.to_string())),
        Err(error) => Err(("execute", error.to_string())),
    }
}

fn differences(cases: &str, dialect: Dialect) -> Vec<String> {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert!(cases.len() > 400, "the golden file is cut off");
    let mut different = Vec::new();
    for case in cases {
        let expected = match (&case.error, &case.output_base64) {
            (Some(error), _) => Err(error.as_str()),
            (None, Some(bytes)) => Ok(BASE64_STANDARD.decode(bytes).unwrap()),
            (None, None) => Ok(case.output.clone().unwrap_or_default().into_bytes()),
        };
        let found = rendered(&case.template, dialect);
        let same = match (&expected, &found) {
            (Ok(expected), Ok(found)) => expected == found,
            (Err(expected), Err((found, _))) => expected == found,
            _ => false,
        };
        if !same {
            let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            different.push(format!(
                "{}\n  go:   {}\n  here: {}",
                case.template,
                match expected {
                    Ok(bytes) => show(&bytes),
                    Err(phase) => format!("{phase} error: {}", case.message.unwrap_or_default()),
                },
                match found {
                    Ok(bytes) => show(&bytes),
                    Err((phase, message)) => format!("{phase} error: {message}"),
                }
            ));
        }
    }
    different
}

#[test]
fn sealed_secrets_templates_render_as_with_the_incumbent() {
    let different = differences(
        include_str!("../golden/vectors/sealed.json"),
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
        include_str!("../golden/vectors/eso.json"),
        Dialect::ExternalSecrets,
    );
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}
