//! What the variants of deploy/ and the chart come to, as the real kustomize and the real helm render
//! them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::cache::{HELM, KUSTOMIZE};
use tests::{Failure, Invocation, Scratch, cache};

/// The objects of one variant.
pub(crate) struct Rendered {
    pub(crate) name: String,
    pub(crate) objects: Vec<Value>,
}

/// The variants that are installed with `kubectl apply -k`.
pub(crate) const VARIANTS: [&str; 3] = ["base", "namespaced", "sealed-only"];

/// Releases of the chart: a name, the namespace, and a values file beside this suite.
pub(crate) const RELEASES: [&str; 4] = ["standard", "everything", "namespaced", "all-parts"];

/// A directory of deploy/, through kustomize.
pub(crate) async fn variant(name: &str) -> Result<Rendered, Failure> {
    let scratch = Scratch::new("kustomize")?;
    let text = Invocation::new(KUSTOMIZE.program("kustomize")?)
        .env("HOME", scratch.path())
        .args(["build".into(), deploy().join(name)])
        .stdout()
        .await?;
    Rendered::read(name, &text)
}

/// The chart with the values of `values/NAME.yaml`, as the release `sealed-secrets` of a namespace of
/// this name.
pub(crate) async fn release(name: &str) -> Result<Rendered, Failure> {
    let values = cache::repository().join(format!("tests/tests/deploy/values/{name}.yaml"));
    let text = helm()?
        .args(["template", "sealed-secrets", "--namespace", name])
        .args([deploy().join("chart").as_os_str()])
        .args(["--values".as_ref(), values.as_os_str()])
        .stdout()
        .await?;
    let mut rendered = Rendered::read(&format!("chart, {name}"), &text)?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
    });
    rendered.objects.insert(0, namespace);
    Ok(rendered)
}

/// All variants and all releases.
pub(crate) async fn all() -> Result<Vec<Rendered>, Failure> {
    let mut all = Vec::new();
    for name in VARIANTS {
        all.push(variant(name).await?);
    }
    for name in RELEASES {
        all.push(release(name).await?);
    }
    Ok(all)
}

/// The real helm, with nothing of the user's.
pub(crate) fn helm() -> Result<Invocation, Failure> {
    let nowhere = cache::root()?.join("no-helm");
    let mut helm = Invocation::new(HELM.program("helm")?);
    for variable in [
        "HOME",
        "HELM_CACHE_HOME",
        "HELM_CONFIG_HOME",
        "HELM_DATA_HOME",
    ] {
        helm = helm.env(variable, &nowhere);
    }
    Ok(helm)
}

/// The directory deploy/.
pub(crate) fn deploy() -> PathBuf {
    cache::repository().join("deploy")
}

impl Rendered {
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, Failure> {
        let mut objects = Vec::new();
        for document in crds::yaml::documents(text)? {
            if !document.value.is_null() {
                objects.push(document.value);
            }
        }
        let name = name.to_owned();
        Ok(Self { name, objects })
    }

    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |object| object["kind"] == kind)
    }

    /// The one controller.
    pub(crate) fn deployment(&self) -> &Value {
        let mut all = self.of_kind("Deployment");
        let (first, second) = (all.next(), all.next());
        assert!(second.is_none(), "{}: two Deployments", self.name);
        first.unwrap_or(&Value::Null)
    }

    /// The arguments of the one controller.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let container = &self.deployment()["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].as_array();
        arguments.into_iter().flatten().map(text).collect()
    }

    /// What the controller's ServiceAccount may do: a line for each verb on each resource.
    pub(crate) fn rights(&self) -> BTreeSet<String> {
        let template = &self.deployment()["spec"]["template"]["spec"];
        let account = &template["serviceAccountName"];
        let home = &self.deployment()["metadata"]["namespace"];
        let mut lines = BTreeSet::new();
        for binding in &self.objects {
            let subjects = binding["subjects"].as_array().into_iter().flatten();
            let ours =
                |subject: &Value| subject["name"] == *account && subject["namespace"] == *home;
            if subjects.filter(|subject| ours(subject)).count() == 0 {
                continue;
            }
            let scope = binding["metadata"]["namespace"]
                .as_str()
                .unwrap_or("*everywhere*");
            let role = &binding["roleRef"];
            let role = self.objects.iter().find(|object| {
                object["kind"] == role["kind"]
                    && object["metadata"]["name"] == role["name"]
                    && object["metadata"]["namespace"] == binding["metadata"]["namespace"]
            });
            match role {
                Some(role) => lines.extend(rules(scope, role)),
                None => {
                    let name = text(&binding["roleRef"]["name"]);
                    lines.insert(format!("{scope}: the role {name}"));
                }
            }
        }
        lines
    }
}

/// A line for each verb on each resource of a role.
pub(crate) fn rules(scope: &str, role: &Value) -> BTreeSet<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut lines = BTreeSet::new();
    for rule in list(&role["rules"]) {
        let names: Vec<String> = list(&rule["resourceNames"]).iter().map(text).collect();
        let names = match names.as_slice() {
            [] => String::new(),
            names => format!(" {}", names.join(",")),
        };
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    let kind = format!("{}/{}", text(&group), text(&resource));
                    let kind = kind.trim_start_matches('/');
                    lines.insert(format!("{scope}: {} {kind}{names}", text(&verb)));
                }
            }
        }
    }
    lines
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
