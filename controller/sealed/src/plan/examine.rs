//! Whether a SealedSecret is fit to be opened: all that can be known without a key.

use crds::sealed_secret::{SEALING_KEY, SealedSecret};
use keys::{Label, OpenError, Scope, decode_base64};
use kube::ResourceExt as _;

use super::Blueprint;
use crate::{
    place::Place,
    problem::{ItemProblem, Problem, WhyNot},
    watch::scope_of,
};

/// What the controller's settings have to say about a SealedSecret.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The namespace of the controller and of its keys.
    pub(crate) own_namespace: String,
    /// Start of the key Secrets' names, and the whole name of the oldest one.
    pub(crate) key_prefix: String,
    /// `--accept-deprecated-v1-data`.
    pub(crate) accept_v1_data: bool,
    /// `--allow-privileged-secret-types`.
    pub(crate) allow_privileged_types: bool,
}

impl Rules {
    /// Types with which a Secret mints credentials: the API server's token controller fills the
    /// first, and kube-apiserver takes the second for a login.
    const PRIVILEGED: [&str; 2] = [
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ];

    /// Whether a Secret of this look may be written at this place.
    pub(crate) fn allow(&self, place: &Place, blueprint: &Blueprint) -> Result<(), Problem> {
        if blueprint.labels.contains_key(SEALING_KEY) {
            return Err(Problem::KeyLabel);
        }
        // The oldest form of a key Secret has no label, it is known by its name.
        if place.namespace == self.own_namespace && place.name == self.key_prefix {
            return Err(Problem::KeySecret(place.name.clone()));
        }
        match blueprint.type_.as_deref() {
            Some(privileged)
                if Self::PRIVILEGED.contains(&privileged) && !self.allow_privileged_types =>
            {
                Err(Problem::PrivilegedType(privileged.to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// A SealedSecret that may be opened.
pub(crate) struct Examined {
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) label: Label,
    pub(crate) format: Format,
    pub(crate) items: Vec<Item>,
}

/// How the values are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Each on its own.
    Items,
    /// The whole Secret as one piece of JSON, the deprecated format V1.
    Whole,
}

/// One sealed item, decoded.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Names this ciphertext in the status and in the record.
    pub(crate) digest: String,
}

/// The name under which the status counts the one piece of the deprecated format.
const WHOLE: &str = "data";

/// Checks everything that can be checked without a key.
pub(crate) fn examine(sealed: &SealedSecret, rules: &Rules) -> Result<Examined, Problem> {
    if sealed.spec.data.is_none() {
        let blueprint = Blueprint::of_template(&sealed.spec.template);
        rules.allow(&Place::of(sealed), &blueprint)?;
    }
    sealed_items(sealed, rules)
}

/// The items and where they are sealed for, whether or not they may become a Secret.
pub(crate) fn sealed_items(sealed: &SealedSecret, rules: &Rules) -> Result<Examined, Problem> {
    let place = Place::of(sealed);
    let (format, texts): (_, Vec<(&str, &str)>) = match &sealed.spec.data {
        None => {
            let items = sealed.spec.encrypted_data.iter();
            (
                Format::Items,
                items
                    .map(|(name, text)| (name.as_str(), text.as_str()))
                    .collect(),
            )
        }
        Some(_) if !rules.accept_v1_data => return Err(Problem::DeprecatedFormat),
        Some(_) if !sealed.spec.encrypted_data.is_empty() => return Err(Problem::BothFormats),
        Some(whole) => (Format::Whole, vec![(WHOLE, whole)]),
    };
    let scope = scope_of(&sealed.metadata);
    let label = Label::new(scope, &place.namespace, &sealed.name_any());
    Ok(Examined {
        place,
        scope,
        label,
        format,
        items: decoded(&texts)?,
    })
}

/// All items, or all that is wrong with them.
fn decoded(texts: &[(&str, &str)]) -> Result<Vec<Item>, Problem> {
    let mut items = Vec::with_capacity(texts.len());
    let mut problems = Vec::new();
    for (name, text) in texts {
        match decode_base64(text)
            .map_err(OpenError::from)
            .and_then(long_enough)
        {
            Ok(bytes) => {
                let digest = document::ciphertext_digest(&bytes);
                items.push(Item {
                    name: (*name).to_owned(),
                    bytes,
                    digest,
                });
            }
            Err(error) => problems.push(ItemProblem {
                name: (*name).to_owned(),
                why: WhyNot::Malformed(error),
            }),
        }
    }
    if problems.is_empty() {
        Ok(items)
    } else {
        Err(Problem::Items(problems))
    }
}

/// The length that an item itself claims for its RSA part, and the tag behind it.
fn long_enough(bytes: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    const LENGTH: usize = 2;
    const TAG: usize = 16;
    match bytes.first_chunk::<LENGTH>() {
        Some(length) if bytes.len() >= LENGTH + usize::from(u16::from_be_bytes(*length)) + TAG => {
            Ok(bytes)
        }
        _ => Err(OpenError::TooShort),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        Rules {
            own_namespace: "kube-system".into(),
            key_prefix: "sealed-secrets-key".into(),
            accept_v1_data: true,
            allow_privileged_types: false,
        }
    }

    fn sealed(namespace: &str, name: &str, spec: serde_json::Value) -> SealedSecret {
        serde_json::from_value(json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"namespace": namespace, "name": name, "uid": "u"}, "spec": spec,
        }))
        .unwrap()
    }

    /// 18 bytes: no RSA part, no message, a tag.
    const SHORTEST: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";

    fn problem(sealed: &SealedSecret, rules: &Rules) -> Problem {
        match examine(sealed, rules) {
            Ok(_) => panic!("it was not refused"),
            Err(problem) => problem,
        }
    }

    #[test]
    fn items_are_decoded_and_named() {
        let object = sealed(
            "a",
            "x",
            json!({"encryptedData": {"k": SHORTEST, "l": SHORTEST}}),
        );
        let examined = examine(&object, &rules()).unwrap();
        assert_eq!(examined.format, Format::Items);
        let names: Vec<_> = examined
            .items
            .iter()
            .map(|item| item.name.as_str())
            .collect();
        assert_eq!(names, ["k", "l"]);
        assert_eq!(examined.label, Label::new(Scope::Strict, "a", "x"));
    }

    #[test]
    fn every_malformed_item_is_named_with_what_is_wrong() {
        let object = sealed(
            "a",
            "x",
            json!({"encryptedData": {"a": "AgB=!", "b": "AgA=", "c": 5, "d": SHORTEST}}),
        );
        let text = problem(&object, &rules()).to_string();
        assert!(
            text.contains("item \"a\": illegal base64 data at input byte"),
            "{text}"
        );
        assert!(
            text.contains("item \"b\": SealedSecret data is too short"),
            "{text}"
        );
        assert!(
            text.contains("item \"c\": SealedSecret data is too short"),
            "{text}"
        );
        assert!(!text.contains("item \"d\""), "{text}");
    }

    #[test]
    fn t09_types_that_mint_credentials_are_refused_unless_allowed() {
        for type_ in [
            "kubernetes.io/service-account-token",
            "bootstrap.kubernetes.io/token",
        ] {
            let spec = json!({"encryptedData": {}, "template": {"type": type_}});
            let object = sealed("a", "x", spec);
            assert_eq!(
                problem(&object, &rules()),
                Problem::PrivilegedType(type_.into())
            );
            let allowing = Rules {
                allow_privileged_types: true,
                ..rules()
            };
            assert!(examine(&object, &allowing).is_ok());
        }
    }

    #[test]
    fn nothing_that_could_become_a_sealing_key_is_made() {
        let label = json!({"metadata": {"labels": {SEALING_KEY: "active"}}});
        let labelled = sealed("b", "x", json!({"encryptedData": {}, "template": label}));
        assert_eq!(problem(&labelled, &rules()), Problem::KeyLabel);
        let spec = json!({"encryptedData": {}});
        let legacy = sealed("kube-system", "sealed-secrets-key", spec.clone());
        assert_eq!(
            problem(&legacy, &rules()),
            Problem::KeySecret("sealed-secrets-key".into())
        );
        assert!(examine(&sealed("b", "sealed-secrets-key", spec), &rules()).is_ok());
    }

    #[test]
    fn the_deprecated_format_is_read_when_it_is_alone_and_allowed() {
        let whole = sealed("a", "x", json!({"data": SHORTEST}));
        assert_eq!(examine(&whole, &rules()).unwrap().format, Format::Whole);
        let both = sealed(
            "a",
            "x",
            json!({"data": SHORTEST, "encryptedData": {"k": SHORTEST}}),
        );
        assert_eq!(problem(&both, &rules()), Problem::BothFormats);
        let refusing = Rules {
            accept_v1_data: false,
            ..rules()
        };
        assert_eq!(problem(&whole, &refusing), Problem::DeprecatedFormat);
    }
}
