//! Rendering with the project's YAML.

use template::{Delimiters, Dialect, Limits, Template, TemplateError, Values, Yaml};

/// The project's reader and writer of YAML.
pub(crate) const YAML: Yaml = Yaml {
    read: |text| {
        let documents = crds::yaml::documents_with(text, crds::yaml::Duplicates::LastWins);
        let first = documents
            .map_err(|error| error.to_string())?
            .into_iter()
            .find(|one| one.index == 0);
        Ok(first.map_or(serde_json::Value::Null, |document| document.value))
    },
    write: |value| crds::yaml::to_string(value).map_err(|error| error.to_string()),
};

/// Both dialects.
pub(crate) const DIALECTS: [Dialect; 2] = [Dialect::SealedSecrets, Dialect::ExternalSecrets(YAML)];

/// Parses and renders.
pub(crate) fn render(
    source: &str,
    dialect: Dialect,
    values: &Values,
    limits: &Limits,
) -> Result<Vec<u8>, TemplateError> {
    let template = Template::parse(source, dialect, &Delimiters::default())?;
    Ok(template.render(values, limits)?.expose().to_vec())
}

/// Renders what must succeed, without values.
pub(crate) fn text(source: &str, dialect: Dialect) -> String {
    match render(source, dialect, &Values::new(), &Limits::default()) {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(error) => panic!("{source}: {error}"),
    }
}
