//! What can be known about a SealedSecret without a private key.
//!
//! With the record: whether each item was sealed for this very name, namespace and scope, and with a key
//! that the cluster still holds. Without it: structure, base64 and lengths; and a number that is not
//! below the modulus of a key proves that this key did not seal it. That an item opens is never proven.

use crds::sealed_secret::{CLUSTER_WIDE, NAMESPACE_WIDE};
use keys::{Certificate, Label, Scope, decode_base64, sealed_sizes};
use serde_json::Value;

use crate::{Identity, KeyState, PublishedKeys, Record, RecordedItem, label_digest, metadata};

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Sealed with a key that leaked.
    CompromisedKey,
    /// The whole Secret is sealed as one piece, which is deprecated.
    DeprecatedData,
    /// Two SealedSecrets of one place have the same name and namespace.
    Duplicate,
    /// An item's name is not one that a Secret can have.
    ItemName,
    /// A kustomization gives a sealed file another name than it is sealed for.
    KustomizeName,
    /// A kustomization puts a sealed file into another namespace than it is sealed for.
    KustomizeNamespace,
    /// A value is not base64.
    NotBase64,
    /// There is no name.
    NoName,
    /// There is no namespace, and the scope asks for one.
    NoNamespace,
    /// Sealed with another key than the one certificate that is known.
    OtherKey,
    /// Sealed for another name, namespace or scope.
    OtherPlace,
    /// A Secret in clear.
    PlainSecret,
    /// Sealed with a key that the cluster no longer holds.
    RetiredKey,
    /// The scope stands in the template, where nobody reads it.
    ScopeInTemplate,
    /// A value is shorter than any sealed one.
    Truncated,
    /// Sealed with a key that is not among the published ones.
    UnknownKey,
    /// A file that looks like a sealed one and cannot be read.
    Unreadable,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot work, or must not be.
    Error,
    /// It may be meant.
    Warning,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::CompromisedKey,
        Self::DeprecatedData,
        Self::Duplicate,
        Self::ItemName,
        Self::KustomizeName,
        Self::KustomizeNamespace,
        Self::NotBase64,
        Self::NoName,
        Self::NoNamespace,
        Self::OtherKey,
        Self::OtherPlace,
        Self::PlainSecret,
        Self::RetiredKey,
        Self::ScopeInTemplate,
        Self::Truncated,
        Self::UnknownKey,
        Self::Unreadable,
    ];

    /// Its name in reports, which stays as it is.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.words().0
    }

    /// What it is about, in one sentence.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.words().1
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::DeprecatedData | Self::NoNamespace | Self::OtherKey => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::CompromisedKey => (
                "compromised-key",
                "An item is sealed with a key that leaked",
            ),
            Self::DeprecatedData => ("deprecated-data", "The Secret is sealed as one piece"),
            Self::Duplicate => ("duplicate", "A SealedSecret is there twice"),
            Self::ItemName => ("item-name", "The name of an item cannot be one of a Secret"),
            Self::KustomizeName => ("kustomize-name", "A kustomization changes a sealed name"),
            Self::KustomizeNamespace => (
                "kustomize-namespace",
                "A kustomization changes a sealed namespace",
            ),
            Self::NotBase64 => ("not-base64", "A value is not base64"),
            Self::NoName => ("no-name", "A SealedSecret has no name"),
            Self::NoNamespace => ("no-namespace", "A SealedSecret has no namespace"),
            Self::OtherKey => ("other-key", "An item is sealed with another key"),
            Self::OtherPlace => (
                "other-place",
                "An item is sealed for another name, namespace or scope",
            ),
            Self::PlainSecret => ("plain-secret", "A Secret is there in clear"),
            Self::RetiredKey => ("retired-key", "An item is sealed with a key that is gone"),
            Self::ScopeInTemplate => ("scope-in-template", "The scope stands in the template only"),
            Self::Truncated => ("truncated", "A value is too short to be a sealed one"),
            Self::UnknownKey => ("unknown-key", "An item is sealed with an unknown key"),
            Self::Unreadable => ("unreadable", "A file cannot be read"),
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub rule: Rule,
    /// The item that it is about.
    pub item: Option<String>,
    /// What is wrong and what to do now. It holds names and fingerprints, no values.
    pub message: String,
}

impl Finding {
    /// One about the whole object.
    #[must_use]
    pub fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self {
            rule,
            item: None,
            message: message.into(),
        }
    }
}

/// The keys that are known.
#[derive(Default)]
pub struct KnownKeys {
    /// The published list, which names all keys that the cluster holds or held.
    pub published: Option<PublishedKeys>,
    /// The certificates that are at hand.
    pub certificates: Vec<Certificate>,
}

/// What was found in one SealedSecret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examined {
    /// In the order of the items.
    pub findings: Vec<Finding>,
    /// How many items there are.
    pub items: usize,
    /// Of how many the record speaks.
    pub recorded: usize,
}

/// Examines one SealedSecret object.
#[must_use]
pub fn examine(object: &Value, known: &KnownKeys) -> Examined {
    let identity = Identity::of(object);
    let mut examined = Examined::default();
    examined.findings.extend(about_object(object, &identity));
    let annotations = object.pointer("/metadata/annotations");
    let record = annotations.and_then(|map| map.get(crds::sealed_secret::SEALED_WITH));
    let record = record
        .and_then(Value::as_str)
        .map(Record::parse)
        .unwrap_or_default();
    let items = object
        .pointer("/spec/encryptedData")
        .and_then(Value::as_object);
    for (name, value) in items.into_iter().flatten() {
        examined.items += 1;
        let value = value.as_str().unwrap_or_default();
        let about = Item {
            name,
            identity: &identity,
            known,
        };
        match about.bytes(value) {
            Err(finding) => examined.findings.push(finding),
            Ok(bytes) => {
                let recorded = record.find(name, &bytes);
                examined.recorded += usize::from(recorded.is_some());
                examined.findings.extend(about.place(recorded));
                examined.findings.extend(about.key(recorded, &bytes));
            }
        }
    }
    examined
}

fn about_object(object: &Value, identity: &Identity) -> Vec<Finding> {
    let mut findings = Vec::new();
    if identity.name.is_empty() {
        findings.push(Finding::new(Rule::NoName, "metadata.name is missing"));
    }
    if identity.namespace.is_empty() && identity.scope != Scope::ClusterWide {
        findings.push(Finding::new(
            Rule::NoNamespace,
            "metadata.namespace is missing, so what it is sealed for depends on where it is applied",
        ));
    }
    let template = object
        .pointer("/spec/template/metadata/annotations")
        .and_then(Value::as_object);
    let of_template = metadata::scope_in(template);
    if of_template != Scope::Strict && identity.scope == Scope::Strict {
        let annotation = if of_template == Scope::ClusterWide {
            CLUSTER_WIDE
        } else {
            NAMESPACE_WIDE
        };
        findings.push(Finding::new(
            Rule::ScopeInTemplate,
            format!(
                "{annotation} stands in spec.template.metadata.annotations only; the controller \
                 reads it in metadata.annotations"
            ),
        ));
    }
    if object
        .pointer("/spec/data")
        .is_some_and(|data| !data.is_null())
    {
        findings.push(Finding::new(
            Rule::DeprecatedData,
            "spec.data is deprecated; seal the Secret again",
        ));
    }
    findings
}

/// One item, and what there is to judge it by.
struct Item<'a> {
    name: &'a str,
    identity: &'a Identity,
    known: &'a KnownKeys,
}

impl Item<'_> {
    fn finding(&self, rule: Rule, message: impl Into<String>) -> Finding {
        Finding {
            rule,
            item: Some(self.name.to_owned()),
            message: message.into(),
        }
    }

    fn bytes(&self, value: &str) -> Result<Vec<u8>, Finding> {
        if crate::edit::check_item_name(self.name).is_err() {
            return Err(self.finding(
                Rule::ItemName,
                "the name cannot be the key of a Secret: letters, digits, '-', '_' and '.'",
            ));
        }
        let bytes = decode_base64(value)
            .map_err(|error| self.finding(Rule::NotBase64, error.to_string()))?;
        match sealed_sizes(&bytes) {
            Some(_) => Ok(bytes),
            None => Err(self.finding(
                Rule::Truncated,
                "the value is too short; it was cut off, or is no sealed value",
            )),
        }
    }

    /// Whether it was sealed for this place. Without a namespace that cannot be known.
    fn place(&self, recorded: Option<&RecordedItem>) -> Option<Finding> {
        let Identity {
            name,
            namespace,
            scope,
        } = self.identity;
        if namespace.is_empty() && *scope != Scope::ClusterWide {
            return None;
        }
        let recorded = recorded.filter(|r| r.label != label_digest(&self.identity.label()))?;
        let fits =
            |scope: &Scope| recorded.label == label_digest(&Label::new(*scope, namespace, name));
        let message = match Scope::ALL.iter().find(|scope| fits(scope)) {
            Some(other) => format!(
                "it was sealed with scope {other}, and the annotations say {scope}: set them to \
                 {other}, or seal it again"
            ),
            None => format!(
                "it was sealed for another name or namespace than {namespace}/{name}: seal it again"
            ),
        };
        Some(self.finding(Rule::OtherPlace, message))
    }

    fn key(&self, recorded: Option<&RecordedItem>, bytes: &[u8]) -> Option<Finding> {
        match (recorded, &self.known.published) {
            (Some(recorded), Some(published)) => self.recorded_key(&recorded.key, published),
            (Some(recorded), None) => {
                let known = &self.known.certificates;
                let is_known = |certificate: &Certificate| {
                    certificate.public_key().fingerprint().to_string() == recorded.key
                };
                if known.is_empty() || known.iter().any(is_known) {
                    return None;
                }
                let message = format!(
                    "it was sealed with {}, not with this certificate",
                    recorded.key
                );
                Some(self.finding(Rule::OtherKey, message))
            }
            (None, published) => self.unrecorded_key(bytes, published.as_ref()),
        }
    }

    fn recorded_key(&self, key: &str, published: &PublishedKeys) -> Option<Finding> {
        match published.find(key).map(|key| key.state) {
            Some(KeyState::Current | KeyState::Active | KeyState::Unknown) => None,
            Some(KeyState::Retired) => Some(self.finding(
                Rule::RetiredKey,
                format!("the cluster no longer holds {key}: set the value again"),
            )),
            Some(KeyState::Compromised) => Some(self.finding(
                Rule::CompromisedKey,
                format!("{key} leaked: change the value itself, and seal the new one"),
            )),
            None => Some(self.finding(
                Rule::UnknownKey,
                format!("{key} is not among the published keys: another cluster's certificate?"),
            )),
        }
    }

    /// Without a record only a proof counts: no known key can have made it.
    fn unrecorded_key(&self, bytes: &[u8], published: Option<&PublishedKeys>) -> Option<Finding> {
        let known = &self.known.certificates;
        let possible = |certificate: &Certificate| certificate.public_key().may_have_sealed(bytes);
        if known.is_empty() || known.iter().any(possible) {
            return None;
        }
        let complete = published.is_some_and(|published| {
            published.keys.iter().all(|key| {
                let is = |certificate: &&Certificate| {
                    certificate.public_key().fingerprint().to_string() == key.fingerprint
                };
                known.iter().any(|certificate| is(&certificate))
            })
        });
        Some(if complete {
            self.finding(
                Rule::UnknownKey,
                "none of the published keys can have sealed it: another cluster's certificate?",
            )
        } else {
            self.finding(Rule::OtherKey, "this certificate cannot have sealed it")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{PublishedKey, Secret, seal_secret};
    use keys::{KeyPair, KeySize, Validity};
    use serde_json::json;

    fn pair() -> KeyPair {
        let validity = Validity::starting(SystemTime::UNIX_EPOCH, Duration::from_secs(1));
        KeyPair::generate(KeySize::Bits2048, validity, "").unwrap()
    }

    fn sealed(pair: &KeyPair, record: bool) -> Value {
        let secret =
            json!({"metadata": {"name": "db", "namespace": "shop"}, "stringData": {"a": "x"}});
        seal_secret(
            &Secret::from_value(secret).unwrap(),
            pair.public_key(),
            record,
        )
        .unwrap()
    }

    fn certificate(pair: &KeyPair) -> Certificate {
        Certificate::from_pem(pair.certificate().to_pem().as_bytes()).unwrap()
    }

    fn published(pair: &KeyPair, state: KeyState) -> KnownKeys {
        let key = PublishedKey {
            fingerprint: pair.fingerprint().to_string(),
            state,
            not_before: String::new(),
            not_after: String::new(),
            items: None,
        };
        KnownKeys {
            published: Some(PublishedKeys { keys: vec![key] }),
            certificates: vec![certificate(pair)],
        }
    }

    fn rules(object: &Value, known: &KnownKeys) -> Vec<&'static str> {
        examine(object, known)
            .findings
            .iter()
            .map(|finding| finding.rule.id())
            .collect()
    }

    #[test]
    fn a_good_one_has_no_findings_with_and_without_a_record() {
        let pair = pair();
        for record in [true, false] {
            let examined = examine(&sealed(&pair, record), &published(&pair, KeyState::Current));
            assert_eq!(examined.findings, []);
            assert_eq!(
                (examined.items, examined.recorded),
                (1, usize::from(record))
            );
        }
    }

    #[test]
    fn what_was_moved_or_renamed_is_found_by_its_record() {
        let pair = pair();
        let known = KnownKeys::default();
        let mut moved = sealed(&pair, true);
        moved["metadata"]["namespace"] = "other".into();
        assert_eq!(rules(&moved, &known), ["other-place"]);
        let mut widened = sealed(&pair, true);
        widened["metadata"]["annotations"][CLUSTER_WIDE] = "true".into();
        let examined = examine(&widened, &known);
        assert!(
            examined.findings[0]
                .message
                .contains("sealed with scope strict")
        );
        // Another tool put another value there: unknown, not wrong.
        let mut merged = moved.clone();
        merged["spec"]["encryptedData"] = sealed(&pair, false)["spec"]["encryptedData"].clone();
        assert_eq!(rules(&merged, &known), [""; 0]);
        let mut homeless = sealed(&pair, true);
        homeless["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("namespace");
        assert_eq!(rules(&homeless, &known), ["no-namespace"]);
    }

    #[test]
    fn a_keys_state_is_told() {
        let pair = pair();
        let object = sealed(&pair, true);
        for (state, expected) in [
            (KeyState::Active, None),
            (KeyState::Retired, Some("retired-key")),
            (KeyState::Compromised, Some("compromised-key")),
        ] {
            let found = rules(&object, &published(&pair, state));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
        let other = self::pair();
        assert_eq!(
            rules(&object, &published(&other, KeyState::Current)),
            ["unknown-key"]
        );
        let single = KnownKeys {
            published: None,
            certificates: vec![certificate(&other)],
        };
        assert_eq!(rules(&object, &single), ["other-key"]);
    }

    #[test]
    fn without_a_record_a_number_above_the_modulus_is_a_proof() {
        let pair = pair();
        let mut object = sealed(&pair, false);
        let mut bytes =
            decode_base64(object["spec"]["encryptedData"]["a"].as_str().unwrap()).unwrap();
        bytes[2..10].fill(0xff);
        object["spec"]["encryptedData"]["a"] = keys::encode_base64(&bytes).into();
        assert_eq!(
            rules(&object, &published(&pair, KeyState::Current)),
            ["unknown-key"]
        );
        let single = KnownKeys {
            published: None,
            certificates: vec![certificate(&pair)],
        };
        assert_eq!(rules(&object, &single), ["other-key"]);
        assert_eq!(rules(&object, &KnownKeys::default()), [""; 0]);
    }

    #[test]
    fn broken_structure_is_named() {
        let object = json!({
            "metadata": {},
            "spec": {
                "data": "eA==",
                "template": {"metadata": {"annotations": {NAMESPACE_WIDE: "true"}}},
                "encryptedData": {"a": "not base64!", "b": "eA==", "c/d": "eA==", "e": 5},
            },
        });
        let mut found = rules(&object, &KnownKeys::default());
        found.sort_unstable();
        let expected = [
            "deprecated-data",
            "item-name",
            "no-name",
            "no-namespace",
            "not-base64",
            "scope-in-template",
            "truncated",
            "truncated",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let mut ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Rule::ALL.len());
    }
}
