//! Waits for jobs to end.
//!
//! Terminal events of the live stream tell at once; looking jobs up, at growing intervals, tells what the stream
//! missed. Neither alone is needed: without the stream, looking up suffices.

mod book;

use std::time::Duration;

use futures::StreamExt;
use odd_client::ReadModel;
use odd_contracts::{EventType, JobId, JobStatus};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use book::Book;

/// Most ids of one lookup request.
const LOOKUP: usize = 1_000;
/// Most ids that are looked up between two pauses.
const ROUND: usize = 4 * LOOKUP;
/// Pause before the first lookup, and shortest one, while the stream is open.
const WITH_STREAM: Duration = Duration::from_millis(250);
/// The same while it is not.
const WITHOUT_STREAM: Duration = Duration::from_millis(50);
/// Longest pause between two lookups.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Time that the stream has to open before anything is submitted.
const CONNECT: Duration = Duration::from_secs(2);
/// Pause before the stream is opened again.
const RECONNECT: Duration = Duration::from_millis(500);
/// Events that are handed over together.
const CHUNK: usize = 256;

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The job.
    pub id: JobId,
    /// COMPLETED, FAILED or CANCELLED.
    pub status: JobStatus,
    /// Why it failed.
    pub error: Option<String>,
}

/// What somebody learned about jobs: from the stream, or by looking them up.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: JobId,
    pub(crate) status: JobStatus,
    pub(crate) error: Option<String>,
}

enum Message {
    /// The stream opened (true) or broke.
    Stream(bool),
    /// Events of the stream.
    Live(Vec<Seen>),
    /// A round of lookups is over.
    Looked(Vec<Seen>),
}

/// Waits for jobs to end. Make it before the jobs are submitted, and tell it of each with [`Waiter::expect`].
#[derive(Debug)]
pub struct Waiter {
    read_model: ReadModel,
    book: Book,
    messages: mpsc::UnboundedReceiver<Message>,
    sender: mpsc::UnboundedSender<Message>,
    listener: JoinHandle<()>,
    streaming: bool,
    looking: bool,
    pause: Duration,
    next_look: Instant,
}

impl Waiter {
    /// Opens the live stream. That it cannot be opened (yet) is no error.
    pub async fn subscribe(read_model: &ReadModel) -> Self {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let listener = tokio::spawn(listen(read_model.clone(), sender.clone()));
        let first = tokio::time::timeout(CONNECT, messages.recv()).await;
        let streaming = matches!(first, Ok(Some(Message::Stream(true))));
        let pause = shortest(streaming);
        Self {
            read_model: read_model.clone(),
            book: Book::default(),
            messages,
            sender,
            listener,
            streaming,
            looking: false,
            pause,
            next_look: Instant::now() + pause,
        }
    }

    /// Waits for the end of this job as well.
    pub fn expect(&mut self, id: JobId) {
        self.book.expect(id);
    }

    /// Waits for it no longer.
    pub fn forget(&mut self, id: JobId) {
        self.book.forget(id);
    }

    /// How many jobs are waited for.
    pub fn outstanding(&self) -> usize {
        self.book.outstanding()
    }

    /// What was last seen of a job that is waited for.
    pub fn last_seen(&self, id: JobId) -> Option<JobStatus> {
        self.book.last_seen(id)
    }

    /// The next job that ended. Waits for ever while none does. Safe to drop and call again.
    pub async fn next(&mut self) -> Ended {
        loop {
            if let Some(ended) = self.book.next_ended() {
                return ended;
            }
            tokio::select! {
                Some(message) = self.messages.recv() => self.take(message),
                () = tokio::time::sleep_until(self.next_look), if !self.looking => self.look(),
            }
        }
    }

    /// The next job that ended; none once `deadline` has passed.
    pub async fn next_before(&mut self, deadline: Instant) -> Option<Ended> {
        tokio::time::timeout_at(deadline, self.next()).await.ok()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Stream(open) => {
                self.streaming = open;
                self.pause = shortest(open);
                self.next_look = self.next_look.min(Instant::now() + self.pause);
            }
            Message::Live(seen) => self.book.see(seen),
            Message::Looked(seen) => {
                self.looking = false;
                self.book.see(seen);
                self.next_look = Instant::now() + self.pause;
                self.pause = self.pause.mul_f64(1.5).min(LONGEST_PAUSE);
            }
        }
    }

    /// Starts a round of lookups over the jobs that were not looked up for longest.
    fn look(&mut self) {
        let ids = self.book.round(ROUND);
        if ids.is_empty() {
            self.next_look = Instant::now() + shortest(self.streaming);
            return;
        }
        self.looking = true;
        let (read_model, sender) = (self.read_model.clone(), self.sender.clone());
        tokio::spawn(async move {
            // Nobody listens once the waiter is gone.
            let _ = sender.send(Message::Looked(look_up(&read_model, &ids).await));
        });
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

const fn shortest(streaming: bool) -> Duration {
    if streaming { WITH_STREAM } else { WITHOUT_STREAM }
}

/// State of those jobs that are known. A read-model that does not answer is asked again in the next round.
async fn look_up(read_model: &ReadModel, ids: &[JobId]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for some in ids.chunks(LOOKUP) {
        let Ok(answer) = read_model.lookup(some).await else {
            break;
        };
        seen.extend(answer.jobs.into_iter().map(|job| Seen {
            id: job.id,
            status: job.status,
            error: job.error,
        }));
    }
    seen
}

/// Hands over terminal events as long as somebody takes them, and opens the stream again whenever it ends.
async fn listen(read_model: ReadModel, sender: mpsc::UnboundedSender<Message>) {
    let types: Vec<_> = EventType::ALL
        .into_iter()
        .filter(|event_type| event_type.is_terminal())
        .collect();
    loop {
        if let Ok(live) = read_model.stream(&types).await {
            if sender.send(Message::Stream(true)).is_err() {
                return;
            }
            let mut chunks = live.ready_chunks(CHUNK);
            while let Some(chunk) = chunks.next().await {
                let seen = chunk.into_iter().flatten().filter_map(|event| book::seen(&event));
                if sender.send(Message::Live(seen.collect())).is_err() {
                    return;
                }
            }
        }
        if sender.send(Message::Stream(false)).is_err() {
            return;
        }
        tokio::time::sleep(RECONNECT).await;
    }
}
