//! The web terminal: `odd watch` in a pseudo-terminal, for browsers.
//!
//! `POST /terminal/ticket` gives a page of our own a ticket, good once; `GET /ws` is the WebSocket whose first message shows it.
//! What both sides say is in [`odd_contracts::terminal`]. A session outlives its connection for a grace, so that a page that is
//! loaded anew goes on where it was.
//!
//! Per session there are two threads that copy bytes ([`copy`]), one task that ends the program and waits for it
//! ([`session`]), and one for the connection ([`connection`]). Output never waits for a client: what the client does not take is
//! replaced by the screen as it then is ([`outlet`]), so memory is bounded.

pub(crate) mod config;
mod connection;
mod copy;
mod filter;
mod keys;
mod limits;
mod metrics;
mod notices;
mod outlet;
mod program;
mod routes;
mod sequence;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::WebSocket;
use odd_contracts::terminal::{ErrorCode, Key, ServerMessage};
use odd_runtime::{Metrics, Shutdown, Tasks};
use tokio::sync::Semaphore;

use crate::Config;
use config::{Program, TerminalConfig, TerminalMode};
use keys::{Digest, Tickets, new_key};
use limits::{Address, Attempts, Place, Places};
use metrics::TerminalMetrics;
use outlet::Size;
use program::{Roles, Running};
use session::{Attachment, Session};

pub(crate) use routes::{described, routes};

/// Connections beyond one for each session: of those that say hello, and of those that are taken over.
const MORE_CONNECTIONS: usize = 64;

/// The web terminal. Clones are the same.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<Inner>);

struct Inner {
    config: TerminalConfig,
    /// What runs in it, or why nothing can.
    program: Result<Program, String>,
    token: Option<Digest>,
    tasks: Tasks,
    metrics: TerminalMetrics,
    tickets: Mutex<Tickets>,
    attempts: Mutex<Attempts>,
    places: Arc<Places>,
    connections: Arc<Semaphore>,
    /// Sessions by the key that the client comes back with.
    sessions: Mutex<HashMap<Digest, Arc<Session>>>,
}

/// Why somebody gets no session.
#[derive(Debug)]
struct Refusal {
    code: ErrorCode,
    message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl Terminal {
    /// Starts nothing yet. Sessions are tasks among these, and end with their shutdown.
    ///
    /// # Errors
    /// Where the name of a metric is taken.
    pub(crate) fn new(config: &Config, tasks: &Tasks, metrics: &Metrics) -> prometheus::Result<Self> {
        let roles = Roles {
            gateway: &config.gateway_url,
            read_model: &config.read_model_url,
        };
        let program = program::choose(&config.terminal, &roles);
        let config = config.terminal.clone();
        Ok(Self(Arc::new(Inner {
            program: program.map_err(|error| format!("this program does not know where it is: {error}")),
            token: config
                .token
                .as_ref()
                .map(|token| Digest::of(token.expose().as_str())),
            tasks: tasks.clone(),
            metrics: TerminalMetrics::register(metrics)?,
            tickets: Mutex::default(),
            attempts: Mutex::new(Attempts::new(config.attempts)),
            places: Places::new(config.sessions, config.sessions_per_address),
            connections: Arc::new(Semaphore::new(config.sessions + MORE_CONNECTIONS)),
            sessions: Mutex::default(),
            config,
        })))
    }

    fn config(&self) -> &TerminalConfig {
        &self.0.config
    }

    fn metrics(&self) -> &TerminalMetrics {
        &self.0.metrics
    }

    fn shutdown(&self) -> &Shutdown {
        self.0.tasks.shutdown()
    }

    fn is_off(&self) -> bool {
        self.0.config.mode == TerminalMode::Off
    }

    /// Whether a session could be started now.
    fn check(&self) -> Result<(), String> {
        self.0
            .program
            .as_ref()
            .map_err(Clone::clone)
            .and_then(program::check)
    }

    fn permit(&self, address: Address) -> bool {
        lock(&self.0.attempts).permit(address)
    }

    /// Serves a connection as a task of the role.
    fn serve(&self, socket: WebSocket, address: Address, held: impl Send + 'static) {
        let terminal = self.clone();
        self.0.tasks.spawn("terminal connection", async move {
            connection::serve(terminal, socket, address).await;
            drop(held);
        });
    }

    /// The session that a client asks for, and what it is told of it.
    async fn open(
        &self,
        address: Address,
        ticket: Option<Key>,
        token: Option<Key>,
        known: Option<Key>,
        size: Size,
    ) -> Result<(Attachment, ServerMessage), Refusal> {
        if !self.permit(address) {
            let detail = "too many attempts; try again in a minute";
            return Err(Refusal::new(ErrorCode::TooManyAttempts, detail));
        }
        let (session, resumed) = match known {
            Some(key) => (self.known(&key)?, true),
            None => {
                self.admit(ticket.as_ref(), token.as_ref())?;
                (self.start(address, size).await?, false)
            }
        };
        let (key, digest) = new_key();
        lock(&self.0.sessions).insert(digest, Arc::clone(&session));
        let attachment = session.attach(size);
        if session.ended().borrow().is_some() {
            // It ended in between, and nobody would take it from the map any more.
            lock(&self.0.sessions).remove(&digest);
        }
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let ready = ServerMessage::Ready {
            reconnect: key,
            read_only: self.0.config.is_read_only(),
            resumed,
            grace_ms: milliseconds(self.0.config.grace),
            idle_ms: milliseconds(self.0.config.idle),
        };
        Ok((attachment, ready))
    }

    /// The session that this key goes on with. The key is of no use after that.
    fn known(&self, key: &Key) -> Result<Arc<Session>, Refusal> {
        lock(&self.0.sessions).remove(&Digest::of(&key.0)).ok_or_else(|| {
            let detail =
                "there is no such session any more, or the token was used; a new ticket opens a new one";
            Refusal::new(ErrorCode::UnknownSession, detail)
        })
    }

    fn admit(&self, ticket: Option<&Key>, token: Option<&Key>) -> Result<(), Refusal> {
        let by_ticket = ticket.is_some_and(|ticket| lock(&self.0.tickets).redeem(ticket));
        let by_token = token
            .zip(self.0.token.as_ref())
            .is_some_and(|(shown, token)| Digest::of(&shown.0).is(token));
        if by_ticket || by_token {
            return Ok(());
        }
        let detail = "the ticket or token is wrong, was used or is too old; ask for a new ticket";
        Err(Refusal::new(ErrorCode::Unauthorized, detail))
    }

    /// Starts a session.
    async fn start(&self, address: Address, size: Size) -> Result<Arc<Session>, Refusal> {
        let refused = |message| Refusal::new(ErrorCode::Unavailable, message);
        let place = self
            .0
            .places
            .take(address)
            .map_err(|message| Refusal::new(ErrorCode::TooManySessions, message))?;
        let program = self.0.program.clone().map_err(refused)?;
        let metrics = self.0.metrics.clone();
        let starting = tokio::task::spawn_blocking(move || {
            let started = program::start(&program, size)?;
            Session::new(started, size, &metrics)
                .map_err(|error| format!("there is no thread for it: {error}"))
        });
        let started = starting.await.unwrap_or_else(|error| Err(error.to_string()));
        let (session, running) = started.map_err(refused)?;
        self.0.metrics.started();
        let (terminal, supervised) = (self.clone(), Arc::clone(&session));
        self.0.tasks.spawn("terminal session", async move {
            terminal.supervise(supervised, running, place).await;
        });
        Ok(session)
    }

    async fn supervise(&self, session: Arc<Session>, running: Running, place: Place) {
        let ended = session.supervise(running, &self.0.config, self.shutdown()).await;
        tracing::debug!(reason = ended.reason.name(), "a session of the terminal ended");
        self.0.metrics.ended(ended.reason);
        drop(place);
        session.end(ended);
        lock(&self.0.sessions).retain(|_, other| !Arc::ptr_eq(other, &session));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
