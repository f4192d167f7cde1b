//! `config/crds/bases` of external-secrets v2.9.0. Both versions are served with one schema.
//!
//! Of the rules of its webhook (`externalsecret_validator.go`) those are here in CEL that an API server
//! can bound the cost of; the controller checks the others.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::json;

use super::shape::Shape;
use crate::cluster_external_secret::ClusterExternalSecret;
use crate::external_secret::ExternalSecret;
use crate::secret_store::{ClusterSecretStore, SecretStore};

/// Five cron fields, or a name.
const SCHEDULE: &str = r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4})$";
/// The older version, in the same shape.
const V1BETA1: &str = "v1beta1";

pub(super) fn external_secret() -> CustomResourceDefinition {
    let shape = external_secret_spec(Shape::of(ExternalSecret::crd()), "spec")
        .nullable("status.refreshTime")
        .required("status.conditions[]", &["status", "type"])
        .required("status.written.secret", &["resourceVersion", "uid"]);
    component(shape)
}

pub(super) fn cluster_external_secret() -> CustomResourceDefinition {
    let shape = Shape::of(ClusterExternalSecret::crd());
    let shape = external_secret_spec(shape, "spec.externalSecretSpec")
        .required("spec", &["externalSecretSpec"])
        .undescribed("spec.externalSecretSpec")
        .object_name("spec.externalSecretName")
        .namespace("spec.namespaces[]")
        .required("status.conditions[]", &["status", "type"])
        .required("status.failedNamespaces[]", &["namespace"]);
    component(shape)
}

pub(super) fn secret_store() -> CustomResourceDefinition {
    component(store(Shape::of(SecretStore::crd())))
}

pub(super) fn cluster_secret_store() -> CustomResourceDefinition {
    component(store(Shape::of(ClusterSecretStore::crd())))
}

fn component(shape: Shape) -> CustomResourceDefinition {
    shape
        .label("external-secrets.io/component", "controller")
        .also_serve(V1BETA1)
        .done()
}

fn external_secret_spec(shape: Shape, spec: &str) -> Shape {
    let at = |path: &str| format!("{spec}.{path}");
    let shape = store_ref(shape, &at("secretStoreRef"))
        .default(&at("refreshInterval"), "1h0m0s")
        .required(&at("syncWindows"), &["kind", "windows"])
        .at(&at("syncWindows.windows"), |schema| schema.min_items = Some(1))
        .required(&at("syncWindows.windows[]"), &["duration", "schedule"])
        .at(&at("syncWindows.windows[].schedule"), |schema| schema.min_length = Some(1))
        .pattern(&at("syncWindows.windows[].schedule"), SCHEDULE)
        .required(&at("data[]"), &["remoteRef", "secretKey"])
        .key(&at("data[].secretKey"))
        .required(&at("data[].remoteRef"), &["key"])
        .required(&at("dataFrom[].extract"), &["key"])
        .one_field(&at("dataFrom[].rewrite[]"))
        .default(&at("dataFrom[].rewrite[].merge.into"), "")
        .default(&at("dataFrom[].rewrite[].merge.priorityPolicy"), "Strict")
        .default(&at("dataFrom[].rewrite[].merge.conflictPolicy"), "Error")
        .default(&at("dataFrom[].rewrite[].merge.strategy"), "Extract")
        .required(&at("dataFrom[].rewrite[].regexp"), &["source", "target"])
        .required(&at("dataFrom[].rewrite[].transform"), &["template"])
        .rule(
            &at("dataFrom[]"),
            "has(self.extract) || has(self.find) || has(self.sourceRef)",
            "one of extract, find or sourceRef is required",
        )
        .rule(
            &at("dataFrom[]"),
            "!has(self.extract) || !has(self.find)",
            "extract and find cannot be set at the same time",
        )
        .rule(
            &at("dataFrom[]"),
            "!has(self.sourceRef) || !has(self.sourceRef.generatorRef) || \
             !(has(self.extract) || has(self.find))",
            "generatorRef cannot be set together with extract or find",
        )
        .rule(
            spec,
            "(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)",
            "either data or dataFrom should be specified",
        );
    let shape = source_ref(shape, &at("data[].sourceRef"));
    let shape = source_ref(shape, &at("dataFrom[].sourceRef"));
    target(shape, &at("target"))
}

fn store_ref(shape: Shape, path: &str) -> Shape {
    shape.object_name(&format!("{path}.name")).one_of(
        &format!("{path}.kind"),
        &["SecretStore", "ClusterSecretStore"],
    )
}

fn source_ref(shape: Shape, path: &str) -> Shape {
    let generator = format!("{path}.generatorRef");
    store_ref(shape, &format!("{path}.storeRef"))
        .one_field(path)
        .required(&generator, &["kind", "name"])
        .default(
            &format!("{generator}.apiVersion"),
            "generators.external-secrets.io/v1alpha1",
        )
        .object_name(&format!("{generator}.name"))
}

fn target(shape: Shape, target: &str) -> Shape {
    let at = |path: &str| format!("{target}.{path}");
    let shape = shape
        .default(target, json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"}))
        .default(&at("creationPolicy"), "Owner")
        .default(&at("deletionPolicy"), "Retain")
        .object_name(&at("name"))
        .required(&at("manifest"), &["apiVersion", "kind"])
        .at(&at("manifest.apiVersion"), |schema| schema.min_length = Some(1))
        .at(&at("manifest.kind"), |schema| schema.min_length = Some(1))
        .default(&at("template.engineVersion"), "v2")
        .default(&at("template.mergePolicy"), "Replace")
        .default(&at("template.templateFrom[].target"), "Data")
        .rule(
            target,
            "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.creationPolicy) || \
             !(self.creationPolicy in ['Merge', 'None', 'CreateOrMerge'])",
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set \
             creationPolicy=Owner",
        )
        .rule(
            target,
            "!has(self.deletionPolicy) || self.deletionPolicy != 'Merge' || !has(self.creationPolicy) || \
             self.creationPolicy != 'None'",
            "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
        );
    let shape = template_ref(shape, &at("template.templateFrom[].configMap"));
    template_ref(shape, &at("template.templateFrom[].secret"))
}

fn template_ref(shape: Shape, path: &str) -> Shape {
    shape
        .required(path, &["items", "name"])
        .object_name(&format!("{path}.name"))
        .required(&format!("{path}.items[]"), &["key"])
        .key(&format!("{path}.items[].key"))
        .default(&format!("{path}.items[].templateAs"), "Values")
}

fn store(shape: Shape) -> Shape {
    let aws = "spec.provider.aws";
    let at = |path: &str| format!("{aws}.{path}");
    let shape = shape
        .required("spec", &["provider"])
        .one_field("spec.provider")
        // A store of another provider keeps its fields, and gets a condition that says who serves it.
        .open("spec.provider")
        .at("spec.refreshInterval", |schema| {
            schema.type_ = None;
            schema.x_kubernetes_int_or_string = Some(true);
        })
        .namespace("spec.conditions[].namespaces[]")
        .required("status.conditions[]", &["status", "type"])
        .required(aws, &["region", "service"])
        .default(&at("sessionTagsPolicy"), "None")
        .required(&at("sessionTags[]"), &["key", "value"])
        .rule(
            &at("customSessionTags"),
            "!('esoNamespace' in self) && !('esoStoreName' in self) && !('esoStoreKind' in self)",
            "customSessionTags cannot contain automatically injected reserved keys: esoNamespace, \
             esoStoreName, esoStoreKind",
        )
        .required(&at("auth.jwt.serviceAccountRef"), &["name"])
        .object_name(&at("auth.jwt.serviceAccountRef.name"))
        .namespace(&at("auth.jwt.serviceAccountRef.namespace"));
    let selectors = [
        "accessKeyIDSecretRef",
        "secretAccessKeySecretRef",
        "sessionTokenSecretRef",
    ];
    selectors.iter().fold(shape, |shape, selector| {
        let at = |field: &str| format!("{aws}.auth.secretRef.{selector}.{field}");
        shape
            .object_name(&at("name"))
            .namespace(&at("namespace"))
            .key(&at("key"))
    })
}
