//! Alerts from a real Alertmanager, its notifications, and what is shown while it is away.

use std::time::{Duration, Instant};

use odd_contracts::alert::condition;
use odd_contracts::api::{AlertHistory, AlertList, AlertSource, HealthState, NotificationTaken, Overview};
use odd_contracts::{Alert, AlertState, ProblemCode, Role, Schema, Severity, Timestamp, schema};
use odd_read_model::Config;
use odd_testkit::free_port;
use odd_testkit::servers::{HOST, dedicated};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{System, problem, wait_for};

const TOKEN: &str = "a-token-of-this-test";

/// An Alertmanager that tells nobody.
const NOBODY: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

/// Tells the read-model at `port` of this machine.
fn notifying(port: u16) -> String {
    format!(
        "route: {{receiver: odd, group_by: [alertname], group_wait: 10ms, group_interval: 500ms, repeat_interval: 1h}}\n\
         receivers:\n\
         - name: odd\n  \
           webhook_configs:\n  \
           - url: http://{HOST}:{port}/alerts/webhook\n    \
             send_resolved: true\n    \
             http_config: {{authorization: {{type: Bearer, credentials: {TOKEN}}}}}\n"
    )
}

/// Posts alerts to Alertmanager, as Prometheus does.
async fn post(alertmanager: &str, alerts: &Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{alertmanager}/api/v2/alerts")).json(alerts);
    let response = request.send().await.unwrap();
    let status = response.status();
    assert_eq!(status, 200, "{}", response.text().await.unwrap());
}

async fn alerts(system: &System) -> AlertList {
    let document: Value = system.get("/alerts").await;
    for alert in document["alerts"].as_array().unwrap() {
        schema::validate(Schema::Alert, alert).unwrap();
    }
    serde_json::from_value(document).unwrap()
}

async fn history(system: &System) -> Vec<Alert> {
    let history: AlertHistory = system.get("/alerts/history?limit=500").await;
    history.alerts
}

/// Waits for a list with this alert, of which this holds.
async fn until(system: &System, subject: &str, holds: impl Fn(&Alert) -> bool) -> AlertList {
    wait_for(subject, async || {
        let list = alerts(system).await;
        let found = list.alerts.iter().find(|alert| alert.subject == subject);
        found.is_some_and(&holds).then_some(list)
    })
    .await
}

/// Waits for a source of alerts of which this holds.
async fn until_source(system: &System, holds: impl Fn(&AlertSource) -> bool) -> AlertSource {
    wait_for("the source of alerts", async || {
        let source = alerts(system).await.alert_source.unwrap();
        holds(&source).then_some(source)
    })
    .await
}

fn find<'a>(alerts: &'a [Alert], subject: &str) -> &'a Alert {
    let found = alerts.iter().find(|alert| alert.subject == subject);
    found.unwrap_or_else(|| panic!("{subject} is not among {alerts:?}"))
}

fn from(alertmanager: &str) -> impl FnOnce(&mut Config) {
    let url = alertmanager.parse().unwrap();
    move |config| {
        config.alertmanager = Some(url);
        config.webhook_token = Some(odd_runtime::config::Secret::new(TOKEN.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_and_ends_through_a_real_alertmanager() {
    // Containers reach it there.
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let alertmanager = dedicated::alertmanager(&notifying(port)).await;
    let system = System::start_at(listener, from(&alertmanager.url), |ports| ports).await;
    until_source(&system, |source| source.state == HealthState::Healthy).await;

    let begun: Timestamp = "2026-01-31T12:00:00.123Z".parse().unwrap();
    let mut alert = json!({
        "labels": {"alertname": "ServiceDown", "severity": "critical", "subject": "processor"},
        "annotations": {"summary": "processor is not ready", "runbook_url": "https://example.com/runbooks#servicedown"},
        "startsAt": begun
    });
    post(&alertmanager.url, &json!([alert])).await;
    let list = until(&system, "processor", |alert| alert.state == AlertState::Firing).await;
    assert_eq!(list.source, "alertmanager");
    let shown = find(&list.alerts, "processor");
    assert_eq!(
        (
            shown.name.as_str(),
            shown.severity,
            shown.since,
            shown.summary.as_str()
        ),
        (
            condition::SERVICE_DOWN,
            Severity::Critical,
            begun,
            "processor is not ready"
        )
    );
    assert_eq!(
        shown.runbook_url.as_deref(),
        Some("https://example.com/runbooks#servicedown")
    );
    assert_eq!(shown.source.as_deref(), Some("alertmanager"));
    assert!(!shown.runbook.is_empty());
    let overview: Overview = system.get("/overview").await;
    assert_eq!(find(&overview.alerts, "processor"), shown);
    assert!(overview.state >= HealthState::Degraded);
    assert_eq!(overview.alert_source.unwrap().name, "alertmanager");

    // The exact end is known from nothing but the notification.
    let ended = Timestamp::now().minus(Duration::from_secs(7));
    let ended = Timestamp::from_micros(ended.micros() / 1_000 * 1_000);
    alert["endsAt"] = json!(ended);
    post(&alertmanager.url, &json!([alert])).await;
    let list = until(&system, "processor", |alert| alert.resolved_at == Some(ended)).await;
    assert_eq!(find(&list.alerts, "processor").state, AlertState::Resolved);
    let history = history(&system).await;
    assert_eq!(history.len(), 1, "told of twice, in two ways each: {history:?}");
    assert_eq!((history[0].since, history[0].resolved_at), (begun, Some(ended)));
    let overview: Overview = system.get("/overview").await;
    assert_eq!(overview.alerts, []);
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_do_not_fall_silent_while_alertmanager_is_away() {
    let alertmanager = dedicated::alertmanager(NOBODY).await;
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let set = |config: &mut Config| {
        from(&alertmanager.url)(config);
        config.roles.push((Role::Gateway, nobody));
    };
    let system = System::start_with(set, |ports| ports).await;
    post(
        &alertmanager.url,
        &json!([{"labels": {"alertname": "Odd", "subject": "told"}}]),
    )
    .await;
    until(&system, "told", |alert| alert.state == AlertState::Firing).await;
    until(&system, "gateway", |alert| {
        alert.source.as_deref() == Some("native")
    })
    .await;
    let away = |source: &AlertSource| source.state == HealthState::Degraded;
    let answers = |source: &AlertSource| source.state == HealthState::Healthy;

    let both_fire = async |from: &str| {
        let list = alerts(&system).await;
        assert_eq!(list.source, from);
        for subject in ["told", "gateway"] {
            assert_eq!(find(&list.alerts, subject).state, AlertState::Firing, "{subject}");
        }
    };
    alertmanager.container().pause().await;
    let source = until_source(&system, away).await;
    let detail = source.detail.unwrap();
    assert!(
        detail.contains("did not answer within 2 s") && detail.contains("stands in"),
        "{detail}"
    );
    assert!(source.checked_at.is_some());
    both_fire("native").await;
    let overview: Overview = system.get("/overview").await;
    assert!(away(&overview.alert_source.unwrap()));
    assert_eq!(
        system.response("/readyz").await.status(),
        200,
        "it is of use all the same"
    );
    alertmanager.container().unpause().await;
    until_source(&system, answers).await;
    both_fire("alertmanager").await;

    alertmanager.container().kill().await;
    let source = until_source(&system, away).await;
    assert!(source.detail.unwrap().contains("cannot be reached"));
    both_fire("native").await;
    // It comes back without knowing of any alert.
    alertmanager.container().start().await;
    let back = until_source(&system, answers).await;
    assert!(back.detail.is_some(), "it was started lately");
    both_fire("alertmanager").await;
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanager_whose_prometheus_is_away_is_not_relied_on() {
    let alertmanager = dedicated::alertmanager(NOBODY).await;
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let set = |config: &mut Config| {
        from(&alertmanager.url)(config);
        config.prometheus = Some(nobody.parse().unwrap());
    };
    let system = System::start_with(set, |ports| ports).await;
    let tells = |source: &AlertSource| {
        source
            .detail
            .as_deref()
            .is_some_and(|why| why.contains("Prometheus at"))
    };
    let source = until_source(&system, tells).await;
    assert_eq!(source.state, HealthState::Degraded);
    assert!(source.checked_at.is_some(), "Alertmanager itself answers");
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alerts_are_bounded_with_the_worst_first() {
    let alertmanager = dedicated::alertmanager(NOBODY).await;
    let system = System::start_with(from(&alertmanager.url), |ports| ports).await;
    let text = "x".repeat(200);
    for batch in 0..10 {
        let alert = |n: u32| {
            let severity = if n == 7_777 { "critical" } else { "warning" };
            json!({
                "labels": {"alertname": "Many", "subject": format!("s{n}"), "severity": severity},
                "annotations": {"summary": text}
            })
        };
        let alerts: Vec<_> = (batch * 1_000..(batch + 1) * 1_000).map(alert).collect();
        post(&alertmanager.url, &json!(alerts)).await;
    }
    let list = wait_for("ten thousand alerts", async || {
        let list = alerts(&system).await;
        (list.omitted == 9_500).then_some(list)
    })
    .await;
    assert_eq!(
        (list.alerts.len(), list.alerts[0].subject.as_str()),
        (500, "s7777")
    );
    let begun = Instant::now();
    let overview: Overview = system.get("/overview").await;
    println!("/overview beside 10,000 alerts: {:?}", begun.elapsed());
    assert_eq!((overview.alerts.len(), overview.alerts_omitted), (100, 9_900));
    assert_eq!(history(&system).await.len(), 500);
    system.stop().await;
}

fn notified(fingerprint: &str, status: &str) -> Value {
    json!({
        "status": status, "labels": {"alertname": "Odd", "subject": fingerprint}, "annotations": {},
        "startsAt": "2026-01-31T12:00:00.123456789Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint
    })
}

fn notification(alerts: &[Value]) -> Value {
    json!({"version": "4", "groupKey": "{}", "status": "firing", "receiver": "odd", "alerts": alerts})
}

async fn notify(system: &System, authorization: Option<&str>, content_type: &str, body: String) -> Response {
    let mut request = system
        .http
        .post(format!("{}/alerts/webhook", system.url))
        .header("content-type", content_type)
        .body(body);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.send().await.unwrap()
}

/// With the token.
async fn take(system: &System, notification: &Value) -> NotificationTaken {
    let response = notify(
        system,
        Some(&format!("Bearer {TOKEN}")),
        "application/json",
        notification.to_string(),
    )
    .await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn with_token(config: &mut Config) {
    config.webhook_token = Some(odd_runtime::config::Secret::new(TOKEN.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_need_the_token() {
    let system = System::start_with(with_token, |ports| ports).await;
    let valid = notification(&[notified("a1", "firing")]);
    let longer = format!("Bearer {TOKEN}x");
    let shorter = format!("Bearer {}", &TOKEN[1..]);
    let basic = format!("Basic {TOKEN}");
    for authorization in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some(TOKEN),
        Some(&longer),
        Some(&shorter),
        Some(&basic),
    ] {
        // Whatever the body is: nobody who does not show the token learns more.
        for body in [valid.to_string(), "garbage".to_owned()] {
            let response = notify(&system, authorization, "application/json", body).await;
            assert_eq!(
                response.headers()["www-authenticate"],
                "Bearer",
                "{authorization:?}"
            );
            let problem = problem(response).await;
            assert_eq!(
                (problem.code, problem.status),
                (ProblemCode::Unauthorized, 401),
                "{authorization:?}"
            );
        }
    }
    assert_eq!(history(&system).await, []);
    let lower_case = format!("bearer {TOKEN}");
    let response = notify(&system, Some(&lower_case), "application/json", valid.to_string()).await;
    assert_eq!(response.status(), 200, "schemes have no case (RFC 9110, 11.1)");
    system.stop().await;

    let closed = System::start().await;
    let right = format!("Bearer {TOKEN}");
    let response = notify(&closed, Some(&right), "application/json", valid.to_string()).await;
    let problem = problem(response).await;
    assert_eq!((problem.code, problem.status), (ProblemCode::NotConfigured, 404));
    assert!(problem.detail.unwrap().contains("ODD_ALERT_WEBHOOK_TOKEN"));
    closed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_notification_is_refused_whole_and_repeating_one_changes_nothing() {
    let system = System::start_with(with_token, |ports| ports).await;
    let valid = notification(&[notified("a1", "firing"), notified("b2", "firing")]);
    let taken = take(&system, &valid).await;
    assert_eq!((taken.alerts, taken.news), (2, 2));
    let before = history(&system).await;
    assert_eq!(take(&system, &valid).await.news, 0);

    let changed = |change: &dyn Fn(&mut Value)| {
        let mut document = notification(&[notified("c3", "resolved"), notified("d4", "resolved")]);
        change(&mut document);
        document.to_string()
    };
    let bad = [
        (String::new(), ProblemCode::MalformedJson),
        ("garbage".to_owned(), ProblemCode::MalformedJson),
        ("\u{0}\u{1}".repeat(500), ProblemCode::MalformedJson),
        ("[".repeat(100_000), ProblemCode::ValidationFailed),
        (format!("{valid} {valid}"), ProblemCode::MalformedJson),
        ("[]".to_owned(), ProblemCode::ValidationFailed),
        (
            changed(&|d| d["version"] = json!("3")),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["version"] = json!(4)),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"] = json!({})),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"][1] = json!(null)),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"][1]["status"] = json!("odd")),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"][1]["startsAt"] = json!("now")),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"][1]["fingerprint"] = json!("")),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"][1]["fingerprint"] = json!("native/a/b")),
            ProblemCode::ValidationFailed,
        ),
        (
            changed(&|d| d["alerts"][1]["labels"]["n"] = json!(1)),
            ProblemCode::ValidationFailed,
        ),
    ];
    let token = format!("Bearer {TOKEN}");
    for (body, code) in bad {
        let shown: String = body.chars().take(80).collect();
        let response = notify(&system, Some(&token), "application/json", body).await;
        let problem = problem(response).await;
        assert_eq!(
            (problem.code, problem.status),
            (code, 400),
            "{shown}: {problem:?}"
        );
    }
    let text = notify(&system, Some(&token), "text/plain", valid.to_string()).await;
    assert_eq!(problem(text).await.code, ProblemCode::UnsupportedMediaType);
    // One byte more than is taken.
    let text = valid.to_string();
    let large = format!("{text}{}", " ".repeat((16 << 20) + 1 - text.len()));
    let large = notify(&system, Some(&token), "application/json", large).await;
    assert_eq!(problem(large).await.code, ProblemCode::PayloadTooLarge);
    assert_eq!(
        history(&system).await,
        before,
        "nothing was lost and nothing half taken"
    );

    let mut ended = notified("a1", "resolved");
    ended["endsAt"] = json!("2026-01-31T12:00:09Z");
    assert_eq!(take(&system, &notification(&[ended.clone()])).await.news, 1);
    assert_eq!(take(&system, &notification(&[ended])).await.news, 0);
    let after = history(&system).await;
    assert_eq!((after.len(), after[0].state), (2, AlertState::Resolved));
    assert_eq!(
        problem(system.response("/alerts/history?limit=0").await)
            .await
            .status,
        400
    );
    system.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_of_ten_thousand_alerts_is_taken_and_the_last_are_kept() {
    let system = System::start_with(with_token, |ports| ports).await;
    let many: Vec<_> = (0..10_000)
        .map(|n| {
            let mut alert = notified(&format!("f{n:05}"), "firing");
            alert["annotations"] = json!({"summary": "x".repeat(300), "description": "y".repeat(300)});
            alert
        })
        .collect();
    let begun = Instant::now();
    let taken = take(&system, &notification(&many)).await;
    println!("a notification of 10,000 alerts: {:?}", begun.elapsed());
    assert_eq!((taken.alerts, taken.news), (10_000, 10_000));
    let kept = history(&system).await;
    assert_eq!((kept.len(), kept[0].subject.as_str()), (500, "f09999"));
    // Those that were pushed out count as new again, and push others out.
    assert_eq!(take(&system, &notification(&many)).await.alerts, 10_000);
    assert_eq!(history(&system).await.len(), 500);
    system.stop().await;
}
