//! What the role does with events, and with servers that fail it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use odd_contracts::{EventType, JobStatus};
use odd_spine::Queue;
use odd_spine::dead_letter;
use odd_store::conformance::sample;
use odd_store::{CounterEvent, Counters, EventFilter, EventLog, LoggedEvent};

use crate::faulty::{Faults, FaultyCounters, FaultyLog};
use crate::harness::{Running, World, line, wait_for};

fn jobs(numbers: std::ops::Range<u128>) -> Vec<odd_contracts::EventEnvelope> {
    numbers
        .flat_map(|n| sample::history(sample::job(n), "hello", 1, JobStatus::Completed))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_recorded_counted_and_acknowledged() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    let events = jobs(0..100);
    world.publish(&events).await;
    world.publish(&events[..100]).await;
    world.drained().await;
    assert_eq!(world.recorded().await.len(), 400);
    for n in 0..100 {
        let history = world.event_log.history(sample::job(n)).await.unwrap();
        assert_eq!(history, jobs(n..n + 1));
    }
    let snapshot = world.snapshot().await;
    assert_eq!(snapshot.by_status, [(JobStatus::Completed, 100)].into());
    role.ready(true).await;
    let (status, metrics) = role.get("/metrics").await;
    assert_eq!(status, 200);
    let created =
        r#"metrics_engine_events_recorded_total{event_type="job.created",service="metrics-engine"} 100"#;
    let again = r#"metrics_engine_events_duplicate_total{service="metrics-engine"} 100"#;
    assert!(metrics.contains(created) && metrics.contains(again), "{metrics}");
    assert!(role.get("/openapi.json").await.1.contains("/readyz"));
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    assert_eq!(world.ready(Queue::DeadLetter).await, 0);
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    assert_eq!(world.ready(Queue::DeadLetter).await, 2);
    let snapshot = world.snapshot().await;
    assert_eq!((snapshot.total, snapshot.dead_lettered), (1, 2));
    let metrics = role.get("/metrics").await.1;
    let counted = r#"odd_messages_dead_lettered_total{reason="not_json",service="metrics-engine"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    role.stop().await;
}

/// The role ends between recording and counting; the next one is delivered the same events again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    let acknowledged = world.ledger().acknowledged();

    faults.hangs.store(true, Ordering::SeqCst);
    let calls = faults.calls.load(Ordering::SeqCst);
    world.publish(&events).await;
    world.publish(&jobs(50..60)).await;
    wait_for("the counters to be called", async || {
        faults.calls.load(Ordering::SeqCst) > calls
    })
    .await;
    role.kill().await;
    assert_eq!(
        world.ledger().acknowledged(),
        acknowledged,
        "nothing of it was acknowledged"
    );
    let all = u64::try_from(world.ledger().open()).unwrap();
    wait_for("all of it to come back", async || {
        world.ready(Queue::Events).await == all
    })
    .await;

    let role = Running::start(world.ports()).await;
    world.drained().await;
    assert_eq!(world.recorded().await.len(), 240);
    let after = world.snapshot().await;
    assert_eq!((after.total, after.in_status(JobStatus::Completed)), (60, 60));
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_event_log_is_waited_out() {
    let world = World::open().await;
    let faults = Arc::new(Faults::default());
    let mut ports = world.ports();
    ports.event_log = Arc::new(FaultyLog(world.event_log.clone(), Arc::clone(&faults)));
    let role = Running::start(ports).await;
    role.ready(true).await;
    faults.away.store(true, Ordering::SeqCst);
    world.publish(&jobs(0..40)).await;
    role.ready(false).await;
    let (_, report) = role.get("/readyz").await;
    assert!(report.contains("unplugged"), "{report}");
    assert_eq!(role.get("/healthz").await.0, 200);
    assert_eq!(world.ledger().acknowledged(), 0);
    wait_for("the events to wait for it", async || {
        world.ready(Queue::Events).await > 0
    })
    .await;
    assert!(world.recorded().await.is_empty());
    faults.away.store(false, Ordering::SeqCst);
    world.drained().await;
    role.ready(true).await;
    assert_eq!(world.recorded().await.len(), 160);
    assert_eq!(world.snapshot().await.total, 40);
    assert_eq!(world.ready(Queue::DeadLetter).await, 0);
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    assert_eq!(world.ledger().acknowledged(), 0);
    assert_eq!(world.snapshot().await.total, 0);
    faults.away.store(false, Ordering::SeqCst);
    world.drained().await;
    assert_eq!(world.snapshot().await.total, 20);
    role.ready(true).await;
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    assert_eq!(world.ready(Queue::DeadLetter).await, 0);
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_counters_are_rebuilt_from_the_log() {
    let world = World::open().await;
    // More than the role reads at a time.
    let events = jobs(0..550);
    let generation = world.counters.begin_rebuild().await.unwrap();
    world.counters.activate(generation).await.unwrap();
    for page in events.chunks(500) {
        let logged = world.event_log.append(&LoggedEvent::of_all(page)).await;
        logged.unwrap();
        let counted = world.counters.apply(None, &CounterEvent::of_all(page)).await;
        counted.unwrap();
    }
    let before = world.snapshot().await;
    world.empty_counters().await;
    assert!(world.counters.snapshot().await.is_err());
    // What waits on the spine is counted into the new counters.
    world.publish(&jobs(550..560)).await;
    let role = Running::start(world.ports()).await;
    world.drained().await;
    let after = world.snapshot().await;
    assert_eq!(after.total, before.total + 10);
    assert_eq!(after.in_status(JobStatus::Completed), 560);
    role.ready(true).await;
    role.stop().await;
}

/// Damage at work is found at the next failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_damaged_at_work_are_rebuilt() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    world.publish(&jobs(0..30)).await;
    world.drained().await;
    world.empty_counters().await;
    world.publish(&jobs(30..40)).await;
    world.drained().await;
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 40);
    role.stop().await;
}

/// Nobody has to count for it: readers must not be shown empty counters until the next job comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_emptied_while_nothing_happens_are_rebuilt() {
    let world = World::open().await;
    let role = Running::start(world.ports()).await;
    world.publish(&jobs(0..30)).await;
    world.drained().await;
    world.empty_counters().await;
    wait_for("the counters to be rebuilt", async || {
        let snapshot = world.counters.snapshot().await;
        snapshot.is_ok_and(|snapshot| snapshot.in_status(JobStatus::Completed) == 30)
    })
    .await;
    role.ready(true).await;
    role.stop().await;
}

/// What asks for a rebuild may look intact: an event that is older than all that is remembered spoils nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    assert_eq!(world.ready(Queue::DeadLetter).await, 1);
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 2);
    role.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_under_load_loses_nothing() {
    let world = World::open().await;
    let events = jobs(0..400);
    let role = Running::start(world.ports()).await;
    world.publish_by(10, &events).await;
    wait_for("the first events", async || world.snapshot().await.total > 0).await;
    role.stop().await;
    // Nothing stays in the hands of a role that is gone.
    let rest = u64::try_from(world.ledger().open()).unwrap();
    wait_for("the rest to be given back", async || {
        world.ready(Queue::Events).await == rest
    })
    .await;
    let role = Running::start(world.ports()).await;
    world.drained().await;
    assert_eq!(world.recorded().await.len(), events.len());
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 400);
    role.stop().await;
}

/// Several roles on one queue share the work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_count_once() {
    let world = World::open().await;
    let roles = [
        Running::start(world.ports()).await,
        Running::start(world.other_ports().await).await,
    ];
    for batch in jobs(0..150).chunks(50) {
        world.publish_by(5, batch).await;
        world.publish_by(5, batch).await;
    }
    world.drained().await;
    assert_eq!(world.recorded().await.len(), 600);
    assert_eq!(world.snapshot().await.in_status(JobStatus::Completed), 150);
    for role in roles {
        role.stop().await;
    }
}
