//! The programs that are started: the user's editor, and git. Both are chosen by the user's own
//! environment, never by what a repository says.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::error::Failure;
use crate::web;

/// Runs an editor on a file and waits for it. The command may have arguments, as `code --wait`.
pub(crate) fn edit(editor: &str, file: &Path) -> Result<(), Failure> {
    let mut words = editor.split_whitespace();
    let Some(program) = words.next() else {
        return Err(Failure::work("the editor's name is empty"));
    };
    let failed = |cause: String| {
        Failure::Work(format!(
            "the editor {program} failed: {cause}; nothing was changed"
        ))
    };
    web::block_on(async {
        #[expect(
            clippy::disallowed_methods,
            reason = "the user's own editor, by the user's own choice"
        )]
        let mut child = tokio::process::Command::new(program)
            .args(words)
            .arg(file)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        // An interrupt is for the editor; ours is to clean up after it.
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(status.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    })
}

/// Runs git and returns what it prints.
pub(crate) fn git(directory: &Path, arguments: &[&str], input: &str) -> Result<Vec<u8>, Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the user's own git, in the user's own repository"
    )]
    let mut child = Command::new("git")
        .arg("--no-pager")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::Work(format!("cannot start git: {error}")))?;
    let input = input.to_owned();
    let writer = child.stdin.take().map(|mut pipe| {
        // git answers while it is still being asked, so one of the two has to wait elsewhere.
        thread::spawn(move || drop(pipe.write_all(input.as_bytes())))
    });
    let output = child
        .wait_with_output()
        .map_err(|error| Failure::Work(format!("git failed: {error}")))?;
    if let Some(writer) = writer {
        drop(writer.join());
    }
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("fatal: ");
    Err(Failure::Work(format!(
        "git {}: {said}",
        arguments.first().unwrap_or(&"")
    )))
}
