//! The Secret `odd-secrets`: passwords that are made once and live in the cluster, and the addresses that carry them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::Api;
use kube::api::ListParams;
use odd_contracts::names::env;
use serde_json::json;

use super::cluster::{Cluster, ClusterError, Object};
use super::variant::{INSTANCE, MANAGED_BY};
use crate::docker::credentials::random;
use crate::error::EngineError;
use crate::instance::InstanceName;

/// Its name, as the manifests refer to it.
pub(super) const NAME: &str = "odd-secrets";
/// What is made at random.
const RANDOM: [&str; 9] = [
    "ALERT_WEBHOOK_TOKEN",
    "GRAFANA_PASSWORD",
    "MONGO_EXPRESS_PASSWORD",
    "MONGO_PASSWORD",
    "PGADMIN_PASSWORD",
    "POSTGRES_PASSWORD",
    "RABBITMQ_PASSWORD",
    "REDIS_PASSWORD",
    env::WEB_TOKEN,
];

/// What the data in volumes is locked with.
const OF_DATA: [&str; 4] = [
    "MONGO_PASSWORD",
    "POSTGRES_PASSWORD",
    "RABBITMQ_PASSWORD",
    "REDIS_PASSWORD",
];

/// The values of the Secret, by their keys. `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Secrets(BTreeMap<String, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Those that are in the cluster, completed by what is missing: to make others in their place would lock the roles out of the data.
    ///
    /// # Errors
    /// Where the cluster does not tell, or the system has no randomness; [`ClusterError::PasswordsLost`] where there are volumes that only
    /// lost passwords open.
    pub(super) async fn of(cluster: &Cluster, namespace: &str) -> Result<Self, EngineError> {
        let present = present(cluster, namespace).await?;
        let missing = OF_DATA.into_iter().find(|key| !present.contains_key(*key));
        if let Some(missing) = missing
            && has_volumes(cluster, namespace).await?
        {
            let lost = ClusterError::PasswordsLost {
                namespace: namespace.to_owned(),
                missing: missing.to_owned(),
            };
            return Err(lost.into());
        }
        Self::completed(present)
    }

    fn completed(mut present: BTreeMap<String, String>) -> Result<Self, EngineError> {
        for key in RANDOM {
            if !present.contains_key(key) {
                present.insert(key.to_owned(), random()?);
            }
        }
        for (key, address) in addresses(&present) {
            present.insert(key.to_owned(), address);
        }
        Ok(Self(present))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The Secret as it is applied.
    ///
    /// # Errors
    /// Never, unless the client library takes no Secret.
    pub(super) fn object(&self, instance: &InstanceName, namespace: &str) -> Result<Object, ClusterError> {
        let data: BTreeMap<&String, String> =
            self.0.iter().map(|(key, value)| (key, encoded(value))).collect();
        Object::parse(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": NAME,
                "namespace": namespace,
                "labels": {MANAGED_BY: "odd", INSTANCE: instance.as_str(), "app.kubernetes.io/part-of": "odd"},
            },
            "data": data,
        }))
    }
}

fn encoded(value: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(value)
}

/// Where the data services of the overlay are, as `k8s/README.md` has it.
fn addresses(secrets: &BTreeMap<String, String>) -> [(&'static str, String); 5] {
    let of = |key: &str| secrets.get(key).map_or("", String::as_str);
    let (rabbitmq, postgres) = (of("RABBITMQ_PASSWORD"), of("POSTGRES_PASSWORD"));
    let (mongo, redis) = (of("MONGO_PASSWORD"), of("REDIS_PASSWORD"));
    [
        (
            env::AMQP_URL,
            format!("amqp://odd:{rabbitmq}@rabbitmq:5672/%2f?frame_max=32768"),
        ),
        (
            env::AMQP_MANAGEMENT_URL,
            format!("http://odd:{rabbitmq}@rabbitmq:15672"),
        ),
        (
            env::POSTGRES_URL,
            format!("postgres://odd:{postgres}@postgres:5432/odd"),
        ),
        (
            env::MONGO_URL,
            format!("mongodb://odd:{mongo}@mongo:27017/odd?authSource=admin"),
        ),
        (env::REDIS_URL, format!("redis://:{redis}@redis:6379/0")),
    ]
}

async fn has_volumes(cluster: &Cluster, namespace: &str) -> Result<bool, ClusterError> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(cluster.client().clone(), namespace);
    let listed = claims.list_metadata(&ListParams::default()).await;
    let listed =
        listed.map_err(|error| ClusterError::of(format!("list the volumes of {namespace}"), &error))?;
    Ok(!listed.items.is_empty())
}

/// Those of the cluster; none where there is no such Secret.
async fn present(cluster: &Cluster, namespace: &str) -> Result<BTreeMap<String, String>, ClusterError> {
    let secrets: Api<Secret> = Api::namespaced(cluster.client().clone(), namespace);
    let found = secrets.get_opt(NAME).await;
    let found = found.map_err(|error| ClusterError::of(format!("read secret/{NAME}"), &error))?;
    let data = found.and_then(|secret| secret.data).unwrap_or_default();
    // One that is no text was not made here, and is not what the roles could read.
    let text =
        |(key, value): (String, k8s_openapi::ByteString)| Some((key, String::from_utf8(value.0).ok()?));
    Ok(data.into_iter().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_kept_and_what_is_missing_is_made() {
        let there = BTreeMap::from([
            ("POSTGRES_PASSWORD".to_owned(), "kept".to_owned()),
            (env::POSTGRES_URL.to_owned(), "of another password".to_owned()),
            ("OF_SOMEBODY".to_owned(), "else".to_owned()),
        ]);
        let secrets = Secrets::completed(there).unwrap();
        assert_eq!(secrets.get("POSTGRES_PASSWORD"), Some("kept"));
        assert_eq!(secrets.get("OF_SOMEBODY"), Some("else"));
        assert_eq!(
            secrets.get(env::POSTGRES_URL),
            Some("postgres://odd:kept@postgres:5432/odd"),
            "addresses follow the passwords"
        );
        let token = secrets.get(env::WEB_TOKEN).unwrap();
        assert!((16..=256).contains(&token.len()), "{}", token.len());
        assert!(!format!("{secrets:?}").contains("kept"));
    }
}
