//! The one signal that ends a role, and the one deadline it has for that.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Exit code of a process that a second signal ended at once.
pub const INTERRUPTED: i32 = 130;

/// Signals within this time of the first are the same request: `timeout` of GNU coreutils tells a process and then its group, and who passes
/// signals on does so beside a supervisor that tells everybody.
const TOGETHER: Duration = Duration::from_millis(500);

/// Tells everything in a role (or in a process of several roles) to end. Clones are the same signal.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    token: CancellationToken,
    grace: Duration,
    triggered_at: OnceLock<Instant>,
    parent: Option<Shutdown>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new(Self::DEFAULT_GRACE)
    }
}

impl Shutdown {
    /// Time to end in where nothing else is configured.
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

    /// A signal not given yet. Once it is, everything has `grace` to end.
    pub fn new(grace: Duration) -> Self {
        Self::build(CancellationToken::new(), grace, None)
    }

    /// A signal that SIGINT or SIGTERM gives (on Windows: ctrl-c, ctrl-break, closing of the console,
    /// system shutdown).
    ///
    /// A second such signal, half a second later or more, ends the process at once with exit code [`INTERRUPTED`], without destructors:
    /// what is not acknowledged is redelivered, which every store and queue of the system is made for.
    ///
    /// # Errors
    /// When the operating system refuses the signal handlers.
    pub fn on_signals(grace: Duration) -> io::Result<Self> {
        let shutdown = Self::new(grace);
        let mut signals = Signals::new()?;
        let first = shutdown.clone();
        tokio::spawn(async move {
            signals.next().await;
            tracing::info!(grace_seconds = first.grace().as_secs_f64(), "shutting down");
            first.trigger();
            let given = Instant::now();
            while given.elapsed() < TOGETHER {
                signals.next().await;
            }
            end_process();
        });
        Ok(shutdown)
    }

    /// A signal that this one gives too, but which can be given without this one: of one role among several.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::build(self.0.token.child_token(), self.0.grace, Some(self.clone()))
    }

    fn build(token: CancellationToken, grace: Duration, parent: Option<Self>) -> Self {
        Self(Arc::new(Inner {
            token,
            grace,
            triggered_at: OnceLock::new(),
            parent,
        }))
    }

    /// Gives the signal. Again changes nothing.
    pub fn trigger(&self) {
        self.0.triggered_at.get_or_init(Instant::now);
        self.0.token.cancel();
    }

    /// Waits for the signal. Cancel-safe; returns at once when it was given before.
    pub async fn signalled(&self) {
        self.0.token.cancelled().await;
    }

    /// The same as a future of its own.
    pub fn signalled_owned(&self) -> WaitForCancellationFutureOwned {
        self.0.token.clone().cancelled_owned()
    }

    /// Whether the signal was given.
    pub fn is_signalled(&self) -> bool {
        self.0.token.is_cancelled()
    }

    /// For code that takes a [`CancellationToken`]. Cancelling it instead of [`Shutdown::trigger`] leaves the
    /// deadline uncounted.
    pub fn token(&self) -> &CancellationToken {
        &self.0.token
    }

    /// Time to end in, from the signal on.
    pub fn grace(&self) -> Duration {
        self.0.grace
    }

    /// What is left of the time to end in; all of it while the signal was not given.
    pub fn remaining(&self) -> Duration {
        self.triggered_at()
            .map_or(self.0.grace, |at| self.0.grace.saturating_sub(at.elapsed()))
    }

    fn triggered_at(&self) -> Option<Instant> {
        let own = self.0.triggered_at.get().copied();
        let above = self.0.parent.as_ref().and_then(Self::triggered_at);
        own.into_iter().chain(above).min()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the second signal asks for exactly this: an end without clean-up"
)]
fn end_process() {
    std::process::exit(INTERRUPTED);
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            ctrl_c: windows::ctrl_c()?,
            ctrl_break: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.ctrl_c.recv() => {}
            _ = self.ctrl_break.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_ends_with_its_parent_and_not_the_other_way() {
        let parent = Shutdown::new(Duration::from_secs(60));
        let (one, other) = (parent.child(), parent.child());
        one.trigger();
        one.signalled().await;
        assert!(!parent.is_signalled() && !other.is_signalled());
        parent.trigger();
        other.signalled_owned().await;
        assert!(other.is_signalled());
    }

    #[test]
    fn the_time_left_counts_down_from_the_signal_on() {
        let parent = Shutdown::new(Duration::from_secs(60));
        let child = parent.child();
        assert_eq!(child.remaining(), Duration::from_secs(60));
        parent.trigger();
        assert!(child.remaining() < Duration::from_secs(60));
        let none = Shutdown::new(Duration::ZERO);
        none.trigger();
        assert_eq!(none.remaining(), Duration::ZERO);
    }
}
