//! Faults put between a client and a server, by operation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};

/// What happens to a call instead of its way to the server, or on it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with this, and does not reach the server.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The content type of the body.
        content_type: &'static str,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// The connection ends without an answer; the call does not reach the server.
    Cut,
    /// The call reaches the server, but the connection ends without an answer.
    CutAfter,
    /// The call waits this long before it reaches the server.
    Delay(Duration),
}

impl Fault {
    /// An error as the AWS JSON protocol has it: `Fault::aws(400, "AccessDeniedException", "no")`.
    pub fn aws(status: u16, kind: &str, message: &str) -> Self {
        let body = serde_json::json!({"__type": kind, "message": message});
        Self::Answer {
            status,
            content_type: "application/x-amz-json-1.1",
            headers: vec![("x-amzn-errortype", kind.to_owned())],
            body: body.to_string(),
        }
    }

    /// An answer that is no error, as the AWS JSON protocol has it.
    pub fn aws_answer(body: &serde_json::Value) -> Self {
        Self::Answer {
            status: 200,
            content_type: "application/x-amz-json-1.1",
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    /// An error as the Kubernetes API has it.
    pub fn kubernetes(status: u16, reason: &str, message: &str) -> Self {
        let body = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": message, "reason": reason, "code": status,
        });
        Self::Answer {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: body.to_string(),
        }
    }

    /// A watch that begins and then tells that what it asked for is too old, as the Kubernetes API
    /// does it when that is noticed late: an event of an otherwise good answer.
    pub fn expired_in_the_stream() -> Self {
        let status = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": "too old resource version", "reason": "Expired", "code": 410,
        });
        let event = serde_json::json!({"type": "ERROR", "object": status});
        Self::Answer {
            status: 200,
            content_type: "application/json",
            headers: Vec::new(),
            body: format!("{event}\n"),
        }
    }

    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            content_type: "text/plain",
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// The faults that wait for their calls. Clones share them.
#[derive(Clone, Default)]
pub struct Faults {
    rules: Arc<Mutex<VecDeque<Rule>>>,
}

struct Rule {
    operation: String,
    fault: Fault,
    /// How many calls it still meets.
    left: u32,
}

impl Faults {
    /// Lets the next `times` calls of an operation meet a fault; an empty operation is any.
    pub fn next(&self, operation: &str, times: u32, fault: Fault) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(Rule {
                operation: operation.to_owned(),
                fault,
                left: times,
            });
    }

    /// Lets all calls of an operation meet a fault until [`Faults::clear`]; an empty operation is any.
    pub fn always(&self, operation: &str, fault: Fault) {
        self.next(operation, u32::MAX, fault);
    }

    /// Forgets all faults.
    pub fn clear(&self) {
        self.rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The operations whose faults still wait, with how many calls each. A fault that was never met
    /// has shown nothing.
    pub fn unmet(&self) -> Vec<(String, u32)> {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = rules.iter();
        waiting
            .map(|rule| (rule.operation.clone(), rule.left))
            .collect()
    }

    /// The fault that a call meets now, which counts as met.
    pub(crate) fn meet(&self, operation: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let met = rules
            .iter_mut()
            .find(|rule| rule.operation.is_empty() || rule.operation == operation)?;
        let fault = met.fault.clone();
        if met.left != u32::MAX {
            met.left -= 1;
        }
        rules.retain(|rule| rule.left > 0);
        Some(fault)
    }
}

/// The answer of [`Fault::Answer`].
pub(crate) fn answer(
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap_or_default()
}

/// An answer that ends before it began, with the connection.
pub(crate) fn cut() -> Response<Body> {
    let broken = std::io::Error::other("cut by the harness");
    let body = futures::stream::once(async { Err::<Bytes, _>(broken) });
    Response::new(Body::from_stream(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_calls_of_its_operation_as_often_as_asked() {
        let faults = Faults::default();
        faults.next("GetSecretValue", 2, Fault::Cut);
        assert!(faults.meet("DescribeSecret").is_none());
        assert!(faults.meet("GetSecretValue").is_some());
        assert_eq!(faults.unmet(), [("GetSecretValue".to_owned(), 1)]);
        assert!(faults.meet("GetSecretValue").is_some());
        assert!(faults.meet("GetSecretValue").is_none());
        assert!(faults.unmet().is_empty());
    }

    #[test]
    fn a_lasting_fault_ends_when_cleared() {
        let faults = Faults::default();
        faults.always("", Fault::Cut);
        assert!(faults.meet("a").is_some() && faults.meet("b").is_some());
        faults.clear();
        assert!(faults.meet("a").is_none());
    }
}
