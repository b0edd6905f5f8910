//! The role over the embedded spine and stores.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Faults, FaultyCounters, FaultyLog, Running, World, line, wait_for};
use odd_contracts::{EventType, JobStatus};
use odd_spine::dead_letter;
use odd_spine::{Queue, Spine};
use odd_store::conformance::{counters, sample};
use odd_store::{CounterEvent, Counters, EventFilter, EventLog, LoggedEvent};

fn jobs(numbers: std::ops::Range<u128>) -> Vec<odd_contracts::EventEnvelope> {
    numbers
        .flat_map(|n| sample::history(sample::job(n), "hello", 1, JobStatus::Completed))
        .collect()
}

#[tokio::test]
async fn events_are_recorded_counted_and_acknowledged() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    let events = jobs(0..300);
    world.publish(&events).await;
    world.publish(&events[..100]).await;
    world.drained().await;
    assert_eq!(world.recorded().await.len(), 1_200);
    for n in 0..300 {
        let history = world.event_log.history(sample::job(n)).await.unwrap();
        assert_eq!(history, jobs(n..n + 1));
    }
    let snapshot = world.snapshot().await;
    assert_eq!(snapshot.by_status, [(JobStatus::Completed, 300)].into());
    role.ready(true).await;
    let (status, metrics) = role.get("/metrics").await;
    assert_eq!(status, 200);
    let created =
        r#"metrics_engine_events_recorded_total{event_type="job.created",service="metrics-engine"} 300"#;
    let again = r#"metrics_engine_events_duplicate_total{service="metrics-engine"} 100"#;
    assert!(metrics.contains(created) && metrics.contains(again), "{metrics}");
    assert!(role.get("/openapi.json").await.1.contains("/readyz"));
    role.stop().await;
}

#[tokio::test]
async fn both_shapes_of_messages_are_taken() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    let events = jobs(0..3);
    world.publish_json(&events[0]).await;
    world
        .publish_lines(&events[1..8].iter().map(line).collect::<Vec<_>>())
        .await;
    let pretty = serde_json::to_string_pretty(&events[8]).unwrap();
    world.publish_body("application/json", pretty).await;
    world.publish_body("text/plain", line(&events[9])).await;
    world.drained().await;
    assert_eq!(world.recorded().await, events[..10]);
    assert_eq!(world.depth(Queue::DeadLetter).await, 0);
    role.stop().await;
}

#[tokio::test]
async fn a_garbage_line_is_put_aside_alone() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    let events = jobs(0..1);
    let mut lines: Vec<_> = events.iter().map(line).collect();
    let garbage = "{\"eventType\":\"job.exploded\",\"payload\":{\"id\":\"nobody\"}}".to_owned();
    lines.insert(2, garbage.clone());
    world.publish_lines(&lines).await;
    world
        .publish_body("application/json", "\u{0}not json".to_owned())
        .await;
    let reported = EventFilter {
        event_types: vec![EventType::DeadLettered],
        ..EventFilter::default()
    };
    wait_for("the dead letters to be recorded", async || {
        world.event_log.since(&reported, None, 10).await.unwrap().len() == 2
    })
    .await;
    world.drained().await;
    assert_eq!(world.event_log.history(sample::job(0)).await.unwrap(), events);
    let letters = world.event_log.since(&reported, None, 10).await.unwrap();
    let letters: Vec<_> = letters
        .iter()
        .map(|event| dead_letter::from_event(&event.event).unwrap())
        .collect();
    let reasons: BTreeSet<_> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    assert_eq!(reasons, ["invalid_envelope", "not_json"].into());
    let kept = letters
        .iter()
        .find(|letter| letter.reason == "invalid_envelope")
        .unwrap();
    assert_eq!(kept.body_text.as_deref(), Some(garbage.as_str()));
    assert_eq!(world.depth(Queue::DeadLetter).await, 2);
    let snapshot = world.snapshot().await;
    assert_eq!((snapshot.total, snapshot.dead_lettered), (1, 2));
    let metrics = role.get("/metrics").await.1;
    let counted = r#"odd_messages_dead_lettered_total{reason="not_json",service="metrics-engine"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    role.stop().await;
}

/// The role ends between recording and counting; the next one is delivered the same events again.
#[tokio::test]
async fn redelivery_counts_once() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    let mut ports = world.ports();
    ports.counters = Arc::new(FaultyCounters(world.counters.clone(), Arc::clone(&faults)));
    let events = jobs(0..50);
    let role = Running::start(ports).await;
    world.publish(&events).await;
    world.drained().await;
    let before = world.snapshot().await;
    assert_eq!(before.total, 50);

    faults.hangs.store(true, Ordering::SeqCst);
    let calls = faults.calls.load(Ordering::SeqCst);
    world.publish(&events).await;
    world.publish(&jobs(50..60)).await;
    wait_for("the counters to be called", async || {
        faults.calls.load(Ordering::SeqCst) > calls
    })
    .await;
    role.kill().await;
    assert!(
        world.depth(Queue::Events).await > 0,
        "nothing of it was acknowledged"
    );

    let role = Running::start(world.ports()).await;
    world.drained().await;
    assert_eq!(world.recorded().await.len(), 240);
    let after = world.snapshot().await;
    assert_eq!((after.total, after.in_status(JobStatus::Completed)), (60, 60));
    role.stop().await;
}

#[tokio::test]
async fn an_outage_of_the_event_log_is_waited_out() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    let mut ports = world.ports();
    ports.event_log = Arc::new(FaultyLog(world.event_log.clone(), Arc::clone(&faults)));
    let role = Running::start(ports).await;
    role.ready(true).await;
    faults.away.store(true, Ordering::SeqCst);
    world.publish(&jobs(0..100)).await;
    role.ready(false).await;
    let (_, report) = role.get("/readyz").await;
    assert!(report.contains("unplugged"), "{report}");
    assert_eq!(role.get("/healthz").await.0, 200);
    assert!(world.depth(Queue::Events).await > 0 && world.recorded().await.is_empty());
    faults.away.store(false, Ordering::SeqCst);
    world.drained().await;
    role.ready(true).await;
    assert_eq!(world.recorded().await.len(), 400);
    assert_eq!(world.snapshot().await.total, 100);
    assert_eq!(world.depth(Queue::DeadLetter).await, 0);
    role.stop().await;
}

#[tokio::test]
async fn an_outage_of_the_counters_is_waited_out() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    faults.away.store(true, Ordering::SeqCst);
    let mut ports = world.ports();
    ports.counters = Arc::new(FaultyCounters(world.counters.clone(), Arc::clone(&faults)));
    let role = Running::start(ports).await;
    world.publish(&jobs(0..20)).await;
    // They answer, but cannot count: the backoff must grow all the same.
    wait_for("several attempts", async || {
        faults.calls.load(Ordering::SeqCst) >= 3
    })
    .await;
    role.ready(false).await;
    assert!(world.depth(Queue::Events).await > 0);
    assert_eq!(world.snapshot().await.total, 0);
    faults.away.store(false, Ordering::SeqCst);
    world.drained().await;
    assert_eq!(world.snapshot().await.total, 20);
    role.ready(true).await;
    role.stop().await;
}

#[tokio::test]
async fn a_refused_event_is_put_aside_and_the_others_are_recorded() {
    for log_refuses in [true, false] {
        let world = World::open().await;
        let faults = Arc::new(Faults::default());
        faults.refuses.store(true, Ordering::SeqCst);
        let mut ports = world.ports();
        if log_refuses {
            ports.event_log = Arc::new(FaultyLog(world.event_log.clone(), faults));
        } else {
            ports.counters = Arc::new(FaultyCounters(world.counters.clone(), faults));
        }
        let role = Running::start(ports).await;
        let mut events = jobs(0..40);
        let culprit = sample::typed_event(sample::job(99), "refused", EventType::Created, 0);
        events.insert(71, culprit.clone());
        world
            .publish_lines(&events.iter().map(line).collect::<Vec<_>>())
            .await;
        wait_for("the dead letter to be counted", async || {
            world.snapshot().await.dead_lettered == 1
        })
        .await;
        world.drained().await;
        let snapshot = world.snapshot().await;
        assert_eq!(
            (snapshot.total, snapshot.in_status(JobStatus::Completed)),
            (40, 40)
        );
        let reported = EventFilter {
            event_types: vec![EventType::DeadLettered],
            job_id: Some(sample::job(99)),
            ..EventFilter::default()
        };
        let reported = world.event_log.since(&reported, None, 10).await.unwrap();
        let letter = dead_letter::from_event(&reported[0].event).unwrap();
        assert_eq!(letter.reason, "store_refused");
        assert!(letter.detail.contains("not to its taste"), "{}", letter.detail);
        assert_eq!(letter.body_text.unwrap(), line(&culprit));
        let kept = world.event_log.history(sample::job(99)).await.unwrap();
        assert_eq!(kept.is_empty(), log_refuses);
        role.stop().await;
    }
}

/// A report about a dead letter that the log refuses must not breed reports without end.
#[tokio::test]
async fn a_refused_report_breeds_no_further_report() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    faults.refuses.store(true, Ordering::SeqCst);
    let mut ports = world.ports();
    ports.event_log = Arc::new(FaultyLog(world.event_log.clone(), faults));
    let role = Running::start(ports).await;
    let mut report = sample::dead_letter(sample::job(1), None);
    report.payload.insert("type".to_owned(), "refused".into());
    world.publish(&[report]).await;
    world.publish(&jobs(0..1)).await;
    world.drained().await;
    assert_eq!(world.recorded().await, jobs(0..1));
    assert_eq!(world.depth(Queue::DeadLetter).await, 0);
    role.stop().await;
}

#[tokio::test]
async fn damaged_counters_are_rebuilt_from_the_log() {
    let world = World::open().await;
    let events = jobs(0..1_500);
    world
        .event_log
        .append(&LoggedEvent::of_all(&events))
        .await
        .unwrap();
    world
        .counters
        .apply(None, &CounterEvent::of_all(&events))
        .await
        .unwrap();
    let before = world.snapshot().await;
    counters::damage(&world.database).await;
    assert!(world.counters.snapshot().await.is_err());
    // What waits on the spine is counted into the new counters.
    world.publish(&jobs(1_500..1_510)).await;
    let role = Running::start(world.ports()).await;
    world.drained().await;
    let after = world.snapshot().await;
    assert_eq!(after.total, before.total + 10);
    assert_eq!(after.in_status(JobStatus::Completed), 1_510);
    role.ready(true).await;
    role.stop().await;
}

/// Damage at work is found at the next failure.
#[tokio::test]
async fn counters_damaged_at_work_are_rebuilt() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    world.publish(&jobs(0..30)).await;
    world.drained().await;
    counters::damage(&world.database).await;
    world.publish(&jobs(30..40)).await;
    world.drained().await;
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 40);
    role.stop().await;
}

/// Nobody has to count for it: readers must not be shown empty counters until the next job comes.
#[tokio::test]
async fn counters_emptied_while_nothing_happens_are_rebuilt() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    world.publish(&jobs(0..30)).await;
    world.drained().await;
    counters::damage(&world.database).await;
    wait_for("the counters to be rebuilt", async || {
        let snapshot = world.counters.snapshot().await;
        snapshot.is_ok_and(|snapshot| snapshot.in_status(JobStatus::Completed) == 30)
    })
    .await;
    role.ready(true).await;
    role.stop().await;
}

/// What asks for a rebuild may look intact: an event that is older than all that is remembered spoils nothing.
#[tokio::test]
async fn counters_that_ask_for_a_rebuild_are_rebuilt_though_they_look_intact() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    let mut ports = world.ports();
    ports.counters = Arc::new(FaultyCounters(world.counters.clone(), Arc::clone(&faults)));
    let role = Running::start(ports).await;
    world.publish(&jobs(0..30)).await;
    world.drained().await;
    faults.forgets.store(true, Ordering::SeqCst);
    world.publish(&jobs(30..40)).await;
    world.drained().await;
    assert!(!faults.forgets.load(Ordering::SeqCst), "they were rebuilt");
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 40);
    role.stop().await;
}

/// Each delivery comes again until all of it is dealt with; what is garbage in it must not be put aside each time.
#[tokio::test]
async fn garbage_is_put_aside_once_however_often_it_is_delivered() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    faults.away.store(true, Ordering::SeqCst);
    let mut ports = world.ports();
    ports.counters = Arc::new(FaultyCounters(world.counters.clone(), Arc::clone(&faults)));
    let role = Running::start(ports).await;
    let mut lines: Vec<_> = jobs(0..2).iter().map(line).collect();
    lines.insert(1, "{\"broken".to_owned());
    world.publish_lines(&lines).await;
    wait_for("several attempts", async || {
        faults.calls.load(Ordering::SeqCst) >= 4
    })
    .await;
    faults.away.store(false, Ordering::SeqCst);
    world.drained().await;
    assert_eq!(world.depth(Queue::DeadLetter).await, 1);
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 2);
    role.stop().await;
}

#[tokio::test]
async fn a_shutdown_under_load_loses_nothing() {
    let world = World::open().await;
    let events = jobs(0..2_000);
    let role = Running::start(world.ports()).await;
    for batch in events.chunks(100) {
        world.publish(batch).await;
    }
    wait_for("the first events", async || world.snapshot().await.total > 0).await;
    role.stop().await;
    // Nothing stays in the hands of a role that is gone.
    let depths = world.spine.depths().await.unwrap();
    assert!(depths.iter().all(|depth| depth.unacknowledged == 0), "{depths:?}");
    let role = Running::start(world.ports()).await;
    world.drained().await;
    assert_eq!(world.recorded().await.len(), events.len());
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 2_000);
    role.stop().await;
}

/// Several roles on one queue share the work.
#[tokio::test]
async fn two_replicas_count_once() {
    let world = World::open().await;
    let roles = [
        Running::start(world.ports()).await,
        Running::start(world.ports()).await,
    ];
    for batch in jobs(0..500).chunks(50) {
        world.publish(batch).await;
        world.publish(batch).await;
    }
    world.drained().await;
    assert_eq!(world.recorded().await.len(), 2_000);
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 500);
    for role in roles {
        role.stop().await;
    }
}
