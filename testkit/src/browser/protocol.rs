//! Requests of WebDriver.

use std::fmt;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

use crate::runtime;

/// Longest wait for an answer. The driver's own limits are shorter.
const PATIENCE: Duration = Duration::from_secs(150);

/// A session of a driver.
#[derive(Clone)]
pub(super) struct Session {
    client: Client,
    base: String,
}

/// Why the driver did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// A name of WebDriver's, such as `stale element reference` (6.6); `away` where nothing answers.
    code: String,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Refusal {
    fn away(error: &reqwest::Error) -> Self {
        Self {
            code: "away".to_owned(),
            message: format!("{error:?}"),
        }
    }

    /// Whether nothing was done because the page changed meanwhile, so that it may be asked for again.
    pub(super) fn is_passing(&self) -> bool {
        [
            "stale element reference",
            "element click intercepted",
            "element not interactable",
            "no such element",
            // While a page is left for another.
            "javascript error",
            "unknown error",
        ]
        .contains(&self.code.as_str())
    }
}

impl Session {
    /// Opens one with a browser that has these capabilities.
    pub(super) async fn open(port: u16, capabilities: Value) -> Result<Self, Refusal> {
        // Whatever proxy the machine has, the driver is here.
        let client = Client::builder().no_proxy().timeout(PATIENCE).build();
        let client = client.map_err(|error| Refusal::away(&error))?;
        let mut session = Self {
            client,
            base: format!("http://127.0.0.1:{port}/session"),
        };
        let asked = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = session.ask("", Some(asked)).await?;
        let id = answer["sessionId"].as_str().unwrap_or_default();
        session.base = format!("{}/{id}", session.base);
        Ok(session)
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        self.ask(&format!("/{path}"), Some(body)).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.ask(&format!("/{path}"), None).await
    }

    /// On the testkit's runtime, so that a connection does not end with the test that wants a last look.
    async fn ask(&self, path: &str, body: Option<Value>) -> Result<Value, Refusal> {
        let address = format!("{}{path}", self.base);
        let request = match &body {
            Some(body) => self.client.post(address).json(body),
            None => self.client.get(address),
        };
        let answer = runtime::run(async move {
            let response = request.send().await?;
            Ok((response.status(), response.json::<Value>().await?))
        });
        let (status, mut answer) = answer.await.map_err(|error| Refusal::away(&error))?;
        let value = answer["value"].take();
        if status.is_success() {
            return Ok(value);
        }
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Err(Refusal {
            code: text("error"),
            message: text("message"),
        })
    }
}
