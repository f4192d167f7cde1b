//! Why a SealedSecret has not become a Secret.

use std::fmt;

use crds::sealed_secret as api;
use keys::Scope;
use kit::{
    reconcile::{Failure, Retry},
    target::WriteError,
};

/// What stands between a SealedSecret and its Secret. The texts name object, field and cause, and
/// hold nothing of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// Both formats at once, in the incumbent's words (`sealedsecret_expansion.go`, `Unseal`).
    #[error(
        "cannot use the field 'encryptedData' and the deprecated field 'data' at the same time"
    )]
    BothFormats,
    /// The deprecated format while it is switched off, in the incumbent's words.
    #[error("using deprecated 'data' field, use 'encryptedData' or flip the feature flag")]
    DeprecatedFormat,
    /// What `spec.data` holds, once opened, is no Secret.
    #[error("the deprecated field 'data' does not hold a Secret in JSON")]
    NotASecret,
    /// The API server would not let us read the SealedSecret.
    #[error("cannot read the SealedSecret: {0}")]
    Fetch(String),
    /// The template asks for the label that makes a Secret a sealing key.
    #[error(
        "spec.template.metadata.labels: {} is refused, for it would make the Secret a sealing key",
        api::SEALING_KEY
    )]
    KeyLabel,
    /// The Secret of this name is, or would become, a sealing key of the controller.
    #[error(
        "the Secret \"{0}\" in this namespace is a sealing key of the controller and is never written to"
    )]
    KeySecret(String),
    /// Some items are malformed or do not open.
    #[error("{}", Listed(.0))]
    Items(Vec<ItemProblem>),
    /// Opening was cut short by an error of ours.
    #[error(
        "opening the items was cut short; it is tried again (if this stays, report it as a bug, with the log)"
    )]
    Interrupted,
    /// A Secret of this name belongs to somebody else. The incumbent's words (`controller.go`,
    /// `unseal`).
    #[error("failed update: Resource \"{0}\" already exists and is not managed by SealedSecret")]
    NotOurs(String),
    /// The Secret is immutable and would have to change. The incumbent's words (`controller.go`,
    /// `formatImmutableError`).
    #[error(
        "Error updating {0}: the target Secret is immutable. Once a Secret is marked as immutable, it is not possible to revert this change nor to mutate the contents of the data field. You can only delete and recreate the Secret."
    )]
    Immutable(String),
    /// The Secret's type would have to change, which the API server does not allow.
    #[error(
        "spec.template.type: the Secret is there with type {present} and cannot become {wanted}; delete the Secret to let it be made anew"
    )]
    OtherType {
        /// What the Secret in the cluster has.
        present: String,
        /// What the template asks for.
        wanted: String,
    },
    /// A type with which a Secret mints credentials.
    #[error(
        "spec.template.type: {0} is refused, for a sealed file could mint credentials with it (--allow-privileged-secret-types allows it)"
    )]
    PrivilegedType(String),
    /// A template is wrong.
    #[error("spec.template.data: \"{key}\": {message}")]
    Template {
        /// The item that the template makes.
        key: String,
        /// What is wrong with it.
        message: String,
        /// Whether it might end well at another time: it took too long, say.
        may_pass: bool,
    },
    /// The API server did not take the Secret.
    #[error("cannot write the Secret: {0}")]
    Write(#[from] WriteError),
    /// The API server did not take the status.
    #[error("cannot write the status: {0}")]
    Status(String),
}

/// An item that cannot be opened, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("item \"{name}\": {why}")]
pub(crate) struct ItemProblem {
    pub(crate) name: String,
    pub(crate) why: WhyNot,
}

/// Why one item cannot be opened, as far as can be known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WhyNot {
    /// It is not even in the form of an item, or no key has its size.
    #[error(transparent)]
    Malformed(keys::OpenError),
    /// It opens, but not where it is.
    #[error("no key could decrypt secret: it is sealed with scope {sealed} and the SealedSecret says {said}; {}", remedy(*.sealed))]
    OtherScope {
        /// The scope that it opens with.
        sealed: Scope,
        /// The scope that the annotations of the SealedSecret name.
        said: Scope,
    },
    /// Its record names a key that is not here.
    #[error(
        "no key could decrypt secret: its record says that it is sealed for the key {0}, which this cluster does not have"
    )]
    OtherKey(String),
    /// Its record was written for another place.
    #[error(
        "no key could decrypt secret: its record says that it is sealed for another name, namespace or scope"
    )]
    OtherPlace,
    /// Nothing more is known.
    #[error(
        "no key could decrypt secret: it is sealed for another name, namespace or cluster, or damaged"
    )]
    Unknown,
}

fn remedy(sealed: Scope) -> String {
    match sealed {
        Scope::Strict => "remove the scope annotations".to_owned(),
        Scope::NamespaceWide => format!("set the annotation {}: \"true\"", api::NAMESPACE_WIDE),
        Scope::ClusterWide => format!("set the annotation {}: \"true\"", api::CLUSTER_WIDE),
    }
}

/// How many items one message names. The rest is counted: a condition is read by people.
const NAMED_ITEMS: usize = 5;

struct Listed<'a>(&'a [ItemProblem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().take(NAMED_ITEMS).enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(formatter, "{separator}{problem}")?;
        }
        match self.0.len().checked_sub(NAMED_ITEMS) {
            None | Some(0) => Ok(()),
            Some(more) => write!(formatter, "; and {more} more"),
        }
    }
}

impl Problem {
    /// One CamelCase word for conditions and metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::BothFormats | Self::NotASecret => "Malformed",
            Self::DeprecatedFormat => "DeprecatedFormat",
            Self::Fetch(_) => "FetchFailed",
            Self::KeyLabel | Self::KeySecret(_) => "SealingKey",
            Self::Interrupted => "Interrupted",
            Self::Items(items) => items.first().map_or("Malformed", |item| item.why.reason()),
            Self::NotOurs(_) => "NotManaged",
            Self::Immutable(_) | Self::Write(WriteError::Immutable) => "Immutable",
            Self::OtherType { .. } => "OtherType",
            Self::PrivilegedType(_) => "PrivilegedType",
            Self::Template { .. } => "TemplateFailed",
            Self::Write(error) => error.reason(),
            Self::Status(_) => "StatusFailed",
        }
    }

    /// The reason of the Event, one of the incumbent's two (`controller.go`).
    pub(crate) fn event_reason(&self) -> &'static str {
        match self.counted_as() {
            Counted::Update | Counted::Unmanaged => api::REASON_UPDATE_FAILED,
            _ => api::REASON_UNSEAL_FAILED,
        }
    }

    /// The text of the Event. The incumbent puts a few words before what did not unseal.
    pub(crate) fn event_message(&self) -> String {
        match self {
            Self::NotOurs(_) => self.to_string().replacen("failed update: ", "", 1),
            _ if self.event_reason() == api::REASON_UNSEAL_FAILED => {
                format!("Failed to unseal: {self}")
            }
            _ => self.to_string(),
        }
    }

    /// Which of the incumbent's error counters it belongs to (`metrics.go`, `unsealErrorsTotal`).
    pub(crate) fn counted_as(&self) -> Counted {
        match self {
            Self::Fetch(_) => Counted::Fetch,
            Self::Status(_) => Counted::Status,
            Self::NotOurs(_) => Counted::Unmanaged,
            Self::Immutable(_) | Self::OtherType { .. } | Self::Write(_) | Self::KeySecret(_) => {
                Counted::Update
            }
            _ => Counted::Unseal,
        }
    }

    /// Whether another key could help.
    pub(crate) fn waits_for_a_key(&self) -> bool {
        match self {
            Self::Items(items) => items.iter().any(|item| !item.why.is_malformed()),
            _ => false,
        }
    }

    /// Whether the Secret in the cluster is what stands in the way.
    pub(crate) fn waits_for_the_secret(&self) -> bool {
        matches!(
            self,
            Self::NotOurs(_) | Self::Immutable(_) | Self::OtherType { .. } | Self::KeySecret(_)
        )
    }

    /// Whether the same attempt would end the same way as long as its inputs are the same.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Fetch(_) | Self::Write(_) | Self::Status(_) | Self::Interrupted => false,
            Self::Template { may_pass, .. } => !may_pass,
            _ => true,
        }
    }
}

impl WhyNot {
    /// Whether no key whatsoever could open it.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::Malformed(
                keys::OpenError::NotBase64(_)
                    | keys::OpenError::TooShort
                    | keys::OpenError::TooLong
            )
        )
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) if self.is_malformed() => "Malformed",
            Self::OtherScope { .. } => "OtherScope",
            Self::OtherPlace => "OtherPlace",
            Self::Malformed(_) | Self::OtherKey(_) | Self::Unknown => "NoKey",
        }
    }
}

/// The label `reason` of `unseal_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Fetch,
    Status,
    Unmanaged,
    Unseal,
    Update,
}

impl Counted {
    pub(crate) const ALL: [Self; 5] = [
        Self::Fetch,
        Self::Status,
        Self::Unmanaged,
        Self::Unseal,
        Self::Update,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Status => "status",
            Self::Unmanaged => "unmanaged",
            Self::Unseal => "unseal",
            Self::Update => "update",
        }
    }
}

/// A problem as the runner of reconciles sees it: with when to try again.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct Failed {
    pub(crate) problem: Problem,
    pub(crate) retry: Retry,
}

impl Failure for Failed {
    fn reason(&self) -> &'static str {
        self.problem.reason()
    }

    fn retry(&self) -> Retry {
        self.retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, why: WhyNot) -> ItemProblem {
        ItemProblem {
            name: name.into(),
            why,
        }
    }

    #[test]
    fn a_message_names_the_first_items_and_counts_the_others() {
        let items: Vec<_> = (0..7)
            .map(|n| item(&format!("k{n}"), WhyNot::Unknown))
            .collect();
        let text = Problem::Items(items).to_string();
        assert!(text.starts_with("item \"k0\": no key could decrypt secret"));
        assert!(text.contains("\"k4\"") && !text.contains("\"k5\""));
        assert!(text.ends_with("; and 2 more"));
    }

    #[test]
    fn a_wrong_scope_names_the_annotation_that_is_missing() {
        let why = WhyNot::OtherScope {
            sealed: Scope::NamespaceWide,
            said: Scope::Strict,
        };
        assert_eq!(
            item("a", why).to_string(),
            "item \"a\": no key could decrypt secret: it is sealed with scope namespace-wide and the \
             SealedSecret says strict; set the annotation \
             sealedsecrets.bitnami.com/namespace-wide: \"true\""
        );
    }

    #[test]
    fn events_have_the_words_of_the_incumbent() {
        let foreign = Problem::NotOurs("x".into());
        assert_eq!(foreign.event_reason(), "ErrUpdateFailed");
        assert_eq!(
            foreign.event_message(),
            "Resource \"x\" already exists and is not managed by SealedSecret"
        );
        let unopened = Problem::Items(vec![item("a", WhyNot::Unknown)]);
        assert_eq!(unopened.event_reason(), "ErrUnsealFailed");
        assert!(
            unopened
                .event_message()
                .starts_with("Failed to unseal: item \"a\"")
        );
        let immutable = Problem::Immutable("ns/x".into());
        assert_eq!(immutable.event_reason(), "ErrUpdateFailed");
        assert!(
            immutable
                .event_message()
                .contains("the target Secret is immutable")
        );
    }

    #[test]
    fn only_what_a_key_could_open_waits_for_one() {
        let short = item("a", WhyNot::Malformed(keys::OpenError::TooShort));
        let size = item(
            "b",
            WhyNot::Malformed(keys::OpenError::NoKeyOfThisSize { bits: 1024 }),
        );
        assert!(!Problem::Items(vec![short.clone()]).waits_for_a_key());
        assert!(Problem::Items(vec![short, size]).waits_for_a_key());
    }
}
