//! How a directory is rendered: found out first, with all files read, and then done.

use crds::kustomization::KustomizationSpec;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    ambiguous,
    aside::aside,
    budget::Budget,
    failure::RenderError,
    kustomize::{Build, Kustomize},
    manifest::Manifest,
    plain::{built, finished, plain},
    references::{self, Files, kustomization_file},
    scan::{self, Resource},
    substitute::Variables,
};
use crate::{
    hex,
    tree::{Snapshot, Source, TreePath},
};

/// What will be rendered, read and ready: its key tells whether it is the same as last time.
pub struct Rendering {
    directory: TreePath,
    files: Files,
    way: Way,
    key: String,
    /// What is left for what kustomize asks for.
    budget: Budget,
}

enum Way {
    /// Each file is YAML with objects.
    Plain,
    Kustomize {
        overlay: Value,
    },
    /// By kustomize if it is there, because it reads some words otherwise.
    PlainUnlessKustomize {
        overlay: Value,
    },
}

/// Finds out how the path of a Kustomization is rendered, and reads the files for it.
/// `variables` tells the versions of what will be put in, so that others give another key.
///
/// # Errors
/// [`RenderError`], when the path is not there or a file cannot be read.
pub async fn plan(
    tree: &Snapshot,
    source: &impl Source,
    spec: &KustomizationSpec,
    variables: &str,
) -> Result<Rendering, RenderError> {
    let directory = TreePath::of_user(&spec.path)?;
    if !tree.is_directory(&directory) {
        return Err(RenderError::NoPath(directory.to_string()));
    }
    let has_file = kustomization_file(tree, &directory).is_some();
    let resources = if has_file {
        Vec::new()
    } else {
        scan::resources(tree, &directory)
    };
    let all_files = resources
        .iter()
        .all(|resource| matches!(resource, Resource::File(_)));
    let mut budget = Budget::of(&directory);
    let is_plain = !has_file && all_files && !transforms(spec);
    let files = if is_plain {
        let paths = resources.iter().map(|resource| resource.path().clone());
        references::read(tree, source, paths, &mut budget).await?
    } else {
        let own = resources
            .iter()
            .map(|resource| relative_to(&directory, resource.path()));
        let more: Vec<String> = own.chain(spec.components.iter().cloned()).collect();
        references::follow(tree, source, &directory, &more, &mut budget).await?
    };
    let (spec, variables) = (spec.clone(), variables.to_owned());
    let rendering = aside(move || {
        let way = if is_plain {
            way_of_plain(&spec, &directory, &files)
        } else {
            let resources: Vec<String> = resources
                .iter()
                .map(|resource| relative_to(&directory, resource.path()))
                .collect();
            Way::Kustomize {
                overlay: overlay(&spec, &resources),
            }
        };
        Rendering::new(directory, files, way, spec, &variables, budget)
    });
    Ok(rendering.await)
}

/// How a directory of plain files is rendered.
fn way_of_plain(spec: &KustomizationSpec, directory: &TreePath, files: &Files) -> Way {
    let is_ambiguous =
        |content: &Vec<u8>| std::str::from_utf8(content).is_ok_and(ambiguous::is_ambiguous);
    if !files.values().any(is_ambiguous) {
        return Way::Plain;
    }
    let resources: Vec<String> = files
        .keys()
        .map(|path| relative_to(directory, path))
        .collect();
    Way::PlainUnlessKustomize {
        overlay: overlay(spec, &resources),
    }
}

/// As a kustomization file in the directory names it.
fn relative_to(directory: &TreePath, path: &TreePath) -> String {
    format!("./{}", &path.as_str()[directory.prefix().len()..])
}

/// Whether the Kustomization asks for what only kustomize does. Common metadata and substitution come after it.
fn transforms(spec: &KustomizationSpec) -> bool {
    !(spec.target_namespace.is_empty()
        && spec.name_prefix.is_empty()
        && spec.name_suffix.is_empty()
        && spec.patches.is_empty()
        && spec.images.is_empty()
        && spec.components.is_empty()
        && spec.build_metadata.is_empty())
}

/// As `kustomize/overlay.go` reads it.
fn overlay(spec: &KustomizationSpec, resources: &[String]) -> Value {
    json!({
        "resources": resources,
        "targetNamespace": spec.target_namespace,
        "namePrefix": spec.name_prefix,
        "nameSuffix": spec.name_suffix,
        "patches": spec.patches,
        "images": spec.images,
        "components": spec.components,
        "ignoreMissingComponents": spec.ignore_missing_components,
        "buildMetadata": spec.build_metadata,
    })
}

impl Rendering {
    fn new(
        directory: TreePath,
        files: Files,
        way: Way,
        mut spec: KustomizationSpec,
        variables: &str,
        budget: Budget,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(RENDERER.as_bytes());
        let part = |hash: &mut Sha256, bytes: &[u8]| {
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        };
        // What only says when and for how long does not change what is rendered.
        (spec.interval, spec.retry_interval, spec.timeout) = (String::new(), None, None);
        part(&mut hash, &serde_json::to_vec(&spec).unwrap_or_default());
        part(&mut hash, variables.as_bytes());
        for (path, content) in &files {
            part(&mut hash, path.as_str().as_bytes());
            part(&mut hash, content);
        }
        let key = hex::lower(&hash.finalize()[..16]);
        Self {
            directory,
            files,
            way,
            key,
            budget,
        }
    }

    /// Equal for two renderings that have the same outcome, before what is substituted.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Renders. Objects come in no particular order, and no two have the same name. The second value says whether the
    /// key covers everything that was read.
    ///
    /// # Errors
    /// [`RenderError`] names file and place.
    pub async fn run(
        self,
        tree: &Snapshot,
        source: &impl Source,
        kustomize: Option<&Kustomize>,
        variables: Variables,
    ) -> Result<(Vec<Manifest>, bool), RenderError> {
        let Self {
            directory,
            files,
            way,
            mut budget,
            ..
        } = self;
        match (way, kustomize) {
            (Way::Plain, _) | (Way::PlainUnlessKustomize { .. }, None) => {
                let manifests = aside(move || finished(plain(files)?, &variables)).await?;
                Ok((manifests, true))
            }
            (Way::Kustomize { .. }, None) => Err(RenderError::NoKustomize(directory.to_string())),
            (
                Way::Kustomize { overlay } | Way::PlainUnlessKustomize { overlay },
                Some(kustomize),
            ) => {
                let build = Build {
                    directory: &directory,
                    overlay,
                };
                let built_by = kustomize.build(&build, tree, source, files, &mut budget);
                let (documents, asked_for) = built_by.await?;
                let manifests =
                    aside(move || finished(built(&documents, &directory)?, &variables)).await?;
                Ok((manifests, asked_for.is_empty()))
            }
        }
    }
}

/// Raised when the same files may give other objects.
const RENDERER: &str = "signet 1, kustomize api v0.21.1";

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::{render::aside::tests::all_places, tree::tests::snapshot};

    fn spec(path: &str) -> KustomizationSpec {
        KustomizationSpec {
            path: path.into(),
            ..KustomizationSpec::default()
        }
    }

    async fn render(
        files: &[(&str, &str)],
        spec: &KustomizationSpec,
    ) -> Result<Vec<String>, String> {
        let (tree, source) = snapshot(files).await;
        let rendering = plan(&tree, &source, spec, "")
            .await
            .map_err(|error| error.to_string())?;
        let (manifests, _) = rendering
            .run(&tree, &source, None, Variables::default())
            .await
            .map_err(|error| error.to_string())?;
        Ok(manifests
            .iter()
            .map(|manifest| manifest.id().subject())
            .collect())
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n";

    #[tokio::test]
    async fn a_plain_directory_is_rendered_by_us() {
        let files = [
            ("apps/a.yaml", MAP),
            (
                "apps/deep/b.yml",
                "---\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n---\n",
            ),
            ("apps/README.md", "no yaml: [at all"),
        ];
        assert_eq!(
            render(&files, &spec("./apps")).await.unwrap(),
            ["ConfigMap/shop/a", "Namespace/shop"]
        );
        assert!(
            render(&[("x/README.md", "")], &spec("x"))
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn parsing_is_done_beside_the_threads_that_serve_everything_else() {
        let (tree, source) = snapshot(&[("apps/a.yaml", MAP)]).await;
        let spec = spec("apps");
        let planned = plan(&tree, &source, &spec, "").await.ok().unwrap();
        let held = all_places().await;
        let run = planned.run(&tree, &source, None, Variables::default());
        let mut run = Box::pin(run);
        assert!(run.as_mut().now_or_never().is_none());
        assert!(plan(&tree, &source, &spec, "").now_or_never().is_none());
        drop(held);
        assert_eq!(run.await.ok().unwrap().0.len(), 1);
    }

    #[tokio::test]
    async fn what_needs_kustomize_says_so_without_it() {
        let with_file = [
            ("apps/a.yaml", MAP),
            ("apps/kustomization.yaml", "resources: [a.yaml]"),
        ];
        let below = [
            ("apps/a.yaml", MAP),
            ("apps/web/kustomization.yaml", "resources: []"),
        ];
        let plain = [("apps/a.yaml", MAP)];
        let prefixed = KustomizationSpec {
            name_prefix: "x-".into(),
            ..spec("apps")
        };
        for (files, spec) in [
            (&with_file[..], spec("apps")),
            (&below[..], spec("apps")),
            (&plain[..], prefixed),
        ] {
            let error = render(files, &spec).await.unwrap_err();
            assert!(error.contains("signet-kustomize was not found"), "{error}");
        }
    }

    #[tokio::test]
    async fn errors_name_file_and_place() {
        for (files, expected) in [
            (
                &[("b/x.yaml", MAP)][..],
                "kustomization path not found: the revision has no directory apps",
            ),
            (
                &[("apps/a.yaml", MAP), ("apps/b.yaml", MAP)][..],
                "ConfigMap/shop/a is in apps/a.yaml, line 1 and again in apps/b.yaml, line 1",
            ),
            (
                &[("apps/a.yaml", "kind: X\n")][..],
                "apps/a.yaml, line 1: not a Kubernetes object: apiVersion is missing or not a string",
            ),
        ] {
            assert_eq!(render(files, &spec("apps")).await.unwrap_err(), expected);
        }
        let broken = [("apps/a.yaml", "apiVersion: v1\nkind: [\n")];
        let error = render(&broken, &spec("apps")).await.unwrap_err();
        assert!(error.starts_with("apps/a.yaml, line "), "{error}");
    }

    #[tokio::test]
    async fn variables_are_put_into_objects_and_may_become_numbers() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: \"${where}\"}\nspec: {replicas: \"${count}\"}\n";
        let untouched = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: script\n  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}\ndata: {run: \"${HOME}\"}\n";
        let (tree, source) = snapshot(&[("a.yaml", text), ("b.yaml", untouched)]).await;
        let mut variables = Variables::new(false);
        variables.set("where", "shop").unwrap();
        variables.set("count", "3").unwrap();
        let rendering = plan(&tree, &source, &spec(""), "").await.ok().unwrap();
        let (manifests, _) = rendering
            .run(&tree, &source, None, variables)
            .await
            .ok()
            .unwrap();
        assert_eq!(manifests[0].id().subject(), "Deployment/shop/web");
        assert_eq!(manifests[0].value()["spec"]["replicas"], json!(3));
        assert_eq!(manifests[1].value()["data"]["run"], json!("${HOME}"));
        let mut fewer = Variables::new(false);
        fewer.set("where", "shop").unwrap();
        let rendering = plan(&tree, &source, &spec(""), "").await.ok().unwrap();
        let error = rendering
            .run(&tree, &source, None, fewer)
            .await
            .err()
            .unwrap()
            .to_string();
        assert_eq!(
            error,
            "Deployment/${where}/web: line 7: variable not set (strict mode): \"count\""
        );
    }

    #[tokio::test]
    async fn the_key_changes_with_what_is_rendered_and_nothing_else() {
        let key = async |files: &[(&str, &str)], spec: &KustomizationSpec| {
            let (tree, source) = snapshot(files).await;
            plan(&tree, &source, spec, "")
                .await
                .ok()
                .unwrap()
                .key()
                .to_owned()
        };
        let first = key(
            &[("apps/a.yaml", MAP), ("other/b.yaml", "1")],
            &spec("apps"),
        )
        .await;
        let elsewhere = key(
            &[("apps/a.yaml", MAP), ("other/b.yaml", "2")],
            &spec("apps"),
        )
        .await;
        let slower = KustomizationSpec {
            interval: "9m".into(),
            ..spec("apps")
        };
        let pruned = KustomizationSpec {
            prune: true,
            ..spec("apps")
        };
        assert_eq!(first, elsewhere);
        assert_eq!(first, key(&[("apps/a.yaml", MAP)], &slower).await);
        assert_ne!(first, key(&[("apps/a.yaml", MAP)], &pruned).await);
        assert_ne!(first, key(&[("apps/b.yaml", MAP)], &spec("apps")).await);
        assert_ne!(
            first,
            key(
                &[("apps/a.yaml", &format!("{MAP}data: {{}}\n"))],
                &spec("apps")
            )
            .await
        );
    }
}
