//! The suite that all counters pass. Each function is one property, run on empty counters.

use std::sync::Arc;

use odd_contracts::names::metric::OTHER_TYPE;
use odd_contracts::{EventEnvelope, EventHead, EventType, JobStatus, Timestamp, api};

use super::sample::{Chance, dead_letter, event, history, job, typed_event};
use crate::counters::MAX_TYPES;
use crate::{CounterEvent, Counters};

type Port = Arc<dyn Counters>;

/// Generates one test per property. `$open` is an async expression that yields empty counters and
/// whatever must outlive them.
#[macro_export]
macro_rules! counters_conformance {
    ($open:expr) => {
        $crate::counters_conformance!(@each $open;
            empty_counters_are_intact_zeros, a_job_is_counted_where_it_stands, retries_are_attempts_after_the_first,
            dead_letters_are_counted_apart, any_order_repetition_and_batching_counts_the_same,
            concurrent_appliers_count_once, types_are_bounded, a_job_keeps_its_type, what_counts_for_nothing,
            a_rebuild_equals_the_original, a_rebuild_is_not_seen_before_it_is_in_use, a_dropped_generation_takes_nothing);
    };
    (@each $open:expr; $($name:ident),+) => {
        $(#[tokio::test]
        async fn $name() {
            let (counters, _guard) = $open.await;
            $crate::conformance::counters::$name(counters).await;
        })+
    };
}

fn counted(events: &[EventEnvelope]) -> Vec<CounterEvent> {
    CounterEvent::of_all(events)
}

async fn apply(port: &Port, events: &[EventEnvelope]) {
    port.apply(None, &counted(events)).await.unwrap();
}

/// Jobs in every state, several types, retries and dead letters; and what they come to.
fn mixture() -> (Vec<EventEnvelope>, api::Counters) {
    let mut events = Vec::new();
    for n in 0..10 {
        events.extend(history(job(n), "alpha", 1, JobStatus::Completed));
        events.extend(history(job(100 + n), "beta", 3, JobStatus::Failed));
        events.extend(history(job(200 + n), "beta", 2, JobStatus::Cancelled));
        events.extend(history(job(300 + n), "gamma", 2, JobStatus::Executing));
        events.push(typed_event(job(400 + n), "gamma", EventType::Created, 0));
        events.push(dead_letter(job(500 + n), (n % 2 == 0).then(|| job(n))));
    }
    let of_type = |total, completed, failed, cancelled| api::TypeCounters {
        total,
        completed,
        failed,
        cancelled,
    };
    let expected = api::Counters {
        total: 50,
        by_status: [
            (JobStatus::Pending, 10),
            (JobStatus::Executing, 10),
            (JobStatus::Completed, 10),
            (JobStatus::Failed, 10),
            (JobStatus::Cancelled, 10),
        ]
        .into(),
        retries: 10 * (2 + 1 + 1),
        dead_lettered: 10,
        by_type: [
            ("alpha".to_owned(), of_type(10, 10, 0, 0)),
            ("beta".to_owned(), of_type(20, 0, 10, 10)),
            ("gamma".to_owned(), of_type(20, 0, 0, 0)),
        ]
        .into(),
        last_event_at: events.iter().map(|event| event.occurred_at).max(),
    };
    (events, expected)
}

/// Nothing was counted, and that can be trusted.
pub async fn empty_counters_are_intact_zeros(port: Port) {
    assert!(port.is_intact().await.unwrap());
    port.apply(None, &[]).await.unwrap();
    assert_eq!(port.snapshot().await.unwrap(), api::Counters::default());
}

/// Event by event, the job moves from status to status and is counted in one only.
pub async fn a_job_is_counted_where_it_stands(port: Port) {
    let statuses = [
        JobStatus::Pending,
        JobStatus::Validated,
        JobStatus::Executing,
        JobStatus::Retrying,
        JobStatus::Executing,
        JobStatus::Completed,
    ];
    let events = history(job(1), "hello", 2, JobStatus::Completed);
    assert_eq!(events.len(), statuses.len());
    for (event, status) in events.iter().zip(statuses) {
        apply(&port, std::slice::from_ref(event)).await;
        let snapshot = port.snapshot().await.unwrap();
        assert_eq!(snapshot.total, 1);
        assert_eq!(
            snapshot.by_status,
            [(status, 1)].into(),
            "after {}",
            event.event_type
        );
        assert_eq!(snapshot.last_event_at, Some(event.occurred_at));
        assert_eq!(
            snapshot.by_type["hello"].completed,
            u64::from(status == JobStatus::Completed)
        );
    }
}

/// Also where the events of the attempts in between were never seen.
pub async fn retries_are_attempts_after_the_first(port: Port) {
    apply(&port, &[event(job(1), EventType::Executed, 5)]).await;
    apply(&port, &[event(job(2), EventType::Retrying, 1)]).await;
    apply(&port, &[event(job(3), EventType::Cancelled, 0)]).await;
    assert_eq!(port.snapshot().await.unwrap().retries, 4);
    apply(
        &port,
        &[
            event(job(1), EventType::Failed, 6),
            event(job(2), EventType::Executed, 2),
        ],
    )
    .await;
    assert_eq!(port.snapshot().await.unwrap().retries, 6);
}

/// A dead letter is no job, not even under the id of one.
pub async fn dead_letters_are_counted_apart(port: Port) {
    let letters = [dead_letter(job(1), Some(job(1))), dead_letter(job(2), None)];
    apply(&port, &letters).await;
    apply(&port, &letters).await;
    apply(&port, &[event(job(1), EventType::Completed, 1)]).await;
    let snapshot = port.snapshot().await.unwrap();
    assert_eq!((snapshot.dead_lettered, snapshot.total), (2, 1));
    assert_eq!(snapshot.by_status, [(JobStatus::Completed, 1)].into());
}

/// The property that everything else rests on.
pub async fn any_order_repetition_and_batching_counts_the_same(port: Port) {
    let (events, expected) = mixture();
    for seed in 1..=8 {
        let mut chance = Chance(seed);
        // Every event one to three times, in any order, in batches of any size.
        let mut shuffled: Vec<_> = events
            .iter()
            .flat_map(|event| vec![event.clone(); 1 + chance.below(3)])
            .collect();
        chance.shuffle(&mut shuffled);
        let generation = port.begin_rebuild().await.unwrap();
        let mut rest = &shuffled[..];
        while !rest.is_empty() {
            let (batch, remaining) = rest.split_at((1 + chance.below(60)).min(rest.len()));
            port.apply(Some(generation), &counted(batch)).await.unwrap();
            rest = remaining;
        }
        port.activate(generation).await.unwrap();
        assert_eq!(port.snapshot().await.unwrap(), expected, "seed {seed}");
    }
}

/// Two that apply the same events at the same time count them once.
pub async fn concurrent_appliers_count_once(port: Port) {
    let (events, expected) = mixture();
    let mut appliers = Vec::new();
    for seed in 0..2 {
        let (port, mut events) = (Arc::clone(&port), events.clone());
        Chance(seed).shuffle(&mut events);
        appliers.push(tokio::spawn(async move {
            for batch in events.chunks(7) {
                apply(&port, batch).await;
            }
        }));
    }
    for applier in appliers {
        applier.await.unwrap();
    }
    assert_eq!(port.snapshot().await.unwrap(), expected);
}

/// Ten thousand types, and a type that is named like the rest of them.
pub async fn types_are_bounded(port: Port) {
    const TYPES: u128 = 10_000;
    apply(&port, &[typed_event(job(0), OTHER_TYPE, EventType::Created, 0)]).await;
    let events: Vec<_> = (1..=TYPES)
        .map(|n| typed_event(job(n), &format!("type-{n}"), EventType::Completed, 1))
        .collect();
    for batch in events.chunks(997) {
        apply(&port, batch).await;
    }
    let snapshot = port.snapshot().await.unwrap();
    assert_eq!(snapshot.by_type.len(), MAX_TYPES + 1);
    let own = MAX_TYPES as u64;
    assert_eq!(snapshot.by_type[OTHER_TYPE].total, 10_000 - own + 1);
    assert_eq!(snapshot.by_type[OTHER_TYPE].completed, 10_000 - own);
    assert_eq!(
        snapshot.by_type.values().map(|counts| counts.total).sum::<u64>(),
        10_001
    );
    // What is known stays known, what is not stays in the rest.
    apply(&port, &events).await;
    assert_eq!(port.snapshot().await.unwrap(), snapshot);
}

/// Whatever later events say, so that no type's counts fall below those of its states.
pub async fn a_job_keeps_its_type(port: Port) {
    apply(&port, &[typed_event(job(1), "first", EventType::Created, 0)]).await;
    apply(&port, &[typed_event(job(1), "second", EventType::Completed, 1)]).await;
    apply(&port, &[typed_event(job(2), "", EventType::Failed, 0)]).await;
    let by_type = port.snapshot().await.unwrap().by_type;
    assert_eq!(by_type.keys().collect::<Vec<_>>(), ["first", OTHER_TYPE]);
    assert_eq!((by_type["first"].total, by_type["first"].completed), (1, 1));
    assert_eq!(by_type[OTHER_TYPE].failed, 1);
}

/// Events without a job, and sequences that no event has.
pub async fn what_counts_for_nothing(port: Port) {
    let mut nobody = event(job(1), EventType::Completed, 1);
    nobody.payload.remove("id");
    assert_eq!(counted(std::slice::from_ref(&nobody)), []);
    let mut nameless = dead_letter(job(2), None);
    nameless.idempotency_key = "no identifier".to_owned();
    assert_eq!(CounterEvent::of(&EventHead::of(&nameless)), None);
    // A foreign sequence gives way to what type and attempt say.
    let mut foreign = event(job(3), EventType::Completed, 1);
    foreign.sequence = Some(4_000_000_003);
    assert_eq!(
        CounterEvent::of(&EventHead::of(&foreign)).unwrap().sequence,
        Some(13)
    );
    foreign.payload.insert("attempt".to_owned(), 400_000_000.into());
    assert_eq!(CounterEvent::of(&EventHead::of(&foreign)), None);
    let impossible = CounterEvent {
        key: job(4),
        sequence: Some(6),
        job_type: "hello".to_owned(),
        occurred_at: Timestamp::from_micros(0),
    };
    port.apply(None, &[impossible]).await.unwrap();
    assert_eq!(port.snapshot().await.unwrap().total, 0);
}

/// Built from the events anew, in their order of recording.
pub async fn a_rebuild_equals_the_original(port: Port) {
    let (mut events, expected) = mixture();
    Chance(5).shuffle(&mut events);
    for batch in events.chunks(13) {
        apply(&port, batch).await;
    }
    assert_eq!(port.snapshot().await.unwrap(), expected);
    for _ in 0..2 {
        let generation = port.begin_rebuild().await.unwrap();
        for batch in events.chunks(50) {
            port.apply(Some(generation), &counted(batch)).await.unwrap();
        }
        port.activate(generation).await.unwrap();
        assert!(port.is_intact().await.unwrap());
        assert_eq!(port.snapshot().await.unwrap(), expected);
    }
    // The generation in use now is the one that is counted into.
    apply(&port, &events).await;
    apply(&port, &[event(job(999), EventType::Created, 0)]).await;
    assert_eq!(port.snapshot().await.unwrap().total, expected.total + 1);
}

/// Readers see the old counters until the new ones are whole.
pub async fn a_rebuild_is_not_seen_before_it_is_in_use(port: Port) {
    apply(&port, &[event(job(1), EventType::Created, 0)]).await;
    let before = port.snapshot().await.unwrap();
    let generation = port.begin_rebuild().await.unwrap();
    port.apply(
        Some(generation),
        &counted(&[event(job(2), EventType::Completed, 1)]),
    )
    .await
    .unwrap();
    assert_eq!(port.snapshot().await.unwrap(), before);
    port.activate(generation).await.unwrap();
    let after = port.snapshot().await.unwrap();
    assert_eq!(after.by_status, [(JobStatus::Completed, 1)].into());
}

/// Who still counts into a generation that is gone learns of it.
pub async fn a_dropped_generation_takes_nothing(port: Port) {
    let abandoned = port.begin_rebuild().await.unwrap();
    let used = port.begin_rebuild().await.unwrap();
    assert_ne!(abandoned, used);
    port.activate(used).await.unwrap();
    let events = counted(&[event(job(1), EventType::Created, 0)]);
    assert!(port.apply(Some(abandoned), &events).await.is_err());
    assert!(port.activate(abandoned).await.is_err());
    assert_eq!(port.snapshot().await.unwrap().total, 0);
    assert!(port.begin_rebuild().await.unwrap() > abandoned.max(used));
}

/// Damages counters in a database the way only somebody from outside can, so that they must be rebuilt.
pub async fn damage(database: &crate::embedded::Database) {
    database
        .write(|connection| {
            Box::pin(async {
                // Counts that are wrong as well, to see that a rebuild does not start from them.
                for statement in [
                    "DELETE FROM counter_meta",
                    "UPDATE counter_statuses SET jobs = jobs + 1000",
                    "UPDATE counter_guards SET sequence = 9999",
                ] {
                    sqlx::query(statement).execute(&mut *connection).await.unwrap();
                }
                Ok(())
            })
        })
        .await
        .unwrap();
}
