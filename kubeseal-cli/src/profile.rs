//! `.signet/config.yaml`: what a repository says about its clusters, so that nobody has to.
//!
//! ```yaml
//! profiles:
//!   - name: prod                        # .signet/prod/ may hold keys.json and certificates
//!     paths: ["clusters/prod/**"]       # relative to the directory of .signet; all, if left out
//!     certificate: certs/prod.pem       # a file there, or an https URL
//!     context: prod                     # of the kubeconfig
//!     controllerName: sealed-secrets
//!     controllerNamespace: security
//! ```
//!
//! The first profile whose path fits is used. The file is data: nothing in it is ever executed.

use std::path::{Component, Path, PathBuf};

use document::{KEYS_FILE, PublishedKeys, certificate_file};
use keys::Certificate;
use serde::Deserialize;

use crate::error::Failure;
use crate::files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    profiles: Vec<Profile>,
}

/// What is known about one cluster.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) name: String,
    #[serde(default)]
    paths: Vec<String>,
    certificate: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) controller_name: Option<String>,
    pub(crate) controller_namespace: Option<String>,
    /// The directory that holds `.signet`.
    #[serde(skip)]
    root: PathBuf,
}

impl Profile {
    /// The profile for a file or directory: from the nearest `.signet/config.yaml` above it.
    pub(crate) fn for_path(path: &Path) -> Result<Option<Self>, Failure> {
        let absolute = absolute(path)?;
        for root in absolute.ancestors().skip(usize::from(!absolute.is_dir())) {
            let file = root.join(DIRECTORY).join(CONFIGURATION);
            if file.is_file() {
                return Self::select(root, &file, &absolute);
            }
        }
        Ok(None)
    }

    fn select(root: &Path, file: &Path, path: &Path) -> Result<Option<Self>, Failure> {
        let bytes = files::read(file)?;
        let wrong = |cause: String| Failure::Work(format!("{}: {cause}", file.display()));
        let text = crds::yaml::text(bytes.expose()).map_err(|error| wrong(error.to_string()))?;
        let configuration: Configuration =
            crds::yaml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let relative = path.strip_prefix(root).unwrap_or(path);
        for mut profile in configuration.profiles {
            if !is_plain_name(&profile.name) {
                return Err(wrong(
                    "the name of a profile is a single directory name".to_owned(),
                ));
            }
            if profile.paths.is_empty() || profile.paths.iter().any(|glob| fits(glob, relative)) {
                root.clone_into(&mut profile.root);
                return Ok(Some(profile));
            }
        }
        Ok(None)
    }

    /// Where its certificate is: the file or URL that is named, else the current one among the
    /// published keys, else the only certificate of its directory.
    pub(crate) fn certificate(&self) -> Result<Option<String>, Failure> {
        if let Some(certificate) = &self.certificate {
            if certificate.starts_with("https://") {
                return Ok(Some(certificate.clone()));
            }
            if certificate.contains("://") {
                return Err(Failure::Work(format!(
                    "profile {}: the certificate has to be a file or an https URL",
                    self.name
                )));
            }
            return Ok(Some(self.root.join(certificate).display().to_string()));
        }
        if let Some(keys) = self.published()? {
            let Some(current) = keys.current() else {
                return Ok(None);
            };
            let key = current.fingerprint.parse().map_err(|error| {
                Failure::Work(format!("profile {}: {KEYS_FILE}: {error}", self.name))
            })?;
            let path = self.directory().join(certificate_file(&key));
            return Ok(Some(path.display().to_string()));
        }
        Ok(match self.certificate_files().as_slice() {
            [only] => Some(only.display().to_string()),
            _ => None,
        })
    }

    /// The committed copy of the published keys.
    pub(crate) fn published(&self) -> Result<Option<PublishedKeys>, Failure> {
        let path = self.directory().join(KEYS_FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = files::read(&path)?;
        let text = String::from_utf8_lossy(bytes.expose());
        PublishedKeys::parse(&text)
            .map(Some)
            .map_err(|error| Failure::Work(format!("{}: {error}", path.display())))
    }

    /// All certificates of its directory.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate>, Failure> {
        let read = |path: PathBuf| {
            Certificate::from_pem(files::read(&path)?.expose())
                .map_err(|error| Failure::Work(format!("{}: {error}", path.display())))
        };
        self.certificate_files().into_iter().map(read).collect()
    }

    fn certificate_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.directory())
            .into_iter()
            .flatten()
            .flatten();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pem"))
            .collect();
        paths.sort();
        paths
    }

    fn directory(&self) -> PathBuf {
        self.root.join(DIRECTORY).join(&self.name)
    }
}

pub(crate) const DIRECTORY: &str = ".signet";
const CONFIGURATION: &str = "config.yaml";

/// The path from the root, without `.` and `..`, whether or not the file exists yet.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))?;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Ok(clean)
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':'])
}

/// `*` and `?` within a name, `**` for any number of directories. A pattern fits everything below what
/// it fits.
fn fits(pattern: &str, path: &Path) -> bool {
    let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let names: Vec<String> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    fits_names(&pattern, &names)
}

fn fits_names(pattern: &[&str], names: &[&str]) -> bool {
    match (pattern.split_first(), names.split_first()) {
        (None, _) => true,
        (Some((&"**", rest)), _) => {
            (0..=names.len()).any(|skipped| fits_names(rest, &names[skipped..]))
        }
        (Some(_), None) => false,
        (Some((first, rest)), Some((name, names))) => {
            fits_name(first.as_bytes(), name.as_bytes()) && fits_names(rest, names)
        }
    }
}

fn fits_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits_name(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(_, name)| fits_name(pattern, name))
        }
        (Some((b'?', pattern)), Some((_, name))) => fits_name(pattern, name),
        (Some((left, pattern)), Some((right, name))) => left == right && fits_name(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names_and_directories() {
        let cases = [
            ("clusters/prod/**", "clusters/prod/db/secret.yaml", true),
            ("clusters/prod", "clusters/prod/db/secret.yaml", true),
            ("clusters/*/db", "clusters/prod/db/secret.yaml", true),
            ("**/secret.yaml", "clusters/prod/db/secret.yaml", true),
            ("**", "x", true),
            ("*.yaml", "a/b.yaml", false),
            ("cl?sters", "clusters/x", true),
            ("clusters/staging/**", "clusters/prod/x", false),
            ("clusters/prod/x/y", "clusters/prod/x", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(fits(pattern, Path::new(path)), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_profiles_name_cannot_lead_elsewhere() {
        for name in ["", ".", "..", "a/b", "../a", "a\\b", "C:"] {
            assert!(!is_plain_name(name), "{name}");
        }
        assert!(is_plain_name("prod-1"));
    }
}
