//! `config/crd/bases` of source-controller and kustomize-controller (v1.9).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::json;

use super::shape::Shape;
use crate::flux;
use crate::git_repository::GitRepository;
use crate::kustomization::Kustomization;

/// A duration in hours to milliseconds.
const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// A duration in minutes to milliseconds.
const SHORT_DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";
/// A digest with its algorithm.
const DIGEST: &str = "^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$";

pub(super) fn git_repository() -> CustomResourceDefinition {
    let shape = common(Shape::of(GitRepository::crd()))
        .required("spec", &["interval", "url"])
        .pattern("spec.url", "^(http|https|ssh)://.*$")
        .pattern("spec.interval", DURATION)
        .pattern("spec.timeout", SHORT_DURATION)
        .default("spec.timeout", "60s")
        .required("spec.secretRef", &["name"])
        .required("spec.proxySecretRef", &["name"])
        .required("spec.verify", &["secretRef"])
        .default("spec.verify.mode", "HEAD")
        .required("spec.verify.secretRef", &["name"])
        .rule(
            "spec",
            "!has(self.serviceAccountName) || (has(self.provider) && \
             (self.provider == 'azure' || self.provider == 'aws'))",
            "serviceAccountName can only be set when provider is 'azure' or 'aws'",
        );
    let shape =
        ["spec.include[]", "status.observedInclude[]"]
            .iter()
            .fold(shape, |shape, include| {
                let repository = format!("{include}.repository");
                shape
                    .required(include, &["repository"])
                    .required(&repository, &["name"])
            });
    let artifacts = ["status.artifact", "status.includedArtifacts[]"];
    let shape = artifacts.iter().fold(shape, |shape, artifact| {
        shape
            .required(
                artifact,
                &["digest", "lastUpdateTime", "path", "revision", "url"],
            )
            .pattern(&format!("{artifact}.digest"), DIGEST)
    });
    shape.done()
}

pub(super) fn kustomization() -> CustomResourceDefinition {
    let exactly_one = "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified";
    common(Shape::of(Kustomization::crd()))
        .required("spec", &["interval", "prune", "sourceRef"])
        .pattern("spec.interval", DURATION)
        .pattern("spec.retryInterval", DURATION)
        .pattern("spec.timeout", DURATION)
        .required("spec.sourceRef", &["kind", "name"])
        .one_of(
            "spec.sourceRef.kind",
            &[
                "OCIRepository",
                "GitRepository",
                "Bucket",
                "ExternalArtifact",
            ],
        )
        .required("spec.dependsOn[]", &["name"])
        .required("spec.healthChecks[]", &["kind", "name"])
        .required("spec.healthCheckExprs[]", &["apiVersion", "current"])
        .default("spec.force", false)
        .length("spec.targetNamespace", 1, 63)
        .length("spec.namePrefix", 1, 200)
        .length("spec.nameSuffix", 1, 200)
        .required("spec.images[]", &["name"])
        .required("spec.patches[]", &["patch"])
        .one_of(
            "spec.buildMetadata[]",
            &["originAnnotations", "transformerAnnotations"],
        )
        .required("spec.postBuild.substituteFrom[]", &["kind", "name"])
        .one_of(
            "spec.postBuild.substituteFrom[].kind",
            &["Secret", "ConfigMap"],
        )
        .length("spec.postBuild.substituteFrom[].name", 1, 253)
        .default("spec.postBuild.substituteFrom[].optional", false)
        .required("spec.decryption", &["provider"])
        .one_of("spec.decryption.provider", &["sops"])
        .required("spec.decryption.secretRef", &["name"])
        .required("spec.kubeConfig.secretRef", &["name"])
        .required("spec.kubeConfig.configMapRef", &["name"])
        .rule(
            "spec.kubeConfig",
            "has(self.configMapRef) || has(self.secretRef)",
            exactly_one,
        )
        .rule(
            "spec.kubeConfig",
            "!has(self.configMapRef) || !has(self.secretRef)",
            exactly_one,
        )
        .required("spec.ignore[]", &["paths"])
        .required("status.inventory", &["entries"])
        .required("status.inventory.entries[]", &["id", "v"])
        .required(
            "status.history[]",
            &[
                "digest",
                "firstReconciled",
                "lastReconciled",
                "lastReconciledDuration",
                "lastReconciledStatus",
                "totalReconciliations",
            ],
        )
        .done()
}

/// A new object has observed nothing yet, so that nobody takes it for ready; and the `${` in the texts of a
/// CRD is no variable.
fn common(shape: Shape) -> Shape {
    shape
        .default("status", json!({"observedGeneration": -1}))
        .annotation(flux::SUBSTITUTE, flux::DISABLED)
}
