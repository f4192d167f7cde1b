//! `config/crds/bases/generators.external-secrets.io_*` of external-secrets v2.9.0, of which two are
//! served.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceSubresourceStatus, CustomResourceSubresources,
};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::shape::Shape;
use crate::generator::{ECRAuthorizationToken, Password};

pub(super) fn password() -> CustomResourceDefinition {
    let shape = Shape::of(Password::crd())
        .default("spec.length", 24)
        .default("spec.noUpper", false)
        .default("spec.allowRepeat", false)
        .default("spec.encoding", "raw")
        .at("spec.secretKeys", |schema| schema.min_items = Some(1))
        .at("spec.secretKeys[]", |schema| schema.min_length = Some(1));
    done(shape)
}

pub(super) fn ecr_authorization_token() -> CustomResourceDefinition {
    done(Shape::of(ECRAuthorizationToken::crd()).required("spec", &["region"]))
}

/// The incumbent's generators have a status that nobody writes.
fn done(shape: Shape) -> CustomResourceDefinition {
    let shape = shape.label("external-secrets.io/component", "controller");
    let mut crd = shape.done();
    for version in &mut crd.spec.versions {
        let status = CustomResourceSubresourceStatus(json!({}));
        let status = CustomResourceSubresources {
            status: Some(status),
            scale: None,
        };
        version.subresources = Some(status);
    }
    crd
}
