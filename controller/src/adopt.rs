//! `controller adopt --dry-run`: what taking a cluster over from the incumbents would change.

use kit::{adopt::ListError, client};

use crate::arguments::{Arguments, Part};

/// Why it could not be found out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error("connect to the API server")]
    Connect(#[from] client::ConnectError),
    #[error(transparent)]
    List(#[from] ListError),
}

/// Looks at the cluster as the parts would, writes nothing, and prints what it found.
///
/// # Errors
/// [`AdoptError`] when the API server does not let us look.
pub(crate) async fn adopt(mut arguments: Arguments) -> Result<(), AdoptError> {
    let connection = client::connect(
        arguments.kubeconfig.as_deref(),
        arguments.own_namespace.take(),
        arguments.calls.pace(),
    )
    .await?;
    if arguments.parts.contains(Part::Sealed) {
        let (client, namespace) = (&connection.client, &connection.namespace);
        let found = sealed::adopt(client, namespace, arguments.sealed).await?;
        print(Part::Sealed, &found.to_string());
    }
    if arguments.parts.contains(Part::External) {
        let found = external::adopt(&connection.client, arguments.external).await?;
        print(Part::External, &found.to_string());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it is what the command is for")]
fn print(part: Part, found: &str) {
    println!("{}:", part.name());
    for line in found.lines() {
        println!("  {line}");
    }
}
