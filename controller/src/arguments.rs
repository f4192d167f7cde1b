//! What the command line and the environment say.
//!
//! The incumbent's flags keep their names, their defaults and Go's syntax, so that its Helm chart
//! and manifests start us; what is ours is listed in design.md section 4.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Parser};

/// One small controller: opens SealedSecrets, keeps Secrets in step with AWS Secrets Manager, and
/// pulls and applies the rest of the repository.
#[derive(Debug, Parser)]
#[command(name = "controller", disable_version_flag = true)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Print the version and exit.
    #[arg(long, action = clap::ArgAction::SetTrue)]
    pub(crate) version: bool,

    /// Use this kubeconfig instead of the pod's own identity.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The namespace of the controller itself [default: the pod's, else the kubeconfig's].
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", hide = true)]
    pub(crate) own_namespace: Option<String>,

    /// What this process does, comma-separated.
    #[arg(
        long,
        value_name = "PARTS",
        default_value = "sealed,external,delivery",
        env = "SIGNET_PARTS"
    )]
    pub(crate) parts: Parts,

    #[command(flatten)]
    pub(crate) logging: Logging,

    #[command(flatten)]
    pub(crate) serving: Serving,

    #[command(flatten)]
    pub(crate) sealed: sealed::Arguments,

    #[command(flatten)]
    pub(crate) external: external::Arguments,

    #[command(flatten)]
    pub(crate) delivery: delivery::Arguments,
}

/// How the process logs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// The least level to log: error, warn, info or debug; filters such as `info,kube=debug` work too.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "SEALED_SECRETS_LOG_LEVEL"
    )]
    pub(crate) log_level: String,

    /// `text` or `json`.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        env = "SEALED_SECRETS_LOG_FORMAT"
    )]
    pub(crate) log_format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Where the process listens.
#[derive(Debug, Args)]
#[command(next_help_heading = "Serving")]
pub(crate) struct Serving {
    /// Health and certificate.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = ":8080",
        env = "SEALED_SECRETS_LISTEN_ADDR"
    )]
    pub(crate) listen_addr: ListenAddress,

    /// Metrics.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = ":8081",
        env = "SEALED_SECRETS_LISTEN_METRICS_ADDR"
    )]
    pub(crate) listen_metrics_addr: ListenAddress,
}

/// An address to listen on, in Go's form: the host may be missing, which means all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let full = match text.strip_prefix(':') {
            Some(port) => format!("0.0.0.0:{port}"),
            None => text.replacen("localhost:", "127.0.0.1:", 1),
        };
        full.parse()
            .map(Self)
            .map_err(|_| format!("{text} is not HOST:PORT or :PORT"))
    }
}

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// GitRepository and Kustomization.
    Delivery,
    /// ExternalSecret and its stores.
    External,
    /// SealedSecret.
    Sealed,
}

impl Part {
    const ALL: [Self; 3] = [Self::Sealed, Self::External, Self::Delivery];

    /// The name in `--parts`, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::External => "external",
            Self::Sealed => "sealed",
        }
    }
}

/// The parts that this process does; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts(BTreeSet<Part>);

impl Parts {
    pub(crate) fn contains(&self, part: Part) -> bool {
        self.0.contains(&part)
    }

    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|part| part.name()).collect();
        names.join(",")
    }
}

impl FromStr for Parts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = BTreeSet::new();
        for name in text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let part = Part::ALL.into_iter().find(|part| part.name() == name);
            parts.insert(part.ok_or_else(|| {
                let known: Vec<&str> = Part::ALL.iter().map(|part| part.name()).collect();
                format!(
                    "there is no part {name}; the parts are {}",
                    known.join(", ")
                )
            })?);
        }
        if parts.is_empty() {
            return Err("name at least one part".to_owned());
        }
        Ok(Self(parts))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for (text, expected) in [
            (":8080", Some("0.0.0.0:8080")),
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("localhost:81", Some("127.0.0.1:81")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("8080", None),
            ("", None),
        ] {
            let address = text
                .parse::<ListenAddress>()
                .ok()
                .map(|address| address.0.to_string());
            assert_eq!(address.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn parts_are_named_and_a_wrong_name_lists_the_right_ones() {
        let parts: Parts = "sealed, delivery".parse().unwrap();
        assert_eq!(parts.names(), "delivery,sealed");
        assert!(!parts.contains(Part::External));
        assert!("".parse::<Parts>().is_err());
        let error = "seald".parse::<Parts>().unwrap_err();
        assert!(
            error.contains("seald") && error.contains("sealed, external, delivery"),
            "{error}"
        );
    }
}
