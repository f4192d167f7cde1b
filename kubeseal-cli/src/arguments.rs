//! The command line and the environment as one set of settings.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use keys::Scope;

use crate::error::Failure;
use crate::flags::{FLAGS, Flag, Kind, go_bool};
use crate::tasks::{self, Task};

/// The process's environment, read once. Modules take what they need from here, so that tests need
/// not touch the real one.
#[derive(Default)]
pub(crate) struct Environment(HashMap<String, String>);

impl Environment {
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The variable, if it is set, even to the empty text.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variable, if it is set to something.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

/// What the user asked for. One field for each flag that has an effect.
pub(crate) struct Settings {
    pub(crate) environment: Environment,
    pub(crate) task: Task,
    pub(crate) version: bool,
    pub(crate) input: Option<PathBuf>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) format: String,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    pub(crate) allow_empty_data: bool,
    pub(crate) record: bool,
    pub(crate) certificate: String,
    /// Empty where nobody says it.
    pub(crate) controller_name: String,
    /// Empty where nobody says it.
    pub(crate) controller_namespace: String,
    pub(crate) fetch_certificate: bool,
    pub(crate) raw: bool,
    pub(crate) from_file: Vec<String>,
    pub(crate) merge_into: Option<PathBuf>,
    pub(crate) validate: bool,
    pub(crate) re_encrypt: bool,
    pub(crate) recovery_unseal: bool,
    pub(crate) recovery_private_keys: Vec<String>,
    pub(crate) connection: Connection,
}

/// How the cluster is reached: kubectl's flags.
pub(crate) struct Connection {
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) context: String,
    pub(crate) cluster: String,
    pub(crate) user: String,
    pub(crate) namespace: String,
    pub(crate) server: String,
    pub(crate) token: String,
    pub(crate) impersonate: String,
    pub(crate) impersonate_uid: String,
    pub(crate) impersonate_groups: Vec<String>,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) certificate_authority: String,
    pub(crate) client_certificate: String,
    pub(crate) client_key: String,
    pub(crate) insecure_skip_tls_verify: bool,
    pub(crate) tls_server_name: String,
    pub(crate) proxy_url: String,
    pub(crate) disable_compression: bool,
    pub(crate) request_timeout: String,
}

/// What the command line leads to.
pub(crate) enum Request {
    Work(Box<Settings>),
    /// A text that answers it all: help.
    Answer(String),
}

/// Reads the command line; what it does not say, the environment may, and then the defaults.
pub(crate) fn read(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
) -> Result<Request, Failure> {
    match command().try_get_matches_from(arguments) {
        Ok(matches) => Ok(Request::Work(Box::new(settings(&matches, environment)?))),
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
            Ok(Request::Answer(error.render().to_string()))
        }
        Err(error) => Err(Failure::Usage(usage_text(&error))),
    }
}

/// The command with all its flags.
pub(crate) fn command() -> Command {
    Command::new("kubeseal")
        .about("Seals Secrets so that they can live in Git")
        .override_usage(
            "kubeseal [OPTIONS] [FILE] < secret.yaml > sealed.yaml\n       kubeseal COMMAND ...",
        )
        .disable_version_flag(true)
        .arg(
            Arg::new("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Secret to seal, as --secret-file"),
        )
        .arg(
            Arg::new("version")
                .long("version")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("BOOL")
                .value_parser(go_bool)
                .help("Print the version and stop"),
        )
        .args(FLAGS.iter().map(Flag::to_argument))
        .subcommands(tasks::commands())
        .disable_help_subcommand(true)
}

/// pflag's texts for what scripts meet most.
fn usage_text(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ErrorKind};
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let flag = context(ContextKind::InvalidArg);
            let suggestion = context(ContextKind::SuggestedArg);
            let hint = if suggestion.is_empty() {
                "see kubeseal --help".to_owned()
            } else {
                format!("did you mean {suggestion}?")
            };
            if flag.starts_with('-') {
                format!("unknown flag: {flag} ({hint})")
            } else {
                format!("only one input file can be given, and there is also {flag}")
            }
        }
        ErrorKind::InvalidValue if context(ContextKind::InvalidValue).is_empty() => {
            let flag = context(ContextKind::InvalidArg);
            format!(
                "flag needs an argument: {}",
                flag.split([' ', '=']).next().unwrap_or(&flag)
            )
        }
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}

fn settings(matches: &ArgMatches, environment: Environment) -> Result<Settings, Failure> {
    let (task, matches) = match matches.subcommand() {
        Some((name, matches)) => (Task::of(name, matches), matches),
        None => (Task::Classic, matches),
    };
    let values = Values {
        matches,
        environment: &environment,
    };
    let positional = matches
        .try_get_one::<PathBuf>("FILE")
        .ok()
        .flatten()
        .cloned();
    let named = values.path("secret-file");
    if positional.is_some() && named.is_some() {
        return Err(Failure::Usage(
            "give the input file once, not with -f as well".to_owned(),
        ));
    }
    Ok(Settings {
        task,
        version: matches.try_get_one::<bool>("version").ok().flatten() == Some(&true),
        input: named.or(positional),
        output: values.path("sealed-secret-file"),
        format: values.text("format"),
        scope: values.scope()?,
        name: values.text("name"),
        allow_empty_data: values.switch("allow-empty-data"),
        record: !values.switch("no-record"),
        certificate: values.text("cert"),
        controller_name: values.said("controller-name"),
        controller_namespace: values.said("controller-namespace"),
        fetch_certificate: values.switch("fetch-cert"),
        raw: values.switch("raw"),
        from_file: values.list("from-file"),
        merge_into: values.path("merge-into"),
        validate: values.switch("validate"),
        re_encrypt: values.switch("re-encrypt") || values.switch("rotate"),
        recovery_unseal: values.switch("recovery-unseal"),
        recovery_private_keys: values.list("recovery-private-key"),
        connection: connection(&values),
        environment,
    })
}

fn connection(values: &Values<'_>) -> Connection {
    Connection {
        kubeconfig: values.path("kubeconfig"),
        context: values.text("context"),
        cluster: values.text("cluster"),
        user: values.text("user"),
        namespace: without_namespace_prefix(&values.text("namespace")).to_owned(),
        server: values.text("server"),
        token: values.text("token"),
        impersonate: values.text("as"),
        impersonate_uid: values.text("as-uid"),
        impersonate_groups: values.list("as-group"),
        username: values.text("username"),
        password: values.text("password"),
        certificate_authority: values.text("certificate-authority"),
        client_certificate: values.text("client-certificate"),
        client_key: values.text("client-key"),
        insecure_skip_tls_verify: values.switch("insecure-skip-tls-verify"),
        tls_server_name: values.text("tls-server-name"),
        proxy_url: values.text("proxy-url"),
        disable_compression: values.switch("disable-compression"),
        request_timeout: values.text("request-timeout"),
    }
}

/// `ns/shop` is the namespace `shop` (`RemoveNamespacesPrefix` in client-go).
fn without_namespace_prefix(text: &str) -> &str {
    let rest = |prefix: &str| {
        let (head, rest) = text.split_at_checked(prefix.len())?;
        (head.eq_ignore_ascii_case(prefix) && !rest.is_empty()).then_some(rest)
    };
    ["namespaces/", "namespace/", "ns/"]
        .into_iter()
        .find_map(rest)
        .unwrap_or(text)
}

/// Looks a flag up: command line, then environment, then default. A variable with a value that does
/// not fit is ignored, as in the incumbent (`pkg/pflagenv/flagenv.go`).
struct Values<'a> {
    matches: &'a ArgMatches,
    environment: &'a Environment,
}

impl Values<'_> {
    fn text(&self, name: &str) -> String {
        self.given(name)
            .or_else(|| self.variable(name))
            .map_or_else(
                || flag(name).map_or_else(String::new, |flag| flag.default.to_owned()),
                str::to_owned,
            )
    }

    /// The text without the default.
    fn said(&self, name: &str) -> String {
        self.given(name)
            .or_else(|| self.variable(name))
            .unwrap_or_default()
            .to_owned()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.text(name))
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    }

    fn switch(&self, name: &str) -> bool {
        if self.is_given(name) {
            return self.matches.try_get_one::<bool>(name).ok().flatten() == Some(&true);
        }
        self.variable(name)
            .and_then(|value| go_bool(value).ok())
            .unwrap_or_default()
    }

    /// The variable's texts, and after them the command line's: pflag adds to a list that was set.
    fn list(&self, name: &str) -> Vec<String> {
        let by_comma = flag(name).is_some_and(|flag| flag.kind == Kind::List);
        let given = self.matches.try_get_many::<String>(name).ok().flatten();
        let given = given.into_iter().flatten().map(String::as_str);
        self.variable(name)
            .into_iter()
            .chain(given)
            .flat_map(|text| {
                if by_comma {
                    split_csv(text)
                } else {
                    vec![text.to_owned()]
                }
            })
            .collect()
    }

    fn scope(&self) -> Result<Scope, Failure> {
        match self.given("scope") {
            Some(text) => text.parse().map_err(|error| {
                Failure::Usage(format!(
                    "invalid argument \"{text}\" for \"--scope\" flag: {error}"
                ))
            }),
            None => Ok(self
                .variable("scope")
                .and_then(|text| text.parse().ok())
                .unwrap_or_default()),
        }
    }

    fn given(&self, name: &str) -> Option<&str> {
        self.matches
            .try_get_one::<String>(name)
            .ok()
            .flatten()
            .map(String::as_str)
    }

    fn is_given(&self, name: &str) -> bool {
        self.matches.try_contains_id(name).is_ok()
            && self.matches.value_source(name) == Some(ValueSource::CommandLine)
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(&flag(name)?.variable()?)
    }
}

fn flag(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name == name)
}

/// One record of comma separated values, with double quotes around values that hold a comma
/// (`readAsCSV` in pflag). The empty text is no value.
fn split_csv(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut value = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    if text.is_empty() {
        return values;
    }
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                value.push('"');
            }
            '"' if quoted || value.is_empty() => quoted = !quoted,
            ',' if !quoted => values.push(std::mem::take(&mut value)),
            other => value.push(other),
        }
    }
    values.push(value);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment(variables.iter().map(owned).collect())
    }

    fn settings_of(arguments: &[&str], variables: &[(&str, &str)]) -> Settings {
        let arguments = std::iter::once("kubeseal").chain(arguments.iter().copied());
        match read(arguments.map(OsString::from), environment(variables)) {
            Ok(Request::Work(settings)) => *settings,
            Ok(Request::Answer(answer)) => panic!("{answer}"),
            Err(failure) => panic!("{failure}"),
        }
    }

    fn usage_of(arguments: &[&str]) -> String {
        let arguments = std::iter::once("kubeseal").chain(arguments.iter().copied());
        read(arguments.map(OsString::from), Environment::default())
            .err()
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_default() {
        let variables = [("SEALED_SECRETS_CONTROLLER_NAME", "from-environment")];
        assert_eq!(settings_of(&[], &[]).controller_name, "");
        assert_eq!(
            settings_of(&[], &variables).controller_name,
            "from-environment"
        );
        let given = ["--controller-name", "given"];
        assert_eq!(settings_of(&given, &variables).controller_name, "given");
        assert_eq!(
            settings_of(&[], &[("SEALED_SECRETS_FORMAT", "")]).format,
            ""
        );
    }

    #[test]
    fn a_variable_that_does_not_fit_is_ignored() {
        let variables = [
            ("SEALED_SECRETS_RAW", "maybe"),
            ("SEALED_SECRETS_SCOPE", "galaxy"),
        ];
        let settings = settings_of(&[], &variables);
        assert!(!settings.raw);
        assert_eq!(settings.scope, Scope::Strict);
        assert!(settings_of(&[], &[("SEALED_SECRETS_RAW", "1")]).raw);
    }

    #[test]
    fn flags_are_written_as_pflag_reads_them() {
        let settings = settings_of(
            &[
                "-oyaml",
                "-n=ns/shop",
                "--raw=false",
                "--name=a",
                "--name",
                "b",
                "-w",
                "x.yaml",
            ],
            &[],
        );
        assert_eq!(settings.format, "yaml");
        assert_eq!(settings.connection.namespace, "shop");
        assert!(!settings.raw);
        assert_eq!(settings.name, "b");
        assert_eq!(settings.output, Some(PathBuf::from("x.yaml")));
        assert!(settings_of(&["--raw", "--v=4", "-v", "4", "--logtostderr"], &[]).raw);
        assert_eq!(
            settings_of(&["in.yaml"], &[]).input,
            Some(PathBuf::from("in.yaml"))
        );
    }

    #[test]
    fn lists_are_split_at_commas_and_added_to_the_environments() {
        let settings = settings_of(
            &[
                "--from-file",
                "b,\"c,d\"",
                "--from-file=e",
                "--as-group",
                "x,y",
            ],
            &[("SEALED_SECRETS_FROM_FILE", "a")],
        );
        assert_eq!(settings.from_file, ["a", "b", "c,d", "e"]);
        assert_eq!(settings.connection.impersonate_groups, ["x,y"]);
    }

    #[test]
    fn a_wrong_command_line_is_answered_in_pflags_words() {
        assert!(
            usage_of(&["--contorller-name", "x"]).starts_with("unknown flag: --contorller-name")
        );
        assert!(usage_of(&["--cert"]).starts_with("flag needs an argument: --cert"));
        assert!(
            usage_of(&["--scope", "galaxy"])
                .starts_with("invalid argument \"galaxy\" for \"--scope\" flag: must be one of")
        );
        assert!(usage_of(&["-f", "a", "b"]).contains("once"));
    }

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }
}
