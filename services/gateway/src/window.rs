//! The bounded memory of ids that submitters gave, which answers a repeated submission.
//!
//! It is a courtesy, not the guarantee: the first payload that the job store keeps under an id wins, whatever
//! the gateway remembers. What the window adds is an early answer, and no second message for a repetition.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use odd_contracts::ids::PayloadDigest;
use tokio::sync::watch;
use uuid::Uuid;

use crate::publisher::Refusal;

/// How a submission ended: the correlation id it was accepted under, or why it was not.
pub(crate) type Outcome = Result<Arc<str>, Refusal>;

/// Ids with the digest they were submitted with. Holds at most `capacity` confirmed ids, the oldest leave first;
/// those that wait for their confirm come on top and are bounded by the publisher.
#[derive(Debug)]
pub(crate) struct Window {
    entries: Mutex<Entries>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Entries {
    by_id: HashMap<Uuid, Entry>,
    /// Exactly the confirmed ids, oldest first.
    confirmed: VecDeque<Uuid>,
}

#[derive(Debug)]
struct Entry {
    digest: PayloadDigest,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(watch::Receiver<Option<Outcome>>),
    Confirmed(Arc<str>),
}

/// What the window says to a submission.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Nothing is known of the id: publish, then settle the ticket.
    First(Ticket),
    /// The same submission was accepted before, under this correlation id.
    Repeat(Arc<str>),
    /// The same submission waits for its confirm at this moment.
    Racing(Racing),
    /// The id was submitted with another payload.
    Conflict,
}

impl Window {
    /// A window that remembers `capacity` accepted ids.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            capacity,
        })
    }

    /// Asks what is known of the id, and enters it where nothing is.
    pub(crate) fn claim(self: &Arc<Self>, id: Uuid, digest: PayloadDigest) -> Claim {
        let mut entries = self.lock();
        match entries.by_id.get(&id) {
            Some(entry) if entry.digest != digest => Claim::Conflict,
            Some(Entry {
                state: State::Confirmed(correlation_id),
                ..
            }) => Claim::Repeat(Arc::clone(correlation_id)),
            Some(Entry {
                state: State::Waiting(outcome),
                ..
            }) => Claim::Racing(Racing(outcome.clone())),
            None => {
                let (sender, receiver) = watch::channel(None);
                let state = State::Waiting(receiver);
                entries.by_id.insert(id, Entry { digest, state });
                Claim::First(Ticket {
                    window: Arc::clone(self),
                    id,
                    outcome: Some(sender),
                })
            }
        }
    }

    fn confirm(&self, id: Uuid, correlation_id: Arc<str>) {
        let mut entries = self.lock();
        if let Some(entry) = entries.by_id.get_mut(&id) {
            entry.state = State::Confirmed(correlation_id);
            entries.confirmed.push_back(id);
        }
        while entries.confirmed.len() > self.capacity {
            if let Some(oldest) = entries.confirmed.pop_front() {
                entries.by_id.remove(&oldest);
            }
        }
    }

    fn forget(&self, id: Uuid) {
        self.lock().by_id.remove(&id);
    }

    /// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to tell the window how the first submission under an id ended. Dropped without that (its request was
/// given up), the id leaves the window and a racing repetition takes its place.
#[derive(Debug)]
pub(crate) struct Ticket {
    window: Arc<Window>,
    id: Uuid,
    outcome: Option<watch::Sender<Option<Outcome>>>,
}

impl Ticket {
    /// The spine has confirmed it.
    pub(crate) fn confirm(mut self, correlation_id: &str) {
        if let Some(outcome) = self.outcome.take() {
            let correlation_id: Arc<str> = correlation_id.into();
            self.window.confirm(self.id, Arc::clone(&correlation_id));
            outcome.send_replace(Some(Ok(correlation_id)));
        }
    }

    /// It was not accepted.
    pub(crate) fn refuse(mut self, refusal: Refusal) {
        if let Some(outcome) = self.outcome.take() {
            self.window.forget(self.id);
            outcome.send_replace(Some(Err(refusal)));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.outcome.is_some() {
            self.window.forget(self.id);
        }
    }
}

/// Waits for the outcome of the first submission under an id.
#[derive(Debug)]
pub(crate) struct Racing(watch::Receiver<Option<Outcome>>);

impl Racing {
    /// How the first submission ended; none where it was given up, and the id has to be claimed anew.
    pub(crate) async fn outcome(mut self) -> Option<Outcome> {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> PayloadDigest {
        PayloadDigest([n; 32])
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn first(window: &Arc<Window>, n: u128) -> Ticket {
        match window.claim(id(n), digest(1)) {
            Claim::First(ticket) => ticket,
            other => panic!("expected the first claim, got {other:?}"),
        }
    }

    #[test]
    fn a_confirmed_id_repeats_or_conflicts() {
        let window = Window::new(10);
        first(&window, 1).confirm("c-1");
        assert!(matches!(window.claim(id(1), digest(1)), Claim::Repeat(c) if &*c == "c-1"));
        assert!(matches!(window.claim(id(1), digest(2)), Claim::Conflict));
        assert!(matches!(window.claim(id(2), digest(2)), Claim::First(_)));
    }

    #[tokio::test]
    async fn a_racing_repetition_shares_the_outcome() {
        let window = Window::new(10);
        let ticket = first(&window, 1);
        let Claim::Racing(racing) = window.claim(id(1), digest(1)) else {
            panic!("expected a race")
        };
        assert!(matches!(window.claim(id(1), digest(2)), Claim::Conflict));
        ticket.confirm("c-1");
        assert_eq!(racing.outcome().await.unwrap().unwrap().as_ref(), "c-1");
    }

    #[tokio::test]
    async fn a_refused_submission_leaves_the_window() {
        let window = Window::new(10);
        let ticket = first(&window, 1);
        let Claim::Racing(racing) = window.claim(id(1), digest(1)) else {
            panic!("expected a race")
        };
        ticket.refuse(Refusal::Overloaded);
        assert!(matches!(racing.outcome().await, Some(Err(Refusal::Overloaded))));
        drop(first(&window, 1));
    }

    #[tokio::test]
    async fn an_abandoned_submission_frees_its_id() {
        let window = Window::new(10);
        let ticket = first(&window, 1);
        let Claim::Racing(racing) = window.claim(id(1), digest(1)) else {
            panic!("expected a race")
        };
        drop(ticket);
        assert!(racing.outcome().await.is_none());
        drop(first(&window, 1));
    }

    #[test]
    fn the_oldest_confirmed_ids_leave_first() {
        let window = Window::new(3);
        let waiting = first(&window, 100);
        for n in 0..10 {
            first(&window, n).confirm("c");
        }
        for n in 0..7 {
            drop(first(&window, n));
        }
        for n in 7..10 {
            assert!(matches!(window.claim(id(n), digest(1)), Claim::Repeat(_)));
        }
        assert!(matches!(window.claim(id(100), digest(1)), Claim::Racing(_)));
        drop(waiting);
        assert_eq!(window.lock().by_id.len(), 3);
    }
}
