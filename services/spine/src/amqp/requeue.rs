//! Putting a dead letter back on the queue that it was taken from.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use odd_contracts::names::spine as names;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::link::Link;
use super::lock::{Lock, NotTaken};
use super::publisher::Publisher;
use super::session::Session;
use super::{codec, failure};
use crate::port::{Message, Queue, Route, SpineError};

/// Longest time to look for a letter.
const LIMIT: Duration = Duration::from_secs(30);
/// Letters that are asked for together.
const STRIDE: usize = 64;
/// While this queue exists, a connection looks through the dead letters. Others wait, since what the one has
/// in hand the other does not see.
const LOCK: &str = "jobs.dead-letter.lock";

/// Puts dead letters back, one after the other.
pub(super) struct Requeuer {
    pub(super) link: Link,
    pub(super) publisher: Arc<Publisher>,
    /// Within this process; the broker's lock does not tell its own connection's tasks apart.
    pub(super) turn: Mutex<()>,
}

impl Requeuer {
    /// Puts one back; false where there is none with this id. Copies of it are removed.
    pub(super) async fn requeue(&self, id: Uuid) -> Result<bool, SpineError> {
        let _turn = self.turn.lock().await;
        let until = Instant::now() + LIMIT;
        let session = self.link.session().await?;
        let lock = lock(&session, until).await?;
        let outcome = self.requeue_locked(&session, id, until).await;
        let unlocked = session.answer(lock.release()).await;
        let found = outcome?;
        if let Err(error) = unlocked {
            // It goes with its channel.
            tracing::warn!(%error, "the lock of the dead letters was not given back in good form");
        }
        Ok(found)
    }

    async fn requeue_locked(&self, session: &Session, id: Uuid, until: Instant) -> Result<bool, SpineError> {
        let channel = session.channel().await?;
        let search = search(session, &channel, id, until).await;
        let done = match &search {
            Ok(found) => self.put_back(session, &channel, id, found).await,
            Err(error) => Err(error.clone()),
        };
        let given_back = give_back(session, &channel).await;
        done.and_then(|found| given_back.map(|()| found))
    }

    /// Publishes the first copy and removes all of them.
    async fn put_back(
        &self,
        session: &Session,
        channel: &Channel,
        id: Uuid,
        found: &[BasicGetMessage],
    ) -> Result<bool, SpineError> {
        let Some(letter) = found.first() else {
            return Ok(false);
        };
        let (queue, message) = restored(id, letter);
        let confirmed = self.publisher.publish(vec![message], Some(queue)).await;
        if let Some(Err(error)) = confirmed.into_iter().next() {
            return Err(SpineError::Unavailable(error.to_string()));
        }
        for copy in found {
            let acknowledged = channel.basic_ack(copy.delivery_tag, BasicAckOptions::default());
            session.answer(acknowledged).await?;
        }
        Ok(true)
    }
}

/// Takes every letter in hand and returns those with this id.
async fn search(
    session: &Session,
    channel: &Channel,
    id: Uuid,
    until: Instant,
) -> Result<Vec<BasicGetMessage>, SpineError> {
    let id = id.to_string();
    let mut found = Vec::new();
    loop {
        if Instant::now() > until {
            let reason = "there are too many dead letters to look through in time".to_owned();
            return Err(SpineError::Unavailable(reason));
        }
        let queue = Queue::DeadLetter.name();
        let asked = (0..STRIDE).map(|_| channel.basic_get(queue.into(), BasicGetOptions::default()));
        let answers = session.answer(async { join_all(asked).await.into_iter().collect() });
        let answers: Vec<Option<BasicGetMessage>> = answers.await?;
        let exhausted = answers.iter().any(Option::is_none);
        let is_it = |letter: &BasicGetMessage| {
            let told = letter.properties.message_id().as_ref();
            told.is_some_and(|told| told.as_str() == id)
        };
        found.extend(answers.into_iter().flatten().filter(is_it));
        if exhausted {
            return Ok(found);
        }
    }
}

/// The letter as it was before it became one, and its queue.
fn restored(id: Uuid, letter: &BasicGetMessage) -> (Queue, Message) {
    let mut headers = codec::headers(&letter.properties);
    let from = headers.remove(names::HEADER_QUEUE);
    headers.remove(names::HEADER_REASON);
    headers.remove(names::HEADER_DETAIL);
    let queue = Queue::ALL
        .into_iter()
        .find(|queue| *queue != Queue::DeadLetter && from.as_deref() == Some(queue.name()))
        .unwrap_or(Queue::Work);
    let message = Message {
        // It goes straight to its queue, whatever its route says.
        route: Route::Work,
        message_id: id,
        content_type: codec::content_type(&letter.properties).unwrap_or_default(),
        headers,
        body: letter.data.clone().into(),
    };
    (queue, message)
}

/// Gives back whatever the channel has in hand, and waits until the queue was told.
async fn give_back(session: &Session, channel: &Channel) -> Result<(), SpineError> {
    let all = BasicNackOptions {
        multiple: true,
        requeue: true,
    };
    // Number 0 is everything.
    session.answer(channel.basic_nack(0, all)).await?;
    let asked = channel.queue_declare(
        Queue::DeadLetter.name().into(),
        QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        },
        FieldTable::default(),
    );
    session.answer(asked).await.map(drop)
}

async fn lock(session: &Session, until: Instant) -> Result<Lock, SpineError> {
    let taken = Lock::take(session.connection(), LOCK, until).await;
    taken.map_err(|not_taken| {
        SpineError::Unavailable(match not_taken {
            NotTaken::Held => "somebody else looks through the dead letters".to_owned(),
            NotTaken::Unanswered => "the broker does not answer".to_owned(),
            NotTaken::Failed(error) => failure::told(&error),
        })
    })
}
