//! String enums that keep a value they do not know.
//!
//! A schema of a newer incumbent may admit a value that we have never heard of. Decoding it must not
//! fail, since that would fail the list it is in; the reconciler says in a condition that it is not
//! served.

/// Declares a string enum. The first variant is the default: what absent, `null` and `""` mean. Any
/// other text is kept in `Other`.
macro_rules! open_enum {
    (
        $(#[$doc:meta])*
        $name:ident {
            $(#[$default_doc:meta])*
            $default:ident = $default_text:literal,
            $( $(#[$variant_doc:meta])* $variant:ident = $text:literal, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub enum $name {
            $(#[$default_doc])*
            #[default]
            $default,
            $( $(#[$variant_doc])* $variant, )*
            /// A value that is not served; the text is as it came.
            Other(String),
        }

        impl $name {
            /// The text in the manifest.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    Self::$default => $default_text,
                    $( Self::$variant => $text, )*
                    Self::Other(text) => text,
                }
            }

            /// Whether this is what an absent value means.
            #[must_use]
            pub fn is_default(&self) -> bool {
                matches!(self, Self::$default)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    "" | $default_text => Self::$default,
                    $( $text => Self::$variant, )*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Option::<String>::deserialize(deserializer)?;
                Ok(Self::from(text.as_deref().unwrap_or_default()))
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "enum": [$default_text, $($text),*],
                })
            }
        }
    };
}

pub(crate) use open_enum;
