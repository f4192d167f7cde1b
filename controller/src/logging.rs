//! Log lines, as people or machines read them.

use std::io;

use tracing::Level;
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        self,
        writer::{BoxMakeWriter, MakeWriterExt as _},
    },
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::arguments::{LogFormat, Logging};

/// kube logs the body of an answer that does not decode, which may be a Secret: errors only. Its
/// runtime puts a span of its own around ours, which would name every object twice.
const ALWAYS: [&str; 3] = [
    "kube_client::client=error",
    "kube_runtime::controller=warn",
    "aws_smithy_runtime=warn",
];

/// Starts logging. A level that cannot be read is said and `info` taken instead: a typing error in
/// a Deployment must not stop what opens its Secrets.
pub(crate) fn start(logging: &Logging) {
    let wanted = logging.log_level.to_lowercase();
    let (filter, unreadable) = match EnvFilter::builder().parse(&wanted) {
        Ok(filter) => (filter, false),
        Err(_) => (EnvFilter::new("info"), true),
    };
    let filter = ALWAYS
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let writer = if logging.log_info_stdout {
        let loud = io::stderr.with_max_level(Level::WARN);
        BoxMakeWriter::new(loud.or_else(io::stdout))
    } else {
        BoxMakeWriter::new(io::stderr)
    };
    let registry = tracing_subscriber::registry().with(filter);
    match logging.log_format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_target(false)
                    .with_ansi(false)
                    .with_writer(writer),
            )
            .init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(writer))
            .init(),
    }
    if unreadable {
        tracing::warn!(
            level = logging.log_level,
            "--log-level cannot be read; info is used"
        );
    }
}
