//! What a directory without a kustomization file stands for (fluxcd/pkg kustomize, `scanManifests`).

use crate::tree::{Snapshot, TreePath};

/// One resource of such a directory, in lexical order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resource {
    /// A YAML file.
    File(TreePath),
    /// A directory below with a kustomization file of its own: it is built, not descended into.
    Directory(TreePath),
}

impl Resource {
    /// Where it is.
    pub(super) fn path(&self) -> &TreePath {
        match self {
            Self::File(path) | Self::Directory(path) => path,
        }
    }
}

/// The names of kustomization files, in kustomize's order of preference (api/konfig/general.go).
pub(super) const KUSTOMIZATION_FILES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The kustomization file of a directory.
#[must_use]
pub fn kustomization_file(tree: &Snapshot, directory: &TreePath) -> Option<TreePath> {
    KUSTOMIZATION_FILES
        .iter()
        .filter_map(|name| directory.join(name).ok())
        .find(|path| tree.file(path).is_some())
}

/// All resources of a directory.
pub(super) fn resources(tree: &Snapshot, directory: &TreePath) -> Vec<Resource> {
    let mut found = Vec::new();
    let mut built: Option<String> = None;
    for (name, _) in tree.below(directory) {
        if built
            .as_ref()
            .is_some_and(|prefix| name.starts_with(prefix.as_str()))
        {
            continue;
        }
        let Ok(path) = TreePath::of_user(name) else {
            continue;
        };
        if let Some(above) = built_directory_above(tree, directory, &path) {
            built = Some(above.prefix());
            found.push(Resource::Directory(above));
        } else if name.ends_with(".yaml") || name.ends_with(".yml") {
            found.push(Resource::File(path));
        }
    }
    found
}

/// The outermost directory between `root` (not included) and the file that has a kustomization file.
fn built_directory_above(tree: &Snapshot, root: &TreePath, file: &TreePath) -> Option<TreePath> {
    let mut outermost = None;
    let mut directory = file.parent()?;
    while directory != *root {
        if kustomization_file(tree, &directory).is_some() {
            outermost = Some(directory.clone());
        }
        directory = directory.parent()?;
    }
    outermost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::snapshot;

    fn path(text: &str) -> TreePath {
        TreePath::of_user(text).unwrap()
    }

    #[tokio::test]
    async fn yaml_files_are_taken_and_built_directories_stay_whole() {
        let (tree, _) = snapshot(&[
            ("apps/README.md", ""),
            ("apps/a.yaml", ""),
            ("apps/.hidden.yml", ""),
            ("apps/deep/b.yaml", ""),
            ("apps/deep/c.json", ""),
            ("apps/web/kustomization.yaml", ""),
            ("apps/web/deployment.yaml", ""),
            ("apps/web/sub/Kustomization", ""),
            ("apps/z.yaml", ""),
            ("apps-2/x.yaml", ""),
            ("apps/link.yaml", "-> a.yaml"),
        ])
        .await;
        let expected = [
            Resource::File(path("apps/.hidden.yml")),
            Resource::File(path("apps/a.yaml")),
            Resource::File(path("apps/deep/b.yaml")),
            Resource::Directory(path("apps/web")),
            Resource::File(path("apps/z.yaml")),
        ];
        assert_eq!(resources(&tree, &path("apps")), expected);
        assert_eq!(
            kustomization_file(&tree, &path("apps/web/sub")),
            Some(path("apps/web/sub/Kustomization"))
        );
    }
}
