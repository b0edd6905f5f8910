//! A page and the program of its terminal.

use std::time::Duration;

use odd_contracts::schema::Schema;
use odd_contracts::terminal::{EndReason, ServerMessage};
use odd_web::{Program, TerminalConfig};
use serde_json::{Value, json};

use crate::harness::until;
use crate::terminal_bed::{Browser, Came, counted, gone, running, ticket, web};

fn plain() -> TerminalConfig {
    TerminalConfig::default()
}

#[tokio::test]
async fn keys_go_in_and_what_the_program_writes_comes_out() {
    let web = web("echo ready; cat", plain()).await;
    let mut browser = Browser::open(&web).await;
    assert!(!browser.resumed);
    browser.shows("ready").await;
    browser.press("grüße 🦀\r").await;
    // The terminal echoes it, and the program repeats it.
    browser.shows("grüße 🦀\ngrüße 🦀").await;
    assert_eq!(
        web.metric("web_terminal_sessions{service=\"web\"}").await,
        Some(1.0)
    );
    assert_eq!(
        web.metric("web_terminal_sessions_started_total{service=\"web\"}")
            .await,
        Some(1.0)
    );
    let echo = web
        .metric("web_terminal_echo_seconds_count{service=\"web\"}")
        .await;
    assert_eq!(echo, Some(1.0));
    let bytes = web
        .metric("web_terminal_bytes_total{direction=\"in\",service=\"web\"}")
        .await;
    assert_eq!(bytes, Some("grüße 🦀\r".len() as f64));
}

#[tokio::test]
async fn the_window_has_the_size_that_the_page_says() {
    let script = "stty size; trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done";
    let web = web(script, plain()).await;
    let mut browser = Browser::open(&web).await;
    let screen = browser.shows("ready").await;
    assert!(screen.starts_with("24 80"), "{screen}");
    browser.resize(132, 50).await;
    browser.shows("50 132").await;
    // Beyond what is of use to anybody.
    browser.resize(1_000, 1_000).await;
    browser.shows("200 500").await;
}

/// Nothing of the role's own environment, files or place is seen from within.
#[tokio::test]
async fn the_program_has_nothing_but_what_is_listed() {
    let see = async |path: &str, arguments: &[&str]| {
        let program = Program {
            path: path.into(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        };
        let web = running(program, plain()).await;
        let mut browser = Browser::open(&web).await;
        let ended = browser.told().await;
        assert!(
            matches!(
                ended,
                ServerMessage::Ended {
                    exit_code: Some(0),
                    ..
                }
            ),
            "{ended:?}"
        );
        let screen = browser.screen();
        let mut lines: Vec<String> = screen.split_whitespace().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(
        see("/usr/bin/env", &[]).await,
        [
            "COLORTERM=truecolor",
            "LANG=C.UTF-8",
            "MIMALLOC_ALLOW_THP=0",
            "ODD_HOME=/nonexistent",
            "SHELL=",
            "TERM=xterm-256color",
            "TOKIO_WORKER_THREADS=2",
        ]
    );
    assert_eq!(see("/bin/pwd", &["-P"]).await, ["/"]);
    // The fourth is the folder that is read for this list.
    assert_eq!(see("/bin/ls", &["/proc/self/fd"]).await, ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn the_end_of_the_program_is_told_after_its_last_output() {
    for (script, code, close) in [
        ("seq 1 5000; echo last words; exit 7", Some(7), 1000),
        ("echo last words; kill -9 $$", None, 1000),
    ] {
        let web = web(script, plain()).await;
        let mut browser = Browser::open(&web).await;
        let told = browser.told().await;
        let ServerMessage::Ended {
            reason, exit_code, ..
        } = told
        else {
            panic!("{told:?}");
        };
        assert_eq!((reason, exit_code), (EndReason::Exited, code));
        assert!(
            browser.screen().trim_end().ends_with("last words"),
            "{}",
            browser.screen()
        );
        assert!(matches!(browser.next().await, Came::Closed(Some(found)) if found == close));
        counted(&web, "web_terminal_sessions{service=\"web\"}", 0.0).await;
        let ended = "web_terminal_sessions_ended_total{reason=\"exited\",service=\"web\"}";
        counted(&web, ended, 1.0).await;
        let again = Browser::resume(&web, &browser.reconnect).await;
        assert_eq!(again.err().unwrap().name(), "unknown_session");
    }
}

/// What the program leaves behind in its group ends with it.
#[tokio::test]
async fn nothing_that_the_program_started_stays() {
    let script = "(trap '' HUP; while :; do sleep 0.05; done) & echo left $!.; exit 0";
    let web = web(script, plain()).await;
    let mut browser = Browser::open(&web).await;
    let left = browser.number("left").await;
    assert!(matches!(browser.told().await, ServerMessage::Ended { .. }));
    // It is nobody's child any more; who adopts it need not wait for it at once.
    until("the end of what was left", || async move {
        let stat = std::fs::read_to_string(format!("/proc/{left}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_of_the_role_ends_every_program_and_tells_every_page() {
    // Every second one does not want to end.
    let script = "echo number $$.; trap '' HUP; while :; do sleep 0.05; done";
    let stubborn = web(
        script,
        TerminalConfig {
            hang_up: Duration::from_millis(300),
            ..plain()
        },
    )
    .await;
    let willing = web("echo number $$.; while :; do sleep 0.05; done", plain()).await;
    for web in [stubborn, willing] {
        let mut browsers = Vec::new();
        let mut programs = Vec::new();
        for _ in 0..3 {
            let mut browser = Browser::open(&web).await;
            programs.push(browser.number("number").await);
            browsers.push(browser);
        }
        // One that nobody looks at, and one that has not said hello.
        drop(browsers.pop());
        let mut silent = Browser::connect(&web).await;
        let stopping = tokio::spawn(web.stop());
        for mut browser in browsers {
            let told = browser.told().await;
            assert!(
                matches!(
                    told,
                    ServerMessage::Ended {
                        reason: EndReason::Shutdown,
                        exit_code: None,
                        ..
                    }
                ),
                "{told:?}"
            );
            assert!(matches!(browser.next().await, Came::Closed(Some(1001))));
        }
        assert!(matches!(silent.next().await, Came::Closed(Some(1001))));
        stopping.await.unwrap();
        for program in programs {
            gone(program).await;
        }
    }
}

#[tokio::test]
async fn a_client_may_ask_whether_the_server_is_there() {
    let web = web("cat", plain()).await;
    let mut browser = Browser::open(&web).await;
    for _ in 0..3 {
        browser.say(&json!({ "type": "ping" })).await;
        assert_eq!(browser.told().await, ServerMessage::Pong {});
    }
}

/// What really travels keeps the contract.
#[tokio::test]
async fn messages_are_as_the_schema_has_them() {
    let web = web("exit 3", plain()).await;
    let mut browser = Browser::connect(&web).await;
    let hello = json!({ "type": "hello", "ticket": ticket(&web).await, "columns": 80, "rows": 24 });
    assert!(Schema::TerminalClient.is_valid(&hello));
    browser.say(&hello).await;
    let mut kinds = Vec::new();
    loop {
        match browser.next().await {
            Came::Said(message) => {
                let document: Value = serde_json::to_value(&message).unwrap();
                assert!(Schema::TerminalServer.is_valid(&document), "{document}");
                kinds.push(document["type"].as_str().unwrap().to_owned());
            }
            Came::Output(_) => {}
            Came::Closed(_) => break,
        }
    }
    assert_eq!(kinds, ["ready", "ended"]);
}
