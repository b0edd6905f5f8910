//! Questions to a running Prometheus.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::dashboards::text;

/// Longest time for one answer.
const ANSWER: Duration = Duration::from_secs(60);

/// A Prometheus.
pub(super) struct Prometheus {
    http: reqwest::Client,
    address: String,
}

/// A rule as Prometheus has loaded it.
#[derive(Debug)]
pub(super) struct Rule {
    /// Name of the recorded series or of the alert.
    pub(super) name: String,
    /// Whether it is an alert.
    pub(super) alerting: bool,
    /// Its expression.
    pub(super) query: String,
    /// `ok`, or not.
    pub(super) health: String,
    /// Why it is not.
    pub(super) error: String,
}

impl Prometheus {
    /// The one that answers at `address`.
    pub(super) fn at(address: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .unwrap();
        Self {
            http,
            address: address.to_owned(),
        }
    }

    /// How many samples that are numbers it answers an instant query with.
    ///
    /// # Errors
    /// Its own words, where the query is no PromQL or fails.
    pub(super) async fn query(&self, expr: &str) -> Result<usize, String> {
        let data = self.ask("query", &[("query", expr)]).await?;
        let samples = match data["resultType"].as_str() {
            Some("vector") => data["result"].as_array().into_iter().flatten(),
            other => return Err(format!("the answer is no vector but {other:?}")),
        };
        Ok(samples.filter(|sample| is_number(&sample["value"])).count())
    }

    /// Values of a label over all series, or over those that match.
    pub(super) async fn label_values(&self, label: &str, series: Option<&str>) -> BTreeSet<String> {
        let matching: Vec<_> = series.into_iter().map(|series| ("match[]", series)).collect();
        let data = self
            .ask(&format!("label/{label}/values"), &matching)
            .await
            .unwrap();
        serde_json::from_value(data).unwrap()
    }

    /// Job and health of every target.
    pub(super) async fn targets(&self) -> Vec<(String, String)> {
        let data = self.ask("targets", &[("state", "active")]).await.unwrap();
        let targets = data["activeTargets"].as_array().unwrap().iter();
        targets
            .map(|target| {
                (
                    text(target, "/labels/job").to_owned(),
                    text(target, "/health").to_owned(),
                )
            })
            .collect()
    }

    /// Every rule.
    pub(super) async fn rules(&self) -> Vec<Rule> {
        let data = self.ask("rules", &[]).await.unwrap();
        let groups = data["groups"].as_array().unwrap().iter();
        groups
            .flat_map(|group| group["rules"].as_array().unwrap())
            .map(|rule| Rule {
                name: text(rule, "/name").to_owned(),
                alerting: rule["type"] == "alerting",
                query: text(rule, "/query").to_owned(),
                health: text(rule, "/health").to_owned(),
                error: rule["lastError"].as_str().unwrap_or_default().to_owned(),
            })
            .collect()
    }

    /// Alertmanagers that it sends alerts to.
    pub(super) async fn alertmanagers(&self) -> usize {
        let data = self.ask("alertmanagers", &[]).await.unwrap();
        data["activeAlertmanagers"].as_array().unwrap().len()
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let request = self
            .http
            .get(format!("{}/api/v1/{path}", self.address))
            .query(parameters);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(answer["error"].to_string()),
        }
    }
}

/// Whether the value of a sample is a number: percentiles of nothing are not.
fn is_number(sample: &Value) -> bool {
    let value = sample[1].as_str().and_then(|text| text.parse::<f64>().ok());
    value.is_some_and(f64::is_finite)
}
