//! What a check is given: clients of every role, the ledger, and a time limit.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use odd_client::{ClientError, Gateway, HttpOptions, RawAnswer, RawRequest, ReadModel, RoleClient};
use odd_contracts::api::JobDetail;
use odd_contracts::{JobAccepted, JobId, JobStatus, Problem, Role, Timestamp};
use odd_engine::ledger::LedgerWriter;
use serde_json::Value;
use uuid::Uuid;

use crate::context::Context;
use crate::error::Error;
use crate::format;
use crate::patience::Patience;

/// Time limit of one request, within that of its check.
const REQUEST: Duration = Duration::from_secs(10);
/// Pause between two looks at a state.
const LOOK: Duration = Duration::from_millis(15);

/// What all checks share.
pub(super) struct Shared {
    gateway: Gateway,
    read_model: ReadModel,
    roles: BTreeMap<Role, RoleClient>,
    ledger: Mutex<LedgerWriter>,
}

impl Shared {
    pub(super) fn new(context: &Context) -> Result<Self, Error> {
        let options = HttpOptions {
            timeout: REQUEST,
            ..HttpOptions::default()
        };
        let failed = |e| context.client_error("test the instance", e);
        let mut roles = BTreeMap::new();
        for role in Role::ALL {
            let client = RoleClient::new(&context.url(role), options.clone()).map_err(failed)?;
            roles.insert(role, client);
        }
        Ok(Self {
            gateway: Gateway::with_options(&context.url(Role::Gateway), options.clone()).map_err(failed)?,
            read_model: ReadModel::with_options(&context.url(Role::ReadModel), options).map_err(failed)?,
            roles,
            ledger: Mutex::new(context.ledger()?),
        })
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

    pub(super) fn role(&self, role: Role) -> &RoleClient {
        &self.shared.roles[&role]
    }

    /// Time that is left of the check.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Sends a request as it is; again while the role is too busy to answer it.
    pub(super) async fn raw(&self, role: Role, request: RawRequest) -> Result<RawAnswer, String> {
        let mut patience = Patience::new(self.left());
        loop {
            let answer = self.role(role).exchange(request.clone()).await.map_err(text)?;
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
        let mut patience = Patience::new(self.left());
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
        loop {
            let seen = match look().await {
                Ok(reached) => return Ok(reached),
                Err(seen) => seen,
            };
            if self.left() < LOOK {
                let limit = format::duration(self.limit);
                return Err(format!("not within {limit}: {what}; last seen: {seen}"));
            }
            tokio::time::sleep(LOOK).await;
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
