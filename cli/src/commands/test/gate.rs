//! What a check is given: clients of every role, the ledger, and a time limit.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use odd_client::{ClientError, Gateway, HttpOptions, RawAnswer, RawRequest, ReadModel, RoleClient};
use odd_contracts::api::JobDetail;
use odd_contracts::{JobAccepted, JobId, JobStatus, Problem, Role, Timestamp};
use odd_engine::ledger::LedgerWriter;
use serde_json::Value;
use tokio::sync::{MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

use super::stack::Stack;
use crate::context::Context;
use crate::error::Error;
use crate::format;
use crate::patience::Patience;

/// Time limit of one request, within that of its check.
const REQUEST: Duration = Duration::from_secs(10);
/// Pause between two looks at a state, at first; every look is followed by a longer one, up to [`LONGEST_LOOK`].
const LOOK: Duration = Duration::from_millis(15);
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// What all checks share.
pub(super) struct Shared {
    gateway: Gateway,
    read_model: ReadModel,
    roles: BTreeMap<Role, RoleClient>,
    ledger: Mutex<LedgerWriter>,
    ledger_path: PathBuf,
    stack: Stack,
    /// Of each role: held shared by who needs it to run, and exclusively by who stops it.
    parts: BTreeMap<Role, RwLock<()>>,
    /// Held by who restarts a role: one at a time.
    restarts: tokio::sync::Mutex<()>,
    /// Held shared by who puts a load on the system, and exclusively by whom that would disturb.
    calm: RwLock<()>,
}

impl Shared {
    pub(super) fn new(context: &Context, stack: Stack) -> Result<Self, Error> {
        let options = HttpOptions {
            timeout: REQUEST,
            ..HttpOptions::default()
        };
        let failed = |e| context.client_error("test the instance", e);
        let mut roles = BTreeMap::new();
        for role in Role::ALL.into_iter().filter(|role| stack.publishes(*role)) {
            let client = RoleClient::new(&context.url(role), options.clone()).map_err(failed)?;
            roles.insert(role, client);
        }
        Ok(Self {
            gateway: Gateway::with_options(&context.own_url(Role::Gateway)?, options.clone())
                .map_err(failed)?,
            read_model: ReadModel::with_options(&context.own_url(Role::ReadModel)?, options)
                .map_err(failed)?,
            roles,
            ledger: Mutex::new(context.ledger()?),
            ledger_path: context.ledger_path(),
            stack,
            parts: Role::ALL.map(|role| (role, RwLock::default())).into(),
            restarts: tokio::sync::Mutex::default(),
            calm: RwLock::default(),
        })
    }

    pub(super) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Whether there is a system at all.
    pub(super) async fn anybody_answers(&self) -> bool {
        let answers = join_all(self.roles.values().map(RoleClient::healthz)).await;
        answers
            .iter()
            .any(|answer| !matches!(answer, Err(ClientError::Unreachable { .. })))
    }
}

/// What one check is given.
#[derive(Clone)]
pub(super) struct Gate {
    shared: Arc<Shared>,
    limit: Duration,
    deadline: Instant,
}

impl Gate {
    pub(super) fn new(shared: Arc<Shared>, limit: Duration) -> Self {
        Self {
            shared,
            limit,
            deadline: Instant::now() + limit,
        }
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.shared.gateway
    }

    pub(super) fn read_model(&self) -> &ReadModel {
        &self.shared.read_model
    }

    pub(super) fn stack(&self) -> &Stack {
        &self.shared.stack
    }

    /// Whether the role can be called from here. Others are seen through the read-model and Prometheus.
    pub(super) fn calls(&self, role: Role) -> bool {
        self.shared.roles.contains_key(&role)
    }

    /// The roles that can be called from here.
    pub(super) fn called(&self) -> impl Iterator<Item = Role> + use<> {
        let roles: Vec<Role> = self.shared.roles.keys().copied().collect();
        roles.into_iter()
    }

    pub(super) fn role(&self, role: Role) -> Result<&RoleClient, String> {
        let client = self.shared.roles.get(&role);
        client.ok_or_else(|| format!("the {role} publishes no port on this machine"))
    }

    /// Keeps the role running as long as the guard lives.
    pub(super) async fn needs(&self, role: Role) -> RwLockReadGuard<'_, ()> {
        self.shared.parts[&role].read().await
    }

    /// Waits until nobody needs the role: it may be stopped as long as the guard lives.
    pub(super) async fn has(&self, role: Role) -> RwLockWriteGuard<'_, ()> {
        self.shared.parts[&role].write().await
    }

    /// Waits until nobody restarts a role.
    pub(super) async fn has_restarts(&self) -> MutexGuard<'_, ()> {
        self.shared.restarts.lock().await
    }

    /// Waits until nobody wants the system calm. To be asked for before a role and before the turn to restart.
    pub(super) async fn loads(&self) -> RwLockReadGuard<'_, ()> {
        self.shared.calm.read().await
    }

    /// Waits until nobody puts a load on the system, and keeps it so as long as the guard lives. To be asked for before a role.
    pub(super) async fn has_calm(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.calm.write().await
    }

    /// The ledger with the ids of everything that was accepted.
    pub(super) fn ledger_path(&self) -> &Path {
        &self.shared.ledger_path
    }

    /// The same check with less time: this share of what is left.
    pub(super) fn within(&self, share: f64) -> Self {
        let limit = self.left().mul_f64(share);
        Self {
            shared: Arc::clone(&self.shared),
            limit,
            deadline: Instant::now() + limit,
        }
    }

    /// Time that is left of the check.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Sends a request as it is; again while the role is too busy to answer it.
    pub(super) async fn raw(&self, role: Role, request: RawRequest) -> Result<RawAnswer, String> {
        let mut patience = Patience::new(self.left());
        loop {
            let answer = self.role(role)?.exchange(request.clone()).await.map_err(text)?;
            match busy(&answer) {
                Some(error) if patience.wait(&error).await => {}
                _ => return Ok(answer),
            }
        }
    }

    /// Submits a job that must be accepted, and notes it. A system under load may ask to be asked again.
    pub(super) async fn submit(&self, submission: &Value) -> Result<JobAccepted, String> {
        let mut submission = submission.clone();
        if submission["id"].is_null() {
            submission["id"] = serde_json::json!(Uuid::new_v4());
        }
        let accepted = self
            .patiently(|| self.gateway().submit_value(&submission))
            .await?;
        self.note([accepted.job_id])?;
        Ok(accepted)
    }

    /// Repeats a request as long as the service says that it may succeed later.
    pub(super) async fn patiently<T, F>(&self, request: impl Fn() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        self.repeat(Patience::new(self.left()), request).await
    }

    /// The same where the service may be away for a while, because it is started anew.
    pub(super) async fn steadily<T, F>(&self, request: impl Fn() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let patience = Patience::new(self.left()).with_unreachable(true);
        self.repeat(patience, request).await
    }

    async fn repeat<T, F>(&self, mut patience: Patience, request: impl Fn() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        loop {
            match request().await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    if !patience.wait(&error).await {
                        return Err(text(error));
                    }
                }
            }
        }
    }

    /// Notes accepted ids in the ledger.
    pub(super) fn note(&self, ids: impl IntoIterator<Item = JobId>) -> Result<(), String> {
        let mut ledger = self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now();
        ids.into_iter()
            .try_for_each(|id| ledger.accepted(id, now))
            .and_then(|()| ledger.flush())
            .map_err(|error| format!("the ledger cannot be written: {error}"))
    }

    /// Asks until the answer is there. `look` says what it saw instead, which the failure tells.
    pub(super) async fn wait<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, String>>,
    {
        let mut pause = LOOK;
        loop {
            let seen = match look().await {
                Ok(reached) => return Ok(reached),
                Err(seen) => seen,
            };
            if self.left() < pause {
                let limit = format::duration(self.limit);
                return Err(format!("not within {limit}: {what}; last seen: {seen}"));
            }
            tokio::time::sleep(pause).await;
            pause = pause.mul_f64(1.2).min(LONGEST_LOOK);
        }
    }

    /// Waits until the job stands so. A job that ended otherwise fails at once.
    pub(super) async fn reaches(&self, id: JobId, status: JobStatus) -> Result<JobDetail, String> {
        let job = self
            .wait(&format!("job {id} to be {status}"), || async move {
                let job = self.read_model().job(id).await.map_err(text)?;
                let now = job.record.job.status;
                if now == status || now.is_terminal() {
                    Ok(job)
                } else {
                    Err(now.to_string())
                }
            })
            .await?;
        let now = job.record.job.status;
        ensure(now == status, || {
            let why = job.record.error.clone().unwrap_or_default();
            format!("job {id} is {now} instead of {status} {why}")
        })?;
        Ok(job)
    }
}

/// The error of an answer that says no more than that the role has too much to do.
fn busy(answer: &RawAnswer) -> Option<ClientError> {
    let problem: Problem = answer.json().ok().filter(|_| answer.status >= 400)?;
    problem.code.is_retryable().then(|| ClientError::Problem {
        url: answer.url.clone(),
        problem: Box::new(problem),
        retry_after: answer.header("retry-after").parse().ok().map(Duration::from_secs),
    })
}

/// An error of a client with its causes, in one line.
pub(super) fn text(error: ClientError) -> String {
    let chain: Vec<String> = anyhow::Error::new(error)
        .chain()
        .map(ToString::to_string)
        .collect();
    chain.join(": ")
}

/// Fails with `wrong` unless it holds.
pub(super) fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}

/// Fails unless both are equal.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    ensure(found == expected, || {
        format!("{what}: {found:?} instead of {expected:?}")
    })
}
