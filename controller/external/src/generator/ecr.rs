//! Tokens for Amazon's container registry.

use crds::generator::EcrScope;

use crate::{part::Part, store::GeneratorIdentity, values::Values};

/// A token, and what goes with it.
pub(super) async fn token(
    part: &Part,
    identity: GeneratorIdentity<'_>,
    scope: &EcrScope,
) -> Result<Values, String> {
    let public = match scope {
        EcrScope::Private => false,
        EcrScope::Public => true,
        EcrScope::Other(other) => return Err(format!("the scope {other} is not served")),
    };
    let identity = part.identities.for_generator(identity).await?;
    Ok(part
        .identities
        .clients()
        .registry_token(&identity, public)
        .await?)
}
