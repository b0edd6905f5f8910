//! Keeps the claims of what is in hand, and parks what takes long.

use std::sync::Arc;
use std::time::Duration;

use odd_runtime::error::chain;
use odd_store::{JobStore, Renewal, StoreError};

use crate::hand::{InHand, acknowledge};
use crate::intake::PARK_AFTER;

/// Time between two renewals; the longest that a request to cancel takes to reach a job that runs elsewhere.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Claims renewed in one statement at most.
const BATCH: usize = 1_000;

/// Keeps claims and parks messages.
pub(crate) struct Leases {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) in_hand: Arc<InHand>,
    pub(crate) lease: Duration,
}

impl Leases {
    /// Runs until it is dropped.
    pub(crate) async fn run(&self) {
        let mut ticks = tokio::time::interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.renew().await;
            self.park().await;
        }
    }

    async fn renew(&self) {
        let held = self.in_hand.older_than(RENEW_EVERY);
        for batch in held.chunks(BATCH) {
            match self.store.renew(batch, self.lease).await {
                Ok(renewals) => {
                    for ((id, token), renewal) in batch.iter().zip(renewals) {
                        match renewal {
                            Renewal::Held => {}
                            Renewal::CancelRequested => self.in_hand.cancel(*id),
                            Renewal::Lost => self.in_hand.lose(*id, *token),
                        }
                    }
                }
                Err(error) => return Self::failed("renew claims", held.len(), &error),
            }
        }
    }

    /// The rest would fail as well, each after a time of its own; the next tick is soon. Whoever takes and commits
    /// says what is wrong with the store.
    fn failed(what: &str, jobs: usize, error: &StoreError) {
        let error = chain(error).to_string();
        tracing::debug!(error, jobs, "failed to {what}");
    }

    async fn park(&self) {
        let old = self.in_hand.with_message_older_than(PARK_AFTER);
        for batch in old.chunks(BATCH) {
            let claims: Vec<_> = batch.iter().map(|(id, token, _)| (*id, *token)).collect();
            match self.store.park(&claims).await {
                Ok(parked) => {
                    let messages = batch.iter().zip(parked).filter(|(_, parked)| *parked);
                    acknowledge(messages.map(|((_, _, message), _)| message.clone())).await;
                }
                Err(error) => return Self::failed("park messages", old.len(), &error),
            }
        }
    }
}
