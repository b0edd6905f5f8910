//! A session: a program in its terminal, the client that is attached to it or was, and who ends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use odd_contracts::terminal::{EndReason, NoticeCode};
use odd_runtime::Shutdown;
use portable_pty::{MasterPty, PtySize};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::config::TerminalConfig;
use super::metrics::{TerminalMetrics, count};
use super::notices::Notices;
use super::outlet::Outlet;
use super::program::{self, Exit, Running, Signal, Started};
use super::screen::Size;

/// Inputs that wait for the program; each is of one message.
const INPUTS: usize = 8;
/// Longest wait for the program to take input before more of it is dropped.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two looks at a program that may have ended without closing its terminal.
const LOOK: Duration = Duration::from_millis(250);
/// The same of one that is about to end.
const CLOSE_LOOK: Duration = Duration::from_millis(5);
/// Longest wait for the last output of a program that has ended: something that left its group may hold the terminal open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// One session.
pub(super) struct Session {
    outlet: Mutex<Outlet>,
    master: Mutex<Box<dyn MasterPty + Send>>,
    input: mpsc::Sender<Vec<u8>>,
    state: Mutex<State>,
    /// Something that whoever supervises it has to look at.
    changed: Notify,
    ended: watch::Sender<Option<Ended>>,
    /// Cancelled when nothing is copied any more.
    over: CancellationToken,
    metrics: TerminalMetrics,
}

struct State {
    generation: u64,
    attached: Option<(CancellationToken, Arc<Notices>)>,
    /// Since when nobody is attached.
    alone_since: Instant,
    pressed_at: Instant,
    warned: bool,
}

/// How a session ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) reason: EndReason,
    pub(super) exit: Exit,
}

/// A client's hold on a session.
pub(super) struct Attachment {
    pub(super) session: Arc<Session>,
    pub(super) generation: u64,
    /// Output waits.
    pub(super) wake: Arc<Notify>,
    /// Cancelled when another connection takes the session over.
    pub(super) taken_over: CancellationToken,
    pub(super) notices: Arc<Notices>,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.session.detach(self.generation);
    }
}

impl Session {
    /// A session of a program that was just started.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub(super) fn new(
        started: Started,
        size: Size,
        metrics: &TerminalMetrics,
    ) -> std::io::Result<(Arc<Self>, Running)> {
        let (input, inputs) = mpsc::channel(INPUTS);
        let now = Instant::now();
        let session = Arc::new(Self {
            outlet: Mutex::new(Outlet::new(size)),
            master: Mutex::new(started.master),
            input,
            state: Mutex::new(State {
                generation: 0,
                attached: None,
                alone_since: now,
                pressed_at: now,
                warned: false,
            }),
            changed: Notify::new(),
            ended: watch::Sender::new(None),
            over: CancellationToken::new(),
            metrics: metrics.clone(),
        });
        let written = Arc::clone(&session);
        started
            .ends
            .copy(inputs, move |bytes| written.written(bytes), &session.over)?;
        Ok((session, started.running))
    }

    fn written(&self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else {
            lock(&self.outlet).end();
            self.changed.notify_one();
            return;
        };
        let taken = {
            let mut outlet = lock(&self.outlet);
            let taken = outlet.take(bytes);
            self.have_drawn(&mut outlet);
            taken
        };
        self.metrics.dropped_out.inc_by(count(taken.dropped));
        if let Some(pressed) = taken.pressed {
            self.metrics.echoed(pressed);
        }
    }

    /// Attaches a client, in place of the one that was.
    pub(super) fn attach(self: &Arc<Self>, size: Size) -> Attachment {
        let mut state = lock(&self.state);
        state.generation += 1;
        let attachment = Attachment {
            session: Arc::clone(self),
            generation: state.generation,
            wake: Arc::new(Notify::new()),
            taken_over: CancellationToken::new(),
            notices: Arc::default(),
        };
        let client = (attachment.taken_over.clone(), Arc::clone(&attachment.notices));
        if let Some((before, _)) = state.attached.replace(client) {
            before.cancel();
        }
        // Within the same lock, so that of two who come at once the outlet has the later, too.
        self.resize(size);
        lock(&self.outlet).attach(attachment.generation, Arc::clone(&attachment.wake));
        drop(state);
        self.changed.notify_one();
        attachment
    }

    fn detach(&self, generation: u64) {
        let mut state = lock(&self.state);
        lock(&self.outlet).detach(generation);
        if state.generation == generation {
            state.attached = None;
            state.alone_since = Instant::now();
            self.changed.notify_one();
        }
    }

    /// Gives the terminal another size; the program is told by the system.
    pub(super) fn resize(&self, size: Size) {
        // Nothing is taken between the two, so that what the program draws for the new size meets the new size.
        let mut outlet = lock(&self.outlet);
        outlet.resize(size);
        self.size(program::size(size));
        self.have_drawn(&mut outlet);
    }

    fn size(&self, size: PtySize) {
        if let Err(error) = lock(&self.master).resize(size) {
            tracing::debug!(%error, "a terminal was not resized");
        }
    }

    /// Has the program draw its screen again where that was lost. The system tells programs of a size that is another one, so
    /// it gets another one in pixels, which nobody reads.
    fn have_drawn(&self, outlet: &mut Outlet) {
        if !outlet.is_lost() {
            return;
        }
        let before = lock(&self.master).get_size().map_or(0, |size| size.pixel_width);
        self.size(PtySize {
            pixel_width: before ^ 1,
            ..program::size(outlet.size())
        });
    }

    /// Somebody is there, whether what they press passes or not.
    pub(super) fn pressed(&self) {
        let mut state = lock(&self.state);
        state.pressed_at = Instant::now();
        state.warned = false;
    }

    /// Gives the program its input; `false` where it does not take any.
    pub(super) async fn press(&self, bytes: Vec<u8>) -> bool {
        let length = bytes.len();
        let Ok(Ok(place)) = tokio::time::timeout(PATIENCE, self.input.reserve()).await else {
            return false;
        };
        lock(&self.outlet).press();
        place.send(bytes);
        self.metrics.bytes_in.inc_by(count(length));
        true
    }

    /// Bytes that wait for a client.
    pub(super) fn waiting(&self, generation: u64) -> usize {
        lock(&self.outlet).waiting(generation)
    }

    /// The next message to a client.
    pub(super) fn next(&self, generation: u64) -> Option<Bytes> {
        let mut outlet = lock(&self.outlet);
        let next = outlet.next(generation);
        self.have_drawn(&mut outlet);
        next
    }

    /// How it ended, once it has and all output is with the client.
    pub(super) fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.subscribe()
    }

    /// Ends the program when it is time, waits for it, and says how it ended.
    pub(super) async fn supervise(
        &self,
        mut running: Running,
        config: &TerminalConfig,
        shutdown: &Shutdown,
    ) -> Ended {
        let ended = match self.until_due(&mut running, config, shutdown).await {
            Ok(exit) => Ended {
                reason: EndReason::Exited,
                exit,
            },
            Err(reason) => {
                hang_up(&mut running, config.hang_up).await;
                Ended { reason, exit: None }
            }
        };
        let last_output = async {
            while !lock(&self.outlet).ended {
                self.changed.notified().await;
            }
        };
        // Where it does not come there is none.
        let _ = tokio::time::timeout(LAST_OUTPUT, last_output).await;
        ended
    }

    /// Tells the client, if there is one, and everybody who asks.
    pub(super) fn end(&self, ended: Ended) {
        self.ended.send_replace(Some(ended));
        self.over.cancel();
    }

    /// Waits for the program, at most until something ends the session.
    async fn until_due(
        &self,
        running: &mut Running,
        config: &TerminalConfig,
        shutdown: &Shutdown,
    ) -> Result<Exit, EndReason> {
        loop {
            if let Some(exit) = running.ended() {
                return Ok(exit);
            }
            let due = self.due(config)?;
            let look = if lock(&self.outlet).ended {
                CLOSE_LOOK
            } else {
                LOOK
            };
            let pause = due.saturating_duration_since(Instant::now()).min(look);
            tokio::select! {
                () = shutdown.signalled() => return Err(EndReason::Shutdown),
                () = self.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// When there is something to be done next; what is due now is done.
    fn due(&self, config: &TerminalConfig) -> Result<Instant, EndReason> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let end = state.pressed_at + config.idle;
        let abandoned = state.alone_since + config.grace;
        let warning = end.checked_sub(config.idle_warning).unwrap_or(end);
        if end <= now {
            return Err(EndReason::Idle);
        }
        if state.attached.is_none() && abandoned <= now {
            return Err(EndReason::Abandoned);
        }
        if warning <= now && !state.warned {
            state.warned = true;
            if let Some((_, notices)) = &state.attached {
                let left = (end - now).as_secs_f64().ceil();
                notices.post(
                    NoticeCode::IdleSoon,
                    format!("nothing was pressed for long; the session ends in {left} s"),
                );
            }
        }
        let mut due = if state.warned { end } else { warning };
        if state.attached.is_none() {
            due = due.min(abandoned);
        }
        Ok(due)
    }
}

/// Tells the program to end, and ends it where it does not.
async fn hang_up(running: &mut Running, patience: Duration) {
    running.signal(Signal::HangUp);
    let gone = async |running: &mut Running| {
        while running.ended().is_none() {
            tokio::time::sleep(CLOSE_LOOK).await;
        }
    };
    if tokio::time::timeout(patience, gone(running)).await.is_err() {
        running.signal(Signal::Kill);
        gone(running).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
