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
mod farewell;
mod filter;
mod keys;
mod limits;
mod metrics;
mod notices;
mod outlet;
mod program;
mod register;
mod routes;
mod screen;
mod sequence;
mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::WebSocket;
use odd_contracts::names::env;
use odd_contracts::terminal::{ErrorCode, Key, ServerMessage};
use odd_runtime::{Metrics, Shutdown, Tasks};
use tokio::sync::Semaphore;

use crate::Config;
use config::{Program, TerminalConfig, TerminalMode};
use keys::{Digest, Tickets};
use limits::{Address, Attempts, Place, Places};
use metrics::TerminalMetrics;
use program::{Roles, Running};
use register::{Receipt, Register};
use screen::Size;
use session::{Attachment, Session};

pub(crate) use routes::{described, routes};

/// Connections beyond one for each session: of those that say hello, and of those that are taken over.
const MORE_CONNECTIONS: usize = 64;
/// Most connections of one address that have not said hello yet.
const GREETINGS: usize = 32;
/// How many tickets one address may ask for in quick succession, and two a second after that.
const TICKETS: u32 = 240;
/// How long whoever was wrong too often waits for each further judgement.
const TIRED: Duration = Duration::from_secs(1);

/// The web terminal. Clones are the same.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<Inner>);

struct Inner {
    config: TerminalConfig,
    /// What runs in it, or why nothing can.
    program: Result<Program, String>,
    token: Option<Digest>,
    /// Whether it answers to names that others than this machine may ask by.
    is_for_others: bool,
    tasks: Tasks,
    metrics: TerminalMetrics,
    tickets: Mutex<Tickets>,
    /// Tickets that were asked for.
    asked: Mutex<Attempts>,
    /// What was shown and is wrong.
    wrong: Mutex<Attempts>,
    places: Arc<Places>,
    connections: Arc<Semaphore>,
    /// Connections that have not said hello yet.
    greetings: Arc<Places>,
    sessions: Mutex<Register<Session>>,
}

/// What was shown opens nothing.
enum Wrong {
    /// It is wrong.
    Once,
    /// It is wrong, and so was much before it.
    TooOften,
}

/// A client with its session.
struct Client {
    attachment: Attachment,
    receipt: Receipt,
    /// What it is told of it.
    ready: ServerMessage,
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
        let is_for_others = config.allowed_hosts.iter().any(|host| !host.is_loopback());
        let config = config.terminal.clone();
        Ok(Self(Arc::new(Inner {
            is_for_others,
            program: program.map_err(|error| format!("this program does not know where it is: {error}")),
            token: config
                .token
                .as_ref()
                .map(|token| Digest::of(token.expose().as_str())),
            tasks: tasks.clone(),
            metrics: TerminalMetrics::register(metrics)?,
            tickets: Mutex::default(),
            asked: Mutex::new(Attempts::new(TICKETS)),
            wrong: Mutex::new(Attempts::new(config.attempts)),
            places: Places::new("sessions", config.sessions, config.sessions_per_address),
            connections: Arc::new(Semaphore::new(config.sessions + MORE_CONNECTIONS)),
            greetings: Places::new("connections", config.sessions + MORE_CONNECTIONS, GREETINGS),
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

    /// Why nobody has a session here, as things are set up.
    fn closed(&self) -> Option<String> {
        if self.0.config.mode == TerminalMode::Off {
            return Some(format!(
                "the web terminal is switched off; {}=on (or read-only) switches it on",
                env::WEB_TERMINAL
            ));
        }
        (self.0.is_for_others && self.0.token.is_none()).then(|| {
            format!(
                "this role answers to other names than localhost ({}), and whoever gets there would have a terminal; set {}",
                env::WEB_ALLOWED_HOSTS,
                env::WEB_TOKEN
            )
        })
    }

    /// Whether a session could be started now.
    async fn check(&self) -> Result<(), String> {
        let program = self.0.program.clone()?;
        program::within(program::START, move || program::check(&program)).await
    }

    /// Whether this address may have another ticket.
    fn may_ask(&self, address: Address) -> bool {
        lock(&self.0.asked).permit(address)
    }

    /// Judges something secret that was shown. Only what is wrong counts: many clients may share an address, and one of them
    /// must not keep the others out. Who was wrong too often waits before each judgement, also of what is right, so that
    /// guessing stays slow.
    async fn judged<T>(&self, address: Address, judge: impl FnOnce() -> Option<T>) -> Result<T, Wrong> {
        let tired = lock(&self.0.wrong).is_tired(address);
        if tired {
            tokio::time::sleep(TIRED).await;
        }
        judge().ok_or_else(|| {
            let counted = lock(&self.0.wrong).permit(address);
            if counted { Wrong::Once } else { Wrong::TooOften }
        })
    }

    /// Serves a connection as a task of the role.
    fn serve(&self, socket: WebSocket, address: Address, greeting: Place, held: impl Send + 'static) {
        let terminal = self.clone();
        self.0.tasks.spawn("terminal connection", async move {
            connection::serve(terminal, socket, address, greeting).await;
            drop(held);
        });
    }

    /// The session that a client asks for.
    async fn open(
        &self,
        address: Address,
        ticket: Option<Key>,
        token: Option<Key>,
        known: Option<Key>,
        size: Size,
    ) -> Result<Client, Refusal> {
        if let Some(key) = known {
            let client = self.judged(address, || self.come_back(&key, size)).await;
            return client.map_err(|wrong| wrong.refusal(ErrorCode::UnknownSession));
        }
        self.judged(address, || self.admit(ticket.as_ref(), token.as_ref()))
            .await
            .map_err(|wrong| wrong.refusal(ErrorCode::Unauthorized))?;
        self.start(address, size).await
    }

    /// The session that this key goes on with.
    fn come_back(&self, key: &Key, size: Size) -> Option<Client> {
        // Attached within the lock, so that of two who come at once the later has both the session and its key.
        let mut sessions = lock(&self.0.sessions);
        let (session, key, receipt) = sessions.come_back(key)?;
        let attachment = session.attach(size);
        Some(self.client(attachment, key, receipt, true))
    }

    fn client(&self, attachment: Attachment, key: Key, receipt: Receipt, resumed: bool) -> Client {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let ready = ServerMessage::Ready {
            reconnect: key,
            read_only: self.0.config.is_read_only(),
            resumed,
            grace_ms: milliseconds(self.0.config.grace),
            idle_ms: milliseconds(self.0.config.idle),
        };
        Client {
            attachment,
            receipt,
            ready,
        }
    }

    /// The client has its new key, and needs the one before no more.
    fn confirm(&self, receipt: &Receipt) {
        lock(&self.0.sessions).confirm(receipt);
    }

    /// Whether ticket or token opens a session. A ticket opens none after that.
    fn admit(&self, ticket: Option<&Key>, token: Option<&Key>) -> Option<()> {
        let by_ticket = ticket.is_some_and(|ticket| lock(&self.0.tickets).redeem(ticket));
        let by_token = token
            .zip(self.0.token.as_ref())
            .is_some_and(|(shown, token)| Digest::of(&shown.0).is(token));
        (by_ticket || by_token).then_some(())
    }

    /// A new session.
    async fn start(&self, address: Address, size: Size) -> Result<Client, Refusal> {
        let refused = |message| Refusal::new(ErrorCode::Unavailable, message);
        let place = self
            .0
            .places
            .take(address)
            .map_err(|message| Refusal::new(ErrorCode::TooManySessions, message))?;
        let program = self.0.program.clone().map_err(refused)?;
        let metrics = self.0.metrics.clone();
        // The place goes with it, so that of starts that take too long there are not more than of sessions.
        let starting = program::within(program::START, move || {
            let started = program::start(&program, size)?;
            Session::new(started, size, &metrics)
                .map(|(session, running)| (session, running, place))
                .map_err(|error| format!("there is no thread for it: {error}"))
        });
        let (session, running, place) = starting.await.map_err(refused)?;
        self.0.metrics.started();
        let attachment = session.attach(size);
        let (key, receipt) = lock(&self.0.sessions).enter(Arc::clone(&session));
        let terminal = self.clone();
        self.0.tasks.spawn("terminal session", async move {
            terminal.supervise(&session, running, place).await;
            lock(&terminal.0.sessions).leave(receipt.number);
        });
        Ok(self.client(attachment, key, receipt, false))
    }

    async fn supervise(&self, session: &Session, running: Running, place: Place) {
        let ended = session.supervise(running, &self.0.config, self.shutdown()).await;
        tracing::debug!(reason = ended.reason.name(), "a session of the terminal ended");
        self.0.metrics.ended(ended.reason);
        drop(place);
        session.end(ended);
    }
}

impl Wrong {
    /// What a client is told that has shown it, where this is what it means.
    fn refusal(self, code: ErrorCode) -> Refusal {
        let (code, message) = match (self, code) {
            (Self::TooOften, _) => (
                ErrorCode::TooManyAttempts,
                "too many attempts; try again in a minute",
            ),
            (Self::Once, ErrorCode::UnknownSession) => (
                code,
                "there is no such session any more, or the token was used; a new ticket opens a new one",
            ),
            (Self::Once, _) => (
                code,
                "the ticket or token is wrong, was used or is too old; ask for a new ticket",
            ),
        };
        Refusal::new(code, message)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
