//! The incumbent's flags (`cmd/controller/root.go`), with their names and Go's syntax. Its defaults
//! hold but for `--concurrent`, whose 1 would make a thousand ExternalSecrets wait for each other.

use std::time::Duration;

use clap::{ArgAction, Args};
use kit::Namespaces;

use crate::{provider::aws::Endpoints, settings::Settings};

/// Flags of the part that reads secrets from elsewhere.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(next_help_heading = "External secrets", args_override_self = true)]
pub struct Arguments {
    /// Serve the stores of this class, and those of none.
    #[arg(long, value_name = "CLASS", default_value = "default")]
    controller_class: String,

    /// How many ExternalSecrets are worked on at the same time, in each of two lanes: what has
    /// changed, and what is due.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    concurrent: u16,

    /// Look at this namespace alone; all where it is empty.
    #[arg(long, value_name = "NAMESPACE", default_value = "")]
    namespace: String,

    /// How often a store that says nothing itself is validated.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    store_requeue_interval: Duration,

    /// Serve ClusterSecretStores [default: true].
    #[arg(
        long, default_value = "true", hide_default_value = true, num_args = 0..=1,
        require_equals = true, default_missing_value = "true", action = ArgAction::Set,
        value_parser = boolean
    )]
    enable_cluster_store_reconciler: bool,

    /// Serve ClusterExternalSecrets [default: true].
    #[arg(
        long, default_value = "true", hide_default_value = true, num_args = 0..=1,
        require_equals = true, default_missing_value = "true", action = ArgAction::Set,
        value_parser = boolean
    )]
    enable_cluster_external_secret_reconciler: bool,

    /// Do not read from a store before it was found to be usable [default: true].
    #[arg(
        long, default_value = "true", hide_default_value = true, num_args = 0..=1,
        require_equals = true, default_missing_value = "true", action = ArgAction::Set,
        value_parser = boolean
    )]
    enable_flood_gate: bool,

    /// What stands before an action of a template.
    #[arg(long, value_name = "TEXT", default_value = "{{")]
    template_left_delimiter: String,

    /// What stands after an action of a template.
    #[arg(long, value_name = "TEXT", default_value = "}}")]
    template_right_delimiter: String,

    /// Where Secrets Manager is, if not at its own address.
    #[arg(
        long,
        value_name = "URL",
        env = "AWS_SECRETSMANAGER_ENDPOINT",
        hide = true
    )]
    aws_secretsmanager_endpoint: Option<String>,

    /// Where STS is, if not at its own address.
    #[arg(long, value_name = "URL", env = "AWS_STS_ENDPOINT", hide = true)]
    aws_sts_endpoint: Option<String>,
}

impl Arguments {
    /// What the flags say. Whether Secrets may be made that mint tokens is said by a flag of the
    /// whole process (`--allow-privileged-secret-types`).
    #[must_use]
    pub fn settings(self, privileged_types: bool) -> Settings {
        let Self {
            controller_class,
            concurrent,
            namespace,
            store_requeue_interval,
            enable_cluster_store_reconciler,
            enable_cluster_external_secret_reconciler,
            enable_flood_gate,
            template_left_delimiter,
            template_right_delimiter,
            aws_secretsmanager_endpoint,
            aws_sts_endpoint,
        } = self;
        let some = |url: Option<String>| url.filter(|url| !url.is_empty());
        Settings {
            class: controller_class,
            namespaces: match namespace.as_str() {
                "" => Namespaces::All,
                _ => Namespaces::Only(vec![namespace]),
            },
            concurrency: concurrent,
            store_interval: store_requeue_interval,
            cluster_stores: enable_cluster_store_reconciler,
            cluster_external_secrets: enable_cluster_external_secret_reconciler,
            flood_gate: enable_flood_gate,
            privileged_types,
            delimiters: (template_left_delimiter, template_right_delimiter),
            endpoints: Endpoints {
                secrets_manager: some(aws_secretsmanager_endpoint),
                sts: some(aws_sts_endpoint),
            },
        }
    }
}

/// Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it is none of true, false, t, f, 1, 0".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let found = crds::duration::parse(text).map_err(|error| error.to_string())?;
    Ok(found.max(crds::duration::SHORTEST_INTERVAL))
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    fn parsed(arguments: &[&str]) -> Settings {
        let command = Arguments::augment_args(Command::new("controller"));
        let all = std::iter::once(&"controller").chain(arguments);
        let matches = command.try_get_matches_from(all).unwrap();
        Arguments::from_arg_matches(&matches)
            .unwrap()
            .settings(false)
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_settings() {
        assert_eq!(parsed(&[]), Settings::default());
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let settings = parsed(&[
            "--controller-class=mine",
            "--concurrent=20",
            "--namespace=shop",
            "--store-requeue-interval=90s",
            "--enable-flood-gate=F",
            "--enable-cluster-store-reconciler=0",
        ]);
        assert_eq!(
            (settings.class.as_str(), settings.concurrency),
            ("mine", 20)
        );
        assert_eq!(settings.namespaces, Namespaces::Only(vec!["shop".into()]));
        assert_eq!(settings.store_interval, Duration::from_secs(90));
        assert!(!settings.flood_gate && !settings.cluster_stores);
        assert!(parsed(&["--enable-flood-gate"]).flood_gate);
    }
}
