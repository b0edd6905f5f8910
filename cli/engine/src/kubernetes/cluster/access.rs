//! The way to a cluster: a context of a kubeconfig.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};
use tokio::time::timeout;

use super::{ClusterError, kubeconfig};

/// Time for the first answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster that has answered.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    /// The context that it was found by.
    pub context: String,
    /// Address of its server.
    pub server: String,
    /// Version of its server, such as `v1.37.0`.
    pub version: String,
    /// What tells the cluster from every other one: the uid of its namespace `kube-system`. None where that may not be read.
    pub uid: Option<String>,
}

impl Cluster {
    /// A client of its server.
    pub(in crate::kubernetes) fn client(&self) -> &Client {
        &self.client
    }
}

/// The cluster of a context, or of the current one. The kubeconfig is the one of this path, else those of `KUBECONFIG`, else the one of
/// the home directory.
///
/// # Errors
/// Where there is no such context, or its server does not answer or does not take the credentials.
pub async fn connect(path: Option<&Path>, context: Option<&str>) -> Result<Cluster, ClusterError> {
    let file = kubeconfig::read(path)?;
    let context = chosen(&file, context)?;
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(file, &options).await;
    let mut config = config.map_err(|error| unusable(&error))?;
    config.connect_timeout = Some(PATIENCE);
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    let client = Client::try_from(config).map_err(|error| ClusterError::Kubeconfig {
        reason: crate::error::chain(&error),
    })?;
    let version = version(&client, &context, &server).await?;
    let uid = uid(&client).await;
    Ok(Cluster {
        client,
        context,
        server,
        version,
        uid,
    })
}

async fn uid(client: &Client) -> Option<String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let asked = timeout(PATIENCE, namespaces.get_metadata("kube-system")).await;
    asked.ok()?.ok()?.metadata.uid
}

fn unusable(error: &KubeconfigError) -> ClusterError {
    ClusterError::Kubeconfig {
        reason: crate::error::chain(error),
    }
}

/// The context that is asked for, or the current one, where there is one of that name.
fn chosen(file: &Kubeconfig, asked: Option<&str>) -> Result<String, ClusterError> {
    let known = || file.contexts.iter().map(|context| context.name.clone());
    let current = file.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = asked.or(current) else {
        return Err(ClusterError::Kubeconfig {
            reason: "it has no current context".to_owned(),
        });
    };
    match known().find(|context| context == name) {
        Some(context) => Ok(context),
        None => Err(ClusterError::NoContext {
            name: name.to_owned(),
            known: known().collect(),
        }),
    }
}

async fn version(client: &Client, context: &str, server: &str) -> Result<String, ClusterError> {
    let unreachable = |reason: String| ClusterError::Unreachable {
        context: context.to_owned(),
        server: server.to_owned(),
        reason,
    };
    let asked = timeout(PATIENCE, client.apiserver_version()).await;
    let Ok(answer) = asked else {
        return Err(unreachable(format!("no answer within {} s", PATIENCE.as_secs())));
    };
    answer.map(|info| info.git_version).map_err(|error| match &error {
        kube::Error::Api(status) if status.code == 401 => ClusterError::Unauthorized {
            context: context.to_owned(),
            reason: super::error::said(status),
        },
        kube::Error::Api(_) => ClusterError::of("tell its version", &error),
        kube::Error::Auth(_) => ClusterError::Unauthorized {
            context: context.to_owned(),
            reason: crate::error::chain(&error),
        },
        _ => unreachable(crate::error::chain(&error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(current: &str) -> Kubeconfig {
        let context = serde_json::json!({"name": "one", "context": {"cluster": "c", "user": "u"}});
        let file = serde_json::json!({"current-context": current, "contexts": [context]});
        serde_json::from_value(file).unwrap()
    }

    #[test]
    fn a_context_is_the_one_that_is_asked_for_else_the_current_one() {
        assert_eq!(chosen(&kubeconfig("one"), None).unwrap(), "one");
        assert_eq!(chosen(&kubeconfig("two"), Some("one")).unwrap(), "one");
        let error = chosen(&kubeconfig("two"), None).unwrap_err().to_string();
        assert_eq!(error, r#"the kubeconfig has no context "two"; it has one"#);
        let error = chosen(&kubeconfig(""), None).unwrap_err().to_string();
        assert!(error.contains("no current context"), "{error}");
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_or_makes_no_sense_is_told() {
        let home = tempfile::tempdir().unwrap();
        let missing = home.path().join("none");
        let error = connect(Some(&missing), None).await.err().unwrap();
        assert!(matches!(error, ClusterError::NoKubeconfig { .. }), "{error}");
        let garbage = home.path().join("garbage");
        std::fs::write(&garbage, "{").unwrap();
        let error = connect(Some(&garbage), None).await.err().unwrap();
        assert!(matches!(error, ClusterError::Kubeconfig { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_with_its_address() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("kubeconfig");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: gone\ncontexts:\n- name: gone\n  context: {{cluster: c, user: u}}\n\
             clusters:\n- name: c\n  cluster: {{server: 'http://127.0.0.1:{port}'}}\nusers:\n- name: u\n  user: {{}}\n"
        );
        std::fs::write(&file, text).unwrap();
        let error = connect(Some(&file), None).await.err().unwrap();
        assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");
        assert!(
            error.to_string().contains(&format!("127.0.0.1:{port}")),
            "{error}"
        );
    }
}
