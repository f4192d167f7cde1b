//! As whom we ask AWS.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

use kit::SecretBytes;
use sha3::{Digest as _, Sha3_256};

/// As whom we ask AWS, and where: all that the answer may depend on.
pub(crate) struct Identity {
    /// What we have to begin with.
    pub(crate) base: Base,
    /// The roles that are assumed one after the other from there.
    pub(crate) roles: Vec<Assume>,
    /// The region that is asked, STS included.
    pub(crate) region: String,
}

/// Credentials before any role is assumed.
pub(crate) enum Base {
    /// What the process finds around itself: environment, web identity, container or instance.
    Ambient,
    /// Keys from a Secret.
    Keys(StaticKeys),
    /// A token of a Kubernetes ServiceAccount.
    WebIdentity(WebIdentity),
}

/// Keys from a Secret.
pub(crate) struct StaticKeys {
    /// The access key id.
    pub(crate) access_key_id: SecretBytes,
    /// The secret access key.
    pub(crate) secret_access_key: SecretBytes,
    /// The session token, for temporary keys.
    pub(crate) session_token: Option<SecretBytes>,
}

/// A ServiceAccount whose token is exchanged for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebIdentity {
    /// The namespace of the ServiceAccount.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) service_account: String,
    /// The ARN of the role.
    pub(crate) role: String,
    /// Whom the token is for.
    pub(crate) audiences: Vec<String>,
}

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Assume {
    /// The ARN of the role.
    pub(crate) role: String,
    /// What the role's owner wants to be told.
    pub(crate) external_id: Option<String>,
    /// Session tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// The tags that are handed on to the next role.
    pub(crate) transitive_tags: Vec<String>,
}

/// A digest of everything that an answer may depend on besides the region and what is asked. Two
/// requests share an answer only where it is equal. Salted by process, so it tells nothing outside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Principal([u8; 32]);

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal")
    }
}

impl Identity {
    /// The digest of this identity without its region.
    #[must_use]
    pub(crate) fn principal(&self) -> Principal {
        static SALT: LazyLock<[u64; 4]> = LazyLock::new(|| {
            let state = RandomState::new();
            [0, 1, 2, 3].map(|index| state.hash_one(index))
        });
        let mut digest = Fields(Sha3_256::new());
        for part in *SALT {
            digest.add(&part.to_le_bytes());
        }
        digest.add_base(&self.base);
        for role in &self.roles {
            digest.add(b"role");
            digest.add(role.role.as_bytes());
            digest.add_optional(role.external_id.as_ref().map(String::as_bytes));
            digest.add(&role.tags.len().to_le_bytes());
            for (key, value) in &role.tags {
                digest.add(key.as_bytes());
                digest.add(value.as_bytes());
            }
            digest.add(&role.transitive_tags.len().to_le_bytes());
            for key in &role.transitive_tags {
                digest.add(key.as_bytes());
            }
        }
        Principal(digest.0.finalize().into())
    }
}

/// Fields with their lengths, so that no two lists of fields read the same.
struct Fields(Sha3_256);

impl Fields {
    fn add(&mut self, field: &[u8]) {
        self.0.update(field.len().to_le_bytes());
        self.0.update(field);
    }

    fn add_optional(&mut self, field: Option<&[u8]>) {
        self.add(if field.is_some() { b"some" } else { b"none" });
        self.add(field.unwrap_or_default());
    }

    fn add_base(&mut self, base: &Base) {
        match base {
            Base::Ambient => self.add(b"ambient"),
            Base::Keys(keys) => {
                self.add(b"keys");
                self.add(keys.access_key_id.expose());
                self.add(keys.secret_access_key.expose());
                self.add_optional(keys.session_token.as_ref().map(SecretBytes::expose));
            }
            // The account that trusts the token may tell ServiceAccounts apart within one role.
            Base::WebIdentity(identity) => {
                self.add(b"web identity");
                self.add(identity.namespace.as_bytes());
                self.add(identity.service_account.as_bytes());
                self.add(identity.role.as_bytes());
                for audience in &identity.audiences {
                    self.add(audience.as_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(id: &str, secret: &str, token: Option<&str>) -> Base {
        let bytes = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
        Base::Keys(StaticKeys {
            access_key_id: bytes(id),
            secret_access_key: bytes(secret),
            session_token: token.map(bytes),
        })
    }

    fn service_account(namespace: &str, name: &str) -> Base {
        Base::WebIdentity(WebIdentity {
            namespace: namespace.into(),
            service_account: name.into(),
            role: "arn:aws:iam::1:role/r".into(),
            audiences: vec!["sts.amazonaws.com".into()],
        })
    }

    fn role(role: &str) -> Assume {
        Assume {
            role: role.into(),
            ..Assume::default()
        }
    }

    fn tagged(key: &str, value: &str) -> Assume {
        Assume {
            tags: BTreeMap::from([(key.into(), value.into())]),
            ..role("r")
        }
    }

    fn principal(base: Base, roles: Vec<Assume>) -> Principal {
        Identity {
            base,
            roles,
            region: "eu-central-1".into(),
        }
        .principal()
    }

    #[test]
    fn identities_that_may_read_different_values_have_different_principals() {
        let all = [
            principal(Base::Ambient, vec![]),
            principal(keys("a", "b", None), vec![]),
            principal(keys("ab", "", None), vec![]),
            principal(keys("a", "c", None), vec![]),
            principal(keys("a", "b", Some("")), vec![]),
            principal(keys("a", "b", Some("t")), vec![]),
            principal(service_account("n", "s"), vec![]),
            principal(service_account("ns", ""), vec![]),
            principal(Base::Ambient, vec![role("r")]),
            principal(Base::Ambient, vec![role("r"), role("r")]),
            principal(Base::Ambient, vec![tagged("esoNamespace", "a")]),
            principal(Base::Ambient, vec![tagged("esoNamespace", "b")]),
            principal(
                Base::Ambient,
                vec![Assume {
                    external_id: Some("x".into()),
                    ..role("r")
                }],
            ),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(
                all.iter().skip(index + 1).all(|other| other != one),
                "{index}"
            );
        }
        assert!(all[1] == principal(keys("a", "b", None), vec![]));
    }
}
