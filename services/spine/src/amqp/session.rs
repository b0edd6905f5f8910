//! One connection, from its opening to its end.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream, TLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::time::{Instant, interval, timeout, timeout_at};

use super::options::AmqpOptions;
use super::socket::{self, Holder, Socket};
use super::topology::Turn;
use super::{failure, topology};
use crate::port::SpineError;

/// How often a connection is looked at that has not told its end.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// Longest time for a connection to be closed in good form.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection with everything declared.
pub(super) struct Session {
    connection: Connection,
    socket: Socket,
    turn: Turn,
    answer_timeout: Duration,
    blocked: watch::Sender<Option<String>>,
}

impl Session {
    /// Connects and declares everything durable.
    ///
    /// # Errors
    /// Says what is wrong and how to mend it.
    pub(super) async fn open(options: &AmqpOptions, purpose: &str, turn: &Turn) -> Result<Self, String> {
        let uri = options.uri()?;
        let socket = Socket::default();
        let until = Instant::now() + options.connect_timeout;
        // Where anything fails, whatever of it still waits ends with the socket.
        let connecting = connect(&uri, options, purpose, socket.holder());
        let connected = timeout_at(until, connecting).await;
        let connection = connected.unwrap_or_else(|_| {
            Err(format!(
                "the broker at {}:{} did not answer within {:?}",
                uri.authority.host, uri.authority.port, options.connect_timeout
            ))
        })?;
        topology::declare(&connection, turn, until).await?;
        Ok(Self {
            connection,
            socket,
            turn: Arc::clone(turn),
            answer_timeout: options.answer_timeout,
            blocked: watch::Sender::new(None),
        })
    }

    /// Waits for the connection's end and tells why. Meanwhile follows whether the broker blocks it.
    pub(super) async fn ended(&self) -> String {
        let mut events = std::pin::pin!(self.connection.events_listener());
        let mut ticks = interval(WATCH_INTERVAL);
        let mut last = None;
        while self.connection.status().connected() {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(reason, "the broker takes no messages at present");
                        self.blocked.send_replace(Some(reason));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!("the broker takes messages again");
                        self.blocked.send_replace(None);
                    }
                    // Of a channel or of the connection: the state tells.
                    Some(Event::Error(error)) => last = Some(failure::told(&error)),
                    Some(_) => {}
                    None => break,
                },
                _ = ticks.tick() => self.note_missed_block(),
            }
        }
        last.unwrap_or_else(|| "the connection was lost".to_owned())
    }

    /// The broker may block a connection before anybody listens for it.
    fn note_missed_block(&self) {
        if self.connection.status().blocked() && self.blocked_reason().is_none() {
            self.blocked
                .send_replace(Some("it is short of memory or disk".to_owned()));
        }
    }

    /// Ends the connection in good form, as far as the broker answers.
    pub(super) async fn close(&self) {
        // The broker answers nothing on a connection that it blocks.
        if self.blocked_reason().is_none() && self.connection.status().connected() {
            let closing = self.connection.close(200, "closed".into());
            // Whatever comes of it, the socket is shut next.
            let _ = timeout(CLOSE_TIMEOUT, closing).await;
        }
        self.abort();
    }

    /// Ends the connection now; everything in flight on it fails.
    pub(super) fn abort(&self) {
        self.socket.shut();
    }

    /// Whether it can still be used.
    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// The connection itself.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Why the broker takes no messages at present; none where it does.
    pub(super) fn blocked_reason(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    /// Waits until the broker takes no messages, and tells why. Never returns where it does to the end.
    pub(super) async fn until_blocked(&self) -> String {
        let mut blocked = self.blocked.subscribe();
        let found = match blocked.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        match found {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Opens a channel.
    pub(super) async fn channel(&self) -> Result<Channel, SpineError> {
        self.answer(self.connection.create_channel()).await
    }

    /// What the broker answers, within the time that it has for that.
    pub(super) async fn answer<T>(
        &self,
        question: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, SpineError> {
        match timeout(self.answer_timeout, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(SpineError::Unavailable(failure::told(&error))),
            Err(_) => Err(SpineError::Unavailable(format!(
                "the broker did not answer within {:?}",
                self.answer_timeout
            ))),
        }
    }

    /// After something failed that needs the queues: declares them, since somebody may have removed one.
    /// Then it may be tried once more.
    ///
    /// # Errors
    /// The failure, where the queues are not what is wrong, else why they cannot be declared.
    pub(super) async fn mend(&self, failure: SpineError) -> Result<(), SpineError> {
        if !self.is_open() {
            return Err(failure);
        }
        self.declare_again().await
    }

    /// Declares everything durable once more.
    ///
    /// # Errors
    /// Why it cannot be declared.
    pub(super) async fn declare_again(&self) -> Result<(), SpineError> {
        let until = Instant::now() + self.answer_timeout;
        let declaring = topology::declare(&self.connection, &self.turn, until);
        declaring.await.map_err(SpineError::Unavailable)
    }

    /// Longest time for the broker to answer.
    pub(super) fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }
}

async fn connect(
    uri: &AMQPUri,
    options: &AmqpOptions,
    purpose: &str,
    holder: Holder,
) -> Result<Connection, String> {
    let runtime = lapin::runtime::default_runtime().map_err(|error| failure::told(&error))?;
    let properties = ConnectionProperties::default()
        .with_client_property("product".into(), "odd".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into())
        .with_connection_name(format!("{} {purpose}", options.name).into());
    let limit = options.connect_timeout;
    // The library calls this on a thread of its own, which goes on where this future is dropped.
    let connecting = Connection::connector(
        uri.clone(),
        runtime,
        async move |uri, runtime| {
            let dialling = uri.connect_with_config_async(TLSConfig::default(), &runtime);
            let stream = timeout(limit, dialling).await.map_err(std::io::Error::from)??;
            let held = match &stream {
                AsyncTcpStream::Plain(plain) => holder.hold(socket::duplicate(plain.get_ref())?),
                _ => false,
            };
            if held {
                Ok(stream)
            } else {
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
            }
        },
        properties,
    );
    connecting
        .await
        .map_err(|error| failure::of_connecting(&error, uri))
}
