//! The commands of the daily work, which the original does not have.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;

/// What is to be done.
pub(crate) enum Task {
    /// What the original does, as its flags say.
    Classic,
    Check {
        paths: Vec<PathBuf>,
        format: ReportFormat,
    },
    Completion(Shell),
    Diff {
        revision: Option<String>,
        paths: Vec<PathBuf>,
        markdown: bool,
    },
    Edit(Place),
    Inspect {
        file: PathBuf,
        json: bool,
    },
    Man(PathBuf),
    Remove {
        place: Place,
        items: Vec<String>,
    },
    Rename {
        place: Place,
        from: String,
        to: String,
    },
    Set {
        place: Place,
        item: String,
        source: Source,
    },
}

/// A sealed document in a file.
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    /// Which SealedSecret, where the file has more than one.
    pub(crate) name: Option<String>,
}

/// Where a new value comes from.
pub(crate) enum Source {
    /// A prompt, or standard input where that is no terminal.
    Ask,
    File(PathBuf),
    /// So many random letters and digits.
    Generate(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    Text,
    Json,
    Sarif,
}

/// The commands, in the order of a day.
pub(crate) fn commands() -> Vec<Command> {
    let file = || {
        Arg::new("file")
            .value_name("FILE")
            .required(true)
            .value_parser(value_parser!(PathBuf))
    };
    let item = |name: &'static str| Arg::new(name).required(true).value_name("KEY");
    let document = || {
        Arg::new("document")
            .long("name")
            .value_name("NAME")
            .help("Which SealedSecret, where the file has more than one")
    };
    vec![
        Command::new("set")
            .about("Seal one value into a file and leave every other byte as it is")
            .args([file(), item("item"), document()])
            .arg(
                Arg::new("value-file")
                    .long("from-file")
                    .value_name("PATH")
                    .value_parser(value_parser!(PathBuf))
                    .conflicts_with("generate")
                    .help("Take the value from a file, as it is"),
            )
            .arg(
                Arg::new("generate")
                    .long("generate")
                    .value_name("N")
                    .value_parser(value_parser!(u16).range(1..=4096))
                    .help("Make a value of N random letters and digits"),
            )
            .after_help(
                "Without --from-file and --generate the value is asked for, or read from standard \
                 input, of which one line end is taken off.",
            ),
        Command::new("rm").about("Take items out of a file").args([
            file(),
            item("items").num_args(1..),
            document(),
        ]),
        Command::new("rename")
            .about("Give an item another name; its value stays sealed as it is")
            .args([
                file(),
                item("from").value_name("OLD"),
                item("to").value_name("NEW"),
                document(),
            ]),
        Command::new("edit")
            .about("Change items in an editor; what is left blank stays as it is")
            .args([file(), document()]),
        Command::new("check")
            .about("Check sealed files without a cluster: structure, names, scopes, keys")
            .arg(
                Arg::new("paths")
                    .value_name("PATH")
                    .num_args(0..)
                    .value_parser(value_parser!(PathBuf))
                    .help("Files and directories (default: here)"),
            )
            .arg(format_argument(&["text", "json", "sarif"]))
            .after_help(
                "Exit codes: 0 nothing wrong, 1 could not check, 2 wrong usage, 3 findings.",
            ),
        Command::new("diff")
            .about("Tell what changed in sealed files since a Git revision, item by item")
            .arg(
                Arg::new("revision")
                    .value_name("REV")
                    .help("One revision, or two as A..B (default: HEAD)"),
            )
            .arg(
                Arg::new("paths")
                    .value_name("PATH")
                    .num_args(0..)
                    .last(true)
                    .value_parser(value_parser!(PathBuf)),
            )
            .arg(format_argument(&["text", "markdown"])),
        Command::new("inspect")
            .about("Tell what a sealed file holds, and what it is sealed to")
            .arg(file())
            .arg(format_argument(&["text", "json"])),
        Command::new("completion")
            .about("Print completions for a shell")
            .arg(
                Arg::new("shell")
                    .required(true)
                    .value_parser(value_parser!(Shell)),
            ),
        Command::new("man")
            .about("Write the man pages into a directory")
            .arg(
                Arg::new("directory")
                    .required(true)
                    .value_name("DIRECTORY")
                    .value_parser(value_parser!(PathBuf)),
            ),
    ]
}

fn format_argument(formats: &'static [&'static str]) -> Arg {
    Arg::new("report-format")
        .long("format")
        .short('o')
        .action(ArgAction::Set)
        .default_value(formats[0])
        .value_parser(PossibleValuesParser::new(formats))
        .help("How the result is written")
}

impl Task {
    /// Reads a command's own arguments. The parser has checked them, so what is missing cannot be.
    pub(crate) fn of(name: &str, matches: &ArgMatches) -> Self {
        let text = |id: &str| matches.get_one::<String>(id).cloned().unwrap_or_default();
        let path = |id: &str| matches.get_one::<PathBuf>(id).cloned();
        let paths = || {
            matches
                .get_many::<PathBuf>("paths")
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        };
        let place = || Place {
            file: path("file").unwrap_or_default(),
            name: matches.get_one::<String>("document").cloned(),
        };
        match name {
            "check" => Self::Check {
                paths: paths(),
                format: match text("report-format").as_str() {
                    "json" => ReportFormat::Json,
                    "sarif" => ReportFormat::Sarif,
                    _ => ReportFormat::Text,
                },
            },
            "completion" => {
                Self::Completion(matches.get_one("shell").copied().unwrap_or(Shell::Bash))
            }
            "diff" => Self::Diff {
                revision: matches.get_one::<String>("revision").cloned(),
                paths: paths(),
                markdown: text("report-format") == "markdown",
            },
            "edit" => Self::Edit(place()),
            "inspect" => Self::Inspect {
                file: path("file").unwrap_or_default(),
                json: text("report-format") == "json",
            },
            "man" => Self::Man(path("directory").unwrap_or_default()),
            "rename" => Self::Rename {
                place: place(),
                from: text("from"),
                to: text("to"),
            },
            "rm" => Self::Remove {
                place: place(),
                items: matches
                    .get_many::<String>("items")
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect(),
            },
            "set" => Self::Set {
                place: place(),
                item: text("item"),
                source: source(matches),
            },
            _ => Self::Classic,
        }
    }
}

fn source(matches: &ArgMatches) -> Source {
    let length = matches.get_one::<u16>("generate").copied().map(usize::from);
    match (matches.get_one::<PathBuf>("value-file"), length) {
        (Some(path), _) => Source::File(path.clone()),
        (None, Some(length)) => Source::Generate(length),
        (None, None) => Source::Ask,
    }
}
