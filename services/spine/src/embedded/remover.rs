//! The one task that deletes acknowledged rows: whatever waits shares a statement and a commit.

use std::sync::Arc;

use odd_store::embedded::queue::MessageQueue;
use tokio::sync::{mpsc, oneshot};

use super::durable::{DurableQueue, Taken};
use super::{cause, unavailable};
use crate::port::SpineError;

/// Acknowledgements that share a commit at most.
const GROUP_LIMIT: usize = 1024;

/// Deliveries that a consumer acknowledges. They are in nobody's hands until the rows are gone.
pub(super) struct Removal {
    pub(super) queue: Arc<DurableQueue>,
    pub(super) consumer: u64,
    pub(super) taken: Vec<Taken>,
    pub(super) reply: oneshot::Sender<Result<(), SpineError>>,
}

pub(super) struct Remover {
    pub(super) store: MessageQueue,
}

impl Remover {
    pub(super) async fn run(self, mut removals: mpsc::UnboundedReceiver<Removal>) {
        let mut waiting: Vec<Removal> = Vec::with_capacity(GROUP_LIMIT);
        while removals.recv_many(&mut waiting, GROUP_LIMIT).await > 0 {
            let rows: Vec<i64> = waiting
                .iter()
                .flat_map(|removal| removal.taken.iter().map(Taken::row))
                .collect();
            let outcome = self.store.delete(&rows).await;
            if let Err(error) = &outcome {
                tracing::warn!(error = %cause(error), "cannot delete acknowledged messages");
            }
            let deleted = outcome.map_err(unavailable);
            for removal in waiting.drain(..) {
                removal.finish(deleted.clone());
            }
        }
    }
}

impl Removal {
    fn finish(self, deleted: Result<(), SpineError>) {
        match deleted {
            Ok(()) => self.queue.acknowledged(self.consumer, self.taken.len()),
            Err(_) => self.queue.not_acknowledged(self.consumer, self.taken),
        }
        // A caller that is gone does not want its answer.
        let _ = self.reply.send(deleted);
    }
}
