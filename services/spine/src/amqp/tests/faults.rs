//! Brokers and networks that fail.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use odd_testkit::FaultProxy;
use tokio::task::JoinSet;

use super::*;

/// Publishers and a consumer that go on whatever happens, as roles do.
struct Load {
    spine: Arc<AmqpSpine>,
    confirmed: Mutex<BTreeSet<usize>>,
    delivered: Mutex<BTreeSet<usize>>,
    failures: AtomicUsize,
    resumed: AtomicUsize,
    stopping: AtomicBool,
}

impl Load {
    fn start(spine: &Arc<AmqpSpine>) -> (Arc<Self>, JoinSet<()>, tokio::task::JoinHandle<()>) {
        let load = Arc::new(Self {
            spine: Arc::clone(spine),
            confirmed: Mutex::default(),
            delivered: Mutex::default(),
            failures: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let mut publishers = JoinSet::new();
        for publisher in 0..8 {
            publishers.spawn(Arc::clone(&load).publish(publisher));
        }
        let consumer = tokio::spawn(Arc::clone(&load).consume());
        (load, publishers, consumer)
    }

    async fn publish(self: Arc<Self>, publisher: usize) {
        for round in 0.. {
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            let numbers = (0..4).map(|place| (round * 8 + publisher) * 4 + place);
            let messages = numbers
                .clone()
                .map(|number| message(Route::Work, number))
                .collect();
            let results = within("publishing", self.spine.publish(messages)).await;
            let failed = results.iter().filter(|result| result.is_err()).count();
            let confirmed = numbers.zip(results).filter(|(_, result)| result.is_ok());
            self.confirmed
                .lock()
                .unwrap()
                .extend(confirmed.map(|(number, _)| number));
            if failed > 0 {
                self.failures.fetch_add(failed, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn consume(self: Arc<Self>) {
        loop {
            let Ok(mut consumer) = self.spine.consume(Queue::Work, 100).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            self.resumed.fetch_add(1, Ordering::Relaxed);
            while let Ok(deliveries) = consumer.next(50).await {
                let numbers = deliveries.iter().map(|delivery| number(&delivery.body));
                self.delivered.lock().unwrap().extend(numbers);
                if consumer.acknowledger().ack(&tags(&deliveries)).await.is_err() {
                    break;
                }
            }
        }
    }

    fn confirmed(&self) -> usize {
        self.confirmed.lock().unwrap().len()
    }

    /// Waits until publishing and consuming go on.
    async fn flows(&self) {
        let (confirmed, delivered) = (self.confirmed(), self.delivered.lock().unwrap().len());
        wait_for(
            Duration::from_secs(120),
            "publishing and consuming to go on",
            || async {
                let flowing = self.confirmed() > confirmed + 200
                    && self.delivered.lock().unwrap().len() > delivered + 200;
                flowing.then_some(())
            },
        )
        .await;
    }

    /// Ends the publishers; everything that was confirmed must be delivered.
    async fn finish(&self, mut publishers: JoinSet<()>, consumer: tokio::task::JoinHandle<()>) {
        self.stopping.store(true, Ordering::Release);
        while let Some(ended) = within("the publishers to end", publishers.join_next()).await {
            ended.unwrap();
        }
        wait_for(DEADLINE, "every confirmed message", || async {
            let confirmed = self.confirmed.lock().unwrap();
            confirmed.is_subset(&self.delivered.lock().unwrap()).then_some(())
        })
        .await;
        consumer.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_the_broker_is_killed_restarted_or_paused() {
    let host = servers::dedicated::rabbitmq().await;
    let spine = AmqpSpine::new(AmqpOptions {
        confirm_timeout: Duration::from_secs(3),
        ..options(&host)
    });
    ready(&spine).await;
    let (load, publishers, consumer) = Load::start(&spine);
    load.flows().await;

    let container = host.container();
    container.kill().await;
    wait_for(DEADLINE, "publishing to fail", || async {
        (load.failures.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    let refused = publish(&spine, message(Route::Control, 1)).await;
    assert!(
        matches!(refused, Err(PublishError::Unavailable(_))),
        "{refused:?}"
    );
    container.start().await;
    load.flows().await;

    container.restart().await;
    load.flows().await;

    container.pause().await;
    let late = publish(&spine, message(Route::Control, 2)).await;
    assert!(late.is_err(), "nobody could confirm it");
    container.unpause().await;
    load.flows().await;

    assert!(
        load.resumed.load(Ordering::Relaxed) >= 3,
        "the consumer consumed anew"
    );
    load.finish(publishers, consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_connections_are_closed() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let (load, publishers, consumer) = Load::start(&spine);
    let mut feed = spine.live(10).await.unwrap();
    for _ in 0..3 {
        load.flows().await;
        wait_for(DEADLINE, "connections to close", || async {
            (close_connections(&host).await > 0).then_some(())
        })
        .await;
    }
    load.flows().await;
    let ended = within("the feed to end", feed.next()).await.unwrap_err();
    assert!(matches!(ended, SpineError::Unavailable(_)), "{ended}");
    load.finish(publishers, consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_the_network_is_cut() {
    let host = servers::rabbitmq().await;
    let (proxy, url) = FaultProxy::before(&host.url).await;
    let spine = AmqpSpine::new(AmqpOptions {
        url,
        ..options(&host)
    });
    ready(&spine).await;
    let (load, publishers, consumer) = Load::start(&spine);
    for _ in 0..5 {
        load.flows().await;
        proxy.cut().await;
        let failed = wait_for(Duration::from_secs(5), "publishing to fail at once", || async {
            publish(&spine, message(Route::Control, 1)).await.err()
        })
        .await;
        assert!(matches!(failed, PublishError::Unavailable(_)), "{failed}");
        proxy.resume().await;
    }
    load.flows().await;
    load.finish(publishers, consumer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_is_found_out() {
    let host = servers::rabbitmq().await;
    let (proxy, url) = FaultProxy::before(&host.url).await;
    let spine = AmqpSpine::new(AmqpOptions {
        heartbeat: Duration::from_secs(3),
        confirm_timeout: Duration::from_secs(1),
        url,
        ..options(&host)
    });
    ready(&spine).await;
    publish(&spine, message(Route::Work, 1)).await.unwrap();
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    collect(&mut *consumer, 1).await;
    proxy.half_open().await;
    let late = publish(&spine, message(Route::Work, 2)).await;
    assert!(matches!(late, Err(PublishError::Unconfirmed)), "{late:?}");
    assert!(within("a ping", spine.ping()).await.is_err());
    // By the missing heartbeats alone: nothing is ever asked on the consumer's channel.
    let ended = within("the consumer to end", consumer.next(1)).await.unwrap_err();
    assert!(matches!(ended, SpineError::Unavailable(_)), "{ended}");
    drop(consumer);
    proxy.resume().await;
    ready(&spine).await;
    wait_for(DEADLINE, "publishing again", || async {
        publish(&spine, message(Route::Work, 3)).await.ok()
    })
    .await;
    // The first was never acknowledged; the broker finds out itself, too, that its consumer is gone.
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let mut seen = BTreeSet::new();
    while !(seen.contains(&1) && seen.contains(&3)) {
        seen.extend(
            collect(&mut *consumer, 1)
                .await
                .iter()
                .map(|delivery| number(&delivery.body)),
        );
    }
}

async fn rabbitmqctl(host: &VirtualHost, arguments: &[&str]) {
    let command = [&["rabbitmqctl"], arguments].concat();
    host.container().exec(&command).await;
}

/// Version-dependent: the broker says that it blocks a connection once that publishes, and reads no more from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_short_of_memory_blocks_and_resumes() {
    let host = servers::dedicated::rabbitmq().await;
    let spine = spine(&host).await;
    for number in 0..3 {
        publish(&spine, message(Route::Work, number)).await.unwrap();
    }
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let had = collect(&mut *consumer, 3).await;

    rabbitmqctl(&host, &["set_vm_memory_high_watermark", "absolute", "1"]).await;
    let begun = std::time::Instant::now();
    let reason = wait_for(DEADLINE, "the broker to block", || async {
        match publish(&spine, message(Route::Control, 1)).await {
            Err(PublishError::Blocked(reason)) => Some(reason),
            _ => None,
        }
    })
    .await;
    assert!(reason.contains("memory"), "{reason}");
    assert!(
        begun.elapsed() < options(&host).confirm_timeout,
        "told before confirms are late"
    );
    let begun = std::time::Instant::now();
    for number in 0..100 {
        let refused = publish(&spine, message(Route::Control, number)).await;
        assert!(matches!(refused, Err(PublishError::Blocked(_))), "{refused:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "refused at once");
    // Consumers go on, and it is there.
    consumer.acknowledger().ack(&tags(&had)).await.unwrap();
    await_ready(&spine, Queue::Work, 0).await;
    spine.ping().await.unwrap();

    rabbitmqctl(&host, &["set_vm_memory_high_watermark", "0.6"]).await;
    wait_for(DEADLINE, "the broker to take messages again", || async {
        publish(&spine, message(Route::Events(EventType::Completed), 5))
            .await
            .ok()
    })
    .await;
    drop(consumer);
    await_ready(&spine, Queue::Work, 0).await;
}
