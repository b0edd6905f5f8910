//! The adapter for RabbitMQ: durable quorum queues behind the port.
//!
//! Two connections: one publishes, the other does everything else, since a broker that is short of memory or
//! disk stops reading from connections that publish, and acknowledgements must go on then. Both are kept up
//! in the background, and everything that is durable is declared on each before its first use.
//!
//! A confirmed message is on the broker's disk. What is in flight when a connection ends fails at once; what
//! a consumer has in hand then comes again.

use std::sync::Arc;

use async_trait::async_trait;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use odd_contracts::api::QueueDepth;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;

use crate::port::{Consumer, LiveFeed, Message, PublishError, Queue, Spine, SpineError};
use consumer::AmqpConsumer;
use feed::AmqpFeed;
use giveback::GivingBack;
use link::Link;
use management::Management;
pub use options::AmqpOptions;
use publisher::Publisher;
use requeue::Requeuer;
use session::Session;
use topology::Turn;

mod backoff;
mod codec;
mod consumer;
mod failure;
mod feed;
mod giveback;
mod lane;
mod link;
mod lock;
mod management;
mod options;
mod publisher;
mod requeue;
mod session;
mod socket;
mod tags;
#[cfg(test)]
mod tests;
mod topology;

/// The event spine on RabbitMQ. Its consumers and feeds are closed when it is dropped.
pub struct AmqpSpine {
    publishing: Link,
    consuming: Link,
    publisher: Arc<Publisher>,
    requeuer: Arc<Requeuer>,
    giving_back: GivingBack,
    management: Option<Management>,
    options: Arc<AmqpOptions>,
    /// Its end ends both connections and every task.
    _closing: watch::Sender<()>,
}

impl AmqpSpine {
    /// Starts to connect, and returns at once. Must be called within a Tokio runtime.
    ///
    /// While there is no connection everything fails as unavailable, and tells why: an address that is not
    /// valid, wrong credentials, a missing virtual host, a queue that somebody declared otherwise. Only the
    /// outcome of the very first try is waited for, as long as a question may take.
    pub fn new(options: AmqpOptions) -> Arc<Self> {
        let options = Arc::new(options);
        let (closing, closed) = watch::channel(());
        let turn = Turn::default();
        let publishing = Link::open(&options, "publishing", &turn, closed.clone());
        let consuming = Link::open(&options, "consuming", &turn, closed);
        let publisher = Publisher::open(publishing.clone(), consuming.clone(), &options);
        let publisher = Arc::new(publisher);
        let requeuer = Requeuer {
            link: consuming.clone(),
            publisher: Arc::clone(&publisher),
            turn: Mutex::new(()),
        };
        let vhost = options.uri().map(|uri| uri.vhost).unwrap_or_default();
        let management = options.management_url.as_deref();
        Arc::new(Self {
            giving_back: GivingBack::new(options.answer_timeout),
            management: management.map(|url| Management::new(url, &vhost)),
            publishing,
            consuming,
            publisher,
            requeuer: Arc::new(requeuer),
            options,
            _closing: closing,
        })
    }

    /// Ready messages of these queues.
    async fn ready(&self, queues: &'static [Queue]) -> Result<Vec<u64>, SpineError> {
        let session = self.consuming.session().await?;
        match ready(&session, queues).await {
            Ok(counts) => Ok(counts),
            Err(failure) => {
                session.mend(failure).await?;
                ready(&session, queues).await
            }
        }
    }
}

async fn ready(session: &Session, queues: &[Queue]) -> Result<Vec<u64>, SpineError> {
    let channel = session.channel().await?;
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let mut counts = Vec::with_capacity(queues.len());
    for queue in queues {
        let asked = channel.queue_declare(queue.name().into(), options, FieldTable::default());
        counts.push(u64::from(session.answer(asked).await?.message_count()));
    }
    Ok(counts)
}

#[async_trait]
impl Spine for AmqpSpine {
    fn adapter(&self) -> &'static str {
        "amqp"
    }

    async fn ping(&self) -> Result<(), SpineError> {
        let publishing = async {
            let session = self.publishing.session().await?;
            match session.blocked_reason() {
                // It answers nothing then, but it is there.
                Some(_) => Ok(()),
                None => session.channel().await.map(drop),
            }
        };
        let (publishing, consuming) = tokio::join!(publishing, self.ready(&[Queue::Work]));
        publishing.and(consuming.map(drop))
    }

    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), PublishError>> {
        self.publisher.publish(messages, None).await
    }

    async fn consume(&self, queue: Queue, prefetch: usize) -> Result<Box<dyn Consumer>, SpineError> {
        let opening = AmqpConsumer::open(&self.consuming, &self.giving_back, queue, prefetch);
        Ok(Box::new(opening.await?))
    }

    async fn live(&self, capacity: usize) -> Result<Box<dyn LiveFeed>, SpineError> {
        Ok(Box::new(AmqpFeed::open(&self.consuming, capacity).await?))
    }

    /// What is ready is told by the queues themselves, what is unacknowledged by the management interface, which
    /// counts every few seconds; without one it is 0. The broker does not tell the age of the oldest message.
    async fn depths(&self) -> Result<Vec<QueueDepth>, SpineError> {
        let unacknowledged = async {
            match &self.management {
                Some(management) => {
                    let counts = management.unacknowledged(self.options.answer_timeout).await;
                    counts.map_err(SpineError::Unavailable)
                }
                None => Ok(Default::default()),
            }
        };
        let (ready, unacknowledged) = tokio::join!(self.ready(&Queue::ALL), unacknowledged);
        let (ready, unacknowledged) = (ready?, unacknowledged?);
        let depth = |(queue, ready): (Queue, u64)| QueueDepth {
            name: queue.name().to_owned(),
            ready,
            unacknowledged: unacknowledged.get(queue.name()).copied().unwrap_or(0),
            oldest_ms: None,
        };
        Ok(Queue::ALL.into_iter().zip(ready).map(depth).collect())
    }

    /// Looks through the whole queue; meanwhile its letters are in nobody else's reach. Goes on where the caller
    /// stops waiting, so that a letter that is published again is also removed.
    async fn requeue_dead_letter(&self, id: Uuid) -> Result<bool, SpineError> {
        let requeuer = Arc::clone(&self.requeuer);
        let task = tokio::spawn(async move { requeuer.requeue(id).await });
        task.await.unwrap_or(Err(SpineError::Closed))
    }
}
