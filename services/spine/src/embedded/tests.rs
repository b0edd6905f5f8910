//! The conformance suite with ample and with hardly any memory, and what only this adapter promises.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use odd_contracts::EventType;
use odd_store::embedded::{Database, OpenError, Options};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{Bounds, EmbeddedSpine};
use crate::conformance::SpineFactory;
use crate::port::{Headers, Message, PublishError, Queue, Route, Spine, SpineError};

const DEADLINE: Duration = Duration::from_secs(30);

struct Factory {
    directory: TempDir,
    bounds: Bounds,
}

impl Factory {
    fn new(bounds: Bounds) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            bounds,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("odd.db")
    }

    fn try_open(&self) -> Result<Database, OpenError> {
        // The compiler cannot tell that the future of `open` is `Send`, as an async trait's must be.
        tokio::task::block_in_place(|| {
            Handle::current().block_on(Database::open(&self.path(), Options::default()))
        })
    }

    /// Opens the database as soon as the tasks of an earlier spine have let go of it.
    async fn database(&self) -> Database {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.try_open() {
                Ok(database) => return database,
                Err(OpenError::Locked(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    async fn spine(&self) -> (Database, Arc<EmbeddedSpine>) {
        let database = self.database().await;
        let spine = EmbeddedSpine::open_with(&database, self.bounds).await.unwrap();
        (database, spine)
    }
}

#[async_trait]
impl SpineFactory for Factory {
    async fn open(&self) -> Arc<dyn Spine> {
        self.spine().await.1
    }
}

mod ample_memory {
    use super::*;
    crate::spine_conformance!(Factory::new(Bounds::default()));
}

mod hardly_any_memory {
    use super::*;
    crate::spine_conformance!(Factory::new(Bounds {
        ready_messages: 8,
        ready_bytes: 200,
        ..Bounds::default()
    }));
}

fn work(number: u128, body: impl Into<Bytes>) -> Message {
    Message {
        route: Route::Work,
        message_id: Uuid::from_u128(number),
        content_type: "application/json".to_owned(),
        headers: Headers::new(),
        body: body.into(),
    }
}

async fn bodies(spine: &dyn Spine, queue: Queue, count: usize) -> Vec<Bytes> {
    let mut consumer = spine.consume(queue, count).await.unwrap();
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let next = tokio::time::timeout(DEADLINE, consumer.next(count))
            .await
            .unwrap();
        bodies.extend(next.unwrap().into_iter().map(|delivery| delivery.body));
    }
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_confirms_and_delivers_nothing_and_is_survived() {
    let factory = Factory::new(Bounds::default());
    let (database, spine) = factory.spine().await;
    spine.publish(vec![work(1, "before")]).await[0].clone().unwrap();
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let before = consumer.next(10).await.unwrap();

    database.limit_pages(1).await.unwrap();
    let event = Message {
        route: Route::Events(EventType::Created),
        ..work(3, vec![7; 1 << 20])
    };
    let mut feed = spine.live(10).await.unwrap();
    // Several callers at once: one group of the writer.
    let (first, second) = tokio::join!(
        spine.publish(vec![work(2, vec![7; 1 << 20]), event.clone()]),
        spine.publish(vec![event])
    );
    for result in first.into_iter().chain(second) {
        match result {
            Err(PublishError::Unavailable(why)) => assert!(why.contains("full"), "{why}"),
            other => panic!("a full disk must not confirm: {other:?}"),
        }
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(100), consumer.next(10))
            .await
            .is_err()
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(10), feed.next())
            .await
            .is_err()
    );

    database.limit_pages(u32::MAX - 1).await.unwrap();
    spine.publish(vec![work(4, "after")]).await[0].clone().unwrap();
    let after = consumer.next(10).await.unwrap();
    assert_eq!(after[0].body, "after");
    consumer
        .acknowledger()
        .ack(&[before[0].tag, after[0].tag])
        .await
        .unwrap();
    drop((consumer, spine, database, feed));
    let (_, spine) = factory.spine().await;
    let depth = &spine.depths().await.unwrap()[0];
    assert_eq!(
        (depth.ready, depth.unacknowledged),
        (0, 0),
        "nothing of the failed publications was stored"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_to_queue_without_bound_for_the_writer() {
    let factory = Factory::new(Bounds {
        waiting_messages: 10,
        ..Bounds::default()
    });
    let (_database, spine) = factory.spine().await;
    let attempts = (0..2000).map(|number| spine.publish(vec![work(number, "x")]));
    let results = futures::future::join_all(attempts).await;
    let blocked = results
        .iter()
        .filter(|result| matches!(result[0], Err(PublishError::Blocked(_))))
        .count();
    let confirmed = results.iter().filter(|result| result[0].is_ok()).count();
    assert_eq!(blocked + confirmed, 2000);
    assert!(blocked > 0 && confirmed >= 10, "{confirmed} confirmed");
    assert_eq!(spine.depths().await.unwrap()[0].ready, confirmed as u64);
    spine.publish(vec![work(1, "y")]).await[0].clone().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_beyond_the_memory_bound_are_rows_only() {
    let factory = Factory::new(Bounds {
        ready_messages: 4,
        ..Bounds::default()
    });
    let (_database, spine) = factory.spine().await;
    let idle = spine.consume(Queue::Work, 1).await.unwrap();
    for number in 0..10 {
        spine.publish(vec![work(number, number.to_string())]).await[0]
            .clone()
            .unwrap();
    }
    let in_memory = spine.queues.get(Queue::Work).in_memory();
    assert!(in_memory <= 4, "{in_memory} in memory");
    let expected: Vec<Bytes> = (0..10).map(|number: u8| number.to_string().into()).collect();
    assert_eq!(bodies(&*spine, Queue::Work, 10).await, expected);
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_its_consumers_and_feeds_when_it_is_dropped() {
    let factory = Factory::new(Bounds::default());
    let (_database, spine) = factory.spine().await;
    let mut consumer = spine.consume(Queue::Work, 1).await.unwrap();
    let mut feed = spine.live(1).await.unwrap();
    let waiting = tokio::spawn(async move { consumer.next(1).await.map(|_| ()) });
    let feeding = tokio::spawn(async move { feed.next().await.map(|_| ()) });
    drop(spine);
    for ended in [waiting, feeding] {
        let outcome = tokio::time::timeout(DEADLINE, ended).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(SpineError::Closed)), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_what_a_slow_feed_missed() {
    let factory = Factory::new(Bounds::default());
    let (_database, spine) = factory.spine().await;
    let mut feed = spine.live(3).await.unwrap();
    for number in 0..10 {
        let event = Message {
            route: Route::Events(EventType::Created),
            ..work(number, number.to_string())
        };
        spine.publish(vec![event]).await[0].clone().unwrap();
    }
    assert_eq!(feed.dropped(), 7);
    assert_eq!(feed.next().await.unwrap(), "7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_fails_leaves_the_delivery_unacknowledged() {
    let factory = Factory::new(Bounds::default());
    let (_database, spine) = factory.spine().await;
    for number in 0..3 {
        spine.publish(vec![work(number, number.to_string())]).await[0]
            .clone()
            .unwrap();
    }
    let queue = Arc::clone(spine.queues.get(Queue::Work));
    let mut consumer = spine.consume(Queue::Work, 2).await.unwrap();
    let mut had = consumer.next(2).await.unwrap();
    if had.len() < 2 {
        had.extend(consumer.next(1).await.unwrap());
    }
    let consumer_id = had[0].tag.consumer;

    // The consumer is still there: it has the delivery again, with the same tag and no room for another.
    let taken = queue.begin_acknowledge(consumer_id, &[had[0].tag]);
    assert_eq!(queue.depth(), (1, 2), "it counts until its row is gone");
    queue.not_acknowledged(consumer_id, taken);
    assert_eq!(queue.depth(), (1, 2));
    consumer.acknowledger().ack(&[had[0].tag]).await.unwrap();
    assert_eq!(queue.depth(), (1, 1));

    // The consumer went meanwhile: the message is delivered to another, in its place.
    let taken = queue.begin_acknowledge(consumer_id, &[had[1].tag]);
    drop(consumer);
    queue.not_acknowledged(consumer_id, taken);
    assert_eq!(bodies(&*spine, Queue::Work, 2).await, ["1", "2"]);
}
