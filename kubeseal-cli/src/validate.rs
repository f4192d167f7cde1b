//! `--validate` and `--re-encrypt`: what only the controller can do.

use std::path::Path;

use document::{Document, DocumentKind, Format, SealedFile};
use http::StatusCode;
use keys::{Certificate, Fingerprint, SecretBytes, decode_base64};
use serde_json::Value;

use crate::arguments::Settings;
use crate::cluster::Controller;
use crate::error::Failure;
use crate::files::{self, Audience};
use crate::profile::Profile;
use crate::{terminal, web};

/// Asks the controller whether it can open every SealedSecret of a stream (`ValidateSealedSecret`).
pub(crate) fn validate(settings: &Settings, input: &SecretBytes) -> Result<(), Failure> {
    let (_, documents) = sealed_documents(input)?;
    web::block_on(async {
        let controller = Controller::connect(settings, profile(settings)?.as_ref()).await?;
        let path = controller.proxy_path("/v1/verify").await?;
        for document in &documents {
            let answer = controller.post(&path, &document.value).await;
            answer.map_err(|refusal| match refusal.status {
                Some(StatusCode::CONFLICT) => {
                    let name = document
                        .value
                        .pointer("/metadata/name")
                        .and_then(Value::as_str);
                    Failure::Work(format!(
                        "unable to decrypt sealed secret: {}",
                        name.unwrap_or_default()
                    ))
                }
                _ => Failure::Work(format!("cannot validate sealed secret: {refusal}")),
            })?;
        }
        Ok(())
    })
}

/// Lets the controller seal every item anew with its latest key (`ReEncryptSealedSecret`). Only the
/// items are taken from its answer: the incumbent's loses the template's data, labels and annotations.
pub(crate) fn re_encrypt(
    settings: &Settings,
    input: &SecretBytes,
    format: Format,
) -> Result<(), Failure> {
    let (file, documents) = sealed_documents(input)?;
    let (answers, key) = web::block_on(rotate(settings, &documents))?;
    let in_place = match (&settings.input, &settings.output) {
        (Some(input), None) => Some(input),
        (Some(input), Some(output)) if same_file(input, output) => Some(input),
        _ => None,
    };
    if let Some(path) = in_place {
        let bytes = edited(file, &answers, key.filter(|_| settings.record))?;
        return files::write(path, &bytes, Audience::Public);
    }
    let printed: String = documents
        .into_iter()
        .zip(&answers)
        .map(|(document, items)| format.write(&with_items(document.value, items)))
        .collect();
    match &settings.output {
        Some(path) => files::write(path, printed.as_bytes(), Audience::Public),
        None => terminal::print(printed.as_bytes()),
    }
}

fn profile(settings: &Settings) -> Result<Option<Profile>, Failure> {
    Profile::for_path(settings.input.as_deref().unwrap_or_else(|| Path::new(".")))
}

/// The items of one SealedSecret, in base64.
type Items = serde_json::Map<String, Value>;

fn sealed_documents(input: &SecretBytes) -> Result<(SealedFile, Vec<Document>), Failure> {
    let text = crds::yaml::text(input.expose()).map_err(Failure::work)?;
    let mut documents = document::read(&text).map_err(Failure::work)?;
    documents.retain(|document| document.kind() == DocumentKind::SealedSecret);
    if documents.is_empty() {
        return Err(Failure::work(
            "no sealed secrets found. Ensure the input is valid",
        ));
    }
    let file = SealedFile::parse(text.as_bytes()).map_err(Failure::work)?;
    Ok((file, documents))
}

/// The controller's items for each document, and the key that they are most likely sealed with.
async fn rotate(
    settings: &Settings,
    documents: &[Document],
) -> Result<(Vec<Items>, Option<Fingerprint>), Failure> {
    let controller = Controller::connect(settings, profile(settings)?.as_ref()).await?;
    let path = controller.proxy_path("/v1/rotate").await?;
    let mut answers = Vec::with_capacity(documents.len());
    for document in documents {
        let answer = controller.post(&path, &document.value).await;
        let body = answer.map_err(|refusal| match refusal.status {
            Some(StatusCode::CONFLICT) => Failure::work("unable to rotate secret"),
            _ => Failure::Work(format!("cannot re-encrypt secret: {refusal}")),
        })?;
        answers.push(items_in(&body, &document.value)?);
    }
    let pem = if settings.record {
        controller.certificate().await.ok()
    } else {
        None
    };
    let certificate = pem.and_then(|pem| Certificate::from_pem(&pem).ok());
    Ok((
        answers,
        certificate.map(|certificate| certificate.public_key().fingerprint()),
    ))
}

/// The items of the answer that the document had. An item that is missing is an error, for the file
/// would lose it.
fn items_in(body: &[u8], document: &Value) -> Result<Items, Failure> {
    let malformed = || Failure::work("cannot re-encrypt secret: the answer is no SealedSecret");
    let answer: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
    let answer = answer
        .pointer("/spec/encryptedData")
        .and_then(Value::as_object);
    let answer = answer.ok_or_else(malformed)?;
    let wanted = document
        .pointer("/spec/encryptedData")
        .and_then(Value::as_object);
    let mut items = Items::new();
    for name in wanted.into_iter().flat_map(Items::keys) {
        let value = answer
            .get(name)
            .filter(|value| value.is_string())
            .ok_or_else(|| {
                Failure::Work(format!(
                    "cannot re-encrypt secret: the answer has no item {name}"
                ))
            })?;
        items.insert(name.clone(), value.clone());
    }
    Ok(items)
}

fn edited(
    mut file: SealedFile,
    answers: &[Items],
    key: Option<Fingerprint>,
) -> Result<Vec<u8>, Failure> {
    let positions: Vec<usize> = file.sealed().collect();
    for (at, items) in positions.into_iter().zip(answers) {
        for (name, value) in items {
            let value = value.as_str().unwrap_or_default();
            let ciphertext = decode_base64(value)
                .map_err(|error| Failure::Work(format!("item {name} of the answer: {error}")))?;
            file.set_item(at, name, &ciphertext, key.as_ref())
                .map_err(Failure::work)?;
        }
    }
    Ok(file.to_bytes())
}

/// The document as it was, with other items, in the order of the incumbent's fields.
fn with_items(mut document: Value, items: &Items) -> Value {
    if let Some(spec) = document.get_mut("spec").and_then(Value::as_object_mut) {
        let mut sorted: Vec<_> = items.clone().into_iter().collect();
        sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
        spec.insert("encryptedData".to_owned(), Items::from_iter(sorted).into());
    }
    let mut ordered = Items::new();
    for name in ["kind", "apiVersion", "metadata", "spec"] {
        if let Some(value) = document.get_mut(name).map(Value::take) {
            ordered.insert(name.to_owned(), value);
        }
    }
    ordered.into()
}

fn same_file(left: &Path, right: &Path) -> bool {
    left == right
        || matches!((left.canonicalize(), right.canonicalize()), (Ok(left), Ok(right)) if left == right)
}
