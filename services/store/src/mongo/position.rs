//! The order of recording.
//!
//! One document of the collection, the *ledger*, hands out positions: an append takes as many as it has events, and in the
//! same update enters itself as open, with its first position; when its events are in, it strikes itself out. Several
//! processes may append at once, and one that took lower positions may be done later.
//!
//! The rule for readers: **read the ledger first, and only then events below the first open append** (below the next free
//! position, where none is open). What is below has been written, or never will be: a reader that goes on behind the last
//! event it saw skips nothing.
//!
//! The bound: an append whose process died leaves its entry behind. Readers wait for it until they have watched it,
//! through a server that answers, for [`MongoOptions::abandoned_after`](super::MongoOptions::abandoned_after); then it is
//! passed, and the next append strikes it out. A request to insert is given up after the time-out of operations, well before
//! that. Only a network or a disk that holds it back for longer could place an event behind a reader's back; it
//! is recorded even so, and counted, since its delivery was not acknowledged and is appended and counted again.
//!
//! No clock takes part: those of other machines may be wrong.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::Result;
use mongodb::options::{Acknowledgment, WriteConcern};
use uuid::Uuid;

use super::document::{LAST_POSITION, Raw};
use super::failure::{DUPLICATE_KEY, code};

/// `_id` of the ledger. It stands among the events so that it is lost exactly when they are.
const LEDGER: &str = "ledger";
/// Free positions left behind the last event where the ledger had to be written anew: appends that have theirs from the
/// lost one may still be under way.
const GAP: i64 = 1_000_000;
/// Most that one look counts towards the time that an entry was watched: between two looks the server may have been away.
const STEP: Duration = Duration::from_secs(2);

/// Own entries that are remembered to be struck out.
const MOST_LEFT: usize = 64;

/// Hands out positions, and tells up to where they can be read.
pub(super) struct Positions {
    ledger: Collection<Document>,
    events: Collection<Raw>,
    abandoned_after: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The next free position as far as this process knows.
    next: Option<i64>,
    /// Appends in progress, and for how long each has been seen.
    watched: HashMap<String, Watch>,
    /// Own entries that could not be struck out.
    left: Vec<String>,
}

struct Watch {
    seen: Duration,
    last: Instant,
}

/// What the ledger says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Horizon {
    /// The first position that may still be written. All below are settled.
    pub(super) settled: i64,
    /// The next free position.
    pub(super) next: i64,
}

/// Positions taken.
pub(super) struct Reserved {
    /// The first of them.
    pub(super) first: i64,
    /// Whether the ledger was written anew: the collection is new, or somebody emptied it.
    pub(super) begun: bool,
}

/// An append's entry in the ledger.
pub(super) struct Entry(String);

impl Entry {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    fn path(token: &str) -> String {
        format!("open.{token}")
    }
}

impl Positions {
    pub(super) fn new(events: &Collection<Raw>, abandoned_after: Duration) -> Self {
        Self {
            ledger: events.clone_with_type(),
            events: events.clone(),
            abandoned_after,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the ledger; none where nothing was ever recorded.
    pub(super) async fn look(&self) -> Result<Option<Horizon>> {
        let ledger = self.ledger.find_one(doc! { "_id": LEDGER }).await?;
        Ok(ledger.map(|ledger| self.judge(&ledger)))
    }

    fn judge(&self, ledger: &Document) -> Horizon {
        let next = ledger.get_i64("next").unwrap_or_default();
        let mut state = self.state();
        state.next = Some(next);
        let open = ledger.get_document("open").ok();
        let open: HashMap<&String, i64> = open
            .into_iter()
            .flatten()
            .filter_map(|(token, first)| Some((token, first.as_i64()?)))
            .collect();
        state.watched.retain(|token, _| open.contains_key(token));
        let now = Instant::now();
        let mut settled = next;
        for (token, first) in open {
            let watch = state.watched.entry(token.clone()).or_insert(Watch {
                seen: Duration::ZERO,
                last: now,
            });
            watch.seen += now.duration_since(watch.last).min(STEP);
            watch.last = now;
            if watch.seen < self.abandoned_after {
                settled = settled.min(first);
            }
        }
        Horizon { settled, next }
    }

    /// Takes positions for so many events.
    pub(super) async fn reserve(&self, entry: &Entry, events: usize) -> Result<Reserved> {
        let mut begun = false;
        loop {
            let known = self.state().next;
            let next = match known {
                Some(next) => next,
                None => match self.look().await? {
                    Some(horizon) => horizon.next,
                    None => {
                        begun = true;
                        self.begin().await?;
                        continue;
                    }
                },
            };
            if self.enter(&entry.0, next, events).await? {
                return Ok(Reserved { first: next, begun });
            }
            // Another process was quicker, or the ledger is gone.
            self.state().next = None;
        }
    }

    async fn enter(&self, token: &str, next: i64, events: usize) -> Result<bool> {
        let behind = next.saturating_add(i64::try_from(events).unwrap_or(LAST_POSITION));
        let mut update = doc! { "$set": { "next": behind, Entry::path(token): next } };
        let struck = self.to_strike();
        if !struck.is_empty() {
            let entries: Document = struck
                .iter()
                .map(|token| (Entry::path(token), Bson::from("")))
                .collect();
            update.insert("$unset", entries);
        }
        let entered = self
            .ledger
            .update_one(doc! { "_id": LEDGER, "next": next }, update)
            .await?
            .matched_count
            == 1;
        if entered {
            let mut state = self.state();
            state.next = Some(behind);
            state.left.retain(|token| !struck.contains(token));
        }
        Ok(entered)
    }

    /// Entries that nobody will strike out but us.
    fn to_strike(&self) -> Vec<String> {
        let state = self.state();
        let abandoned = state.watched.iter();
        let abandoned = abandoned.filter(|(_, watch)| watch.seen >= self.abandoned_after);
        let abandoned = abandoned.map(|(token, _)| token.clone());
        state.left.iter().cloned().chain(abandoned).collect()
    }

    /// Writes the first ledger, or one in the place of one that was lost.
    async fn begin(&self) -> Result<()> {
        let last = self
            .events
            .find_one(doc! { "p": { "$gt": 0_i64 } })
            .sort(doc! { "p": -1 })
            .projection(doc! { "p": 1 })
            .await?;
        let next = match last {
            Some(last) => last.get_i64("p").unwrap_or_default().saturating_add(GAP),
            None => 1,
        };
        let ledger = doc! { "_id": LEDGER, "next": next, "open": {} };
        match self.ledger.insert_one(ledger).await {
            Err(error) if code(&error) != Some(DUPLICATE_KEY) => Err(error),
            _ => Ok(()),
        }
    }

    /// Strikes an append out: its events are in, or never will be.
    pub(super) async fn release(&self, entry: &Entry) -> Result<()> {
        // Need not outlive a crash of the server: what is left then is passed like any entry that was abandoned.
        let lightly = WriteConcern::builder().w(Acknowledgment::Nodes(1)).build();
        self.ledger
            .update_one(
                doc! { "_id": LEDGER },
                doc! { "$unset": { Entry::path(&entry.0): "" } },
            )
            .write_concern(lightly)
            .await
            .map(drop)
    }

    /// Leaves an entry that could not be struck out, or may have come into being, to the next append.
    pub(super) fn leave(&self, entry: Entry) {
        let mut state = self.state();
        // More is left only while the server is away. What is forgotten is passed as abandoned.
        if state.left.len() < MOST_LEFT {
            state.left.push(entry.0);
        }
    }
}
