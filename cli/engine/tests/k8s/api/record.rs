//! A middleman before a real API server that keeps what is said.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::sync::{Arc, Mutex};

use axum::body::{Body, BodyDataStream};
use axum::http::{self, header};
use futures::{Stream, StreamExt};
use kube::Client;

use super::exchange::{self, Exchange, Line, Recording, Request, Response};

/// What was said so far.
pub(crate) struct Recorder {
    server: Client,
    version: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    exchanges: Vec<Draft>,
    /// How many changing exchanges were asked for.
    changes: usize,
    problems: Vec<String>,
}

/// An exchange that may have no answer yet.
struct Draft {
    after: usize,
    request: Request,
    response: Option<Response>,
}

/// What the real server answers.
pub(crate) enum Answer {
    /// At once: the bytes as they came.
    Whole(Response, bytes::Bytes),
    /// Line by line.
    Lines(Lines),
    /// It did not. The text says why.
    Failed(String),
}

/// Lines that are kept as they pass.
pub(crate) struct Lines {
    pub(crate) content_type: String,
    from: BodyDataStream,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    recorder: Arc<Recorder>,
    at: usize,
}

impl Recorder {
    /// Records what is said to this server.
    pub(crate) async fn of(server: Client) -> Result<Self, kube::Error> {
        let version = server.apiserver_version().await?.git_version;
        Ok(Self {
            server,
            version,
            kept: Mutex::default(),
        })
    }

    /// Which server it is.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// What the server answers to this. The raw body is what is sent on.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: Request,
        raw: bytes::Bytes,
        headers: &http::HeaderMap,
    ) -> Answer {
        let at = self.ask(&request);
        let answered = match self.server.send(onward(&request, raw, headers)).await {
            Ok(answered) => answered,
            Err(error) => return self.failed(&request, &error),
        };
        let status = answered.status();
        let content_type = answered.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let mut response = Response {
            body: None,
            content_type: content_type.unwrap_or_default().to_owned(),
            ended: false,
            lines: None,
            status: status.as_u16(),
        };
        let body = Body::new(answered.into_body());
        if request.is_stream() && status.is_success() {
            response.lines = Some(Vec::new());
            let content_type = response.content_type.clone();
            self.kept.lock().unwrap().exchanges[at].response = Some(response);
            return Answer::Lines(Lines {
                content_type,
                from: body.into_data_stream(),
                begun: Vec::new(),
                recorder: Arc::clone(self),
                at,
            });
        }
        let raw = match axum::body::to_bytes(body, usize::MAX).await {
            Ok(raw) => raw,
            Err(error) => return self.failed(&request, &error),
        };
        response.body = exchange::body(&raw);
        self.answered(at, response.clone());
        Answer::Whole(response, raw)
    }

    /// Remembers that a request could not be recorded.
    pub(crate) fn failed(&self, request: &Request, why: &dyn std::fmt::Display) -> Answer {
        let problem = format!("it cannot be recorded: {request}: {why}");
        self.kept.lock().unwrap().problems.push(problem.clone());
        Answer::Failed(problem)
    }

    /// What was recorded, or what was not.
    pub(crate) fn recording(&self) -> Result<Recording, Vec<String>> {
        let mut kept = std::mem::take(&mut *self.kept.lock().unwrap());
        if kept.problems.is_empty() {
            let is_lost = |draft: &&Draft| draft.request.changes() && draft.response.is_none();
            let lost = kept.exchanges.iter().filter(is_lost);
            let lost = lost.map(|draft| format!("the client did not wait for its answer: {}", draft.request));
            kept.problems.extend(lost);
        }
        if !kept.problems.is_empty() {
            return Err(kept.problems);
        }
        let exchange = |draft: Draft| {
            let Draft { after, request, .. } = draft;
            draft.response.map(|response| Exchange {
                after,
                request,
                response,
            })
        };
        Ok(Recording {
            version: self.version.clone(),
            exchanges: kept.exchanges.into_iter().filter_map(exchange).collect(),
        })
    }

    fn ask(&self, request: &Request) -> usize {
        let mut kept = self.kept.lock().unwrap();
        let after = kept.changes;
        kept.changes += usize::from(request.counts());
        kept.exchanges.push(Draft {
            after,
            request: request.clone(),
            response: None,
        });
        kept.exchanges.len() - 1
    }

    /// A look may see any change that was asked for before it is answered.
    fn answered(&self, at: usize, response: Response) {
        let mut kept = self.kept.lock().unwrap();
        let changes = kept.changes;
        let draft = &mut kept.exchanges[at];
        if !draft.request.changes() {
            draft.after = changes;
        }
        draft.response = Some(response);
    }

    fn keep(&self, at: usize, line: &[u8]) {
        let Some(line) = exchange::body(line) else { return };
        let mut kept = self.kept.lock().unwrap();
        let after = kept.changes;
        let response = kept.exchanges[at].response.as_mut();
        let lines = response.and_then(|response| response.lines.as_mut());
        lines.expect("lines are of a stream").push(Line { after, line });
    }

    fn ended(&self, at: usize) {
        if let Some(response) = &mut self.kept.lock().unwrap().exchanges[at].response {
            response.ended = true;
        }
    }
}

impl Lines {
    /// One after another.
    pub(crate) fn stream(self) -> impl Stream<Item = Vec<u8>> + Send {
        futures::stream::unfold(self, async |mut lines: Self| Some((lines.next().await?, lines)))
    }

    /// The next line with its end; nothing when the server ends them.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let rest = self.begun.split_off(end + 1);
                let line = std::mem::replace(&mut self.begun, rest);
                self.recorder.keep(self.at, &line[..end]);
                return Some(line);
            }
            match self.from.next().await {
                Some(Ok(more)) => self.begun.extend_from_slice(&more),
                Some(Err(_)) | None => {
                    self.recorder.ended(self.at);
                    return None;
                }
            }
        }
    }
}

/// The request as it is sent on: whose it is, the real client says.
fn onward(
    request: &Request,
    raw: bytes::Bytes,
    headers: &http::HeaderMap,
) -> http::Request<kube::client::Body> {
    let mut uri = request.path.clone();
    if !request.query.is_empty() {
        uri = format!("{uri}?{}", request.query);
    }
    let mut onward = http::Request::new(kube::client::Body::from(raw));
    *onward.method_mut() = request.method.parse().unwrap();
    *onward.uri_mut() = uri.parse().unwrap();
    for name in [header::ACCEPT, header::CONTENT_TYPE] {
        if let Some(value) = headers.get(&name) {
            onward.headers_mut().insert(name, value.clone());
        }
    }
    onward
}
