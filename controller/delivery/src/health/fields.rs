//! Reading what rules of health look at.

use serde_json::Value;

use super::Health;

pub(super) fn current_if(is_current: bool) -> Health {
    if is_current {
        Health::Current
    } else {
        Health::InProgress
    }
}

/// The status is of the newest generation.
pub(super) fn observed(object: &Value) -> bool {
    let observed = &object["status"]["observedGeneration"];
    observed.is_number() && *observed == object["metadata"]["generation"]
}

pub(super) fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

pub(super) fn count(status: &Value, field: &str) -> i64 {
    status[field].as_i64().unwrap_or_default()
}

pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    entry(object, kind)?["status"].as_str()
}

pub(super) fn reason<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    entry(object, kind)?["reason"].as_str()
}

pub(super) fn entry<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
}
