//! What was last seen and done.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lenient;

/// How many entries `history` keeps (fluxcd/pkg `apis/meta/history_types.go`, `MaxHistorySize`).
pub const HISTORY_SIZE: usize = 5;

/// What the controller last saw and did.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationStatus {
    /// The generation dealt with last; -1 before the first time, so that a new object is not taken for ready.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_generation: Option<i64>,
    /// `Ready` and its parts.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub conditions: Vec<Condition>,
    /// The revision applied last with success.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub last_applied_revision: String,
    /// Where that revision itself came from.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub last_applied_origin_revision: String,
    /// The revision tried last.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub last_attempted_revision: String,
    /// The last handled value of [`crate::flux::REQUESTED_AT`].
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub last_handled_reconcile_at: String,
    /// Every object that is ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// The last attempts, one entry for each digest and outcome, newest first.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub history: Vec<HistoryEntry>,
    /// What was written, so that a restart compares instead of applying again. Signet's own: where the
    /// incumbent's CRD is installed the API server prunes it, and it reads as absent.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub written: Option<Written>,
}

/// Every object that is ours. Not leniently decoded: an inventory that reads as empty would orphan
/// everything in it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Inventory {
    /// One entry for each object.
    pub entries: Vec<InventoryEntry>,
}

/// One object (`inventory_types.go`, `ResourceRef`).
#[derive(
    Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(default)]
pub struct InventoryEntry {
    /// `namespace_name_group_kind`.
    pub id: String,
    /// API version, without group.
    pub v: String,
}

/// Attempts with one outcome (fluxcd/pkg `apis/meta/history_types.go`, `Snapshot`).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Digest of what was applied.
    pub digest: String,
    /// The first such attempt.
    pub first_reconciled: Time,
    /// The last such attempt.
    pub last_reconciled: Time,
    /// How long that took, a Go duration.
    pub last_reconciled_duration: String,
    /// Its reason of `Ready`.
    pub last_reconciled_status: String,
    /// How many there were.
    pub total_reconciliations: i64,
    /// More about it: `revision`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Our memory of the last apply.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Written {
    /// Key of the render that was applied: the Git tree id of the path and all it refers to, and whatever
    /// else it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render: Option<String>,
    /// Per inventory id a digest of the object as it was after our write, outside its status.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, String>,
}
