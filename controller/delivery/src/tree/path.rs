//! A path inside a repository that cannot leave it.

use std::fmt;

/// A clean path from the root of a repository: no leading slash, no empty, `.` or `..` part. Empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(String);

/// A path that holds something no path in a repository holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a path inside the repository: {0}")]
pub struct InvalidPath(String);

impl TreePath {
    /// Reads a path as a user writes it: `./apps/prod`, `apps/prod/`, `/apps`, the empty path. `..` is followed, and at
    /// the root it stays at the root, as Flux's secure join does (kustomize-controller, `securejoin.SecureJoin`).
    ///
    /// # Errors
    /// [`InvalidPath`] for control characters and backslashes.
    pub fn of_user(text: &str) -> Result<Self, InvalidPath> {
        Self::default().join(text)
    }

    /// This directory followed by a relative path; a leading slash makes no difference.
    ///
    /// # Errors
    /// [`InvalidPath`] for control characters and backslashes.
    pub fn join(&self, relative: &str) -> Result<Self, InvalidPath> {
        if relative.chars().any(|c| c.is_control() || c == '\\') {
            return Err(InvalidPath(kit::redact::foreign(relative)));
        }
        let mut parts: Vec<&str> = self.parts().collect();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// As a string without a leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that it is in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let parent = self.0.rsplit_once('/').map_or("", |(parent, _)| parent);
        Some(Self(parent.to_owned()))
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Its parts from the root down.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// What all paths below this directory begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        if self.is_root() {
            String::new()
        } else {
            format!("{}/", self.0)
        }
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            f.write_str(".")
        } else {
            f.write_str(&self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_users_write_them_and_never_leave_the_root() {
        for (text, path) in [
            ("", ""),
            (".", ""),
            ("./", ""),
            ("/", ""),
            ("./apps/prod/", "apps/prod"),
            ("/apps//prod", "apps/prod"),
            ("apps/../infra", "infra"),
            ("../../../etc/passwd", "etc/passwd"),
            ("a/b/../../../../c", "c"),
        ] {
            assert_eq!(TreePath::of_user(text).unwrap().as_str(), path, "{text}");
        }
        assert!(TreePath::of_user("a\nb").is_err());
        assert!(TreePath::of_user("..\\..\\x").is_err());
    }

    #[test]
    fn a_path_knows_its_directory() {
        let path = TreePath::of_user("a/b/c.yaml").unwrap();
        assert_eq!(
            (path.name(), path.parent().unwrap().as_str()),
            ("c.yaml", "a/b")
        );
        assert_eq!(path.parent().unwrap().join("../x").unwrap().as_str(), "a/x");
        assert_eq!(TreePath::default().parent(), None);
        assert_eq!(TreePath::default().to_string(), ".");
    }
}
