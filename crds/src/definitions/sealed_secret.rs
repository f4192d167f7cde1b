//! `schema-v1alpha1.yaml` of sealed-secrets, and the printer columns of its Helm chart.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

use super::shape::Shape;
use crate::sealed_secret::SealedSecret;

pub(super) fn sealed_secret() -> CustomResourceDefinition {
    Shape::of(SealedSecret::crd())
        .required("", &["spec"])
        .required("spec", &["encryptedData"])
        // Bad values are said in the object's own condition.
        .open("spec.encryptedData")
        .at("spec.data", |schema| {
            schema.format = Some("byte".to_owned());
        })
        .nullable("spec.template.metadata")
        .open("spec.template.metadata")
        .nullable("spec.template.data")
        .nullable("spec.template.data{}")
        .required("status.conditions[]", &["status", "type"])
        .required("status.written.secret", &["resourceVersion", "uid"])
        .required("status.written.items{}", &["digest", "key"])
        .done()
}
