//! Building what the tests need, once: what `make prepare` does.
//!
//! A component is built into a directory beside its final one and then renamed, so that it is there
//! whole or not at all. A lock file per component makes a second run wait for the first, which then
//! finds it there.

#![expect(
    clippy::disallowed_methods,
    reason = "the harness starts processes by itself"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::cache::{self, CONTROL_PLANE, Component, Recipe};

/// Builds every component that is not there yet, saying on `progress` what it does.
///
/// # Errors
/// If a tool is missing, or a build fails.
pub fn prepare(progress: &mut dyn FnMut(&str)) -> Result<(), Failure> {
    let mut checked = false;
    for component in cache::ALL {
        let place = component.directory()?;
        if place.is_dir() || component.is_replaced() {
            continue;
        }
        if !checked {
            check_tools()?;
            checked = true;
        }
        build_once(&component, &place, progress).map_err(|failure| {
            failure.while_doing(&format!(
                "prepare {} from {}",
                component.name, component.source
            ))
        })?;
    }
    Ok(())
}

/// The programs that README names, and what to install where one is missing.
///
/// # Errors
/// If one does not start.
pub fn check_tools() -> Result<(), Failure> {
    for (program, argument, package) in TOOLS {
        let found = Command::new(program)
            .arg(argument)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !found {
            return Err(Failure::new(format!(
                "`{program} {argument}` does not work: install {package}"
            )));
        }
    }
    Ok(())
}

const TOOLS: [(&str, &str, &str); 7] = [
    ("go", "version", "Go 1.26 or later"),
    ("cc", "--version", "a C compiler (Debian: gcc)"),
    ("git", "--version", "git 2.39 or later"),
    ("python3", "--version", "Python 3"),
    ("ip", "-V", "iproute2"),
    ("setpriv", "--version", "util-linux"),
    ("unshare", "--version", "util-linux"),
];

fn build_once(
    component: &Component,
    place: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let root = cache::root()?;
    std::fs::create_dir_all(&root)?;
    let lock = File::create(root.join(format!("{}.lock", component.name)))?;
    if lock.try_lock().is_err() {
        progress(&format!(
            "{}: waiting for another run that builds it",
            component.name
        ));
        lock.lock()?;
    }
    if place.is_dir() {
        return Ok(());
    }
    let start = Instant::now();
    let partial = root.join(format!("{}.partial", component.name));
    if partial.exists() {
        // Left by a run that was killed; the lock says that it is gone.
        std::fs::remove_dir_all(&partial)?;
    }
    std::fs::create_dir(&partial)?;
    match component.recipe {
        Recipe::Go {
            programs, links, ..
        } => {
            build_go(component, &partial, progress)?;
            for link in links {
                let target = programs.first().copied().unwrap_or_default();
                std::os::unix::fs::symlink(target, partial.join(link))?;
            }
            must_hold(&partial, programs)?;
        }
        Recipe::GoTests { programs, .. } => {
            build_go_tests(component, &partial, progress)?;
            must_hold(&partial, programs)?;
        }
        Recipe::Python { programs } => {
            build_python(component, &partial, place, progress)?;
            must_hold(&partial, programs)?;
        }
    }
    std::fs::rename(&partial, place)?;
    let seconds = start.elapsed().as_secs();
    progress(&format!("{}: ready after {seconds} s", component.name));
    Ok(())
}

fn must_hold(directory: &Path, programs: &[&str]) -> Result<(), Failure> {
    for program in programs {
        if !directory.join(program).is_file() {
            return Err(Failure::new(format!("the build made no {program}")));
        }
    }
    Ok(())
}

fn build_go(
    component: &Component,
    into: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let Recipe::Go {
        package,
        linker_flags,
        ..
    } = component.recipe
    else {
        return Err(Failure::new("not a Go module"));
    };
    let mut output = into.as_os_str().to_owned();
    output.push("/");
    if package == "." {
        output.push(component.name);
    }
    let mut command = Command::new("go");
    command
        .args([
            "build",
            "-v",
            "-trimpath",
            "-ldflags",
            &format!("-s -w {linker_flags}"),
            "-o",
        ])
        .arg(output)
        .arg(package)
        .current_dir(cache::repository().join(component.source));
    let name = component.name;
    let note = if name == CONTROL_PLANE.name {
        ", about 10 min on two cores"
    } else {
        ""
    };
    progress(&format!("{name}: building{note}"));
    run(command, name, progress)
}

fn build_go_tests(
    component: &Component,
    into: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let Recipe::GoTests {
        package,
        tag,
        programs,
    } = component.recipe
    else {
        return Err(Failure::new("not tests of a Go module"));
    };
    let mut command = Command::new("go");
    command
        .args(["test", "-v", "-tags", tag, "-trimpath", "-ldflags", "-s -w"])
        .arg("-o")
        .arg(into.join(programs.first().copied().unwrap_or_default()))
        .args(["-c", package])
        .current_dir(cache::repository().join(component.source));
    progress(&format!("{}: building", component.name));
    run(command, component.name, progress)
}

fn build_python(
    component: &Component,
    into: &Path,
    place: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let name = component.name;
    progress(&format!("{name}: making a virtual environment"));
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(into);
    run(venv, name, progress)
        .map_err(|failure| failure.while_doing("python3 -m venv (Debian: install python3-venv)"))?;
    let requirements = cache::repository()
        .join(component.source)
        .join("requirements.txt");
    let mut pip = Command::new(into.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-deps",
        "-r",
    ])
    .arg(requirements);
    run(pip, name, progress)?;
    move_scripts(into, place)
}

/// The scripts of a virtual environment name its interpreter by its full path: the one that it will
/// have.
fn move_scripts(from: &Path, to: &Path) -> Result<(), Failure> {
    let (old, new) = (from.display().to_string(), to.display().to_string());
    for entry in std::fs::read_dir(from.join("bin"))? {
        let path = entry?.path();
        if path.is_symlink() {
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(&path) {
            let permissions = std::fs::metadata(&path)?.permissions();
            std::fs::write(&path, text.replace(&old, &new))?;
            std::fs::set_permissions(&path, permissions)?;
        }
    }
    Ok(())
}

/// Runs a command, and shows now and then how far it is: the number of lines that it printed and
/// the last of them.
fn run(mut command: Command, name: &str, progress: &mut dyn FnMut(&str)) -> Result<(), Failure> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut kept: Vec<String> = Vec::new();
    let (start, mut shown, mut count) = (Instant::now(), Instant::now(), 0_u32);
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            count += 1;
            if shown.elapsed() > BETWEEN_LINES {
                shown = Instant::now();
                let seconds = start.elapsed().as_secs();
                progress(&format!(
                    "{name}: {seconds:>4} s, {count:>4} steps, now {line}"
                ));
            }
            kept.push(line);
        }
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    let from = kept.len().saturating_sub(KEPT_LINES);
    let end = kept.get(from..).unwrap_or_default().join("\n");
    Err(Failure::new(format!(
        "{} ended with {status}:\n{end}",
        program_of(&command)
    )))
}

fn program_of(command: &Command) -> String {
    PathBuf::from(command.get_program()).display().to_string()
}

const BETWEEN_LINES: Duration = Duration::from_secs(5);
const KEPT_LINES: usize = 30;
