//! `inspect`: what a sealed file holds, and what it is sealed to, as far as that can be known without a
//! key.

use std::fmt::Write as _;
use std::path::Path;

use document::{Identity, SealedFile, label_digest};
use keys::decode_base64;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::{files, terminal};

/// Prints what is known about every SealedSecret of a file.
pub(crate) fn inspect(path: &Path, as_json: bool) -> Result<(), Failure> {
    let failed = |error: document::EditError| Failure::Work(format!("{}: {error}", path.display()));
    let file = SealedFile::parse(files::read(path)?.expose()).map_err(failed)?;
    let sealed: Vec<Value> = file.sealed().map(|at| describe(&file, at)).collect();
    if sealed.is_empty() {
        return Err(Failure::Work(format!(
            "{}: there is no SealedSecret in it",
            path.display()
        )));
    }
    let printed = if as_json {
        document::write_json(&sealed.into()) + "\n"
    } else {
        sealed.iter().map(in_words).collect::<Vec<_>>().join("\n")
    };
    terminal::print(printed.as_bytes())
}

fn describe(file: &SealedFile, at: usize) -> Value {
    let identity = file.identity(at);
    let record = file.record(at).unwrap_or_default();
    let items: Vec<Value> = file
        .items(at)
        .iter()
        .map(|(name, value)| {
            let Ok(bytes) = decode_base64(value) else {
                return json!({ "name": name, "problem": "not base64" });
            };
            let Some((bits, length)) = keys::sealed_sizes(&bytes) else {
                return json!({ "name": name, "problem": "too short" });
            };
            let recorded = record.find(name, &bytes);
            json!({
                "name": name,
                "bytes": length,
                "keyBits": bits,
                "key": recorded.map(|recorded| recorded.key.as_str()),
                "sealedForThisPlace": recorded.map(|r| r.label == label_digest(&identity.label())),
            })
        })
        .collect();
    let Identity {
        name,
        namespace,
        scope,
    } = identity;
    json!({
        "name": name, "namespace": namespace, "scope": scope.as_str(),
        "line": file.documents().get(at).map(|document| document.line), "items": items,
    })
}

fn in_words(sealed: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = match text(&sealed["namespace"]) {
        namespace if namespace.is_empty() => "no namespace".to_owned(),
        namespace => format!("namespace {namespace}"),
    };
    let mut words = format!(
        "SealedSecret {}, {namespace}, {}\n",
        text(&sealed["name"]),
        text(&sealed["scope"])
    );
    for item in sealed["items"].as_array().into_iter().flatten() {
        let name = text(&item["name"]);
        // Writing into a String cannot fail.
        let _written = match item["problem"].as_str() {
            Some(problem) => writeln!(words, "  {name}: {problem}"),
            None => writeln!(
                words,
                "  {name}: {} bytes, {} bit key {}{}",
                item["bytes"],
                item["keyBits"],
                item["key"].as_str().unwrap_or("(not recorded)"),
                match item["sealedForThisPlace"].as_bool() {
                    Some(false) => ", sealed for another name, namespace or scope",
                    _ => "",
                }
            ),
        };
    }
    words
}
