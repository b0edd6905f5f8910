//! The client that asks the roles behind: pooled connections, no redirects, no proxies, every wait bounded.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use odd_contracts::api::Health;
use odd_runtime::error::chain;

use super::body::Limited;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Longest that an answer under way may be silent. Live streams say every 15 s that they live.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// Time that an idle connection is kept. Roles close theirs after 30 s, and closing should be ours.
const IDLE: Duration = Duration::from_secs(20);
/// Idle connections that are kept to one role.
const IDLE_CONNECTIONS: usize = 32;
/// Longest wait for what a role says of its readiness.
const READY: Duration = Duration::from_secs(2);
/// Most bytes of what a role says of its readiness.
const HEALTH_BYTES: usize = 64 * 1024;

/// Asks the roles behind.
#[derive(Clone)]
pub(super) struct Client {
    http: legacy::Client<HttpConnector, Limited>,
    answer: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection.
    Away(String),
    /// It closed the connection, or what it answered is no HTTP.
    Broken(String),
    /// No answer began within this time.
    Late(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "cannot be reached: {why}"),
            Self::Broken(why) => write!(f, "did not answer as HTTP has it: {why}"),
            Self::Late(limit) => write!(f, "did not answer within {} s", limit.as_secs_f64()),
        }
    }
}

impl Client {
    /// Waits at most `answer` for the head of each answer.
    pub(super) fn new(answer: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self { http, answer }
    }

    /// The answer, as soon as its head is there.
    pub(super) async fn ask(&self, request: Request<Limited>) -> Result<Response<Incoming>, Failure> {
        self.ask_within(self.answer, request).await
    }

    async fn ask_within(
        &self,
        limit: Duration,
        request: Request<Limited>,
    ) -> Result<Response<Incoming>, Failure> {
        match tokio::time::timeout(limit, self.http.request(request)).await {
            Ok(Ok(answer)) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Failure::Broken("it switches to another protocol".to_owned()))
            }
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_connect() => Err(Failure::Away(innermost(&error))),
            Ok(Err(error)) => Err(Failure::Broken(innermost(&error))),
            Err(_) => Err(Failure::Late(limit)),
        }
    }

    /// What the role at `base` says of its readiness.
    pub(super) async fn ready(&self, base: &str) -> Result<(), String> {
        let request = Request::get(format!("{base}/readyz")).body(Limited::empty());
        let request = request.map_err(|error| chain(&error).to_string())?;
        let answer = self.ask_within(READY, request).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = tokio::time::timeout(READY, to_bytes(Body::new(answer.into_body()), HEALTH_BYTES)).await;
        let said = body
            .ok()
            .and_then(Result::ok)
            .and_then(|body| serde_json::from_slice::<Health>(&body).ok());
        Err(said.map_or_else(|| format!("status {}", status.as_u16()), |health| health.status))
    }
}

/// The cause behind all: the others say no more than that a request failed.
fn innermost(error: &legacy::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
