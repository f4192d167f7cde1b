//! The key of the digests: a Secret beside the controller, made at the first need.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kit::{
    Context, SecretBytes,
    target::{self, WriteError},
};
use kube::api::ObjectMeta;
use rand::TryRng as _;
use tokio::sync::OnceCell;

use crate::workload::FIELD_MANAGER;

/// The name of the Secret.
const NAME: &str = "signet-restart";
/// The key in it.
const FIELD: &str = "key";
/// As long as the digest.
const LENGTH: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The API server refused or did not answer.
    #[error("the Secret {NAME} with the key of the digests: {0}")]
    Api(#[from] WriteError),
    /// There is such a Secret, and no key in it.
    #[error(
        "the Secret {NAME} holds no key of {LENGTH} bytes under `{FIELD}`; delete it to have a new one made"
    )]
    Unusable,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// The key, once it was read.
#[derive(Default)]
pub(crate) struct Key(OnceCell<SecretBytes>);

impl Key {
    /// The key. Two processes that make one at the same time end with the same: the second creation
    /// conflicts, and what is there is read.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn read(&self, context: &Context) -> Result<&SecretBytes, KeyError> {
        self.0.get_or_try_init(|| read_or_make(context)).await
    }
}

async fn read_or_make(context: &Context) -> Result<SecretBytes, KeyError> {
    let (client, namespace) = (&context.client, context.namespace.as_str());
    if let Some(found) = target::read(client, namespace, NAME).await? {
        return of(found);
    }
    match target::create(client, &made(namespace)?, FIELD_MANAGER).await {
        Ok(_) | Err(WriteError::AlreadyExists) => {}
        Err(error) => return Err(error.into()),
    }
    target::read(client, namespace, NAME)
        .await?
        .map_or(Err(KeyError::Unusable), of)
}

fn made(namespace: &str) -> Result<Secret, KeyError> {
    let mut key = vec![0; LENGTH];
    rand::rngs::SysRng
        .try_fill_bytes(&mut key)
        .map_err(|_| KeyError::Random)?;
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(FIELD.to_owned(), ByteString(key))])),
        ..Secret::default()
    })
}

fn of(secret: Secret) -> Result<SecretBytes, KeyError> {
    let key = secret
        .data
        .and_then(|mut data| data.remove(FIELD))
        .map(|key| SecretBytes::new(key.0));
    key.filter(|key| key.len() == LENGTH)
        .ok_or(KeyError::Unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_read_and_another_is_refused() {
        let secret = made("ns").unwrap();
        assert_eq!(of(secret.clone()).map(|key| key.len()).ok(), Some(LENGTH));
        assert_ne!(secret.data, made("ns").unwrap().data);
        assert!(of(Secret::default()).is_err());
    }
}
