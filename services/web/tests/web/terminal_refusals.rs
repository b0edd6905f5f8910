//! Who gets no terminal, and what ends a connection.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use odd_contracts::ProblemCode;
use odd_contracts::terminal::{ErrorCode, MAX_MESSAGE_BYTES, ServerMessage};
use odd_web::{Program, TerminalConfig, TerminalMode};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{LONG, Web, problem};
use crate::terminal_bed::{
    Browser, TOKEN, ask_for_ticket, counted, refused_upgrade, request, running, ticket, token, web,
};

const OPEN: &str = "web_terminal_sessions{service=\"web\"}";

fn plain() -> TerminalConfig {
    TerminalConfig::default()
}

#[tokio::test]
async fn a_ticket_is_good_once_and_for_a_while() {
    let web = web("cat", plain()).await;
    let key = json!({ "ticket": ticket(&web).await });
    let first = Browser::enter(&web, key.clone()).await;
    assert!(first.is_ok());
    assert_eq!(
        Browser::enter(&web, key).await.err(),
        Some(ErrorCode::Unauthorized)
    );
    for wrong in [
        json!({ "ticket": "0".repeat(64) }),
        json!({ "token": "0".repeat(64) }),
        json!({ "token": "" }),
    ] {
        let error = Browser::enter(&web, wrong.clone()).await.err().unwrap();
        let expected = [ErrorCode::Unauthorized, ErrorCode::Malformed];
        assert!(expected.contains(&error), "{wrong}: {error:?}");
    }
    let unknown = Browser::resume(&web, &"0".repeat(64)).await;
    assert_eq!(unknown.err(), Some(ErrorCode::UnknownSession));
    assert_eq!(web.metric(OPEN).await, Some(1.0));
    let unauthorized = "web_terminal_refused_total{reason=\"unauthorized\",service=\"web\"}";
    counted(&web, unauthorized, 3.0).await;

    let hasty = self::web(
        "cat",
        TerminalConfig {
            ticket: Duration::ZERO,
            ..plain()
        },
    )
    .await;
    let answer: serde_json::Value = ask_for_ticket(&hasty).await.json().await.unwrap();
    let late = json!({ "ticket": answer["ticket"] });
    assert_eq!(
        Browser::enter(&hasty, late).await.err(),
        Some(ErrorCode::Unauthorized)
    );
}

#[tokio::test]
async fn pages_of_other_origins_get_no_ticket_and_no_connection() {
    let web = web("cat", plain()).await;
    let own = format!("http://{}", web.address);
    let other_port = format!("http://127.0.0.1:{}", web.address.port() ^ 1);
    for origin in [
        None,
        Some("null"),
        Some("http://elsewhere"),
        Some(other_port.as_str()),
    ] {
        let mut request = web.http.post(web.url("/terminal/ticket"));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        problem(request.send().await.unwrap(), ProblemCode::ForeignOrigin).await;
        let Some(origin) = origin else { continue };
        let (status, body) = refused_upgrade(request_of(&web, origin)).await;
        assert_eq!(status, 403, "{origin}");
        assert!(body.contains("\"foreign_origin\""), "{body}");
    }
    assert!(connect_async(request(web.address, &own)).await.is_ok());
    assert_eq!(web.metric(OPEN).await, Some(0.0));
}

fn request_of(web: &Web, origin: &str) -> ClientRequestBuilder {
    request(web.address, origin)
}

/// Connections that say nothing take no place of those that do.
#[tokio::test]
async fn connections_that_have_not_said_hello_are_limited() {
    let config = TerminalConfig {
        hello: Duration::from_secs(60),
        ..plain()
    };
    let web = web("cat", config).await;
    let origin = format!("http://{}", web.address);
    let mut waiting = Vec::new();
    for _ in 0..32 {
        waiting.push(Browser::connect(&web).await);
    }
    let (status, body) = refused_upgrade(request(web.address, &origin)).await;
    assert_eq!(status, 429, "{body}");
    assert!(body.contains("32 connections of this address"), "{body}");
    let mut one = waiting.pop().unwrap();
    let hello = json!({ "type": "hello", "ticket": ticket(&web).await, "columns": 80, "rows": 24 });
    one.say(&hello).await;
    assert!(matches!(one.told().await, ServerMessage::Ready { .. }));
    // It holds no place among these any more.
    waiting.push(Browser::connect(&web).await);
}

#[tokio::test]
async fn the_51st_session_is_refused_until_one_ends() {
    let config = TerminalConfig {
        sessions_per_address: 50,
        attempts: 200,
        ..plain()
    };
    let cat = Program {
        path: "/bin/cat".into(),
        arguments: Vec::new(),
    };
    let web = running(cat, config).await;
    let mut browsers = Vec::new();
    for _ in 0..50 {
        browsers.push(Browser::open(&web).await);
    }
    let key = async || json!({ "ticket": ticket(&web).await });
    let refused = Browser::enter(&web, key().await).await;
    assert_eq!(refused.err(), Some(ErrorCode::TooManySessions));
    // The end of input ends the program.
    browsers[7].press("\x04").await;
    counted(&web, OPEN, 49.0).await;
    assert!(Browser::enter(&web, key().await).await.is_ok());
    web.stop().await;
}

#[tokio::test]
async fn one_address_has_its_share() {
    let config = TerminalConfig {
        sessions_per_address: 2,
        ..plain()
    };
    let web = web("cat", config).await;
    let _two = (Browser::open(&web).await, Browser::open(&web).await);
    let third = Browser::enter(&web, json!({ "ticket": ticket(&web).await })).await;
    assert_eq!(third.err(), Some(ErrorCode::TooManySessions));
}

#[tokio::test]
async fn who_does_not_say_hello_is_not_waited_for() {
    let config = TerminalConfig {
        hello: Duration::from_millis(200),
        ..plain()
    };
    let web = web("cat", config).await;
    let mut silent = Browser::connect(&web).await;
    assert_eq!(silent.refused().await, ErrorCode::HelloExpected);
    let mut hasty = Browser::connect(&web).await;
    hasty.press("ls\r").await;
    assert_eq!(hasty.refused().await, ErrorCode::HelloExpected);
    assert_eq!(web.metric(OPEN).await, Some(0.0));
}

/// Each ends the connection, and none the session.
#[tokio::test]
async fn messages_that_break_the_contract_end_the_connection_alone() {
    let web = web("echo ready; cat", plain()).await;
    let large = format!(
        "{{\"type\":\"input\",\"data\":\"{}\"}}",
        "x".repeat(MAX_MESSAGE_BYTES)
    );
    let no_text = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    let mut browser = Browser::open(&web).await;
    browser.shows("ready").await;
    for (message, code) in [
        (Message::text("{"), ErrorCode::Malformed),
        (Message::text("{\"type\":\"exec\"}"), ErrorCode::Malformed),
        (
            Message::text("{\"type\":\"ping\",\"more\":1}"),
            ErrorCode::Malformed,
        ),
        (
            Message::text("{\"type\":\"resize\",\"columns\":0,\"rows\":1}"),
            ErrorCode::Malformed,
        ),
        (
            Message::text("{\"type\":\"hello\",\"ticket\":\"x\",\"columns\":1,\"rows\":1}"),
            ErrorCode::HelloExpected,
        ),
        (Message::binary(b"ls\r".to_vec()), ErrorCode::Unsupported),
        (Message::text(large.clone()), ErrorCode::TooLarge),
        (Message::Frame(no_text), ErrorCode::Malformed),
    ] {
        browser.send(message.clone()).await;
        assert_eq!(browser.refused().await, code, "{message:.60}");
        browser = Browser::resume(&web, &browser.reconnect).await.unwrap();
        browser.press("still here\r").await;
        browser.shows("still here").await;
    }
    // As large as it may be.
    let most = "y".repeat(MAX_MESSAGE_BYTES - 26);
    browser.press(&most).await;
    browser.press("\r").await;
    assert_eq!(web.metric(OPEN).await, Some(1.0));
}

/// What is too large by far is not read to its end; the page is told why all the same.
#[tokio::test]
async fn whoever_sends_far_too_much_sees_why_it_was_closed() {
    let web = web("cat", plain()).await;
    for _ in 0..3 {
        let (mut sink, mut source) = Browser::open(&web).await.into_socket().split();
        let large = "x".repeat(8_000_000);
        let sending = tokio::spawn(async move {
            // It does not get to its end.
            let _ = sink.send(Message::text(large)).await;
            sink
        });
        let closed = loop {
            let next = tokio::time::timeout(LONG, source.next()).await;
            match next.expect("it is told in time") {
                Some(Ok(Message::Close(frame))) => break frame,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(closed.map(|frame| u16::from(frame.code)), Some(1009));
        drop(source);
        drop(sending.await);
    }
}

#[tokio::test]
async fn only_its_own_subprotocol_is_spoken() {
    let web = web("cat", plain()).await;
    let url = format!("ws://{}/ws", web.address);
    for request in [
        ClientRequestBuilder::new(url.parse().unwrap()),
        ClientRequestBuilder::new(url.parse().unwrap()).with_sub_protocol("odd.terminal.v0"),
    ] {
        let (status, body) = refused_upgrade(request).await;
        assert_eq!(status, 400);
        assert!(body.contains("odd.terminal.v1"), "{body}");
    }
    let plain = web.get("/ws").await;
    assert!(plain.status().is_client_error());
    assert_eq!(plain.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn where_there_is_no_terminal_the_page_is_told_why() {
    let off = web(
        "cat",
        TerminalConfig {
            mode: TerminalMode::Off,
            ..plain()
        },
    )
    .await;
    let told = problem(ask_for_ticket(&off).await, ProblemCode::NotConfigured).await;
    assert!(told.detail.unwrap().contains("ODD_WEB_TERMINAL=on"));
    let (status, _) = refused_upgrade(request_of(&off, &format!("http://{}", off.address))).await;
    assert_eq!(status, 404);

    let nothing = Program {
        path: "/nonexistent/odd".into(),
        arguments: Vec::new(),
    };
    let missing = running(
        nothing,
        TerminalConfig {
            token: token(),
            ..plain()
        },
    )
    .await;
    // Told to those who may know.
    problem(ask_for_ticket(&missing).await, ProblemCode::Unauthorized).await;
    let request = missing.http.post(missing.url("/terminal/ticket"));
    let request = request.header("origin", format!("http://{}", missing.address));
    let answer = request.bearer_auth(TOKEN).send().await.unwrap();
    let told = problem(answer, ProblemCode::NotConfigured).await;
    assert!(told.detail.unwrap().contains("/nonexistent/odd"));
    let refused = Browser::enter(&missing, json!({ "token": TOKEN })).await;
    assert_eq!(refused.err(), Some(ErrorCode::Unavailable));
    // The place was given back.
    assert_eq!(missing.metric(OPEN).await, Some(0.0));
    for _ in 0..12 {
        let refused = Browser::enter(&missing, json!({ "token": TOKEN })).await;
        assert_eq!(refused.err(), Some(ErrorCode::Unavailable));
    }
}
