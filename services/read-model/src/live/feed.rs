//! Follows the spine's live feed and shares what it brings.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use odd_contracts::{EventType, Timestamp};
use odd_spine::{LiveFeed, Spine, SpineError};

use super::frame::{self, Head};
use super::hub::{Hub, LiveEvent, StreamFilter, Subscription};
use super::recent::SeenIds;
use super::window::{Figures, Outcomes, Window};

/// Messages that the spine keeps while this process is busy.
const FEED_CAPACITY: usize = 256;
/// Time between the first two tries to subscribe again; doubled with each further one, and half of it random.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Longest time between two tries.
const LAST_RETRY: Duration = Duration::from_secs(3);
/// Longest wait for the first subscription; a role that starts without its spine goes on without it.
const FIRST_LIMIT: Duration = Duration::from_secs(1);

/// What is known from the live feed, and the streams that listen to it.
#[derive(Debug)]
pub(crate) struct Live {
    hub: Hub,
    state: Mutex<State>,
    stream_capacity: usize,
}

#[derive(Debug)]
struct State {
    seen: SeenIds,
    window: Window,
}

impl Live {
    /// Nothing seen yet. Each stream keeps at most `stream_capacity` events for a slow client.
    pub(crate) fn new(stream_capacity: usize) -> Self {
        Self {
            hub: Hub::default(),
            state: Mutex::new(State {
                seen: SeenIds::new(),
                window: Window::new(),
            }),
            stream_capacity,
        }
    }

    /// Opens a stream.
    pub(crate) fn subscribe(&self, filter: StreamFilter) -> Subscription {
        self.hub.subscribe(filter, self.stream_capacity)
    }

    /// Throughput and latency.
    pub(crate) fn figures(&self, now: Timestamp) -> Figures {
        self.state().window.figures(now)
    }

    /// How the jobs of the last five minutes ended.
    pub(crate) fn outcomes(&self, now: Timestamp) -> Outcomes {
        self.state().window.outcomes(now)
    }

    /// Takes in a message of the live feed: events not seen before go to the statistics and the streams.
    pub(crate) fn absorb(&self, body: &Bytes, now: Timestamp) {
        let lines = frame::lines(body);
        let listened = !self.hub.is_empty();
        let mut events = Vec::with_capacity(if listened { lines.len() } else { 0 });
        let mut state = self.state();
        for line in &lines {
            let Some(head) = frame::head(line) else {
                tracing::debug!(bytes = line.len(), "a line of the live feed is no envelope");
                continue;
            };
            if state.note(&head, now) && listened {
                events.push(LiveEvent {
                    event_type: head.event_type,
                    job_id: head.job_id(),
                    frame: frame::frame(&head, line),
                });
            }
        }
        drop(state);
        self.hub.publish(&events);
    }

    /// Tells every stream that the feed itself lost messages, of at least one event each.
    fn note_lost(&self, messages: u64) {
        tracing::warn!(
            messages,
            "the live feed dropped messages: this process is too slow"
        );
        self.hub.note_dropped(messages);
    }

    /// Tells every stream that something may have happened while the feed was away, so that it does not take silence
    /// for peace.
    fn note_gap(&self) {
        tracing::info!("the live feed is back");
        self.hub.note_dropped(1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave counts half-changed, so that a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes an event into the statistics; false where it was seen before.
    fn note(&mut self, head: &Head<'_>, now: Timestamp) -> bool {
        if head.event_type == EventType::Created
            && let Some(job) = head.job_id()
        {
            // Also where it was seen: a processor publishes it again right before the job ends, when a long
            // queue may have pushed it out of memory.
            self.window.note_published(job, head.occurred_at);
        }
        if !self.seen.insert(head.event_id) {
            return false;
        }
        if head.event_type.is_terminal()
            && let Some(job) = head.job_id()
        {
            self.window
                .note_ended(head.event_type, job, head.occurred_at, now);
        }
        true
    }
}

/// The first subscription, made before anybody can open a stream, so that a stream that is open misses
/// nothing. None where the spine is away.
pub(crate) async fn subscribe(spine: &dyn Spine) -> Option<Box<dyn LiveFeed>> {
    match tokio::time::timeout(FIRST_LIMIT, spine.live(FEED_CAPACITY)).await {
        Ok(feed) => feed.ok(),
        Err(_) => None,
    }
}

/// Follows the live feed until the spine is closed; subscribes again whenever the feed breaks.
pub(crate) async fn follow(spine: Arc<dyn Spine>, live: Arc<Live>, first: Option<Box<dyn LiveFeed>>) {
    let mut next = first.map(Ok);
    let mut retry = FIRST_RETRY;
    let mut followed = false;
    loop {
        let feed = match next.take() {
            Some(first) => first,
            None => spine.live(FEED_CAPACITY).await,
        };
        let error = match feed {
            Ok(feed) => {
                if followed {
                    live.note_gap();
                }
                (followed, retry) = (true, FIRST_RETRY);
                drain(feed, &live).await
            }
            Err(error) => error,
        };
        if matches!(error, SpineError::Closed) {
            return;
        }
        tracing::debug!(%error, "the live feed is away");
        tokio::time::sleep(retry.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        retry = (2 * retry).min(LAST_RETRY);
    }
}

async fn drain(mut feed: Box<dyn LiveFeed>, live: &Live) -> SpineError {
    let mut lost = 0;
    loop {
        match feed.next().await {
            Ok(body) => live.absorb(&body, Timestamp::now()),
            Err(error) => {
                tracing::warn!(%error, "the live feed broke");
                return error;
            }
        }
        let dropped = feed.dropped();
        if dropped > lost {
            live.note_lost(dropped - lost);
            lost = dropped;
        }
    }
}

#[cfg(test)]
mod tests {
    use odd_contracts::{EventEnvelope, Producer};
    use uuid::Uuid;

    use super::*;

    fn event(event_type: EventType, job: u128, at: Timestamp) -> EventEnvelope {
        let job = Uuid::from_u128(job);
        EventEnvelope {
            contract_version: "1.1.0".to_owned(),
            event_type,
            event_id: odd_contracts::ids::event_id(job, event_type, 0),
            occurred_at: at,
            producer: Producer {
                service: "s".to_owned(),
                instance_id: "i".to_owned(),
                version: "1".to_owned(),
            },
            correlation_id: "c".to_owned(),
            idempotency_key: job.to_string(),
            payload: serde_json::from_value(serde_json::json!({"id": job, "type": "hello"})).unwrap(),
            sequence: None,
            causation_id: None,
            traceparent: None,
        }
    }

    fn body(events: &[EventEnvelope]) -> Bytes {
        let lines: Vec<_> = events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap())
            .collect();
        lines.join("\n").into()
    }

    #[tokio::test]
    async fn an_event_that_comes_twice_is_seen_once() {
        let live = Live::new(10);
        let stream = live.subscribe(StreamFilter::default());
        let now = Timestamp::now();
        let created = event(EventType::Created, 1, now.minus(Duration::from_millis(250)));
        let failed = event(EventType::Failed, 1, now);
        live.absorb(&body(std::slice::from_ref(&created)), now);
        live.absorb(&body(&[created, failed.clone()]), now);
        live.absorb(&body(&[failed]), now);
        assert_eq!(stream.next().await.frames.len(), 2);
        assert_eq!(live.outcomes(now), Outcomes { ended: 1, failed: 1 });
        let latency = live.figures(now).latency.unwrap();
        assert!((latency.max - 250.0).abs() < 3.0, "{latency:?}");
    }

    #[tokio::test]
    async fn garbage_is_passed_over() {
        let live = Live::new(10);
        let stream = live.subscribe(StreamFilter::default());
        let now = Timestamp::now();
        live.absorb(&Bytes::from_static(b"\xff\x00 no json\n{}\n"), now);
        live.absorb(&body(&[event(EventType::Completed, 1, now)]), now);
        assert_eq!(stream.next().await.frames.len(), 1);
    }
}
