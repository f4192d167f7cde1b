//! The incumbent's flags (`cmd/controller/main.go`, `bindControllerFlags`), with their names,
//! defaults, environment variables and Go's syntax.

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use clap::{ArgAction, Args, ValueEnum};
use keys::KeySize;
use kit::Namespaces;

use crate::{
    go,
    keyring::{Design, Order, Renewal},
};

/// The default of `--key-renew-period`. `--rotate-period` is the same flag under its older name, and
/// with the incumbent it has a variable of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "a flag of clap has one variable, and this one has two"
)]
fn renew_period() -> &'static str {
    static DEFAULT: LazyLock<String> = LazyLock::new(|| {
        let older = std::env::var("SEALED_SECRETS_ROTATE_PERIOD");
        older.unwrap_or_else(|_absent| "720h".to_owned())
    });
    DEFAULT.as_str()
}

/// Flags of the sealing part.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(next_help_heading = "Sealing", args_override_self = true)]
pub struct Arguments {
    /// Prefix of the names of key Secrets.
    #[arg(
        long, env = "SEALED_SECRETS_KEY_PREFIX", default_value = "sealed-secrets-key",
        value_parser = key_prefix
    )]
    key_prefix: String,

    /// Size of new keys in bits: 2048, 3072, 4096 or 8192.
    #[arg(
        long, env = "SEALED_SECRETS_KEY_SIZE", default_value = "4096", value_parser = key_size
    )]
    key_size: KeySize,

    /// How long the certificates of new keys are valid.
    #[arg(
        long, env = "SEALED_SECRETS_KEY_TTL", default_value = "87600h", value_parser = go::duration
    )]
    key_ttl: Duration,

    /// Common name of issuer and subject in the certificates of new keys.
    #[arg(long, env = "SEALED_SECRETS_MY_CN", default_value = "")]
    my_cn: String,

    /// A new key is made when the newest is older than this; 0 means never by itself.
    #[arg(
        long, env = "SEALED_SECRETS_KEY_RENEW_PERIOD", default_value = renew_period(),
        alias = "rotate-period", value_parser = go::duration
    )]
    key_renew_period: Duration,

    /// What orders the keys.
    #[arg(
        long,
        env = "SEALED_SECRETS_KEY_ORDER_PRIORITY",
        default_value = "CertNotBefore",
        ignore_case = true
    )]
    key_order_priority: KeyOrder,

    /// A new key is made when the newest is from before this time (as `date -R` prints it).
    #[arg(
        long, env = "SEALED_SECRETS_KEY_CUTOFF_TIME", default_value = "",
        value_parser = cutoff, value_name = "TIME"
    )]
    key_cutoff_time: Cutoff,

    /// Annotations of new key Secrets: key=value,key=value.
    #[arg(
        long, env = "SEALED_SECRETS_PRIVATEKEY_ANNOTATIONS", default_value = "",
        value_parser = pairs, value_name = "PAIRS"
    )]
    privatekey_annotations: Pairs,

    /// Labels of new key Secrets: key=value,key=value.
    #[arg(
        long, env = "SEALED_SECRETS_PRIVATEKEY_LABELS", default_value = "",
        value_parser = pairs, value_name = "PAIRS"
    )]
    privatekey_labels: Pairs,

    /// Notice keys that come, change or go while running [default: true].
    #[arg(
        long, env = "SEALED_SECRETS_WATCH_FOR_SECRETS", default_value = "true",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    watch_for_secrets: bool,

    /// Open the deprecated format, a whole Secret in spec.data.
    #[arg(
        long, env = "SEALED_SECRETS_ACCEPT_DEPRECATED_V1_DATA", default_value = "true",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    accept_deprecated_v1_data: bool,

    /// Look at all namespaces, or only at the controller's own.
    #[arg(
        long, env = "SEALED_SECRETS_ALL_NAMESPACES", default_value = "true",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    all_namespaces: bool,

    /// Look at these namespaces and the controller's own, comma-separated.
    #[arg(long, env = "SEALED_SECRETS_ADDITIONAL_NAMESPACES", default_value = "")]
    additional_namespaces: String,

    /// Look only at SealedSecrets with these labels.
    #[arg(long, env = "SEALED_SECRETS_LABEL_SELECTOR", default_value = "")]
    label_selector: String,

    /// Requests for each second and caller to verify and rotate; 0 switches both off.
    #[arg(
        long, env = "SEALED_SECRETS_RATE_LIMIT", default_value = "2", value_parser = go::integer
    )]
    rate_limit: u32,

    /// Requests that may exceed the rate for a moment.
    #[arg(
        long, env = "SEALED_SECRETS_RATE_LIMIT_BURST", default_value = "2",
        value_parser = go::integer
    )]
    rate_limit_burst: u32,

    /// Delete Secrets ourselves instead of leaving that to the garbage collector.
    #[arg(
        long, env = "SEALED_SECRETS_OLD_GC_BEHAVIOR", default_value = "false",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    old_gc_behavior: bool,

    /// Write the status of SealedSecrets.
    #[arg(
        long, env = "SEALED_SECRETS_UPDATE_STATUS", default_value = "true",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    update_status: bool,

    /// Do not watch Secrets: one that is edited or deleted is not put right.
    #[arg(
        long, env = "SEALED_SECRETS_SKIP_RECREATE", default_value = "false",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    skip_recreate: bool,

    /// Give up writing a Secret after so many tries, until something changes [default: never].
    #[arg(long, env = "SEALED_SECRETS_MAX_UNSEAL_RETRIES", value_parser = go::integer)]
    max_unseal_retries: Option<u32>,

    /// Leave the names of SealedSecrets out of the metrics.
    #[arg(
        long, env = "SEALED_SECRETS_METRICS_OMIT_SECRET_LABELS", default_value = "false",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    metrics_omit_secret_labels: bool,

    /// Let sealed files make Secrets whose type mints credentials.
    #[arg(
        long, env = "SIGNET_ALLOW_PRIVILEGED_SECRET_TYPES", default_value = "false",
        num_args = 0..=1, require_equals = true, default_missing_value = "true",
        action = ArgAction::Set, value_parser = go::boolean
    )]
    allow_privileged_secret_types: bool,
}

/// `--key-order-priority`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeyOrder {
    #[value(name = "CertNotBefore")]
    CertNotBefore,
    #[value(name = "SecretCreationTimestamp")]
    SecretCreationTimestamp,
}

/// A moment that may be absent. A type of its own: an `Option` would mean an absent flag to clap.
#[derive(Debug, Clone, Copy, Default)]
struct Cutoff(Option<SystemTime>);

/// Labels or annotations.
#[derive(Debug, Clone, Default)]
struct Pairs(BTreeMap<String, String>);

/// What the flags mean, in this controller's own terms.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) design: Design,
    pub(crate) renewal: Renewal,
    pub(crate) order: Order,
    pub(crate) watch_keys: bool,
    pub(crate) accept_v1_data: bool,
    pub(crate) namespaces: Namespaces,
    pub(crate) label_selector: Option<String>,
    pub(crate) rate_limit: RateLimit,
    pub(crate) delete_secrets: bool,
    pub(crate) update_status: bool,
    pub(crate) watch_secrets: bool,
    pub(crate) most_retries: Option<u32>,
    pub(crate) omit_secret_labels: bool,
    pub(crate) allow_privileged_types: bool,
}

/// How many requests one caller may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimit {
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

impl Arguments {
    /// Every flag is taken apart here, so that none is forgotten.
    pub(crate) fn settings(self, own_namespace: &str) -> Settings {
        let namespaces = namespaces(
            self.all_namespaces,
            &self.additional_namespaces,
            own_namespace,
        );
        Settings {
            design: Design {
                prefix: self.key_prefix,
                size: self.key_size,
                lifetime: self.key_ttl,
                common_name: self.my_cn,
                annotations: self.privatekey_annotations.0,
                labels: self.privatekey_labels.0,
            },
            renewal: Renewal {
                period: Some(self.key_renew_period).filter(|period| !period.is_zero()),
                cutoff: self.key_cutoff_time.0,
            },
            order: match self.key_order_priority {
                KeyOrder::CertNotBefore => Order::CertNotBefore,
                KeyOrder::SecretCreationTimestamp => Order::SecretCreationTimestamp,
            },
            watch_keys: self.watch_for_secrets,
            accept_v1_data: self.accept_deprecated_v1_data,
            namespaces,
            label_selector: Some(self.label_selector).filter(|selector| !selector.is_empty()),
            rate_limit: RateLimit {
                per_second: self.rate_limit,
                burst: self.rate_limit_burst,
            },
            delete_secrets: self.old_gc_behavior,
            update_status: self.update_status,
            watch_secrets: !self.skip_recreate,
            most_retries: self.max_unseal_retries,
            omit_secret_labels: self.metrics_omit_secret_labels,
            allow_privileged_types: self.allow_privileged_secret_types,
        }
    }
}

/// A list of additional namespaces means these and our own (`pkg/controller/main.go`, `Main`).
fn namespaces(all: bool, additional: &str, own: &str) -> Namespaces {
    let mut names: Vec<String> = additional
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if all && names.is_empty() {
        return Namespaces::All;
    }
    names.push(own.to_owned());
    names.sort();
    names.dedup();
    Namespaces::Only(names)
}

/// As the incumbent's `validateKeyPrefix` (`pkg/controller/funcs.go`): letters of a name, and room
/// for what follows.
fn key_prefix(text: &str) -> Result<String, String> {
    const LONGEST: usize = 245;
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.len() > LONGEST {
        return Err(format!(
            "name is too long, must be shorter than {LONGEST}, got {}",
            text.len()
        ));
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(illegal) => Err(format!("name contains illegal character {illegal}")),
        None => Ok(text.to_owned()),
    }
}

fn key_size(text: &str) -> Result<KeySize, String> {
    let bits = go::integer(text)?;
    let size = usize::try_from(bits).ok().and_then(KeySize::from_bits);
    size.ok_or_else(|| "keys have 2048, 3072, 4096 or 8192 bits".to_owned())
}

fn cutoff(text: &str) -> Result<Cutoff, String> {
    go::moment(text).map(Cutoff)
}

fn pairs(text: &str) -> Result<Pairs, String> {
    go::pairs(text).map(Pairs)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn settings(line: &[&str]) -> Result<Settings, clap::Error> {
        let line = std::iter::once(&"controller").chain(line);
        Ok(Line::try_parse_from(line)?.arguments.settings("own"))
    }

    #[test]
    fn the_defaults_are_those_of_the_incumbent_but_for_the_promises() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.design.prefix, "sealed-secrets-key");
        assert_eq!(settings.design.size, KeySize::Bits4096);
        assert_eq!(
            settings.design.lifetime,
            Duration::from_secs(87_600 * 3_600)
        );
        assert_eq!(
            settings.renewal.period,
            Some(Duration::from_secs(720 * 3_600))
        );
        assert_eq!(settings.order, Order::CertNotBefore);
        assert_eq!(settings.namespaces, Namespaces::All);
        assert_eq!(
            settings.rate_limit,
            RateLimit {
                per_second: 2,
                burst: 2
            }
        );
        assert!(settings.accept_v1_data && settings.update_status && settings.watch_secrets);
        assert!(!settings.delete_secrets && !settings.omit_secret_labels);
        assert!(settings.watch_keys, "the incumbent's default is false");
        assert_eq!(settings.most_retries, None, "the incumbent's default is 5");
    }

    #[test]
    fn the_arguments_of_the_incumbents_chart_are_understood() {
        let settings = settings(&[
            "--update-status",
            "--skip-recreate",
            "--key-renew-period",
            "720h30m",
            "--key-ttl",
            "8760h00m00s",
            "--key-cutoff-time",
            "Mon, 02 Jan 2006 15:04:05 -0700",
            "--rate-limit",
            "7",
            "--key-prefix",
            "my-key",
            "--additional-namespaces",
            "b,a",
            "--privatekey-labels",
            "backup=yes,team=x,",
            "--max-unseal-retries",
            "5",
            "--watch-for-secrets=false",
        ])
        .unwrap();
        assert!(!settings.watch_secrets && !settings.watch_keys);
        assert_eq!(settings.design.prefix, "my-key");
        assert!(settings.renewal.cutoff.is_some());
        assert_eq!(
            settings.namespaces,
            Namespaces::Only(vec!["a".into(), "b".into(), "own".into()])
        );
        assert_eq!(settings.design.labels.len(), 2);
        assert_eq!(settings.most_retries, Some(5));
    }

    #[test]
    fn zero_switches_the_renewal_off_and_the_last_of_two_flags_wins() {
        let settings = settings(&["--rotate-period=1h", "--key-renew-period", "0"]).unwrap();
        assert_eq!(settings.renewal.period, None);
    }

    #[test]
    fn a_wrong_value_is_refused() {
        for line in [
            ["--key-size=1024"],
            ["--key-prefix=My_Key"],
            ["--update-status=maybe"],
            ["--key-cutoff-time=yesterday"],
        ] {
            assert!(settings(&line).is_err(), "{}", line[0]);
        }
    }
}
