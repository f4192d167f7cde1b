//! Every flag, in one table: the incumbent's own, kubectl's and klog's.
//!
//! `docs/compatibility/kubeseal.json` has a row for each of them; a test compares the two.

use clap::{Arg, ArgAction};

use Group::{Certificate, Cluster, Logging, Mode, Sealing};
use Kind::{List, Repeated, Switch, Text};

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// One text; the last one counts.
    Text,
    /// Many texts, separated by commas or given by repeating the flag.
    List,
    /// Many texts, given by repeating the flag only.
    Repeated,
}

/// Where a flag stands in the help text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// What is sealed, and where to.
    Sealing,
    /// Where the certificate comes from.
    Certificate,
    /// Other work than sealing.
    Mode,
    /// How the cluster is reached; kubectl's flags.
    Cluster,
    /// klog's flags, which are accepted and change nothing.
    Logging,
}

impl Group {
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Sealing => "Sealing",
            Self::Certificate => "Certificate",
            Self::Mode => "Other modes",
            Self::Cluster => "Cluster (as kubectl)",
            Self::Logging => "Logging (accepted, no effect)",
        }
    }
}

/// One flag.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) kind: Kind,
    pub(crate) group: Group,
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
}

impl Flag {
    /// The variable that sets it, `SEALED_SECRETS_` and the name in capitals, for all but klog's
    /// (`pkg/pflagenv/flagenv.go`, `bindClientFlags` in `cmd/kubeseal/main.go`).
    pub(crate) fn variable(&self) -> Option<String> {
        let name = || {
            format!(
                "SEALED_SECRETS_{}",
                self.name.to_uppercase().replace('-', "_")
            )
        };
        (self.group != Logging).then(name)
    }

    fn help_text(&self) -> String {
        match self.default {
            "" => self.help.to_owned(),
            default => format!("{} (default {default})", self.help),
        }
    }

    /// Whether the commands have it too, and not only the original's modes.
    fn is_global(&self) -> bool {
        match self.group {
            Certificate => self.name != "fetch-cert",
            Cluster | Logging => true,
            Sealing | Mode => matches!(self.name, "namespace" | "no-record"),
        }
    }

    /// The flag for the command line parser, with pflag's rules: the last one counts, and a switch
    /// takes a value only after an equals sign.
    pub(crate) fn to_argument(&self) -> Arg {
        let argument = Arg::new(self.name)
            .long(self.name)
            .help(self.help_text())
            .help_heading(self.group.heading())
            .allow_hyphen_values(true)
            .hide(self.group == Logging || self.help.is_empty());
        let argument = match self.kind {
            Switch => argument
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("BOOL")
                .value_parser(go_bool)
                .overrides_with(self.name),
            Text => argument.value_name("TEXT").overrides_with(self.name),
            List | Repeated => argument.action(ArgAction::Append).value_name("TEXT"),
        };
        let argument = argument.global(self.is_global());
        match self.short {
            Some(short) => argument.short(short),
            None => argument,
        }
    }
}

/// `strconv.ParseBool`.
pub(crate) fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

const fn flag(name: &'static str, kind: Kind, group: Group, help: &'static str) -> Flag {
    Flag {
        name,
        short: None,
        kind,
        group,
        default: "",
        help,
    }
}

impl Flag {
    const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }
}

/// All flags (`bindFlags` in `cmd/kubeseal/main.go`, `RecommendedConfigOverrideFlags` in client-go,
/// `InitFlags` in klog), and ours.
#[rustfmt::skip]
pub(crate) const FLAGS: &[Flag] = &[
    flag("secret-file", Text, Sealing, "Secret to seal, instead of standard input").short('f'),
    flag("sealed-secret-file", Text, Sealing, "Write here instead of to standard output; .yaml and .yml mean YAML").short('w'),
    flag("format", Text, Sealing, "Output format: json or yaml").short('o').default("json"),
    flag("scope", Text, Sealing, "strict, namespace-wide or cluster-wide; the Secret's annotations may say it too").default("strict"),
    flag("name", Text, Sealing, "Name to seal for (needed with --raw and the strict scope)"),
    flag("namespace", Text, Sealing, "Namespace to seal for").short('n'),
    flag("allow-empty-data", Switch, Sealing, "Allow a Secret without any value"),
    flag("no-record", Switch, Sealing, "Do not note in an annotation what each item was sealed with"),
    flag("cert", Text, Certificate, "Certificate to seal with: a file or a file, http or https URL"),
    flag("controller-name", Text, Certificate, "Name of the controller's Service").default("sealed-secrets-controller"),
    flag("controller-namespace", Text, Certificate, "Namespace of the controller").default("kube-system"),
    flag("fetch-cert", Switch, Certificate, "Print the certificate and stop"),
    flag("raw", Switch, Mode, "Seal one value from --from-file or standard input, and print only the result"),
    flag("from-file", List, Mode, "File with the value for --raw"),
    flag("merge-into", Text, Mode, "Seal, and put the items into this sealed file"),
    flag("validate", Switch, Mode, "Ask the controller whether it can open a sealed file"),
    flag("re-encrypt", Switch, Mode, "Let the controller seal a sealed file anew with its latest key"),
    flag("rotate", Switch, Mode, ""),
    flag("recovery-unseal", Switch, Mode, "Open a sealed file with --recovery-private-key, without a cluster"),
    flag("recovery-private-key", List, Mode, "Private key, or backup of the key Secrets, for --recovery-unseal"),
    flag("kubeconfig", Text, Cluster, "Path of the kubeconfig file"),
    flag("context", Text, Cluster, "Context of the kubeconfig"),
    flag("cluster", Text, Cluster, "Cluster of the kubeconfig"),
    flag("user", Text, Cluster, "User of the kubeconfig"),
    flag("server", Text, Cluster, "Address of the API server"),
    flag("token", Text, Cluster, "Bearer token"),
    flag("as", Text, Cluster, "User to impersonate"),
    flag("as-uid", Text, Cluster, "UID to impersonate"),
    flag("as-group", Repeated, Cluster, "Group to impersonate"),
    flag("username", Text, Cluster, "User name for basic authentication"),
    flag("password", Text, Cluster, "Password for basic authentication"),
    flag("certificate-authority", Text, Cluster, "File with the API server's authority"),
    flag("client-certificate", Text, Cluster, "Client certificate file"),
    flag("client-key", Text, Cluster, "Client key file"),
    flag("insecure-skip-tls-verify", Switch, Cluster, "Do not check the API server's certificate"),
    flag("tls-server-name", Text, Cluster, "Name to expect in the API server's certificate"),
    flag("proxy-url", Text, Cluster, "Proxy to reach the API server through"),
    flag("disable-compression", Switch, Cluster, "Ask for responses without compression"),
    flag("request-timeout", Text, Cluster, "How long one request may take, such as 10s").default("0"),
    flag("v", Text, Logging, "Log verbosity").short('v'),
    flag("vmodule", Text, Logging, "Log verbosity by file"),
    flag("logtostderr", Switch, Logging, "Log to standard error"),
    flag("alsologtostderr", Switch, Logging, "Log to standard error as well"),
    flag("alsologtostderrthreshold", Text, Logging, "Least severity for --alsologtostderr"),
    flag("legacy_stderr_threshold_behavior", Switch, Logging, "Ignore --stderrthreshold with --logtostderr"),
    flag("stderrthreshold", Text, Logging, "Least severity for standard error"),
    flag("log_dir", Text, Logging, "Directory of log files"),
    flag("log_file", Text, Logging, "Log file"),
    flag("log_file_max_size", Text, Logging, "Size of the log file"),
    flag("log_backtrace_at", Text, Logging, "Log a stack trace at file:N"),
    flag("add_dir_header", Switch, Logging, "Log the directory"),
    flag("skip_headers", Switch, Logging, "Log without headers"),
    flag("skip_log_headers", Switch, Logging, "Log files without headers"),
    flag("one_output", Switch, Logging, "Log to one severity only"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    /// The rows of the compatibility table, by flag.
    fn rows() -> BTreeMap<String, Value> {
        let text = include_str!("../../docs/compatibility/kubeseal.json");
        let rows: Vec<Value> = serde_json::from_str(text).unwrap();
        let count = rows.len();
        let rows: BTreeMap<String, Value> = rows
            .into_iter()
            .map(|row| (row["flag"].as_str().unwrap().to_owned(), row))
            .collect();
        assert_eq!(rows.len(), count, "a flag has two rows");
        rows
    }

    #[test]
    fn every_flag_has_a_row_and_every_row_a_flag() {
        let command = crate::arguments::command();
        let flags: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
        let rows = rows();
        for flag in &flags {
            assert!(
                rows.contains_key(*flag),
                "--{flag} is not in docs/compatibility/kubeseal.json"
            );
        }
        for flag in rows.keys().filter(|flag| *flag != "help") {
            assert!(
                flags.contains(&flag.as_str()),
                "--{flag} is in the table and not here"
            );
        }
    }

    #[test]
    fn the_table_tells_the_truth_about_each_flag() {
        for (name, row) in rows() {
            let verdict = row["verdict"].as_str().unwrap();
            let has_note = row["note"].as_str().is_some_and(|note| !note.is_empty());
            assert!(
                ["same", "better", "refused", "ours"].contains(&verdict),
                "{name}"
            );
            assert_eq!(
                has_note,
                verdict != "same",
                "--{name}: a note says how or why"
            );
            let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
                continue;
            };
            assert_eq!(
                row["short"].as_str(),
                flag.short.map(String::from).as_deref(),
                "{name}"
            );
            assert_eq!(
                row["variable"].as_str(),
                flag.variable().as_deref(),
                "{name}"
            );
            if flag.group != Logging {
                assert_eq!(
                    row["default"].as_str().unwrap_or_default(),
                    flag.default,
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn the_page_shows_the_rows() {
        let page = include_str!("../../docs/compatibility/kubeseal.md");
        for (name, row) in rows() {
            let short = row["short"].as_str().map(|short| format!(" `-{short}`"));
            let line = format!(
                "| `--{name}`{} | {} | {} |",
                short.unwrap_or_default(),
                row["verdict"].as_str().unwrap(),
                row["note"].as_str().unwrap_or_default()
            );
            assert!(page.lines().any(|present| present == line), "{line}");
        }
    }
}
