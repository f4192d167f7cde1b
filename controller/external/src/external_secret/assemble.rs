//! From the provider's answers to the values of the target. Pure.
//!
//! All of `dataFrom` in order, later entries over earlier ones, then `data`
//! (externalsecret_controller_secret.go, `GetProviderSecretData`).

use std::sync::Arc;

use crds::external_secret::{
    DeletionPolicy, ExternalSecretData, ExternalSecretDataFrom, ExternalSecretSpec, NullBytePolicy,
    RemoteRef,
};
use kit::SecretBytes;

use crate::{
    provider::Payload,
    template::Templates,
    values::{self, Values},
};

/// Why an entry has no values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The provider does not have the secret: the one lack that a deletion policy speaks of.
    Missing,
    /// The provider asks us to come back later.
    Throttled(String),
    /// The store is new and has not been looked at yet.
    StoreNotYet(String),
    /// Anything else.
    Failed(String),
}

/// What an entry of `dataFrom` got.
pub(crate) enum FromAnswer {
    /// One secret.
    Extract(Result<Arc<Payload>, Lack>),
    /// Several, by their full names.
    Find(Result<Vec<(String, Arc<Payload>)>, Lack>),
    /// Values made for the occasion.
    Generated(Result<Values, Lack>),
    /// The entry asked for nothing.
    Nothing,
}

/// What was got for each entry.
pub(crate) struct Answers {
    /// For `dataFrom`.
    pub(crate) from: Vec<FromAnswer>,
    /// For `data`.
    pub(crate) data: Vec<Result<Arc<Payload>, Lack>>,
}

/// The values of the target.
#[derive(Default)]
pub(crate) struct Assembled {
    /// Keys and values.
    pub(crate) values: Values,
    /// The entries that the provider had nothing for, passed over as the deletion policy asks.
    pub(crate) skipped: Vec<String>,
}

/// An entry that could not be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unserved {
    /// The kind of lack.
    pub(crate) lack: Lack,
    /// The entry and the cause, in the incumbent's words.
    pub(crate) text: String,
}

/// Puts the values together.
///
/// # Errors
/// [`Unserved`] for the first entry that could not be served. Then nothing is to be written.
pub(crate) fn assemble(
    spec: &ExternalSecretSpec,
    answers: Answers,
    templates: &dyn Templates,
) -> Result<Assembled, Unserved> {
    let keep_going = spec.target.deletion_policy != DeletionPolicy::Retain;
    let mut assembled = Assembled::default();
    for (index, (entry, answer)) in spec.data_from.iter().zip(answers.from).enumerate() {
        let word = word_of(&answer);
        match from_entry(entry, answer, templates) {
            Ok(values) => assembled.values.extend(values),
            Err(Lack::Missing) if keep_going => {
                assembled.skipped.push(format!("spec.dataFrom[{index}]"));
            }
            Err(lack) => {
                let text = format!(
                    "error processing spec.dataFrom[{index}].{word}, err: {}",
                    lack.text()
                );
                return Err(Unserved { lack, text });
            }
        }
    }
    for (index, (entry, answer)) in spec.data.iter().zip(answers.data).enumerate() {
        let key = &entry.remote_ref.key;
        match from_data(entry, answer) {
            Ok(value) => drop(assembled.values.insert(entry.secret_key.clone(), value)),
            Err(Lack::Missing) if keep_going => {
                assembled
                    .skipped
                    .push(format!("spec.data[{index}] (key={key})"));
            }
            Err(lack) => {
                let text = format!(
                    "error processing spec.data[{index}] (key: {key}), err: {}",
                    lack.text()
                );
                return Err(Unserved { lack, text });
            }
        }
    }
    Ok(assembled)
}

impl Lack {
    fn text(&self) -> &str {
        match self {
            Self::Missing => "Secret does not exist",
            Self::Throttled(text) | Self::StoreNotYet(text) | Self::Failed(text) => text,
        }
    }
}

fn word_of(answer: &FromAnswer) -> &'static str {
    match answer {
        FromAnswer::Find(_) => "find",
        FromAnswer::Generated(_) => "sourceRef.generatorRef",
        FromAnswer::Extract(_) | FromAnswer::Nothing => "extract",
    }
}

fn from_data(
    entry: &ExternalSecretData,
    answer: Result<Arc<Payload>, Lack>,
) -> Result<SecretBytes, Lack> {
    let RemoteRef {
        key,
        property,
        decoding_strategy,
        null_byte_policy,
        ..
    } = &entry.remote_ref;
    let value = answer?
        .value(key, property)
        .map_err(|error| Lack::Failed(error.to_string()))?;
    let value = values::decode(decoding_strategy, value).map_err(|error| {
        Lack::Failed(format!(
            "error applying decoding strategy {decoding_strategy} to data: {error}"
        ))
    })?;
    refuse_null_bytes(null_byte_policy, &entry.secret_key, &value)?;
    Ok(value)
}

fn from_entry(
    entry: &ExternalSecretDataFrom,
    answer: FromAnswer,
    templates: &dyn Templates,
) -> Result<Values, Lack> {
    let rename = |template: &str, key: &str| templates.rename(template, key);
    let rewritten = |values| {
        values::rewrite(&entry.rewrite, values, &rename)
            .map_err(|error| Lack::Failed(format!("error applying rewrite to keys: {error}")))
    };
    let (mut found, conversion, decoding, null_bytes) = match answer {
        FromAnswer::Nothing => return Ok(Values::new()),
        FromAnswer::Generated(made) => {
            let mut made = rewritten(made?)?;
            validate(&mut made)?;
            return Ok(made);
        }
        FromAnswer::Extract(payload) => {
            let reference = entry.extract.clone().unwrap_or_default();
            let fields = payload?.fields(&reference.key, &reference.property);
            let fields = fields.map_err(|error| Lack::Failed(error.to_string()))?;
            let RemoteRef {
                conversion_strategy,
                decoding_strategy,
                null_byte_policy,
                ..
            } = reference;
            (
                rewritten(fields)?,
                conversion_strategy,
                decoding_strategy,
                null_byte_policy,
            )
        }
        FromAnswer::Find(found) => {
            let find = entry.find.clone().unwrap_or_default();
            let found = found.map_err(|lack| match lack {
                Lack::Failed(text) => Lack::Failed(format!("error getting all secrets: {text}")),
                other => other,
            })?;
            let whole = found
                .into_iter()
                .filter_map(|(name, payload)| Some((name, payload.found()?)));
            (
                rewritten(whole.collect())?,
                find.conversion_strategy,
                find.decoding_strategy,
                find.null_byte_policy,
            )
        }
    };
    if entry.rewrite.is_empty() {
        found = values::convert_all(&conversion, found).map_err(|error| {
            Lack::Failed(format!(
                "error applying conversion strategy {conversion} to keys: {error}"
            ))
        })?;
    }
    validate(&mut found)?;
    let found = values::decode_all(&decoding, found).map_err(|(key, error)| {
        Lack::Failed(format!(
            "error applying decoding strategy {decoding} to data: failure decoding key {key}: {error}"
        ))
    })?;
    for (key, value) in &found {
        refuse_null_bytes(&null_bytes, key, value)?;
    }
    Ok(found)
}

fn validate(values: &mut Values) -> Result<(), Lack> {
    values::validate(values).map_err(|error| {
        Lack::Failed(format!(
            "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): {error}"
        ))
    })
}

fn refuse_null_bytes(policy: &NullBytePolicy, key: &str, value: &SecretBytes) -> Result<(), Lack> {
    if *policy != NullBytePolicy::Fail || !value.expose().contains(&0) {
        return Ok(());
    }
    Err(Lack::Failed(format!(
        "fetched secret value for key \"{key}\" contains null bytes; use a text-safe format such as \
         PEM/base64 or leave nullBytePolicy unset for intentional binary data"
    )))
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
