//! Objects that many tests need, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A Secret with data, as `kubectl create secret generic` writes it.
pub fn secret(namespace: &str, name: &str, data: &[(&str, &[u8])]) -> Value {
    let entries = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into()));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": entries.collect::<serde_json::Map<String, Value>>(),
    })
}

/// A SealedSecret with items as they are given, for tests of bad ones.
pub fn sealed_secret(namespace: &str, name: &str, items: &[(&str, &str)]) -> Value {
    let entries = items
        .iter()
        .map(|(key, item)| ((*key).to_owned(), (*item).into()));
    json!({
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"encryptedData": entries.collect::<serde_json::Map<String, Value>>()},
    })
}
