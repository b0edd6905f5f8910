//! The state of the whole system, polled once a second in the background, so that asking for it is cheap.

mod poll;
mod replicas;

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::api::{DependencyHealth, HealthState, QueueDepth, RoleHealth};
use odd_contracts::{Alert, AlertState, Timestamp};
use tokio::sync::watch;

use crate::alerts::Shown;
pub(crate) use poll::{Poller, watch_system};

/// What the last poll found.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// When.
    pub(crate) at: Timestamp,
    /// Roles and their health.
    pub(crate) roles: Vec<RoleHealth>,
    /// Stores and spine and their health.
    pub(crate) dependencies: Vec<DependencyHealth>,
    /// Depths of the queues, or why the spine does not tell them.
    pub(crate) queues: Result<Vec<QueueDepth>, String>,
    /// Alerts that fire or ended lately, and where they come from.
    pub(crate) alerts: Shown,
    /// For how long events are kept; for ever where none.
    pub(crate) retention: Option<Duration>,
}

impl Snapshot {
    /// The worst state in it. An alert that fires makes a healthy system degraded, and so does a source of alerts that is
    /// away.
    pub(crate) fn state(&self) -> HealthState {
        let roles = self.roles.iter().map(|role| role.state);
        let dependencies = self.dependencies.iter().map(|dependency| dependency.state);
        let alerts = self.firing().map(|_| HealthState::Degraded);
        let source = std::iter::once(self.alerts.source.state);
        roles
            .chain(dependencies)
            .chain(alerts)
            .chain(source)
            .max()
            .unwrap_or(HealthState::Healthy)
    }

    /// Alerts that fire.
    pub(crate) fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts
            .alerts
            .iter()
            .filter(|alert| alert.state == AlertState::Firing)
    }
}

/// Shows the last snapshot. Clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Board(watch::Receiver<Option<Arc<Snapshot>>>);

impl Board {
    /// A board without a snapshot yet, and where to put them.
    pub(crate) fn new() -> (watch::Sender<Option<Arc<Snapshot>>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// The last snapshot; waits for the first one. None when polling has ended before it.
    pub(crate) async fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let mut receiver = self.0.clone();
        let shown = receiver.wait_for(Option::is_some).await.ok()?;
        shown.clone()
    }
}
