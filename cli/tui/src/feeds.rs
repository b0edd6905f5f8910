//! What the system tells by itself: the live stream of events, and figures that are asked for again and again because nothing
//! pushes them. Each in a task of its own, patient with a read-model that is away.

use std::time::Duration;

use futures::StreamExt;
use odd_client::ReadModel;
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
    tasks.spawn(stream(read_model.clone(), sender.clone()));
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
async fn stream(read_model: ReadModel, to: Sender) {
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
        sleep(pause).await;
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
                Ok(event) => events.push(event),
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
