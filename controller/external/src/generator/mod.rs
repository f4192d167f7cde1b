//! Generators: values that no store holds, made anew at each refresh.

mod ecr;
mod password;

use crds::{
    external_secret::GeneratorRef,
    generator::{ECRAuthorizationToken, Password},
    secret_store::{AwsAuth, AwsProvider, AwsService},
};
use kit::redact;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use crate::{
    part::Part,
    provider::ReadError,
    store::{GeneratorIdentity, OpenError},
    values::Values,
};

/// The kinds of generators that are served.
const SERVED: [&str; 2] = ["Password", "ECRAuthorizationToken"];

/// Whether generators of this kind are served.
pub(crate) fn is_served(kind: &str) -> bool {
    SERVED.contains(&kind)
}

/// Makes the values that a generator of this namespace stands for.
///
/// # Errors
/// What is wrong with the generator, or why it could not be asked.
pub(crate) async fn generate(
    part: &Part,
    namespace: &str,
    reference: &GeneratorRef,
) -> Result<Values, String> {
    let made = match reference.kind.as_str() {
        "Password" => {
            let found: Password = read(part, namespace, &reference.name).await?;
            password::generate(&found.spec)
        }
        "ECRAuthorizationToken" => {
            let found: ECRAuthorizationToken = read(part, namespace, &reference.name).await?;
            let spec = found.spec;
            let aws = AwsProvider {
                service: AwsService::SecretsManager,
                region: spec.region,
                auth: AwsAuth {
                    secret_ref: spec.auth.secret_ref,
                    jwt: spec.auth.jwt,
                },
                role: spec.role,
                ..AwsProvider::default()
            };
            ecr::token(
                part,
                GeneratorIdentity {
                    namespace,
                    aws: &aws,
                },
                &spec.scope,
            )
            .await
        }
        other => Err(format!(
            "the kind {other} is not served; what is served is Password and ECRAuthorizationToken"
        )),
    };
    made.map_err(|problem| format!("error using generator: {problem}"))
}

async fn read<K>(part: &Part, namespace: &str, name: &str) -> Result<K, String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let _call = part.calls.acquire().await;
    let found = Api::<K>::namespaced(part.context.client.clone(), namespace)
        .get(name)
        .await;
    found.map_err(|error| {
        let cause = redact::api_error(&error);
        format!(
            "unable to get generator {} \"{name}\": {cause}",
            K::kind(&())
        )
    })
}

impl From<OpenError> for String {
    fn from(error: OpenError) -> Self {
        format!("unable to create aws session: {error}")
    }
}

impl From<ReadError> for String {
    fn from(error: ReadError) -> Self {
        format!("unable to get authorization token: {error}")
    }
}
