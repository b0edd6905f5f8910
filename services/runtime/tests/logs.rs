//! The log lines of a request name the role and the correlation id.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use odd_contracts::Role;
use odd_runtime::telemetry::JsonLines;
use odd_runtime::{Metrics, Readiness, Server, Shutdown};
use serde_json::Value;
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_line_of_a_request_carries_service_and_correlation_id() {
    let lines = Lines::default();
    let sink = lines.clone();
    let layer = JsonLines::new(move || sink.clone()).with_filter(EnvFilter::new("warn"));
    let _scope = tracing::subscriber::set_default(registry().with(layer));

    let panics = async || -> &'static str { panic!("the handler is broken") };
    let routes = Router::new()
        .route("/panics", get(panics))
        .route("/fine", get(async || "ok"));
    let metrics = Metrics::new(Role::Processor).unwrap();
    let server = Server::new(Role::Processor, &metrics, &Readiness::new(Role::Processor));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new(Duration::from_secs(5));
    let served = tokio::spawn(
        server
            .api(routes, Default::default())
            .serve(listener, shutdown.clone()),
    );

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["fine", "panics", "nothing"] {
        let request = client.get(format!("http://{address}/{path}"));
        request
            .header("x-correlation-id", format!("id-of-{path}"))
            .send()
            .await
            .unwrap();
    }
    shutdown.trigger();
    served.await.unwrap().unwrap();

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let messages: Vec<_> = lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        messages,
        ["a handler panicked", "request failed"],
        "what is fine is not worth a line"
    );
    assert!(lines.iter().all(|line| line["service"] == "processor"), "{text}");
    assert!(
        lines.iter().all(|line| line["correlation_id"] == "id-of-panics"),
        "{text}"
    );
    assert_eq!(lines[0]["panic"], "the handler is broken");
    assert_eq!(
        (&lines[1]["status"], &lines[1]["path"]),
        (&Value::from(500), &Value::from("/panics"))
    );
}
