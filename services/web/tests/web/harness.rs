//! A web role, and what stands behind it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use odd_contracts::{Problem, ProblemCode};
use odd_runtime::{RoleError, Shutdown};
use odd_web::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest wait for anything.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A request as a role behind saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Stands for a role.
pub(crate) struct Behind {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Behind {
    /// Answers every request, but for what it is asked of its readiness, as `answer` says.
    pub(crate) async fn answering<F, Fut, R>(answer: F) -> Self
    where
        F: Fn(Seen) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = R> + Send,
        R: IntoResponse,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(listener, answer)
    }

    /// The same, on a listener that is there.
    pub(crate) fn at<F, Fut, R>(listener: TcpListener, answer: F) -> Self
    where
        F: Fn(Seen) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = R> + Send,
        R: IntoResponse,
    {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let handler = async move |request: Request| -> Result<Response, Infallible> {
            let (parts, body) = request.into_parts();
            if parts.uri.path() == "/readyz" {
                return Ok("{}".into_response());
            }
            let Ok(body) = to_bytes(body, usize::MAX).await else {
                return Ok("broken".into_response());
            };
            let seen = Seen {
                method: parts.method,
                target: parts.uri.to_string(),
                headers: parts.headers,
                body: body.to_vec(),
            };
            kept.lock().unwrap().push(seen.clone());
            Ok(answer(seen).await.into_response())
        };
        let router = Router::new().fallback(handler);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, task }
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running web role.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) http: reqwest::Client,
    task: JoinHandle<Result<(), RoleError>>,
}

impl Web {
    /// Before one server that stands for both roles.
    pub(crate) async fn before(behind: &Behind) -> Self {
        Self::at(&behind.url, Duration::from_secs(10)).await
    }

    /// Before whatever is at an address, which may take so long to answer.
    pub(crate) async fn at(url: &str, answer_timeout: Duration) -> Self {
        Self::set_up(Config {
            gateway_url: url.to_owned(),
            read_model_url: url.to_owned(),
            answer_timeout,
            ..Config::default()
        })
        .await
    }

    /// As it is set up.
    pub(crate) async fn set_up(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new(LONG);
        Self {
            address,
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(LONG)
                .build()
                .unwrap(),
            task: tokio::spawn(odd_web::run(config, listener, shutdown.clone())),
            shutdown,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    /// Sends bytes as they are, and returns everything that is answered until the connection is closed.
    pub(crate) async fn raw(&self, bytes: &str) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(LONG, socket.read_to_end(&mut answer))
            .await
            .expect("the connection is closed in time")
            .unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A metric, by its name and labels as they are written.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text().await.unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(sample))?;
        value.trim().parse().ok()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        let ended = tokio::time::timeout(LONG, self.task).await;
        ended.expect("it ends in time").unwrap().unwrap();
    }
}

/// The problem that an answer is.
pub(crate) async fn problem(answer: reqwest::Response, code: ProblemCode) -> Problem {
    assert_eq!(answer.status().as_u16(), code.status());
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!(problem.code, code);
    problem
}

/// Asks until there is an answer.
pub(crate) async fn until<T, Fut: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> Fut,
) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, looking)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"))
}
