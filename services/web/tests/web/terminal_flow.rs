//! Much output, much input, and what does not pass where one may only look.

use std::time::{Duration, Instant};

use odd_contracts::terminal::{NoticeCode, ServerMessage};
use odd_web::{TerminalConfig, TerminalMode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::LONG;
use crate::terminal_bed::{Browser, Came, request, web};

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

/// Every ping is to be answered, and a client that never reads could have answers pile up, even before it says hello.
#[tokio::test]
async fn answers_that_nobody_reads_do_not_pile_up() {
    const PAYLOAD: usize = 125;
    const PINGS: usize = 300_000;
    let config = TerminalConfig {
        hello: PATIENT,
        ..TerminalConfig::default()
    };
    let web = web("cat", config).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let stream = socket.connect(web.address).await.unwrap();
    let origin = format!("http://{}", web.address);
    let request = request(web.address, &origin).into_client_request().unwrap();
    let (connection, _) = client_async(request, stream).await.unwrap();
    let mut stream = connection.into_inner();
    // Final, a ping; masked, with zeros.
    let ping = |payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0x89, 0x80 | length, 0, 0, 0, 0], payload].concat()
    };
    let thousand = ping(&[b'x'; PAYLOAD]).repeat(1_000);
    for _ in 0..PINGS / 1_000 {
        let writing = tokio::time::timeout(LONG, stream.write_all(&thousand));
        writing.await.expect("they are heard").unwrap();
    }
    stream.write_all(&ping(b"the last")).await.unwrap();
    let (mut chunk, mut end, mut answered) = (vec![0; 64 * 1024], Vec::new(), 0);
    while !end.ends_with(b"\x8a\x08the last") {
        let reading = tokio::time::timeout(LONG, stream.read(&mut chunk));
        let read = reading.await.expect("the last is answered").unwrap();
        assert!(read > 0, "the connection goes on");
        answered += read;
        end.extend_from_slice(&chunk[..read]);
        end.drain(..end.len().saturating_sub(16));
    }
    // What the system keeps of a connection, and what we do.
    assert!(answered < PINGS * PAYLOAD / 2, "{answered} bytes were kept");
}

/// A window that becomes narrower leaves half of a wide character, which the screen cannot be followed over. The program is
/// asked to draw it again, and no mode of the keyboard is lost.
#[tokio::test]
async fn a_screen_that_was_lost_is_drawn_again() {
    let script = "n=0; trap 'n=$((n+1)); printf \"\\033[1;79Hx\\033[5;1Hdrawn $n.\"' WINCH
        printf '\\033[?1049h\\033[?1h\\033[?2004h\\033[1;79H漢\\033[2;1Hready'; while :; do sleep 0.01; done";
    let web = web(script, TerminalConfig::default()).await;
    let mut browser = Browser::open(&web).await;
    browser.shows("ready").await;
    // Not its own, which cannot do it either.
    browser
        .say(&json!({ "type": "resize", "columns": 79, "rows": 24 }))
        .await;
    browser.shows("drawn 2.").await;
    let mut again = Browser::resume(&web, &browser.reconnect).await.unwrap();
    again.shows("drawn").await;
    let terminal = again.terminal();
    assert!(terminal.alternate_screen() && terminal.application_cursor() && terminal.bracketed_paste());
}
