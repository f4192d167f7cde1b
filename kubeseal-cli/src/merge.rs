//! `--merge-into`: sealed items into a file that exists.

use std::path::Path;

use crds::sealed_secret::{CLUSTER_WIDE, NAMESPACE_WIDE};
use document::{DocumentKind, Identity, SealedFile, Secret, seal_secret};
use keys::{Certificate, Scope, SecretBytes, decode_base64};
use serde_json::{Map, Value};

use crate::arguments::Settings;
use crate::error::Failure;
use crate::files::{self, Audience};
use crate::namespace::Namespace;

/// Seals the Secrets of a stream and puts their items into the file, of which everything else stays as
/// it is, byte for byte. Name, namespace and scope are those of the file, for otherwise the controller
/// could not open the items (`SealMergingInto` in `pkg/kubeseal/kubeseal.go` takes the scope from the
/// input, writes JSON by default, and keeps only the file's first document).
pub(crate) fn merge(
    settings: &Settings,
    target: &Path,
    input: &SecretBytes,
    certificate: &Certificate,
) -> Result<(), Failure> {
    let secrets = secrets(settings, input)?;
    let bytes = files::read(target)?;
    let in_file = |error| Failure::Work(format!("{}: {error}", target.display()));
    let mut file = SealedFile::parse(bytes.expose()).map_err(in_file)?;
    for mut secret in secrets {
        let at = choose(&file, &secret, settings).map_err(in_file)?;
        adopt(&mut secret, &file.identity(at), settings)?;
        put(&mut file, at, &secret, settings, certificate).map_err(in_file)?;
    }
    // With `-w` the incumbent empties that file; ours leaves the target alone and writes there.
    let output = settings.output.as_deref().unwrap_or(target);
    files::write(output, &file.to_bytes(), Audience::Public)
}

fn secrets(settings: &Settings, input: &SecretBytes) -> Result<Vec<Secret>, Failure> {
    let text = crds::yaml::text(input.expose()).map_err(Failure::work)?;
    let documents = document::read(&text).map_err(Failure::work)?;
    let mut secrets = Vec::new();
    for document in documents {
        if document.kind() == DocumentKind::Secret {
            let secret = Secret::from_value(document.value).map_err(Failure::work)?;
            crate::seal::refuse_empty(settings, &secret)?;
            secrets.push(secret);
        }
    }
    if secrets.is_empty() {
        return Err(Failure::work(
            "no secrets found. Ensure the input is valid and UTF-8 encoded",
        ));
    }
    Ok(secrets)
}

/// The file's only SealedSecret, else the one with the name that is asked for.
fn choose(
    file: &SealedFile,
    secret: &Secret,
    settings: &Settings,
) -> Result<usize, document::EditError> {
    if file.sealed().count() == 1 {
        return file.find(None);
    }
    let name = if settings.name.is_empty() {
        secret.name()
    } else {
        &settings.name
    };
    file.find(Some(name).filter(|name| !name.is_empty()))
}

/// Gives the Secret what the file's SealedSecret has.
fn adopt(secret: &mut Secret, target: &Identity, settings: &Settings) -> Result<(), Failure> {
    if target.name.is_empty() {
        return Err(Failure::work(
            "missing metadata.name in the sealed secret to merge into",
        ));
    }
    if settings.scope != Scope::Strict && settings.scope != target.scope {
        return Err(Failure::Work(format!(
            "scope mismatch: the sealed secret {} has scope {} but {} was specified",
            target.name, target.scope, settings.scope
        )));
    }
    secret.set_name(&target.name);
    secret.set_namespace(&target.namespace);
    secret.set_scope(target.scope);
    if target.scope != Scope::ClusterWide {
        let namespace = Namespace::new(settings);
        namespace.check(&target.namespace)?;
        if target.namespace.is_empty() {
            secret.set_namespace(&namespace.resolve());
        }
    }
    Ok(())
}

fn put(
    file: &mut SealedFile,
    at: usize,
    secret: &Secret,
    settings: &Settings,
    certificate: &Certificate,
) -> Result<(), document::EditError> {
    let key = certificate.public_key();
    let sealed = seal_secret(secret, key, false)
        .map_err(|error| document::EditError::NoDocument(error.to_string()))?;
    let fingerprint = settings.record.then(|| key.fingerprint());
    for (item, value) in fields(&sealed, "/spec/encryptedData") {
        // We made this base64 a moment ago.
        let ciphertext = decode_base64(value).unwrap_or_default();
        file.set_item(at, item, &ciphertext, fingerprint.as_ref())?;
    }
    for (place, path) in [
        ("/spec/template/metadata/annotations", "annotations"),
        ("/spec/template/metadata/labels", "labels"),
    ] {
        for (name, value) in fields(&sealed, place) {
            if name != CLUSTER_WIDE && name != NAMESPACE_WIDE {
                file.set_text(at, &["spec", "template", "metadata", path, name], value)?;
            }
        }
    }
    Ok(())
}

fn fields<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a str)> {
    let map: Option<&Map<String, Value>> = object.pointer(pointer).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
}
