//! Foreign text made fit for a condition, an event or a log line.
//!
//! The API server's validation errors quote the rejected value, and a URL may carry a password.
//! Nothing from outside goes into a status without passing through here.

use kube::core::Status;

/// The most bytes of foreign text that one message carries. Conditions and events are read by
/// people: a kilobyte says enough, and 10,000 broken objects stay 10 MB.
pub const LONGEST_FOREIGN_TEXT: usize = 1_024;

/// Foreign text on one line, without control characters and URL credentials, and at most
/// [`LONGEST_FOREIGN_TEXT`] bytes long.
#[must_use]
pub fn foreign(text: &str) -> String {
    let one_line: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    shortened(without_credentials(&one_line))
}

/// What the API server or the way to it said, without any value of ours that it quotes.
#[must_use]
pub fn api_error(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status_text(status),
        // Decoding errors quote the text that did not decode, which may be a Secret.
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            "the API server's answer could not be decoded".to_owned()
        }
        other => foreign(&with_sources(other)),
    }
}

/// An error followed by its sources, as one line. Sources that repeat what was said are left out.
#[must_use]
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = inner.source();
    }
    text
}

/// 400 and 422 quote the object that was refused, so of those only fields and reasons are kept.
fn status_text(status: &Status) -> String {
    let refused_content = matches!(status.code, 400 | 422);
    let causes = status
        .details
        .as_ref()
        .map(|details| details.causes.as_slice());
    match causes {
        Some(causes) if refused_content && !causes.is_empty() => {
            let fields: Vec<String> = causes
                .iter()
                .map(|cause| format!("{}: {}", cause.field, cause.reason))
                .collect();
            foreign(&format!(
                "refused by the API server ({})",
                fields.join(", ")
            ))
        }
        _ if refused_content => format!("refused by the API server ({})", status.reason),
        _ if status.message.is_empty() => {
            format!("the API server answered {} {}", status.code, status.reason)
        }
        _ => foreign(&status.message),
    }
}

/// Replaces `user:password@` behind every `://` by nothing.
fn without_credentials(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let authority_end = after
            .find(|c: char| {
                c == '/' || c == '?' || c == '#' || c.is_whitespace() || c == '"' || c == '\''
            })
            .unwrap_or(after.len());
        let host_start = after[..authority_end].rfind('@').map_or(0, |at| at + 1);
        rest = &after[host_start..];
    }
    clean.push_str(rest);
    clean
}

fn shortened(mut text: String) -> String {
    const MARK: &str = "…";
    if text.len() > LONGEST_FOREIGN_TEXT {
        let mut end = LONGEST_FOREIGN_TEXT - MARK.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    #[test]
    fn a_password_in_a_url_does_not_survive() {
        for (text, clean) in [
            (
                "fatal: https://bob:hunter2@git.example/x.git: no",
                "fatal: https://git.example/x.git: no",
            ),
            (
                "a http://p@ss@h/ b ssh://git@h:22/x",
                "a http://h/ b ssh://h:22/x",
            ),
            ("no url here: a@b", "no url here: a@b"),
            ("https://host/path@v1", "https://host/path@v1"),
        ] {
            assert_eq!(foreign(text), clean);
        }
    }

    #[test]
    fn text_is_one_line_and_short() {
        let text = foreign(&format!("a\nb\u{1b}[31m{}", "é".repeat(2_000)));
        assert!(text.starts_with("a b [31m"));
        assert!(text.len() <= LONGEST_FOREIGN_TEXT && text.ends_with('…'));
    }

    #[test]
    fn a_refused_object_is_not_quoted() {
        let status = Status {
            code: 422,
            reason: "Invalid".into(),
            message: "Secret \"x\" is invalid: data[k]: Invalid value: \"hunter2\"".into(),
            details: Some(StatusDetails {
                name: "x".into(),
                group: String::new(),
                kind: "Secret".into(),
                uid: String::new(),
                causes: vec![StatusCause {
                    field: "data[k]".into(),
                    reason: "FieldValueInvalid".into(),
                    message: "Invalid value: \"hunter2\"".into(),
                }],
                retry_after_seconds: 0,
            }),
            ..Status::default()
        };
        let text = api_error(&kube::Error::Api(Box::new(status)));
        assert_eq!(
            text,
            "refused by the API server (data[k]: FieldValueInvalid)"
        );
    }
}
