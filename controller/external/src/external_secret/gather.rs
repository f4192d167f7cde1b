//! What the stores hold of what is wanted. Whoever is here may wait long for a provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crds::external_secret::{ExternalSecret, SecretStoreRef};
use futures::future::join_all;
use kube::ResourceExt as _;

use super::{
    assemble::{Answers, FromAnswer, Lack},
    questions::{self, Question, Want},
    stores::{Opened, StoreKey, key},
};
use crate::{
    fetch::{Answer, Source, Turn},
    generator::generate,
    part::Part,
    provider::{Address, Payload, ReadError, Search, Version},
    values::Values,
};

/// What the provider said, and what was asked for where.
pub(crate) struct Gathered {
    /// For each entry.
    pub(crate) answers: Answers,
    /// The store that most was asked of, for the timetable.
    pub(crate) most: Option<(Source, BTreeSet<Address>)>,
}

/// Asks for everything that the object wants, all at once.
pub(crate) async fn gather(
    part: &Part,
    object: &ExternalSecret,
    opened: &Opened,
    turn: Turn,
) -> Gathered {
    let namespace = object.namespace().unwrap_or_default();
    let from = questions::of_data_from(&object.spec);
    let data = questions::of_data(&object.spec);
    let found = search_all(opened, &from).await;
    let mut wanted: BTreeMap<StoreKey, BTreeSet<Address>> = BTreeMap::new();
    for question in from.iter().chain(&data) {
        if let (Want::Secret(reference), Some(Ok(open))) =
            (&question.want, opened.of(question.store))
        {
            let address = questions::address(&open.prefix, reference);
            wanted
                .entry(key(question.store))
                .or_default()
                .insert(address);
        }
    }
    for (question, names) in from.iter().zip(&found) {
        if let Some(Ok(names)) = names {
            let addresses = names.iter().map(|name| current(name));
            wanted
                .entry(key(question.store))
                .or_default()
                .extend(addresses);
        }
    }
    let (read, made) = tokio::join!(
        read_all(part, opened, &wanted, turn),
        generate_all(part, &namespace, &from)
    );
    let most = wanted
        .into_iter()
        .max_by_key(|(_, addresses)| addresses.len());
    let most = most.and_then(|(key, addresses)| match opened.by_key(&key) {
        Some(Ok(open)) => Some((open.source.clone(), addresses)),
        _ => None,
    });
    let answers = Answers {
        from: from
            .iter()
            .zip(found.into_iter().zip(made))
            .map(|(question, (names, made))| from_answer(question, made, names, opened, &read))
            .collect(),
        data: data
            .iter()
            .map(|question| one(question, opened, &read))
            .collect(),
    };
    Gathered { answers, most }
}

fn current(name: &str) -> Address {
    Address::Value {
        id: name.to_owned(),
        version: Version::parse(""),
    }
}

/// The names that each search found, in the order of the questions; `None` where none was asked.
async fn search_all(
    opened: &Opened,
    questions: &[Question<'_>],
) -> Vec<Option<Result<Vec<String>, Lack>>> {
    let searches = questions.iter().map(|question| async move {
        let Want::Search(search) = &question.want else {
            return None;
        };
        Some(search_one(opened, question.store, search).await)
    });
    join_all(searches).await
}

async fn search_one(
    opened: &Opened,
    store: &SecretStoreRef,
    search: &Result<Search, String>,
) -> Result<Vec<String>, Lack> {
    let search = search
        .as_ref()
        .map_err(|problem| Lack::Failed(problem.clone()))?;
    let open = opened
        .of(store)
        .cloned()
        .unwrap_or_else(|| Err(unopened()))?;
    open.source
        .reader
        .search(search)
        .await
        .map_err(|error| lack(&error))
}

/// What each generator made, in the order of the questions; `None` where none was asked.
async fn generate_all(
    part: &Part,
    namespace: &str,
    questions: &[Question<'_>],
) -> Vec<Option<Result<Values, Lack>>> {
    let made = questions.iter().map(|question| async move {
        let Want::Generator(generator) = &question.want else {
            return None;
        };
        Some(
            generate(part, namespace, generator)
                .await
                .map_err(Lack::Failed),
        )
    });
    join_all(made).await
}

type Read = BTreeMap<StoreKey, BTreeMap<Address, Answer>>;

async fn read_all(
    part: &Part,
    opened: &Opened,
    wanted: &BTreeMap<StoreKey, BTreeSet<Address>>,
    turn: Turn,
) -> Read {
    let reads = wanted.iter().filter_map(|(key, addresses)| {
        let Some(Ok(open)) = opened.by_key(key) else {
            return None;
        };
        Some(async move {
            (
                key.clone(),
                part.fetcher.read(&open.source, addresses, turn).await,
            )
        })
    });
    join_all(reads).await.into_iter().collect()
}

fn from_answer(
    question: &Question<'_>,
    made: Option<Result<Values, Lack>>,
    names: Option<Result<Vec<String>, Lack>>,
    opened: &Opened,
    read: &Read,
) -> FromAnswer {
    match &question.want {
        Want::Nothing => FromAnswer::Nothing,
        Want::Generator(_) => FromAnswer::Generated(made.unwrap_or_else(|| Err(unopened()))),
        Want::Secret(_) => FromAnswer::Extract(one(question, opened, read)),
        Want::Search(_) => FromAnswer::Find(match names {
            Some(Ok(names)) => several(question, names, read),
            Some(Err(lack)) => Err(lack),
            None => Err(unopened()),
        }),
    }
}

fn one(question: &Question<'_>, opened: &Opened, read: &Read) -> Result<Arc<Payload>, Lack> {
    let Want::Secret(reference) = &question.want else {
        return Err(unopened());
    };
    let open = opened
        .of(question.store)
        .cloned()
        .unwrap_or_else(|| Err(unopened()))?;
    let address = questions::address(&open.prefix, reference);
    answered(
        read.get(&key(question.store))
            .and_then(|read| read.get(&address)),
    )
}

/// What was found and has gone meanwhile was not found.
fn several(
    question: &Question<'_>,
    names: Vec<String>,
    read: &Read,
) -> Result<Vec<(String, Arc<Payload>)>, Lack> {
    let answers = read.get(&key(question.store));
    let found = names.into_iter().filter_map(|name| {
        match answered(answers.and_then(|answers| answers.get(&current(&name)))) {
            Ok(payload) => Some(Ok((name, payload))),
            Err(Lack::Missing) => None,
            Err(Lack::Failed(text)) => Some(Err(Lack::Failed(format!("{name}: {text}")))),
            Err(other) => Some(Err(other)),
        }
    });
    found.collect()
}

fn answered(answer: Option<&Answer>) -> Result<Arc<Payload>, Lack> {
    match answer {
        Some(Ok(payload)) => Ok(Arc::clone(payload)),
        Some(Err(error)) => Err(lack(error)),
        None => Err(unopened()),
    }
}

fn lack(error: &ReadError) -> Lack {
    match error {
        ReadError::Missing => Lack::Missing,
        ReadError::Throttled(text) => Lack::Throttled(text.clone()),
        other => Lack::Failed(other.to_string()),
    }
}

/// A question that was not put to anybody: a mistake of ours, told instead of hidden.
fn unopened() -> Lack {
    Lack::Failed("the entry was not asked for; this is a bug, please report it".to_owned())
}
