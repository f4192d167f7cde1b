//! What the command line and the environment say.
//!
//! The incumbent's flags keep their names, their defaults and Go's syntax, so that its Helm chart
//! and manifests start us; what is ours is listed in design.md section 4.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand};
use kit::pace::{DEFAULT_BURST, Pace};

/// One small controller: opens SealedSecrets, keeps Secrets in step with AWS Secrets Manager, and
/// pulls and applies the rest of the repository.
#[derive(Debug, Parser)]
#[command(name = "controller", disable_version_flag = true)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

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
    pub(crate) calls: Calls,

    #[command(flatten)]
    pub(crate) sealed: sealed::Arguments,

    #[command(flatten)]
    pub(crate) external: external::Arguments,

    #[command(flatten)]
    pub(crate) delivery: delivery::Arguments,
}

/// What to do instead of running.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Say what taking this cluster over from the incumbents would change, and write nothing.
    Adopt {
        /// There is no other way: a take-over is to stop theirs and to start ours.
        #[arg(long, required = true)]
        dry_run: bool,
    },
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

    /// Log warnings and errors to standard error and the rest to standard output; else all of it to
    /// standard error [default: true].
    #[arg(
        long, env = "SEALED_SECRETS_LOG_INFO_STDOUT", default_value = "true",
        hide_default_value = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = ArgAction::Set, value_parser = boolean
    )]
    pub(crate) log_info_stdout: bool,
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

    /// How long reading a request may take; 0 is no limit.
    #[arg(
        long, value_name = "DURATION", env = "SEALED_SECRETS_READ_TIMEOUT", default_value = "2m",
        value_parser = duration
    )]
    read_timeout: Duration,

    /// How long answering a request may take; 0 is no limit.
    #[arg(
        long, value_name = "DURATION", env = "SEALED_SECRETS_WRITE_TIMEOUT", default_value = "2m",
        value_parser = duration
    )]
    write_timeout: Duration,
}

impl Serving {
    /// How long a request may take: the tighter of the two limits, as our handlers read while they
    /// answer.
    pub(crate) fn longest(&self) -> Option<Duration> {
        [self.read_timeout, self.write_timeout]
            .into_iter()
            .filter(|limit| !limit.is_zero())
            .min()
    }
}

/// How often the API server is called.
#[derive(Debug, Args)]
#[command(next_help_heading = "API server")]
pub(crate) struct Calls {
    /// Calls a second; negative or 0 is no limit [default: no limit].
    #[arg(
        long,
        value_name = "NUMBER",
        env = "SEALED_SECRETS_KUBECLIENT_QPS",
        allow_negative_numbers = true
    )]
    kubeclient_qps: Option<f32>,

    /// Calls at once, where --kubeclient-qps sets a limit.
    #[arg(
        long, value_name = "COUNT", env = "SEALED_SECRETS_KUBECLIENT_BURST",
        default_value_t = DEFAULT_BURST
    )]
    kubeclient_burst: u32,
}

impl Calls {
    /// The limit, if one is set.
    pub(crate) fn pace(&self) -> Option<Pace> {
        Pace::new(self.kubeclient_qps?, self.kubeclient_burst)
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
    crds::duration::parse(text).map_err(|error| error.to_string())
}

/// An address to listen on, in Go's form: the host may be missing, which means all of them, of IPv6
/// and of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let full = match text.strip_prefix(':') {
            Some(port) => format!("[::]:{port}"),
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
    /// Workloads that ask to be restarted when a Secret changes. Only where it is asked for.
    Restart,
    /// SealedSecret.
    Sealed,
}

impl Part {
    const ALL: [Self; 4] = [Self::Sealed, Self::External, Self::Delivery, Self::Restart];

    /// The name in `--parts`, logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::External => "external",
            Self::Restart => "restart",
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
    fn the_limits_of_the_incumbent_are_honoured_where_they_are_set() {
        let parse = |line: &[&str]| {
            Arguments::try_parse_from(std::iter::once(&"controller").chain(line)).unwrap()
        };
        let standard = parse(&[]);
        assert_eq!(standard.calls.pace(), None);
        assert_eq!(standard.serving.longest(), Some(Duration::from_secs(120)));
        assert!(standard.logging.log_info_stdout);
        let set = parse(&[
            "--kubeclient-qps",
            "20",
            "--kubeclient-burst=30",
            "--read-timeout=0",
            "--write-timeout=1m30s",
            "--log-info-stdout=f",
        ]);
        assert_eq!(set.calls.pace(), Pace::new(20.0, 30));
        assert_eq!(set.serving.longest(), Some(Duration::from_secs(90)));
        assert!(!set.logging.log_info_stdout);
        assert_eq!(parse(&["--kubeclient-qps", "-1"]).calls.pace(), None);
    }

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for (text, expected) in [
            (":8080", Some("[::]:8080")),
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
            error.contains("seald") && error.contains("sealed, external, delivery, restart"),
            "{error}"
        );
    }
}
