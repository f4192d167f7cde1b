//! Alerts and the dashboard name only metrics that a working controller shows.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{ControlPlane, Failure, Moto, Observation, eventually};

use crate::elsewhere::grant;
use crate::installed::{fetched, of_a_cluster_store, sealed, start};
use crate::rendered::{text, variant};

#[tokio::test]
async fn alerts_and_panels_name_metrics_that_there_are() -> Result<(), Failure> {
    let expressions = expressions().await?;
    assert!(expressions.len() > 15, "{}", expressions.len());
    let named: BTreeSet<String> = expressions
        .iter()
        .flat_map(|text| metrics_of(text))
        .collect();
    assert!(
        named.contains("signet_reconcile_seconds_bucket"),
        "{named:?}"
    );
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let base = variant("base").await?;
    let identity = grant(plane, &base, "rights-metrics", &[], &["signet-delivery"]).await?;
    let aws = Moto::start().await?;
    let controller = start(&identity, &base)?
        .parts("sealed,external")
        .aws(&aws)
        .start()
        .await?;
    let namespace = cluster.namespace("rights").await?;
    sealed(&cluster, &controller, &namespace, identity.namespace).await?;
    fetched(&cluster, &aws, &namespace, "rights-metrics").await?;
    of_a_cluster_store(&cluster, &aws, &namespace, "rights-metrics").await?;
    let (_status, _certificate) = controller.get("/v1/cert.pem").await?;
    eventually("every metric that is named", async || {
        let shown = names_of(&controller.metrics().await?);
        let missing: Vec<_> = named.difference(&shown).cloned().collect();
        Ok(Observation::when(missing.is_empty(), || missing.join(", ")))
    })
    .await
}

/// Every expression of the alerts and of the dashboard.
async fn expressions() -> Result<Vec<String>, Failure> {
    let monitoring = variant("monitoring").await?;
    let mut found = Vec::new();
    for rule in monitoring.of_kind("PrometheusRule") {
        collect(rule, &mut found);
    }
    for dashboard in monitoring.of_kind("ConfigMap") {
        let panels: Value = serde_json::from_str(&text(&dashboard["data"]["signet.json"]))?;
        collect(&panels, &mut found);
    }
    Ok(found)
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "expr" => found.push(text.clone()),
                    field => collect(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The metrics that an expression names: the words outside of braces, brackets and groupings that are
/// neither functions nor operators.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let mut depth = 0_u32;
    for character in expression.chars() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            character if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    let mut words = BTreeSet::new();
    let mut rest = plain.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if ["by", "without", "on", "ignoring"].contains(&word) {
            rest = after.split_once(')').map_or("", |(_labels, after)| after);
        } else if !after.trim_start().starts_with('(')
            && !["and", "or", "unless", "bool"].contains(&word)
            && !["sum", "count", "max", "min"].contains(&word)
        {
            words.insert(word.to_owned());
        }
    }
    words
}

/// The names of what a scrape shows, and those that its types promise.
fn names_of(scrape: &str) -> BTreeSet<String> {
    let sampled = scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next());
    sampled.map(str::to_owned).collect()
}

#[test]
fn metrics_are_found_in_expressions() {
    let found = metrics_of(
        "sum by (reason) (rate(a_total{x=\"sum b\"}[5m])) > 0 or (c_d == -1) / on (e) f or vector(0)",
    );
    let expected = ["a_total", "c_d", "f"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}
