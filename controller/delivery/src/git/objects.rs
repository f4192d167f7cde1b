//! Reading trees and files out of a bare repository into memory. Nothing is ever checked out.

use std::path::Path;

use kit::exec::{ExecError, Limits};

use super::{Oid, failure::GitError, process::Git};

/// One entry of a tree, with its whole path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// From the root of the repository, with slashes.
    pub path: String,
    /// Its content.
    pub oid: Oid,
    /// What it is.
    pub kind: ListedKind,
    /// The size of its content in bytes.
    pub size: u64,
}

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedKind {
    /// A file, executable or not.
    File,
    /// A symbolic link; its content is the target.
    Link,
}

/// Lists all files and links of a commit. Submodules are left out, and so are entries whose path is not UTF-8 or not
/// clean: no manifest can name them, and nobody else should (T36).
///
/// # Errors
/// [`GitError::NoObject`] when the commit is not there, [`GitError::TooLarge`] over the limits.
pub async fn list(git: &Git, directory: &Path, commit: Oid) -> Result<Vec<Listed>, GitError> {
    let command = git
        .local(directory)
        .args([
            "ls-tree",
            "-r",
            "-z",
            "-l",
            "--full-tree",
            &commit.to_string(),
        ])
        .limits(Limits {
            output_bytes: LONGEST_LISTING,
            ..Limits::default()
        });
    let output = match command.run().await {
        Err(ExecError::WroteTooMuch { .. }) => {
            return Err(GitError::TooLarge(format!(
                "its listing is over {LONGEST_LISTING} bytes"
            )));
        }
        other => other?,
    };
    if !output.is_success() {
        return Err(GitError::NoObject(commit.to_string()));
    }
    let listed = listing_in(&output.stdout)?;
    if listed.len() > MOST_ENTRIES {
        return Err(GitError::TooLarge(format!(
            "{} files, and {MOST_ENTRIES} is the limit",
            listed.len()
        )));
    }
    Ok(listed)
}

/// Reads files by their object names, in the same order. `bytes` is the sum of their sizes as listed.
///
/// # Errors
/// [`GitError::NoObject`] when one is not there, [`GitError::TooLarge`] over the limit.
pub async fn read(
    git: &Git,
    directory: &Path,
    oids: &[Oid],
    bytes: u64,
) -> Result<Vec<Vec<u8>>, GitError> {
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let over = || {
        GitError::TooLarge(format!(
            "{bytes} bytes to read, and {MOST_BYTES} is the limit"
        ))
    };
    let bytes = usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= MOST_BYTES)
        .ok_or_else(over)?;
    let mut input = String::with_capacity(oids.len() * 41);
    for oid in oids {
        input.push_str(&oid.to_string());
        input.push('\n');
    }
    let output = git
        .local(directory)
        .args(["cat-file", "--batch", "--buffer"])
        .stdin(input.into_bytes())
        .limits(Limits {
            output_bytes: bytes + oids.len() * LONGEST_HEADER,
            ..Limits::default()
        })
        .run()
        .await?;
    if !output.is_success() {
        return Err(GitError::Local(output.stderr));
    }
    contents_in(&output.stdout, oids)
}

/// Parses `git ls-tree -r -z -l`: `mode SP type SP oid SP size TAB path NUL`, the size padded with blanks.
fn listing_in(output: &[u8]) -> Result<Vec<Listed>, GitError> {
    let mut listed = Vec::new();
    for line in output
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
    {
        let strange = || GitError::Strange("a line of ls-tree");
        let tab = line
            .iter()
            .position(|byte| *byte == b'\t')
            .ok_or_else(strange)?;
        let (head, path) = (&line[..tab], &line[tab + 1..]);
        let head = std::str::from_utf8(head).map_err(|_| strange())?;
        let mut fields = head.split_ascii_whitespace();
        let (mode, _type) = (
            fields.next().ok_or_else(strange)?,
            fields.next().ok_or_else(strange)?,
        );
        let oid = fields.next().and_then(Oid::parse).ok_or_else(strange)?;
        let kind = match mode {
            "120000" => ListedKind::Link,
            mode if mode.starts_with("100") => ListedKind::File,
            _ => continue,
        };
        let size = fields
            .next()
            .and_then(|size| size.parse().ok())
            .ok_or_else(strange)?;
        if let Some(path) = clean(path) {
            listed.push(Listed {
                path,
                oid,
                kind,
                size,
            });
        }
    }
    Ok(listed)
}

/// A path that any program on any system would read the same way, or `None`.
fn clean(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let harmless = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.eq_ignore_ascii_case(".git")
            && !part.chars().any(|c| c.is_control() || c == '\\')
    };
    (path.len() <= LONGEST_PATH && path.split('/').all(harmless)).then(|| path.to_owned())
}

/// Parses `git cat-file --batch`: `oid SP type SP size LF content LF`.
fn contents_in(output: &[u8], oids: &[Oid]) -> Result<Vec<Vec<u8>>, GitError> {
    let strange = || GitError::Strange("the output of cat-file");
    let mut rest = output;
    let mut contents = Vec::with_capacity(oids.len());
    for oid in oids {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(strange)?;
        let header = std::str::from_utf8(&rest[..end]).map_err(|_| strange())?;
        rest = &rest[end + 1..];
        let mut fields = header.split(' ');
        if fields.next().and_then(Oid::parse) != Some(*oid) {
            return Err(strange());
        }
        match fields.next() {
            Some("blob") => {}
            Some("missing") => return Err(GitError::NoObject(oid.to_string())),
            _ => return Err(strange()),
        }
        let size: usize = fields
            .next()
            .and_then(|size| size.parse().ok())
            .ok_or_else(strange)?;
        let (content, after) = rest.split_at_checked(size).ok_or_else(strange)?;
        contents.push(content.to_vec());
        rest = after.strip_prefix(b"\n").ok_or_else(strange)?;
    }
    Ok(contents)
}

/// The most files of one commit: the Linux kernel has 90,000.
const MOST_ENTRIES: usize = 200_000;
/// The same in bytes of the listing.
const LONGEST_LISTING: usize = 64 << 20;
/// What one read may bring into memory; the manifests of a large cluster are a few megabytes.
const MOST_BYTES: usize = 64 << 20;
/// A line of cat-file: 40 digits, a type, a size, two line breaks.
const LONGEST_HEADER: usize = 80;
/// The longest path that is looked at.
const LONGEST_PATH: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// Captured from git 2.39.5.
    #[test]
    fn a_listing_is_parsed() {
        let output = format!(
            "100644 blob {A}      12\tapps/web.yaml\0100755 blob {B}       3\trun me\0120000 blob {A}       5\tlink\0160000 commit {B}       -\tmodule\0"
        );
        let listed = listing_in(output.as_bytes()).unwrap();
        let seen: Vec<(&str, ListedKind, u64)> = listed
            .iter()
            .map(|entry| (entry.path.as_str(), entry.kind, entry.size))
            .collect();
        assert_eq!(
            seen,
            [
                ("apps/web.yaml", ListedKind::File, 12),
                ("run me", ListedKind::File, 3),
                ("link", ListedKind::Link, 5)
            ]
        );
    }

    #[test]
    fn t18_t36_hostile_names_in_a_tree_are_left_out() {
        for path in [
            "../x",
            "a/../b",
            "a/./b",
            "/x",
            "a//b",
            ".git/config",
            "a/.GIT/x",
            "a\\b",
            "a\nb",
            "\u{7f}",
        ] {
            let output = format!("100644 blob {A} 1\t{path}\0");
            assert!(listing_in(output.as_bytes()).unwrap().is_empty(), "{path}");
        }
        let mut not_text = format!("100644 blob {A} 1\t").into_bytes();
        not_text.extend([0xff, 0xfe, 0]);
        assert!(listing_in(&not_text).unwrap().is_empty());
    }

    #[test]
    fn contents_are_parsed_whatever_is_in_them() {
        let (a, b) = (Oid::parse(A).unwrap(), Oid::parse(B).unwrap());
        let output = format!("{A} blob 6\nx\n{A}\n")
            .replace(&format!("x\n{A}"), "x\nyz\0w")
            .into_bytes();
        let output = [output, format!("{B} blob 0\n\n").into_bytes()].concat();
        let contents = contents_in(&output, &[a, b]).unwrap();
        assert_eq!(contents, [b"x\nyz\0w".to_vec(), Vec::new()]);
        assert!(matches!(
            contents_in(format!("{A} missing\n").as_bytes(), &[a]),
            Err(GitError::NoObject(_))
        ));
        for strange in [
            format!("{A} blob 9\nshort\n"),
            format!("{B} blob 0\n\n"),
            String::new(),
            format!("{A} tree 0\n\n"),
        ] {
            assert!(contents_in(strange.as_bytes(), &[a]).is_err(), "{strange}");
        }
    }
}
