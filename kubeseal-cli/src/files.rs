//! Reading and writing files. A file is either the old one or the new one, never half.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use keys::SecretBytes;

use crate::error::Failure;

/// Reads a file whole. What is read may be a Secret, so it is wiped.
pub(crate) fn read(path: &Path) -> Result<SecretBytes, Failure> {
    let file = File::open(path).map_err(|error| Failure::file("open", path, &error))?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    read_all(file, length).map_err(|error| Failure::file("read", path, &error))
}

/// Reads standard input whole.
pub(crate) fn read_standard_input() -> Result<SecretBytes, Failure> {
    read_all(io::stdin().lock(), 0)
        .map_err(|error| Failure::file("read", Path::new("/dev/stdin"), &error))
}

/// Who may read a file that did not exist before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everybody whom the umask allows: a sealed file.
    Public,
    /// The owner only: an opened Secret.
    Owner,
}

/// Writes a file whole or not at all: a new file beside it takes its place. An existing file keeps its
/// mode, and a symbolic link keeps pointing to it. What is no regular file, such as `/dev/stdout`, is
/// written to as it is.
pub(crate) fn write(path: &Path, bytes: &[u8], audience: Audience) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("open", path, &error);
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(metadata) if !metadata.is_file() => {
            let mut file = File::options().write(true).open(&target).map_err(failed)?;
            file.write_all(bytes).map_err(failed)
        }
        Ok(metadata) => replace(&target, bytes, metadata.permissions()).map_err(failed),
        Err(_) => create(&target, bytes, audience).map_err(failed),
    }
}

/// Enough for a manifest; more is added as needed.
const FIRST_READ_BYTES: usize = 64 << 10;

/// Reads to the end without leaving unwiped copies behind: a buffer that grows is copied by hand.
fn read_all(mut source: impl io::Read, expected: u64) -> io::Result<SecretBytes> {
    let first = usize::try_from(expected).map_or(FIRST_READ_BYTES, |length| length + 1);
    let mut buffer = SecretBuffer::with_capacity(first.max(FIRST_READ_BYTES));
    loop {
        let room = buffer.room();
        let count = match source.by_ref().take(room as u64).read(buffer.tail(room)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if count == 0 {
            return Ok(buffer.finish());
        }
        buffer.filled += count;
    }
}

/// A buffer that wipes what it outgrows.
struct SecretBuffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl SecretBuffer {
    fn with_capacity(length: usize) -> Self {
        Self {
            bytes: vec![0; length],
            filled: 0,
        }
    }

    fn room(&mut self) -> usize {
        if self.filled == self.bytes.len() {
            let mut greater = vec![0; self.bytes.len() * 2];
            greater[..self.filled].copy_from_slice(&self.bytes);
            drop(SecretBytes::new(std::mem::replace(
                &mut self.bytes,
                greater,
            )));
        }
        self.bytes.len() - self.filled
    }

    fn tail(&mut self, room: usize) -> &mut [u8] {
        &mut self.bytes[self.filled..self.filled + room]
    }

    fn finish(mut self) -> SecretBytes {
        self.bytes.truncate(self.filled);
        SecretBytes::new(self.bytes)
    }
}

fn replace(target: &Path, bytes: &[u8], permissions: fs::Permissions) -> io::Result<()> {
    let mut file = beside(target).tempfile_in(directory_of(target))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(permissions)?;
    persist(file, target)
}

fn create(target: &Path, bytes: &[u8], audience: Audience) -> io::Result<()> {
    let mut builder = beside(target);
    #[cfg(unix)]
    if audience == Audience::Public {
        use std::os::unix::fs::PermissionsExt as _;
        // The umask takes away from this, as it does for any new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _audience = audience;
    let mut file = builder.tempfile_in(directory_of(target))?;
    file.write_all(bytes)?;
    persist(file, target)
}

fn persist(file: tempfile::NamedTempFile, target: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

fn beside(_target: &Path) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kubeseal-");
    builder
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
