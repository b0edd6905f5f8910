//! A gateway on port 0, a virtual host of its own on the broker, and a client.

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::{EventEnvelope, EventType, JobAccepted, Problem, ProblemCode, schema, schema::Schema};
use odd_gateway::{Config, Ports};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_spine::port::Headers;
use odd_spine::{Delivery, Message, Queue, Route, Spine, codec};
use odd_testkit::servers::{self, VirtualHost};
use odd_testkit::{FaultProxy, wait_for};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::gate::Gate;

/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// A running gateway.
pub(crate) struct Harness {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) gate: Arc<Gate>,
    shutdown: Shutdown,
    role: JoinHandle<Result<(), RoleError>>,
    _host: VirtualHost,
}

/// Waits until the condition holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    wait_for(PATIENCE, what, || {
        let held = holds();
        async { held.await.then_some(()) }
    })
    .await;
}

/// The default settings, with a broker that may be slow.
pub(crate) fn config() -> Config {
    Config {
        confirm_timeout: PATIENCE,
        ..Config::default()
    }
}

impl Harness {
    /// A ready gateway with default settings.
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    /// A ready gateway.
    pub(crate) async fn with(config: Config) -> Self {
        let host = servers::rabbitmq().await;
        let url = host.url.clone();
        Self::on(host, url, config).await
    }

    /// A ready gateway, and the way to its broker.
    pub(crate) async fn behind_a_proxy() -> (Self, FaultProxy) {
        let host = servers::rabbitmq().await;
        let (proxy, url) = FaultProxy::before(&host.url).await;
        (Self::on(host, url, config()).await, proxy)
    }

    async fn on(host: VirtualHost, url: String, config: Config) -> Self {
        let gate = Gate::new(AmqpSpine::new(AmqpOptions {
            confirm_timeout: PATIENCE,
            answer_timeout: PATIENCE,
            ..AmqpOptions::new(url)
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = Shutdown::new(Duration::from_secs(10));
        let ports = Ports { spine: gate.clone() };
        let role = tokio::spawn(odd_gateway::run(config, ports, listener, shutdown.clone()));
        let harness = Self {
            base,
            http: reqwest::Client::new(),
            gate,
            shutdown,
            role,
            _host: host,
        };
        eventually("the gateway is ready", || async {
            harness.ready().await == StatusCode::OK
        })
        .await;
        harness
    }

    pub(crate) async fn ready(&self) -> StatusCode {
        self.http.get(self.url("/readyz")).send().await.unwrap().status()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> RequestBuilder {
        self.http
            .post(self.url(path))
            .header("content-type", content_type)
            .body(body)
    }

    pub(crate) fn submit(&self, submission: &Value) -> RequestBuilder {
        self.post("/jobs", JSON, submission.to_string())
    }

    /// Submits what must be accepted.
    pub(crate) async fn accepted(&self, submission: &Value) -> JobAccepted {
        accepted(self.submit(submission).send().await.unwrap()).await
    }

    /// Submits what must be refused.
    pub(crate) async fn refused(&self, submission: &Value, code: ProblemCode) -> Problem {
        refused(self.submit(submission).send().await.unwrap(), code).await
    }

    /// Messages in a queue that nobody consumes.
    pub(crate) async fn depth(&self, queue: Queue) -> u64 {
        let depths = self.gate.depths().await.unwrap();
        let depth = depths.iter().find(|depth| depth.name == queue.name()).unwrap();
        depth.ready
    }

    /// Takes exactly `count` messages off a queue, which holds no more.
    pub(crate) async fn take(&self, queue: Queue, count: usize) -> Vec<Delivery> {
        self.take_counted(queue, count, <[Delivery]>::len).await
    }

    /// Takes messages with exactly `count` lifecycle events between them.
    pub(crate) async fn events(&self, count: usize) -> Vec<EventEnvelope> {
        let deliveries = self
            .take_counted(Queue::Events, count, |taken| envelopes(taken).len())
            .await;
        envelopes(&deliveries)
    }

    async fn take_counted(
        &self,
        queue: Queue,
        count: usize,
        size: impl Fn(&[Delivery]) -> usize,
    ) -> Vec<Delivery> {
        let mut consumer = self.gate.consume(queue, 10_000).await.unwrap();
        let mut taken = Vec::new();
        while size(&taken) < count {
            let more = tokio::time::timeout(PATIENCE, consumer.next(10_000)).await;
            taken.extend(more.expect("a message in time").unwrap());
        }
        // What else was confirmed before stands before this one, in the queue or on its way to the consumer.
        let last = self.publish_last(queue).await;
        let is_last = |delivery: &Delivery| delivery.message_id.as_ref() == Some(&last);
        while !taken.iter().any(is_last) {
            let more = tokio::time::timeout(PATIENCE, consumer.next(10_000)).await;
            taken.extend(more.expect("the last message in time").unwrap());
        }
        let tags: Vec<_> = taken.iter().map(|delivery| delivery.tag).collect();
        consumer.acknowledger().ack(&tags).await.unwrap();
        taken.retain(|delivery| !is_last(delivery));
        assert_eq!(size(&taken), count, "more than expected in {}", queue.name());
        taken
    }

    /// Publishes a message that is none of the gateway's to a queue; returns its id.
    async fn publish_last(&self, queue: Queue) -> String {
        let message_id = Uuid::new_v4();
        let message = Message {
            route: match queue {
                Queue::Work => Route::Work,
                Queue::Control => Route::Control,
                Queue::Events => Route::Events(EventType::Created),
                Queue::DeadLetter => Route::DeadLetter,
            },
            message_id,
            content_type: "text/plain".to_owned(),
            headers: Headers::new(),
            body: "the last one".into(),
        };
        let outcomes = self.gate.behind().publish(vec![message]).await;
        outcomes.into_iter().for_each(Result::unwrap);
        message_id.to_string()
    }

    /// Takes exactly `count` work messages; each carries a valid envelope with a valid job.
    pub(crate) async fn work(&self, count: usize) -> Vec<EventEnvelope> {
        let deliveries = self.take(Queue::Work, count).await;
        let envelopes = envelopes(&deliveries);
        assert_eq!(envelopes.len(), count);
        for envelope in &envelopes {
            let document = serde_json::to_value(envelope).unwrap();
            schema::validate(Schema::EventEnvelope, &document).unwrap();
            schema::validate(Schema::Job, &document["payload"]).unwrap();
        }
        envelopes
    }

    /// Value of a sample of `/metrics`; 0 where there is none.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(sample));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub(crate) async fn metrics(&self) -> String {
        self.http
            .get(self.url("/metrics"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// Gives the signal to stop.
    pub(crate) fn stop(&self) {
        self.shutdown.trigger();
    }

    /// Waits for the end, and leaves the spine behind.
    pub(crate) async fn ended(&mut self) -> Result<(), RoleError> {
        tokio::time::timeout(PATIENCE, &mut self.role)
            .await
            .expect("an end in time")
            .unwrap()
    }
}

fn envelopes(deliveries: &[Delivery]) -> Vec<EventEnvelope> {
    deliveries
        .iter()
        .flat_map(codec::unpack_delivery)
        .map(Result::unwrap)
        .collect()
}

/// The body of a 202.
pub(crate) async fn accepted(response: Response) -> JobAccepted {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::ACCEPTED, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    schema::validate(Schema::JobAccepted, &document).unwrap();
    serde_json::from_value(document).unwrap()
}

/// The problem of an error answer, which is complete.
pub(crate) async fn refused(response: Response, code: ProblemCode) -> Problem {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(status.as_u16(), code.status(), "{text}");
    assert_eq!(headers["content-type"], "application/problem+json", "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    if document.get("results").is_none() {
        schema::validate(Schema::Problem, &document).unwrap();
    }
    let problem: Problem = serde_json::from_value(document).unwrap();
    assert_eq!(problem.code, code, "{text}");
    assert_eq!(
        problem.correlation_id.as_deref(),
        headers["x-correlation-id"].to_str().ok()
    );
    let retryable = matches!(code.status(), 429 | 503);
    assert_eq!(headers.contains_key("retry-after"), retryable, "{text}");
    problem
}
