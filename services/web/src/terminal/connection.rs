//! One WebSocket connection, from its first message to its last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use odd_contracts::terminal::{ClientMessage, ErrorCode, MAX_MESSAGE_BYTES, NoticeCode, ServerMessage};
use odd_runtime::Shutdown;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Error as Broken;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use super::farewell::farewell;
use super::filter::Filter;
use super::limits::{Address, Place};
use super::metrics::count;
use super::outlet::FRAME;
use super::register::Receipt;
use super::screen::Size;
use super::session::{Attachment, Ended};
use super::{Client, Refusal, Terminal};

/// Time in which small pieces of output are gathered into one message. What comes after silence goes at once.
const GATHER: Duration = Duration::from_millis(8);

pub(super) type Sink = SplitSink<WebSocket, Message>;
pub(super) type Source = SplitStream<WebSocket>;

/// Why a connection closes.
pub(super) enum Stop {
    /// Something was wrong.
    Error(Refusal),
    /// What was sent is wrong in such a way that nothing after it can be read.
    Unreadable(Refusal),
    /// The session is over.
    Ended(Ended),
    /// The role is stopping, and there was no session yet.
    Stopping,
    /// There is nobody to tell, or the client closes it.
    Gone,
}

impl Stop {
    fn error(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Error(Refusal::new(code, message))
    }

    fn silent(silence: Duration, what: &str) -> Self {
        Self::error(
            ErrorCode::Silent,
            format!("nothing was {what} for {} s", silence.as_secs_f64()),
        )
    }
}

/// Serves a connection until it closes. The greeting is held until the client has said hello.
pub(super) async fn serve(terminal: Terminal, socket: WebSocket, address: Address, greeting: Place) {
    let (mut sink, mut source) = socket.split();
    // Held to the end by who never has a session, so that one address cannot have every connection by saying nonsense.
    let mut greeting = Some(greeting);
    let stop = conversation(&terminal, &mut sink, &mut source, address, &mut greeting).await;
    if let Stop::Error(refusal) | Stop::Unreadable(refusal) = &stop {
        terminal.metrics().refused(refusal.code.name());
        tracing::debug!(
            code = refusal.code.name(),
            "a connection of the terminal was closed"
        );
    }
    farewell(sink, source, stop).await;
}

async fn conversation(
    terminal: &Terminal,
    sink: &mut Sink,
    source: &mut Source,
    address: Address,
    greeting: &mut Option<Place>,
) -> Stop {
    let client = match greet(terminal, source, address).await {
        Ok(client) => client,
        Err(stop) => return stop,
    };
    *greeting = None;
    let talk = Talk {
        terminal,
        attachment: &client.attachment,
        receipt: &client.receipt,
        asked: AtomicBool::new(false),
        answer: Notify::new(),
    };
    let talking = async {
        if let Err(stop) = talk.send(sink, text(&client.ready)).await {
            return stop;
        }
        tokio::select! {
            stop = talk.inbound(source) => stop,
            stop = talk.outbound(sink) => stop,
        }
    };
    tokio::select! {
        biased;
        () = client.attachment.taken_over.cancelled() => {
            Stop::error(ErrorCode::TakenOver, "the session goes on over another connection")
        }
        stop = talking => stop,
    }
}

/// The first message, and the session that it asks for.
async fn greet(terminal: &Terminal, source: &mut Source, address: Address) -> Result<Client, Stop> {
    let shutdown: &Shutdown = terminal.shutdown();
    let first = tokio::time::timeout(terminal.config().hello, message(source));
    let first = tokio::select! {
        first = first => first,
        () = shutdown.signalled() => return Err(Stop::Stopping),
    };
    let expected = "the first message is hello with a ticket, a token or a session";
    match first {
        Err(_) => Err(Stop::error(
            ErrorCode::HelloExpected,
            format!("{expected}, within {} s", terminal.config().hello.as_secs_f64()),
        )),
        Ok(Err(stop)) => Err(stop),
        Ok(Ok(ClientMessage::Hello {
            ticket,
            token,
            session,
            columns,
            rows,
        })) => {
            let size = Size::within(columns, rows);
            let known = session.map(|session| session.reconnect);
            let opened = terminal.open(address, ticket, token, known, size).await;
            opened.map_err(Stop::Error)
        }
        Ok(Ok(_)) => Err(Stop::error(ErrorCode::HelloExpected, expected)),
    }
}

/// The next message of the client.
async fn message(source: &mut Source) -> Result<ClientMessage, Stop> {
    loop {
        if let Some(message) = heard(source).await? {
            return Ok(message);
        }
    }
}

/// What is wrong with a message that could not be received whole.
fn broken(error: axum::Error) -> Stop {
    let unreadable = |code, message: String| Stop::Unreadable(Refusal::new(code, message));
    match error.into_inner().downcast_ref::<Broken>() {
        Some(Broken::Capacity(_)) => unreadable(
            ErrorCode::TooLarge,
            format!("a message has at most {MAX_MESSAGE_BYTES} bytes"),
        ),
        Some(Broken::Utf8(_)) => unreadable(ErrorCode::Malformed, "the message is no UTF-8".to_owned()),
        // Its other end is gone, without a word.
        Some(Broken::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Stop::Gone,
        Some(Broken::Protocol(_)) => unreadable(
            ErrorCode::Malformed,
            "this is not how WebSockets speak (RFC 6455)".to_owned(),
        ),
        _ => Stop::Gone,
    }
}

/// A client that is attached.
struct Talk<'a> {
    terminal: &'a Terminal,
    attachment: &'a Attachment,
    receipt: &'a Receipt,
    /// Whether the client has asked whether the server is there.
    asked: AtomicBool,
    answer: Notify,
}

impl Talk<'_> {
    /// Takes what the client says.
    async fn inbound(&self, source: &mut Source) -> Stop {
        let silence = self.terminal.config().silence;
        let mut filter = Filter::default();
        let mut unconfirmed = Some(self.receipt);
        loop {
            let said = match tokio::time::timeout(silence, heard(source)).await {
                Ok(Ok(said)) => said,
                Ok(Err(stop)) => return stop,
                Err(_) => return Stop::silent(silence, "heard"),
            };
            // Whoever says something has been told what to come back with.
            if let Some(receipt) = said.as_ref().and_then(|_| unconfirmed.take()) {
                self.terminal.confirm(receipt);
            }
            match said {
                None => {}
                Some(ClientMessage::Input { data }) => self.input(&mut filter, data).await,
                Some(ClientMessage::Resize { columns, rows }) => {
                    self.attachment.session.resize(Size::within(columns, rows));
                }
                Some(ClientMessage::Ping {}) => {
                    self.asked.store(true, Ordering::Relaxed);
                    self.answer.notify_one();
                }
                Some(ClientMessage::Hello { .. }) => {
                    return Stop::error(ErrorCode::HelloExpected, "hello is said once");
                }
            }
        }
    }

    async fn input(&self, filter: &mut Filter, data: String) {
        let (session, metrics) = (&self.attachment.session, self.terminal.metrics());
        session.pressed();
        let mut bytes = data.into_bytes();
        if self.terminal.config().is_read_only() {
            let all = bytes.len();
            bytes = filter.pass(&bytes);
            if bytes.len() < all {
                metrics.dropped_in.inc_by(count(all - bytes.len()));
                self.attachment.notices.post(
                    NoticeCode::ReadOnly,
                    "this terminal is for looking only; what was pasted or pressed did not pass".to_owned(),
                );
            }
        }
        let length = bytes.len();
        if length > 0 && !session.press(bytes).await {
            metrics.dropped_in.inc_by(count(length));
            self.attachment.notices.post(
                NoticeCode::InputDropped,
                "the program takes no input now; what was pressed is lost".to_owned(),
            );
        }
    }

    /// Tells the client what there is to tell.
    async fn outbound(&self, sink: &mut Sink) -> Stop {
        let Attachment {
            session, generation, ..
        } = self.attachment;
        let mut ended = session.ended();
        let mut ping = tokio::time::interval(self.terminal.config().ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut sent = Instant::now() - GATHER;
        loop {
            // Taken before the look for more, since all output is there when it is set.
            let over = ended.borrow_and_update().clone();
            if over.is_none() {
                self.gather(sent).await;
            }
            let message = if let Some(bytes) = session.next(*generation) {
                sent = Instant::now();
                self.terminal.metrics().bytes_out.inc_by(count(bytes.len()));
                Message::Binary(bytes)
            } else if let Some(over) = over {
                return Stop::Ended(over);
            } else {
                tokio::select! {
                    _ = ended.changed() => continue,
                    _ = ping.tick() => Message::Ping(Vec::new().into()),
                    news = self.news() => match news {
                        Some(news) => text(&news),
                        None => continue,
                    },
                }
            };
            if let Err(stop) = self.send(sink, message).await {
                return stop;
            }
        }
    }

    /// Sends a message. A client that takes nothing for long is not waited for, whatever it says meanwhile: its session may
    /// have ended.
    async fn send(&self, sink: &mut Sink, message: Message) -> Result<(), Stop> {
        let silence = self.terminal.config().silence;
        match tokio::time::timeout(silence, sink.send(message)).await {
            Ok(sent) => sent.map_err(|_| Stop::Gone),
            Err(_) => Err(Stop::silent(silence, "taken")),
        }
    }

    /// Waits for something to tell besides output; `None` where there is output. Cancel-safe.
    async fn news(&self) -> Option<ServerMessage> {
        let Attachment { wake, notices, .. } = self.attachment;
        tokio::select! {
            () = wake.notified() => None,
            notice = notices.next() => Some(notice),
            () = self.answer.notified() => {
                self.asked.swap(false, Ordering::Relaxed).then_some(ServerMessage::Pong {})
            }
        }
    }

    /// Waits for as much as makes a message, or until the last message is long enough ago.
    async fn gather(&self, sent: Instant) {
        let waiting = || self.attachment.session.waiting(self.attachment.generation);
        if waiting() == 0 {
            return;
        }
        let enough = async {
            while waiting() < FRAME {
                self.attachment.wake.notified().await;
            }
        };
        // Too little by then is enough.
        let _ = tokio::time::timeout_at(sent + GATHER, enough).await;
    }
}

/// What was heard: a message, or only that the client is there.
async fn heard(source: &mut Source) -> Result<Option<ClientMessage>, Stop> {
    match source.next().await {
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Text(text))) => match ClientMessage::parse(text.as_str()) {
            Ok(message) => Ok(Some(message)),
            Err(message) => Err(Stop::error(ErrorCode::Malformed, message)),
        },
        Some(Ok(Message::Binary(_))) => Err(Stop::error(
            ErrorCode::Unsupported,
            "messages to the terminal are text",
        )),
        Some(Err(error)) => Err(broken(error)),
        None | Some(Ok(Message::Close(_))) => Err(Stop::Gone),
    }
}

pub(super) fn text(message: &ServerMessage) -> Message {
    // Texts and numbers under names are always JSON.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}
