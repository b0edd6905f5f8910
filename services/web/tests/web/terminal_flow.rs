//! Much output, much input, and what does not pass where one may only look.

use std::time::{Duration, Instant};

use odd_contracts::terminal::{NoticeCode, ServerMessage};
use odd_web::{TerminalConfig, TerminalMode};
use serde_json::json;

use crate::terminal_bed::{Browser, Came, web};

const DROPPED_OUT: &str = "web_terminal_dropped_bytes_total{direction=\"out\",service=\"web\"}";
const DROPPED_IN: &str = "web_terminal_dropped_bytes_total{direction=\"in\",service=\"web\"}";
const PATIENT: Duration = Duration::from_secs(90);

/// 50 MB for a client that reads nothing meanwhile: the program is not held up, and the client then sees the last screen.
#[tokio::test]
async fn a_slow_client_sees_the_last_screen() {
    let megabytes = 50_000_000;
    let script = format!(
        "head -c {megabytes} /dev/zero | tr '\\0' 'x'; printf '\\033[2J\\033[3;5H\\033[1mthe last screen'; read word; echo $word"
    );
    let web = web(&script, TerminalConfig::default()).await;
    let mut browser = Browser::open(&web).await;
    let end = Instant::now() + PATIENT;
    // All but what lies in the buffers of the connection.
    while web.metric(DROPPED_OUT).await.unwrap() < f64::from(megabytes) - 20e6 {
        assert!(Instant::now() < end, "the program is held up");
        tokio::task::yield_now().await;
    }
    browser.shows_within(PATIENT, "the last screen").await;
    assert_eq!(browser.screen(), "\n\n    the last screen");
    assert!(browser.received < 20_000_000, "{}", browser.received);
    browser.press("goes on\r").await;
    browser.shows("goes on").await;
}

/// A client that reads gets everything, byte by byte.
#[tokio::test]
async fn a_client_that_keeps_up_misses_nothing() {
    let web = web(
        "stty -opost; read go; seq 1 20000; read word",
        TerminalConfig::default(),
    )
    .await;
    let mut browser = Browser::open(&web).await;
    browser.press("\r").await;
    let expected: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    let mut all = Vec::new();
    while !all.ends_with(b"20000\n") {
        match browser.next().await {
            Came::Output(bytes) => all.extend(bytes),
            other => panic!("{other:?}"),
        }
    }
    let text = String::from_utf8(all).unwrap();
    assert!(
        text.ends_with(&expected),
        "{} bytes of {}",
        text.len(),
        expected.len()
    );
    assert_eq!(web.metric(DROPPED_OUT).await, Some(0.0));
}

/// The program's terminal takes a few kilobytes; then it is up to the program.
#[tokio::test]
async fn input_that_nobody_reads_is_bounded_and_told_of() {
    let script = "stty raw -echo; echo ready; read go < /dev/null; while :; do sleep 0.05; done";
    let web = web(script, TerminalConfig::default()).await;
    let mut browser = Browser::open(&web).await;
    browser.shows("ready").await;
    let much = "x".repeat(60_000);
    for _ in 0..12 {
        browser.press(&much).await;
    }
    let told = browser.told().await;
    assert!(
        matches!(
            &told,
            ServerMessage::Notice {
                code: NoticeCode::InputDropped,
                ..
            }
        ),
        "{told:?}"
    );
    assert!(web.metric(DROPPED_IN).await.unwrap() >= 60_000.0);
}

#[tokio::test]
async fn who_may_only_look_presses_keys_and_pastes_nothing() {
    let config = TerminalConfig {
        mode: TerminalMode::ReadOnly,
        ..TerminalConfig::default()
    };
    let web = web("stty raw -echo; echo ready; cat -v", config).await;
    let mut browser = Browser::open(&web).await;
    browser.shows("ready").await;
    let began = Instant::now();
    let forbidden = ["\x1b[200~rm -rf /\r\x1b[201~", "\x1b]52;c;aGVsbG8=\x07", "\x1a"];
    for _ in 0..20 {
        for input in forbidden {
            browser.press(input).await;
        }
    }
    browser.press("j").await;
    browser.press("\x1b[B").await;
    browser.press("?").await;
    let screen = browser.shows("j^[[B?").await;
    for dropped in ["rm", "aGVs", "^Z", "^[]"] {
        assert!(!screen.contains(dropped), "{screen}");
    }
    browser.say(&json!({ "type": "ping" })).await;
    let mut told = std::mem::take(&mut browser.said);
    while told.last() != Some(&ServerMessage::Pong {}) {
        told.push(browser.told().await);
    }
    let notices = told
        .iter()
        .filter(|said| {
            matches!(
                said,
                ServerMessage::Notice {
                    code: NoticeCode::ReadOnly,
                    ..
                }
            )
        })
        .count();
    let seconds = began.elapsed().as_secs_f64();
    assert!(notices >= 1, "{told:?}");
    assert!(notices as f64 <= seconds + 1.0, "{notices} in {seconds} s");
    let dropped: usize = forbidden.iter().map(|input| 20 * input.len()).sum();
    assert_eq!(web.metric(DROPPED_IN).await, Some(dropped as f64));
}
