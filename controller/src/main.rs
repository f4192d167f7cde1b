//! The controller: one process, one or more parts.
//!
//! This file only sets what a process sets once. Arguments are in [`arguments`], the order in which
//! things start and end in [`run`], what is served over HTTP in [`serve`].

mod adopt;
mod arguments;
mod incumbents;
mod logging;
mod part;
mod run;
mod serve;
mod unelected;

use std::process::ExitCode;

use clap::Parser as _;
use kit::exec::confine::{self, LaunchError};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::error;

use crate::arguments::{Arguments, Command};

/// glibc's allocator keeps what the first lists needed; this one gives it back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Work is bounded by the API server and by RSA, not by threads of ours.
const WORKER_THREADS: usize = 2;

/// Threads for RSA, templates and files.
const MAX_BLOCKING_THREADS: usize = 8;

fn main() -> ExitCode {
    if confine::is_launch(std::env::args_os()) {
        return become_a_child();
    }
    let arguments = Arguments::parse();
    if arguments.version {
        print_version();
        return ExitCode::SUCCESS;
    }
    logging::start(&arguments.logging);
    // A core dump would hold keys; nor may another process of our user read our memory.
    let _refused_by_old_kernels = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start threads");
            return ExitCode::FAILURE;
        }
    };
    let result: Result<(), Box<dyn std::error::Error>> = match arguments.command {
        Some(Command::Adopt { .. }) => runtime
            .block_on(adopt::adopt(arguments))
            .map_err(Into::into),
        None => runtime.block_on(run::run(arguments)).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = %kit::redact::with_sources(error.as_ref()), "ends");
            ExitCode::FAILURE
        }
    }
}

/// We were started by ourselves to become `git` or `kustomize`, with less than we have.
#[expect(clippy::print_stderr, reason = "who started us reads it there")]
fn become_a_child() -> ExitCode {
    let Err(error) = confine::launch(std::env::args_os());
    eprintln!("{}: {error}", LaunchError::SAID);
    ExitCode::from(LaunchError::EXIT_CODE)
}

/// The version in the form of the incumbent's.
pub(crate) fn version() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}

#[expect(clippy::print_stdout, reason = "it is what --version is for")]
fn print_version() {
    println!("controller version: {}", version());
}
