//! Writes the CustomResourceDefinitions, one file each, into the directory that is named.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use io::Write as _;

fn main() -> ExitCode {
    let result = match env::args_os().nth(1) {
        Some(directory) => write(Path::new(&directory)),
        None => Err("usage: generate-crds DIRECTORY".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ignored = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(directory)?;
    for crd in crds::all() {
        let (name, text) = crds::definitions::file(&crd)?;
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
