//! Which files of a repository are not looked at: `.sourceignore` files, `spec.ignore`, and Flux's defaults.
//!
//! The matching is that of Flux's own fork of go-git's gitignore (fluxcd/pkg sourceignore/gitignore/pattern.go): the last
//! pattern that fits decides, and `!` brings a file back even from below an excluded directory.

use super::glob;

/// The patterns that apply to a tree, weakest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

/// The name of the files that hold patterns for their own directory and what is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IgnoreFile;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// The parts of the directory that it applies to.
    domain: Vec<String>,
    parts: Vec<String>,
    brings_back: bool,
    directories_only: bool,
    /// Whether it has a slash, and so speaks of a path from its domain on instead of a name anywhere.
    is_path: bool,
}

impl IgnoreFile {
    /// `.sourceignore`
    pub const NAME: &'static str = ".sourceignore";
}

impl Ignore {
    /// The patterns of `.sourceignore` files, given as directory and content from the root down, and of `spec.ignore`.
    ///
    /// If any of them has a pattern, Flux's defaults for media and CI files do not apply, only those for version control
    /// (fluxcd/pkg artifact/storage/archive.go).
    #[must_use]
    pub fn new(files: &[(String, String)], spec: Option<&str>) -> Self {
        let mut given: Vec<Pattern> = Vec::new();
        for (directory, content) in files {
            given.extend(patterns_in(content, directory));
        }
        given.extend(patterns_in(spec.unwrap_or_default(), ""));
        let defaults: &[&[&str]] = if given.is_empty() {
            &[VCS, OTHERS]
        } else {
            &[VCS]
        };
        let defaults = defaults.iter().copied().flatten();
        let mut patterns: Vec<Pattern> = defaults.map(|text| Pattern::parse(text, "")).collect();
        patterns.extend(given);
        Self { patterns }
    }

    /// Whether the file at this path is left out.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let decisive = self
            .patterns
            .iter()
            .rev()
            .find(|pattern| pattern.fits(&parts));
        decisive.is_some_and(|pattern| !pattern.brings_back)
    }
}

fn patterns_in(content: &str, directory: &str) -> Vec<Pattern> {
    content
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .take(MOST_PATTERNS)
        .map(|line| Pattern::parse(line, directory))
        .collect()
}

impl Pattern {
    fn parse(text: &str, directory: &str) -> Self {
        let (brings_back, text) = text
            .strip_prefix('!')
            .map_or((false, text), |text| (true, text));
        let text = if text.ends_with("\\ ") {
            text
        } else {
            text.trim_end_matches(' ')
        };
        let (directories_only, text) = text
            .strip_suffix('/')
            .map_or((false, text), |text| (true, text));
        Self {
            domain: directory
                .split('/')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            parts: text.split('/').map(str::to_owned).collect(),
            brings_back,
            directories_only,
            is_path: text.contains('/'),
        }
    }

    fn fits(&self, path: &[&str]) -> bool {
        let Some(rest) = path
            .get(self.domain.len()..)
            .filter(|rest| !rest.is_empty())
        else {
            return false;
        };
        if path
            .iter()
            .zip(&self.domain)
            .any(|(part, domain)| part != domain)
        {
            return false;
        }
        if self.is_path {
            self.path_fits(rest)
        } else {
            self.name_fits(rest)
        }
    }

    /// The name of the file or of any directory above it fits. Only files are ever asked about.
    fn name_fits(&self, path: &[&str]) -> bool {
        let found = path
            .iter()
            .position(|name| glob::matches(&self.parts[0], name));
        found.is_some_and(|at| !(self.directories_only && at == path.len() - 1))
    }

    /// The original's algorithm step by step, because its corners are what repositories rely on.
    fn path_fits(&self, mut path: &[&str]) -> bool {
        let mut fits = false;
        let mut any_depth = false;
        for (index, part) in self.parts.iter().enumerate() {
            if part.is_empty() {
                any_depth = false;
                continue;
            }
            if part == "**" {
                if index == self.parts.len() - 1 {
                    break;
                }
                any_depth = true;
                continue;
            }
            if part.contains("**") || path.is_empty() {
                return false;
            }
            if any_depth {
                any_depth = false;
                let found = path.iter().position(|name| glob::matches(part, name));
                fits = found.is_some();
                path = &path[found.map_or(path.len(), |at| at + 1)..];
            } else {
                if !glob::matches(part, path[0]) {
                    return false;
                }
                fits = true;
                path = &path[1..];
            }
        }
        fits && !(self.directories_only && path.is_empty())
    }
}

/// fluxcd/pkg sourceignore/sourceignore.go, `ExcludeVCS`.
const VCS: &[&str] = &[".git/", ".gitignore", ".gitmodules", ".gitattributes"];

/// The same, `ExcludeExt`, `ExcludeCI` and `ExcludeExtra`.
const OTHERS: &[&str] = &[
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// Patterns of one file: matching takes patterns × files steps.
const MOST_PATTERNS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_flux() {
        let ignore = Ignore::new(&[], None);
        for path in [
            ".gitignore",
            "a/.gitignore",
            "a/logo.png",
            ".github/workflows/x.yaml",
            "a/.github/x.yaml",
            ".travis.yml",
            "x/.sops.yaml",
            ".goreleaser.yml",
            "a/b.tar.gz",
        ] {
            assert!(ignore.excludes(path), "{path}");
        }
        for path in ["a.yaml", ".github", "sops.yaml", "github/x.yaml"] {
            assert!(!ignore.excludes(path), "{path}");
        }
    }

    #[test]
    fn with_any_pattern_given_only_version_control_is_ignored_by_default() {
        let ignore = Ignore::new(&[], Some("/docs/\n"));
        assert!(ignore.excludes("docs/a.yaml") && ignore.excludes(".gitignore"));
        assert!(!ignore.excludes("logo.png") && !ignore.excludes("a/docs/b.yaml"));
        assert!(!Ignore::new(&[], Some("# nothing\n\n")).excludes("a.yaml"));
        assert!(Ignore::new(&[], Some("# nothing\n\n")).excludes("logo.png"));
    }

    #[test]
    fn everything_but_one_directory() {
        let ignore = Ignore::new(&[], Some("/*\n!/deploy\n!/charts/\n"));
        for (path, excluded) in [
            ("README.md", true),
            ("src/main.go", true),
            ("deploy/a.yaml", false),
            ("deploy/b/c.yaml", false),
            ("charts/x/y.yaml", false),
        ] {
            assert_eq!(ignore.excludes(path), excluded, "{path}");
        }
    }

    #[test]
    fn a_file_of_patterns_speaks_for_its_own_directory() {
        let ignore = Ignore::new(&[("apps".into(), "*.txt\n/only/\n".into())], None);
        assert!(
            ignore.excludes("apps/a.txt")
                && ignore.excludes("apps/only/x")
                && ignore.excludes("apps/b/c.txt")
        );
        assert!(
            !ignore.excludes("a.txt")
                && !ignore.excludes("only/x")
                && !ignore.excludes("apps/b/only/x")
        );
    }

    /// From fluxcd/pkg sourceignore/gitignore/pattern_test.go.
    #[test]
    fn corners_are_those_of_the_original() {
        for (pattern, path, excluded) in [
            ("vul?ano", "head/vulkano", true),
            ("head/v*o", "head/vulkano", true),
            ("**/*lue/vol?ano", "head/value/volcano/tail", true),
            ("**/*lue/vol?ano/", "head/value/volcano", false),
            ("**/*lue/vol?ano/", "head/value/volcano/x", true),
            ("value/**/vol?ano", "value/volcano", true),
            ("value/**/vol?ano", "value/a/b/volcano", true),
            ("val**ue/volcano", "value/volcano", false),
            ("/value/volcano", "value/volcano/tail", true),
            ("*/head", "a/b/head", false),
            ("**/head/[", "head/value", false),
            ("value/**", "value/volcano", true),
            ("foo*foobar/", "foo123foobar/x", true),
        ] {
            let ignore = Ignore {
                patterns: vec![Pattern::parse(pattern, "")],
            };
            assert_eq!(ignore.excludes(path), excluded, "{pattern} {path}");
        }
    }
}
