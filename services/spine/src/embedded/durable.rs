//! One durable queue in memory: what is ready, who has what, and how much exists as rows only.
//!
//! Row numbers are the order of the queue. Everything up to the row `tail` is in memory (ready, in a
//! consumer's hands, or being deleted); everything behind it exists as rows only and is counted in
//! `behind`. So nothing is reordered, lost or delivered to two consumers, however the memory bound cuts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odd_store::StoreError;
use odd_store::embedded::queue::{MessageQueue, QueuedMessage, StoredMessage};
use tokio::sync::Notify;

use super::{Bounds, cause, queue_number};
use crate::port::{Delivery, DeliveryTag, Headers, Queue, SpineError};

/// A durable queue.
pub(super) struct DurableQueue {
    queue: Queue,
    store: MessageQueue,
    bounds: Bounds,
    /// Rows up to this one were there at the start; a consumer of an earlier process may have had them.
    last_row_at_start: i64,
    state: Mutex<State>,
}

/// A message in memory.
struct Item {
    row: i64,
    redelivered: bool,
    message: Arc<QueuedMessage>,
}

/// A delivery that is being acknowledged.
pub(super) struct Taken {
    number: u64,
    item: Item,
}

impl Taken {
    pub(super) fn row(&self) -> i64 {
        self.item.row
    }
}

#[derive(Default)]
struct State {
    /// In order of rows.
    ready: VecDeque<Item>,
    ready_bytes: usize,
    /// The last row that is or was in memory.
    tail: i64,
    /// Messages behind the tail. Below zero for a moment, where rows were loaded before their arrival was told.
    behind: i64,
    loading: bool,
    /// Rows behind the tail that went away while a load was under way, which may have seen them.
    gone_while_loading: Vec<i64>,
    /// Why the last load failed, until a consumer was told.
    failure: Option<String>,
    closed: bool,
    consumers: BTreeMap<u64, Member>,
}

/// A consumer.
struct Member {
    prefetch: usize,
    wake: Arc<Notify>,
    waiting: bool,
    next_number: u64,
    /// Delivered and not acknowledged, by number.
    delivered: BTreeMap<u64, Item>,
    /// Being acknowledged.
    acknowledging: usize,
}

impl Member {
    fn room(&self) -> usize {
        self.prefetch
            .saturating_sub(self.delivered.len() + self.acknowledging)
    }

    fn wants_more(&self) -> bool {
        self.waiting && self.room() > 0
    }
}

impl State {
    fn push(&mut self, item: Item) {
        self.tail = self.tail.max(item.row);
        self.ready_bytes += item.message.body.len();
        self.ready.push_back(item);
    }

    /// Puts messages back where they were in the order.
    fn give_back(&mut self, items: impl DoubleEndedIterator<Item = Item>) {
        for mut item in items.rev() {
            item.redelivered = true;
            self.ready_bytes += item.message.body.len();
            let place = self.ready.partition_point(|ready| ready.row < item.row);
            self.ready.insert(place, item);
        }
        self.wake();
    }

    /// Wakes who waits, where there is something to take.
    fn wake(&self) {
        if self.ready.is_empty() && self.failure.is_none() && !self.closed {
            return;
        }
        for member in self.consumers.values().filter(|member| member.waiting) {
            member.wake.notify_one();
        }
    }

    /// How much a consumer may take: all that is at hand within its prefetch, but no more than its share where others wait too.
    fn share(&self, consumer: u64, max: usize) -> usize {
        let room = self.consumers.get(&consumer).map_or(0, Member::room);
        let others = self
            .consumers
            .iter()
            .filter(|(id, member)| **id != consumer && member.wants_more())
            .count();
        self.ready.len().div_ceil(others + 1).min(max.max(1)).min(room)
    }

    fn has_room(&self, bounds: &Bounds) -> bool {
        self.ready.len() < bounds.ready_messages && self.ready_bytes < bounds.ready_bytes
    }
}

impl DurableQueue {
    pub(super) async fn open(
        queue: Queue,
        store: &MessageQueue,
        bounds: Bounds,
    ) -> Result<Arc<Self>, StoreError> {
        let summary = store.summary(queue_number(queue)).await?;
        Ok(Arc::new(Self {
            queue,
            store: store.clone(),
            bounds,
            last_row_at_start: summary.last_row,
            state: Mutex::new(State {
                behind: i64::try_from(summary.messages).unwrap_or(i64::MAX),
                ..State::default()
            }),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages that were committed, in order of rows.
    pub(super) fn arrived(self: &Arc<Self>, messages: Vec<StoredMessage>) {
        let mut state = self.lock();
        for StoredMessage { row, message } in messages {
            // Without a consumer the rows suffice; behind others that are rows only, order demands it.
            let direct = row > state.tail
                && state.behind == 0
                && !state.loading
                && !state.consumers.is_empty()
                && state.has_room(&self.bounds);
            if direct {
                state.push(Item {
                    row,
                    redelivered: false,
                    message,
                });
            } else {
                state.behind += 1;
            }
        }
        state.wake();
        self.load_if_low(&mut state);
    }

    /// A message left the queue by another way than an acknowledgement.
    pub(super) fn removed(&self, row: i64) {
        let mut state = self.lock();
        if row > state.tail {
            state.behind -= 1;
            if state.loading {
                state.gone_while_loading.push(row);
            }
        } else if let Ok(place) = state.ready.binary_search_by_key(&row, |item| item.row)
            && let Some(item) = state.ready.remove(place)
        {
            state.ready_bytes -= item.message.body.len();
        }
    }

    /// A consumer comes. It is woken through what is returned.
    pub(super) fn join(self: &Arc<Self>, consumer: u64, prefetch: usize) -> Arc<Notify> {
        let wake = Arc::new(Notify::new());
        let member = Member {
            prefetch: prefetch.max(1),
            wake: Arc::clone(&wake),
            waiting: false,
            next_number: 0,
            delivered: BTreeMap::new(),
            acknowledging: 0,
        };
        let mut state = self.lock();
        state.consumers.insert(consumer, member);
        self.load_if_low(&mut state);
        wake
    }

    /// A consumer goes; what it has not acknowledged goes back to its place in the queue.
    pub(super) fn leave(self: &Arc<Self>, consumer: u64) {
        let mut state = self.lock();
        if let Some(member) = state.consumers.remove(&consumer) {
            state.give_back(member.delivered.into_values());
        }
    }

    /// Delivers what is at hand to a consumer; nothing where it must wait to be woken.
    pub(super) fn take(self: &Arc<Self>, consumer: u64, max: usize) -> Result<Vec<Delivery>, SpineError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.closed {
            return Err(SpineError::Closed);
        }
        if state.ready.is_empty()
            && let Some(failure) = state.failure.take()
        {
            return Err(SpineError::Unavailable(failure));
        }
        let count = state.share(consumer, max);
        let Some(member) = state.consumers.get_mut(&consumer) else {
            return Err(SpineError::Closed);
        };
        member.waiting = count == 0;
        let mut deliveries = Vec::with_capacity(count);
        for item in state.ready.drain(..count) {
            state.ready_bytes -= item.message.body.len();
            member.next_number += 1;
            let tag = DeliveryTag {
                consumer,
                number: member.next_number,
            };
            deliveries.push(self.delivery(tag, &item));
            member.delivered.insert(tag.number, item);
        }
        self.load_if_low(state);
        Ok(deliveries)
    }

    fn delivery(&self, tag: DeliveryTag, item: &Item) -> Delivery {
        Delivery {
            tag,
            redelivered: item.redelivered,
            queue: self.queue,
            message_id: Some(item.message.message_id.to_string()),
            content_type: Some(item.message.content_type.clone()),
            headers: headers_of(&item.message),
            body: item.message.body.clone(),
        }
    }

    /// A consumer no longer waits in `next`.
    pub(super) fn stop_waiting(&self, consumer: u64) {
        if let Some(member) = self.lock().consumers.get_mut(&consumer) {
            member.waiting = false;
        }
    }

    /// Takes deliveries out of their consumer's hands to delete their rows. Unknown tags are ignored.
    pub(super) fn begin_acknowledge(&self, consumer: u64, tags: &[DeliveryTag]) -> Vec<Taken> {
        let mut state = self.lock();
        let Some(member) = state.consumers.get_mut(&consumer) else {
            return Vec::new();
        };
        let taken = take_delivered(member, consumer, tags);
        member.acknowledging += taken.len();
        taken
    }

    /// The rows of that many deliveries are gone.
    pub(super) fn acknowledged(&self, consumer: u64, count: usize) {
        let mut state = self.lock();
        if let Some(member) = state.consumers.get_mut(&consumer) {
            member.acknowledging -= count;
            state.wake();
        }
    }

    /// The rows of these deliveries are still there: back to the consumer, or to the queue where it has gone.
    pub(super) fn not_acknowledged(&self, consumer: u64, taken: Vec<Taken>) {
        let mut state = self.lock();
        match state.consumers.get_mut(&consumer) {
            Some(member) => {
                member.acknowledging -= taken.len();
                member
                    .delivered
                    .extend(taken.into_iter().map(|taken| (taken.number, taken.item)));
            }
            None => state.give_back(taken.into_iter().map(|taken| taken.item)),
        }
    }

    /// Puts deliveries back to their places in the queue. Unknown tags are ignored.
    pub(super) fn requeue(&self, consumer: u64, tags: &[DeliveryTag]) {
        let mut state = self.lock();
        let Some(member) = state.consumers.get_mut(&consumer) else {
            return;
        };
        let taken = take_delivered(member, consumer, tags);
        state.give_back(taken.into_iter().map(|taken| taken.item));
    }

    /// Messages ready and unacknowledged.
    pub(super) fn depth(&self) -> (u64, u64) {
        let state = self.lock();
        let behind = usize::try_from(state.behind).unwrap_or(0);
        let in_hands: usize = state
            .consumers
            .values()
            .map(|member| member.delivered.len() + member.acknowledging)
            .sum();
        ((state.ready.len() + behind) as u64, in_hands as u64)
    }

    /// Ready messages in memory.
    #[cfg(test)]
    pub(super) fn in_memory(&self) -> usize {
        self.lock().ready.len()
    }

    /// Ends every consumer.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wake();
    }

    /// Starts to load rows where few messages are left in memory and somebody wants them.
    fn load_if_low(self: &Arc<Self>, state: &mut State) {
        let low = (self.bounds.ready_messages / 4).min(1024);
        let wanted = state.behind > 0
            && !state.loading
            && !state.closed
            && !state.consumers.is_empty()
            && (state.ready.is_empty()
                || (state.ready.len() < low && state.ready_bytes < self.bounds.ready_bytes / 2));
        if wanted {
            state.loading = true;
            tokio::spawn(Arc::clone(self).load(state.tail, state.behind));
        }
    }

    /// Loads the rows behind `tail`, of which at least `behind` are committed.
    async fn load(self: Arc<Self>, tail: i64, behind: i64) {
        let limit = (self.bounds.ready_messages / 4).clamp(1, 1024);
        let max_bytes = (self.bounds.ready_bytes / 2).max(1);
        let loaded = self
            .store
            .load(queue_number(self.queue), tail, limit, max_bytes)
            .await;
        let mut state = self.lock();
        state.loading = false;
        let gone = std::mem::take(&mut state.gone_while_loading);
        match loaded {
            Ok((messages, exhausted)) => {
                let found = messages.len();
                for StoredMessage { row, message } in messages {
                    if !gone.contains(&row) {
                        state.behind -= 1;
                        let redelivered = row <= self.last_row_at_start;
                        state.push(Item {
                            row,
                            redelivered,
                            message,
                        });
                    }
                }
                if exhausted {
                    self.forget_missing(&mut state, behind, found + gone.len());
                }
                state.failure = None;
                self.load_if_low(&mut state);
            }
            Err(error) => {
                tracing::warn!(queue = self.queue.name(), error = %cause(&error), "cannot load messages");
                state.failure = Some(cause(&error));
            }
        }
        state.wake();
    }

    /// Rows that are counted and not there were deleted behind the spine's back. Counting them for ever would load for ever.
    fn forget_missing(&self, state: &mut State, expected: i64, accounted: usize) {
        let missing = expected - i64::try_from(accounted).unwrap_or(i64::MAX);
        if missing > 0 {
            tracing::error!(
                queue = self.queue.name(),
                missing,
                "messages vanished from the database"
            );
            state.behind -= missing;
        }
    }
}

fn take_delivered(member: &mut Member, consumer: u64, tags: &[DeliveryTag]) -> Vec<Taken> {
    tags.iter()
        .filter(|tag| tag.consumer == consumer)
        .filter_map(|tag| {
            let item = member.delivered.remove(&tag.number)?;
            Some(Taken {
                number: tag.number,
                item,
            })
        })
        .collect()
}

/// The headers of a stored message.
pub(super) fn headers_of(message: &QueuedMessage) -> Headers {
    // Only this crate writes them, so they can be read.
    message
        .headers
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
