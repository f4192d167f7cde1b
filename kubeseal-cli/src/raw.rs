//! `--raw`: one value in, one sealed item out.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use keys::{Certificate, Label, Scope, SecretBytes, encode_base64};

use crate::arguments::Settings;
use crate::error::Failure;
use crate::namespace::Namespace;
use crate::{files, terminal};

/// Seals one value (`runCLI` and `EncryptSecretItem`). There is no line end behind the item, and none
/// is taken off the value.
pub(crate) fn seal(settings: &Settings, certificate: &Certificate) -> Result<String, Failure> {
    let label = label(settings)?;
    let value = value(settings)?;
    let item =
        keys::seal(certificate.public_key(), &label, value.expose()).map_err(Failure::work)?;
    Ok(encode_base64(&item))
}

fn label(settings: &Settings) -> Result<Label, Failure> {
    let scope = settings.scope;
    if scope == Scope::ClusterWide {
        return Ok(Label::new(scope, "", ""));
    }
    let namespace = Namespace::new(settings).resolve();
    let missing = |flag: &str| {
        Failure::Work(format!(
            "must provide the --{flag} flag with --raw and --scope {scope}"
        ))
    };
    if namespace.is_empty() {
        return Err(missing("namespace"));
    }
    if settings.name.is_empty() && scope == Scope::Strict {
        return Err(missing("name"));
    }
    Ok(Label::new(scope, &namespace, &settings.name))
}

/// The value from `--from-file`, from the input file (which the incumbent ignores here), or from
/// standard input.
fn value(settings: &Settings) -> Result<SecretBytes, Failure> {
    match (settings.from_file.as_slice(), &settings.input) {
        ([], Some(path)) => files::read(path),
        ([], None) => {
            if io::stdin().is_terminal() {
                terminal::remark("(tty detected: expecting a secret to encrypt in stdin)");
            }
            files::read_standard_input()
        }
        // As in kubectl, a name may stand before the path; it is not used.
        ([one], _) => files::read(Path::new(
            one.split_once('=').map_or(&**one, |(_, path)| path),
        )),
        _ => Err(Failure::work(
            "must provide only one --from-file when encrypting a single item with --raw",
        )),
    }
}
