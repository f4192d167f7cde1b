//! The CustomResourceDefinitions of all kinds, in the shape of the incumbents' but without their bulk.
//!
//! Derived from the types, then given what Rust types cannot say: defaults, patterns, what is required.
//! Where a field's rule is the incumbent's, so that what its CRD lets through ours does too; one CRD of a few
//! kilobytes takes the place of 690 (`secretstores`).

mod external_secrets;
mod flux;
mod generators;
mod sealed_secret;
mod shape;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::yaml;

/// The definitions of all kinds, sorted by name.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        sealed_secret::sealed_secret(),
        external_secrets::external_secret(),
        external_secrets::cluster_external_secret(),
        external_secrets::secret_store(),
        external_secrets::cluster_secret_store(),
        generators::password(),
        generators::ecr_authorization_token(),
        flux::git_repository(),
        flux::kustomization(),
    ];
    all.sort_by(|left, right| left.metadata.name.cmp(&right.metadata.name));
    all
}

/// Name and text of the file in `crds/yaml/` that holds a definition.
///
/// # Errors
/// When the definition cannot be written as YAML, which no definition of [`all`] is.
pub fn file(crd: &CustomResourceDefinition) -> Result<(String, String), yaml::Error> {
    let name = format!("{}.yaml", crd.metadata.name.as_deref().unwrap_or_default());
    let text = yaml::to_string(crd)?;
    Ok((
        name,
        format!("# Made by `make crds` from the types in crds/src; do not edit.\n{text}"),
    ))
}
