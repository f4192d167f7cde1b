//! The kubeconfig with kubectl's flags laid over it (client-go's `tools/clientcmd`).

use std::path::{Path, PathBuf};

use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo,
    NamedCluster, NamedContext,
};

use crate::arguments::{Connection, Environment};
use crate::error::{Failure, go_text};

/// The namespace that is meant when nobody says one: that of the flag, of the context, of the pod.
/// Empty when there is no configuration at all (`DeferredLoadingClientConfig.Namespace`).
pub(crate) fn namespace(connection: &Connection, environment: &Environment) -> String {
    if !connection.namespace.is_empty() {
        return connection.namespace.clone();
    }
    let selected = Selected::load(connection, None, environment).ok();
    let usable = selected.filter(|selected| selected.has_server());
    let of_context = usable.map(|selected| {
        selected
            .context
            .namespace
            .filter(|name| !name.is_empty())
            .unwrap_or_else(default)
    });
    match of_context {
        Some(name) if name != "default" || connection.kubeconfig.is_some() => name,
        other => in_cluster_namespace(environment)
            .or(other)
            .unwrap_or_default(),
    }
}

/// The configuration for a client.
pub(crate) async fn client_config(
    connection: &Connection,
    profile_context: Option<&str>,
    environment: &Environment,
) -> Result<kube::Config, Failure> {
    let selected = Selected::load(connection, profile_context, environment)?;
    if !selected.has_server() {
        if connection.kubeconfig.is_none() && is_in_cluster(environment) {
            return kube::Config::incluster().map_err(Failure::work);
        }
        return Err(Failure::work(
            "invalid configuration: no configuration has been provided, \
             try setting KUBERNETES_MASTER environment variable",
        ));
    }
    let options = KubeConfigOptions::default();
    kube::Config::from_custom_kubeconfig(selected.into_kubeconfig(), &options)
        .await
        .map_err(|error| explain(&error))
}

const IN_CLUSTER_DIRECTORY: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn default() -> String {
    "default".to_owned()
}

fn is_in_cluster(environment: &Environment) -> bool {
    environment.filled("KUBERNETES_SERVICE_HOST").is_some()
        && environment.filled("KUBERNETES_SERVICE_PORT").is_some()
        && Path::new(IN_CLUSTER_DIRECTORY).join("token").is_file()
}

fn in_cluster_namespace(environment: &Environment) -> Option<String> {
    if !is_in_cluster(environment) {
        return None;
    }
    let of_variable = environment.filled("POD_NAMESPACE").map(str::to_owned);
    let of_file = || {
        let text = std::fs::read_to_string(Path::new(IN_CLUSTER_DIRECTORY).join("namespace"));
        text.ok()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    of_variable.or_else(of_file).or_else(|| Some(default()))
}

/// The one context, cluster and user that are used, flags included.
struct Selected {
    context: Context,
    cluster: Cluster,
    user: AuthInfo,
}

impl Selected {
    /// `context` is taken where no flag names one.
    fn load(
        connection: &Connection,
        context: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let config = read(connection, environment)?;
        let asked_for = if connection.context.is_empty() {
            context.unwrap_or_default()
        } else {
            &connection.context
        };
        let context_name = filled(asked_for).or_else(|| config.current_context.clone());
        let context = find_context(&config, context_name.as_deref(), asked_for)?;
        let cluster_name = filled(&connection.cluster).unwrap_or_else(|| context.cluster.clone());
        let user_name = filled(&connection.user).or_else(|| context.user.clone());
        let cluster = config
            .clusters
            .into_iter()
            .find(|named| named.name == cluster_name);
        let user = config
            .auth_infos
            .into_iter()
            .find(|named| Some(&named.name) == user_name.as_ref());
        let missing =
            |kind: &str, name: &str| Failure::work(format!("{kind} \"{name}\" does not exist"));
        if cluster.is_none() && !connection.cluster.is_empty() {
            return Err(missing("cluster", &connection.cluster));
        }
        if user.is_none() && !connection.user.is_empty() {
            return Err(missing("auth info", &connection.user));
        }
        let mut selected = Self {
            context,
            cluster: cluster.and_then(|named| named.cluster).unwrap_or_default(),
            user: user.and_then(|named| named.auth_info).unwrap_or_default(),
        };
        selected.lay_over_cluster(connection, environment);
        selected.lay_over_user(connection)?;
        Ok(selected)
    }

    fn has_server(&self) -> bool {
        self.cluster
            .server
            .as_ref()
            .is_some_and(|server| !server.is_empty())
    }

    fn lay_over_cluster(&mut self, flags: &Connection, environment: &Environment) {
        let cluster = &mut self.cluster;
        replace(&mut cluster.server, &flags.server);
        if cluster.server.as_ref().is_none_or(String::is_empty) {
            cluster.server = environment.filled("KUBERNETES_MASTER").map(str::to_owned);
        }
        if let Some(server) = &mut cluster.server
            && !server.is_empty()
            && !server.contains("://")
        {
            // client-go takes a bare host for http, and for https where there is a certificate.
            *server = format!("http://{server}");
        }
        if !flags.certificate_authority.is_empty() {
            cluster.certificate_authority_data = None;
        }
        replace(
            &mut cluster.certificate_authority,
            &flags.certificate_authority,
        );
        replace(&mut cluster.tls_server_name, &flags.tls_server_name);
        replace(&mut cluster.proxy_url, &flags.proxy_url);
        if flags.insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = Some(true);
        }
        if flags.disable_compression {
            cluster.disable_compression = Some(true);
        }
    }

    fn lay_over_user(&mut self, flags: &Connection) -> Result<(), Failure> {
        let user = &mut self.user;
        if !flags.client_certificate.is_empty() {
            user.client_certificate_data = None;
        }
        if !flags.client_key.is_empty() {
            user.client_key_data = None;
        }
        replace(&mut user.client_certificate, &flags.client_certificate);
        replace(&mut user.client_key, &flags.client_key);
        replace(&mut user.impersonate, &flags.impersonate);
        replace(&mut user.impersonate_uid, &flags.impersonate_uid);
        replace(&mut user.username, &flags.username);
        if !flags.impersonate_groups.is_empty() {
            user.impersonate_groups = Some(flags.impersonate_groups.clone());
        }
        if !flags.token.is_empty() {
            user.token = secrets(&flags.token, "")?.token;
            user.token_file = None;
        }
        if !flags.password.is_empty() {
            user.password = secrets("", &flags.password)?.password;
        }
        Ok(())
    }

    fn into_kubeconfig(mut self) -> Kubeconfig {
        const NAME: &str = "selected";
        NAME.clone_into(&mut self.context.cluster);
        self.context.user = Some(NAME.to_owned());
        let name = || NAME.to_owned();
        let cluster = NamedCluster {
            name: name(),
            cluster: Some(self.cluster),
            ..Default::default()
        };
        let user = NamedAuthInfo {
            name: name(),
            auth_info: Some(self.user),
            ..Default::default()
        };
        let context = NamedContext {
            name: name(),
            context: Some(self.context),
            ..Default::default()
        };
        Kubeconfig {
            clusters: vec![cluster],
            auth_infos: vec![user],
            contexts: vec![context],
            current_context: Some(name()),
            ..Kubeconfig::default()
        }
    }
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn replace(field: &mut Option<String>, flag: &str) {
    if !flag.is_empty() {
        *field = Some(flag.to_owned());
    }
}

/// The type of a token is the client library's own; reading is how one is made.
fn secrets(token: &str, password: &str) -> Result<AuthInfo, Failure> {
    let fields = serde_json::json!({ "token": token, "password": password });
    serde_json::from_value(fields).map_err(|_| Failure::work("invalid token or password"))
}

fn find_context(
    config: &Kubeconfig,
    name: Option<&str>,
    asked_for: &str,
) -> Result<Context, Failure> {
    let found = config
        .contexts
        .iter()
        .find(|named| Some(named.name.as_str()) == name);
    match found.and_then(|named| named.context.clone()) {
        Some(context) => Ok(context),
        None if asked_for.is_empty() => Ok(Context::default()),
        None => Err(Failure::work(format!(
            "context \"{asked_for}\" does not exist"
        ))),
    }
}

/// `--kubeconfig`, else the files of `KUBECONFIG`, else the one in the home directory. Only the first
/// has to exist (`ClientConfigLoadingRules.Load`).
fn read(connection: &Connection, environment: &Environment) -> Result<Kubeconfig, Failure> {
    if let Some(path) = &connection.kubeconfig {
        if let Err(error) = std::fs::metadata(path) {
            return Err(Failure::Work(format!(
                "stat {}: {}",
                path.display(),
                go_text(&error)
            )));
        }
        return Kubeconfig::read_from(path).map_err(|error| explain(&error));
    }
    let paths: Vec<PathBuf> = match environment.filled("KUBECONFIG") {
        Some(list) => std::env::split_paths(list).collect(),
        None => std::env::home_dir()
            .map(|home| home.join(".kube/config"))
            .into_iter()
            .collect(),
    };
    paths
        .iter()
        .filter(|path| path.is_file())
        .try_fold(Kubeconfig::default(), |config, path| {
            config.merge(Kubeconfig::read_from(path)?)
        })
        .map_err(|error| explain(&error))
}

/// A kubeconfig holds tokens and keys, so a parser's words about it, which may quote it, are not
/// printed.
fn explain(error: &KubeconfigError) -> Failure {
    match error {
        KubeconfigError::Parse(_) => Failure::work("the kubeconfig is not valid YAML"),
        other => Failure::work(other),
    }
}
