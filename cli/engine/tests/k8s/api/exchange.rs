//! What a recorded conversation is made of, and its file: a line that tells the server, then a line an
//! exchange, in the order in which they were asked for. Keys are sorted.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scrub;

/// Parameters that say where or how long to look, and not what is looked at: they are different each time.
const PASSING: [&str; 6] = [
    "allowWatchBookmarks",
    "continue",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "timeoutSeconds",
];

/// A recorded conversation.
#[derive(Clone)]
pub(crate) struct Recording {
    /// `gitVersion` of the API server that was talked to.
    pub(crate) version: String,
    /// In the order in which they were asked for.
    pub(crate) exchanges: Vec<Exchange>,
}

/// A request and what was answered.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Exchange {
    /// How many changing exchanges had been asked for when this was answered; for one that changes something
    /// itself and for a stream: when it was asked for.
    pub(crate) after: usize,
    pub(crate) request: Request,
    pub(crate) response: Response,
}

/// What a client asks for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    /// The form of the answer where it is not the object itself (`as=PartialObjectMetadata`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accept: Option<String>,
    /// JSON; a text where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
    /// Which kind of patch it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    /// As it was sent.
    #[serde(default)]
    pub(crate) query: String,
}

/// What a server answers: a body, or lines one after another.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    /// JSON; a text where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
    pub(crate) content_type: String,
    /// Whether the server ended the lines. Otherwise the client had seen enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ended: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lines: Option<Vec<Line>>,
    pub(crate) status: u16,
}

/// A line of a watch or of a log that is followed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// How many changing exchanges had been asked for when it came.
    pub(crate) after: usize,
    /// An event; a text where it is a log's.
    pub(crate) line: Value,
}

impl Recording {
    /// What a file holds.
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let header: Value = serde_json::from_str(lines.next().unwrap_or_default()).unwrap();
        let version = header.pointer("/server/gitVersion").and_then(Value::as_str);
        let exchange = |line| {
            let mut exchange: Exchange =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            scrub::exchange(&mut exchange);
            exchange
        };
        Self {
            version: version.expect("the first line tells the server").to_owned(),
            exchanges: lines.filter(|line| !line.is_empty()).map(exchange).collect(),
        }
    }

    /// The file, without what is not kept.
    pub(crate) fn text(mut self) -> String {
        self.shorten();
        let mut text = json!({ "server": { "gitVersion": self.version } }).to_string() + "\n";
        for exchange in &mut self.exchanges {
            scrub::exchange(exchange);
            // By way of a value, whose keys are sorted.
            text += &serde_json::to_value(exchange).unwrap().to_string();
            text += "\n";
        }
        text
    }

    /// A client that asks again until something has happened is told the same many times: once is enough.
    fn shorten(&mut self) {
        let mut kept: Vec<Exchange> = Vec::new();
        for exchange in self.exchanges.drain(..) {
            let key = exchange.request.key();
            let before = kept.iter().rfind(|before| before.request.key() == key);
            let is_repeated = !exchange.request.changes()
                && exchange.response.lines.is_none()
                && before.is_some_and(|before| {
                    before.after == exchange.after && before.response == exchange.response
                });
            if !is_repeated {
                kept.push(exchange);
            }
        }
        self.exchanges = kept;
    }
}

impl Request {
    /// Whether it is more than a look.
    pub(crate) fn changes(&self) -> bool {
        self.method != "GET" && self.method != "HEAD"
    }

    /// Whether what is seen afterwards may be another state: what the server is only asked to try is none.
    pub(crate) fn counts(&self) -> bool {
        self.changes() && self.parameter("dryRun").is_none()
    }

    /// Whether the answer comes line by line, for as long as the client likes.
    pub(crate) fn is_stream(&self) -> bool {
        let is_on = |name| matches!(self.parameter(name), Some("true" | "1"));
        !self.changes() && (is_on("watch") || (is_on("follow") && self.path.ends_with("/log")))
    }

    /// The version that a watch begins at; none where it begins anywhere.
    pub(crate) fn version(&self) -> Option<&str> {
        self.parameter("resourceVersion")
            .filter(|version| !version.is_empty() && *version != "0")
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// What two requests that ask for the same have in common.
    pub(crate) fn key(&self) -> String {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        format!("{} {body}", self.key_without_body())
    }

    /// The same for requests with different bodies.
    pub(crate) fn key_without_body(&self) -> String {
        let mut query: Vec<_> = self
            .parameters()
            .filter(|(name, _)| !PASSING.contains(name))
            .collect();
        query.sort_unstable();
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let form = [&self.content_type, &self.accept].map(|form| form.as_deref().unwrap_or_default());
        format!(
            "{} {}?{} {}",
            self.method,
            self.path,
            query.join("&"),
            form.join(" ")
        )
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} {}", self.method, self.path)?;
        if !self.query.is_empty() {
            write!(to, "?{}", self.query)?;
        }
        match &self.body {
            Some(body) => write!(to, " with {body}"),
            None => Ok(()),
        }
    }
}

/// JSON as a value, anything else as a text; nothing where there is nothing.
pub(crate) fn body(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    // A text that happens to be a number is a text.
    let json = serde_json::from_slice(bytes).ok();
    Some(
        json.filter(|value: &Value| value.is_object() || value.is_array())
            .unwrap_or_else(text),
    )
}

/// What [`body`] was made of.
pub(crate) fn bytes(body: Option<&Value>) -> Vec<u8> {
    match body {
        None => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(value) => value.to_string().into_bytes(),
    }
}

/// Where two values differ first.
pub(crate) fn difference(recorded: &Value, asked: &Value) -> Option<String> {
    match (recorded, asked) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left
                .keys()
                .chain(right.keys().filter(|key| !left.contains_key(*key)));
            let differs = |key: &String| within(key, left.get(key), right.get(key));
            keys.into_iter().find_map(differs)
        }
        (Value::Array(left), Value::Array(right)) => (0..left.len().max(right.len()))
            .find_map(|at| within(&at.to_string(), left.get(at), right.get(at))),
        _ if recorded == asked => None,
        _ => Some(format!(": {recorded} was recorded, {asked} is asked for")),
    }
}

fn within(key: &str, recorded: Option<&Value>, asked: Option<&Value>) -> Option<String> {
    match (recorded, asked) {
        (Some(recorded), Some(asked)) => {
            difference(recorded, asked).map(|difference| format!("/{key}{difference}"))
        }
        (Some(recorded), None) => Some(format!("/{key}: {recorded} was recorded, nothing is asked for")),
        (None, Some(asked)) => Some(format!("/{key}: nothing was recorded, {asked} is asked for")),
        (None, None) => None,
    }
}
