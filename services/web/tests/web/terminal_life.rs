//! Sessions that outlive their connections, and those that do not.

use std::time::{Duration, Instant};

use futures::SinkExt;
use odd_contracts::terminal::{EndReason, ErrorCode, NoticeCode, ServerMessage};
use odd_web::TerminalConfig;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::LONG;
use crate::terminal_bed::{Browser, Came, counted, gone, web};

const OPEN: &str = "web_terminal_sessions{service=\"web\"}";

#[tokio::test]
async fn a_page_that_is_loaded_anew_goes_on_where_it_was() {
    let script = "printf '\\033[?1049h\\033[5;10H\\033[1;31mnumber %s.\\033[0m' $$; while read word; do echo \"got $word\"; done";
    let web = web(script, TerminalConfig::default()).await;
    let mut browser = Browser::open(&web).await;
    let program = browser.number("number").await;
    let screen = browser.screen();
    let mut key = browser.reconnect.clone();
    drop(browser);
    for n in 0..3 {
        let mut again = Browser::resume(&web, &key).await.unwrap();
        assert!(again.resumed);
        assert_ne!(again.reconnect, key, "good once");
        // The first message is the whole screen.
        assert!(matches!(again.next().await, Came::Output(bytes) if bytes.starts_with(b"\x1bc")));
        if n == 0 {
            assert_eq!(again.screen(), screen);
        }
        assert_eq!(again.number("number").await, program);
        again.press(&format!("word{n}\r")).await;
        again.shows(&format!("got word{n}")).await;
        // Used, and of before.
        assert_eq!(
            Browser::resume(&web, &key).await.err(),
            Some(ErrorCode::UnknownSession)
        );
        key = again.reconnect.clone();
    }
    assert_eq!(web.metric(OPEN).await, Some(1.0));
}

/// A page that is loaded anew twice in quick succession does not keep the key that it was told in between.
#[tokio::test]
async fn who_is_gone_before_saying_anything_comes_back_with_the_key_before() {
    let web = web("echo ready; cat", TerminalConfig::default()).await;
    let mut browser = Browser::open(&web).await;
    browser.shows("ready").await;
    let first = browser.reconnect.clone();
    drop(browser);
    let mut lost = Vec::new();
    for _ in 0..3 {
        let between = Browser::resume(&web, &first).await.unwrap();
        lost.push(between.reconnect.clone());
    }
    let mut again = Browser::resume(&web, &first).await.unwrap();
    again.shows("ready").await;
    again.press("here\r").await;
    again.shows("here\nhere").await;
    // The keys that never came are as good as any that was guessed, and now so is the first.
    lost.push(first);
    for key in &lost {
        let refused = Browser::resume(&web, key).await;
        assert_eq!(refused.err(), Some(ErrorCode::UnknownSession));
    }
    let last = Browser::resume(&web, &again.reconnect).await.unwrap();
    assert!(last.resumed);
    assert_eq!(web.metric(OPEN).await, Some(1.0));
}

/// As when the old connection is half open: nobody knows yet that its other end is gone.
#[tokio::test]
async fn who_comes_back_takes_over() {
    let web = web("echo ready; cat", TerminalConfig::default()).await;
    let mut old = Browser::open(&web).await;
    old.shows("ready").await;
    let mut new = Browser::resume(&web, &old.reconnect).await.unwrap();
    assert_eq!(old.refused().await, ErrorCode::TakenOver);
    new.press("still here\r").await;
    new.shows("still here\nstill here").await;
    drop(old);
    assert_eq!(web.metric(OPEN).await, Some(1.0));
    new.press("and on\r").await;
    new.shows("and on\nand on").await;
}

#[tokio::test]
async fn a_session_that_nobody_comes_back_to_ends() {
    let config = TerminalConfig {
        grace: Duration::from_millis(300),
        hang_up: Duration::from_millis(300),
        ..TerminalConfig::default()
    };
    // One that ends when its terminal is gone, and one that does not.
    for script in [
        "echo number $$.; cat",
        "trap '' HUP; echo number $$.; while :; do sleep 0.05; done",
    ] {
        let web = web(script, config.clone()).await;
        let mut browser = Browser::open(&web).await;
        let program = browser.number("number").await;
        let key = browser.reconnect.clone();
        drop(browser);
        gone(program).await;
        let ended = "web_terminal_sessions_ended_total{reason=\"abandoned\",service=\"web\"}";
        counted(&web, ended, 1.0).await;
        counted(&web, OPEN, 0.0).await;
        assert_eq!(
            Browser::resume(&web, &key).await.err(),
            Some(ErrorCode::UnknownSession)
        );
    }
}

#[tokio::test]
async fn a_session_without_keys_is_warned_and_ends() {
    let config = TerminalConfig {
        idle: Duration::from_millis(1_500),
        idle_warning: Duration::from_millis(700),
        ..TerminalConfig::default()
    };
    let web = web("echo number $$.; cat", config).await;
    let mut browser = Browser::open(&web).await;
    let program = browser.number("number").await;
    let warned = async |browser: &mut Browser| {
        let told = browser.told().await;
        let is_warning = matches!(
            &told,
            ServerMessage::Notice {
                code: NoticeCode::IdleSoon,
                ..
            }
        );
        assert!(is_warning, "{told:?}");
    };
    warned(&mut browser).await;
    // A key is enough to go on.
    let pressed = Instant::now();
    browser.press("x").await;
    warned(&mut browser).await;
    let ended = browser.told().await;
    assert!(
        matches!(
            &ended,
            ServerMessage::Ended {
                reason: EndReason::Idle,
                exit_code: None,
                ..
            }
        ),
        "{ended:?}"
    );
    assert!(pressed.elapsed() >= Duration::from_millis(1_500));
    assert!(matches!(browser.next().await, Came::Closed(Some(1000))));
    gone(program).await;
}

/// A client that answers no ping is given up, and its session waits for it.
#[tokio::test]
async fn a_silent_client_is_closed_and_may_come_back() {
    let config = TerminalConfig {
        ping: Duration::from_millis(50),
        silence: Duration::from_millis(400),
        ..TerminalConfig::default()
    };
    let web = web("echo ready; cat", config).await;
    let mut browser = Browser::open(&web).await;
    browser.shows("ready").await;
    // Nobody reads, so nobody answers.
    let silent = "web_terminal_refused_total{reason=\"silent\",service=\"web\"}";
    counted(&web, silent, 1.0).await;
    assert_eq!(web.metric(OPEN).await, Some(1.0));
    let mut again = Browser::resume(&web, &browser.reconnect).await.unwrap();
    again.shows("ready").await;
    // One that answers stays.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_200) {
        again.press("x\r").await;
        assert!(matches!(again.next().await, Came::Output(_)));
    }
}

/// A page that is gone without a word, as far as anybody can tell, is told why it was given up, should it hear it.
#[tokio::test]
async fn who_says_nothing_is_told_so() {
    let config = TerminalConfig {
        ping: LONG,
        silence: Duration::from_millis(300),
        ..TerminalConfig::default()
    };
    let web = web("cat", config).await;
    let mut browser = Browser::open(&web).await;
    assert_eq!(browser.refused().await, ErrorCode::Silent);
}

/// One that speaks and never reads is given up as well; nothing else would ever end its connection.
#[tokio::test]
async fn who_takes_nothing_is_given_up() {
    let config = TerminalConfig {
        silence: Duration::from_millis(400),
        ..TerminalConfig::default()
    };
    let web = web("yes", config).await;
    let browser = Browser::open(&web).await;
    let key = browser.reconnect.clone();
    let mut socket = browser.into_socket();
    let speaking = async {
        // Until nobody listens.
        while socket.send(Message::text("{\"type\":\"ping\"}")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let silent = "web_terminal_refused_total{reason=\"silent\",service=\"web\"}";
    tokio::join!(
        async {
            tokio::time::timeout(LONG, speaking)
                .await
                .expect("the connection ends")
        },
        counted(&web, silent, 1.0)
    );
    assert!(Browser::resume(&web, &key).await.is_ok());
}

/// A page that closes its terminal is answered, as the protocol has it.
#[tokio::test]
async fn a_close_is_answered() {
    let web = web("echo ready; cat", TerminalConfig::default()).await;
    for _ in 0..5 {
        let mut browser = Browser::open(&web).await;
        browser.shows("ready").await;
        let close = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        browser.send(Message::Close(Some(close))).await;
        assert!(matches!(browser.next().await, Came::Closed(Some(1000))));
        assert!(matches!(browser.next().await, Came::Closed(None)));
    }
}
