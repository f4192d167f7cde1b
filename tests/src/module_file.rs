//! Files of the incumbents, as their released modules carry them.

use crate::{Failure, Invocation, cache};

/// A file of the real sealed-secrets: its chart, its definition. `path` is within the module.
///
/// # Errors
/// If the module cannot be had, or has no such file.
pub async fn of_sealed_secrets(path: &str) -> Result<String, Failure> {
    let name = "github.com/bitnami-labs/sealed-secrets";
    let directory = Invocation::new("go")
        .args(["list", "-m", "-f", "{{.Dir}}", name])
        .envs_starting_with(&["GO", "HOME", "XDG_"])
        .directory(&cache::repository().join("tests/tools/kubeseal"))
        .stdout()
        .await?;
    let file = std::path::Path::new(directory.trim()).join(path);
    Ok(std::fs::read_to_string(file)?)
}
