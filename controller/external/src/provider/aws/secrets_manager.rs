//! Secrets Manager as one identity sees it.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_secretsmanager::{
    Client,
    primitives::Blob,
    types::{Filter, FilterNameStringType, SecretListEntry, SecretValueEntry, Tag},
};
use futures::{FutureExt as _, future::BoxFuture};
use kit::SecretBytes;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    Principal,
    account::account_of,
    credentials::Kept,
    error::{self, classify},
};
use crate::{
    go_json::{self, Html},
    provider::{Address, Call, Payload, ReadError, Reader, Search, Version},
    quota::{Quota, Quotas},
};

/// What BatchGetSecretValue takes at most.
const BATCH: usize = 20;
/// How many pages one batch of twenty may come in. Each answer is bounded by AWS to about a
/// megabyte and each value to 64 KiB, so two are what is to be expected.
const PAGES_OF_A_BATCH: usize = 20;
/// How many pages of a hundred names one search reads: as many secrets as an account may have.
const PAGES_OF_A_SEARCH: usize = 5_000;

/// Secrets Manager as one identity sees it.
pub(crate) struct SecretsManager {
    client: Client,
    credentials: Arc<Kept>,
    principal: Principal,
    region: String,
    quotas: Arc<Quotas>,
    quota: OnceCell<Arc<Quota>>,
}

impl SecretsManager {
    pub(super) fn new(
        client: Client,
        credentials: Arc<Kept>,
        principal: Principal,
        region: String,
        quotas: Arc<Quotas>,
    ) -> Self {
        Self {
            client,
            credentials,
            principal,
            region,
            quotas,
            quota: OnceCell::new(),
        }
    }

    /// Who asks.
    #[must_use]
    pub(crate) fn principal(&self) -> Principal {
        self.principal
    }

    /// Which region is asked.
    #[must_use]
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Whether there are credentials at all: what a store's validation finds out
    /// (secretsmanager.go, `Validate`). Kept ones cost no request.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) async fn check(&self) -> Result<(), ReadError> {
        self.credentials.credentials().await.map(drop)
    }

    /// The allowance of the account, told by the first credentials.
    async fn quota(&self) -> Result<&Quota, ReadError> {
        // Asked for each time, so that their lack is told as such and not as a failed request.
        let credentials = self.credentials.credentials().await?;
        let quota = self.quota.get_or_init(|| async move {
            let account = account_of(&credentials);
            let account = account.unwrap_or_else(|| credentials.access_key_id().to_owned());
            self.quotas.of(&account, &self.region)
        });
        Ok(quota.await)
    }

    /// Counts a request, and forgets credentials that have ended before their time.
    async fn done<T>(&self, call: Call, result: Result<T, ReadError>) -> Result<T, ReadError> {
        if let Some(quota) = self.quota.get() {
            quota.count(call, result.is_ok());
        }
        if let Err(ReadError::Refused(text)) = &result
            && (text.contains("ExpiredToken") || text.contains("UnrecognizedClient"))
        {
            self.credentials.forget().await;
        }
        result
    }

    async fn value(&self, id: &str, version: &Version) -> Result<Payload, ReadError> {
        self.quota().await?.admit(Call::GetSecretValue).await;
        let request = self.client.get_secret_value().secret_id(id);
        let request = match version {
            Version::Stage(stage) => request.version_stage(stage),
            Version::Id(version) => request.version_id(version),
        };
        let answer = request
            .send()
            .await
            .map_err(|e| classify("GetSecretValue", &e));
        let answer = self.done(Call::GetSecretValue, answer).await?;
        Ok(payload(answer.secret_string, answer.secret_binary))
    }

    async fn tags(&self, id: &str) -> Result<Payload, ReadError> {
        self.quota().await?.admit(Call::DescribeSecret).await;
        let answer = self.client.describe_secret().secret_id(id).send().await;
        let answer = answer.map_err(|e| classify("DescribeSecret", &e));
        let answer = self.done(Call::DescribeSecret, answer).await?;
        let tags = map_of(answer.tags());
        let tags = tags
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect();
        Ok(Payload::of_text(go_json::print(
            &Value::Object(tags),
            Html::Escaped,
        )))
    }

    async fn batch(&self, ids: &[String]) -> Result<Vec<Option<Answer>>, ReadError> {
        let mut answers: Vec<Option<Answer>> = ids.iter().map(|_| None).collect();
        let mut page = None;
        for _ in 0..PAGES_OF_A_BATCH {
            self.quota().await?.admit(Call::BatchGetSecretValue).await;
            let request = self.client.batch_get_secret_value();
            let request = request
                .set_secret_id_list(Some(ids.to_vec()))
                .set_next_token(page);
            let answer = request
                .send()
                .await
                .map_err(|e| classify("BatchGetSecretValue", &e));
            let answer = self.done(Call::BatchGetSecretValue, answer).await?;
            for problem in answer.errors() {
                let (code, message) = (problem.error_code(), problem.message());
                let found = error::from_code(
                    "BatchGetSecretValue",
                    code.unwrap_or_default(),
                    message.unwrap_or_default(),
                    400,
                );
                let id = problem.secret_id().unwrap_or_default();
                put(&mut answers, ids, id, id, &mut || Err(found.clone()));
            }
            for entry in answer.secret_values.unwrap_or_default() {
                put_value(&mut answers, ids, entry);
            }
            page = answer.next_token;
            if page.is_none() {
                break;
            }
        }
        Ok(answers)
    }

    async fn names(&self, search: &Search) -> Result<Vec<String>, ReadError> {
        let filters = filters(search);
        let mut names = Vec::new();
        let mut page = None;
        for _ in 0..PAGES_OF_A_SEARCH {
            self.quota().await?.admit(Call::ListSecrets).await;
            let request = self.client.list_secrets().max_results(100);
            let request = request.set_filters(filters.clone()).set_next_token(page);
            let answer = request
                .send()
                .await
                .map_err(|e| classify("ListSecrets", &e));
            let answer = self.done(Call::ListSecrets, answer).await?;
            let fitting = answer
                .secret_list()
                .iter()
                .filter(|entry| fits(search, entry));
            names.extend(fitting.filter_map(|entry| entry.name().map(str::to_owned)));
            page = answer.next_token;
            if page.is_none() {
                break;
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

type Answer = Result<Payload, ReadError>;

impl Reader for SecretsManager {
    fn batch_size(&self) -> usize {
        BATCH
    }

    fn read<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Answer> {
        match address {
            Address::Value { id, version } => self.value(id, version).boxed(),
            Address::Tags { id } => self.tags(id).boxed(),
        }
    }

    fn read_batch<'a>(
        &'a self,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Answer>>, ReadError>> {
        self.batch(ids).boxed()
    }

    fn search<'a>(&'a self, search: &'a Search) -> BoxFuture<'a, Result<Vec<String>, ReadError>> {
        self.names(search).boxed()
    }
}

fn payload(text: Option<String>, binary: Option<Blob>) -> Payload {
    Payload {
        text: text.map(|text| SecretBytes::new(text.into_bytes())),
        binary: binary.map(|blob| SecretBytes::new(blob.into_inner())),
    }
}

/// Puts a value to every place that asked for it: two ids, a name and an ARN, may be one secret.
fn put_value(answers: &mut [Option<Answer>], ids: &[String], entry: SecretValueEntry) {
    let (name, arn) = (
        entry.name.unwrap_or_default(),
        entry.arn.unwrap_or_default(),
    );
    let whole = payload(entry.secret_string, entry.secret_binary);
    put(answers, ids, &name, &arn, &mut || {
        Ok(Payload {
            text: whole.text.as_ref().map(SecretBytes::duplicate),
            binary: whole.binary.as_ref().map(SecretBytes::duplicate),
        })
    });
}

fn put(
    answers: &mut [Option<Answer>],
    ids: &[String],
    name: &str,
    arn: &str,
    answer: &mut dyn FnMut() -> Answer,
) {
    for (id, place) in ids.iter().zip(answers) {
        if is_meant(id, name, arn) {
            *place = Some(answer());
        }
    }
}

/// Whether a request for `id` means this secret. An ARN may be given without its last six random
/// characters and the dash before them.
fn is_meant(id: &str, name: &str, arn: &str) -> bool {
    const SUFFIX: usize = 7;
    id == name
        || id == arn
        || (id.starts_with("arn:")
            && arn
                .strip_prefix(id)
                .is_some_and(|rest| rest.len() == SUFFIX && rest.starts_with('-')))
}

/// AWS matches the start of a key or a value, and a key apart from its value, so what it lets
/// through is looked at again.
fn fits(search: &Search, entry: &SecretListEntry) -> bool {
    let name = entry.name().unwrap_or_default();
    let tags = map_of(entry.tags());
    search
        .name
        .as_ref()
        .is_none_or(|pattern| pattern.is_match(name))
        && search
            .tags
            .iter()
            .all(|(key, value)| tags.get(key) == Some(value))
}

fn filters(search: &Search) -> Option<Vec<Filter>> {
    let filter = |key, value: &str| Filter::builder().key(key).values(value).build();
    let mut filters = Vec::new();
    for (key, value) in &search.tags {
        filters.push(filter(FilterNameStringType::TagKey, key));
        filters.push(filter(FilterNameStringType::TagValue, value));
    }
    if let Some(path) = &search.path {
        filters.push(filter(FilterNameStringType::Name, path));
    }
    (!filters.is_empty()).then_some(filters)
}

fn map_of(tags: &[Tag]) -> BTreeMap<String, String> {
    let pairs = tags.iter().map(|tag| (tag.key(), tag.value()));
    pairs
        .map(|(k, v)| (k.unwrap_or_default().into(), v.unwrap_or_default().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use template::Expression;

    use super::*;

    #[test]
    fn an_answer_finds_every_place_that_asked_for_it() {
        let arn = "arn:aws:secretsmanager:eu-central-1:1:secret:db/creds-AbCdEf";
        let partial = "arn:aws:secretsmanager:eu-central-1:1:secret:db/creds";
        for id in ["db/creds", arn, partial] {
            assert!(is_meant(id, "db/creds", arn), "{id}");
        }
        for id in [
            "db",
            "db/creds-AbCdEf",
            &partial[..partial.len() - 1],
            "arn:",
        ] {
            assert!(!is_meant(id, "db/creds", arn), "{id}");
        }
    }

    #[test]
    fn what_aws_lets_through_is_looked_at_again() {
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let entry = |name: &str, tags: Vec<Tag>| {
            SecretListEntry::builder()
                .name(name)
                .set_tags(Some(tags))
                .build()
        };
        let search = Search {
            path: None,
            name: Some(Expression::new("one$").unwrap()),
            tags: BTreeMap::from([("foo".into(), "bar".into())]),
        };
        assert!(fits(
            &search,
            &entry("x/one", vec![tag("foo", "bar"), tag("a", "b")])
        ));
        assert!(!fits(
            &search,
            &entry("x/one", vec![tag("foo", "x"), tag("y", "bar")])
        ));
        assert!(!fits(&search, &entry("x/one", vec![tag("foo", "barber")])));
        assert!(!fits(&search, &entry("x/two", vec![tag("foo", "bar")])));
    }
}
