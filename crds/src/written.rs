//! The memory of what we wrote, as several kinds keep it in their status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which version of which Secret we wrote. Another version is a foreign edit; another uid, another
/// Secret.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenSecret {
    /// `metadata.uid` of the Secret.
    pub uid: String,
    /// `metadata.resourceVersion` after our write.
    pub resource_version: String,
}
