//! A digest of all that a target is made from.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

use crds::external_secret::ExternalSecret;
use sha3::{Digest as _, Sha3_256};

use super::{assemble::Assembled, refresh};
use crate::template::Sources;

/// A salted digest of all that the target is made from. It stays in this process.
pub(crate) fn digest(
    object: &ExternalSecret,
    assembled: &Assembled,
    sources: &Sources,
) -> [u8; 32] {
    static SALT: LazyLock<[u64; 4]> = LazyLock::new(|| {
        let state = RandomState::new();
        [0, 1, 2, 3].map(|index| state.hash_one(index))
    });
    let mut hasher = Sha3_256::new();
    for part in *SALT {
        hasher.update(part.to_le_bytes());
    }
    let mut add = |field: &[u8]| {
        hasher.update(field.len().to_le_bytes());
        hasher.update(field);
    };
    add(refresh::version(object).as_bytes());
    for (key, value) in &assembled.values {
        add(key.as_bytes());
        add(value.expose());
    }
    for (name, pairs) in &sources.config_maps {
        add(name.as_bytes());
        pairs
            .iter()
            .flat_map(|(key, text)| [key, text])
            .for_each(|text| add(text.as_bytes()));
    }
    for (name, values) in &sources.secrets {
        add(name.as_bytes());
        values
            .iter()
            .flat_map(|(key, value)| [key.as_bytes(), value.expose()])
            .for_each(&mut add);
    }
    hasher.finalize().into()
}
