//! docs/compatibility.md tells the whole truth: every flag, every field and every value of the chart
//! has a row in docs/compatibility/*.json, and the tables are made of these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;
use tests::cache::{SEALED_SECRETS, own_program, repository};
use tests::{Failure, Invocation};

const VERDICTS: [&str; 4] = ["same", "better", "refused", "ours"];

#[tokio::test]
async fn every_flag_of_our_controller_has_a_row_and_every_row_is_true() -> Result<(), Failure> {
    let rows = rows("controller")?;
    let mut served = BTreeSet::new();
    let controller = own_program("controller")?;
    let shown = flags_of(
        &Invocation::new(&controller)
            .args(["--help"])
            .stdout()
            .await?,
    );
    for row in &rows {
        let flag = text(row, "flag");
        // Known or not is told before the value is looked at.
        let outcome = Invocation::new(&controller)
            .args([format!("--{flag}=?"), "--version".to_owned()])
            .outcome()
            .await?;
        let unknown = outcome.stderr.contains("unexpected argument '--");
        let refused = text(row, "verdict") == "refused";
        assert_eq!(unknown, refused, "--{flag}: {}", outcome.stderr);
        if !refused {
            served.insert(flag);
        }
    }
    let listed: Vec<_> = shown.difference(&served).collect();
    assert!(
        listed.is_empty(),
        "without a row in controller.json: {listed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn every_flag_of_the_real_sealed_secrets_controller_is_served() -> Result<(), Failure> {
    let program = SEALED_SECRETS.program("controller")?;
    let outcome = Invocation::new(program).args(["--help"]).outcome().await?;
    let theirs = flags_of(&outcome.stderr);
    assert!(theirs.len() > 25, "{theirs:?}");
    let rows = rows("controller")?;
    let ours: BTreeSet<String> = rows
        .iter()
        .filter(|row| row["of"] == "sealed-secrets" && row["verdict"] != "refused")
        .map(|row| text(row, "flag"))
        .collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
    Ok(())
}

/// The flags of a help text, but for `help` itself.
fn flags_of(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start);
    let flags = lines.filter_map(|line| line.strip_prefix("--"));
    flags
        .filter_map(|line| line.split([' ', '=', '[']).next())
        .filter(|flag| *flag != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_field_of_our_definitions_has_a_row_and_every_row_a_field() -> Result<(), Failure> {
    let mut rows_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows("fields")? {
        let fields = rows_of.entry(text(&row, "kind")).or_default();
        assert!(fields.insert(text(&row, "field")), "two rows: {row}");
    }
    for definition in crds::definitions::all() {
        let definition = serde_json::to_value(definition)?;
        let kind = text(&definition["spec"]["names"], "kind");
        let rows = rows_of.remove(&kind).unwrap_or_default();
        for version in definition["spec"]["versions"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let mut fields = Vec::new();
            let schema = &version["schema"]["openAPIV3Schema"]["properties"];
            for part in ["spec", "status"] {
                if schema[part].is_object() {
                    leaves(&schema[part], part.to_owned(), &mut fields);
                }
            }
            let covers = |row: &str, field: &str| {
                let rest = field.strip_prefix(row);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
            };
            for field in &fields {
                let covered = rows.iter().any(|row| covers(row, field));
                assert!(covered, "{kind}: {field} has no row in fields.json");
            }
            for row in &rows {
                let used = fields.iter().any(|field| covers(row, field));
                assert!(used, "{kind}: there is no field {row}");
            }
        }
    }
    assert!(
        rows_of.is_empty(),
        "rows of kinds that there are not: {:?}",
        rows_of.keys()
    );
    Ok(())
}

/// The fields of a schema that have none below them.
fn leaves(schema: &Value, path: String, into: &mut Vec<String>) {
    for (below, suffix) in [
        (&schema["items"], "[]"),
        (&schema["additionalProperties"], "{}"),
    ] {
        if below["properties"].is_object() {
            return leaves(below, path + suffix, into);
        }
    }
    match schema["properties"].as_object() {
        Some(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                leaves(field, format!("{path}.{name}"), into);
            }
        }
        _ => into.push(path),
    }
}

#[test]
fn every_value_of_the_chart_has_a_row_and_every_row_a_value() -> Result<(), Failure> {
    let values = std::fs::read_to_string(repository().join("deploy/chart/values.yaml"))?;
    let documents = crds::yaml::documents(&values)?;
    let mut found = BTreeSet::new();
    for document in &documents {
        names(&document.value, "", &mut found);
    }
    let rows: BTreeSet<String> = rows("helm-values")?
        .iter()
        .map(|row| text(row, "value"))
        .collect();
    let without: Vec<_> = found.difference(&rows).collect();
    assert!(
        without.is_empty(),
        "without a row in helm-values.json: {without:?}"
    );
    for row in &rows {
        let above = |name: &String| name.starts_with(&format!("{row}."));
        assert!(
            found.contains(row) || found.iter().any(above),
            "no value {row}"
        );
    }
    Ok(())
}

/// Helm says nothing of a value that a chart does not know: who upgrades would lose it in silence.
#[tokio::test]
async fn every_value_of_the_incumbents_chart_has_a_row() -> Result<(), Failure> {
    let file = "helm/sealed-secrets/values.yaml";
    let values = tests::module_file::of_sealed_secrets(file).await?;
    let mut theirs = BTreeSet::new();
    for document in &crds::yaml::documents(&values)? {
        names(&document.value, "", &mut theirs);
    }
    assert!(theirs.len() > 100, "{theirs:?}");
    let rows: Vec<String> = rows("helm-values")?
        .iter()
        .map(|row| text(row, "value"))
        .collect();
    theirs.retain(|value| {
        let covers = |row: &String| value == row || value.starts_with(&format!("{row}."));
        !rows.iter().any(covers)
    });
    assert!(
        theirs.is_empty(),
        "without a row in helm-values.json: {theirs:?}"
    );
    Ok(())
}

fn names(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                names(field, &format!("{path}{dot}{name}"), into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

#[test]
fn every_verdict_is_one_and_what_is_not_the_same_says_why() -> Result<(), Failure> {
    for file in ["controller", "fields", "helm-values"] {
        for row in rows(file)? {
            let verdict = text(&row, "verdict");
            assert!(VERDICTS.contains(&verdict.as_str()), "{row}");
            let plain = verdict == "same" || verdict == "ours";
            assert!(plain || row["note"].is_string(), "{row}");
        }
    }
    Ok(())
}

#[test]
fn the_page_is_made_from_the_rows() -> Result<(), Failure> {
    let file = repository().join("docs/compatibility.md");
    let page = std::fs::read_to_string(&file)?;
    let mut made = String::new();
    let mut tables = 0;
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once("<!-- table: ") {
        let (name, after) = after.split_once(" -->\n").unwrap_or_default();
        let (_old, after) = after.split_once("<!-- end -->").unwrap_or_default();
        let table = table(name)?;
        write!(made, "{before}<!-- table: {name} -->\n{table}<!-- end -->")?;
        tables += 1;
        rest = after;
    }
    made += rest;
    assert_eq!(tables, 5 + crds::definitions::all().len());
    if std::env::var_os("SIGNET_WRITE_GOLDEN").is_some() {
        std::fs::write(&file, &made)?;
        return Ok(());
    }
    assert!(
        made == page,
        "docs/compatibility.md is old: SIGNET_WRITE_GOLDEN=1 writes it"
    );
    Ok(())
}

/// The table that a marker names: `flags OF`, `fields KIND` or `values`.
fn table(name: &str) -> Result<String, Failure> {
    let (what, of) = name.split_once(' ').unwrap_or((name, ""));
    let (file, key, column) = match what {
        "flags" => ("controller", "flag", "of"),
        "fields" => ("fields", "field", "kind"),
        "values" => ("helm-values", "value", ""),
        other => return Err(Failure::new(format!("no table {other}"))),
    };
    let head = if of.is_empty() || what == "flags" {
        key
    } else {
        of
    };
    let mut lines = format!("| {head} | verdict | note |\n|---|---|---|\n");
    let mut count = 0;
    for row in rows(file)?
        .iter()
        .filter(|row| column.is_empty() || row[column] == of)
    {
        let dashes = if what == "flags" { "--" } else { "" };
        let default = match text(row, "default") {
            default if default.is_empty() => String::new(),
            default => format!(" ({default})"),
        };
        let name = text(row, key);
        let (verdict, note) = (text(row, "verdict"), text(row, "note").replace('|', "\\|"));
        writeln!(lines, "| `{dashes}{name}`{default} | {verdict} | {note} |")?;
        count += 1;
    }
    if count == 0 {
        return Err(Failure::new(format!("the table {name} is empty")));
    }
    Ok(lines)
}

fn rows(file: &str) -> Result<Vec<Value>, Failure> {
    let path = repository().join(format!("docs/compatibility/{file}.json"));
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}
