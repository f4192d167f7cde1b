//! Every function of both incumbents is a row of `golden/functions.json`, and what the row says is so.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;
use template::{Delimiters, Dialect, Template, TemplateError};

use crate::shared::YAML;

#[derive(Deserialize)]
struct Row {
    name: String,
    /// Which incumbents have it.
    r#in: BTreeSet<String>,
    state: String,
    note: Option<String>,
    /// `golden` or `property`.
    shown_by: Option<String>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
}

struct Incumbent {
    name: &'static str,
    dialect: Dialect,
    names: &'static str,
    cases: &'static str,
}

const INCUMBENTS: [Incumbent; 2] = [
    Incumbent {
        name: "sealed-secrets",
        dialect: Dialect::SealedSecrets,
        names: include_str!("../../golden/vectors/sealed-names.json"),
        cases: include_str!("../../golden/vectors/sealed.json"),
    },
    Incumbent {
        name: "external-secrets",
        dialect: Dialect::ExternalSecrets(YAML),
        names: include_str!("../../golden/vectors/eso-names.json"),
        cases: include_str!("../../golden/vectors/eso.json"),
    },
];

fn rows() -> BTreeMap<String, Row> {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../golden/functions.json")).unwrap();
    rows.into_iter()
        .map(|row| (row.name.clone(), row))
        .collect()
}

#[test]
fn every_function_of_an_incumbent_has_a_row_and_no_row_is_made_up() {
    let rows = rows();
    for incumbent in INCUMBENTS {
        let names: BTreeSet<String> = serde_json::from_str(incumbent.names).unwrap();
        let listed: BTreeSet<String> = rows
            .values()
            .filter(|row| row.r#in.contains(incumbent.name))
            .map(|row| row.name.clone())
            .collect();
        assert_eq!(names, listed, "{}", incumbent.name);
    }
}

#[test]
fn the_engine_has_the_functions_of_each_incumbent_and_no_other() {
    for incumbent in INCUMBENTS {
        let names: BTreeSet<String> = serde_json::from_str(incumbent.names).unwrap();
        let ours: BTreeSet<String> = Template::functions(incumbent.dialect)
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(ours, names, "{}", incumbent.name);
    }
}

#[test]
fn a_function_that_is_the_same_has_a_golden_case_and_one_that_is_not_says_why() {
    let rows = rows();
    let properties = include_str!("properties.rs");
    for incumbent in INCUMBENTS {
        let cases: Vec<Case> = serde_json::from_str(incumbent.cases).unwrap();
        for row in rows
            .values()
            .filter(|row| row.r#in.contains(incumbent.name))
        {
            let word = Regex::new(&format!(
                r#"(^|[^\w.$"]){}([^\w]|$)"#,
                regex::escape(&row.name)
            ))
            .unwrap();
            match (row.state.as_str(), row.shown_by.as_deref()) {
                ("same" | "better", Some("golden")) => {
                    let shown = cases.iter().any(|case| word.is_match(&case.template));
                    assert!(shown, "{} has no case with {}", incumbent.name, row.name);
                }
                ("same" | "better", Some("property")) => {
                    let anywhere = Regex::new(&format!(r"\b{}\b", row.name)).unwrap();
                    assert!(
                        anywhere.is_match(properties),
                        "no property test has {}",
                        row.name
                    );
                }
                other => panic!("{}: {other:?}", row.name),
            }
            assert!(
                row.state != "better" || row.note.is_some(),
                "{} does not say what is better",
                row.name
            );
        }
    }
}

#[test]
fn a_refused_function_is_an_error_that_names_it() {
    let rows = rows();
    let refused: Vec<&Row> = rows.values().filter(|row| row.state == "refused").collect();
    assert_eq!(refused.len(), 4);
    for row in refused {
        assert!(row.r#in.is_empty() && row.note.is_some());
        for incumbent in INCUMBENTS {
            let source = format!(
                "x\n{{{{ if false }}}}{{{{ {} \"HOME\" }}}}{{{{ end }}}}",
                row.name
            );
            match Template::parse(&source, incumbent.dialect, &Delimiters::default()) {
                Err(TemplateError::Refused { line: 2, name, .. }) => assert_eq!(name, row.name),
                Err(other) => panic!("{}: {other}", row.name),
                Ok(_) => panic!("{} is not refused", row.name),
            }
        }
    }
}

#[test]
fn an_unknown_function_is_an_error_that_names_it() {
    for incumbent in INCUMBENTS {
        let result = Template::parse(
            "{{ if false }}{{ include \"x\" }}{{ end }}",
            incumbent.dialect,
            &Delimiters::default(),
        );
        match result {
            Err(error @ TemplateError::Syntax { .. }) => {
                assert_eq!(
                    error.to_string(),
                    "line 1: function \"include\" not defined"
                );
            }
            _ => panic!("include is no function"),
        }
    }
}
