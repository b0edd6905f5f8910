//! The loop: input, what the system tells, and the clock go in; frames and orders come out. Nothing here waits for the network.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use odd_client::ClientError;
use odd_contracts::Timestamp;
use odd_look::sign::Tone;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until, timeout};

use crate::app::{App, Order, ScreenId};
use crate::child::{self, PATIENCE, RunId, Running};
use crate::effect::{Effect, Feed, Reply};
use crate::feeds;
use crate::keyboard;
use crate::options::Options;
use crate::pace::Pace;
use crate::screens::outcome;
use crate::tasks::Roles;
use crate::terminal::Screen;

/// How often time is told to the screens: ages are in seconds.
const TICK: Duration = Duration::from_millis(500);
/// The same while something moves.
const MOVING: Duration = Duration::from_millis(80);
/// Messages that wait at most, each of up to some hundred events or lines; who tells more waits.
const WAITING: usize = 32;
/// Messages that are taken before a frame is drawn.
const BEFORE_FRAME: usize = 32;

/// Time in which what is interrupted mostly ends, so that nothing is said of it.
const AT_ONCE: Duration = Duration::from_millis(300);

/// Told when the same data is wanted once more, at once.
static NOW: Notify = Notify::const_new();

/// What arrives from tasks.
#[derive(Debug)]
pub(crate) enum Message {
    /// From the system.
    Feed(Feed),
    /// For a screen.
    Reply(ScreenId, Reply),
    /// For a screen, of a command that it runs.
    OfRun(RunId, ScreenId, Reply),
    /// For the line at the foot.
    Notice(Tone, String),
}

/// Why the dashboard cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// An address is none.
    #[error("an address of the instance cannot be used")]
    Address(#[source] ClientError),
    /// The terminal does not do what it is told.
    #[error("the terminal cannot be used")]
    Terminal(#[source] std::io::Error),
    /// The system does not tell of signals.
    #[error("signals cannot be waited for")]
    Signals(#[source] std::io::Error),
}

/// Shows the dashboard until it is left. The terminal is given back however this ends.
///
/// # Errors
/// [`WatchError`]; nothing that the network does is one.
pub async fn run(options: Options) -> Result<(), WatchError> {
    stay_small();
    let roles = Roles::new(&options.addresses).map_err(WatchError::Address)?;
    // Before the terminal is taken: from then on, no signal may end this without giving it back.
    let mut signals = Signals::wait_for().map_err(WatchError::Signals)?;
    let mut screen = Screen::take(&format!("odd: {}", options.instance)).map_err(WatchError::Terminal)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let feeds = feeds::start(&roles.read_model, &sender, &NOW);
    let (app, orders) = App::new(&options, Timestamp::now());
    let mut runner = Runner {
        app,
        options,
        roles,
        sender,
        tasks: JoinSet::new(),
        runs: HashMap::new(),
        next_run: 0,
        children: JoinSet::new(),
        pace: Pace::default(),
        resized: false,
        feeds,
    };
    runner.execute(orders);
    let turned = runner.turn(&mut screen, receiver, &mut signals).await;
    drop(screen);
    runner.end(&mut signals).await;
    turned.map_err(WatchError::Terminal)
}

/// Huge pages make two of every three megabytes of this process, and gain nothing that anybody would see.
fn stay_small() {
    // A kernel without them is as good.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

struct Runner {
    app: App,
    options: Options,
    roles: Roles,
    sender: mpsc::Sender<Message>,
    tasks: JoinSet<()>,
    runs: HashMap<(ScreenId, &'static str), Running>,
    next_run: RunId,
    /// Every command that has not ended yet, whether or not its screen is still open.
    children: JoinSet<()>,
    pace: Pace,
    /// Whether the terminal had another size meanwhile, so that nothing that was drawn can be relied on.
    resized: bool,
    /// What the system tells, for as long as this lives.
    feeds: JoinSet<()>,
}

impl Runner {
    async fn turn(
        &mut self,
        screen: &mut Screen,
        mut messages: mpsc::Receiver<Message>,
        signals: &mut Signals,
    ) -> std::io::Result<()> {
        let mut input = keyboard::start()?;
        let mut tick = clock(TICK);
        let mut moving = clock(MOVING);
        self.pace.answer(Instant::now());
        while !self.app.quits() {
            self.draw(screen)?;
            tokio::select! {
                Some(event) = input.recv() => self.input(event?),
                Some(message) = messages.recv() => {
                    self.take(message);
                    for _ in 0..BEFORE_FRAME {
                        let Ok(message) = messages.try_recv() else { break };
                        self.take(message);
                    }
                }
                _ = tick.tick() => {
                    if keyboard::hung_up() {
                        return Ok(());
                    }
                    // Of whatever thread: nobody sees what would be drawn, and it ends as by a panic of this one.
                    if Screen::told_of_panic() {
                        std::panic::resume_unwind(Box::new("another thread has panicked"));
                    }
                    self.tick();
                }
                _ = moving.tick(), if self.app.is_moving() => self.tick(),
                () = wait_for(self.pace.due()) => {}
                Some(ended) = self.tasks.join_next() => pass_on(ended),
                Some(ended) = self.children.join_next() => pass_on(ended),
                Some(ended) = self.feeds.join_next() => pass_on(ended),
                () = signals.any() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Draws what is due.
    fn draw(&mut self, screen: &mut Screen) -> std::io::Result<()> {
        if self.pace.due().is_some_and(|due| due <= Instant::now()) {
            fail::fail_point!("watch.draw");
            if std::mem::take(&mut self.resized) {
                screen.forget()?;
            }
            screen.draw(|frame| self.app.draw(frame))?;
            self.pace.drawn(Instant::now());
        }
        Ok(())
    }

    fn input(&mut self, event: Event) {
        // A terminal that was smaller for a moment has lost what did not fit, even where it has its old size again by now.
        self.resized |= matches!(event, Event::Resize(..));
        let orders = self.app.input(event, Timestamp::now());
        self.pace.answer(Instant::now());
        self.changed(orders);
    }

    fn take(&mut self, message: Message) {
        let now = Timestamp::now();
        match message {
            Message::Feed(_) => self.pace.news(Instant::now()),
            Message::Reply(..) | Message::OfRun(..) | Message::Notice(..) => self.pace.answer(Instant::now()),
        }
        let orders = match message {
            Message::Notice(tone, text) => {
                self.app.tell(tone, text);
                Vec::new()
            }
            Message::Feed(feed) => self.app.feed(feed, now),
            Message::Reply(to, reply) => self.app.reply(to, &reply, now),
            Message::OfRun(run, to, reply) => {
                let (Reply::Printed(name, _) | Reply::Ended(name, _)) = &reply else {
                    return;
                };
                // What another run of the same name took the place of, or whose screen is closed, has nothing more to say.
                if self
                    .runs
                    .get(&(to, *name))
                    .is_none_or(|current| current.id != run)
                {
                    return;
                }
                if matches!(reply, Reply::Ended(..)) {
                    self.runs.remove(&(to, *name));
                }
                self.app.reply(to, &reply, now)
            }
        };
        self.changed(orders);
    }

    /// Interrupts every command that still runs and gives it time to put things in order: it is not left running, and not killed
    /// in the middle of what it does.
    async fn end(mut self, signals: &mut Signals) {
        self.runs.clear();
        let all = async { while self.children.join_next().await.is_some() {} };
        tokio::pin!(all);
        if timeout(AT_ONCE, &mut all).await.is_ok() {
            return;
        }
        let seconds = PATIENCE.as_secs();
        let line =
            format!("odd: waiting for what was started to end, {seconds} s at most; Ctrl-C ends it at once");
        // Nobody reads it where the terminal is gone.
        let _ = writeln!(std::io::stderr(), "{line}");
        // Those that take longer are killed with the runtime.
        tokio::select! {
            _ = timeout(PATIENCE, all) => {}
            () = signals.any() => {}
        }
    }

    fn tick(&mut self) {
        let orders = self.app.tick(Timestamp::now());
        self.pace.answer(Instant::now());
        self.changed(orders);
    }

    fn changed(&mut self, orders: Vec<Order>) {
        self.execute(orders);
        for closed in self.app.closed() {
            self.runs.retain(|(of, _), _| *of != closed);
        }
    }

    fn execute(&mut self, orders: Vec<Order>) {
        for Order { by, effect } in orders {
            match effect {
                Effect::Ask(ask) => {
                    let (roles, sender) = (self.roles.clone(), self.sender.clone());
                    self.tasks.spawn(async move {
                        fail::fail_point!("watch.answer");
                        let answer = roles.answer(&ask).await;
                        // Nobody listens when the dashboard ends.
                        let _ = sender.send(Message::Reply(by, Reply::Answer(ask, answer))).await;
                    });
                }
                Effect::Run(run) => {
                    self.next_run += 1;
                    let (of, sender) = ((self.next_run, by), self.sender.clone());
                    let running = child::start(&self.options, &run, of, sender, &mut self.children);
                    self.runs.insert((by, run.name), running);
                }
                Effect::Interrupt(name) => {
                    if let Some(run) = self.runs.get_mut(&(by, name)) {
                        run.interrupt();
                    }
                }
                Effect::Browse { url, command } => self.browse(url, command),
                Effect::Copy(what, text) => self.copy(what, &text),
                Effect::Refresh => NOW.notify_waiters(),
                // The app deals with these itself.
                Effect::Push(_)
                | Effect::Replace(_)
                | Effect::Back
                | Effect::Home(_)
                | Effect::Notice(..)
                | Effect::Theme(_)
                | Effect::Quit
                | Effect::Leave => {}
            }
        }
    }

    /// A browser where there is one; else the address is shown, and copied for the one on the other side.
    fn browse(&mut self, url: String, command: Option<String>) {
        if !self.options.has_browser {
            self.copy("the address", &url);
            self.app.tell(
                Tone::Accent,
                format!("{url}   (copied; no browser can be opened from here)"),
            );
            return;
        }
        let told = match command {
            Some(command) => outcome::with_command(&format!("opened {url}"), &command, &self.app.world),
            None => format!("opened {url}"),
        };
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let at = url.clone();
            // Some ways to open it wait for a program.
            let opened = tokio::task::spawn_blocking(move || open::that_detached(at)).await;
            let notice = match opened {
                Ok(Ok(())) => Message::Notice(Tone::Accent, told),
                Ok(Err(error)) => Message::Notice(Tone::Attention, format!("{url}   (no browser: {error})")),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            // Nobody listens when the dashboard ends.
            let _ = sender.send(notice).await;
        });
    }

    fn copy(&mut self, what: &str, text: &str) {
        match Screen::copy(text) {
            Ok(()) => self.app.tell(Tone::Accent, format!("copied {what}")),
            Err(error) => self
                .app
                .tell(Tone::Attention, format!("{what} cannot be copied: {error}")),
        }
    }
}

/// Waits for a time, or for ever where there is none. Cancel-safe.
async fn wait_for(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// A clock that does not make up for what nobody waited for.
fn clock(every: Duration) -> Interval {
    let mut clock = interval(every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

/// A panic of a task is one of the dashboard: what the task was for would be missing from then on.
fn pass_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        // It was told of where it happened.
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Signals by which somebody asks for the end.
#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 4]);

#[cfg(unix)]
impl Signals {
    /// From here on they end nothing by themselves.
    fn wait_for() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::quit())?,
        ]))
    }

    /// The next of them. Cancel-safe.
    async fn any(&mut self) {
        let waits = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(waits).await;
    }
}

/// Signals by which somebody asks for the end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn wait_for() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// The next of them. Cancel-safe.
    async fn any(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
