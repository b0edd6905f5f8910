//! The one task that adds rows: whatever waits shares a statement and a commit, and is handed to
//! consumers in the order of its rows.

use std::sync::Arc;

use odd_contracts::Timestamp;
use odd_contracts::names::spine as names;
use odd_store::StoreError;
use odd_store::embedded::queue::{MessageQueue, Move, QueuedMessage, StoredMessage};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::budget::Reservation;
use super::feed::Feeds;
use super::{Queues, cause, queue_number, unavailable};
use crate::port::{Headers, PublishError, Queue, SpineError};

/// Callers that share a commit at most.
const GROUP_LIMIT: usize = 1024;

/// What the publisher is asked.
pub(super) enum Request {
    Publish(Publication),
    Relocate(Relocation),
}

/// Messages that are stored together or not at all.
pub(super) struct Publication {
    pub(super) messages: Vec<Arc<QueuedMessage>>,
    /// Given back when the publication is answered.
    pub(super) reservation: Reservation,
    pub(super) reply: oneshot::Sender<Result<(), PublishError>>,
}

impl Publication {
    fn answer(self, answer: Result<(), PublishError>) {
        drop(self.reservation);
        // A caller that is gone does not want its answer.
        let _ = self.reply.send(answer);
    }
}

/// A dead letter that goes back to its queue.
pub(super) struct Relocation {
    pub(super) id: Uuid,
    pub(super) reply: oneshot::Sender<Result<bool, SpineError>>,
}

pub(super) struct Publisher {
    pub(super) store: MessageQueue,
    pub(super) queues: Arc<Queues>,
    pub(super) feeds: Arc<Feeds>,
}

impl Publisher {
    pub(super) async fn run(self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut waiting = Vec::with_capacity(GROUP_LIMIT);
        while requests.recv_many(&mut waiting, GROUP_LIMIT).await > 0 {
            let mut group = Vec::with_capacity(waiting.len());
            for request in waiting.drain(..) {
                match request {
                    Request::Publish(publication) => group.push(publication),
                    Request::Relocate(relocation) => {
                        self.commit(std::mem::take(&mut group)).await;
                        let answer = self.relocate(relocation.id).await.map_err(unavailable);
                        let _ = relocation.reply.send(answer);
                    }
                }
            }
            self.commit(group).await;
        }
    }

    async fn commit(&self, group: Vec<Publication>) {
        match self.try_commit(&group).await {
            // One of them holds what the database refuses; the others are not to suffer for it.
            Err(StoreError::Refused(_)) if group.len() > 1 => {
                for publication in group {
                    let alone = [publication];
                    let outcome = self.try_commit(&alone).await;
                    answer(alone, &outcome);
                }
            }
            outcome => answer(group, &outcome),
        }
    }

    async fn try_commit(&self, group: &[Publication]) -> Result<(), StoreError> {
        let messages: Arc<[_]> = group
            .iter()
            .flat_map(|publication| publication.messages.iter().cloned())
            .collect();
        if messages.is_empty() {
            return Ok(());
        }
        let rows = self.store.insert(Arc::clone(&messages)).await?;
        self.distribute(&messages, &rows);
        Ok(())
    }

    /// Hands what is committed to its queues and to the live feeds.
    fn distribute(&self, messages: &[Arc<QueuedMessage>], rows: &[Option<i64>]) {
        let mut arrived: [Vec<StoredMessage>; 4] = Default::default();
        for (message, row) in messages.iter().zip(rows) {
            if message.queue == queue_number(Queue::Events) {
                self.feeds.push(&message.body);
            }
            if let Some(row) = *row {
                arrived[usize::from(message.queue)].push(StoredMessage {
                    row,
                    message: Arc::clone(message),
                });
            }
        }
        for (queue, arrived) in Queue::ALL.into_iter().zip(arrived) {
            if !arrived.is_empty() {
                self.queues.get(queue).arrived(arrived);
            }
        }
    }

    async fn relocate(&self, id: Uuid) -> Result<bool, StoreError> {
        let Some(letter) = self.store.find_dead_letter(id).await? else {
            return Ok(false);
        };
        let to = back(&letter);
        let Some(moved) = self.store.relocate(to).await? else {
            return Ok(false);
        };
        self.queues.get(Queue::DeadLetter).removed(letter.row);
        if moved.message.queue == queue_number(Queue::Events) {
            self.feeds.push(&moved.message.body);
        }
        self.queues.numbered(moved.message.queue).arrived(vec![moved]);
        Ok(true)
    }
}

fn answer(group: impl IntoIterator<Item = Publication>, outcome: &Result<(), StoreError>) {
    let answer = match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(PublishError::Unavailable(cause(error))),
    };
    for publication in group {
        publication.answer(answer.clone());
    }
}

/// The way of a dead letter back to the queue that it was taken from, without the headers it got as a dead letter.
fn back(letter: &StoredMessage) -> Move {
    let mut headers = super::durable::headers_of(&letter.message);
    let from = headers.remove(names::HEADER_QUEUE);
    headers.remove(names::HEADER_REASON);
    headers.remove(names::HEADER_DETAIL);
    let queue = Queue::ALL
        .into_iter()
        .find(|queue| *queue != Queue::DeadLetter && from.as_deref() == Some(queue.name()))
        .unwrap_or(Queue::Work);
    Move {
        row: letter.row,
        queue: queue_number(queue),
        routing_key: queue.name(),
        headers: headers_text(&headers),
        enqueued_at: Timestamp::now(),
    }
}

/// Headers as they are stored: none where there are none.
pub(super) fn headers_text(headers: &Headers) -> Option<String> {
    // A map of texts can always be written.
    (!headers.is_empty())
        .then(|| serde_json::to_string(headers).ok())
        .flatten()
}
