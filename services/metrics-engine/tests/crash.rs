//! The process ends between recording, counting and acknowledging; the next one leaves no trace of it.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

mod common;

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use common::{Running, World};
use odd_contracts::{EventEnvelope, JobStatus};
use odd_store::conformance::sample;
use tokio::process::Command;

/// The database of the process that is to be ended; set for it alone.
const DATABASE: &str = "ODD_CRASH_TEST_DATABASE";
const JOBS: u128 = 200;

fn events() -> Vec<EventEnvelope> {
    (0..JOBS)
        .flat_map(|n| sample::history(sample::job(n), "hello", 2, JobStatus::Failed))
        .collect()
}

/// Run by the other tests as a process of its own: publishes, records, and is ended by its failpoint.
#[tokio::test]
async fn the_process_to_be_ended() {
    let Ok(database) = std::env::var(DATABASE) else {
        return;
    };
    let _scenario = fail::FailScenario::setup();
    let world = World::at(Path::new(&database)).await;
    // Few events a message, so that there are many batches.
    for few in events().chunks(4) {
        world.publish(few).await;
    }
    let _role = Running::start(world.ports()).await;
    std::future::pending::<()>().await;
}

async fn run_until_ended(database: &Path, failpoint: &str) -> ExitStatus {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["the_process_to_be_ended", "--exact", "--nocapture"])
        .env(DATABASE, database)
        .env("FAILPOINTS", failpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(common::DEADLINE, process.wait()).await;
    ended.expect("the failpoint is reached").unwrap()
}

async fn survives(failpoint: &str) {
    for batches_before in [0, 2] {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("odd.db");
        let action = format!("metrics_engine.{failpoint}={batches_before}*off->return");
        let status = run_until_ended(&database, &action).await;
        // 101 is a failed test: the process must have been aborted.
        assert!(
            !status.success() && status.code() != Some(101),
            "{action}: {status}"
        );

        let world = World::at(&database).await;
        let role = Running::start(world.ports()).await;
        world.drained().await;
        assert_eq!(world.recorded().await.len(), events().len(), "{action}");
        let snapshot = world.snapshot().await;
        assert_eq!(
            snapshot.by_status,
            [(JobStatus::Failed, JOBS as u64)].into(),
            "{action}"
        );
        assert_eq!(snapshot.retries, JOBS as u64, "{action}");
        assert_eq!(snapshot.by_type["hello"].failed, JOBS as u64, "{action}");
        role.stop().await;
    }
}

#[tokio::test]
async fn ended_before_recording() {
    survives("before_append").await;
}

#[tokio::test]
async fn ended_between_recording_and_counting() {
    survives("after_append").await;
}

#[tokio::test]
async fn ended_between_counting_and_acknowledging() {
    survives("after_counters").await;
}

#[tokio::test]
async fn ended_after_acknowledging() {
    survives("after_ack").await;
}
