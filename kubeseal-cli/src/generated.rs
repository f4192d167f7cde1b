//! What is made from the command line's own description: completions and man pages.

use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments;
use crate::error::Failure;
use crate::files::{self, Audience};
use crate::terminal;

/// Prints the completions for a shell.
pub(crate) fn completion(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut arguments::command(), "kubeseal", &mut script);
    terminal::print(&script)
}

/// Writes a page for the program and one for each command.
pub(crate) fn man(directory: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::file("write", directory, &error);
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut command = arguments::command();
    command.build();
    let mut pages = vec![command.clone()];
    pages.extend(
        command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
            .cloned(),
    );
    for page in pages {
        let name = match page.get_name() {
            "kubeseal" => "kubeseal".to_owned(),
            other => format!("kubeseal-{other}"),
        };
        let mut text = Vec::new();
        Man::new(page)
            .title(name.to_uppercase())
            .render(&mut text)
            .map_err(failed)?;
        files::write(
            &directory.join(format!("{name}.1")),
            &text,
            Audience::Public,
        )?;
    }
    Ok(())
}
