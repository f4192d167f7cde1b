//! What a sealed value is bound to.

use std::fmt;
use std::str::FromStr;

/// How far a sealed value may be carried before nobody can open it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Scope {
    /// Only in the namespace and under the name that it was sealed for.
    #[default]
    Strict,
    /// Under any name in the namespace that it was sealed for.
    NamespaceWide,
    /// Anywhere in the cluster.
    ClusterWide,
}

impl Scope {
    /// All three, from the narrowest to the widest.
    pub const ALL: [Self; 3] = [Self::Strict, Self::NamespaceWide, Self::ClusterWide];

    /// The word for it on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::NamespaceWide => "namespace-wide",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// The empty text means strict, as in the incumbent (`SealingScope.Set` in
    /// `pkg/apis/sealedsecrets/v1alpha1/sealedsecret_expansion.go`).
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        match text {
            "" | "strict" => Ok(Self::Strict),
            "namespace-wide" => Ok(Self::NamespaceWide),
            "cluster-wide" => Ok(Self::ClusterWide),
            _ => Err(InvalidScope),
        }
    }
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: strict, namespace-wide, cluster-wide")]
pub struct InvalidScope;

/// The bytes that bind a sealed value to its place: the label of RSA-OAEP. Opening with another
/// label fails. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(Vec<u8>);

impl Label {
    /// The label for a Secret of this name and namespace: `namespace/name`, `namespace`, or nothing
    /// (`EncryptionLabel` in `sealedsecret_expansion.go`).
    #[must_use]
    pub fn new(scope: Scope, namespace: &str, name: &str) -> Self {
        Self(match scope {
            Scope::Strict => format!("{namespace}/{name}").into_bytes(),
            Scope::NamespaceWide => namespace.as_bytes().to_vec(),
            Scope::ClusterWide => Vec::new(),
        })
    }

    /// The bytes as they enter RSA-OAEP.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_has_the_label_of_the_incumbent() {
        let cases = [
            (Scope::Strict, "myns/myname"),
            (Scope::NamespaceWide, "myns"),
            (Scope::ClusterWide, ""),
        ];
        for (scope, label) in cases {
            assert_eq!(
                Label::new(scope, "myns", "myname").as_bytes(),
                label.as_bytes()
            );
        }
    }

    #[test]
    fn scopes_are_read_by_the_word_they_are_written_with() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert_eq!("".parse(), Ok(Scope::Strict));
        assert_eq!("Strict".parse::<Scope>(), Err(InvalidScope));
    }
}
