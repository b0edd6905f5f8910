//! Servers that are away for a while: nothing is lost, nothing runs twice, nothing spins.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use odd_contracts::names::spine::reason;
use odd_contracts::{EventType, Job, JobStatus, Producer, Timestamp};
use odd_spine::{Queue, Spine};
use odd_store::{Claim, ClaimToken, JobFilter, JobStore, Work, WorkMode};
use serde_json::json;

use super::bed::{Bed, error, job, outcomes, until};
use super::gates::{Mode, SpineGate, StoreGate};
use crate::{Config, Ports};

/// A bed whose processor sees spine and store through gates.
struct Gated {
    bed: Bed,
    spine: Arc<SpineGate>,
    store: Arc<StoreGate>,
}

impl Gated {
    async fn running(config: Config) -> Self {
        let mut bed = Bed::idle(config).await;
        let (spine, store) = (
            SpineGate::new(bed.spine.clone()),
            StoreGate::new(bed.store.clone()),
        );
        bed.start_on(Ports {
            spine: spine.clone(),
            job_store: store.clone(),
        })
        .await;
        Self { bed, spine, store }
    }

    async fn submit(&self, count: usize, payload: serde_json::Value) -> Vec<Job> {
        let jobs: Vec<_> = (0..count).map(|_| job(payload.clone())).collect();
        for job in &jobs {
            self.bed.submit(job).await;
        }
        jobs
    }

    async fn all_settled(&self, jobs: &[Job], status: JobStatus) {
        for job in jobs {
            let stored = self.bed.until(job.id, status).await;
            assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
            self.bed.until_settled(job.id).await;
        }
    }

    /// Ready and unacknowledged work messages.
    async fn work(&self) -> (u64, u64) {
        let depths = self.bed.spine.depths().await.unwrap();
        let work = depths
            .iter()
            .find(|depth| depth.name == Queue::Work.name())
            .unwrap();
        (work.ready, work.unacknowledged)
    }

    async fn readiness_says(&self, text: &str) {
        until(text, async || {
            self.bed.get("/readyz").await.contains(text).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_store_that_is_away_has_its_consumer_cancelled_until_it_is_back() {
    let gated = Gated::running(Config::default()).await;
    gated.store.set(Mode::Away);
    let jobs = gated.submit(40, json!({})).await;
    gated.readiness_says("the store is unplugged").await;
    assert!(gated.bed.get("/healthz").await.contains("200 OK"));
    until("every message to be back on its queue", async || {
        (gated.work().await == (40, 0)).then_some(())
    })
    .await;
    let (takes, refused) = (&gated.store.takes, &gated.store.refused);
    let before = (takes.load(Ordering::SeqCst), refused.load(Ordering::SeqCst));
    let begun = Instant::now();
    until("some further pings", async || {
        (refused.load(Ordering::SeqCst) > before.1 + 8).then_some(())
    })
    .await;
    assert_eq!(
        takes.load(Ordering::SeqCst),
        before.0,
        "nothing is taken meanwhile"
    );
    assert!(begun.elapsed() > Duration::from_millis(500), "nothing spins");
    gated.store.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
    gated.readiness_says("200 OK").await;
}

#[tokio::test]
async fn outcomes_wait_for_the_store_and_then_count_once() {
    let gated = Gated::running(Config::default()).await;
    let jobs = gated
        .submit(20, json!({ "simulate": { "durationMs": 300 } }))
        .await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Executing).await;
    }
    gated.store.set(Mode::Away);
    let refused = gated.store.refused.load(Ordering::SeqCst);
    until("commits to be refused", async || {
        (gated.store.refused.load(Ordering::SeqCst) > refused + 10).then_some(())
    })
    .await;
    gated.store.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
}

#[tokio::test]
async fn a_lost_connection_gives_messages_back_and_their_jobs_run_once() {
    let gated = Gated::running(Config::default()).await;
    let jobs = gated
        .submit(30, json!({ "simulate": { "durationMs": 400 } }))
        .await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Executing).await;
    }
    gated.spine.set(Mode::Away);
    gated.readiness_says("the spine is unplugged").await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Completed).await;
    }
    assert_eq!(gated.work().await, (30, 0), "they came back with the connection");
    let consumes = gated.spine.consumes.load(Ordering::SeqCst);
    assert!(consumes < 40, "nothing spins: {consumes}");
    gated.spine.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
}

#[tokio::test]
async fn events_that_are_not_taken_hold_their_messages() {
    let gated = Gated::running(Config::default()).await;
    gated.spine.set(Mode::Blocked);
    let jobs = gated.submit(10, json!({})).await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Completed).await;
    }
    assert_eq!(
        gated.work().await,
        (0, 10),
        "not acknowledged before their events are confirmed"
    );
    gated.spine.set(Mode::Open);
    gated.all_settled(&jobs, JobStatus::Completed).await;
}

#[tokio::test]
async fn large_jobs_stop_the_intake_long_before_they_fill_the_memory() {
    const COUNT: usize = 140;
    let gated = Gated::running(Config::default()).await;
    gated.spine.set(Mode::Blocked);
    let payload = json!({ "text": "x".repeat(512 << 10) });
    let jobs = gated.submit(COUNT, payload).await;
    let everything = JobFilter::default();
    let taken = async || {
        gated
            .bed
            .store
            .list(&everything, None, COUNT)
            .await
            .unwrap()
            .len()
    };
    let (mut count, mut since) = (0, Instant::now());
    until("the intake to stand still", async || {
        let now = taken().await;
        if now != count {
            (count, since) = (now, Instant::now());
        }
        (count > 0 && since.elapsed() > Duration::from_secs(1)).then_some(())
    })
    .await;
    // 64 of them fill the room, those that come twice included; a batch may be in flight above it.
    assert!((16..=128).contains(&count), "{count} of {COUNT}");
    gated.spine.set(Mode::Open);
    for job in &jobs {
        let stored = gated.bed.until(job.id, JobStatus::Completed).await;
        assert_eq!(outcomes(&stored.attempts), ["succeeded"]);
    }
    gated.bed.until_no_work().await;
}

#[tokio::test]
async fn a_shutdown_without_the_spine_ends_in_good_order() {
    let mut gated = Gated::running(Config::default()).await;
    gated.spine.set(Mode::Blocked);
    let jobs = gated.submit(5, json!({})).await;
    for job in &jobs {
        gated.bed.until(job.id, JobStatus::Completed).await;
    }
    gated.bed.stop().await;
    assert_eq!(gated.work().await, (5, 0), "nothing was acknowledged");
    gated.bed.start().await;
    gated.all_settled(&jobs, JobStatus::Completed).await;
}

#[tokio::test]
async fn a_job_that_is_taken_while_the_shutdown_begins_is_given_back() {
    let mut gated = Gated::running(Config::default()).await;
    gated.store.set(Mode::HoldTakes);
    let jobs = gated
        .submit(1, json!({ "simulate": { "durationMs": 25_000 } }))
        .await;
    until("the take to be in flight", async || {
        (gated.store.takes.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    gated.bed.begin_to_stop();
    gated.store.set(Mode::Open);
    gated.bed.until(jobs[0].id, JobStatus::Executing).await;
    gated.bed.stop().await;
    assert_eq!(
        gated.bed.store.next_due().await.unwrap(),
        Some(Duration::ZERO),
        "due at once, for whoever comes"
    );
}

#[tokio::test]
async fn a_poison_message_is_put_aside_once_however_often_the_store_is_away() {
    let gated = Gated::running(Config::default()).await;
    gated.store.set(Mode::Away);
    let named = job(json!({}));
    let poison = json!({ "payload": { "id": named.id }, "nonsense": true }).to_string();
    gated.bed.publish_bytes(poison.as_bytes()).await;
    gated.readiness_says("the store is unplugged").await;
    for _ in 0..3 {
        gated.store.set(Mode::Open);
        gated.store.set(Mode::Away);
    }
    gated.store.set(Mode::Open);
    let failed = gated.bed.until(named.id, JobStatus::Failed).await;
    assert!(
        error(&failed.record).starts_with(reason::INVALID_ENVELOPE),
        "{failed:?}"
    );
    gated.bed.until_no_work().await;
    let depths = gated.bed.spine.depths().await.unwrap();
    let aside = depths
        .iter()
        .find(|depth| depth.name == Queue::DeadLetter.name())
        .unwrap();
    assert_eq!(aside.ready, 1);
    let published = gated.bed.published().await;
    let told = published
        .iter()
        .filter(|event| event.event_type == EventType::DeadLettered);
    assert_eq!(told.count(), 1);
}

/// Its processors were lost once too often: the claim itself ends it, and it counts as failed.
#[tokio::test]
async fn a_job_that_ends_by_being_claimed_is_counted_once() {
    let mut bed = Bed::idle(Config::default()).await;
    let doomed = job(json!({}));
    let by = Producer {
        service: "processor".to_owned(),
        instance_id: "lost".to_owned(),
        version: "0".to_owned(),
    };
    let claim = || Claim {
        token: ClaimToken::fresh(),
        by: by.clone(),
        lease: Duration::ZERO,
    };
    let work = Work {
        digest: doomed.digest(),
        submitted_at: Timestamp::now(),
        submitted_by: by.clone(),
        correlation_id: "c".to_owned(),
        traceparent: None,
        scheduled_for: None,
        mode: WorkMode::Run,
        job: doomed.clone(),
    };
    bed.store.take([work].into(), &claim()).await.unwrap();
    for _ in 0..odd_store::job_store::MAX_LOST_TAKES {
        assert_eq!(bed.store.claim_due(&claim(), 1).await.unwrap().len(), 1);
    }
    bed.start().await;
    let failed = bed.until(doomed.id, JobStatus::Failed).await;
    assert!(error(&failed.record).contains("lost 11 times"), "{failed:?}");
    bed.until_settled(doomed.id).await;
    let metrics = bed.get("/metrics").await;
    let counted = r#"processor_jobs_failed_total{service="processor"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}
