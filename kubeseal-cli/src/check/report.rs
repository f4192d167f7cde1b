//! What was found, for people, programs and code hosts.

use std::fmt::Write as _;

use document::{Rule, Severity, write_json};
use serde_json::{Value, json};

use super::{CheckedFile, Found};
use crate::tasks::ReportFormat;

pub(super) fn write(files: &[CheckedFile], format: ReportFormat) -> String {
    match format {
        ReportFormat::Text => text(files),
        ReportFormat::Json => {
            write_json(&json!({
                "files": files.len(),
                "sealedSecrets": count(files, |file| file.sealed.len()),
                "items": count(files, |file| file.items),
                "itemsWithRecord": count(files, |file| file.recorded),
                "findings": every(files).map(|(file, found)| as_json(file, found)).collect::<Vec<_>>(),
            })) + "\n"
        }
        ReportFormat::Sarif => write_json(&sarif(files)) + "\n",
    }
}

fn every(files: &[CheckedFile]) -> impl Iterator<Item = (&CheckedFile, &Found)> {
    files
        .iter()
        .flat_map(|file| file.findings.iter().map(move |found| (file, found)))
}

fn count(files: &[CheckedFile], part: impl Fn(&CheckedFile) -> usize) -> usize {
    files.iter().map(part).sum()
}

fn severity(rule: Rule) -> &'static str {
    match rule.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// One line for each finding, and a summary that says what could not be known.
fn text(files: &[CheckedFile]) -> String {
    let mut text = String::new();
    for (file, found) in every(files) {
        let item = found
            .finding
            .item
            .as_ref()
            .map(|item| format!("{item}: "))
            .unwrap_or_default();
        let rule = found.finding.rule;
        // Writing into a String cannot fail.
        let _written = writeln!(
            text,
            "{}:{}: {}: {item}{} [{}]",
            file.path.display(),
            found.line,
            severity(rule),
            found.finding.message,
            rule.id()
        );
    }
    let (items, recorded) = (
        count(files, |file| file.items),
        count(files, |file| file.recorded),
    );
    let unknown = items - recorded;
    let _written = writeln!(
        text,
        "{} SealedSecrets with {items} items checked, {} findings",
        count(files, |file| file.sealed.len()),
        every(files).count()
    );
    if unknown > 0 {
        let _written = writeln!(
            text,
            "{unknown} items have no record: of them only structure and size could be checked, not what \
             they are sealed for"
        );
    }
    text
}

fn as_json(file: &CheckedFile, found: &Found) -> Value {
    json!({
        "path": file.path.display().to_string(),
        "line": found.line,
        "rule": found.finding.rule.id(),
        "severity": severity(found.finding.rule),
        "item": found.finding.item,
        "message": found.finding.message,
    })
}

/// SARIF 2.1.0, as code hosts read it.
fn sarif(files: &[CheckedFile]) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id(),
                "shortDescription": { "text": rule.summary() },
                "defaultConfiguration": { "level": severity(*rule) },
            })
        })
        .collect();
    let results: Vec<Value> = every(files)
        .map(|(file, found)| {
            let item = found.finding.item.as_ref().map(|item| format!("{item}: "));
            json!({
                "ruleId": found.finding.rule.id(),
                "level": severity(found.finding.rule),
                "message": {
                    "text": format!("{}{}", item.unwrap_or_default(), found.finding.message),
                },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": uri(file) },
                        "region": { "startLine": found.line },
                    },
                }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kubeseal check",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    })
}

/// A relative reference: slashes on every system, and nothing that means something else in a URI.
fn uri(file: &CheckedFile) -> String {
    let path = file.path.to_string_lossy().replace('\\', "/");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
