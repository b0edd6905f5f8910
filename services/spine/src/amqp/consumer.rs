//! Consumers and their acknowledgements: one channel each.

use std::collections::HashMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer as RawConsumer};
use odd_contracts::ids;
use tokio::time::timeout;
use uuid::Uuid;

use super::giveback::GivingBack;
use super::link::Link;
use super::session::Session;
use super::tags::{Unacknowledged, Words};
use super::{codec, failure};
use crate::port::{Acknowledger, Consumer, Delivery, DeliveryTag, Queue, SpineError};

/// Most unacknowledged deliveries that a quorum queue lets a consumer have.
const MAX_PREFETCH: usize = 2000;

/// A consumer of one queue.
pub(super) struct AmqpConsumer {
    link: Link,
    queue: Queue,
    deliveries: RawConsumer,
    /// Why there will be no more deliveries, once that is known.
    ended: Option<String>,
    hold: Arc<Hold>,
    giving_back: GivingBack,
}

impl AmqpConsumer {
    /// Consumes a queue on a channel of its own. A queue that somebody removed is declared again.
    pub(super) async fn open(
        link: &Link,
        giving_back: &GivingBack,
        queue: Queue,
        prefetch: usize,
    ) -> Result<Self, SpineError> {
        giving_back.finished().await;
        let session = link.session().await?;
        let prefetch = prefetch.clamp(1, MAX_PREFETCH);
        let prefetch = u16::try_from(prefetch).unwrap_or(u16::MAX);
        let (channel, deliveries) = match consume(&session, queue, prefetch).await {
            Ok(opened) => opened,
            Err(failure) => {
                session.mend(failure).await?;
                consume(&session, queue, prefetch).await?
            }
        };
        Ok(Self {
            link: link.clone(),
            queue,
            deliveries,
            ended: None,
            hold: Arc::new(Hold::new(channel, session.answer_timeout())),
            giving_back: giving_back.clone(),
        })
    }

    /// Hands out a delivery; none where it repeats a dead letter that is in hand.
    fn take(&self, raw: lapin::message::Delivery) -> Option<Delivery> {
        let delivery = codec::delivery(raw, self.queue, self.hold.consumer);
        self.hold.hand_out(&delivery).then_some(delivery)
    }

    fn failed(&self, reason: String) -> SpineError {
        if self.link.is_closed() {
            SpineError::Closed
        } else {
            SpineError::Unavailable(reason)
        }
    }
}

async fn consume(
    session: &Session,
    queue: Queue,
    prefetch: u16,
) -> Result<(Channel, RawConsumer), SpineError> {
    let channel = session.channel().await?;
    let limited = channel.basic_qos(prefetch, BasicQosOptions::default());
    session.answer(limited).await?;
    let consuming = channel.basic_consume(
        queue.name().into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let deliveries = session.answer(consuming).await?;
    Ok((channel, deliveries))
}

impl Drop for AmqpConsumer {
    fn drop(&mut self) {
        if let Some(channel) = self.hold.let_go() {
            self.giving_back.close(channel, self.deliveries.clone());
        }
    }
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, SpineError> {
        let mut deliveries = Vec::new();
        while deliveries.is_empty() {
            // What is still at hand of a lost connection was given back by the broker.
            if !self.hold.is_open() {
                let reason = self.ended.clone();
                return Err(self.failed(reason.unwrap_or_else(|| "the connection was lost".to_owned())));
            }
            if let Some(reason) = &self.ended {
                return Err(self.failed(reason.clone()));
            }
            let mut next = self.deliveries.next().await;
            // From here on nothing is awaited, so that nothing is lost when the caller stops waiting.
            loop {
                match next {
                    Some(Ok(raw)) => deliveries.extend(self.take(raw)),
                    Some(Err(error)) => self.ended = Some(failure::told(&error)),
                    None => {
                        self.ended = Some(format!(
                            "the broker ended the consumer of the queue {}",
                            self.queue.name()
                        ));
                    }
                }
                if deliveries.len() >= max || self.ended.is_some() {
                    break;
                }
                match self.deliveries.next().now_or_never() {
                    Some(more) => next = more,
                    None => break,
                }
            }
        }
        Ok(deliveries)
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::clone(&self.hold) as Arc<dyn Acknowledger>
    }
}

/// The channel of a consumer and what it has unacknowledged, shared with the handles that acknowledge.
struct Hold {
    /// Tells consumers of this process apart, and with them connections.
    consumer: u64,
    answer_timeout: Duration,
    state: Mutex<State>,
}

struct State {
    /// None once the consumer is dropped: its deliveries are given back, and its tags mean nothing any more.
    channel: Option<Channel>,
    unacknowledged: Unacknowledged,
    /// The dead letters in hand, by id.
    letters: HashMap<Uuid, u64>,
}

type Writing = Pin<Box<dyn Future<Output = lapin::Result<()>> + Send>>;

/// What to do with deliveries.
#[derive(Clone, Copy)]
enum Verdict {
    Acknowledge,
    GiveBack,
}

impl Hold {
    fn new(channel: Channel, answer_timeout: Duration) -> Self {
        static CONSUMERS: AtomicU64 = AtomicU64::new(1);
        Self {
            consumer: CONSUMERS.fetch_add(1, Ordering::Relaxed),
            answer_timeout,
            state: Mutex::new(State {
                channel: Some(channel),
                unacknowledged: Unacknowledged::default(),
                letters: HashMap::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        let state = self.lock();
        state
            .channel
            .as_ref()
            .is_some_and(|channel| channel.status().connected())
    }

    /// Takes the channel away: from now on nothing is acknowledged.
    fn let_go(&self) -> Option<Channel> {
        self.lock().channel.take()
    }

    /// Notes a delivery as unacknowledged. False where it repeats a dead letter in hand: then it is removed
    /// from the queue, since who reads dead letters is to see each once.
    fn hand_out(&self, delivery: &Delivery) -> bool {
        let mut state = self.lock();
        let number = delivery.tag.number;
        state.unacknowledged.insert(number);
        if delivery.queue != Queue::DeadLetter || state.is_first_letter(delivery) {
            return true;
        }
        let words = state.unacknowledged.take([number].into_iter());
        // Written with the first poll already. Where the connection is lost instead, it comes again with the other.
        drop(state.say(words, Verdict::Acknowledge));
        false
    }

    async fn settle(&self, tags: &[DeliveryTag], verdict: Verdict) -> Result<(), SpineError> {
        let writings = {
            let mut state = self.lock();
            if state.channel.is_none() {
                return Err(SpineError::Closed);
            }
            let own = tags.iter().filter(|tag| tag.consumer == self.consumer);
            let words = state.unacknowledged.take(own.map(|tag| tag.number));
            state.say(words, verdict)
        };
        let written = async {
            for writing in writings {
                writing.await?;
            }
            Ok(())
        };
        match timeout(self.answer_timeout, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let error: lapin::Error = error;
                Err(SpineError::Unavailable(failure::told(&error)))
            }
            Err(_) => Err(SpineError::Unavailable("the broker takes nothing".to_owned())),
        }
    }
}

impl State {
    /// Whether no copy of this dead letter is in hand. Only what has the id that its bytes imply is compared.
    fn is_first_letter(&mut self, delivery: &Delivery) -> bool {
        let id = ids::dead_letter_id(&delivery.body);
        if delivery.message_id.as_deref() != Some(id.to_string().as_str()) {
            return true;
        }
        let Self {
            unacknowledged,
            letters,
            ..
        } = self;
        letters.retain(|_, number| unacknowledged.contains(*number));
        if letters.contains_key(&id) {
            return false;
        }
        letters.insert(id, delivery.tag.number);
        true
    }

    /// Puts words to the broker in the line to the socket, in the order in which they were found: with `up_to`
    /// a later one would name what the earlier one has named already.
    fn say(&self, words: Words, verdict: Verdict) -> Vec<Writing> {
        let Some(channel) = &self.channel else {
            return Vec::new();
        };
        let up_to = words.up_to.map(|number| (number, true));
        let single = words.single.into_iter().map(|number| (number, false));
        up_to
            .into_iter()
            .chain(single)
            .filter_map(|(number, multiple)| {
                let mut writing = write(channel.clone(), number, multiple, verdict);
                match writing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Ok(())) => None,
                    Poll::Ready(Err(error)) => Some(Box::pin(ready(Err(error))) as Writing),
                    Poll::Pending => Some(writing),
                }
            })
            .collect()
    }
}

fn write(channel: Channel, number: u64, multiple: bool, verdict: Verdict) -> Writing {
    Box::pin(async move {
        match verdict {
            Verdict::Acknowledge => channel.basic_ack(number, BasicAckOptions { multiple }).await,
            Verdict::GiveBack => {
                let options = BasicNackOptions {
                    multiple,
                    requeue: true,
                };
                channel.basic_nack(number, options).await
            }
        }
    })
}

#[async_trait]
impl Acknowledger for Hold {
    async fn ack(&self, tags: &[DeliveryTag]) -> Result<(), SpineError> {
        self.settle(tags, Verdict::Acknowledge).await
    }

    async fn requeue(&self, tags: &[DeliveryTag]) -> Result<(), SpineError> {
        self.settle(tags, Verdict::GiveBack).await
    }
}
