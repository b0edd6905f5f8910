//! The broker's management interface, for what the protocol itself does not tell.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::{Client, Url};
use serde::Deserialize;

/// The management interface of one virtual host.
pub(super) struct Management {
    client: Client,
    queues: Result<Url, String>,
}

#[derive(Deserialize)]
struct Totals {
    name: String,
    #[serde(default)]
    messages_unacknowledged: u64,
}

impl Management {
    /// The interface at `url`, such as `http://user:password@host:15672`.
    pub(super) fn new(url: &str, vhost: &str) -> Self {
        Self {
            client: Client::new(),
            queues: address(url, vhost),
        }
    }

    /// What consumers of each queue hold unacknowledged, as of the broker's last count, which is at most some
    /// seconds old. Queues that were not counted yet are absent.
    ///
    /// # Errors
    /// Says what is wrong, without the password.
    pub(super) async fn unacknowledged(&self, limit: Duration) -> Result<HashMap<String, u64>, String> {
        let told = |error: reqwest::Error| {
            format!(
                "the broker's management interface does not answer: {}",
                error.without_url()
            )
        };
        let answer = self
            .client
            .get(self.queues.clone()?)
            .timeout(limit)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(told)?;
        let totals: Vec<Totals> = answer.json().await.map_err(told)?;
        Ok(totals
            .into_iter()
            .map(|queue| (queue.name, queue.messages_unacknowledged))
            .collect())
    }
}

fn address(url: &str, vhost: &str) -> Result<Url, String> {
    let invalid = || "the address of the broker's management interface is not valid".to_owned();
    let mut url: Url = url.parse().map_err(|_| invalid())?;
    url.path_segments_mut()
        .map_err(|()| invalid())?
        .pop_if_empty()
        .extend(["api", "queues", vhost]);
    // Nothing but the counts: rates and histories cost the broker far more.
    url.set_query(Some("disable_stats=true&enable_queue_totals=true"));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_host_is_one_segment() {
        let path = |url: &str, vhost: &str| address(url, vhost).map(|url| url.path().to_owned());
        assert_eq!(path("http://u:p@host:15672", "/").unwrap(), "/api/queues/%2F");
        assert_eq!(
            path("http://host/rabbit/", "a b").unwrap(),
            "/rabbit/api/queues/a%20b"
        );
        assert!(!path("no address", "/").unwrap_err().contains("no address"));
    }
}
