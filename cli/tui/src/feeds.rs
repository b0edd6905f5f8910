//! What the system tells by itself: the live stream of events, and figures that are asked for again and again because nothing
//! pushes them. Each in a task of its own, patient with a read-model that is away.

use std::time::Duration;

use futures::StreamExt;
use odd_client::ReadModel;
use odd_contracts::EventEnvelope;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::effect::Feed;
use crate::runner::Message;
use crate::world::{Failure, Stream};

/// How often the overview and the figures are asked for.
const OFTEN: Duration = Duration::from_secs(1);
/// How often the alerts are.
const SELDOM: Duration = Duration::from_secs(2);
/// Longest pause while nobody answers.
const LONGEST: Duration = Duration::from_secs(5);
/// First pause before the stream is connected again.
const SHORTEST: Duration = Duration::from_millis(250);
/// Most events that are handed over together: what arrives faster than it is taken is coalesced.
const TOGETHER: usize = 512;

/// Where messages go.
pub(crate) type Sender = mpsc::Sender<Message>;

/// Starts every feed. They end with the set.
pub(crate) fn start(read_model: &ReadModel, sender: &Sender, now: &'static Notify) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (model, to) = (read_model.clone(), sender.clone());
    tasks.spawn(poll(OFTEN, now, to, move || {
        let model = model.clone();
        async move { Feed::Overview(model.overview().await.map(Box::new).map_err(Failure::from)) }
    }));
    let (model, to) = (read_model.clone(), sender.clone());
    tasks.spawn(poll(OFTEN, now, to, move || {
        let model = model.clone();
        async move { Feed::Stats(model.stats().await.map(Box::new).map_err(Failure::from)) }
    }));
    let (model, to) = (read_model.clone(), sender.clone());
    tasks.spawn(poll(SELDOM, now, to, move || {
        let model = model.clone();
        async move { Feed::Alerts(model.alerts().await.map_err(Failure::from)) }
    }));
    tasks.spawn(stream(read_model.clone(), now, sender.clone()));
    tasks
}

/// Asks again and again, less often while nobody answers; at once when `now` is notified. Ends when nobody listens.
async fn poll<F, Fut>(every: Duration, now: &Notify, to: Sender, ask: F)
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = Feed> + Send,
{
    let mut pause = every;
    loop {
        let feed = ask().await;
        pause = if is_failure(&feed) {
            (pause * 2).min(LONGEST)
        } else {
            every
        };
        if to.send(Message::Feed(feed)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = now.notified() => {}
        }
    }
}

const fn is_failure(feed: &Feed) -> bool {
    matches!(
        feed,
        Feed::Overview(Err(_)) | Feed::Stats(Err(_)) | Feed::Alerts(Err(_))
    )
}

/// Follows the live stream, and connects again whenever it breaks off.
async fn stream(read_model: ReadModel, now: &Notify, to: Sender) {
    let mut pause = SHORTEST;
    loop {
        let failure = match read_model.stream(&[]).await {
            Err(error) => Failure::from(error),
            Ok(live) => {
                pause = SHORTEST;
                if to.send(Message::Feed(Feed::Stream(Stream::Live))).await.is_err() {
                    return;
                }
                match follow(live, &to).await {
                    Some(failure) => failure,
                    None => return,
                }
            }
        };
        if to
            .send(Message::Feed(Feed::Stream(Stream::Away(failure))))
            .await
            .is_err()
        {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = now.notified() => {}
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Hands events over, together what has arrived together. Why it ended; none where nobody listens any more.
async fn follow(live: odd_client::Live, to: &Sender) -> Option<Failure> {
    let mut batches = live.ready_chunks(TOGETHER);
    while let Some(batch) = batches.next().await {
        let mut failure = None;
        let mut events = Vec::with_capacity(batch.len());
        for item in batch {
            match item {
                Ok(event) => events.push(lightened(event)),
                Err(error) => failure = Some(Failure::from(error)),
            }
        }
        if !events.is_empty() && to.send(Message::Feed(Feed::Events(events))).await.is_err() {
            return None;
        }
        if failure.is_some() {
            return failure;
        }
    }
    Some(Failure {
        text: "the read-model ended the stream".to_owned(),
        not_found: false,
    })
}

/// Without what may be a megabyte: no screen shows it from here, and thousands of events may wait.
fn lightened(mut event: EventEnvelope) -> EventEnvelope {
    for heavy in ["payload", "metadata", "result", "error"] {
        event.payload.remove(heavy);
    }
    event
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::stream;
    use odd_client::ClientError;
    use odd_contracts::EventType;
    use odd_contracts::api::AlertList;
    use tokio::time::Instant;

    use super::*;
    use crate::bed;

    fn told(event: u128) -> Result<EventEnvelope, ClientError> {
        Ok(bed::event(event, EventType::Created, 0))
    }

    fn broken() -> Result<EventEnvelope, ClientError> {
        Err(ClientError::Unexpected {
            url: "http://127.0.0.1:8080/stream".to_owned(),
            status: 200,
            detail: "no event".to_owned(),
        })
    }

    /// Events of each message that was sent.
    fn portions(mut messages: mpsc::Receiver<Message>) -> Vec<usize> {
        let mut portions = Vec::new();
        while let Ok(message) = messages.try_recv() {
            let Message::Feed(Feed::Events(events)) = message else {
                panic!("{message:?}");
            };
            portions.push(events.len());
        }
        portions
    }

    #[tokio::test]
    async fn what_arrives_together_is_handed_over_together() {
        let (to, messages) = mpsc::channel(64);
        let ended = follow(Box::pin(stream::iter((0..5_000).map(told))), &to).await;
        assert_eq!(ended.unwrap().text, "the read-model ended the stream");
        let portions = portions(messages);
        assert_eq!(portions.iter().sum::<usize>(), 5_000);
        assert_eq!(portions.len(), 5_000_usize.div_ceil(TOGETHER), "{portions:?}");
    }

    #[tokio::test]
    async fn what_is_heavy_is_left_behind() {
        let mut heavy = bed::event(1, EventType::Created, 0);
        let keys = heavy.payload.len();
        heavy
            .payload
            .insert("payload".to_owned(), "x".repeat(1 << 20).into());
        let (to, mut messages) = mpsc::channel(64);
        follow(Box::pin(stream::iter([Ok(heavy)])), &to).await;
        let Some(Message::Feed(Feed::Events(events))) = messages.recv().await else {
            panic!("no events");
        };
        assert!(events[0].payload.len() <= keys && events[0].job_id().is_some());
        assert!(serde_json::to_string(&events[0]).unwrap().len() < 2_000);
    }

    #[tokio::test]
    async fn what_was_told_before_it_broke_is_not_lost() {
        let (to, messages) = mpsc::channel(64);
        let live = Box::pin(stream::iter([told(1), told(2), broken()]));
        let failure = follow(live, &to).await.unwrap();
        assert!(failure.text.contains("no event"), "{failure:?}");
        assert_eq!(portions(messages), [2]);
    }

    #[tokio::test]
    async fn a_stream_ends_with_the_dashboard() {
        let (to, messages) = mpsc::channel(64);
        drop(messages);
        let live = Box::pin(stream::iter([told(1)]).chain(stream::pending()));
        assert_eq!(follow(live, &to).await, None);
    }

    /// Seconds at which alerts were asked for, while they fail or do not, and `now` is told at the second that is given.
    async fn asked(fails: bool, told_at: Option<u64>) -> Vec<u64> {
        static NOW: Notify = Notify::const_new();
        let (to, mut messages) = mpsc::channel(64);
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        let start = Instant::now();
        let polling = tokio::spawn(poll(OFTEN, &NOW, to, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let failure = Failure {
                text: "away".to_owned(),
                not_found: false,
            };
            let answer = if fails {
                Err(failure)
            } else {
                Ok(AlertList::default())
            };
            std::future::ready(Feed::Alerts(answer))
        }));
        if let Some(second) = told_at {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(second)).await;
                NOW.notify_waiters();
            });
        }
        let mut seconds = Vec::new();
        while seconds.len() < 6 {
            messages.recv().await.unwrap();
            seconds.push(start.elapsed().as_secs());
        }
        drop(messages);
        polling.await.unwrap();
        assert!(count.load(Ordering::Relaxed) <= 7, "it ends when nobody listens");
        seconds
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_away_is_asked_less_often_and_at_once_on_request() {
        assert_eq!(asked(false, None).await, [0, 1, 2, 3, 4, 5]);
        assert_eq!(asked(true, None).await, [0, 2, 6, 11, 16, 21]);
        assert_eq!(asked(true, Some(8)).await, [0, 2, 6, 8, 13, 18]);
    }
}
