//! From YAML texts to objects that can be applied.

use std::collections::HashMap;

use crds::kustomization::SUBSTITUTE;

use super::{
    budget::ReadError, failure::RenderError, manifest::Manifest, references::Files,
    substitute::Variables,
};
use crate::tree::{TreeError, TreePath};

/// The objects of plain files.
pub(super) fn plain(files: Files) -> Result<Vec<Manifest>, RenderError> {
    let mut manifests = Vec::new();
    for (path, content) in files {
        let text = String::from_utf8(content)
            .map_err(|_| ReadError::from(TreeError::NotText(path.to_string())))?;
        manifests.extend(objects_in(&text, path.as_str())?);
    }
    Ok(manifests)
}

/// The objects that kustomize built, which are one to a document.
pub(super) fn built(
    documents: &[String],
    directory: &TreePath,
) -> Result<Vec<Manifest>, RenderError> {
    let origin = format!("the build of {directory}");
    let mut manifests = Vec::new();
    for document in documents {
        manifests.extend(objects_in(document, &origin)?);
    }
    Ok(manifests)
}

pub(super) fn objects_in(text: &str, origin: &str) -> Result<Vec<Manifest>, RenderError> {
    let documents = crds::yaml::documents(text).map_err(|error| RenderError::Yaml {
        origin: format!("{origin}, line {}, column {}", error.line, error.column),
        message: error.message,
    })?;
    let mut manifests = Vec::new();
    for document in documents {
        let origin = format!("{origin}, line {}", document.line);
        manifests.extend(Manifest::from_document(document.value, &origin)?);
    }
    Ok(manifests)
}

/// Puts variables into the YAML text of each object, and reads it again: a value may be a number then, as in Flux
/// (fluxcd/pkg kustomize kustomize_varsub.go, `SubstituteVariables`).
fn substituted(
    manifests: Vec<Manifest>,
    variables: &Variables,
) -> Result<Vec<Manifest>, RenderError> {
    let mut filled = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        let off = [manifest.label(SUBSTITUTE), manifest.annotation(SUBSTITUTE)];
        if off.contains(&Some(crds::flux::DISABLED)) {
            filled.push(manifest);
            continue;
        }
        let subject = manifest.id().subject();
        let origin = format!("{subject} with its variables");
        let text = crds::yaml::to_string(manifest.value()).map_err(|error| RenderError::Yaml {
            origin: origin.clone(),
            message: error.message,
        })?;
        let text = variables
            .fill(&text)
            .map_err(|cause| RenderError::Substitution {
                subject: subject.clone(),
                cause,
            })?;
        filled.extend(objects_in(&text, &origin)?);
    }
    Ok(filled)
}

/// kustomize refuses two resources of one id (resmap `Append`); so do we for plain files.
fn refuse_twins(manifests: &[Manifest]) -> Result<(), RenderError> {
    let mut seen: HashMap<_, &str> = HashMap::new();
    for manifest in manifests {
        if let Some(first) = seen.insert(manifest.id(), manifest.origin()) {
            return Err(RenderError::Twice {
                subject: manifest.id().subject(),
                first: first.to_owned(),
                second: manifest.origin().to_owned(),
            });
        }
    }
    Ok(())
}

/// Puts the variables in, and sees to it that what comes out can be applied.
pub(super) fn finished(
    manifests: Vec<Manifest>,
    variables: &Variables,
) -> Result<Vec<Manifest>, RenderError> {
    let manifests = if variables.are_used() {
        substituted(manifests, variables)?
    } else {
        manifests
    };
    manifests
        .iter()
        .try_for_each(Manifest::must_be_addressable)?;
    refuse_twins(&manifests)?;
    Ok(manifests)
}
