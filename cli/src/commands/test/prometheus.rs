//! Prometheus, asked over its HTTP API (<https://prometheus.io/docs/prometheus/latest/querying/api/>).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use odd_client::{ClientError, HttpOptions, RawRequest, RoleClient};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::exposition::{Exposition, Sample};
use super::gate::text;

/// Label with the name of a metric.
const NAME: &str = "__name__";

/// Client of one Prometheus.
pub(super) struct Prometheus {
    http: RoleClient,
}

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    /// Its labels, the name of the metric included where it has one.
    pub(super) labels: BTreeMap<String, String>,
    /// Its value.
    pub(super) value: f64,
}

/// An alert as Prometheus knows it, before Alertmanager was told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct RuleAlert {
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
    /// `pending` or `firing`.
    pub(super) state: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    status: String,
    data: Option<T>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Vector {
    result: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    /// Seconds since 1970, and the value in words, because JSON has neither NaN nor infinities.
    value: (f64, String),
}

#[derive(Deserialize)]
struct Single {
    result: (f64, String),
}

#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<RuleAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managers {
    active_alertmanagers: Vec<serde_json::Value>,
}

impl Prometheus {
    pub(super) fn new(base: &str, options: HttpOptions) -> Result<Self, ClientError> {
        Ok(Self {
            http: RoleClient::new(base, options)?,
        })
    }

    /// The instant vector that this expression makes of the newest samples.
    pub(super) async fn query(&self, expression: &str) -> Result<Vec<Point>, String> {
        let vector: Vector = self.ask(&query(expression)).await?;
        vector.result.into_iter().map(point).collect()
    }

    /// Seconds since 1970 by the clock that samples are stamped with.
    pub(super) async fn now(&self) -> Result<f64, String> {
        let single: Single = self.ask(&query("time()")).await?;
        number(&single.result.1)
    }

    /// What the role with this `service` label exposes, over all its replicas, as it was scraped last.
    pub(super) async fn of_service(&self, service: &str) -> Result<Exposition, String> {
        self.points_of_service(service).await.map(exposition)
    }

    /// The same as Prometheus has it.
    pub(super) async fn points_of_service(&self, service: &str) -> Result<Vec<Point>, String> {
        self.query(&format!("{{service={service:?}}}")).await
    }

    /// Alerts that are pending or firing.
    pub(super) async fn alerts(&self) -> Result<Vec<RuleAlert>, String> {
        self.ask("/api/v1/alerts").await.map(|found: Alerts| found.alerts)
    }

    /// How many Alertmanagers it sends alerts to.
    pub(super) async fn alertmanagers(&self) -> Result<usize, String> {
        let managers: Managers = self.ask("/api/v1/alertmanagers").await?;
        Ok(managers.active_alertmanagers.len())
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let answer = self.http.exchange(RawRequest::get(path)).await.map_err(text)?;
        let document: Answer<T> = answer.json().map_err(text)?;
        match document.data {
            Some(data) if document.status == "success" => Ok(data),
            _ => Err(format!(
                "Prometheus refuses {path} (HTTP {}): {}",
                answer.status,
                document.error.unwrap_or_default()
            )),
        }
    }
}

fn query(expression: &str) -> String {
    format!("/api/v1/query?query={}", encoded(expression))
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn point(element: Element) -> Result<Point, String> {
    Ok(Point {
        labels: element.metric,
        value: number(&element.value.1)?,
    })
}

/// A value as Prometheus writes it: `NaN`, `+Inf` and `-Inf` included, which Rust reads as well.
fn number(text: &str) -> Result<f64, String> {
    text.parse()
        .map_err(|_| format!("Prometheus answers {text:?} for a number"))
}

/// The same samples as a role exposes them itself, with the labels that Prometheus adds.
fn exposition(points: Vec<Point>) -> Exposition {
    let sample = |mut point: Point| {
        let name = point.labels.remove(NAME)?;
        Some(Sample {
            name,
            labels: point.labels,
            value: point.value,
        })
    };
    Exposition {
        samples: points.into_iter().filter_map(sample).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_becomes_samples() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"a_total","service":"processor","instance":"10.0.0.2:3010"},"value":[1700000000.123,"3"]},
            {"metric":{"__name__":"a_total","service":"processor","instance":"10.0.0.3:3010"},"value":[1700000000.5,"4.5"]},
            {"metric":{},"value":[1700000000,"NaN"]}]}}"#;
        let answer: Answer<Vector> = serde_json::from_str(text).unwrap();
        let points: Vec<Point> = answer
            .data
            .unwrap()
            .result
            .into_iter()
            .map(|e| point(e).unwrap())
            .collect();
        assert_eq!(points.len(), 3);
        assert!(points[2].value.is_nan());
        let read = exposition(points);
        assert_eq!(read.samples.len(), 2, "what has no name is no metric");
        assert_eq!(read.sum("a_total", &[("service", "processor")]), 7.5);
        assert_eq!(read.sum("a_total", &[("instance", "10.0.0.3:3010")]), 4.5);
    }

    #[test]
    fn numbers_are_those_of_prometheus() {
        assert_eq!(number("12").unwrap(), 12.0);
        assert_eq!(number("+Inf").unwrap(), f64::INFINITY);
        assert_eq!(number("-Inf").unwrap(), f64::NEG_INFINITY);
        assert!(number("many").is_err());
    }

    #[test]
    fn an_expression_travels_as_one_parameter() {
        assert_eq!(
            query("sum(a{b=\"c d\"}) > 1"),
            "/api/v1/query?query=sum%28a%7Bb%3D%22c%20d%22%7D%29%20%3E%201"
        );
    }

    #[test]
    fn a_refusal_has_no_data() {
        let text = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
        let answer: Answer<Vector> = serde_json::from_str(text).unwrap();
        assert!(answer.data.is_none());
        assert_eq!(answer.error.as_deref(), Some("parse error"));
    }
}
