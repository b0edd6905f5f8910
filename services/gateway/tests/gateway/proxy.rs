//! What Alertmanager and Prometheus say, through the gateway.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use odd_contracts::api::{AlertList, ScrapeTarget, TargetHealth, TargetList};
use odd_contracts::{ProblemCode, Schema, Severity, schema};
use odd_gateway::Config;
use odd_testkit::servers::{HOST, dedicated};
use odd_testkit::wait_for;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Harness, config, refused};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the gateway's own limit may cost, with room for a busy machine.
const BOUND: Duration = Duration::from_secs(10);

/// A gateway with these upstreams.
async fn behind(alertmanager: Option<&str>, prometheus: Option<&str>) -> Harness {
    let parsed = |url: Option<&str>| url.map(|url| url.parse().unwrap());
    Harness::with(Config {
        alertmanager: parsed(alertmanager),
        prometheus: parsed(prometheus),
        ..config()
    })
    .await
}

async fn get(gateway: &Harness, path: &str) -> Response {
    gateway.http.get(gateway.url(path)).send().await.unwrap()
}

async fn alerts(gateway: &Harness) -> AlertList {
    let response = get(gateway, "/proxy/alerts").await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    for alert in document["alerts"].as_array().unwrap() {
        schema::validate(Schema::Alert, alert).unwrap();
    }
    serde_json::from_value(document).unwrap()
}

/// Posts alerts to Alertmanager, as Prometheus does.
async fn post(alertmanager: &str, alerts: &Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{alertmanager}/api/v2/alerts")).json(alerts);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

const NOBODY: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_alertmanager_and_what_becomes_of_them() {
    let alertmanager = dedicated::alertmanager(NOBODY).await;
    let gateway = behind(Some(&alertmanager.url), None).await;
    assert_eq!(alerts(&gateway).await.alerts, []);
    let many: Vec<_> = (0..600)
        .map(|n| json!({"labels": {"alertname": "Many", "subject": format!("s{n}")}}))
        .chain([json!({
            "labels": {"alertname": "ServiceDown", "severity": "critical", "subject": "processor"},
            "annotations": {"summary": "it is down"}
        })])
        .collect();
    post(&alertmanager.url, &json!(many)).await;
    let list = wait_for(PATIENCE, "the alerts", || async {
        let list = alerts(&gateway).await;
        (list.omitted > 0).then_some(list)
    })
    .await;
    assert_eq!(
        (list.alerts.len(), list.omitted, list.source.as_str()),
        (500, 101, "alertmanager")
    );
    let worst = &list.alerts[0];
    assert_eq!(
        (
            worst.name.as_str(),
            worst.subject.as_str(),
            worst.severity,
            worst.summary.as_str()
        ),
        ("ServiceDown", "processor", Severity::Critical, "it is down")
    );
    assert!(!worst.runbook.is_empty());

    alertmanager.container().pause().await;
    let begun = Instant::now();
    refused(get(&gateway, "/proxy/alerts").await, ProblemCode::UpstreamTimeout).await;
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    // Jobs do not wait for it, and neither does readiness.
    let waiting: Vec<_> = (0..8).map(|_| get(&gateway, "/proxy/alerts")).collect();
    let (_, ()) = tokio::join!(futures_of(waiting), async {
        gateway.accepted(&json!({"type": "hello"})).await;
        assert_eq!(gateway.ready().await, StatusCode::OK);
    });
    alertmanager.container().unpause().await;
    wait_for(PATIENCE, "its answer", || async {
        (get(&gateway, "/proxy/alerts").await.status() == StatusCode::OK).then_some(())
    })
    .await;
    alertmanager.container().kill().await;
    let problem = refused(
        get(&gateway, "/proxy/alerts").await,
        ProblemCode::UpstreamUnavailable,
    )
    .await;
    let detail = problem.detail.unwrap();
    assert!(
        detail.contains("Alertmanager") && detail.contains(&alertmanager.url),
        "{detail}"
    );
    gateway.work(1).await;
}

async fn futures_of(all: Vec<impl Future<Output = Response>>) -> Vec<StatusCode> {
    let mut statuses = Vec::new();
    for status in futures::future::join_all(all).await {
        statuses.push(status.status());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_of_prometheus() {
    let broken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = broken.local_addr().unwrap().port();
    drop(broken);
    let configuration = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n\
         - {{job_name: prometheus, static_configs: [{{targets: ['localhost:9090']}}]}}\n\
         - {{job_name: gone, static_configs: [{{targets: ['{HOST}:{port}']}}]}}\n\
         - {{job_name: later, scrape_interval: 1h, static_configs: [{{targets: ['localhost:1']}}]}}\n"
    );
    let prometheus = dedicated::prometheus(&configuration).await;
    let gateway = behind(None, Some(&prometheus.url)).await;
    let told = wait_for(PATIENCE, "scrapes", || async {
        let response = get(&gateway, "/proxy/targets").await;
        assert_eq!(response.status(), StatusCode::OK);
        let list: TargetList = response.json().await.unwrap();
        let of = |job: &str| list.targets.iter().find(|target| target.job == job).cloned();
        let [up, gone, later] = ["prometheus", "gone", "later"].map(of);
        let scraped = up.clone()?.last_scrape.is_some() && gone.clone()?.last_scrape.is_some();
        scraped.then_some([up?, gone?, later?])
    })
    .await;
    let [up, gone, later] = told;
    assert_eq!(
        up,
        ScrapeTarget {
            job: "prometheus".to_owned(),
            instance: "localhost:9090".to_owned(),
            health: TargetHealth::Up,
            last_error: None,
            last_scrape: up.last_scrape,
        }
    );
    assert_eq!(
        (gone.health, gone.instance),
        (TargetHealth::Down, format!("{HOST}:{port}"))
    );
    assert!(gone.last_error.is_some());
    assert_ne!(later.health, TargetHealth::Up);
    let document: Value = get(&gateway, "/proxy/targets").await.json().await.unwrap();
    assert_ne!(document["targets"][0]["health"], "up", "what is down comes first");
    prometheus.container().kill().await;
    refused(
        get(&gateway, "/proxy/targets").await,
        ProblemCode::UpstreamUnavailable,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_set_up_is_told_with_the_setting() {
    let gateway = Harness::start().await;
    for (path, variable) in [
        ("/proxy/alerts", "ODD_ALERTMANAGER_URL"),
        ("/proxy/targets", "ODD_PROMETHEUS_URL"),
    ] {
        let problem = refused(get(&gateway, path).await, ProblemCode::NotConfigured).await;
        assert!(problem.detail.unwrap().contains(variable));
        let changed = gateway.http.post(gateway.url(path)).send().await.unwrap();
        refused(changed, ProblemCode::MethodNotAllowed).await;
    }
}

/// Somebody at the address who gives everybody these bytes, again and again where they are many; and what was asked.
async fn impostor(answer: &'static [u8]) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(String::new()));
    let notes = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            tokio::spawn(async move {
                let mut head = [0; 4_096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                notes
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&head[..length]));
                let head: &[u8] = b"HTTP/1.1 200 OK\r\nSet-Cookie: theirs=1\r\nX-Theirs: 1\r\n\r\n";
                let _ = stream.write_all(head).await;
                // Until the gateway has enough of it.
                while stream.write_all(answer).await.is_ok() && answer.len() > 1_000 {}
            });
        }
    });
    (url, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_something_else_does_no_harm() {
    for answer in [b"<html>".as_slice(), b"", b"{\"alerts\": []}", &[b'['; 64 << 10]] {
        let (url, asked) = impostor(answer).await;
        let gateway = behind(Some(&url), Some(&url)).await;
        for path in ["/proxy/alerts", "/proxy/targets"] {
            let request = gateway
                .http
                .get(gateway.url(path))
                .header("authorization", "Bearer secret")
                .header("cookie", "secret=1")
                .header("x-correlation-id", "secret");
            let response = request.send().await.unwrap();
            let theirs = ["set-cookie", "x-theirs"].map(|name| response.headers().contains_key(name));
            assert_eq!(theirs, [false, false]);
            refused(response, ProblemCode::UpstreamUnavailable).await;
        }
        let asked = asked.lock().unwrap().clone();
        assert!(
            asked.contains("GET /api/v2/alerts ") && asked.contains("GET /api/v1/targets?state=active "),
            "{asked}"
        );
        assert!(
            !asked.contains("secret"),
            "nothing of the client's is passed on: {asked}"
        );
        assert_eq!(gateway.ready().await, StatusCode::OK);
    }
}
