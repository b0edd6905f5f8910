//! What Alertmanager tells: answers of its API v2 and notifications of its webhook, as far as they are read here.
//!
//! Both name alerts by labels and annotations of the rules. Of those, an [`Alert`] is made from the labels `alertname`,
//! `severity` and `subject` and the annotations `summary`, `runbook` and `runbook_url`; rules that know none of them get
//! what comes closest. Nothing a rule says makes an alert that breaks its contract: texts are cut, instants are moved into
//! the years that [`Timestamp`] has.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::alert::{Alert, AlertState, Severity, condition, source};
use crate::timestamp::Timestamp;

/// Version of the webhook's notifications that is understood.
pub const WEBHOOK_VERSION: &str = "4";
/// Path of all alerts that have not ended, below Alertmanager's address.
pub const ALERTS_PATH: &str = "api/v2/alerts";
/// Path of Alertmanager's state, below its address.
pub const STATUS_PATH: &str = "api/v2/status";

/// Most characters of a name, as the contract has it.
const MAX_NAME: usize = 128;
/// Most characters of a subject.
const MAX_SUBJECT: usize = 256;
/// Most characters of a summary or of a runbook's text.
const MAX_TEXT: usize = 2_000;
/// Most characters of a link, as the contract has it.
const MAX_LINK: usize = 2_048;
/// Labels that tell what an alert is about, the best first.
const SUBJECTS: [&str; 6] = ["subject", "service", "queue", "store", "job", "instance"];

type Texts = BTreeMap<String, String>;

/// An alert as Alertmanager tells it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Listed")]
pub struct ToldAlert {
    /// Identity of its labels. A condition that holds again later has the same.
    pub fingerprint: String,
    /// When it ends unless it is told of again; absent where Alertmanager does not say.
    pub ends_at: Option<Timestamp>,
    /// Whether somebody silenced it, or another alert holds it back.
    pub suppressed: bool,
    /// What it says.
    pub alert: Alert,
}

/// Answer of [`STATUS_PATH`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AlertmanagerStatus {
    /// When the process started. Alerts do not survive it: another text means that it knows none of before.
    pub uptime: String,
}

/// One alert in the answer of [`ALERTS_PATH`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    fingerprint: String,
    labels: Texts,
    #[serde(default)]
    annotations: Texts,
    #[serde(deserialize_with = "instant")]
    starts_at: Timestamp,
    #[serde(default, deserialize_with = "later_instant")]
    ends_at: Option<Timestamp>,
    status: ListedStatus,
}

#[derive(Deserialize)]
struct ListedStatus {
    state: String,
}

impl From<Listed> for ToldAlert {
    fn from(listed: Listed) -> Self {
        Self {
            alert: alert(&listed.labels, &listed.annotations, listed.starts_at, None),
            fingerprint: listed.fingerprint,
            ends_at: listed.ends_at,
            suppressed: listed.status.state == "suppressed",
        }
    }
}

/// A notification of Alertmanager's webhook: the alerts of a group, of which at least one changed. Unknown fields are
/// tolerated.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Version of this shape: `4`.
    pub version: String,
    /// The alerts.
    pub alerts: Vec<NotifiedAlert>,
}

/// One alert of a [`Notification`].
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotifiedAlert {
    /// Whether it fires or has ended.
    pub status: NotifiedStatus,
    /// What tells it from others.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Since when its condition holds.
    #[serde(deserialize_with = "instant")]
    pub starts_at: Timestamp,
    /// When it ended. Of one that fires it says nothing.
    #[serde(default, deserialize_with = "later_instant")]
    pub ends_at: Option<Timestamp>,
    /// Identity of its labels.
    pub fingerprint: String,
}

/// Whether an alert of a [`Notification`] fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotifiedStatus {
    /// It does.
    Firing,
    /// It did.
    Resolved,
}

impl NotifiedAlert {
    /// The alert, which was told of at `now`.
    pub fn told(self, now: Timestamp) -> ToldAlert {
        let resolved_at = match self.status {
            NotifiedStatus::Firing => None,
            NotifiedStatus::Resolved => Some(self.ends_at.unwrap_or(now)),
        };
        ToldAlert {
            alert: alert(&self.labels, &self.annotations, self.starts_at, resolved_at),
            fingerprint: self.fingerprint,
            ends_at: None,
            suppressed: false,
        }
    }
}

fn alert(labels: &Texts, annotations: &Texts, since: Timestamp, resolved_at: Option<Timestamp>) -> Alert {
    let label = |name: &str| {
        labels
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let annotation = |name: &str| {
        annotations
            .get(name)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    let name = label("alertname").unwrap_or("alert");
    let runbook = annotation("runbook").or_else(|| condition::runbook(name));
    Alert {
        name: cut(name, MAX_NAME),
        severity: severity(label("severity")),
        state: resolved_at.map_or(AlertState::Firing, |_| AlertState::Resolved),
        subject: cut(
            SUBJECTS.into_iter().find_map(label).unwrap_or_default(),
            MAX_SUBJECT,
        ),
        summary: cut(
            annotation("summary")
                .or_else(|| annotation("description"))
                .unwrap_or(name),
            MAX_TEXT,
        ),
        runbook: cut(
            runbook.or_else(|| annotation("description")).unwrap_or_default(),
            MAX_TEXT,
        ),
        runbook_url: annotation("runbook_url").and_then(link),
        since,
        resolved_at,
        source: Some(source::ALERTMANAGER.to_owned()),
    }
}

/// What wakes somebody up is critical, all else a warning.
fn severity(label: Option<&str>) -> Severity {
    let label = label.unwrap_or_default().to_ascii_lowercase();
    match label.as_str() {
        "critical" | "page" | "emergency" | "error" => Severity::Critical,
        _ => Severity::Warning,
    }
}

/// An address that a page may link to; a script is none.
fn link(text: &str) -> Option<String> {
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    (is_web && text.chars().count() <= MAX_LINK).then(|| text.to_owned())
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// Any RFC 3339 instant, moved into the years that [`Timestamp`] has: Alertmanager writes the year 1 for none.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
    let micros = at.unix_timestamp_nanos() / 1_000;
    let least_or_most = if micros < 0 { i64::MIN } else { i64::MAX };
    Ok(Timestamp::from_micros(
        i64::try_from(micros).unwrap_or(least_or_most),
    ))
}

/// The same; none for one before 1970.
fn later_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    instant(deserializer).map(|at| (at.micros() > 0).then_some(at))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::schema::{self, Schema};

    fn listed() -> Value {
        json!({
            "annotations": {"summary": "processor is not ready", "runbook": "Look.", "runbook_url": "https://example.com/#x"},
            "endsAt": "2026-01-31T12:04:00.000Z", "startsAt": "2026-01-31T12:00:00.123Z",
            "updatedAt": "2026-01-31T12:00:01.000Z", "fingerprint": "f2f3c8e0a1b2c3d4", "receivers": [{"name": "r"}],
            "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
            "labels": {"alertname": "ServiceDown", "severity": "critical", "subject": "processor"},
            "generatorURL": "http://prometheus:9090/graph"
        })
    }

    fn read(document: Value) -> ToldAlert {
        let told: ToldAlert = serde_json::from_value(document).unwrap();
        let written = serde_json::to_value(&told.alert).unwrap();
        schema::validate(Schema::Alert, &written).unwrap();
        told
    }

    #[test]
    fn a_listed_alert_says_all_that_its_rule_does() {
        let told = read(listed());
        assert_eq!(
            told.alert,
            Alert {
                name: "ServiceDown".to_owned(),
                severity: Severity::Critical,
                state: AlertState::Firing,
                subject: "processor".to_owned(),
                summary: "processor is not ready".to_owned(),
                runbook: "Look.".to_owned(),
                runbook_url: Some("https://example.com/#x".to_owned()),
                since: "2026-01-31T12:00:00.123Z".parse().unwrap(),
                resolved_at: None,
                source: Some("alertmanager".to_owned()),
            }
        );
        assert_eq!(told.ends_at, "2026-01-31T12:04:00Z".parse().ok());
        assert!(!told.suppressed);
    }

    #[test]
    fn a_rule_that_says_little_makes_an_alert_all_the_same() {
        let mut bare = listed();
        bare["labels"] = json!({"alertname": "Odd", "severity": "info", "job": "gateway", "instance": "a:1"});
        bare["annotations"] = json!({});
        bare["status"]["state"] = json!("suppressed");
        let told = read(bare.clone());
        let alert = &told.alert;
        assert_eq!(
            (alert.subject.as_str(), alert.summary.as_str()),
            ("gateway", "Odd")
        );
        assert_eq!((alert.runbook.as_str(), alert.severity), ("", Severity::Warning));
        assert!(told.suppressed);
        bare["labels"] = json!({});
        assert_eq!(read(bare.clone()).alert.name, "alert");
        bare["labels"] = json!({"alertname": "DatabaseUnavailable"});
        assert!(read(bare).alert.runbook.contains("disk"), "the text that we have");
    }

    #[test]
    fn what_is_too_long_is_cut_and_what_is_no_link_left_out() {
        let mut long = listed();
        long["labels"]["alertname"] = json!("ä".repeat(500));
        long["annotations"] = json!({"summary": "x".repeat(10_000), "runbook_url": "javascript:alert(1)"});
        let told = read(long.clone());
        assert_eq!(told.alert.name.chars().count(), 128);
        assert_eq!(told.alert.summary.chars().count(), 2_000);
        assert_eq!(told.alert.runbook_url, None);
        long["annotations"]["runbook_url"] = json!(format!("http://{}", "x".repeat(3_000)));
        assert_eq!(read(long).alert.runbook_url, None);
    }

    #[test]
    fn instants_of_other_ages_are_moved_and_the_year_one_means_none() {
        let mut old = listed();
        old["startsAt"] = json!("1960-01-01T00:00:00Z");
        old["endsAt"] = json!("0001-01-01T00:00:00Z");
        let told = read(old.clone());
        assert_eq!((told.alert.since.micros(), told.ends_at), (0, None));
        old["startsAt"] = json!("yesterday");
        assert!(serde_json::from_value::<ToldAlert>(old).is_err());
    }

    #[test]
    fn a_notification_tells_when_an_alert_ended() {
        let document = json!({
            "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "resolved", "receiver": "r",
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://a:9093",
            "alerts": [
                {"status": "resolved", "labels": {"alertname": "A"}, "annotations": {}, "fingerprint": "1",
                 "startsAt": "2026-01-31T12:00:00.123456789Z", "endsAt": "2026-01-31T12:00:05+01:00", "generatorURL": ""},
                {"status": "firing", "labels": {"alertname": "B"}, "annotations": {}, "fingerprint": "2",
                 "startsAt": "2026-01-31T12:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": ""}
            ]
        });
        let notification: Notification = serde_json::from_value(document).unwrap();
        let now = Timestamp::from_micros(1);
        let told: Vec<_> = notification
            .alerts
            .into_iter()
            .map(|alert| alert.told(now))
            .collect();
        assert_eq!(told[0].alert.state, AlertState::Resolved);
        assert_eq!(told[0].alert.resolved_at, "2026-01-31T11:00:05Z".parse().ok());
        assert_eq!(
            (told[1].alert.state, told[1].alert.resolved_at),
            (AlertState::Firing, None)
        );
    }
}
