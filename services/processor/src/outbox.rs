//! What follows an execution: its state is committed, then its events are published, then its message is
//! acknowledged. Two tasks, so that one batch is committed while the one before it is published.

use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use odd_contracts::{EventEnvelope, JobId, Timestamp, history};
use odd_runtime::Shutdown;
use odd_runtime::error::chain;
use odd_spine::{Spine, codec};
use odd_store::{ClaimToken, Claimed, Commit, Committed, Due, JobStore};
use tokio::sync::mpsc;

use crate::conclude::{conclude, refuse};
use crate::due::WakeUp;
use crate::executor::Finished;
use crate::hand::{InHand, Message, acknowledge};
use crate::meters::Meters;
use crate::patience::{Patience, out_of_time};
use crate::room::{Held, Room, weigh};

/// Jobs whose outcomes are committed together.
pub(crate) const BATCH: usize = 512;
/// About how many bytes of jobs are committed or published together at most; a single larger one goes alone.
const BATCH_BYTES: usize = 8 << 20;

/// Events to publish, and what their confirmation permits.
pub(crate) struct Publication {
    /// The events, in order.
    pub(crate) events: Vec<EventEnvelope>,
    /// The row to settle: it stands for the events.
    pub(crate) settle: Option<(JobId, ClaimToken)>,
    /// The message to acknowledge.
    pub(crate) message: Option<Arc<Message>>,
    /// The room that it takes.
    pub(crate) held: Held,
}

impl Publication {
    /// The whole history of a job as it is stored.
    pub(crate) fn of_history(claimed: &Claimed, message: Option<Arc<Message>>, room: &Arc<Room>) -> Self {
        let ended = claimed.record.job.status.is_terminal();
        Self {
            events: history::events(&claimed.record, &claimed.attempts),
            settle: (ended && !claimed.backed).then_some((claimed.record.job.id, claimed.token)),
            message,
            held: room.hold(weigh(&claimed.record)),
        }
    }
}

/// Waits for what comes and takes what is at hand behind it, as much as is a batch. Nothing where nobody is left to send.
async fn gather<T>(from: &mut mpsc::Receiver<T>, held: impl Fn(&T) -> &Held) -> Vec<T> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut next = from.recv().await;
    while let Some(item) = next {
        bytes += held(&item).bytes();
        batch.push(item);
        let is_full = batch.len() == BATCH || bytes >= BATCH_BYTES;
        next = if is_full { None } else { from.try_recv().ok() };
    }
    batch
}

/// Commits what has ended.
pub(crate) struct Committer {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) wake_up: Arc<WakeUp>,
    pub(crate) publications: mpsc::Sender<Publication>,
    pub(crate) lease: Duration,
    pub(crate) shutdown: Shutdown,
}

impl Committer {
    /// Runs until every executor is gone.
    pub(crate) async fn run(self, mut finished: mpsc::Receiver<Finished>) {
        loop {
            let batch = gather(&mut finished, |ended| &ended.held).await;
            if batch.is_empty() {
                return;
            }
            fail_point!("processor.after_execute", |_| std::process::abort());
            let jobs = batch.len();
            tokio::select! {
                () = self.commit(batch) => {}
                // They run once more, when their claims have run out.
                () = out_of_time(&self.shutdown) => {
                    tracing::warn!(jobs, "outcomes were not committed before the end");
                }
            }
            fail_point!("processor.after_commit", |_| std::process::abort());
        }
    }

    async fn commit(&self, batch: Vec<Finished>) {
        let now = Timestamp::now();
        let (commits, rest): (Vec<Commit>, Vec<_>) = batch
            .into_iter()
            .map(|ended| {
                let jitter = rand::random();
                (
                    conclude(ended.claimed, ended.outcome, now, jitter, self.lease),
                    (ended.message, ended.held),
                )
            })
            .unzip();
        let (commits, outcomes) = self.write(commits.into()).await;
        for ((commit, outcome), (message, held)) in commits.iter().zip(outcomes).zip(rest) {
            self.follow_up(commit, message, held, outcome).await;
        }
    }

    /// Writes the states, however long it takes: their claims are renewed meanwhile. Returns them as they were written.
    async fn write(&self, commits: Arc<[Commit]>) -> (Arc<[Commit]>, Vec<Committed>) {
        let mut patience = Patience::default();
        let error = loop {
            match self.store.commit(commits.clone()).await {
                Ok(outcomes) => return (commits, outcomes),
                Err(error) if error.is_transient() => patience.wait("commit outcomes", &error).await,
                Err(error) => break error,
            }
        };
        // The store refuses something in the batch: each state is written alone, and the one that it
        // refuses becomes a failure of its job.
        tracing::warn!(error = %chain(&error), commits = commits.len(), "the store refused a batch; writing its items alone");
        let (mut written, mut outcomes) = (
            Vec::with_capacity(commits.len()),
            Vec::with_capacity(commits.len()),
        );
        for commit in &*commits {
            let (commit, outcome) = self.write_alone(commit.clone()).await;
            written.push(commit);
            outcomes.push(outcome);
        }
        (written.into(), outcomes)
    }

    async fn write_alone(&self, mut commit: Commit) -> (Commit, Committed) {
        let mut patience = Patience::default();
        let mut refused = false;
        loop {
            match self.store.commit([commit.clone()].into()).await {
                Ok(outcomes) => {
                    return (
                        commit,
                        outcomes.into_iter().next().unwrap_or(Committed::Discarded),
                    );
                }
                Err(error) if error.is_transient() => patience.wait("commit an outcome", &error).await,
                Err(error) if refused => {
                    tracing::error!(error = %chain(&error), job = %commit.record.job.id, "the store refuses this job's outcome");
                    return (commit, Committed::Discarded);
                }
                Err(error) => {
                    refused = true;
                    commit = refuse(
                        commit,
                        &format!("the store refuses the outcome: {error}"),
                        self.lease,
                    );
                }
            }
        }
    }

    async fn follow_up(
        &self,
        commit: &Commit,
        message: Option<Arc<Message>>,
        held: Held,
        outcome: Committed,
    ) {
        let id = commit.record.job.id;
        self.in_hand.remove(id, commit.token);
        let settle = match outcome {
            // Another processor has the job, by its row: the row stands for the message as well.
            Committed::Discarded => {
                tracing::info!(job = %id, "a late outcome was discarded");
                acknowledge(message).await;
                return;
            }
            Committed::Backed => None,
            Committed::Unbacked => commit
                .record
                .job
                .status
                .is_terminal()
                .then_some((id, commit.token)),
        };
        self.meters.committed(commit);
        if let Due::In(delay) = commit.due {
            self.wake_up.within(delay);
        }
        let events = history::events(&commit.record, &commit.attempts);
        // The publisher outlives the committer.
        let publication = Publication {
            events,
            settle,
            message,
            held,
        };
        let _ = self.publications.send(publication).await;
    }
}

/// Publishes events, then settles rows and acknowledges messages.
pub(crate) struct Publisher {
    pub(crate) spine: Arc<dyn Spine>,
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) shutdown: Shutdown,
}

impl Publisher {
    /// Runs until everybody who has something to publish is gone.
    pub(crate) async fn run(self, mut publications: mpsc::Receiver<Publication>) {
        loop {
            let batch = gather(&mut publications, |publication| &publication.held).await;
            if batch.is_empty() {
                return;
            }
            let jobs = batch.len();
            tokio::select! {
                () = self.publish(batch) => {}
                // Their rows or messages stand for them.
                () = out_of_time(&self.shutdown) => {
                    tracing::warn!(jobs, "events were not published before the end; they will be later");
                }
            }
        }
    }

    async fn publish(&self, batch: Vec<Publication>) {
        let (mut events, mut settle, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        let mut held = Vec::with_capacity(batch.len());
        for publication in batch {
            events.extend(publication.events);
            settle.extend(publication.settle);
            messages.extend(publication.message);
            held.push(publication.held);
        }
        let mut patience = Patience::default();
        while let Err(error) = codec::publish_events(&*self.spine, &events).await {
            patience.wait("publish events", &error).await;
        }
        drop((events, held));
        fail_point!("processor.after_publish", |_| std::process::abort());
        self.settle(&settle).await;
        fail_point!("processor.after_settle", |_| std::process::abort());
        acknowledge(messages).await;
        fail_point!("processor.after_acknowledge", |_| std::process::abort());
    }

    async fn settle(&self, settle: &[(JobId, ClaimToken)]) {
        if settle.is_empty() {
            return;
        }
        // A row that is not settled comes due, and its history is published once more: harmless.
        if let Err(error) = self.store.settle(settle).await {
            tracing::warn!(error = %chain(&error), jobs = settle.len(), "jobs were not settled; their events will be published again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the batches that items of these sizes make.
    async fn batches(sizes: &[usize]) -> Vec<usize> {
        let room = Room::new(usize::MAX);
        let (sender, mut receiver) = mpsc::channel(sizes.len().max(1));
        for size in sizes {
            sender.send(room.hold(*size)).await.unwrap();
        }
        drop(sender);
        let mut batches = Vec::new();
        loop {
            let batch = gather(&mut receiver, |held| held).await;
            if batch.is_empty() {
                return batches;
            }
            batches.push(batch.len());
        }
    }

    #[tokio::test]
    async fn batches_are_bounded_in_number_and_in_bytes() {
        const MIB: usize = 1 << 20;
        assert!(batches(&[]).await.is_empty());
        assert_eq!(batches(&[1; BATCH + 3]).await, [BATCH, 3]);
        assert_eq!(batches(&[MIB; 20]).await, [8, 8, 4]);
        assert_eq!(batches(&[100 * MIB, 1, 100 * MIB, 1]).await, [1, 2, 1]);
    }
}
