//! The HTTP server that a test's client talks to, and the kubeconfig that names it.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{self, HeaderMap, header};
use futures::{Stream, StreamExt};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::exchange::{self, Request, Response};
use super::record::{self, Recorder};
use super::replay::{self, Replay};
use super::scrub;

/// The context in the kubeconfig.
pub(crate) const CONTEXT: &str = "recorded";

/// How long requests that are under way may take when a conversation ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no answer to a request that wants a connection of its own.
const UPGRADED: &str = "a connection that is upgraded cannot be recorded";

/// Who answers.
#[derive(Clone)]
pub(crate) enum Source {
    /// What is recorded.
    Replay(Arc<Replay>),
    /// A real server, whose answers are recorded.
    Record(Arc<Recorder>),
}

/// A server on a port of its own, with a kubeconfig.
pub(crate) struct Proxy {
    directory: TempDir,
    over: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Service {
    source: Source,
    over: watch::Receiver<bool>,
}

impl Proxy {
    /// Serves a source.
    pub(crate) async fn start(source: Source) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig(&server)).unwrap();
        let (over, is_over) = watch::channel(false);
        let service = Service {
            source,
            over: is_over.clone(),
        };
        let app = Router::new().fallback(serve).with_state(service);
        let task = tokio::spawn(async move {
            let serving = axum::serve(listener, app).with_graceful_shutdown(ends(is_over));
            serving.await.unwrap();
        });
        Self {
            directory,
            over,
            task,
        }
    }

    /// The kubeconfig that names it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// Ends streams and then the server.
    pub(crate) async fn stop(self) {
        self.over.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("requests end with the conversation").unwrap();
    }
}

/// The client that a context of a kubeconfig means, or its current one.
pub(crate) async fn client(kubeconfig: &Path, context: Option<&str>) -> kube::Client {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let options = kube::config::KubeConfigOptions {
        context: context.map(str::to_owned),
        ..Default::default()
    };
    let config = kube::Config::from_custom_kubeconfig(file, &options)
        .await
        .unwrap();
    kube::Client::try_from(config).unwrap()
}

fn kubeconfig(server: &str) -> String {
    let file = json!({
        "apiVersion": "v1",
        "clusters": [{ "name": CONTEXT, "cluster": { "server": server } }],
        "contexts": [{ "name": CONTEXT, "context": { "cluster": CONTEXT, "user": CONTEXT } }],
        "current-context": CONTEXT,
        "kind": "Config",
        "users": [{ "name": CONTEXT, "user": {} }],
    });
    // JSON is YAML.
    file.to_string()
}

async fn ends(mut over: watch::Receiver<bool>) {
    // A proxy that was dropped is over too.
    let _ = over.wait_for(|over| *over).await;
}

async fn serve(State(service): State<Service>, request: http::Request<Body>) -> http::Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(raw) = axum::body::to_bytes(body, usize::MAX).await else {
        return refusal(400, "the request broke off");
    };
    let request = asked(&parts, &raw);
    let is_upgrade = parts.headers.contains_key(header::UPGRADE);
    match service.source {
        Source::Replay(replay) => {
            let answer = if is_upgrade {
                replay.unknown(&request, UPGRADED)
            } else {
                replay.answer(request).await
            };
            match answer {
                replay::Answer::Whole(response) => whole(&response),
                replay::Answer::Unknown(why) => refusal(501, &why),
                replay::Answer::Lines(lines) => {
                    let content_type = lines.content_type.clone();
                    streamed(&content_type, lines.stream(), service.over)
                }
            }
        }
        Source::Record(recorder) => {
            let answer = if is_upgrade {
                recorder.failed(&request, &UPGRADED)
            } else {
                recorder.answer(request, raw, &parts.headers).await
            };
            match answer {
                record::Answer::Whole(response, raw) => answer_of(&response, raw.into()),
                record::Answer::Failed(why) => refusal(501, &why),
                record::Answer::Lines(lines) => {
                    let content_type = lines.content_type.clone();
                    streamed(&content_type, lines.stream(), service.over)
                }
            }
        }
    }
}

/// The request without what is secret in it.
fn asked(parts: &http::request::Parts, raw: &[u8]) -> Request {
    let form = |name| text(&parts.headers, name);
    let mut body = exchange::body(raw);
    if let Some(body) = &mut body {
        scrub::secrets(parts.uri.path(), body);
    }
    Request {
        accept: form(header::ACCEPT).filter(|accept| accept.contains("as=")),
        body,
        content_type: form(header::CONTENT_TYPE).filter(|_| parts.method == http::Method::PATCH),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn whole(response: &Response) -> http::Response<Body> {
    answer_of(response, exchange::bytes(response.body.as_ref()).into())
}

fn refusal(code: u16, why: &str) -> http::Response<Body> {
    whole(&replay::status(code, why))
}

/// An answer with its body as it came.
fn answer_of(response: &Response, body: Body) -> http::Response<Body> {
    answer(response.status, &response.content_type, body)
}

/// Lines, until the server or the conversation ends them.
fn streamed(
    content_type: &str,
    lines: impl Stream<Item = Vec<u8>> + Send + 'static,
    over: watch::Receiver<bool>,
) -> http::Response<Body> {
    let lines = lines.take_until(Box::pin(ends(over)));
    let lines = lines.map(Ok::<_, std::convert::Infallible>);
    answer(200, content_type, Body::from_stream(lines))
}

fn answer(status: u16, content_type: &str, body: Body) -> http::Response<Body> {
    let response = http::Response::builder().status(status);
    let response = match content_type {
        "" => response,
        some => response.header(header::CONTENT_TYPE, some),
    };
    response.body(body).unwrap()
}
