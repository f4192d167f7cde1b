//! `set`, `rm` and `rename`: one value changes, every other byte of the file stays.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use document::{EditError, SealedFile};
use keys::{Certificate, Scope, SecretBytes};
use rand::TryRng as _;

use crate::arguments::Settings;
use crate::error::Failure;
use crate::files::{self, Audience};
use crate::namespace::Namespace;
use crate::tasks::{Place, Source};
use crate::{certificate, terminal};

/// Seals one value into a file.
pub(crate) fn set(
    settings: &Settings,
    place: &Place,
    item: &str,
    source: &Source,
) -> Result<(), Failure> {
    let mut open = OpenFile::read(place)?;
    let certificate = certificate::find_for(settings, Some(&place.file))?;
    let value = value(source, item)?;
    open.seal(settings, &certificate, item, &value)?;
    open.write()
}

/// Takes items out of a file.
pub(crate) fn remove(place: &Place, items: &[String]) -> Result<(), Failure> {
    let mut open = OpenFile::read(place)?;
    for item in items {
        open.edit(|file, at| file.remove_item(at, item))?;
    }
    open.write()
}

/// Gives an item another name.
pub(crate) fn rename(place: &Place, from: &str, to: &str) -> Result<(), Failure> {
    let mut open = OpenFile::read(place)?;
    open.edit(|file, at| file.rename_item(at, from, to))?;
    open.write()
}

/// A file with the one SealedSecret in it that is meant.
pub(crate) struct OpenFile<'a> {
    path: &'a Path,
    before: SecretBytes,
    file: SealedFile,
    at: usize,
}

impl<'a> OpenFile<'a> {
    pub(crate) fn read(place: &'a Place) -> Result<Self, Failure> {
        let path = &place.file;
        let before = files::read(path)?;
        let failed = |error: EditError| Failure::Work(format!("{}: {error}", path.display()));
        let file = SealedFile::parse(before.expose()).map_err(failed)?;
        let at = file.find(place.name.as_deref()).map_err(failed)?;
        Ok(Self {
            path,
            before,
            file,
            at,
        })
    }

    pub(crate) fn file(&self) -> &SealedFile {
        &self.file
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Seals a value with the file's own name, namespace and scope.
    pub(crate) fn seal(
        &mut self,
        settings: &Settings,
        certificate: &Certificate,
        item: &str,
        value: &SecretBytes,
    ) -> Result<(), Failure> {
        let mut identity = self.file.identity(self.at);
        let missing = |field: &str| {
            Failure::Work(format!(
                "{}: the SealedSecret has no {field}",
                self.path.display()
            ))
        };
        if identity.scope == Scope::Strict && identity.name.is_empty() {
            return Err(missing("metadata.name"));
        }
        if identity.scope != Scope::ClusterWide {
            let namespace = Namespace::new(settings);
            namespace.check(&identity.namespace)?;
            if identity.namespace.is_empty() {
                identity.namespace = settings.connection.namespace.clone();
            }
            if identity.namespace.is_empty() {
                return Err(missing("metadata.namespace; say it with --namespace"));
            }
        }
        let key = certificate.public_key();
        let ciphertext =
            keys::seal(key, &identity.label(), value.expose()).map_err(Failure::work)?;
        let fingerprint = settings.record.then(|| key.fingerprint());
        self.edit(|file, at| file.set_item(at, item, &ciphertext, fingerprint.as_ref()))
    }

    pub(crate) fn edit(
        &mut self,
        edit: impl FnOnce(&mut SealedFile, usize) -> Result<(), EditError>,
    ) -> Result<(), Failure> {
        edit(&mut self.file, self.at)
            .map_err(|error| Failure::Work(format!("{}: {error}", self.path.display())))
    }

    /// Writes the file, unless nothing changed, or somebody else changed it in the meantime.
    pub(crate) fn write(self) -> Result<(), Failure> {
        let after = self.file.to_bytes();
        if after == self.before.expose() {
            return Ok(());
        }
        if files::read(self.path)?.expose() != self.before.expose() {
            return Err(Failure::Work(format!(
                "{} was changed by somebody else in the meantime; nothing was written",
                self.path.display()
            )));
        }
        files::write(self.path, &after, Audience::Public)
    }
}

fn value(source: &Source, item: &str) -> Result<SecretBytes, Failure> {
    match source {
        Source::File(path) => files::read(path),
        Source::Generate(length) => generate(*length),
        Source::Ask if io::stdin().is_terminal() => rpassword::prompt_password(format!("{item}: "))
            .map(|text| SecretBytes::new(text.into_bytes()))
            .map_err(|error| Failure::Work(format!("cannot ask for the value: {error}"))),
        Source::Ask => files::read_standard_input().map(without_line_end),
    }
}

/// Takes off the line end that `echo` adds. A value that ends with one comes from a file.
fn without_line_end(value: SecretBytes) -> SecretBytes {
    let bytes = value.expose();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    SecretBytes::new(bytes.strip_suffix(b"\r").unwrap_or(bytes).to_vec())
}

const LETTERS_AND_DIGITS: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Four times as many as there are letters and digits; a byte from here on would favour some of them.
const FAIR: u8 = 248;

/// Letters and digits, each as likely as any other.
fn generate(length: usize) -> Result<SecretBytes, Failure> {
    let alphabet = LETTERS_AND_DIGITS.len();
    let mut value = Vec::with_capacity(length);
    while value.len() < length {
        let mut byte = [0];
        rand::rngs::SysRng
            .try_fill_bytes(&mut byte)
            .map_err(|error| Failure::Work(format!("no random numbers: {error}")))?;
        if byte[0] < FAIR {
            value.push(LETTERS_AND_DIGITS[usize::from(byte[0]) % alphabet]);
        }
    }
    terminal::remark(&format!("generated {length} letters and digits"));
    Ok(SecretBytes::new(value))
}
