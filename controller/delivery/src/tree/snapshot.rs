//! All files of one revision, without their contents.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Ignore, IgnoreFile, TreePath, links};
use crate::{
    git::{
        GitError, Oid,
        objects::{Listed, ListedKind},
    },
    hex,
};

/// A file's content by name, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// The name of the content.
    pub oid: Oid,
    /// Its size in bytes.
    pub size: u64,
}

/// Where contents come from. A bare repository in production, a map in tests.
pub trait Source: Sync {
    /// The contents of files, in the same order; `bytes` is the sum of their sizes.
    fn read(
        &self,
        oids: &[Oid],
        bytes: u64,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, GitError>> + Send;
}

impl Source for crate::git::Repository {
    fn read(
        &self,
        oids: &[Oid],
        bytes: u64,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, GitError>> + Send {
        Self::read(self, oids, bytes)
    }
}

/// Why a tree cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A file cannot be read out of the repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file that should be text is not.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// Too many links, or too large ones.
    #[error("the symbolic links of the tree are over a limit: {0}")]
    Links(&'static str),
}

/// The files of a revision after ignoring. Links are resolved within the repository: what they lead to is found under
/// their own name too, but [`Snapshot::below`] does not show it, as Flux's archives hold no links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    files: BTreeMap<String, Blob>,
    /// Files under the names that links give them.
    aliases: BTreeMap<String, Blob>,
}

impl Snapshot {
    /// Reads ignore files and links of a listing, and applies them.
    ///
    /// # Errors
    /// [`TreeError`] names the file.
    pub async fn new(
        listed: Vec<Listed>,
        spec_ignore: Option<&str>,
        source: &impl Source,
    ) -> Result<Self, TreeError> {
        let ignore_files = read_ignore_files(&listed, source).await?;
        let ignore = Ignore::new(&ignore_files, spec_ignore);
        let mut files = BTreeMap::new();
        let mut link_entries = Vec::new();
        for entry in listed {
            if ignore.excludes(&entry.path) {
                continue;
            }
            match entry.kind {
                ListedKind::File => {
                    files.insert(
                        entry.path,
                        Blob {
                            oid: entry.oid,
                            size: entry.size,
                        },
                    );
                }
                ListedKind::Link => link_entries.push(entry),
            }
        }
        let aliases = links::aliases(&files, &link_entries, source).await?;
        Ok(Self { files, aliases })
    }

    /// A file, under its own name or a link's.
    #[must_use]
    pub fn file(&self, path: &TreePath) -> Option<Blob> {
        let found = self
            .files
            .get(path.as_str())
            .or_else(|| self.aliases.get(path.as_str()));
        found.copied()
    }

    /// Whether there is a directory of this name, its own or a link's. The root always is.
    #[must_use]
    pub fn is_directory(&self, path: &TreePath) -> bool {
        let prefix = path.prefix();
        let below = |files: &BTreeMap<String, Blob>| {
            let mut from = files.range(prefix.clone()..);
            from.next()
                .is_some_and(|(name, _)| name.starts_with(&prefix))
        };
        path.is_root() || below(&self.files) || below(&self.aliases)
    }

    /// The files below a directory in the order of their paths, without what only links show. If the directory is itself
    /// what a link leads to, its files are shown under the link's name.
    pub fn below(&self, path: &TreePath) -> impl Iterator<Item = (&str, Blob)> {
        let prefix = path.prefix();
        let own = self.files.range(prefix.clone()..).next();
        let is_real = path.is_root() || own.is_some_and(|(name, _)| name.starts_with(&prefix));
        let files = if is_real { &self.files } else { &self.aliases };
        files
            .range(prefix.clone()..)
            .take_while(move |(name, _)| name.starts_with(&prefix))
            .map(|(name, blob)| (name.as_str(), *blob))
    }

    /// Every name that can be read, links' names too.
    pub fn names(&self) -> impl Iterator<Item = (&str, Blob)> {
        let all = self.files.iter().chain(&self.aliases);
        all.map(|(name, blob)| (name.as_str(), *blob))
    }

    /// `sha256:<hex>` over names and contents: equal if and only if the trees are.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, blob) in self.names() {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(blob.oid.to_string().as_bytes());
            hash.update([b'\n']);
        }
        format!("sha256:{}", hex::lower(&hash.finalize()))
    }

    /// The sum of the sizes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files
            .values()
            .fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}

/// All `.sourceignore` files with the directory that each is in, from the root down. Flux reads those in ignored
/// directories too (sourceignore.go, `LoadIgnorePatterns`).
async fn read_ignore_files(
    listed: &[Listed],
    source: &impl Source,
) -> Result<Vec<(String, String)>, TreeError> {
    let is_one = |entry: &&Listed| {
        let name = entry
            .path
            .rsplit_once('/')
            .map_or(entry.path.as_str(), |(_, name)| name);
        entry.kind == ListedKind::File && name == IgnoreFile::NAME
    };
    let entries: Vec<&Listed> = listed.iter().filter(is_one).collect();
    let oids: Vec<Oid> = entries.iter().map(|entry| entry.oid).collect();
    let bytes = entries.iter().map(|entry| entry.size).sum();
    let contents = source.read(&oids, bytes).await?;
    let mut files = Vec::new();
    for (entry, content) in entries.iter().zip(contents) {
        let text =
            String::from_utf8(content).map_err(|_| TreeError::NotText(entry.path.clone()))?;
        let directory = entry
            .path
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory);
        files.push((directory.to_owned(), text));
    }
    files
        .sort_by_key(|(directory, _)| directory.split('/').filter(|part| !part.is_empty()).count());
    Ok(files)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Contents by name, for tests of everything that reads trees.
    #[derive(Default)]
    pub(crate) struct Contents(HashMap<Oid, Vec<u8>>);

    impl Source for Contents {
        async fn read(&self, oids: &[Oid], _bytes: u64) -> Result<Vec<Vec<u8>>, GitError> {
            oids.iter()
                .map(|oid| {
                    self.0
                        .get(oid)
                        .cloned()
                        .ok_or_else(|| GitError::NoObject(oid.to_string()))
                })
                .collect()
        }
    }

    /// A listing with its contents; a content that begins with `-> ` makes a link.
    pub(crate) fn listing(files: &[(&str, &str)]) -> (Vec<Listed>, Contents) {
        let mut contents = Contents::default();
        let mut listed = Vec::new();
        for (path, content) in files {
            let (kind, content) = match content.strip_prefix("-> ") {
                Some(target) => (ListedKind::Link, target),
                None => (ListedKind::File, *content),
            };
            let digest = hex::lower(&Sha256::digest(content.as_bytes()));
            let oid = Oid::parse(&digest[..40]).unwrap();
            contents.0.insert(oid, content.as_bytes().to_vec());
            listed.push(Listed {
                path: (*path).to_owned(),
                oid,
                kind,
                size: content.len() as u64,
            });
        }
        (listed, contents)
    }

    pub(crate) async fn snapshot(files: &[(&str, &str)]) -> (Snapshot, Contents) {
        let (listed, contents) = listing(files);
        (
            Snapshot::new(listed, None, &contents).await.unwrap(),
            contents,
        )
    }

    fn path(text: &str) -> TreePath {
        TreePath::of_user(text).unwrap()
    }

    #[tokio::test]
    async fn ignored_files_are_not_there() {
        let files = [
            ("a/x.yaml", "x"),
            ("a/.sourceignore", "*.txt"),
            ("a/n.txt", "n"),
            ("b/n.txt", "n"),
            ("logo.png", "p"),
        ];
        let (listed, contents) = listing(&files);
        let tree = Snapshot::new(listed, Some("/b/"), &contents).await.unwrap();
        let names: Vec<&str> = tree.names().map(|(name, _)| name).collect();
        assert_eq!(names, ["a/.sourceignore", "a/x.yaml", "logo.png"]);
        assert!(
            tree.is_directory(&path("a"))
                && !tree.is_directory(&path("b"))
                && tree.is_directory(&path(""))
        );
        assert!(!tree.is_directory(&path("a/x.yaml")));
    }

    #[tokio::test]
    async fn a_directory_is_not_confused_with_one_whose_name_begins_the_same() {
        let (tree, _) = snapshot(&[
            ("app/a.yaml", "a"),
            ("app-2/b.yaml", "b"),
            ("app.yaml", "c"),
        ])
        .await;
        let below: Vec<&str> = tree.below(&path("app")).map(|(name, _)| name).collect();
        assert_eq!(below, ["app/a.yaml"]);
    }

    #[tokio::test]
    async fn the_digest_changes_with_names_and_contents_only() {
        let (one, _) = snapshot(&[("a", "1"), ("b", "2")]).await;
        let (same, _) = snapshot(&[("b", "2"), ("a", "1")]).await;
        let (renamed, _) = snapshot(&[("a", "1"), ("c", "2")]).await;
        let (changed, _) = snapshot(&[("a", "1"), ("b", "3")]).await;
        assert_eq!(one.digest(), same.digest());
        assert!(one.digest() != renamed.digest() && one.digest() != changed.digest());
        assert!(one.digest().starts_with("sha256:") && one.digest().len() == 71);
    }
}
