//! What this processor has in hand: the jobs that it runs, their claims and their messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use odd_contracts::JobId;
use odd_spine::{Acknowledger, DeliveryTag};
use odd_store::ClaimToken;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Acknowledges one delivery, once, whoever comes first.
pub(crate) struct Message {
    received: Instant,
    handle: Mutex<Option<(Arc<dyn Acknowledger>, DeliveryTag)>>,
}

impl Message {
    /// The message of a delivery that just came.
    pub(crate) fn new(acknowledger: Arc<dyn Acknowledger>, tag: DeliveryTag) -> Arc<Self> {
        Arc::new(Self {
            received: Instant::now(),
            handle: Mutex::new(Some((acknowledger, tag))),
        })
    }

    /// When it came.
    pub(crate) fn received(&self) -> Instant {
        self.received
    }

    fn take(&self) -> Option<(Arc<dyn Acknowledger>, DeliveryTag)> {
        lock(&self.handle).take()
    }

    fn is_acknowledged(&self) -> bool {
        lock(&self.handle).is_none()
    }
}

/// Acknowledges messages, those of one consumer together. One that cannot be acknowledged comes
/// again, and is then found in the store.
pub(crate) async fn acknowledge(messages: impl IntoIterator<Item = Arc<Message>>) {
    let mut groups: Vec<(Arc<dyn Acknowledger>, Vec<DeliveryTag>)> = Vec::new();
    for (acknowledger, tag) in messages.into_iter().filter_map(|message| message.take()) {
        match groups
            .iter_mut()
            .find(|(_, tags)| tags[0].consumer == tag.consumer)
        {
            Some((_, tags)) => tags.push(tag),
            None => groups.push((acknowledger, vec![tag])),
        }
    }
    for (acknowledger, tags) in groups {
        if let Err(error) = acknowledger.ack(&tags).await {
            tracing::warn!(%error, messages = tags.len(), "messages were not acknowledged; they will come again");
        }
    }
}

/// Stops one execution.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Triggered when the execution shall end.
    pub(crate) token: CancellationToken,
    cancelled: AtomicBool,
}

impl Stop {
    /// Whether the execution ends because somebody asked for the job's cancellation (else its claim is
    /// lost or given back, and its outcome is of no use).
    pub(crate) fn is_cancellation(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

struct Entry {
    token: ClaimToken,
    since: Instant,
    message: Option<Arc<Message>>,
    stop: Arc<Stop>,
}

/// The jobs in hand, from the start of an execution to the commit of its outcome.
#[derive(Default)]
pub(crate) struct InHand {
    entries: Mutex<HashMap<JobId, Entry>>,
    emptied: Notify,
}

impl InHand {
    /// Takes a job in hand.
    pub(crate) fn insert(&self, id: JobId, token: ClaimToken, message: Option<Arc<Message>>) -> Arc<Stop> {
        let stop = Arc::new(Stop {
            token: CancellationToken::new(),
            cancelled: AtomicBool::new(false),
        });
        let entry = Entry {
            token,
            since: Instant::now(),
            message,
            stop: stop.clone(),
        };
        if let Some(former) = self.lock().insert(id, entry) {
            // Only after our own claim ran out: the older execution's outcome would be discarded.
            former.stop.token.cancel();
        }
        stop
    }

    /// Puts a job out of hand, unless it was taken anew meanwhile.
    pub(crate) fn remove(&self, id: JobId, token: ClaimToken) {
        let mut entries = self.lock();
        if entries.get(&id).is_some_and(|entry| entry.token == token) {
            entries.remove(&id);
        }
        if entries.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// Stops the execution of a job because its cancellation was asked for.
    pub(crate) fn cancel(&self, id: JobId) {
        if let Some(entry) = self.lock().get(&id) {
            entry.stop.cancelled.store(true, Ordering::Release);
            entry.stop.token.cancel();
        }
    }

    /// Stops the execution of a job whose claim is lost.
    pub(crate) fn lose(&self, id: JobId, token: ClaimToken) {
        if let Some(entry) = self.lock().get(&id).filter(|entry| entry.token == token) {
            entry.stop.token.cancel();
        }
    }

    /// Claims held for at least `age`.
    pub(crate) fn older_than(&self, age: Duration) -> Vec<(JobId, ClaimToken)> {
        let entries = self.lock();
        entries
            .iter()
            .filter(|(_, entry)| entry.since.elapsed() >= age)
            .map(|(id, entry)| (*id, entry.token))
            .collect()
    }

    /// Jobs whose message came at least `age` ago and is not acknowledged.
    pub(crate) fn with_message_older_than(&self, age: Duration) -> Vec<(JobId, ClaimToken, Arc<Message>)> {
        self.lock()
            .iter()
            .filter_map(|(id, entry)| {
                let message = entry.message.as_ref()?;
                let old = message.received.elapsed() >= age && !message.is_acknowledged();
                old.then(|| (*id, entry.token, message.clone()))
            })
            .collect()
    }

    /// Waits until nothing is in hand.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Stops every execution without a verdict, and returns the claims to be given back.
    pub(crate) fn abandon(&self) -> Vec<(JobId, ClaimToken)> {
        self.lock()
            .drain()
            .map(|(id, entry)| {
                entry.stop.token.cancel();
                (id, entry.token)
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        lock(&self.entries)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held leaves a map or an option, both whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
