//! Properties of events and their live feeds.

use super::*;

/// Every subscriber gets every event from its subscription on, besides the durable queue.
pub async fn feeds_events_live(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    publish(&*spine, vec![event(0)]).await;
    let mut feeds = Vec::new();
    for _ in 0..2 {
        feeds.push(
            within("subscribing", spine.live(100))
                .await
                .expect("it lets subscribe"),
        );
    }
    publish(&*spine, (1..5).map(event).collect()).await;
    for feed in &mut feeds {
        for number in 1..5 {
            let next = within("a live event", feed.next()).await.expect("it feeds");
            assert_eq!(next, body(number));
        }
        assert_eq!(feed.dropped(), 0);
    }
    let mut consumer = consume(&*spine, Queue::Events, 100).await;
    assert_eq!(bodies(&collect(&mut *consumer, 5).await), numbered(0..5));
}

/// A slow reader misses the oldest events and never the newest; publishers do not wait for it.
pub async fn drops_the_oldest_for_a_slow_reader(factory: &dyn SpineFactory) {
    const EVENTS: usize = 500;
    let spine = factory.open().await;
    let mut feed = within("subscribing", spine.live(4))
        .await
        .expect("it lets subscribe");
    for number in 0..EVENTS {
        publish(&*spine, vec![event(number)]).await;
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&body(EVENTS - 1)) {
        seen.push(within("a live event", feed.next()).await.expect("it feeds"));
    }
    assert!(
        seen.len() < EVENTS / 2,
        "{} were kept for a reader of 4",
        seen.len()
    );
    let numbers: Vec<usize> = seen
        .iter()
        .map(|seen| {
            (0..EVENTS)
                .position(|n| body(n) == *seen)
                .expect("it was published")
        })
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "out of order: {numbers:?}");
}

/// Work is no event and an event is no work.
pub async fn keeps_work_and_events_apart(factory: &dyn SpineFactory) {
    let spine = factory.open().await;
    let mut feed = within("subscribing", spine.live(10))
        .await
        .expect("it lets subscribe");
    publish_numbers(&*spine, Route::Work, 0..1).await;
    publish_numbers(&*spine, Route::Control, 1..2).await;
    publish(&*spine, vec![event(2)]).await;
    let mut work = consume(&*spine, Queue::Work, 10).await;
    let mut control = consume(&*spine, Queue::Control, 10).await;
    let mut events = consume(&*spine, Queue::Events, 10).await;
    assert_eq!(bodies(&collect(&mut *work, 1).await), numbered([0]));
    assert_eq!(bodies(&collect(&mut *control, 1).await), numbered([1]));
    assert_eq!(bodies(&collect(&mut *events, 1).await), numbered([2]));
    assert_eq!(
        within("a live event", feed.next()).await.expect("it feeds"),
        body(2)
    );
    assert_quiet(&mut *work).await;
    assert_quiet(&mut *events).await;
}
