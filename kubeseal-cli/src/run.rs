//! The order of the modes (`runCLI` in `cmd/kubeseal/main.go`).

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use document::Format;
use keys::SecretBytes;

use crate::arguments::{self, Environment, Request, Settings};
use crate::error::Failure;
use crate::files::{self, Audience};
use crate::{certificate, seal, terminal};

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
    work(&settings)
}

const VERSION: &str = concat!("kubeseal version: v", env!("CARGO_PKG_VERSION"), "\n");

fn work(settings: &Settings) -> Result<(), Failure> {
    if !settings.from_file.is_empty() && !settings.raw {
        return Err(Failure::work("--from-file requires --raw"));
    }
    if settings.fetch_certificate {
        let pem = certificate::fetch(settings)?;
        return deliver(settings, &pem, Audience::Public);
    }
    let format = output_format(settings)?;
    let certificate = certificate::find(settings)?;
    let sealed = seal::seal(settings, &input(settings)?, &certificate, format)?;
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
        return files::read(path);
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
