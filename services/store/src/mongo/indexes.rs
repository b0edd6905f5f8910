//! Indexes: made when the log is first written to, and made again where somebody dropped them.
//!
//! None of them keeps an event from being recorded twice (`_id` does), so recording never waits for one that takes long to
//! build; until it is there, reading is slow.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::Result;
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::document::Raw;
use super::failure::code;

/// Name of the index by which old events are deleted.
const EXPIRY: &str = "expiry";
/// Time until an attempt that failed is repeated.
const RETRY: Duration = Duration::from_secs(2);
const NAMESPACE_NOT_FOUND: i32 = 26;

/// Keeps the indexes there.
pub(super) struct Indexes {
    work: Arc<Work>,
    interval: Duration,
}

struct Work {
    events: Collection<Raw>,
    retention: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When they are to be looked after again; at once where none.
    due: Option<Instant>,
    running: Option<JoinHandle<()>>,
    /// Whether they were seen to be there since the log was opened or begun.
    seen: bool,
}

impl Indexes {
    pub(super) fn new(events: &Collection<Raw>, retention: Option<Duration>, interval: Duration) -> Self {
        Self {
            work: Arc::new(Work {
                events: events.clone(),
                retention,
                state: Mutex::default(),
            }),
            interval,
        }
    }

    /// Looks after them where that is due; waits for it the first time only, and no longer than this.
    pub(super) async fn look_after(&self, limit: Duration) {
        let task = {
            let mut state = self.work.state();
            let is_running = state.running.as_ref().is_some_and(|task| !task.is_finished());
            if is_running || state.due.is_some_and(|due| due > Instant::now()) {
                return;
            }
            state.due = Some(Instant::now() + self.interval);
            let task = tokio::spawn(Arc::clone(&self.work).ensure());
            if state.seen {
                state.running = Some(task);
                return;
            }
            task
        };
        let mut task = task;
        if timeout(limit, &mut task).await.is_err() {
            self.work.state().running = Some(task);
        }
    }

    /// The collection was dropped.
    pub(super) fn forget(&self) {
        let mut state = self.work.state();
        state.due = None;
        state.seen = false;
    }

    /// For how long events are kept.
    pub(super) async fn retention(&self) -> Result<Option<Duration>> {
        let expiry = self.work.expiry().await?;
        Ok(expiry.and_then(|index| index.options?.expire_after))
    }
}

impl Drop for Indexes {
    fn drop(&mut self) {
        if let Some(task) = self.work.state().running.take() {
            task.abort();
        }
    }
}

impl Work {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ensure(self: Arc<Self>) {
        let ensured = self.create().await;
        let mut state = self.state();
        match ensured {
            Ok(()) => state.seen = true,
            Err(error) => {
                tracing::warn!(%error, "the indexes of the event log cannot be looked after");
                state.due = Some(Instant::now() + RETRY);
            }
        }
    }

    async fn create(&self) -> Result<()> {
        // A no-op for those that are there.
        self.events.create_indexes(models()).await?;
        self.ensure_expiry().await
    }

    async fn ensure_expiry(&self) -> Result<()> {
        let found = self.expiry().await?;
        let kept = found
            .as_ref()
            .and_then(|index| index.options.as_ref()?.expire_after);
        if kept == self.retention && found.is_some() == self.retention.is_some() {
            return Ok(());
        }
        if found.is_some() {
            self.events.drop_index(EXPIRY).await?;
        }
        if let Some(retention) = self.retention {
            let options = IndexOptions::builder()
                .name(EXPIRY.to_owned())
                .expire_after(retention)
                .build();
            let model = IndexModel::builder()
                .keys(doc! { "x": 1 })
                .options(options)
                .build();
            self.events.create_index(model).await?;
        }
        Ok(())
    }

    async fn expiry(&self) -> Result<Option<IndexModel>> {
        let indexes = match self.events.list_indexes().await {
            Ok(indexes) => indexes,
            Err(error) if code(&error) == Some(NAMESPACE_NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error),
        };
        let indexes: Vec<IndexModel> = indexes.try_collect().await?;
        let is_expiry = |index: &IndexModel| {
            index.options.as_ref().and_then(|options| options.name.as_deref()) == Some(EXPIRY)
        };
        Ok(indexes.into_iter().find(is_expiry))
    }
}

/// Few, because each costs something with every event.
fn models() -> [IndexModel; 4] {
    [
        // The feed. Type by type where it is frequent, without reading the documents of others.
        index("feed", doc! { "p": 1, "t": 1 }, false),
        index("correlation", doc! { "c": 1, "p": 1 }, false),
        // The two hold few events.
        index("rare", doc! { "r": 1 }, true),
        index("dead_letters", doc! { "d": 1 }, true),
    ]
}

fn index(name: &str, keys: Document, sparse: bool) -> IndexModel {
    let options = IndexOptions::builder()
        .name(name.to_owned())
        .sparse(sparse.then_some(true))
        .build();
    IndexModel::builder().keys(keys).options(options).build()
}
