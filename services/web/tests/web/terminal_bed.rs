//! What a browser does with the web terminal: it asks for a ticket, says hello, and draws what comes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use odd_contracts::terminal::{ErrorCode, PROTOCOL, ServerMessage, Ticket};
use odd_runtime::config::Secret;
use odd_web::{AccessToken, Config, Program, TerminalConfig};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{LONG, Web, until};

pub(crate) const COLUMNS: u16 = 80;
pub(crate) const ROWS: u16 = 24;
/// A token.
pub(crate) const TOKEN: &str = "sixteen-or-more-characters";

/// The same as a setting.
pub(crate) fn token() -> Option<Secret<AccessToken>> {
    Some(Secret::new(TOKEN.parse().unwrap()))
}

/// A web role whose terminal runs a script, set up like this otherwise.
pub(crate) async fn web(script: &str, terminal: TerminalConfig) -> Web {
    let program = Program {
        path: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), script.to_owned()],
    };
    running(program, terminal).await
}

/// The same with a program.
pub(crate) async fn running(program: Program, terminal: TerminalConfig) -> Web {
    Web::set_up(Config {
        gateway_url: "http://127.0.0.1:1".to_owned(),
        read_model_url: "http://127.0.0.1:1".to_owned(),
        terminal: TerminalConfig {
            program: Some(program),
            ..terminal
        },
        ..Config::default()
    })
    .await
}

/// Asks for a ticket as a page does.
pub(crate) async fn ask_for_ticket(web: &Web) -> reqwest::Response {
    let request = web.http.post(web.url("/terminal/ticket"));
    let origin = format!("http://{}", web.address);
    request.header("origin", origin).send().await.unwrap()
}

/// A ticket.
pub(crate) async fn ticket(web: &Web) -> String {
    let answer = ask_for_ticket(web).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let ticket: Ticket = answer.json().await.unwrap();
    assert_eq!(ticket.expires_in_ms, 30_000);
    ticket.ticket.0
}

/// Status and body of an upgrade that was refused.
pub(crate) async fn refused_upgrade(request: ClientRequestBuilder) -> (u16, String) {
    match connect_async(request).await {
        Err(Error::Http(answer)) => {
            let (parts, body) = answer.into_parts();
            (parts.status.as_u16(), String::from_utf8(body.unwrap()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// The request of a page of this origin that opens the WebSocket.
pub(crate) fn request(address: SocketAddr, origin: &str) -> ClientRequestBuilder {
    let url = format!("ws://{address}/ws").parse().unwrap();
    ClientRequestBuilder::new(url)
        .with_header("Origin", origin)
        .with_sub_protocol(PROTOCOL)
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    Output(Vec<u8>),
    Said(ServerMessage),
    Closed(Option<u16>),
}

/// A connection.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A page with a terminal.
pub(crate) struct Browser {
    socket: Socket,
    terminal: vt100::Parser,
    /// Of the last `ready`.
    pub(crate) reconnect: String,
    pub(crate) resumed: bool,
    pub(crate) received: usize,
    /// What was said while something else was waited for.
    pub(crate) said: Vec<ServerMessage>,
}

impl Browser {
    /// Connects, and says nothing yet.
    pub(crate) async fn connect(web: &Web) -> Self {
        let request = request(web.address, &format!("http://{}", web.address));
        let connecting = tokio::time::timeout(LONG, connect_async(request));
        let (socket, answer) = connecting.await.expect("an answer in time").unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], PROTOCOL);
        Self {
            socket,
            terminal: vt100::Parser::new(ROWS, COLUMNS, 0),
            reconnect: String::new(),
            resumed: false,
            received: 0,
            said: Vec::new(),
        }
    }

    /// A new session.
    pub(crate) async fn open(web: &Web) -> Self {
        let ticket = ticket(web).await;
        Self::enter(web, json!({ "ticket": ticket })).await.unwrap()
    }

    /// The session of this reconnect token.
    pub(crate) async fn resume(web: &Web, reconnect: &str) -> Result<Self, ErrorCode> {
        Self::enter(web, json!({ "session": { "reconnect": reconnect } })).await
    }

    /// Says hello with this key, and waits for the answer.
    pub(crate) async fn enter(web: &Web, key: Value) -> Result<Self, ErrorCode> {
        let mut browser = Self::connect(web).await;
        let mut hello = json!({ "type": "hello", "columns": COLUMNS, "rows": ROWS });
        hello
            .as_object_mut()
            .unwrap()
            .extend(key.as_object().unwrap().clone());
        browser.say(&hello).await;
        match browser.next().await {
            Came::Said(ServerMessage::Ready {
                reconnect, resumed, ..
            }) => {
                browser.reconnect = reconnect.0;
                browser.resumed = resumed;
                Ok(browser)
            }
            Came::Said(ServerMessage::Error { code, .. }) => {
                assert!(matches!(browser.next().await, Came::Closed(Some(close)) if close == code.close()));
                Err(code)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Presses keys.
    pub(crate) async fn press(&mut self, keys: &str) {
        self.say(&json!({ "type": "input", "data": keys })).await;
    }

    pub(crate) async fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.screen_mut().set_size(rows, columns);
        let message = json!({ "type": "resize", "columns": columns, "rows": rows });
        self.say(&message).await;
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Came {
        self.next_within(LONG).await
    }

    pub(crate) async fn next_within(&mut self, deadline: Duration) -> Came {
        // Pings are no news.
        let end = tokio::time::Instant::now() + deadline;
        loop {
            let next = tokio::time::timeout_at(end, self.socket.next());
            match next.await.expect("something comes in time") {
                Some(Ok(Message::Binary(bytes))) => {
                    self.received += bytes.len();
                    self.terminal.process(&bytes);
                    return Came::Output(bytes.to_vec());
                }
                Some(Ok(Message::Text(text))) => {
                    return Came::Said(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Came::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(Error::ConnectionClosed)) | None => return Came::Closed(None),
                Some(Err(error)) => panic!("{error}"),
            }
        }
    }

    /// What the terminal is.
    pub(crate) fn terminal(&self) -> &vt100::Screen {
        self.terminal.screen()
    }

    /// Only the connection: nothing that comes is read any more, unless somebody does.
    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// What the terminal shows.
    pub(crate) fn screen(&self) -> String {
        self.terminal.screen().contents()
    }

    /// Waits until the terminal shows this, and returns all that it shows.
    pub(crate) async fn shows(&mut self, text: &str) -> String {
        self.shows_within(LONG, text).await
    }

    pub(crate) async fn shows_within(&mut self, deadline: Duration, text: &str) -> String {
        while !self.screen().contains(text) {
            match self.next_within(deadline).await {
                Came::Output(_) => {}
                Came::Said(said) => self.said.push(said),
                Came::Closed(code) => panic!("closed with {code:?} before {text:?}: {}", self.screen()),
            }
        }
        self.screen()
    }

    /// The number that the terminal shows after a word, up to a full stop.
    pub(crate) async fn number(&mut self, word: &str) -> i32 {
        let number = |screen: &str| {
            let (_, rest) = screen.split_once(word)?;
            rest.trim_start().split_once('.')?.0.parse().ok()
        };
        loop {
            if let Some(number) = number(&self.screen()) {
                return number;
            }
            let came = self.next().await;
            assert!(matches!(came, Came::Output(_)), "{came:?}");
        }
    }

    /// The next message that is no output.
    pub(crate) async fn told(&mut self) -> ServerMessage {
        loop {
            match self.next().await {
                Came::Output(_) => {}
                Came::Said(said) => return said,
                Came::Closed(code) => panic!("closed with {code:?}: {}", self.screen()),
            }
        }
    }

    /// The error that the connection is closed with.
    pub(crate) async fn refused(&mut self) -> ErrorCode {
        let told = self.told().await;
        let ServerMessage::Error { code, message } = told else {
            panic!("{told:?}");
        };
        assert!(!message.is_empty());
        let closed = self.next().await;
        assert!(
            matches!(closed, Came::Closed(Some(close)) if close == code.close()),
            "{closed:?}"
        );
        code
    }
}

/// Waits until there is no such process, not even one that nobody has waited for.
pub(crate) async fn gone(pid: i32) {
    until("the process to be gone", || async move {
        (kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)).then_some(())
    })
    .await;
}

/// Waits until a metric has this value.
pub(crate) async fn counted(web: &Web, sample: &str, value: f64) {
    until(sample, || async {
        web.metric(sample).await.filter(|found| *found == value)
    })
    .await;
}
