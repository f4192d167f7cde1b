//! `--recovery-unseal`: opening a sealed file with the private keys, when the cluster is gone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use document::{Document, DocumentKind, Format, Identity, Record, Secret};
use keys::{Keyring, PrivateKey, SecretBytes, decode_base64, encode_base64};
use serde_json::{Map, Value, json};
use template::Values;

use crate::arguments::Settings;
use crate::error::Failure;
use crate::files;

/// Opens every SealedSecret of a stream and prints the Secrets (`UnsealSealedSecret`). No cluster and no
/// kubeconfig is used. The Secrets have no owner: the incumbent writes one without a uid, which the API
/// server refuses.
pub(crate) fn unseal(
    settings: &Settings,
    input: &SecretBytes,
    format: Format,
) -> Result<SecretBytes, Failure> {
    let ring = keyring(&settings.recovery_private_keys)?;
    let text = crds::yaml::text(input.expose()).map_err(Failure::work)?;
    let documents = document::read(&text).map_err(Failure::work)?;
    let sealed: Vec<&Document> = documents
        .iter()
        .filter(|document| document.kind() == DocumentKind::SealedSecret)
        .collect();
    if sealed.is_empty() {
        return Err(Failure::work(
            "no sealed secrets found. Ensure the input is valid",
        ));
    }
    let mut printed = String::new();
    for document in sealed {
        printed.push_str(&format.write(&open(&document.value, &ring)?));
    }
    Ok(SecretBytes::new(printed.into_bytes()))
}

/// All keys of the files. Which is newer is not known, and does not matter here.
fn keyring(paths: &[String]) -> Result<Keyring, Failure> {
    let mut ring = Keyring::new();
    for path in paths {
        let bytes = files::read(Path::new(path))?;
        for key in keys_in(&bytes).map_err(|cause| Failure::Work(format!("{path}: {cause}")))? {
            ring.insert_private(key, SystemTime::UNIX_EPOCH);
        }
    }
    Ok(ring)
}

/// A key in PEM, or a backup of key Secrets: any number of Secrets and lists of them, JSON or YAML
/// (`readPrivKeysFromFile`, which stops after a list).
fn keys_in(bytes: &SecretBytes) -> Result<Vec<PrivateKey>, String> {
    let error = match PrivateKey::from_pem(bytes.expose()) {
        Ok(key) => return Ok(vec![key]),
        Err(error) => error,
    };
    let text = crds::yaml::text(bytes.expose()).map_err(|_| error.to_string())?;
    if text.contains("-----BEGIN ") && !text.contains("tls.key") {
        return Err(error.to_string());
    }
    let documents = document::read(&text).map_err(|_| error.to_string())?;
    let mut keys = Vec::new();
    for document in documents {
        if document.kind() == DocumentKind::Secret {
            for secret in without_kind(document.value) {
                let secret = Secret::from_value(secret).map_err(|error| error.to_string())?;
                let key = secret
                    .items()
                    .get("tls.key")
                    .ok_or("secret must contain a 'tls.key' key")?;
                keys.push(PrivateKey::from_pem(key.expose()).map_err(|error| error.to_string())?);
            }
        }
    }
    if keys.is_empty() {
        Err(error.to_string())
    } else {
        Ok(keys)
    }
}

/// The Secrets of a list that names no kind, as Go marshals a typed `SecretList`; else the object itself.
fn without_kind(mut object: Value) -> Vec<Value> {
    match object.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => vec![object],
    }
}

fn open(sealed: &Value, ring: &Keyring) -> Result<Value, Failure> {
    let identity = Identity::of(sealed);
    let spec = sealed.get("spec");
    let field = |name: &str| spec.and_then(|spec| spec.get(name));
    if field("data").is_some_and(|data| !data.is_null()) {
        return Err(Failure::work(
            "using deprecated 'data' field, use 'encryptedData' or flip the feature flag",
        ));
    }
    let template = field("template");
    let items = field("encryptedData").and_then(Value::as_object);
    let mut data = open_items(items, sealed, &identity, ring)?;
    let texts = template.and_then(|template| template.get("data"));
    if let Some(texts) = texts.and_then(Value::as_object) {
        fill(&mut data, texts, &identity)?;
    }
    Ok(secret(&identity, template, encoded(&data)))
}

/// Adds what the templates make of the items. An item wins over a template of its name, and a template
/// that is `null` leaves the item out, as in the controller (v0.37 and v0.40 of the incumbent).
fn fill(data: &mut Values, texts: &Map<String, Value>, identity: &Identity) -> Result<(), Failure> {
    let text = |(name, text): (&String, &Value)| Some((name.clone(), text.as_str()?.to_owned()));
    let rendered = template::render_items(&texts.iter().filter_map(text).collect(), data)
        .map_err(|error| Failure::Work(format!("{}: {error}", identity.name)))?;
    data.retain(|name, _| !matches!(texts.get(name), Some(Value::Null)));
    for (name, value) in rendered {
        data.entry(name).or_insert(value);
    }
    Ok(())
}

fn encoded(data: &Values) -> Map<String, Value> {
    let encode = |(name, value): (&String, &SecretBytes)| {
        (name.clone(), encode_base64(value.expose()).into())
    };
    data.iter().map(encode).collect()
}

fn open_items(
    items: Option<&Map<String, Value>>,
    sealed: &Value,
    identity: &Identity,
    ring: &Keyring,
) -> Result<Values, Failure> {
    let annotation = crds::sealed_secret::SEALED_WITH;
    let record = sealed
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(annotation));
    let record = record
        .and_then(Value::as_str)
        .map(Record::parse)
        .unwrap_or_default();
    let mut failures: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut names: Vec<_> = items.into_iter().flatten().collect();
    names.sort_by_key(|(name, _)| *name);
    let mut data = Values::new();
    for (name, value) in names {
        let value = value.as_str().unwrap_or_default();
        let hint = decode_base64(value)
            .ok()
            .and_then(|bytes| record.hint(name, &bytes));
        match ring.open_base64(value, &identity.label(), hint.as_ref()) {
            Ok(opened) => {
                data.insert(name.clone(), opened.plaintext);
            }
            Err(error) => failures.entry(told(&error)).or_default().push(name),
        }
    }
    if failures.is_empty() {
        return Ok(data);
    }
    let lines: Vec<String> = failures
        .into_iter()
        .map(|(message, names)| format!("{message} ({})", names.join(", ")))
        .collect();
    Err(Failure::Work(lines.join("\n")))
}

/// The incumbent has one text for all items that do not open.
fn told(error: &keys::OpenError) -> String {
    match error {
        keys::OpenError::NotBase64(error) => error.to_string(),
        _ => "no key could decrypt secret".to_owned(),
    }
}

/// A Secret with the fields in the order in which Go prints them.
fn secret(identity: &Identity, template: Option<&Value>, data: Map<String, Value>) -> Value {
    let of_template = |name: &str| template.and_then(|template| template.get(name)).cloned();
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), identity.name.as_str().into());
    if !identity.namespace.is_empty() {
        metadata.insert("namespace".to_owned(), identity.namespace.as_str().into());
    }
    let template_metadata = of_template("metadata").unwrap_or_default();
    for name in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template_metadata.get(name).filter(|value| !value.is_null()) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    let mut secret = json!({ "kind": "Secret", "apiVersion": "v1", "metadata": metadata });
    for (name, value) in [
        ("immutable", of_template("immutable")),
        ("data", (!data.is_empty()).then(|| data.into())),
        ("type", of_template("type")),
    ] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            secret[name] = value;
        }
    }
    secret
}
