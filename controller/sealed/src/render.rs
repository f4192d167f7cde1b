//! Rendering `spec.template.data`.

use std::collections::BTreeMap;

use keys::SecretBytes;
use template::render_items;

use crate::problem::Problem;

/// Renders every template of a SealedSecret. It may take long: call it where blocking is allowed.
pub(crate) fn render(
    texts: &BTreeMap<String, String>,
    plaintexts: &BTreeMap<String, SecretBytes>,
) -> Result<BTreeMap<String, SecretBytes>, Problem> {
    render_items(texts, plaintexts).map_err(|failed| Problem::Template {
        key: failed.name,
        message: failed.error.to_string(),
        may_pass: failed.error.is_for_want_of_time(),
    })
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
