//! The key Secrets that were seen, and the keyring they make.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use crds::sealed_secret::SEALING_KEY_ACTIVE;
use keys::{Fingerprint, KeyPair, Keyring, Validity};
use kube::ResourceExt;

use super::KeySecret;

/// What a key may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It opens, and the newest of them seals.
    Active,
    /// It opens, and never seals.
    Retired,
    /// It neither opens nor seals. Any label value that we do not know means this, as with the
    /// incumbent.
    Compromised,
}

impl State {
    const RETIRED: &str = "retired";

    fn of(secret: &KeySecret) -> Self {
        match secret.label() {
            None | Some(SEALING_KEY_ACTIVE) => Self::Active,
            Some(Self::RETIRED) => Self::Retired,
            Some(_) => Self::Compromised,
        }
    }
}

/// One key that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) state: State,
    pub(crate) secret: String,
    pub(crate) validity: Validity,
    /// The certificate in PEM.
    pub(crate) certificate: String,
}

/// What orders the keys (`--key-order-priority`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// The first moment of the certificate.
    #[default]
    CertNotBefore,
    /// When the Secret was created.
    SecretCreationTimestamp,
}

/// A key Secret that cannot be used, and why.
#[derive(Debug, Clone)]
pub(crate) struct Unusable {
    pub(crate) secret: KeySecret,
    pub(crate) why: String,
}

/// The key Secrets by name.
pub(crate) struct Shelf {
    order: Order,
    prefix: String,
    secrets: BTreeMap<String, KeySecret>,
    unusable: Vec<Unusable>,
    changed: bool,
}

impl Shelf {
    pub(crate) fn new(order: Order, prefix: String) -> Self {
        Self {
            order,
            prefix,
            secrets: BTreeMap::new(),
            unusable: Vec::new(),
            changed: false,
        }
    }

    /// Takes in a Secret that was listed, watched, read or made.
    pub(crate) fn place(&mut self, secret: KeySecret) {
        let name = secret.name_any();
        // An unlabelled one counts only under the oldest key's name.
        if secret.label().is_none() && name != self.prefix {
            self.remove(&name);
            return;
        }
        let known = self.secrets.get(&name);
        if known.is_some_and(|known| !is_newer(&secret, known)) {
            return;
        }
        self.changed = true;
        if let Err(why) = usable(&secret) {
            self.unusable.push(Unusable {
                secret: secret.clone(),
                why,
            });
        }
        self.secrets.insert(name, secret);
    }

    /// Takes out a Secret that is gone, or is no key any more.
    pub(crate) fn remove(&mut self, name: &str) {
        self.changed |= self.secrets.remove(name).is_some();
    }

    /// Takes out the Secret of this name unless it is there for its label.
    pub(crate) fn remove_unlabelled(&mut self, name: &str) {
        if self
            .secrets
            .get(name)
            .is_some_and(|secret| secret.label().is_none())
        {
            self.remove(name);
        }
    }

    /// Takes in a whole listing: labelled keys that it does not name are gone.
    pub(crate) fn replace(&mut self, listing: Vec<KeySecret>) {
        let named: Vec<String> = listing.iter().map(ResourceExt::name_any).collect();
        let gone: Vec<String> = self
            .secrets
            .iter()
            .filter(|(name, secret)| secret.label().is_some() && !named.contains(name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.remove(&name);
        }
        for secret in listing {
            self.place(secret);
        }
        // Even an empty listing is news the first time: now it is known that there is no key.
        self.changed |= self.secrets.is_empty();
    }

    /// The uid of the newest key Secret, usable or not.
    pub(crate) fn newest_uid(&self) -> Option<String> {
        self.secrets
            .values()
            .max_by_key(|secret| (created(secret), secret.name_any()))?
            .uid()
    }

    /// What could not be used since this was last asked.
    pub(crate) fn take_unusable(&mut self) -> Vec<Unusable> {
        std::mem::take(&mut self.unusable)
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The keyring, and a list of all keys that could be read, the newest first.
    ///
    /// Keys are put in from the oldest Secret to the newest, and of two that are equally old the
    /// first one seals, as with the incumbent (`keyregistry.go`, `registerNewKey`).
    pub(super) fn arranged(&self) -> (Keyring, Vec<Held>) {
        let mut oldest_first: Vec<&KeySecret> = self.secrets.values().collect();
        oldest_first.sort_by_key(|secret| (created(secret), secret.name_any()));
        let mut keyring = Keyring::new();
        let mut held: Vec<(SystemTime, Held)> = Vec::new();
        for secret in oldest_first {
            let Ok(pair) = usable(secret) else { continue };
            let state = State::of(secret);
            let (fingerprint, since) = (pair.fingerprint(), self.since(secret, &pair));
            let entry = Held {
                fingerprint,
                state,
                secret: secret.name_any(),
                validity: pair.certificate().validity(),
                certificate: pair.certificate().to_pem(),
            };
            // A copy of a key adds nothing, unless it may do more than the one before.
            match held
                .iter_mut()
                .find(|(_, known)| known.fingerprint == fingerprint)
            {
                Some((_, known)) if known.state <= state => continue,
                Some(known) => *known = (since, entry),
                None => held.push((since, entry)),
            }
            match state {
                State::Active => keyring.insert(pair, since),
                State::Retired => keyring.insert_private(pair.into_parts().0, since),
                State::Compromised => {}
            }
        }
        held.sort_by(|(left, _), (right, _)| right.cmp(left));
        (keyring, held.into_iter().map(|(_, held)| held).collect())
    }

    fn since(&self, secret: &KeySecret, pair: &KeyPair) -> SystemTime {
        match self.order {
            Order::CertNotBefore => pair.certificate().validity().not_before,
            Order::SecretCreationTimestamp => created(secret),
        }
    }
}

fn usable(secret: &KeySecret) -> Result<KeyPair, String> {
    if let Some(maker) = secret.maker() {
        return Err(format!(
            "it was made by {maker}, and what that holds must not become a key"
        ));
    }
    secret.pair().map_err(|error| error.to_string())
}

fn is_newer(secret: &KeySecret, known: &KeySecret) -> bool {
    let version = |secret: &KeySecret| secret.resource_version().unwrap_or_default();
    let number = |secret: &KeySecret| version(secret).parse::<u64>().ok();
    match (number(secret), number(known)) {
        (Some(new), Some(old)) => new > old,
        _ => version(secret) != version(known),
    }
}

fn created(secret: &KeySecret) -> SystemTime {
    let seconds = secret
        .creation_timestamp()
        .map_or(0, |time| time.0.as_second());
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use crds::sealed_secret::SEALING_KEY;
    use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::Time};
    use keys::KeySize;

    use super::*;

    const PREFIX: &str = "sealed-secrets-key";

    fn pair(day: u64) -> KeyPair {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let validity = Validity::starting(start, Duration::from_secs(86_400));
        KeyPair::generate(KeySize::Bits2048, validity, "").unwrap()
    }

    fn secret(name: &str, created: i64, pair: &KeyPair, label: Option<&str>) -> Secret {
        let mut secret = KeySecret::compose(name.into(), "ns".into(), pair, [].into(), [].into());
        secret.metadata.uid = Some(format!("uid-of-{name}"));
        secret.metadata.resource_version = Some("1".into());
        secret.metadata.creation_timestamp =
            Some(Time(jiff::Timestamp::from_second(created).unwrap()));
        let labels = secret.metadata.labels.get_or_insert_default();
        match label {
            Some(label) => labels.insert(SEALING_KEY.into(), label.into()),
            None => labels.remove(SEALING_KEY),
        };
        secret
    }

    fn shelf(secrets: impl IntoIterator<Item = Secret>) -> Shelf {
        let mut shelf = Shelf::new(Order::CertNotBefore, PREFIX.into());
        secrets
            .into_iter()
            .for_each(|secret| shelf.place(KeySecret::of(secret)));
        shelf
    }

    #[test]
    fn the_newest_certificate_seals_and_all_keys_open() {
        let (old, new) = (pair(1), pair(2));
        let shelf = shelf([
            secret("a", 100, &new, Some("active")),
            secret("b", 200, &old, Some("active")),
        ]);
        let (keyring, held) = shelf.arranged();
        assert_eq!(keyring.current().unwrap().fingerprint(), new.fingerprint());
        assert_eq!(keyring.len(), 2);
        assert_eq!(held[0].fingerprint, new.fingerprint());
        assert_eq!(shelf.newest_uid().unwrap(), "uid-of-b");
    }

    #[test]
    fn keys_are_ordered_by_creation_when_asked() {
        let (old, new) = (pair(1), pair(2));
        let mut shelf = Shelf::new(Order::SecretCreationTimestamp, PREFIX.into());
        shelf.place(KeySecret::of(secret("a", 100, &new, Some("active"))));
        shelf.place(KeySecret::of(secret("b", 200, &old, Some("active"))));
        let (keyring, _) = shelf.arranged();
        assert_eq!(keyring.current().unwrap().fingerprint(), old.fingerprint());
    }

    #[test]
    fn of_two_that_are_equally_old_the_first_one_seals() {
        let (first, second) = (pair(1), pair(1));
        let shelf = shelf([
            secret("b", 100, &first, Some("active")),
            secret("a", 200, &second, Some("active")),
        ]);
        let (keyring, _) = shelf.arranged();
        assert_eq!(
            keyring.current().unwrap().fingerprint(),
            first.fingerprint()
        );
    }

    #[test]
    fn a_retired_key_opens_and_does_not_seal_and_a_compromised_one_does_neither() {
        let (active, retired, compromised) = (pair(1), pair(2), pair(3));
        let shelf = shelf([
            secret("a", 1, &active, Some("active")),
            secret("b", 2, &retired, Some("retired")),
            secret("c", 3, &compromised, Some("compromised")),
        ]);
        let (keyring, held) = shelf.arranged();
        assert_eq!(
            keyring.current().unwrap().fingerprint(),
            active.fingerprint()
        );
        assert!(keyring.find(&retired.fingerprint()).is_some());
        assert!(keyring.find(&compromised.fingerprint()).is_none());
        let states: Vec<_> = held.iter().map(|held| held.state).collect();
        assert_eq!(states, [State::Compromised, State::Retired, State::Active]);
    }

    #[test]
    fn the_oldest_key_counts_by_its_name_alone_and_another_unlabelled_secret_does_not() {
        let (legacy, other) = (pair(1), pair(2));
        let shelf = shelf([
            secret(PREFIX, 1, &legacy, None),
            secret("x", 2, &other, None),
        ]);
        let (keyring, _) = shelf.arranged();
        assert_eq!(keyring.len(), 1);
        assert!(keyring.find(&legacy.fingerprint()).is_some());
    }

    #[test]
    fn malformed_and_mismatched_key_secrets_are_reported_and_the_others_go_on() {
        let (good, other) = (pair(1), pair(2));
        let mut empty = secret("empty", 1, &other, Some("active"));
        empty.data = None;
        let mut mismatched = secret("mismatched", 2, &other, Some("active"));
        let certificate = secret("x", 1, &good, Some("active")).data.unwrap()["tls.crt"].clone();
        mismatched
            .data
            .as_mut()
            .unwrap()
            .insert("tls.crt".into(), certificate);
        let mut shelf = shelf([empty, mismatched, secret("good", 3, &good, Some("active"))]);
        let reported: Vec<_> = shelf
            .take_unusable()
            .into_iter()
            .map(|unusable| (unusable.secret.name_any(), unusable.why))
            .collect();
        assert_eq!(reported[0].0, "empty");
        assert!(reported[0].1.contains("private key"), "{}", reported[0].1);
        assert_eq!(reported[1].0, "mismatched");
        assert!(reported[1].1.contains("another key"), "{}", reported[1].1);
        assert_eq!(shelf.arranged().0.len(), 1);
        assert!(shelf.take_unusable().is_empty());
    }

    #[test]
    fn what_a_sealed_or_external_secret_made_never_becomes_a_key() {
        for kind in ["SealedSecret", "ExternalSecret"] {
            let mut made = secret("made", 1, &pair(1), Some("active"));
            made.metadata.owner_references = Some(vec![
                k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
                    kind: kind.into(),
                    name: "tenant".into(),
                    controller: Some(true),
                    ..Default::default()
                },
            ]);
            let mut shelf = shelf([made]);
            assert!(shelf.take_unusable()[0].why.contains(kind));
            assert!(shelf.arranged().0.is_empty());
        }
    }

    #[test]
    fn a_key_leaves_when_its_secret_is_deleted_relabelled_or_no_longer_listed() {
        let (one, two, three) = (pair(1), pair(2), pair(3));
        let all = || {
            [
                secret("a", 1, &one, Some("active")),
                secret("b", 2, &two, Some("active")),
                secret("c", 3, &three, Some("active")),
                secret(PREFIX, 4, &one, None),
            ]
        };
        let mut shelf = shelf(all());
        shelf.remove("a");
        let mut relabelled = secret("b", 2, &two, None);
        relabelled.metadata.resource_version = Some("2".into());
        shelf.place(KeySecret::of(relabelled));
        assert!(shelf.take_changed());
        assert_eq!(
            shelf.arranged().0.len(),
            2,
            "the copy of the first key opens on"
        );
        shelf.replace(Vec::new());
        assert_eq!(
            shelf.arranged().0.len(),
            1,
            "the unlabelled one is not in the listing"
        );
    }

    #[test]
    fn an_older_version_of_a_secret_changes_nothing() {
        let key = pair(1);
        let mut shelf = shelf([secret("a", 1, &key, Some("active"))]);
        assert!(shelf.take_changed());
        shelf.place(KeySecret::of(secret("a", 1, &key, Some("active"))));
        assert!(!shelf.take_changed());
    }
}
