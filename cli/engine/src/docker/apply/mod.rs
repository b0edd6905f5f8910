//! Does what a plan says: networks, volumes, then every container, each as soon as what it depends on is ready.
//!
//! All of it is one future, so that dropping it stops everything but a request that makes something, which has begun ([`carried`]). Whatever
//! moment that is, what was made is found again by its labels: containers that were not completed are made anew by the next plan.

mod board;
mod carried;
pub(super) mod check;
mod container;
pub(super) mod published;
mod resources;
pub(super) mod teardown;
pub(super) mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use self::teardown::Leave;
use super::error::diagnosis;
use super::error::{DockerError, Trouble};
use super::event::reporter::Reporter;
use super::host::Engine;
use super::plan::present::{Container, Present};
use super::plan::wanted::Wanted;
use super::plan::{Action, Plan, Step};
use crate::instance::Instance;
use crate::lock::InstanceLock;

use resources::NetworkIds;

pub(super) use board::{Board, Timing};
pub use carried::settled;

/// Time in which others that fail of the same are named too.
const COMPANY: Duration = Duration::from_millis(400);
/// Lines of a log that are shown of what did not become healthy in time.
const TAIL: usize = 20;

/// What is applied, and where.
pub(super) struct Stage<'a> {
    pub(super) instance: &'a Instance,
    pub(super) engine: &'a Engine,
    pub(super) wanted: &'a Wanted,
    pub(super) plan: &'a Plan,
    pub(super) present: &'a Present,
    pub(super) reporter: Reporter<'a>,
    pub(super) lock: &'a Arc<InstanceLock>,
}

/// Why a container did not come up.
pub(super) enum Failure {
    /// It is not well.
    Trouble(Box<Trouble>),
    /// Something that it depends on is not well.
    NotStarted,
    /// The engine did not do what it should.
    Engine(DockerError),
}

impl Stage<'_> {
    pub(super) fn client(&self) -> &Docker {
        &self.engine.client
    }

    /// The answer to a request that makes something, which is carried through whatever becomes of this.
    pub(super) async fn carried<T, F>(&self, request: impl FnOnce(Docker) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        carried::carried(self.lock, request(self.client().clone())).await
    }

    /// Does it. `limit` is for all of it. Tells how long each container took.
    ///
    /// # Errors
    /// Containers that are not well, all those that are known by then, and whatever the engine refuses.
    pub(super) async fn apply(&self, limit: Duration) -> Result<Vec<Timing>, DockerError> {
        let board = Board::new(self.wanted, self.plan);
        let deadline = Instant::now() + limit;
        let work = self.work(&board);
        match tokio::time::timeout_at(deadline.into(), work).await {
            Ok(Ok(())) => Ok(board.timings()),
            Ok(Err(error)) => Err(self.with_what_is_left(error, &board)),
            Err(_) => Err(self.too_late(&board, limit).await),
        }
    }

    async fn work(&self, board: &Board) -> Result<(), DockerError> {
        self.remove_old().await?;
        let (networks, ()) = futures::try_join!(resources::networks(self), resources::volumes(self))?;
        self.bring_up(board, &networks).await?;
        // What a request that was given up made meanwhile would be in the way of the next start.
        let kept = |step: &Step| step.action == Action::Keep;
        match self.plan.networks.iter().all(kept) {
            true => Ok(()),
            false => resources::remove_doubles(self, &networks).await,
        }
    }

    /// Containers that shall not be, and those that are made anew: both are in the way of names, ports and networks.
    async fn remove_old(&self) -> Result<(), DockerError> {
        let goes = |container: &&Container| {
            let step = self
                .plan
                .containers
                .iter()
                .find(|c| c.step.name == container.name);
            step.is_some_and(|c| matches!(c.step.action, Action::Remove | Action::Recreate))
        };
        let old: Vec<&Container> = self.present.containers.iter().filter(goes).collect();
        teardown::take_down(self.client(), &old, None, Leave::Nothing, self.reporter)
            .await
            .map(drop)
    }

    async fn bring_up(&self, board: &Board, networks: &NetworkIds) -> Result<(), DockerError> {
        let mut all: FuturesUnordered<_> = self
            .wanted
            .containers
            .iter()
            .map(|wanted| container::bring_up(self, board, networks, wanted))
            .collect();
        let mut troubles = Vec::new();
        let mut until: Option<tokio::time::Instant> = None;
        loop {
            let end = async {
                match until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                biased;
                next = all.next() => next,
                () = end => None,
            };
            match next {
                None => break,
                Some(Ok(()) | Err(Failure::NotStarted)) => {}
                Some(Err(Failure::Engine(error))) => return Err(error),
                Some(Err(Failure::Trouble(trouble))) => {
                    self.tell(&trouble);
                    troubles.push(*trouble);
                    until.get_or_insert_with(|| tokio::time::Instant::now() + COMPANY);
                }
            }
        }
        if troubles.is_empty() {
            return Ok(());
        }
        troubles.sort_by(|a, b| a.container.cmp(&b.container));
        Err(DockerError::Failed {
            troubles,
            not_started: board.not_started(),
        })
    }

    fn tell(&self, trouble: &Trouble) {
        use crate::docker::event::ContainerState::Failed;
        self.reporter
            .container(&trouble.service, &trouble.container, Failed, None);
        self.reporter.tell(trouble.event());
    }

    fn with_what_is_left(&self, error: DockerError, board: &Board) -> DockerError {
        match error {
            DockerError::EngineGone { action, reason, .. } => DockerError::EngineGone {
                action,
                reason,
                left: board.made(),
            },
            other => other,
        }
    }

    async fn too_late(&self, board: &Board, limit: Duration) -> DockerError {
        let late = board.late();
        let mut shown = Vec::new();
        for (service, container) in late
            .iter()
            .filter_map(|late| late.running.clone().map(|c| (&late.service, c)))
        {
            let log = diagnosis::tail(self.client(), &container, TAIL).await;
            let trouble = Trouble {
                service: service.clone(),
                container,
                reason: format!("is not healthy after {} s", limit.as_secs()),
                likely_cause: late
                    .iter()
                    .find(|l| l.service == *service)
                    .and_then(|l| l.says.clone()),
                log,
            };
            self.tell(&trouble);
            shown.push(trouble.log);
        }
        DockerError::TimedOut {
            limit,
            waiting_for: late.iter().map(ToString::to_string).collect(),
            log: shown.into_iter().find(|log| !log.is_empty()).unwrap_or_default(),
        }
    }
}
