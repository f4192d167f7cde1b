//! `edit`: the items of a file in an editor. Values that are left blank stay sealed as they are, so no
//! key and no cluster is needed to open anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use document::Form;
use keys::SecretBytes;
use tempfile::TempDir;

use crate::arguments::{Environment, Settings};
use crate::error::Failure;
use crate::items::OpenFile;
use crate::tasks::Place;
use crate::{certificate, files, process, terminal};

/// Opens the editor and seals what was typed.
pub(crate) fn edit(settings: &Settings, place: &Place) -> Result<(), Failure> {
    let mut open = OpenFile::read(place)?;
    // Better before somebody has typed a secret than after.
    let certificate = certificate::find_for(settings, Some(&place.file))?;
    let identity = open.file().identity(open.at());
    let items = open.file().items(open.at());
    let heading = format!(
        "{} in namespace {}, scope {}, from {}\n\
         A value that stays blank stays as it is. Remove a line to remove the item, add one to add\n\
         an item; \"\" is the empty value. This file is gone when the editor closes.",
        identity.name,
        if identity.namespace.is_empty() {
            "(none)"
        } else {
            &identity.namespace
        },
        identity.scope,
        place.file.display(),
    );
    let names: Vec<&str> = items.keys().map(String::as_str).collect();
    let blank = Form::blank(&heading, &names);
    let typed = type_into(&blank, &settings.environment)?;
    let form = Form::read(typed.expose()).map_err(Failure::work)?;
    let mut changes = 0;
    for name in names {
        if !form.entries.contains_key(name) {
            open.edit(|file, at| file.remove_item(at, name))?;
            changes += 1;
        }
    }
    let typed: BTreeMap<String, Option<SecretBytes>> = form.entries;
    for (name, value) in typed {
        match value {
            Some(value) => {
                open.seal(settings, &certificate, &name, &value)?;
                changes += 1;
            }
            None if items.contains_key(&name) => {}
            None => {
                return Err(Failure::Work(format!("the new item {name} has no value")));
            }
        }
    }
    if changes == 0 {
        terminal::remark("nothing was changed");
    }
    open.write()
}

/// Lets the user edit a text in memory, as far as the system has a file system in memory.
fn type_into(text: &str, environment: &Environment) -> Result<SecretBytes, Failure> {
    let room = Room::new(environment)?;
    let path = room.path();
    files::write(&path, text.as_bytes(), files::Audience::Owner)?;
    let editor = ["KUBE_EDITOR", "VISUAL", "EDITOR"];
    let editor = editor
        .iter()
        .find_map(|name| environment.filled(name))
        .unwrap_or("vi");
    process::edit(editor, &path)?;
    files::read(&path)
}

/// A private directory that is overwritten and removed at the end.
struct Room(TempDir);

impl Room {
    fn new(environment: &Environment) -> Result<Self, Failure> {
        let in_memory = memory_file_systems(environment);
        let make = |directory: &Path| {
            tempfile::Builder::new()
                .prefix("kubeseal-")
                .tempdir_in(directory)
        };
        for directory in &in_memory {
            if let Ok(room) = make(directory) {
                return Ok(Self(room));
            }
        }
        terminal::remark(
            "warning: there is no file system in memory here; what you type is kept in a private \
             temporary file until the editor closes",
        );
        let directory = std::env::temp_dir();
        make(&directory)
            .map(Self)
            .map_err(|error| Failure::file("open", &directory, &error))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("items.yaml")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Editors leave copies beside the file, so everything in the directory is overwritten.
        for entry in fs::read_dir(self.0.path()).into_iter().flatten().flatten() {
            let length = entry.metadata().map_or(0, |metadata| metadata.len());
            let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
            // What cannot be overwritten is removed with the directory all the same.
            drop(fs::write(entry.path(), zeros));
        }
    }
}

/// Directories that are kept in memory: tmpfs, as the kernel's list of mounts says.
fn memory_file_systems(environment: &Environment) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let in_memory: Vec<&str> = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, place, kind) = (words.next()?, words.next()?, words.next()?);
            matches!(kind, "tmpfs" | "ramfs").then_some(place)
        })
        .collect();
    let candidates = [
        environment.filled("XDG_RUNTIME_DIR"),
        Some("/dev/shm"),
        Some("/run/shm"),
    ];
    let is_in_memory = |path: &Path| {
        path.ancestors()
            .any(|parent| in_memory.iter().any(|place| Path::new(place) == parent))
    };
    candidates
        .into_iter()
        .flatten()
        .map(PathBuf::from)
        .filter(|path| is_in_memory(path))
        .collect()
}
