//! What a store says, checked and made into an identity. Pure.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crds::secret_store::{
    AwsProvider, AwsService, READY, SecretKeySelector, SecretStore, SecretStoreStatus,
    SessionTagsPolicy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use template::Expression;

use super::AnyStore;
use crate::{
    key::Key,
    provider::aws::{Assume, Retries},
};

/// Why a store cannot be used as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// No provider at all, or several.
    #[error("exactly one provider must be specified, found {0}")]
    Providers(String),
    /// A provider that is not ours to serve.
    #[error(
        "the provider {0} is not served; what is served is aws with the service SecretsManager"
    )]
    Provider(String),
    /// A service of AWS that is not ours to serve.
    #[error("the AWS service {0} is not served; what is served is SecretsManager")]
    Service(String),
    /// A field that is wrong by itself.
    #[error("{field}: {problem}")]
    Field {
        /// Where it is.
        field: &'static str,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

/// As whom a store asks, before any Secret or ServiceAccount is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What it begins with.
    pub(crate) base: WantedBase,
    /// The roles from there.
    pub(crate) roles: Vec<Assume>,
    /// Where.
    pub(crate) region: String,
    /// How requests are tried again.
    pub(crate) retries: Retries,
    /// Whether it depends on the namespace of the ExternalSecret.
    pub(crate) by_namespace: bool,
}

/// What an identity begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WantedBase {
    /// What is around the controller.
    Ambient,
    /// Keys in Secrets.
    Keys {
        /// The access key id.
        access_key_id: (Key, String),
        /// The secret access key.
        secret_access_key: (Key, String),
        /// The session token.
        session_token: Option<(Key, String)>,
    },
    /// A ServiceAccount.
    ServiceAccount {
        /// Which.
        account: Key,
        /// Whom its token is for, besides whom its annotation says.
        audiences: Vec<String>,
    },
}

/// Whether a store of this class is ours (`ShouldProcessStore`).
pub(crate) fn is_ours(store: &AnyStore, class: &str) -> bool {
    let asked = store.spec().controller.as_str();
    asked.is_empty() || asked == class
}

/// Whether the store was found to be usable.
pub(crate) fn is_ready(status: Option<&SecretStoreStatus>) -> bool {
    let conditions = status
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_ == READY && condition.status == "True")
}

/// Whether ExternalSecrets of a namespace with these labels may use the store: any one condition is
/// enough (client_manager.go, `shouldProcessSecret`).
pub(crate) fn admits(store: &AnyStore, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    let AnyStore::Cluster(_) = store else {
        return true;
    };
    let conditions = &store.spec().conditions;
    conditions.is_empty()
        || conditions.iter().any(|condition| {
            let by_label = condition.namespace_selector.as_ref();
            by_label.is_some_and(|selector| selects(selector, labels))
                || condition.namespaces.iter().any(|name| name == namespace)
                || condition.namespace_regexes.iter().any(|pattern| {
                    Expression::new(pattern).is_ok_and(|pattern| pattern.is_match(namespace))
                })
        })
}

fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    kube::core::Selector::try_from(selector.clone())
        .is_ok_and(|selector| kube::core::SelectorExt::matches(&selector, labels))
}

/// The AWS part of a store that can be used as it is written.
///
/// # Errors
/// [`StoreError`] for the first thing that is wrong.
pub(crate) fn checked(store: &AnyStore) -> Result<&AwsProvider, StoreError> {
    let spec = store.spec();
    let names: Vec<&str> = spec.provider.names().collect();
    let [name] = names.as_slice() else {
        let found = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return Err(StoreError::Providers(found));
    };
    let Some(aws) = &spec.provider.aws else {
        return Err(StoreError::Provider((*name).to_owned()));
    };
    if aws.service != AwsService::SecretsManager {
        return Err(StoreError::Service(aws.service.to_string()));
    }
    check_region(&aws.region)?;
    check_deletion(aws)?;
    for condition in &spec.conditions {
        for pattern in &condition.namespace_regexes {
            Expression::new(pattern).map_err(|problem| StoreError::Field {
                field: "spec.conditions.namespaceRegexes",
                problem: format!("{pattern} is not a regular expression: {problem}"),
            })?;
        }
    }
    spec.parse_refresh_interval()
        .map_err(|error| StoreError::Field {
            field: "spec.refreshInterval",
            problem: error.to_string(),
        })?;
    wanted(store, aws, Some("any"))?;
    Ok(aws)
}

/// A region is a part of a host name, so it may contain nothing that ends one.
fn check_region(region: &str) -> Result<(), StoreError> {
    let is_label = !region.is_empty()
        && region.len() <= 63
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    if is_label {
        return Ok(());
    }
    Err(StoreError::Field {
        field: "spec.provider.aws.region",
        problem: format!("region not found: {region}"),
    })
}

/// Not used for reading; checked because the incumbent checks it (util/secretsmanager.go,
/// `ValidateDeleteSecretInput`).
fn check_deletion(aws: &AwsProvider) -> Result<(), StoreError> {
    let Some(settings) = &aws.secrets_manager else {
        return Ok(());
    };
    let field = "spec.provider.aws.secretsManager";
    match settings.recovery_window_in_days {
        None | Some(0) => Ok(()),
        Some(_) if settings.force_delete_without_recovery => Err(StoreError::Field {
            field,
            problem: "forceDeleteWithoutRecovery and recoveryWindowInDays exclude each other"
                .to_owned(),
        }),
        Some(7..=30) => Ok(()),
        Some(_) => Err(StoreError::Field {
            field,
            problem: "recoveryWindowInDays must be between 7 and 30".to_owned(),
        }),
    }
}

/// As whom the store asks for an ExternalSecret of this namespace. `Ok(None)`: that depends on the
/// namespace, and none is given.
///
/// # Errors
/// [`StoreError`] for references that the store may not make.
pub(crate) fn wanted(
    store: &AnyStore,
    aws: &AwsProvider,
    namespace: Option<&str>,
) -> Result<Option<Wanted>, StoreError> {
    let mut by_namespace = false;
    let mut place = |field, asked: Option<&String>| {
        let found = namespace_of(store, field, asked, namespace)?;
        by_namespace |= asked.is_none() && store.namespace().is_none();
        Ok::<_, StoreError>(found)
    };
    let base = if let Some(jwt) = &aws.auth.jwt
        && let Some(account) = &jwt.service_account_ref
    {
        let found = place(
            "spec.provider.aws.auth.jwt.serviceAccountRef.namespace",
            account.namespace.as_ref(),
        )?;
        found.map(|namespace| WantedBase::ServiceAccount {
            account: Key::new(&namespace, &account.name),
            audiences: account.audiences.clone(),
        })
    } else if let Some(keys) = &aws.auth.secret_ref {
        let mut key = |selector: &SecretKeySelector| {
            let field = "spec.provider.aws.auth.secretRef.namespace";
            let found = place(field, selector.namespace.as_ref())?;
            Ok::<_, StoreError>(
                found.map(|ns| (Key::new(&ns, &selector.name), selector.key.clone())),
            )
        };
        let (id, secret) = (key(&keys.access_key_id)?, key(&keys.secret_access_key)?);
        let token = keys.session_token.as_ref().map(&mut key).transpose()?;
        match (id, secret, token) {
            (Some(access_key_id), Some(secret_access_key), token) if token != Some(None) => {
                let session_token = token.flatten();
                Some(WantedBase::Keys {
                    access_key_id,
                    secret_access_key,
                    session_token,
                })
            }
            _ => None,
        }
    } else {
        Some(WantedBase::Ambient)
    };
    let tagged = aws.session_tags_policy != SessionTagsPolicy::None && !aws.role.is_empty();
    let retries = retries(store)?;
    let (Some(base), false) = (
        base,
        tagged && namespace.is_none() && store.namespace().is_none(),
    ) else {
        return Ok(None);
    };
    let namespace = namespace.map(str::to_owned).or_else(|| store.namespace());
    Ok(Some(Wanted {
        base,
        roles: roles(store, aws, namespace.as_deref().unwrap_or_default()),
        region: aws.region.clone(),
        retries,
        by_namespace: by_namespace || tagged,
    }))
}

/// As whom a generator of this namespace asks: as a SecretStore there would.
///
/// # Errors
/// [`StoreError`] for references that it may not make, and for a region that is none.
pub(crate) fn wanted_by_generator(
    namespace: &str,
    aws: &AwsProvider,
) -> Result<Wanted, StoreError> {
    check_region(&aws.region)?;
    let mut store = SecretStore::default();
    store.metadata.namespace = Some(namespace.to_owned());
    let store = AnyStore::Namespaced(Arc::new(store));
    let wanted = wanted(&store, aws, Some(namespace))?;
    wanted.ok_or_else(|| StoreError::Field {
        field: "spec.auth",
        problem: "it has no credentials".to_owned(),
    })
}

/// The namespace of something that a store refers to. A SecretStore's is always its own: another one
/// is refused, so that nobody borrows credentials of another namespace
/// (`ValidateReferentSecretSelector`).
fn namespace_of(
    store: &AnyStore,
    field: &'static str,
    asked: Option<&String>,
    external_secret: Option<&str>,
) -> Result<Option<String>, StoreError> {
    match (store.namespace(), asked) {
        (Some(own), Some(asked)) if *asked != own => Err(StoreError::Field {
            field,
            problem: format!(
                "namespace should either be empty or match the namespace of the SecretStore for a \
                 namespaced SecretStore: it is {asked}"
            ),
        }),
        (Some(own), _) => Ok(Some(own)),
        (None, Some(asked)) => Ok(Some(asked.clone())),
        (None, None) => Ok(external_secret.map(str::to_owned)),
    }
}

fn roles(store: &AnyStore, aws: &AwsProvider, namespace: &str) -> Vec<Assume> {
    let first = aws.additional_roles.iter().map(|role| Assume {
        role: role.clone(),
        ..Assume::default()
    });
    let last = (!aws.role.is_empty()).then(|| Assume {
        role: aws.role.clone(),
        external_id: (!aws.external_id.is_empty()).then(|| aws.external_id.clone()),
        tags: session_tags(store, aws, namespace),
        transitive_tags: aws.transitive_tag_keys.clone(),
    });
    first.chain(last).collect()
}

/// `provider.go`, `buildSessionTags`: tags that say for whom replace those of the store.
fn session_tags(store: &AnyStore, aws: &AwsProvider, namespace: &str) -> BTreeMap<String, String> {
    let mut tags: BTreeMap<String, String> = match &aws.session_tags_policy {
        SessionTagsPolicy::Custom => {
            let custom = aws.custom_session_tags.iter();
            let usable = custom.filter(|(key, value)| !key.is_empty() && !value.is_empty());
            usable
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        }
        SessionTagsPolicy::Simple => BTreeMap::new(),
        SessionTagsPolicy::None | SessionTagsPolicy::Other(_) => {
            let tags = aws.session_tags.iter();
            return tags
                .map(|tag| (tag.key.clone(), tag.value.clone()))
                .collect();
        }
    };
    tags.insert("esoNamespace".to_owned(), namespace.to_owned());
    tags.insert("esoStoreName".to_owned(), store.name().to_owned());
    tags.insert("esoStoreKind".to_owned(), store.kind().to_owned());
    tags
}

/// `provider.go`, `newClient`: three attempts where only the wait is said.
fn retries(store: &AnyStore) -> Result<Retries, StoreError> {
    let Some(settings) = &store.spec().retry_settings else {
        return Ok(Retries::default());
    };
    let wait: Option<Duration> = settings
        .retry_interval
        .as_deref()
        .map(crds::duration::parse)
        .transpose()
        .map_err(|error| StoreError::Field {
            field: "spec.retrySettings.retryInterval",
            problem: error.to_string(),
        })?;
    let attempts = settings
        .max_retries
        .map_or(3, |attempts| u32::try_from(attempts).unwrap_or(1));
    Ok(Retries {
        attempts: Some(attempts),
        wait,
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
