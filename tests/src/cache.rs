//! Where the built components are: outside the tree, keyed by what they are built from.
//!
//! `${SIGNET_CACHE:-${XDG_CACHE_HOME:-~/.cache}/signet}/NAME-HASH/`, where the hash covers every file
//! of the module. So a component is built once per content, for every checkout, and an old test run
//! never sees a new build.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::Failure;

/// Something that [`crate::preparation`] builds into the cache.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// Its name, also that of its directory in the cache.
    pub name: &'static str,
    /// The directory that it is built from, relative to the repository.
    pub source: &'static str,
    /// How it is built.
    pub recipe: Recipe,
}

/// How a component is built.
#[derive(Clone, Copy, Debug)]
pub enum Recipe {
    /// `go build` of what `package` names, into a directory that then holds `programs`.
    Go {
        /// `.` for the module itself, `tool` for the tools that its go.mod lists.
        package: &'static str,
        /// What the linker is told besides leaving out debug information.
        linker_flags: &'static str,
        /// What there must be afterwards.
        programs: &'static [&'static str],
        /// Further names of the first program, which looks at the name that it is started by.
        links: &'static [&'static str],
    },
    /// `go test -c` of a package of a dependency, with its own build tag.
    GoTests {
        /// The package.
        package: &'static str,
        /// The build tag that its tests need.
        tag: &'static str,
        /// What there must be afterwards.
        programs: &'static [&'static str],
    },
    /// A Python virtual environment with the pinned packages of `requirements.txt`.
    Python {
        /// What there must be afterwards.
        programs: &'static [&'static str],
    },
}

/// etcd, kube-apiserver, kube-controller-manager and kubectl in one file.
pub const CONTROL_PLANE: Component = Component {
    name: "controlplane",
    source: "tests/controlplane",
    recipe: Recipe::Go {
        package: ".",
        linker_flags: "-X k8s.io/component-base/version.gitVersion=v1.37.2 \
                       -X k8s.io/component-base/version.gitMajor=1 \
                       -X k8s.io/component-base/version.gitMinor=37 \
                       -X k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
        programs: &["controlplane"],
        links: &[
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kubectl",
        ],
    },
};

/// The real kubeseal and the real sealed-secrets controller.
pub const SEALED_SECRETS: Component = Component {
    name: "kubeseal",
    source: "tests/tools/kubeseal",
    recipe: Recipe::Go {
        package: "tool",
        linker_flags: "-X main.VERSION=v0.36.6",
        programs: &["kubeseal", "controller"],
        links: &[],
    },
};

/// The incumbent's own integration suite of the sealing part.
pub const SEALED_SECRETS_SUITE: Component = Component {
    name: "sealed-secrets-suite",
    source: "tests/tools/sealed-secrets-suite",
    recipe: Recipe::GoTests {
        package: "github.com/bitnami-labs/sealed-secrets/integration",
        tag: "integration",
        programs: &["integration.test"],
    },
};

/// The real kustomize.
pub const KUSTOMIZE: Component = Component {
    name: "kustomize",
    source: "tests/tools/kustomize",
    recipe: Recipe::Go {
        package: "tool",
        linker_flags: "",
        programs: &["kustomize"],
        links: &[],
    },
};

/// The real helm.
pub const HELM: Component = Component {
    name: "helm",
    source: "tests/tools/helm",
    recipe: Recipe::Go {
        package: "tool",
        linker_flags: "",
        programs: &["helm"],
        links: &[],
    },
};

/// Our own small program around kustomize's library, which the controller starts.
pub const SIGNET_KUSTOMIZE: Component = Component {
    name: "signet-kustomize",
    source: "controller/delivery/kustomize",
    recipe: Recipe::Go {
        package: ".",
        linker_flags: "",
        programs: &["signet-kustomize"],
        links: &[],
    },
};

/// moto, which plays AWS.
pub const MOTO: Component = Component {
    name: "moto",
    source: "tests/moto",
    recipe: Recipe::Python {
        programs: &["bin/moto_server"],
    },
};

/// Everything that `make prepare` builds, what takes longest first.
pub const ALL: [Component; 7] = [
    CONTROL_PLANE,
    SEALED_SECRETS,
    SEALED_SECRETS_SUITE,
    KUSTOMIZE,
    HELM,
    SIGNET_KUSTOMIZE,
    MOTO,
];

impl Component {
    /// The path of one of its programs.
    ///
    /// `KUBEBUILDER_ASSETS`, where set, is looked into first for the parts of the control plane.
    ///
    /// # Errors
    /// If it is not built; says what to do.
    pub fn program(&self, program: &str) -> Result<PathBuf, Failure> {
        if self.name == CONTROL_PLANE.name
            && let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS")
        {
            let path = PathBuf::from(assets).join(program);
            // The sets that people download hold no controller manager; ours then stands in.
            if path.is_file() {
                return Ok(path);
            }
        }
        let path = self.directory()?.join(program);
        if path.exists() {
            return Ok(path);
        }
        Err(Failure::new(format!(
            "{} is not built: run `make prepare`",
            self.name
        )))
    }

    /// Whether `KUBEBUILDER_ASSETS` holds all that it would be built for.
    pub fn is_replaced(&self) -> bool {
        let Recipe::Go { links, .. } = self.recipe else {
            return false;
        };
        let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) else {
            return false;
        };
        self.name == CONTROL_PLANE.name && links.iter().all(|part| assets.join(part).is_file())
    }

    /// Its directory in the cache, whether built or not.
    ///
    /// # Errors
    /// If its source cannot be read.
    pub fn directory(&self) -> Result<PathBuf, Failure> {
        Ok(root()?.join(format!("{}-{}", self.name, self.hash()?)))
    }

    /// The first 16 hex digits of a digest over the recipe and all files of the source.
    fn hash(&self) -> Result<String, Failure> {
        let source = repository().join(self.source);
        let mut files = Vec::new();
        list(&source, &mut files).map_err(|failure| {
            failure.while_doing(&format!(
                "read the source of {} in {}",
                self.name, self.source
            ))
        })?;
        files.sort();
        let mut digest = Sha256::new();
        if let Recipe::Go { linker_flags, .. } = self.recipe {
            digest.update(linker_flags);
        }
        for file in files {
            let content = std::fs::read(&file)?;
            digest.update(file.strip_prefix(&source)?.as_os_str().as_encoded_bytes());
            digest.update([0]);
            digest.update(u64::try_from(content.len())?.to_be_bytes());
            digest.update(content);
        }
        let digest = digest.finalize();
        Ok(digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }
}

/// The directory of the cache.
///
/// # Errors
/// If neither `SIGNET_CACHE` nor `XDG_CACHE_HOME` nor `HOME` is set.
pub fn root() -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    if let Some(path) = set("SIGNET_CACHE") {
        return Ok(PathBuf::from(path));
    }
    let base = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")));
    let base = base.ok_or_else(|| Failure::new("neither HOME nor SIGNET_CACHE is set"))?;
    Ok(base.join("signet"))
}

/// The top of the repository that we work in: the nearest directory above the current one that holds
/// the harness.
///
/// Not the one that the harness was built in, unless we are elsewhere: checkouts may share a target
/// directory, and cargo does not tell their builds apart.
pub fn repository() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    let current = std::env::current_dir().unwrap_or_default();
    let found = current
        .ancestors()
        .find(|directory| directory.join(CONTROL_PLANE.source).is_dir());
    found
        .or_else(|| built_in.parent())
        .unwrap_or(built_in)
        .to_owned()
}

/// A program of our own workspace, as built beside the running test: `controller`, `kubeseal`.
///
/// # Errors
/// If it is not built; says what to do.
pub fn own_program(name: &str) -> Result<PathBuf, Failure> {
    let me = std::env::current_exe()?;
    let directory = me
        .parent()
        .ok_or_else(|| Failure::new("the test program has no directory"))?;
    // Tests are in target/PROFILE/deps, binaries in target/PROFILE.
    let profile = if directory.ends_with("deps") {
        directory.parent()
    } else {
        Some(directory)
    };
    let path = profile.unwrap_or(directory).join(name);
    if path.is_file() {
        return Ok(path);
    }
    let path = path.display();
    Err(Failure::new(format!(
        "there is no {path}: run `cargo build --workspace --bins`"
    )))
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_a_source_with_a_stable_hash() {
        for component in ALL {
            assert_eq!(
                component.hash().unwrap(),
                component.hash().unwrap(),
                "{}",
                component.name
            );
        }
    }

    #[test]
    fn components_have_different_directories() {
        let directories = ALL.map(|component| component.directory().unwrap());
        let distinct: std::collections::BTreeSet<_> = directories.iter().collect();
        assert_eq!(distinct.len(), ALL.len());
    }
}
