//! What an instance does at present.

use std::time::Duration;

use futures::future::join_all;
use odd_client::{ClientError, HttpOptions, RoleClient};
use odd_contracts::{Role, Timestamp};
use serde::Serialize;

use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::state::ProcessFile;

/// Time that a role on this machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a role takes work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleState {
    /// It takes work.
    Ready,
    /// It answers, but something that it needs is missing, or it starts or stops.
    Unready,
    /// It does not answer, though its process lives.
    Unreachable,
    /// Its process does not run.
    Stopped,
}

/// One role of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleStatus {
    /// The role.
    pub role: Role,
    /// Whether it takes work.
    pub state: RoleState,
    /// Its base address.
    pub url: String,
    /// Why it does not take work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The instance as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// Every role takes work.
    Running,
    /// Its process lives, but not every role takes work.
    Degraded,
    /// It does not run.
    Stopped,
}

/// What an instance does at present.
#[derive(Clone, Debug)]
pub struct Status {
    /// As a whole.
    pub state: InstanceState,
    /// Each role.
    pub roles: Vec<RoleStatus>,
    /// Its process, where one lives.
    pub process: Option<ProcessFile>,
    /// Number of a process that ended without clearing up.
    pub stale_pid: Option<u32>,
}

impl Status {
    /// Since when it runs.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.process.as_ref().map(|p| p.started_at)
    }
}

/// Asks the process file and every role.
///
/// # Errors
/// [`EngineError::Io`] where the process file cannot be read.
pub async fn status(instance: &Instance) -> Result<Status, EngineError> {
    let path = instance.process_file();
    let file = ProcessFile::read(&path).context("read the process file", &path)?;
    let Some(process) = file else {
        return Ok(stopped(instance, None));
    };
    if !process.is_alive() {
        return Ok(stopped(instance, Some(process.pid)));
    }
    let roles = join_all(process.ports.keys().map(|role| ask(&process, *role))).await;
    let all_ready = roles.iter().all(|r| r.state == RoleState::Ready);
    Ok(Status {
        state: if all_ready {
            InstanceState::Running
        } else {
            InstanceState::Degraded
        },
        roles,
        process: Some(process),
        stale_pid: None,
    })
}

fn stopped(instance: &Instance, stale_pid: Option<u32>) -> Status {
    let role = |(role, port)| RoleStatus {
        role,
        state: RoleState::Stopped,
        url: format!("http://127.0.0.1:{port}"),
        detail: None,
    };
    Status {
        state: InstanceState::Stopped,
        roles: instance.ports().into_iter().map(role).collect(),
        process: None,
        stale_pid,
    }
}

async fn ask(process: &ProcessFile, role: Role) -> RoleStatus {
    let url = process.url(role).unwrap_or_default();
    let (state, detail) = match readiness(&url).await {
        Ok(None) => (RoleState::Ready, None),
        Ok(Some(reason)) => (RoleState::Unready, Some(reason)),
        Err(error) => (RoleState::Unreachable, Some(error.to_string())),
    };
    RoleStatus {
        role,
        state,
        url,
        detail,
    }
}

/// Why the role at `url` is not ready; none where it is.
///
/// # Errors
/// Any [`ClientError`]: it does not answer, or nothing that a role would.
pub async fn readiness(url: &str) -> Result<Option<String>, ClientError> {
    let options = HttpOptions {
        timeout: PATIENCE,
        ..HttpOptions::default()
    };
    let answer = RoleClient::new(url, options)?.readyz().await?;
    if answer.ready {
        return Ok(None);
    }
    let missing: Vec<String> = answer
        .health
        .checks
        .iter()
        .filter(|(_, state)| *state != "ok")
        .map(|(name, state)| format!("{name}: {state}"))
        .collect();
    Ok(Some(if missing.is_empty() {
        answer.health.status
    } else {
        missing.join(", ")
    }))
}
