//! A connection that is always there again: opened in the background, watched, opened anew.
//!
//! The client library can recover connections by itself, channels and consumers included. That is not
//! used: a role must learn that its deliveries are no longer its own, confirms of an earlier connection
//! must fail at once, and the declarations of every queue must come first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::options::AmqpOptions;
use super::session::Session;
use super::topology::Turn;
use crate::port::SpineError;

/// First wait after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// A connection that lived for so long ended for a new reason.
const STEADY: Duration = Duration::from_secs(10);

/// How a link stands.
#[derive(Clone)]
pub(super) enum State {
    /// The first connection is being made.
    Connecting,
    /// There is one.
    Up(Arc<Session>),
    /// There is none, for this reason; another is being made.
    Down(String),
    /// There will be none any more.
    Closed,
}

/// A connection to the broker.
#[derive(Clone)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    /// How long the first connection may be waited for.
    patience: Duration,
}

impl Link {
    /// Starts to connect, until the sender of `closing` is dropped. Links of one spine declare by turns.
    pub(super) fn open(
        options: &Arc<AmqpOptions>,
        purpose: &'static str,
        turn: &Turn,
        closing: watch::Receiver<()>,
    ) -> Self {
        let (sender, state) = watch::channel(State::Connecting);
        let keeper = Keeper {
            options: Arc::clone(options),
            purpose,
            turn: Arc::clone(turn),
            state: sender,
        };
        tokio::spawn(keeper.run(closing));
        Self {
            state,
            patience: options.answer_timeout,
        }
    }

    /// The connection. Waits only for the outcome of the very first try.
    pub(super) async fn session(&self) -> Result<Arc<Session>, SpineError> {
        let mut state = self.now();
        if matches!(state, State::Connecting) {
            // Whether it was known in time or not, what is known then counts.
            let _ = timeout(self.patience, self.first_outcome()).await;
            state = self.now();
        }
        match state {
            State::Up(session) if session.is_open() => Ok(session),
            State::Up(_) => Err(SpineError::Unavailable("the connection was lost".to_owned())),
            State::Connecting => Err(SpineError::Unavailable(
                "the broker is not connected yet".to_owned(),
            )),
            State::Down(reason) => Err(SpineError::Unavailable(reason)),
            State::Closed => Err(SpineError::Closed),
        }
    }

    fn now(&self) -> State {
        self.state.borrow().clone()
    }

    async fn first_outcome(&self) {
        let mut states = self.state.clone();
        // Without its keeper the link is closed, which is an outcome.
        let _ = states.wait_for(|state| !matches!(state, State::Connecting)).await;
    }

    /// Follows how the link stands.
    pub(super) fn states(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Whether there will be no connection any more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.state.borrow(), State::Closed) || self.state.has_changed().is_err()
    }
}

/// The task that keeps a link up.
struct Keeper {
    options: Arc<AmqpOptions>,
    purpose: &'static str,
    turn: Turn,
    state: watch::Sender<State>,
}

impl Keeper {
    async fn run(self, mut closing: watch::Receiver<()>) {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let work = async {
            loop {
                let since = Instant::now();
                let reason = self.hold_one().await;
                if since.elapsed() > STEADY {
                    backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
                }
                self.tell_down(reason);
                sleep(backoff.next()).await;
            }
        };
        tokio::select! {
            // Nobody sends: the channel ends with the spine.
            _ = closing.changed() => {}
            () = work => {}
        }
        if let State::Up(session) = self.state.send_replace(State::Closed) {
            session.close().await;
        }
    }

    /// Makes one connection, keeps it to its end, and tells why it ended or was none.
    async fn hold_one(&self) -> String {
        let session = match Session::open(&self.options, self.purpose, &self.turn).await {
            Ok(session) => Arc::new(session),
            Err(reason) => return reason,
        };
        tracing::info!(purpose = self.purpose, "connected to the broker");
        self.state.send_replace(State::Up(Arc::clone(&session)));
        let reason = session.ended().await;
        session.abort();
        reason
    }

    fn tell_down(&self, reason: String) {
        let told_before = matches!(&*self.state.borrow(), State::Down(before) if *before == reason);
        if !told_before {
            tracing::warn!(
                purpose = self.purpose,
                reason,
                "there is no connection to the broker"
            );
        }
        self.state.send_replace(State::Down(reason));
    }
}
