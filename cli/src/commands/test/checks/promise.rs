//! The promise: whatever part is started anew under load, what was accepted ends once, with a complete history.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use odd_contracts::{JobId, JobStatus, Role};
use tokio::sync::oneshot;

use super::super::gate::Gate;
use super::super::run::Outcome;
use super::plain;
use crate::commands::verify;
use crate::format;

/// Jobs of one submission of the load.
const TOGETHER: usize = 10;
/// Time between two submissions.
const PAUSE: Duration = Duration::from_millis(40);
/// Jobs that are accepted before a part is started anew, so that it has something in hand.
const BEFORE: usize = 30;

/// A role is started anew while jobs are submitted.
pub(super) async fn survives_restart(gate: Gate, role: Role) -> Outcome {
    let loads = gate.loads().await;
    // The role comes before the turn: whose turn it is to restart shall not have to wait for it.
    let role_is_free = gate.has(role).await;
    let turn = gate.has_restarts().await;
    let (ids, took) = under_load(&gate, gate.stack().restart(role)).await?;
    drop((turn, role_is_free, loads));
    completed(&gate, &ids, took).await
}

/// The one process of the embedded engine is started anew while jobs are submitted.
pub(super) async fn survives_restart_of_all(gate: Gate) -> Outcome {
    let loads = gate.loads().await;
    // Whoever needs any role needs this one as well.
    let all_are_free = gate.has(Role::ReadModel).await;
    let (ids, took) = under_load(&gate, gate.stack().restart_process()).await?;
    drop((all_are_free, loads));
    completed(&gate, &ids, took).await
}

async fn completed(gate: &Gate, ids: &[JobId], took: Duration) -> Outcome {
    gate.all_are(ids, JobStatus::Completed).await?;
    Ok(format!(
        "back after {}; {} jobs completed",
        format::duration(took),
        ids.len()
    ))
}

/// Jobs that were accepted before, during and after a restart, and how long it took.
async fn under_load(
    gate: &Gate,
    restart: impl Future<Output = Result<(), String>>,
) -> Result<(Vec<JobId>, Duration), String> {
    let over = AtomicBool::new(false);
    let (has_begun, began) = oneshot::channel();
    let restart = async {
        // Dropped unsent where the load failed, which its own result tells.
        let _ = began.await;
        let begun = Instant::now();
        let restarted = restart.await;
        over.store(true, Ordering::Relaxed);
        restarted.map(|()| begun.elapsed())
    };
    let (ids, took) = tokio::join!(load(gate, has_begun, &over), restart);
    Ok((ids?, took?))
}

/// Submits jobs until it is over.
async fn load(gate: &Gate, has_begun: oneshot::Sender<()>, over: &AtomicBool) -> Result<Vec<JobId>, String> {
    let (mut ids, mut has_begun) = (Vec::new(), Some(has_begun));
    while !over.load(Ordering::Relaxed) {
        ids.extend(gate.submit_all(vec![plain(); TOGETHER]).await?);
        if ids.len() >= BEFORE
            && let Some(begun) = has_begun.take()
        {
            // Nobody waits any more where the check was given up.
            let _ = begun.send(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(ids)
}

/// What `odd verify` says.
pub(super) async fn verified(gate: Gate) -> Outcome {
    verify::examine(gate.read_model(), gate.ledger_path(), gate.left()).await
}
