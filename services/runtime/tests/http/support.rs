//! A server on a port of its own, and a client for it.

use std::time::Duration;

use odd_contracts::{Problem, ProblemCode, Role};
use odd_runtime::{Metrics, Readiness, ServeError, Server, Shutdown};
use reqwest::{Client, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest that any of the tests waits for anything.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A server under test.
pub(crate) struct Running {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: Shutdown,
    pub(crate) served: JoinHandle<Result<(), ServeError>>,
    pub(crate) client: Client,
}

/// Starts a server.
pub(crate) async fn start(shape: impl FnOnce(Server) -> Server) -> Running {
    start_with(Shutdown::default(), shape).await
}

/// Starts a server that a given shutdown ends.
pub(crate) async fn start_with(shutdown: Shutdown, shape: impl FnOnce(Server) -> Server) -> Running {
    let readiness = Readiness::new(Role::Gateway);
    let metrics = Metrics::new(Role::Gateway).unwrap();
    let server = shape(Server::new(Role::Gateway, &metrics, &readiness));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(server.serve(listener, shutdown.clone()));
    let client = Client::builder()
        .no_proxy()
        .timeout(LONG)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    Running {
        address,
        readiness,
        shutdown,
        served,
        client,
    }
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        self.client
            .post(self.url(path))
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.address).await
    }

    /// Ends the server and waits for that.
    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        tokio::time::timeout(LONG, self.served)
            .await
            .expect("the server ends")
            .unwrap()
            .unwrap();
    }
}

/// The problem that an answer shows, after checks that hold for every problem.
pub(crate) async fn problem(response: Response, code: ProblemCode) -> Problem {
    assert_eq!(response.status(), StatusCode::from_u16(code.status()).unwrap());
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let correlation = response.headers()["x-correlation-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let retry = response
        .headers()
        .get("retry-after")
        .map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(
        retry.as_deref(),
        matches!(code.status(), 429 | 503).then_some("1")
    );
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.code, code);
    assert_eq!(problem.status, code.status());
    assert_eq!(problem.correlation_id.as_deref(), Some(correlation.as_str()));
    problem
}
