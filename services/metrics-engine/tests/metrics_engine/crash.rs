//! The process ends between recording, counting and acknowledging; the next one leaves no trace of it.

use std::process::{ExitStatus, Stdio};

use odd_contracts::{EventEnvelope, JobStatus};
use odd_store::conformance::sample;
use tokio::process::Command;

use crate::harness::{Addresses, DEADLINE, Places, Running, World, wait_for};

/// Set for the process that is to be ended alone.
const TO_BE_ENDED: &str = "ODD_CRASH_TEST";
const JOBS: u128 = 30;

fn events() -> Vec<EventEnvelope> {
    (0..JOBS)
        .flat_map(|n| sample::history(sample::job(n), "hello", 2, JobStatus::Failed))
        .collect()
}

/// Run by the other tests as a process of its own: publishes, records, and is ended by its failpoint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_to_be_ended() {
    if std::env::var_os(TO_BE_ENDED).is_none() {
        return;
    }
    let _scenario = fail::FailScenario::setup();
    let world = World::at(&Addresses::of_environment()).await;
    // Few events a message, so that there are many batches.
    world.publish_by(4, &events()).await;
    let _role = Running::start(world.ports()).await;
    std::future::pending::<()>().await;
}

async fn run_until_ended(places: &Places, failpoint: &str) -> ExitStatus {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["crash::the_process_to_be_ended", "--exact", "--nocapture"])
        .env(TO_BE_ENDED, "yes")
        .envs(places.addresses().0)
        .env("FAILPOINTS", failpoint)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(DEADLINE, process.wait()).await;
    ended.expect("the failpoint is reached").unwrap()
}

async fn survives(failpoint: &str) {
    for batches_before in [0, 2] {
        let places = Places::new().await;
        let action = format!("metrics_engine.{failpoint}={batches_before}*off->return");
        let status = run_until_ended(&places, &action).await;
        // 101 is a failed test: the process must have been aborted.
        assert!(
            !status.success() && status.code() != Some(101),
            "{action}: {status}"
        );

        let world = World::within(places).await;
        let role = Running::start(world.ports()).await;
        wait_for("all to be counted", async || {
            world.snapshot().await.by_status == [(JobStatus::Failed, JOBS as u64)].into()
        })
        .await;
        assert_eq!(world.recorded().await.len(), events().len(), "{action}");
        let snapshot = world.snapshot().await;
        assert_eq!(snapshot.retries, JOBS as u64, "{action}");
        assert_eq!(snapshot.by_type["hello"].failed, JOBS as u64, "{action}");
        role.stop().await;
        assert_eq!(world.left_behind().await, 0, "{action}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_before_recording() {
    survives("before_append").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_between_recording_and_counting() {
    survives("after_append").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_between_counting_and_acknowledging() {
    survives("after_counters").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_after_acknowledging() {
    survives("after_ack").await;
}
