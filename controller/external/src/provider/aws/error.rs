//! What AWS and the way to it answer, told apart.

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use kit::redact;

use crate::provider::ReadError;

/// What went wrong with `call`.
pub(super) fn classify<E>(call: &str, error: &SdkError<E, HttpResponse>) -> ReadError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let (code, message) = (answer.err().code(), answer.err().message());
            from_code(
                call,
                code.unwrap_or_default(),
                message.unwrap_or_default(),
                status,
            )
        }
        SdkError::TimeoutError(_) => {
            ReadError::Unavailable(format!("{call}: no answer in time from the AWS endpoint"))
        }
        SdkError::ConstructionFailure(_) => ReadError::Rejected(described(call, error)),
        _ => ReadError::Unavailable(described(call, error)),
    }
}

/// What an error of this code means.
pub(super) fn from_code(call: &str, code: &str, message: &str, status: u16) -> ReadError {
    let text = sanitised(&match (code, message) {
        ("", "") => format!("{call}: the AWS endpoint answered {status}"),
        ("", message) => format!("{call}: {message}"),
        (code, "") => format!("{call}: {code}"),
        (code, message) => format!("{call}: {code}: {message}"),
    });
    match code {
        // Also for a version that is not there: the deletion policies take both for the same lack.
        "ResourceNotFoundException" => ReadError::Missing,
        // AWS says InvalidRequestException; the incumbent looks for InvalidParameterException, which
        // older answers had.
        "InvalidRequestException" | "InvalidParameterException" if is_marked(message) => {
            ReadError::Missing
        }
        "AccessDenied" | "AccessDeniedException" => ReadError::Denied(text),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "InvalidIdentityToken"
        | "UnrecognizedClientException" => ReadError::Refused(text),
        "LimitExceededException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException" => ReadError::Throttled(text),
        "InternalServiceError"
        | "InternalServiceErrorException"
        | "InternalFailure"
        | "ServiceUnavailable" => ReadError::Unavailable(text),
        _ if status == 429 => ReadError::Throttled(text),
        _ if status >= 500 => ReadError::Unavailable(text),
        _ => ReadError::Rejected(text),
    }
}

/// An error of ours or the SDK's with its causes.
pub(super) fn described(call: &str, error: &(dyn Error + 'static)) -> String {
    sanitised(&format!("{call}: {}", redact::with_sources(error)))
}

/// "You can't perform this operation on the secret because it was marked for deletion."; moto says
/// "... on a secret that's currently marked deleted."
fn is_marked(message: &str) -> bool {
    message.contains("marked for deletion") || message.contains("marked deleted")
}

/// Without what differs from one failure to the next, and without parts of credentials
/// (providers/v1/aws/util/errors.go, `SanitizeErr`).
fn sanitised(text: &str) -> String {
    let mut kept = text;
    if let Some(at) = kept.find(" Credential=") {
        kept = &kept[..at];
    }
    let mut clean = String::with_capacity(kept.len());
    let mut rest = kept;
    while let Some(at) = find_ignoring_case(rest, "request id: ") {
        clean.push_str(&rest[..at]);
        let after = &rest[at + "request id: ".len()..];
        let end = after
            .find(|c: char| c.is_whitespace() || c == ',' || c == ')')
            .unwrap_or(after.len());
        rest = &after[end..];
    }
    clean.push_str(rest);
    redact::foreign(&clean)
}

fn find_ignoring_case(text: &str, ascii: &str) -> Option<usize> {
    text.as_bytes()
        .windows(ascii.len())
        .position(|part| part.eq_ignore_ascii_case(ascii.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, message: &str, status: u16) -> ReadError {
        from_code("GetSecretValue", code, message, status)
    }

    #[test]
    fn missing_and_marked_for_deletion_are_the_same_lack() {
        for (code, message) in [
            (
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            (
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
            (
                "InvalidRequestException",
                "You tried to perform the operation on a secret that's currently marked deleted.",
            ),
            (
                "InvalidParameterException",
                "the secret was marked for deletion",
            ),
        ] {
            assert_eq!(of(code, message, 400), ReadError::Missing, "{message}");
        }
        let other = of("InvalidRequestException", "You can't rotate this", 400);
        assert!(matches!(other, ReadError::Rejected(_)));
    }

    #[test]
    fn answers_are_told_apart() {
        assert!(matches!(
            of("AccessDeniedException", "no", 400),
            ReadError::Denied(_)
        ));
        assert!(matches!(
            of("UnrecognizedClientException", "no", 400),
            ReadError::Refused(_)
        ));
        assert!(matches!(
            of("ThrottlingException", "slow", 400),
            ReadError::Throttled(_)
        ));
        assert!(matches!(of("", "", 429), ReadError::Throttled(_)));
        assert!(matches!(
            of("InternalServiceError", "", 500),
            ReadError::Unavailable(_)
        ));
        assert!(matches!(of("Odd", "", 503), ReadError::Unavailable(_)));
        let kms = of("DecryptionFailure", "can't decrypt", 400);
        assert_eq!(
            kms.to_string(),
            "GetSecretValue: DecryptionFailure: can't decrypt"
        );
    }

    #[test]
    fn request_ids_and_credentials_are_left_out() {
        let text = of(
            "Odd",
            "bad (Request ID: 1b2c-3d) in scope, request id: xyz Credential=AKIA/2026",
            400,
        );
        assert_eq!(text.to_string(), "GetSecretValue: Odd: bad () in scope,");
    }
}
