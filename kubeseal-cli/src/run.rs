//! The order of the modes (`runCLI` in `cmd/kubeseal/main.go`).

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use document::Format;
use keys::SecretBytes;

use crate::arguments::{self, Environment, Request, Settings};
use crate::error::Failure;
use crate::files::{self, Audience};
use crate::tasks::Task;
use crate::{
    certificate, check, diff, editor, generated, inspect, items, merge, raw, recover, seal,
    terminal, validate,
};

/// Does what the command line asks for.
pub(crate) fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
) -> Result<(), Failure> {
    let settings = match arguments::read(arguments, environment)? {
        Request::Answer(answer) => return terminal::print(answer.as_bytes()),
        Request::Work(settings) => settings,
    };
    if settings.version {
        return terminal::print(VERSION.as_bytes());
    }
    match &settings.task {
        Task::Classic => classic(&settings),
        Task::Check { paths, format } => check::check(&settings, paths, *format),
        Task::Completion(shell) => generated::completion(*shell),
        Task::Diff {
            revision,
            paths,
            markdown,
        } => diff::diff(revision.as_deref().unwrap_or("HEAD"), paths, *markdown),
        Task::Edit(place) => editor::edit(&settings, place),
        Task::Inspect { file, json } => inspect::inspect(file, *json),
        Task::Man(directory) => generated::man(directory),
        Task::Remove { place, items } => items::remove(place, items),
        Task::Rename { place, from, to } => items::rename(place, from, to),
        Task::Set {
            place,
            item,
            source,
        } => items::set(&settings, place, item, source),
    }
}

const VERSION: &str = concat!("kubeseal version: v", env!("CARGO_PKG_VERSION"), "\n");

/// What the original does.
fn classic(settings: &Settings) -> Result<(), Failure> {
    if !settings.from_file.is_empty() && !settings.raw {
        return Err(Failure::work("--from-file requires --raw"));
    }
    let format = output_format(settings)?;
    if settings.recovery_unseal {
        let secrets = recover::unseal(settings, &input(settings)?, format)?;
        return deliver(settings, secrets.expose(), Audience::Owner);
    }
    if !settings.recovery_private_keys.is_empty() && io::stderr().is_terminal() {
        terminal::remark(
            "warning: ignoring --recovery-private-key because unseal command not chosen with \
             --recovery-unseal",
        );
    }
    if settings.validate {
        return validate::validate(settings, &input(settings)?);
    }
    if settings.re_encrypt {
        return validate::re_encrypt(settings, &input(settings)?, format);
    }
    if settings.fetch_certificate {
        let pem = certificate::fetch(settings)?;
        return deliver(settings, &pem, Audience::Public);
    }
    seal_something(settings, format)
}

/// The modes that need a certificate.
fn seal_something(settings: &Settings, format: Format) -> Result<(), Failure> {
    let certificate = certificate::find(settings)?;
    if let Some(target) = &settings.merge_into {
        return merge::merge(settings, target, &input(settings)?, &certificate);
    }
    let sealed = if settings.raw {
        raw::seal(settings, &certificate)?
    } else {
        seal::seal(settings, &input(settings)?, &certificate, format)?
    };
    deliver(settings, sealed.as_bytes(), Audience::Public)
}

/// The file's name decides, then the flag.
fn output_format(settings: &Settings) -> Result<Format, Failure> {
    let extension = settings.output.as_ref().and_then(|path| path.extension());
    if extension.is_some_and(|extension| extension == "yaml" || extension == "yml") {
        return Ok(Format::Yaml);
    }
    settings.format.parse().map_err(Failure::work)
}

fn input(settings: &Settings) -> Result<SecretBytes, Failure> {
    if let Some(path) = &settings.input {
        return files::read(path).map_err(|failure| {
            Failure::Work(format!(
                "Could not read file specified with --secret-file: {failure}"
            ))
        });
    }
    if io::stdin().is_terminal() {
        terminal::remark("(tty detected: expecting json/yaml k8s resource in stdin)");
    }
    files::read_standard_input()
}

/// Hands the result over, to the file or to standard output, once all of it is there.
fn deliver(settings: &Settings, bytes: &[u8], audience: Audience) -> Result<(), Failure> {
    match &settings.output {
        Some(path) => files::write(path, bytes, audience),
        None => terminal::print(bytes),
    }
}
