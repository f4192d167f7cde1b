//! Rendering `spec.template.data`.

use std::collections::BTreeMap;

use keys::SecretBytes;
use template::{Delimiters, Dialect, Limits, Template};

use crate::problem::Problem;

/// Renders every template of a SealedSecret. It may take long: call it where blocking is allowed.
///
/// The templates see the opened items by name, and, as in the incumbent from v0.37 on, the raw text of
/// the templates beside them where no item has that name.
pub(crate) fn render(
    texts: &BTreeMap<String, String>,
    plaintexts: &BTreeMap<String, SecretBytes>,
) -> Result<BTreeMap<String, SecretBytes>, Problem> {
    let mut seen = template::Values::new();
    for (name, value) in plaintexts {
        seen.insert(name.clone(), value.duplicate());
    }
    for (name, text) in texts {
        seen.entry(name.clone())
            .or_insert_with(|| text.clone().into_bytes().into());
    }
    texts
        .iter()
        .map(|(name, text)| {
            let rendered = Template::parse(text, Dialect::SealedSecrets, &Delimiters::default())
                .and_then(|template| template.render(&seen, &Limits::default()))
                .map_err(|error| Problem::Template {
                    key: name.clone(),
                    message: error.to_string(),
                })?;
            Ok((name.clone(), rendered))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(
        texts: &[(&str, &str)],
        values: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, String> {
        let texts = texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec().into()))
            .collect();
        let rendered = render(&texts, &values).map_err(|problem| problem.to_string())?;
        let text = |value: &SecretBytes| String::from_utf8_lossy(value.expose()).into_owned();
        Ok(rendered
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect())
    }

    #[test]
    fn a_template_sees_the_items_and_its_neighbours_as_they_are_written() {
        let texts = [
            ("url", "{{ .user }}:{{ index . \"password\" | upper }}"),
            ("user", "bob"),
        ];
        let made = rendered(&texts, &[("password", "s3cret")]).unwrap();
        assert_eq!(made[0], ("url".into(), "bob:S3CRET".into()));
        // An item wins over the text of a template of the same name.
        let made = rendered(&texts, &[("password", "p"), ("user", "eve")]).unwrap();
        assert_eq!(made[0].1, "eve:P");
    }

    #[test]
    fn a_missing_item_prints_what_go_prints() {
        assert_eq!(
            rendered(&[("t", "{{ .none }}")], &[]).unwrap()[0].1,
            "<no value>"
        );
    }

    #[test]
    fn what_is_wrong_names_the_template_and_quotes_no_value() {
        for (text, part) in [
            ("{{ .a ", "\"t\": line 1"),
            ("{{ nothing }}", "nothing"),
            ("{{ env \"HOME\" }}", "env"),
            ("{{ fail .a }}", "fail"),
        ] {
            let problem = rendered(&[("t", text)], &[("a", "hunter2")]).unwrap_err();
            assert!(
                problem.contains(part) && !problem.contains("hunter2"),
                "{problem}"
            );
        }
    }
}
