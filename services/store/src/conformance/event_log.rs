//! The suite that every event log passes. Each function is one property, run on an empty log.

use std::collections::BTreeSet;
use std::sync::Arc;

use odd_contracts::{EventEnvelope, EventType, JobId, JobStatus};
use uuid::Uuid;

use super::sample::{Chance, dead_letter, event, history, job};
use crate::{EventFilter, EventLog, LoggedEvent, NewEvents, Position, PositionedEvent};

type Log = Arc<dyn EventLog>;

/// Generates one test per property. `$open` is an async expression that yields an empty log and
/// whatever must outlive it.
#[macro_export]
macro_rules! event_log_conformance {
    ($open:expr) => {
        $crate::event_log_conformance!(@each $open;
            an_event_is_recorded_once, a_batch_may_repeat_itself, what_is_in_no_history_is_recorded_once, concurrent_appends_record_each_event_once,
            events_come_back_as_they_were, a_history_is_ordered_by_sequence, a_missing_sequence_is_derived,
            foreign_values_are_kept, feeds_page_in_both_directions, filters_select, filters_combine, rare_types_page,
            a_correlation_finds_all_that_follows, creations_are_found_by_job, dead_letters_are_found_by_id, exports_page_by_job, exports_show_repetitions, ten_thousand_events);
    };
    (@each $open:expr; $($name:ident),+) => {
        $(#[tokio::test]
        async fn $name() {
            let (log, _guard) = $open.await;
            $crate::conformance::event_log::$name(log).await;
        })+
    };
}

fn by_type(types: &[EventType]) -> EventFilter {
    EventFilter {
        event_types: types.to_vec(),
        ..EventFilter::default()
    }
}

fn ids(events: &[PositionedEvent]) -> Vec<Uuid> {
    events.iter().map(|e| e.event.event_id).collect()
}

fn ids_of(events: &[EventEnvelope]) -> Vec<Uuid> {
    events.iter().map(|e| e.event_id).collect()
}

async fn append(log: &Log, events: &[EventEnvelope]) -> NewEvents {
    log.append(&LoggedEvent::of_all(events)).await.unwrap()
}

/// Records events and tells how many are new.
async fn append_new(log: &Log, events: &[EventEnvelope]) -> u64 {
    append(log, events).await.into_values().sum()
}

/// Every event in order of recording, read in pages.
async fn read_all(log: &Log, filter: &EventFilter, page: usize) -> Vec<PositionedEvent> {
    let mut all: Vec<PositionedEvent> = Vec::new();
    loop {
        let after = all.last().map(|event| event.position);
        let next = log.since(filter, after, page).await.unwrap();
        assert!(next.len() <= page);
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}

/// Across batches, the first wins and the others are not new.
pub async fn an_event_is_recorded_once(log: Log) {
    let events = history(job(1), "hello", 1, JobStatus::Completed);
    let one = |event_type| (event_type, 1);
    assert_eq!(append(&log, &[]).await, NewEvents::new());
    assert_eq!(
        append(&log, &events[..2]).await,
        [EventType::Created, EventType::Validated].map(one).into()
    );
    assert_eq!(
        append(&log, &events).await,
        [EventType::Executed, EventType::Completed].map(one).into()
    );
    assert_eq!(append(&log, &events).await, NewEvents::new());
    assert_eq!(
        ids(&read_all(&log, &EventFilter::default(), 100).await),
        ids_of(&events)
    );
}

/// Within a batch, too.
pub async fn a_batch_may_repeat_itself(log: Log) {
    let created = event(job(1), EventType::Created, 0);
    let failed = event(job(1), EventType::Failed, 1);
    let batch = [failed.clone(), created.clone(), failed.clone(), created, failed];
    assert_eq!(
        append(&log, &batch).await,
        [(EventType::Failed, 1), (EventType::Created, 1)].into()
    );
    let recorded = read_all(&log, &EventFilter::default(), 100).await;
    assert_eq!(ids(&recorded), [batch[0].event_id, batch[1].event_id]);
}

/// Dead letters, with and without a job, and events that name no job.
pub async fn what_is_in_no_history_is_recorded_once(log: Log) {
    let mut nobody = event(job(2), EventType::Executed, 1);
    nobody.payload.remove("id");
    let events = [
        dead_letter(job(50), Some(job(1))),
        dead_letter(job(51), Some(job(1))),
        dead_letter(job(52), None),
        nobody,
    ];
    assert_eq!(append_new(&log, &events[1..]).await, 3);
    assert_eq!(append_new(&log, &[&events[..], &events[..]].concat()).await, 1);
    let mut recorded = ids(&read_all(&log, &EventFilter::default(), 100).await);
    recorded.rotate_right(1);
    assert_eq!(recorded, ids_of(&events));
}

/// Of several appenders of the same events, each event is new to exactly one.
pub async fn concurrent_appends_record_each_event_once(log: Log) {
    const JOBS: u128 = 60;
    let events: Vec<_> = (1..=JOBS)
        .flat_map(|n| history(job(n), "hello", 1, JobStatus::Completed))
        .collect();
    let mut appenders = Vec::new();
    for seed in 0..4 {
        let (log, mut events) = (Arc::clone(&log), events.clone());
        Chance(seed).shuffle(&mut events);
        appenders.push(tokio::spawn(async move {
            let mut new = 0;
            for batch in events.chunks(17) {
                new += append_new(&log, batch).await;
            }
            new
        }));
    }
    let mut new = 0;
    for appender in appenders {
        new += appender.await.unwrap();
    }
    assert_eq!(new, events.len() as u64);
    assert_eq!(
        read_all(&log, &EventFilter::default(), 50).await.len(),
        events.len()
    );
}

/// Nothing of an event is lost, whatever its texts contain.
pub async fn events_come_back_as_they_were(log: Log) {
    let mut odd = event(job(1), EventType::Failed, 2);
    odd.correlation_id = "quote ' double \" null \0 line\nseparator \u{2028} \u{1f980}".to_owned();
    odd.payload.insert("error".to_owned(), "\0 \\ ' \u{fffd}".into());
    odd.payload.insert(
        "deep".to_owned(),
        serde_json::json!([[[{ "a": 1.5e300 }]], null, -1]),
    );
    odd.causation_id = Some(job(9));
    odd.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    append(&log, std::slice::from_ref(&odd)).await;
    assert_eq!(log.history(job(1)).await.unwrap(), [odd.clone()]);
    let filter = EventFilter {
        correlation_id: Some(odd.correlation_id.clone()),
        ..EventFilter::default()
    };
    // An event in the middle of a history that has no beginning (yet) may or may not be found by its correlation id.
    let mut created = event(job(1), EventType::Created, 0);
    created.correlation_id.clone_from(&odd.correlation_id);
    append(&log, std::slice::from_ref(&created)).await;
    let found = log.since(&filter, None, 10).await.unwrap();
    assert_eq!(ids(&found), [odd.event_id, created.event_id]);
}

/// Whatever the order of recording.
pub async fn a_history_is_ordered_by_sequence(log: Log) {
    let expected = history(job(5), "hello", 12, JobStatus::Failed);
    for seed in 0..5 {
        let mut events = expected.clone();
        Chance(seed).shuffle(&mut events);
        append(&log, &events).await;
        append(&log, &[dead_letter(job(100 + u128::from(seed)), Some(job(5)))]).await;
        append(&log, &[event(job(6), EventType::Executed, 1)]).await;
        assert_eq!(log.history(job(5)).await.unwrap(), expected);
    }
    assert_eq!(log.history(job(7)).await.unwrap(), []);
}

/// From type and attempt, where a producer set none.
pub async fn a_missing_sequence_is_derived(log: Log) {
    let expected: Vec<_> = history(job(1), "hello", 3, JobStatus::Completed)
        .into_iter()
        .map(|mut event| {
            event.sequence = None;
            event
        })
        .collect();
    let mut events = expected.clone();
    events.reverse();
    append(&log, &events).await;
    assert_eq!(log.history(job(1)).await.unwrap(), expected);
    let exported = log.export(None, 10).await.unwrap();
    assert_eq!(exported[0].sequences, [0, 1, 11, 12, 21, 22, 31, 33]);
}

/// Numbers and ids that no role of ours writes are recorded as evidence, not refused.
pub async fn foreign_values_are_kept(log: Log) {
    let mut beyond = event(job(1), EventType::Completed, 1);
    beyond.sequence = Some(u32::MAX);
    let mut attempt = event(job(1), EventType::Failed, 1);
    attempt.sequence = None;
    attempt.payload.insert("attempt".to_owned(), u64::MAX.into());
    let mut nobody = event(job(2), EventType::Executed, 1);
    nobody.payload.remove("id");
    let events = [beyond.clone(), attempt.clone(), nobody.clone()];
    assert_eq!(append_new(&log, &events).await, 3);
    assert_eq!(log.history(job(1)).await.unwrap(), [beyond, attempt]);
    assert_eq!(log.history(job(2)).await.unwrap(), []);
    let newest = log.newest(&EventFilter::default(), None, 1).await.unwrap();
    assert_eq!(newest[0].event, nobody);
}

/// Oldest first and newest first, every event once, whatever the size of a page.
pub async fn feeds_page_in_both_directions(log: Log) {
    let events: Vec<_> = (1..=10)
        .flat_map(|n| history(job(n), "hello", 1, JobStatus::Completed))
        .collect();
    append(&log, &events).await;
    let expected = ids_of(&events);
    let all = EventFilter::default();
    for page in [1, 7, 40, 1_000] {
        assert_eq!(ids(&read_all(&log, &all, page).await), expected);
        let mut backwards = Vec::new();
        let mut before: Option<Position> = None;
        loop {
            let next = log.newest(&all, before, page).await.unwrap();
            let Some(last) = next.last() else { break };
            before = Some(last.position);
            backwards.extend(ids(&next));
        }
        backwards.reverse();
        assert_eq!(backwards, expected);
    }
    let last = log.newest(&all, None, 1).await.unwrap()[0].position;
    assert!(log.since(&all, Some(last), 10).await.unwrap().is_empty());
    assert!(log.newest(&all, None, 0).await.unwrap().is_empty());
    let late = event(job(99), EventType::Created, 0);
    append(&log, std::slice::from_ref(&late)).await;
    assert_eq!(
        ids(&log.since(&all, Some(last), 10).await.unwrap()),
        [late.event_id]
    );
}

/// By type, by job, by correlation id; a dead letter is found by the job it names.
pub async fn filters_select(log: Log) {
    for n in 1..=3 {
        append(&log, &history(job(n), "hello", 2, JobStatus::Completed)).await;
    }
    let letters = [dead_letter(job(50), Some(job(2))), dead_letter(job(51), None)];
    append(&log, &letters).await;
    let found = read_all(&log, &by_type(&[EventType::Retrying, EventType::Completed]), 4).await;
    let types: Vec<_> = found.iter().map(|e| e.event.event_type).collect();
    assert_eq!(types, [EventType::Retrying, EventType::Completed].repeat(3));
    let found = log
        .newest(&by_type(&[EventType::DeadLettered]), None, 10)
        .await
        .unwrap();
    assert_eq!(ids(&found), [letters[1].event_id, letters[0].event_id]);
    let of_job = EventFilter {
        job_id: Some(job(2)),
        ..EventFilter::default()
    };
    let found = ids(&read_all(&log, &of_job, 2).await);
    let mut expected = ids_of(&history(job(2), "hello", 2, JobStatus::Completed));
    expected.push(letters[0].event_id);
    assert_eq!(found, expected);
}

/// All conditions of a filter hold at once.
pub async fn filters_combine(log: Log) {
    for n in 1..=2 {
        append(&log, &history(job(n), "hello", 2, JobStatus::Failed)).await;
    }
    let filter = EventFilter {
        event_types: vec![EventType::Executed, EventType::Executed],
        job_id: Some(job(1)),
        correlation_id: Some(format!("c-{}", job(1))),
    };
    let found = log.newest(&filter, None, 10).await.unwrap();
    let expected = [2, 1].map(|attempt| event(job(1), EventType::Executed, attempt).event_id);
    assert_eq!(ids(&found), expected);
    assert_eq!(
        ids(&log.newest(&filter, Some(found[0].position), 10).await.unwrap()),
        expected[1..]
    );
    let contradiction = EventFilter {
        correlation_id: Some(format!("c-{}", job(2))),
        ..filter
    };
    assert!(log.since(&contradiction, None, 10).await.unwrap().is_empty());
}

/// A few among many, in both directions.
pub async fn rare_types_page(log: Log) {
    let mut expected = Vec::new();
    for n in 1..=200_u128 {
        let end = if n % 40 == 0 {
            JobStatus::Failed
        } else {
            JobStatus::Completed
        };
        let events = history(job(n), "hello", 1, end);
        expected.extend(
            events
                .iter()
                .filter(|e| e.event_type == EventType::Failed)
                .map(|e| e.event_id),
        );
        append(&log, &events).await;
    }
    let filter = by_type(&[EventType::Failed, EventType::Cancelled]);
    assert_eq!(ids(&read_all(&log, &filter, 2).await), expected);
    let newest = log.newest(&filter, None, 3).await.unwrap();
    expected.reverse();
    assert_eq!(ids(&newest), expected[..3]);
    let rest = log.newest(&filter, Some(newest[2].position), 3).await.unwrap();
    assert_eq!(ids(&rest), expected[3..]);
}

/// The events of every job that came from one submission, of one that never was valid, and dead letters.
pub async fn a_correlation_finds_all_that_follows(log: Log) {
    let mut expected = BTreeSet::new();
    let mut first = history(job(1), "hello", 2, JobStatus::Completed);
    first.extend(history(job(2), "hello", 1, JobStatus::Cancelled));
    first.push(event(job(3), EventType::Failed, 0));
    first.push(dead_letter(job(50), None));
    for event in &mut first {
        event.correlation_id = "one submission".to_owned();
        expected.insert(event.event_id);
    }
    // The order of recording does not matter, nor do other submissions.
    Chance(7).shuffle(&mut first);
    append(&log, &first).await;
    append(&log, &history(job(4), "hello", 1, JobStatus::Completed)).await;
    let filter = EventFilter {
        correlation_id: Some("one submission".to_owned()),
        ..EventFilter::default()
    };
    let found = read_all(&log, &filter, 3).await;
    assert_eq!(found.len(), expected.len());
    assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), expected);
    let none = EventFilter {
        correlation_id: Some("another".to_owned()),
        ..EventFilter::default()
    };
    assert!(log.newest(&none, None, 10).await.unwrap().is_empty());
}

/// Of many jobs, those that have one; not what else stands first in a history.
pub async fn creations_are_found_by_job(log: Log) {
    let mut expected = Vec::new();
    for n in 1..=300_u128 {
        let events = history(job(n), "hello", 1, JobStatus::Completed);
        append(
            &log,
            if n.is_multiple_of(3) {
                &events[1..]
            } else {
                &events
            },
        )
        .await;
        if !n.is_multiple_of(3) && n > 100 {
            expected.push(events[0].clone());
        }
    }
    let mut impostor = event(job(102), EventType::Failed, 0);
    impostor.sequence = Some(0);
    append(&log, &[impostor, dead_letter(job(900), Some(job(105)))]).await;
    let asked: Vec<JobId> = (101..=500).map(job).collect();
    let mut found = log.created(&asked).await.unwrap();
    found.sort_by_key(|event| event.job_id());
    assert_eq!(found, expected);
    assert_eq!(log.created(&[]).await.unwrap(), []);
}

/// No other event is found in this way.
pub async fn dead_letters_are_found_by_id(log: Log) {
    let letters = [dead_letter(job(50), Some(job(1))), dead_letter(job(51), None)];
    let mut nobody = event(job(2), EventType::Executed, 1);
    nobody.payload.remove("id");
    let others = [event(job(1), EventType::Created, 0), nobody];
    append(&log, &letters).await;
    append(&log, &others).await;
    for letter in letters {
        assert_eq!(log.dead_letter(letter.event_id).await.unwrap(), Some(letter));
    }
    for other in others {
        assert_eq!(log.dead_letter(other.event_id).await.unwrap(), None);
    }
}

/// Every job once, in order of its id, whatever the size of a page.
pub async fn exports_page_by_job(log: Log) {
    let mut events: Vec<_> = (1..=30)
        .flat_map(|n| history(job(n * 1_000), "hello", 2, JobStatus::Completed))
        .collect();
    Chance(3).shuffle(&mut events);
    append(&log, &events).await;
    append(
        &log,
        &[
            dead_letter(job(5), Some(job(5))),
            event(job(0), EventType::Validated, 0),
        ],
    )
    .await;
    for page in [1, 4, 31, 100] {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let next = log.export(after, page).await.unwrap();
            assert!(next.len() <= page);
            let Some(last) = next.last() else { break };
            after = Some(last.id);
            all.extend(next);
        }
        let expected: Vec<_> = (0..=30).map(|n| job(n * 1_000)).collect();
        assert_eq!(all.iter().map(|history| history.id).collect::<Vec<_>>(), expected);
        assert_eq!((all[0].created_at, &all[0].sequences[..]), (None, &[1][..]));
        let created_at = event(job(1), EventType::Created, 0).occurred_at;
        for history in &all[1..] {
            assert_eq!(history.created_at, Some(created_at));
            assert_eq!(history.sequences, [0, 1, 11, 12, 21, 23]);
        }
    }
}

/// Two different events at one place of a history are both there.
pub async fn exports_show_repetitions(log: Log) {
    let completed = event(job(1), EventType::Completed, 1);
    let mut again = completed.clone();
    again.event_id = job(123);
    append(&log, &[completed, again]).await;
    assert_eq!(log.export(None, 10).await.unwrap()[0].sequences, [13, 13]);
    assert_eq!(log.history(job(1)).await.unwrap().len(), 2);
}

/// In large batches, with every read still exact.
pub async fn ten_thousand_events(log: Log) {
    let mut events: Vec<_> = (1..=2_500)
        .flat_map(|n| history(job(n), "hello", 1, JobStatus::Completed))
        .collect();
    assert_eq!(events.len(), 10_000);
    Chance(11).shuffle(&mut events);
    for batch in events.chunks(1_999) {
        assert_eq!(append_new(&log, batch).await, batch.len() as u64);
    }
    assert_eq!(append_new(&log, &events).await, 0);
    assert_eq!(
        ids(&read_all(&log, &EventFilter::default(), 4_096).await),
        ids_of(&events)
    );
    let exported = log.export(None, 10_000).await.unwrap();
    assert_eq!(exported.len(), 2_500);
    assert!(exported.iter().all(|history| history.sequences == [0, 1, 11, 13]));
}
