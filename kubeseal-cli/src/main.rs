//! kubeseal: seals Secrets so that they can live in Git.
//!
//! A replacement for the program of the same name of Sealed Secrets, and the daily work that it never
//! did. `run` holds the order of the modes, each mode has a file of its own.

mod arguments;
mod certificate;
mod check;
mod cluster;
mod diff;
mod editor;
mod error;
mod files;
mod flags;
mod generated;
mod inspect;
mod items;
mod kubeconfig;
mod merge;
mod namespace;
mod process;
mod profile;
mod raw;
mod recover;
mod run;
mod seal;
mod tasks;
mod terminal;
mod validate;
mod web;

use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = arguments::Environment::of_process();
    match run::run(std::env::args_os(), environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::complain(&failure);
            failure.exit_code()
        }
    }
}
