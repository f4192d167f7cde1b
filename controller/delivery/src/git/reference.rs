//! Which commit of a repository a GitRepository asks for.

use crds::git_repository::{DEFAULT_BRANCH, GitReference};

use super::{
    Oid,
    remote::Advertised,
    version::{NotARange, Version, VersionRange},
};

/// Which commit is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The head of a branch.
    Branch(String),
    /// This commit.
    Commit(Oid),
    /// What an absolute reference points at: `refs/pull/420/head`.
    Name(String),
    /// The highest version among the tags that is in a range.
    Semver(VersionRange),
    /// What a tag points at.
    Tag(String),
}

/// Why a reference cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Not 40 hexadecimal digits.
    #[error("spec.ref.commit must be the 40 hexadecimal digits of a commit")]
    Commit,
    /// `git check-ref-format` would refuse it.
    #[error("spec.ref.{field} is not the name of a Git reference")]
    Name {
        /// The field of the spec.
        field: &'static str,
    },
    /// Not a range of versions.
    #[error("spec.ref.semver: {0}")]
    Range(#[from] NotARange),
    /// A way of asking that we do not serve yet.
    #[error("{0} is not served yet")]
    NotServed(&'static str),
}

impl Reference {
    /// Reads `spec.ref`. Where several fields are set, the order is that of Flux's code (fluxcd/pkg git/gogit/client.go,
    /// `Clone`): commit, name, tag, semver, branch. Nothing at all means the branch `master` (git/options.go).
    ///
    /// # Errors
    /// [`ReferenceError`] names the field.
    pub fn of(asked: Option<&GitReference>) -> Result<Self, ReferenceError> {
        let set = |field: fn(&GitReference) -> &String| {
            asked
                .map(field)
                .filter(|value| !value.is_empty())
                .map(String::as_str)
        };
        let branch = set(|asked| &asked.branch);
        if let Some(commit) = set(|asked| &asked.commit) {
            if branch.is_some() {
                return Err(ReferenceError::NotServed(
                    "spec.ref.commit together with spec.ref.branch",
                ));
            }
            return Oid::parse(commit)
                .map(Self::Commit)
                .ok_or(ReferenceError::Commit);
        }
        if let Some(name) = set(|asked| &asked.name) {
            let name = checked("name", name, name)?;
            if !name.starts_with("refs/") {
                return Err(ReferenceError::Name { field: "name" });
            }
            return Ok(Self::Name(name));
        }
        if let Some(tag) = set(|asked| &asked.tag) {
            return checked("tag", tag, &format!("refs/tags/{tag}")).map(Self::Tag);
        }
        if let Some(range) = set(|asked| &asked.semver) {
            return Ok(Self::Semver(VersionRange::parse(range)?));
        }
        let branch = branch.unwrap_or(DEFAULT_BRANCH);
        checked("branch", branch, &format!("refs/heads/{branch}")).map(Self::Branch)
    }

    /// What this stands for in the server's list: of a range the tag that is chosen, and otherwise itself. Of versions
    /// that differ in build metadata alone it is the last by name; Flux takes the youngest commit, which a list does not
    /// tell.
    #[must_use]
    pub fn chosen_in(&self, advertised: &[Advertised]) -> Option<Self> {
        let Self::Semver(range) = self else {
            return Some(self.clone());
        };
        let tags = advertised
            .iter()
            .filter_map(|entry| entry.name.strip_prefix("refs/tags/"));
        let versions = tags.filter_map(|tag| Some((Version::of_tag(tag)?, tag)));
        let highest = versions.filter(|(version, _)| range.holds(version)).max();
        highest.map(|(_, tag)| Self::Tag(tag.to_owned()))
    }

    /// The reference on the server, if it is one.
    #[must_use]
    pub fn remote_name(&self) -> Option<String> {
        match self {
            Self::Branch(branch) => Some(format!("refs/heads/{branch}")),
            Self::Commit(_) | Self::Semver(_) => None,
            Self::Name(name) => Some(name.clone()),
            Self::Tag(tag) => Some(format!("refs/tags/{tag}")),
        }
    }

    /// The commit that the server's list gives for it; of an annotated tag what it points at.
    #[must_use]
    pub fn commit_in(&self, advertised: &[Advertised]) -> Option<Oid> {
        let Some(name) = self.remote_name() else {
            return match self {
                Self::Commit(commit) => Some(*commit),
                Self::Branch(_) | Self::Name(_) | Self::Semver(_) | Self::Tag(_) => None,
            };
        };
        let peeled = format!("{name}^{{}}");
        let find = |name: &str| advertised.iter().find(|entry| entry.name == name);
        find(&peeled).or_else(|| find(&name)).map(|entry| entry.oid)
    }

    /// The revision in Flux's form (fluxcd/pkg git/git.go `Commit.String`, source-controller `commitReference`).
    #[must_use]
    pub fn revision(&self, commit: Oid) -> String {
        match self {
            Self::Branch(name) | Self::Name(name) | Self::Tag(name) => {
                format!("{name}@sha1:{commit}")
            }
            Self::Commit(_) | Self::Semver(_) => format!("sha1:{commit}"),
        }
    }

    /// For messages: `branch main`.
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Self::Branch(name) => format!("branch {name}"),
            Self::Commit(commit) => format!("commit {commit}"),
            Self::Name(name) => format!("reference {name}"),
            Self::Semver(range) => format!("tag that is a version in {range}"),
            Self::Tag(name) => format!("tag {name}"),
        }
    }
}

/// The rules of `git check-ref-format`, and no leading dash.
fn checked(field: &'static str, value: &str, full: &str) -> Result<String, ReferenceError> {
    let forbidden = |c: char| {
        c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\u{7f}')
    };
    let component = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with(".lock")
            && !part.ends_with('.')
    };
    let fine = value.len() <= LONGEST_NAME
        && !value.starts_with('-')
        && !full.contains(forbidden)
        && !full.contains("..")
        && !full.contains("@{")
        && full.split('/').all(component);
    if fine {
        Ok(value.to_owned())
    } else {
        Err(ReferenceError::Name { field })
    }
}

/// File systems end a name at 255 bytes; a reference becomes a path.
const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(branch: &str, tag: &str, name: &str, commit: &str) -> GitReference {
        GitReference {
            branch: branch.into(),
            tag: tag.into(),
            name: name.into(),
            commit: commit.into(),
            ..GitReference::default()
        }
    }

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_most_exact_field_wins_and_gives_the_revision_its_form() {
        let commit = Oid::parse(SHA).unwrap();
        for (asked, revision) in [
            (None, format!("master@sha1:{SHA}")),
            (Some(asked("main", "", "", "")), format!("main@sha1:{SHA}")),
            (
                Some(asked("main", "v1.0.0", "", "")),
                format!("v1.0.0@sha1:{SHA}"),
            ),
            (
                Some(asked("main", "v1", "refs/pull/4/head", "")),
                format!("refs/pull/4/head@sha1:{SHA}"),
            ),
            (
                Some(asked("", "v1", "refs/heads/x", SHA)),
                format!("sha1:{SHA}"),
            ),
        ] {
            let reference = Reference::of(asked.as_ref()).unwrap();
            assert_eq!(reference.revision(commit), revision);
        }
    }

    #[test]
    fn an_annotated_tag_gives_its_commit_and_not_itself() {
        let other = Oid::parse(&"1".repeat(40)).unwrap();
        let entry = |name: &str, oid| Advertised {
            oid,
            name: name.into(),
        };
        let commit = Oid::parse(SHA).unwrap();
        let list = [
            entry("refs/tags/v1", other),
            entry("refs/tags/v1^{}", commit),
            entry("refs/heads/v1", other),
        ];
        let tag = Reference::of(Some(&asked("", "v1", "", ""))).unwrap();
        assert_eq!(tag.commit_in(&list), Some(commit));
        let branch = Reference::of(Some(&asked("missing", "", "", ""))).unwrap();
        assert_eq!(branch.commit_in(&list), None);
    }

    #[test]
    fn a_range_chooses_the_highest_version_among_the_tags() {
        let oid = Oid::parse(SHA).unwrap();
        let names = [
            "HEAD",
            "refs/heads/9.9.9",
            "refs/tags/v1.2.0",
            "refs/tags/1.10.0",
            "refs/tags/v1.10.0-rc.1",
            "refs/tags/2.0.0",
            "refs/tags/latest",
        ];
        let list: Vec<Advertised> = names
            .iter()
            .map(|name| Advertised {
                oid,
                name: (*name).into(),
            })
            .collect();
        let choose = |range: &str| {
            let asked = GitReference {
                semver: range.into(),
                branch: "main".into(),
                ..GitReference::default()
            };
            Reference::of(Some(&asked)).map(|reference| reference.chosen_in(&list))
        };
        assert_eq!(choose("1.x"), Ok(Some(Reference::Tag("1.10.0".into()))));
        assert_eq!(
            choose(">=1.0.0-0 <1.10.0"),
            Ok(Some(Reference::Tag("v1.10.0-rc.1".into())))
        );
        assert_eq!(choose(">3"), Ok(None));
        assert_eq!(choose("not a range"), Err(ReferenceError::Range(NotARange)));
    }

    #[test]
    fn t36_hostile_reference_names_are_refused() {
        for name in [
            "../../x",
            "a/../b",
            "-x",
            "--upload-pack=x",
            "a b",
            "a\nb",
            "a:b",
            "a^b",
            "a~1",
            "a?",
            "a*",
            "[a]",
            "a\\b",
            ".hidden",
            "a//b",
            "a/",
            "a.lock",
            "a.",
            "a@{b",
            "x\0",
        ] {
            assert!(
                Reference::of(Some(&asked(name, "", "", ""))).is_err(),
                "{name}"
            );
            assert!(
                Reference::of(Some(&asked("", name, "", ""))).is_err(),
                "{name}"
            );
            assert!(
                Reference::of(Some(&asked("", "", &format!("refs/{name}"), ""))).is_err()
                    || name == "-x"
                    || name.starts_with("--"),
                "{name}"
            );
        }
        assert!(Reference::of(Some(&asked("", "", "HEAD", ""))).is_err());
        assert!(Reference::of(Some(&asked("", "", "", "0123"))).is_err());
    }
}
