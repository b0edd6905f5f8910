//! Pages of others: what they may do with an instance, which is nothing.

use odd_contracts::Role;
use odd_testkit::{Browser, Instance};
use serde_json::{Value, json};

use crate::bed::{self, open};
use crate::files::Elsewhere;

/// How an attempt to open the terminal's WebSocket ends.
const CONNECT: &str = "return new Promise((told) => {
    const socket = new WebSocket(arguments[0], 'odd.terminal.v1');
    socket.onopen = () => told('opened');
    socket.onclose = ({ code }) => told(`closed with ${code}`);
})";
/// What a request gets to read.
const ASK: &str = "return fetch(arguments[0], arguments[1])
    .then(async (answer) => [answer.type, answer.status, await answer.text()], () => ['refused', 0, ''])";

fn socket(odd: &Instance) -> String {
    format!("ws://127.0.0.1:{}/ws", odd.port(Role::Web))
}

async fn ask(browser: &Browser, address: &str, options: Value) -> Value {
    browser.run(ASK, json!([address, options])).await
}

#[tokio::test]
async fn a_page_of_another_origin_gets_no_terminal_and_no_data() {
    bed::with("another_origin", &[], async |browser, odd| {
        let (elsewhere, ticket) = (
            Elsewhere::start().await,
            format!("{}/terminal/ticket", odd.url(Role::Web)),
        );
        browser.expect_requests(&odd.url(Role::Web));
        for part in [
            "WebSocket connection to",
            "blocked by CORS policy",
            "net::ERR_FAILED",
            "the server responded with a status of 403",
        ] {
            browser.expect_message(part);
        }
        browser.open(&elsewhere.address).await;
        let connected = browser.run(CONNECT, json!([socket(odd)])).await;
        assert_eq!(connected, "closed with 1006", "the handshake is refused");
        assert_eq!(
            ask(browser, &ticket, json!({ "method": "POST" })).await,
            json!(["refused", 0, ""])
        );
        // Without leave to read the answer: it is sent, and refused by the role.
        let blind = ask(browser, &ticket, json!({ "method": "POST", "mode": "no-cors" })).await;
        assert_eq!(blind, json!(["opaque", 0, ""]));
        let overview = format!("{}/api/overview", odd.url(Role::Web));
        assert_eq!(
            ask(browser, &overview, json!({})).await,
            json!(["refused", 0, ""])
        );
        let metrics = reqwest::get(format!("{}/metrics", odd.url(Role::Web))).await;
        let metrics = metrics.expect("metrics").text().await.expect("text");
        let sessions = metrics.lines().find(|line| {
            line.starts_with("web_terminal_sessions{") || line.starts_with("web_terminal_sessions ")
        });
        assert!(sessions.is_none_or(|line| line.ends_with(" 0")), "{sessions:?}");

        // The same from the page itself works: what was refused was the origin.
        open(browser, odd, "").await;
        let connected = browser.run(CONNECT, json!([socket(odd)])).await;
        assert_eq!(connected, "opened");
        let own = ask(browser, "/terminal/ticket", json!({ "method": "POST" })).await;
        assert_eq!((&own[0], &own[1]), (&json!("basic"), &json!(200)));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_frame_the_dashboard() {
    bed::with("cannot_frame", &[], async |browser, odd| {
        let elsewhere = Elsewhere::start().await;
        browser.expect_requests(&odd.url(Role::Web));
        browser.expect_message("frame-ancestors");
        browser.expect_message("net::ERR_BLOCKED_BY_RESPONSE");
        browser.open(&elsewhere.address).await;
        let framed = "return new Promise((told) => {
            const frame = document.createElement('iframe');
            frame.onload = () => told(true);
            frame.src = arguments[0];
            document.body.append(frame);
        })";
        browser.run(framed, json!([odd.url(Role::Web)])).await;
        browser.go_to_frame(Some(0)).await;
        let shown = browser.run("return location.href", json!([])).await;
        assert_eq!(shown, "chrome-error://chromewebdata/");
        browser.go_to_frame(None).await;
    })
    .await;
}
