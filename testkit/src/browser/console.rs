//! What a browser reports beside its page: the console, and where requests went.

use serde_json::{Value, json};

use super::Browser;
use super::protocol::{Refusal, Session};

/// What a test says beforehand that it will cause.
#[derive(Debug, Default)]
pub(super) struct Permitted {
    /// Parts of messages.
    messages: Vec<String>,
    /// Origins such as `http://127.0.0.1:8081`.
    origins: Vec<String>,
}

impl Permitted {
    /// Lets pass whatever goes to the origin of this address.
    pub(super) fn origin_of(&mut self, address: &str) {
        let origin = origin(address);
        if !self.origins.contains(&origin) {
            self.origins.push(origin);
        }
    }

    fn is_expected(&self, message: &str) -> bool {
        self.messages.iter().any(|part| message.contains(part))
    }

    fn is_own(&self, address: &str) -> bool {
        // These leave the browser for nowhere. The page that a browser begins with asks its own parts for more.
        let inner = [
            "data:",
            "blob:",
            "about:",
            "chrome:",
            "chrome-error:",
            "chrome-untrusted:",
            "file:",
        ];
        inner.iter().any(|scheme| address.starts_with(scheme)) || self.origins.contains(&origin(address))
    }
}

/// `http://127.0.0.1:8081` of `ws://127.0.0.1:8081/ws`.
fn origin(address: &str) -> String {
    let address = address.replacen("ws", "http", usize::from(address.starts_with("ws")));
    address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

impl Browser {
    /// From now on, messages with this part may stand in the console.
    pub fn expect_message(&self, part: &str) {
        self.permitted().messages.push(part.to_owned());
    }

    /// Requests to the origin of this address may be made, as they may to those that were opened.
    pub fn expect_requests(&self, address: &str) {
        self.permitted().origin_of(address);
    }

    /// The connection is lost on purpose: browsers tell of that in the console.
    pub fn expect_outage(&self) {
        for part in [
            "net::ERR_CONNECTION_REFUSED",
            "net::ERR_CONNECTION_RESET",
            "net::ERR_CONNECTION_CLOSED",
            "net::ERR_EMPTY_RESPONSE",
            "net::ERR_INCOMPLETE_CHUNKED_ENCODING",
            "net::ERR_SOCKET_NOT_CONNECTED",
            "net::ERR_ABORTED",
            "the server responded with a status of 50",
            "WebSocket connection to",
        ] {
            self.expect_message(part);
        }
    }

    /// Asserts that the console has no error and no breach of a policy but those that were expected, and that no request went
    /// elsewhere. What was looked at is not looked at again.
    ///
    /// # Panics
    /// Where that is not so.
    pub async fn assert_clean(&self) {
        let lines = self.told("the console", entries(&self.session, "browser").await);
        let bad: Vec<String> = {
            let permitted = self.permitted();
            let bad = lines.iter().filter(|entry| is_bad(entry)).map(message);
            bad.filter(|message| !permitted.is_expected(message)).collect()
        };
        assert!(bad.is_empty(), "{}: the console has {bad:#?}", self.name);
        let requests = self.told("the requests", entries(&self.session, "performance").await);
        let foreign: Vec<String> = {
            let permitted = self.permitted();
            let asked = requests.iter().filter_map(requested);
            asked.filter(|address| !permitted.is_own(address)).collect()
        };
        assert!(foreign.is_empty(), "{}: requests went to {foreign:#?}", self.name);
    }

    /// Every message of the console that was not looked at yet.
    ///
    /// # Panics
    /// Where the browser does not answer.
    pub async fn console(&self) -> Vec<String> {
        self.told("the console", all(&self.session).await)
    }
}

/// Every line of the console that was not read yet.
pub(super) async fn all(session: &Session) -> Result<Vec<String>, Refusal> {
    let entries = entries(session, "browser").await?;
    Ok(entries.iter().map(message).collect())
}

async fn entries(session: &Session, log: &str) -> Result<Vec<Value>, Refusal> {
    let mut answer = session.post("se/log", json!({ "type": log })).await?;
    Ok(answer.as_array_mut().map(std::mem::take).unwrap_or_default())
}

fn message(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    format!("{} {}", text("level"), text("message"))
}

fn is_bad(entry: &Value) -> bool {
    let policy = |text: &str| text.contains("Content Security Policy") || text.contains("Trusted");
    entry["level"] == "SEVERE" || entry["message"].as_str().is_some_and(policy)
}

/// The address that an entry of the network's log tells of, where a request begins with it.
fn requested(entry: &Value) -> Option<String> {
    let told: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
    let parameters = &told["message"]["params"];
    let address = match told["message"]["method"].as_str()? {
        "Network.requestWillBeSent" => &parameters["request"]["url"],
        "Network.webSocketCreated" => &parameters["url"],
        _ => return None,
    };
    address.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_other_origins_are_told_apart() {
        let mut permitted = Permitted::default();
        permitted.origin_of("http://127.0.0.1:8081/#/new");
        for own in [
            "http://127.0.0.1:8081/api/stats",
            "ws://127.0.0.1:8081/ws",
            "data:image/png,x",
            "chrome-untrusted://new-tab-page/one-google-bar?paramsencoded=",
            "http://127.0.0.1:8081",
        ] {
            assert!(permitted.is_own(own), "{own}");
        }
        for foreign in [
            "http://127.0.0.1:8080/",
            "https://127.0.0.1:8081/",
            "ws://127.0.0.1:80810/ws",
            "http://elsewhere/http://127.0.0.1:8081/",
        ] {
            assert!(!permitted.is_own(foreign), "{foreign}");
        }
    }

    #[test]
    fn errors_and_breaches_of_a_policy_are_bad() {
        let entry = |level: &str, message: &str| json!({ "level": level, "message": message });
        assert!(is_bad(&entry("SEVERE", "x is not defined")));
        assert!(is_bad(&entry(
            "INFO",
            "Refused to … the following Content Security Policy directive"
        )));
        assert!(!is_bad(&entry("WARNING", "slow")));
        let mut permitted = Permitted::default();
        permitted.messages.push("ERR_CONNECTION_REFUSED".to_owned());
        assert!(permitted.is_expected("SEVERE http://x - net::ERR_CONNECTION_REFUSED"));
        assert!(!permitted.is_expected("SEVERE other"));
    }

    #[test]
    fn addresses_are_read_from_the_log_of_the_network() {
        let told = json!({ "message": {
            "method": "Network.requestWillBeSent", "params": { "request": { "url": "http://a/b" } } } });
        let entry = json!({ "message": told.to_string() });
        assert_eq!(requested(&entry).as_deref(), Some("http://a/b"));
        assert_eq!(requested(&json!({ "message": "{}" })), None);
    }
}
