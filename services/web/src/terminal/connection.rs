//! One WebSocket connection, from its first message to its last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use odd_contracts::terminal::{
    ClientMessage, EndReason, ErrorCode, MAX_MESSAGE_BYTES, NoticeCode, ServerMessage,
};
use odd_runtime::Shutdown;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Error as Broken;

use super::filter::Filter;
use super::limits::Address;
use super::metrics::count;
use super::outlet::{FRAME, Size};
use super::session::{Attachment, Ended};
use super::{Refusal, Terminal};

/// Time in which small pieces of output are gathered into one message. What comes after silence goes at once.
const GATHER: Duration = Duration::from_millis(8);
/// Longest wait for a client to take the last messages.
const FAREWELL: Duration = Duration::from_secs(1);

type Sink = SplitSink<WebSocket, Message>;
type Source = SplitStream<WebSocket>;

/// Why a connection closes.
enum Stop {
    /// Something was wrong.
    Error(Refusal),
    /// The session is over.
    Ended(Ended),
    /// The role is stopping, and there was no session yet.
    Stopping,
    /// There is nobody to tell.
    Gone,
}

impl Stop {
    fn error(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Error(Refusal::new(code, message))
    }
}

/// Serves a connection until it closes.
pub(super) async fn serve(terminal: Terminal, socket: WebSocket, address: Address) {
    let (mut sink, mut source) = socket.split();
    let stop = conversation(&terminal, &mut sink, &mut source, address).await;
    if let Stop::Error(refusal) = &stop {
        terminal.metrics().refused(refusal.code.name());
        tracing::debug!(
            code = refusal.code.name(),
            "a connection of the terminal was closed"
        );
    }
    // A client that does not take it is told by the closed connection.
    let _ = tokio::time::timeout(FAREWELL, farewell(sink, source, stop)).await;
}

async fn conversation(terminal: &Terminal, sink: &mut Sink, source: &mut Source, address: Address) -> Stop {
    let (attachment, ready) = match greet(terminal, source, address).await {
        Ok(attached) => attached,
        Err(stop) => return stop,
    };
    let talk = Talk {
        terminal,
        attachment: &attachment,
        asked: AtomicBool::new(false),
        answer: Notify::new(),
    };
    let talking = async {
        if send(sink, &ready).await.is_err() {
            return Stop::Gone;
        }
        tokio::select! {
            stop = talk.inbound(source) => stop,
            stop = talk.outbound(sink) => stop,
        }
    };
    tokio::select! {
        biased;
        () = attachment.taken_over.cancelled() => {
            Stop::error(ErrorCode::TakenOver, "the session goes on over another connection")
        }
        stop = talking => stop,
    }
}

/// The first message, and the session that it asks for.
async fn greet(
    terminal: &Terminal,
    source: &mut Source,
    address: Address,
) -> Result<(Attachment, ServerMessage), Stop> {
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
    match error.into_inner().downcast_ref::<Broken>() {
        Some(Broken::Capacity(_)) => Stop::error(
            ErrorCode::TooLarge,
            format!("a message has at most {MAX_MESSAGE_BYTES} bytes"),
        ),
        Some(Broken::Utf8(_)) => Stop::error(ErrorCode::Malformed, "the message is no UTF-8"),
        Some(Broken::Protocol(_)) => Stop::error(
            ErrorCode::Malformed,
            "this is not how WebSockets speak (RFC 6455)",
        ),
        _ => Stop::Gone,
    }
}

/// A client that is attached.
struct Talk<'a> {
    terminal: &'a Terminal,
    attachment: &'a Attachment,
    /// Whether the client has asked whether the server is there.
    asked: AtomicBool,
    answer: Notify,
}

impl Talk<'_> {
    /// Takes what the client says.
    async fn inbound(&self, source: &mut Source) -> Stop {
        let silence = self.terminal.config().silence;
        let mut filter = Filter::default();
        loop {
            let said = match tokio::time::timeout(silence, heard(source)).await {
                Ok(Ok(said)) => said,
                Ok(Err(stop)) => return stop,
                Err(_) => {
                    let detail = format!("nothing was heard for {} s", silence.as_secs_f64());
                    return Stop::error(ErrorCode::Silent, detail);
                }
            };
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
                Message::Binary(bytes.into())
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
            if sink.send(message).await.is_err() {
                return Stop::Gone;
            }
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

fn text(message: &ServerMessage) -> Message {
    // Texts and numbers under names are always JSON.
    Message::Text(serde_json::to_string(message).unwrap_or_default().into())
}

async fn send(sink: &mut Sink, message: &ServerMessage) -> Result<(), axum::Error> {
    sink.send(text(message)).await
}

/// Says why the connection closes, closes it, and waits for the client to close it, too: what it sent meanwhile would have the
/// system throw away what it was told.
async fn farewell(mut sink: Sink, mut source: Source, stop: Stop) {
    let (last, code, reason) = match stop {
        Stop::Gone => return,
        Stop::Stopping => (None, EndReason::Shutdown.close(), EndReason::Shutdown.name()),
        Stop::Error(Refusal { code, message }) => (
            Some(ServerMessage::Error { code, message }),
            code.close(),
            code.name(),
        ),
        Stop::Ended(ended) => (Some(told(&ended)), ended.reason.close(), ended.reason.name()),
    };
    if let Some(last) = last
        && send(&mut sink, &last).await.is_err()
    {
        return;
    }
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    if sink.send(Message::Close(Some(frame))).await.is_ok() {
        while let Some(Ok(_)) = source.next().await {}
    }
}

fn told(ended: &Ended) -> ServerMessage {
    let message = match (ended.reason, ended.exit) {
        (EndReason::Exited, Some(0)) => "the program has ended".to_owned(),
        (EndReason::Exited, Some(code)) => format!("the program has ended with exit code {code}"),
        (EndReason::Exited, None) => "the program was ended by a signal".to_owned(),
        (EndReason::Idle, _) => "nothing was pressed for too long".to_owned(),
        (EndReason::Abandoned, _) => "nobody came back in time".to_owned(),
        (EndReason::Shutdown, _) => "the web role is stopping; try again in a moment".to_owned(),
    };
    ServerMessage::Ended {
        reason: ended.reason,
        exit_code: ended.exit,
        message,
    }
}
