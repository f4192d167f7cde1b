//! What a Secret is to look like.

use std::collections::BTreeMap;

use crds::sealed_secret::{
    SEALED_WITH, SKIP_SET_OWNER_REFERENCES, SealedSecret, SecretTemplate, WrittenItem,
};
use k8s_openapi::api::core::v1::Secret;
use keys::SecretBytes;

use super::{Examined, Format, Rules};
use crate::problem::Problem;

/// The opened items of a SealedSecret.
#[derive(Default)]
pub(crate) struct Values {
    /// By item name.
    pub(crate) plaintexts: BTreeMap<String, SecretBytes>,
    /// What the templates made of them, by item name.
    pub(crate) rendered: BTreeMap<String, SecretBytes>,
    /// Which key opened which ciphertext.
    pub(crate) items: BTreeMap<String, WrittenItem>,
}

/// The Secret as the SealedSecret asks for it.
#[derive(Default)]
pub(crate) struct Blueprint {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) finalizers: Vec<String>,
    pub(crate) type_: Option<String>,
    pub(crate) immutable: Option<bool>,
    /// Whether the Secret is to be deleted with the SealedSecret.
    pub(crate) owned: bool,
    pub(crate) data: BTreeMap<String, SecretBytes>,
}

impl Blueprint {
    /// All but the data.
    pub(crate) fn of_template(template: &SecretTemplate) -> Self {
        let metadata = &template.metadata;
        let mut annotations = metadata.annotations.clone();
        // The incumbent's rotate moves the record of a SealedSecret in here. It speaks of
        // ciphertexts, and a Secret has none.
        annotations.remove(SEALED_WITH);
        Self {
            labels: metadata.labels.clone(),
            annotations,
            finalizers: metadata.finalizers.clone(),
            type_: template.type_.clone().filter(|type_| !type_.is_empty()),
            immutable: template.immutable,
            owned: is_owned(template),
            data: BTreeMap::new(),
        }
    }

    /// The whole of it.
    ///
    /// A decrypted item wins over a template of the same name, and a template that is `null` leaves
    /// the item out, as in the incumbent from v0.37 and v0.40 on.
    pub(crate) fn new(
        sealed: &SealedSecret,
        examined: &Examined,
        values: Values,
        rules: &Rules,
    ) -> Result<Self, Problem> {
        let template = &sealed.spec.template;
        let mut plaintexts = values.plaintexts;
        if examined.format == Format::Whole {
            let whole = plaintexts.pop_first().map(|(_, whole)| whole);
            let blueprint =
                Self::of_whole(whole.as_ref().map_or(&[], SecretBytes::expose), template)?;
            rules.allow(&examined.place, &blueprint)?;
            return Ok(blueprint);
        }
        plaintexts.retain(|name, _| !matches!(template.data.get(name), Some(None)));
        for (name, value) in values.rendered {
            plaintexts.entry(name).or_insert(value);
        }
        Ok(Self {
            data: plaintexts,
            ..Self::of_template(template)
        })
    }

    /// The deprecated format: the Secret stands in JSON inside the one sealed piece.
    fn of_whole(json: &[u8], template: &SecretTemplate) -> Result<Self, Problem> {
        let mut secret = secret_in(json)?;
        Ok(Self {
            data: take_data(&mut secret),
            labels: secret.metadata.labels.unwrap_or_default(),
            annotations: secret.metadata.annotations.unwrap_or_default(),
            finalizers: secret.metadata.finalizers.unwrap_or_default(),
            type_: secret.type_.filter(|type_| !type_.is_empty()),
            immutable: secret.immutable,
            owned: is_owned(template),
        })
    }

    /// The values in the one piece of the deprecated format.
    pub(crate) fn data_of_whole(json: &[u8]) -> Result<BTreeMap<String, SecretBytes>, Problem> {
        Ok(take_data(&mut secret_in(json)?))
    }
}

/// The error of the decoder quotes the value that did not fit, so it goes no further.
fn secret_in(json: &[u8]) -> Result<Secret, Problem> {
    serde_json::from_slice(json).map_err(|_| Problem::NotASecret)
}

fn take_data(secret: &mut Secret) -> BTreeMap<String, SecretBytes> {
    let data = secret.data.take().unwrap_or_default().into_iter();
    let text = secret.string_data.take().unwrap_or_default().into_iter();
    data.map(|(name, value)| (name, SecretBytes::new(value.0)))
        .chain(text.map(|(name, value)| (name, value.into_bytes().into())))
        .collect()
}

fn is_owned(template: &SecretTemplate) -> bool {
    let skip = template.metadata.annotations.get(SKIP_SET_OWNER_REFERENCES);
    skip.is_none_or(|value| value != "true")
}
