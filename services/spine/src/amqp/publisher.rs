//! Publishing: what waits is shared out to a few channels, each of which writes a window of messages and
//! awaits their confirms together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::lane::Lane;
use super::link::{Link, State};
use super::options::AmqpOptions;
use super::session::Session;
use super::topology;
use crate::port::{Message, PublishError, Queue, SpineError};

/// Largest body that a broker takes unless it was told otherwise. A larger one would end the channel, with
/// everything else in flight on it.
const MAX_BODY: usize = 16 << 20;
/// What the units of the bound on bytes are.
const UNIT: u64 = 1024;

pub(super) type Outcome = Result<(), PublishError>;

/// Messages that were published together.
pub(super) struct Publication {
    pub(super) messages: Vec<Message>,
    /// The queue they go to, past the exchange of their route.
    pub(super) straight_to: Option<Queue>,
    pub(super) reply: oneshot::Sender<Vec<Outcome>>,
    /// Given back when it is dealt with.
    #[expect(dead_code, reason = "held, never read")]
    room: Room,
}

impl Publication {
    /// Exchange and routing key of one of its messages.
    pub(super) fn target(&self, message: &Message) -> (&'static str, &'static str) {
        match self.straight_to {
            Some(queue) => topology::straight_to(queue),
            None => topology::target(message.route),
        }
    }

    /// Answers, where somebody still waits.
    pub(super) fn answer(self, outcomes: Vec<Outcome>) {
        let _ = self.reply.send(outcomes);
    }

    pub(super) fn refuse(self, error: &PublishError) {
        let count = self.messages.len();
        self.answer(vec![Err(error.clone()); count]);
    }
}

/// Takes messages and hands them to the channels.
pub(super) struct Publisher {
    link: Link,
    waiting: mpsc::UnboundedSender<Publication>,
    bounds: Bounds,
    confirm_timeout: Duration,
}

impl Publisher {
    /// Starts to publish on this link, until the link is closed. What is missing is declared on the other.
    pub(super) fn open(link: Link, declaring: Link, options: &AmqpOptions) -> Self {
        let (waiting, queue) = mpsc::unbounded_channel();
        let pool = Pool {
            queue: Arc::new(Mutex::new(queue)),
            declaring,
            channels: options.publisher_channels.max(1),
            confirm_timeout: options.confirm_timeout,
        };
        tokio::spawn(pool.run(link.clone()));
        Self {
            link,
            waiting,
            bounds: Bounds::new(options),
            confirm_timeout: options.confirm_timeout,
        }
    }

    /// Publishes and waits for the confirms, in the bounds of time and room.
    pub(super) async fn publish(&self, messages: Vec<Message>, straight_to: Option<Queue>) -> Vec<Outcome> {
        let count = messages.len();
        if count == 0 {
            return Vec::new();
        }
        match self.try_publish(messages, straight_to).await {
            Ok(outcomes) => outcomes,
            Err(error) => vec![Err(error); count],
        }
    }

    async fn try_publish(
        &self,
        messages: Vec<Message>,
        straight_to: Option<Queue>,
    ) -> Result<Vec<Outcome>, PublishError> {
        if messages.iter().any(|message| message.body.len() > MAX_BODY) {
            let reason = format!("a message is larger than {MAX_BODY} bytes");
            return Err(PublishError::Unavailable(reason));
        }
        let session = self.link.session().await.map_err(unavailable)?;
        if let Some(reason) = session.blocked_reason() {
            return Err(PublishError::Blocked(reason));
        }
        let room = self.bounds.reserve(&messages)?;
        let (reply, outcomes) = oneshot::channel();
        let publication = Publication {
            messages,
            straight_to,
            reply,
            room,
        };
        self.waiting
            .send(publication)
            .map_err(|_| unavailable(SpineError::Closed))?;
        tokio::select! {
            outcomes = timeout(self.confirm_timeout, outcomes) => match outcomes {
                Ok(Ok(outcomes)) => Ok(outcomes),
                // The connection ended with its channels, before the broker confirmed.
                Ok(Err(_)) => Err(PublishError::Unavailable("the connection was lost".to_owned())),
                Err(_) => Err(PublishError::Unconfirmed),
            },
            reason = session.until_blocked() => Err(PublishError::Blocked(reason)),
        }
    }
}

fn unavailable(error: SpineError) -> PublishError {
    match error {
        SpineError::Unavailable(reason) => PublishError::Unavailable(reason),
        SpineError::Closed => PublishError::Unavailable("it is closed".to_owned()),
    }
}

/// How much may wait for its confirms.
struct Bounds {
    messages: Arc<Semaphore>,
    max_messages: u32,
    units: Arc<Semaphore>,
    max_units: u32,
}

/// A place among what waits.
pub(super) struct Room(#[expect(dead_code, reason = "held, never read")] [OwnedSemaphorePermit; 2]);

impl Bounds {
    fn new(options: &AmqpOptions) -> Self {
        let max_messages = options.waiting_messages.max(1);
        let max_units = u32::try_from(options.waiting_bytes / UNIT)
            .unwrap_or(u32::MAX)
            .max(1);
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits as usize));
        Self {
            messages: semaphore(max_messages),
            max_messages,
            units: semaphore(max_units),
            max_units,
        }
    }

    /// Takes a place. What alone exceeds the bounds is let in where nothing else waits.
    fn reserve(&self, messages: &[Message]) -> Result<Room, PublishError> {
        let count = u32::try_from(messages.len())
            .unwrap_or(u32::MAX)
            .min(self.max_messages);
        let bytes: u64 = messages.iter().map(|message| message.body.len() as u64).sum();
        let units = u32::try_from(bytes / UNIT)
            .unwrap_or(u32::MAX)
            .min(self.max_units);
        let full = |_| PublishError::Blocked("too many messages wait for the broker's confirms".to_owned());
        Ok(Room([
            Arc::clone(&self.messages)
                .try_acquire_many_owned(count)
                .map_err(full)?,
            Arc::clone(&self.units)
                .try_acquire_many_owned(units)
                .map_err(full)?,
        ]))
    }
}

/// What waits for a channel.
pub(super) type Waiting = Arc<Mutex<mpsc::UnboundedReceiver<Publication>>>;

/// The task that keeps as many channels publishing as there shall be.
struct Pool {
    queue: Waiting,
    declaring: Link,
    channels: usize,
    confirm_timeout: Duration,
}

impl Pool {
    async fn run(self, link: Link) {
        let mut states = link.states();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Connecting => {
                    if states.changed().await.is_err() {
                        break;
                    }
                }
                State::Up(session) => {
                    let lanes = self.lanes(&session);
                    let changed = states.changed().await;
                    // With its channels everything in flight ends; whoever waits for it is told.
                    drop(lanes);
                    if changed.is_err() {
                        break;
                    }
                }
                State::Down(reason) => {
                    let error = PublishError::Unavailable(reason);
                    tokio::select! {
                        changed = states.changed() => if changed.is_err() { break },
                        () = self.refuse(&error) => return,
                    }
                }
                State::Closed => break,
            }
        }
        let closed = unavailable(SpineError::Closed);
        let mut queue = self.queue.lock().await;
        queue.close();
        while let Ok(publication) = queue.try_recv() {
            publication.refuse(&closed);
        }
    }

    fn lanes(&self, session: &Arc<Session>) -> JoinSet<()> {
        let mut lanes = JoinSet::new();
        for _ in 0..self.channels {
            let lane = Lane {
                session: Arc::clone(session),
                queue: Arc::clone(&self.queue),
                declaring: self.declaring.clone(),
                confirm_timeout: self.confirm_timeout,
            };
            lanes.spawn(lane.run());
        }
        lanes
    }

    /// Refuses what waits, and what comes, until nobody can send any more.
    async fn refuse(&self, error: &PublishError) {
        let mut queue = self.queue.lock().await;
        while let Some(publication) = queue.recv().await {
            publication.refuse(error);
        }
    }
}
