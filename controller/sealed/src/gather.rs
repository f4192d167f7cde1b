//! The inputs of one attempt: the SealedSecret as it is now, the Secret that is there, the values.

use std::{collections::BTreeMap, sync::Arc};

use crds::sealed_secret::{SealedSecret, Written};
use k8s_openapi::api::core::v1::Secret;
use keys::SecretBytes;
use kit::{redact, target};
use kube::{Api, Client};

use crate::{
    keyring::KeySet,
    memory::{Known, Memory},
    open::{Opener, Opening},
    place::Place,
    plan::{Examined, Remembered, Values, inputs_digest, reusable},
    problem::Problem,
    record, render,
    watch::Look,
};

/// Reads the SealedSecret. `None` when it is gone.
pub(crate) async fn sealed_secret(
    client: &Client,
    place: &Place,
) -> Result<Option<SealedSecret>, Problem> {
    let api = Api::<SealedSecret>::namespaced(client.clone(), &place.namespace);
    api.get_opt(&place.name)
        .await
        .map_err(|error| Problem::Fetch(redact::api_error(&error)))
}

/// Reads the Secret that is there. What is known to be absent is not asked for.
pub(crate) async fn live_secret(
    client: &Client,
    place: &Place,
    look: &Look,
) -> Result<Option<Secret>, Problem> {
    match look {
        Look::Absent | Look::LeftAlone(_) => Ok(None),
        Look::Present(_) | Look::Unknown => {
            Ok(target::read(client, &place.namespace, &place.name).await?)
        }
    }
}

/// What the values are taken from.
pub(crate) struct Sources<'a> {
    pub(crate) sealed: &'a SealedSecret,
    pub(crate) live: Option<&'a Secret>,
    pub(crate) known: Option<&'a Known>,
    pub(crate) memory: &'a Memory,
    pub(crate) keys: &'a Arc<KeySet>,
    pub(crate) opener: &'a Opener,
}

/// The values of all items: those that are unchanged from the Secret that we wrote, the others
/// opened.
pub(crate) async fn values(
    sources: &Sources<'_>,
    examined: &mut Examined,
) -> Result<Values, Problem> {
    let uid = sources.sealed.metadata.uid.as_deref().unwrap_or_default();
    let inputs = inputs_digest(uid, examined.scope);
    let in_status = sources
        .sealed
        .status
        .as_ref()
        .and_then(|status| status.written.as_ref());
    let written = sources.known.map(|known| &known.written).or(in_status);
    let remembered = Remembered {
        written,
        inputs: &inputs,
        marks: sources.known.map(|known| (sources.memory, &known.marks)),
    };
    let mut values = Values::default();
    if let Some(live) = sources.live {
        let templates = &sources.sealed.spec.template.data;
        examined.items.retain(|item| {
            let is_reused = !templates.contains_key(&item.name)
                && reusable(item, live, &remembered)
                && reuse(item, live, &remembered, sources.keys, &mut values);
            !is_reused
        });
    }
    if !examined.items.is_empty() {
        open(sources, examined, written, &mut values).await?;
    }
    render(sources, &mut values).await?;
    Ok(values)
}

/// Opens the items that are left.
async fn open(
    sources: &Sources<'_>,
    examined: &mut Examined,
    written: Option<&Written>,
    values: &mut Values,
) -> Result<(), Problem> {
    let annotations = sources.sealed.metadata.annotations.as_ref();
    let opening = Opening {
        keys: Arc::clone(&sources.keys.keyring),
        place: examined.place.clone(),
        scope: examined.scope,
        label: examined.label.clone(),
        hints: record::hints(&examined.items, annotations, &examined.label, written),
    };
    let opened = sources
        .opener
        .open(opening, std::mem::take(&mut examined.items))
        .await?;
    values.plaintexts.extend(opened.plaintexts);
    values.items.extend(opened.items);
    Ok(())
}

/// Renders `spec.template.data`, where blocking is allowed, unless all of it is still there.
async fn render(sources: &Sources<'_>, values: &mut Values) -> Result<(), Problem> {
    let data = sources.sealed.spec.template.data.iter();
    let texts: BTreeMap<String, String> = data
        .filter_map(|(name, text)| Some((name.clone(), text.clone()?)))
        .collect();
    let kept = kept(sources, &texts);
    let Some(first) = texts.keys().find(|name| !kept.contains_key(*name)).cloned() else {
        values.rendered = kept;
        return Ok(());
    };
    let plaintexts = std::mem::take(&mut values.plaintexts);
    let rendering = sources.opener.run(move || {
        let rendered = render::render(&texts, &plaintexts);
        (plaintexts, rendered)
    });
    let panicked = || Problem::Template {
        key: first,
        message: "rendering it panicked; this is a bug, please report it".to_owned(),
        may_pass: true,
    };
    let (plaintexts, rendered) = rendering.await.ok_or_else(panicked)?;
    values.plaintexts = plaintexts;
    values.rendered = rendered?;
    values.rendered.extend(kept);
    Ok(())
}

/// What was rendered for this very SealedSecret and is in the Secret as we wrote it. A template may
/// ask for the time or for a random password: that changes with the SealedSecret, and not because
/// somebody has put a label on the Secret.
fn kept(sources: &Sources<'_>, texts: &BTreeMap<String, String>) -> BTreeMap<String, SecretBytes> {
    let (Some(live), Some(known)) = (sources.live, sources.known) else {
        return BTreeMap::new();
    };
    let data = live.data.iter().flatten();
    data.filter(|(name, value)| {
        let is_as_written = |mark: &u64| *mark == sources.memory.mark(name, &value.0);
        texts.contains_key(*name) && known.marks.get(*name).is_some_and(is_as_written)
    })
    .map(|(name, value)| (name.clone(), SecretBytes::new(value.0.clone())))
    .collect()
}

/// Takes the value of an unchanged item from the Secret, as long as its key is still held: an item
/// whose key is gone has to fail, and to say so.
fn reuse(
    item: &crate::plan::Item,
    live: &Secret,
    remembered: &Remembered<'_>,
    keys: &KeySet,
    values: &mut Values,
) -> bool {
    let known = remembered
        .written
        .and_then(|written| written.items.get(&item.name));
    let value = live.data.as_ref().and_then(|data| data.get(&item.name));
    let (Some(known), Some(value)) = (known, value) else {
        return false;
    };
    if !known
        .key
        .parse()
        .is_ok_and(|key| keys.keyring.find(&key).is_some())
    {
        return false;
    }
    values.items.insert(item.name.clone(), known.clone());
    values
        .plaintexts
        .insert(item.name.clone(), SecretBytes::new(value.0.clone()));
    true
}

/// A keyed hash of each value that the Secret is to hold.
pub(crate) fn marks(
    memory: &Memory,
    data: &BTreeMap<String, SecretBytes>,
) -> BTreeMap<String, u64> {
    let marked = data
        .iter()
        .map(|(name, value)| (name, memory.mark(name, value.expose())));
    marked.map(|(name, mark)| (name.clone(), mark)).collect()
}

#[cfg(test)]
mod tests {
    use keys::{KeyPair, KeySize, Label, Scope, Validity, encode_base64, seal};
    use prometheus_client::metrics::counter::Counter;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        keyring::{KeySecret, Keys, Order, Shelf},
        plan::{Rules, examine},
    };

    struct Stage {
        keys: Arc<KeySet>,
        memory: Memory,
        opener: Opener,
        operations: Counter<u64, std::sync::atomic::AtomicU64>,
        pair: KeyPair,
    }

    /// One key, which opens what [`Stage::sealed`] makes.
    fn stage() -> Stage {
        let lifetime = std::time::Duration::from_secs(3_600);
        let validity = Validity::starting(std::time::SystemTime::now(), lifetime);
        let pair = KeyPair::generate(KeySize::Bits2048, validity, "").unwrap();
        let secret = KeySecret::compose("k".into(), "ns".into(), &pair, [].into(), [].into());
        let keys = Keys::new(Shelf::new(
            Order::CertNotBefore,
            "sealed-secrets-key".into(),
        ));
        keys.change(|shelf| shelf.place(KeySecret::of(secret)));
        let operations = Counter::default();
        Stage {
            keys: keys.now(),
            memory: Memory::default(),
            opener: Opener::new(2, operations.clone()),
            operations,
            pair,
        }
    }

    impl Stage {
        fn sealed(&self, values: &[(&str, &str)], template: &Value) -> SealedSecret {
            let label = Label::new(Scope::Strict, "a", "x");
            let item = |value: &str| {
                let item = seal(self.pair.public_key(), &label, value.as_bytes()).unwrap();
                encode_base64(&item).into()
            };
            let items: serde_json::Map<String, Value> = values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), item(value)))
                .collect();
            serde_json::from_value(json!({
                "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
                "metadata": {"namespace": "a", "name": "x", "uid": "u", "generation": 1},
                "spec": {"encryptedData": items, "template": template},
            }))
            .unwrap()
        }

        async fn values(
            &self,
            sealed: &SealedSecret,
            live: Option<&Secret>,
        ) -> Result<Values, Problem> {
            self.values_knowing(sealed, live, None).await
        }

        async fn values_knowing(
            &self,
            sealed: &SealedSecret,
            live: Option<&Secret>,
            known: Option<&Known>,
        ) -> Result<Values, Problem> {
            let rules = Rules {
                own_namespace: "ns".into(),
                key_prefix: "sealed-secrets-key".into(),
                accept_v1_data: true,
                allow_privileged_types: false,
            };
            let sources = Sources {
                sealed,
                live,
                known,
                memory: &self.memory,
                keys: &self.keys,
                opener: &self.opener,
            };
            values(&sources, &mut examine(sealed, &rules)?).await
        }
    }

    fn text(values: &BTreeMap<String, SecretBytes>) -> Vec<(&str, String)> {
        let text = |value: &SecretBytes| String::from_utf8_lossy(value.expose()).into_owned();
        values
            .iter()
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect()
    }

    #[tokio::test]
    async fn every_item_is_opened_and_counted() {
        let stage = stage();
        let sealed = stage.sealed(&[("a", "1"), ("b", "2")], &json!({}));
        let values = stage.values(&sealed, None).await.unwrap();
        assert_eq!(
            text(&values.plaintexts),
            [("a", "1".into()), ("b", "2".into())]
        );
        assert_eq!(values.items["a"].key, stage.pair.fingerprint().to_string());
        assert_eq!(stage.operations.get(), 2);
    }

    #[tokio::test]
    async fn an_item_that_does_not_open_is_named_with_the_scope_it_was_sealed_for() {
        let stage = stage();
        let mut sealed = stage.sealed(&[("a", "1"), ("b", "2")], &json!({}));
        let annotations = [(
            crds::sealed_secret::CLUSTER_WIDE.to_owned(),
            "true".to_owned(),
        )];
        sealed.metadata.annotations = Some(annotations.into());
        let problem = stage.values(&sealed, None).await.err().unwrap();
        assert_eq!(problem.reason(), "OtherScope");
        let text = problem.to_string();
        assert!(
            text.contains("item \"a\"") && text.contains("item \"b\""),
            "{text}"
        );
        assert!(text.contains("sealed with scope strict"), "{text}");
    }

    #[tokio::test]
    async fn an_unchanged_item_is_taken_from_the_secret_as_long_as_its_key_is_held() {
        let stage = stage();
        let mut sealed = stage.sealed(&[("a", "1"), ("b", "2")], &json!({}));
        let opened = stage.values(&sealed, None).await.unwrap();
        let live: Secret = serde_json::from_value(json!({
            "metadata": {"uid": "s", "resourceVersion": "5"}, "data": {"a": "MQ==", "b": "Mg=="},
        }))
        .unwrap();
        let mut written: Written = serde_json::from_value(json!({
            "secret": {"uid": "s", "resourceVersion": "5"},
            "inputs": inputs_digest("u", Scope::Strict),
        }))
        .unwrap();
        written.items = opened.items;
        sealed.status.get_or_insert_default().written = Some(written);
        let again = stage.values(&sealed, Some(&live)).await.unwrap();
        assert_eq!(
            text(&again.plaintexts),
            [("a", "1".into()), ("b", "2".into())]
        );
        assert_eq!(stage.operations.get(), 2, "nothing was opened again");
        let without_key = Stage {
            keys: Arc::default(),
            ..stage
        };
        let problem = without_key
            .values(&sealed, Some(&live))
            .await
            .err()
            .unwrap();
        assert_eq!(problem.reason(), "NoKey");
    }

    #[tokio::test]
    async fn templates_are_rendered_and_what_is_wrong_with_one_is_said() {
        let stage = stage();
        let with = |text: &str| stage.sealed(&[("a", "1")], &json!({"data": {"t": text}}));
        let values = stage.values(&with("so {{ .a }}"), None).await.unwrap();
        assert_eq!(text(&values.rendered), [("t", "so 1".into())]);
        let problem = stage.values(&with("{{ .a "), None).await.err().unwrap();
        assert_eq!(problem.reason(), "TemplateFailed");
    }

    #[tokio::test]
    async fn what_was_rendered_stays_until_the_sealed_secret_changes() {
        let stage = stage();
        let template = json!({"data": {"t": "{{ randAlphaNum 40 }}", "u": "so {{ .a }}"}});
        let sealed = stage.sealed(&[("a", "1")], &template);
        let first = stage.values(&sealed, None).await.unwrap().rendered;
        let known = Known {
            marks: marks(&stage.memory, &first),
            ..Known::default()
        };
        let data = first.iter();
        let mut live = Secret {
            data: Some(
                data.map(|(name, value)| {
                    let value = k8s_openapi::ByteString(value.expose().to_vec());
                    (name.clone(), value)
                })
                .collect(),
            ),
            ..Secret::default()
        };
        let again = stage.values_knowing(&sealed, Some(&live), Some(&known));
        assert_eq!(text(&again.await.unwrap().rendered), text(&first));
        // What somebody else has put there is no reason to keep it, and none to change its neighbour.
        let other = k8s_openapi::ByteString(b"other".to_vec());
        live.data.get_or_insert_default().insert("u".into(), other);
        let again = stage.values_knowing(&sealed, Some(&live), Some(&known));
        assert_eq!(text(&again.await.unwrap().rendered), text(&first));
        // Nothing is known of what has changed, and it is rendered anew.
        let anew = stage.values(&sealed, Some(&live)).await.unwrap().rendered;
        assert_ne!(text(&anew)[0], text(&first)[0]);
    }
}
