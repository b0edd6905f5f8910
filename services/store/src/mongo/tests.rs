use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection};
use odd_contracts::{EventType, JobStatus};
use odd_testkit::{servers, wait_for};
use uuid::Uuid;

use super::*;
use crate::conformance::sample::{self, history, job};

const SOON: Duration = Duration::from_secs(30);

async fn log_with(url: &str, change: impl FnOnce(&mut MongoOptions)) -> MongoEventLog {
    let mut options = MongoOptions::new(url);
    // Many tests share a server, and it may be a slow one.
    options.operation_timeout = Duration::from_secs(180);
    change(&mut options);
    MongoEventLog::new(options).await.unwrap()
}

async fn open() -> (Arc<dyn EventLog>, servers::MongoDatabase) {
    let database = servers::mongo().await;
    let log = log_with(&database.url, |_| {}).await;
    (Arc::new(log), database)
}

crate::event_log_conformance!(open());

fn completed(n: u128) -> Vec<LoggedEvent> {
    LoggedEvent::of_all(&history(job(n), "hello", 1, JobStatus::Completed))
}

async fn append(log: &MongoEventLog, events: &[LoggedEvent]) -> u64 {
    log.append(events).await.unwrap().into_values().sum()
}

/// What stands in the database, seen past the adapter.
async fn raw(url: &str) -> Collection<Document> {
    let client = Client::with_uri_str(url).await.unwrap();
    client
        .default_database()
        .unwrap()
        .collection(document::COLLECTION)
}

async fn index_names(events: &Collection<Document>) -> BTreeSet<String> {
    events
        .list_index_names()
        .await
        .unwrap_or_default()
        .into_iter()
        .collect()
}

fn all_indexes() -> BTreeSet<String> {
    ["_id_", "feed", "correlation", "rare", "dead_letters"]
        .map(str::to_owned)
        .into()
}

async fn everything(log: &MongoEventLog) -> Vec<PositionedEvent> {
    let mut all: Vec<PositionedEvent> = Vec::new();
    loop {
        let after = all.last().map(|event| event.position);
        let page = log.since(&EventFilter::default(), after, 500).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test]
async fn dropped_indexes_come_back_and_let_nothing_in_twice() {
    let database = servers::mongo().await;
    let log = log_with(&database.url, |options| options.index_check = Duration::ZERO).await;
    let events = raw(&database.url).await;
    assert_eq!(append(&log, &completed(1)).await, 4);
    assert_eq!(index_names(&events).await, all_indexes());
    events.drop_indexes().await.unwrap();
    assert_eq!(index_names(&events).await, ["_id_".to_owned()].into());
    assert_eq!(append(&log, &completed(1)).await, 0);
    wait_for(SOON, "the indexes to be back", || async {
        assert_eq!(append(&log, &completed(1)).await, 0);
        (index_names(&events).await == all_indexes()).then_some(())
    })
    .await;
    assert_eq!(everything(&log).await.len(), 4);
}

#[tokio::test]
async fn a_dropped_collection_is_begun_anew_behind_all_positions_given() {
    let database = servers::mongo().await;
    let log = log_with(&database.url, |_| {}).await;
    let events = raw(&database.url).await;
    append(&log, &completed(1)).await;
    events.drop().await.unwrap();
    assert!(everything(&log).await.is_empty());
    assert_eq!(append(&log, &completed(1)).await, 4);
    assert_eq!(append(&log, &completed(1)).await, 0);
    assert_eq!(index_names(&events).await, all_indexes());
    // Only the ledger is lost.
    let last = everything(&log).await.last().unwrap().position;
    events.delete_one(doc! { "_id": "ledger" }).await.unwrap();
    assert_eq!(everything(&log).await.len(), 4);
    assert_eq!(append(&log, &completed(2)).await, 4);
    let behind = log.since(&EventFilter::default(), Some(last), 100).await.unwrap();
    assert_eq!(behind.len(), 4);
}

/// Several processes record at once; who follows them misses nothing.
#[tokio::test]
async fn a_follower_skips_nothing_of_concurrent_writers() {
    const WRITERS: u128 = 4;
    const JOBS: u128 = 60;
    let database = servers::mongo().await;
    let reader = log_with(&database.url, |_| {}).await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let log = log_with(&database.url, |_| {}).await;
        writers.push(tokio::spawn(async move {
            for n in 0..JOBS / 4 {
                let batch: Vec<_> = (0..4)
                    .flat_map(|k| completed(writer * 1_000 + n * 4 + k))
                    .collect();
                // Uneven batches, so that one overtakes another.
                let part = 1 + (n as usize * 7 + writer as usize) % batch.len();
                append(&log, &batch[..part]).await;
                append(&log, &batch).await;
            }
        }));
    }
    let expected = (WRITERS * JOBS * 4) as usize;
    let mut seen = Vec::new();
    let mut last = None;
    let deadline = Instant::now() + Duration::from_secs(120);
    while seen.len() < expected {
        assert!(Instant::now() < deadline, "saw {} of {expected}", seen.len());
        let page = reader.since(&EventFilter::default(), last, 7).await.unwrap();
        for event in page {
            assert!(last < Some(event.position));
            last = Some(event.position);
            seen.push((event.event.job_id(), event.event.event_id));
        }
        if writers.iter().all(tokio::task::JoinHandle::is_finished) {
            let rest = reader
                .since(&EventFilter::default(), last, expected)
                .await
                .unwrap();
            seen.extend(rest.iter().map(|e| (e.event.job_id(), e.event.event_id)));
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.len(), expected);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), expected);
}

/// One that took positions and is still at work holds readers back, but not for ever.
#[tokio::test]
async fn readers_wait_for_an_open_append_and_pass_an_abandoned_one() {
    let database = servers::mongo().await;
    let patient = |options: &mut MongoOptions| {
        options.operation_timeout = Duration::from_millis(400);
        options.abandoned_after = Duration::from_secs(3);
    };
    let log = log_with(&database.url, |_| {}).await;
    append(&log, &completed(1)).await;
    let seen = everything(&log).await;
    let last = seen.last().map(|event| event.position);
    let events = raw(&database.url).await;
    // As an append does that then dies.
    let dead = position::Positions::new(&log.inner.events, Duration::from_secs(10));
    let entry = position::Entry::new();
    let reserved = dead.reserve(&entry, 5).await.unwrap();
    assert_eq!(append(&log, &completed(2)).await, 4);
    let reader = log_with(&database.url, patient).await;
    let all = EventFilter::default();
    let newest = reader.newest(&all, None, 10).await.unwrap();
    assert_eq!(newest[0].position, last.unwrap());
    let blocked = reader.since(&all, last, 10).await.unwrap_err();
    assert!(blocked.is_transient(), "{blocked:?}");
    // Other reads need no order.
    assert_eq!(reader.history(job(2)).await.unwrap().len(), 4);
    assert_eq!(reader.export(None, 10).await.unwrap().len(), 2);
    let found = wait_for(SOON, "the abandoned append to be passed", || async {
        reader.since(&all, last, 10).await.ok()
    })
    .await;
    assert_eq!(found.len(), 4);
    assert!(found[0].position.0 >= reserved.first + 5);
    // Who appends next strikes it out, so that a new reader need not wait.
    append(&reader, &completed(3)).await;
    let ledger = events.find_one(doc! { "_id": "ledger" }).await.unwrap().unwrap();
    assert!(ledger.get_document("open").unwrap().is_empty(), "{ledger}");
    let fresh = log_with(&database.url, patient).await;
    assert_eq!(fresh.since(&all, last, 10).await.unwrap().len(), 8);
}

#[tokio::test]
async fn retention_deletes_what_is_old_and_can_be_changed() {
    let database = servers::mongo().await;
    let events = raw(&database.url).await;
    let log = log_with(&database.url, |_| {}).await;
    append(&log, &completed(1)).await;
    assert_eq!(log.retention().await.unwrap(), None);
    let kept = Duration::from_secs(86_400);
    let log = log_with(&database.url, |options| options.retention = Some(kept)).await;
    append(&log, &completed(2)).await;
    assert_eq!(log.retention().await.unwrap(), Some(kept));
    assert_eq!(events.count_documents(doc! {}).await.unwrap(), 9);
    let shorter = Duration::from_secs(1);
    let log = log_with(&database.url, |options| options.retention = Some(shorter)).await;
    append(&log, &completed(3)).await;
    assert_eq!(log.retention().await.unwrap(), Some(shorter));
    // The server looks for expired documents once a minute.
    wait_for(Duration::from_secs(150), "old events to be deleted", || async {
        everything(&log).await.is_empty().then_some(())
    })
    .await;
    let log = log_with(&database.url, |_| {}).await;
    assert_eq!(append(&log, &completed(1)).await, 4);
    assert_eq!(log.retention().await.unwrap(), None);
    assert_eq!(index_names(&events).await, all_indexes());
}

#[tokio::test]
async fn wrong_credentials_are_named() {
    let database = servers::mongo().await;
    let (scheme, rest) = database.url.split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap();
    let url = format!("{scheme}://nobody:secret-word@{host}");
    let log = log_with(&url, |_| {}).await;
    for error in [
        log.ping().await.unwrap_err(),
        log.append(&completed(1)).await.unwrap_err(),
    ] {
        assert!(error.is_transient(), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("credentials"), "{source}");
    }
    assert!(!format!("{:?}", MongoOptions::new(&url)).contains("secret-word"));
}

#[tokio::test]
async fn an_address_without_a_database_is_refused() {
    for (url, said) in [
        ("mongodb://127.0.0.1:1", "names no database"),
        ("127.0.0.1:1/odd", "cannot be understood"),
    ] {
        let refused = MongoEventLog::new(MongoOptions::new(url)).await.err().unwrap();
        assert!(refused.to_string().contains(said), "{refused}");
    }
}

#[tokio::test]
async fn what_is_no_envelope_is_damage_not_an_outage() {
    let database = servers::mongo().await;
    let log = log_with(&database.url, |_| {}).await;
    append(&log, &completed(1)).await;
    let events = raw(&database.url).await;
    events
        .update_many(doc! { "e": { "$exists": true } }, doc! { "$set": { "e": "{" } })
        .await
        .unwrap();
    let error = log.history(job(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
}

#[tokio::test]
async fn an_event_that_no_document_can_hold_is_refused_and_nothing_with_it() {
    let (log, _database) = open().await;
    let mut events = completed(1);
    events[2].envelope = "x".repeat(16 << 20).into();
    let error = log.append(&events).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert!(log.history(job(1)).await.unwrap().is_empty());
}

/// Every event in every place once, however often it is recorded again meanwhile.
async fn append_until_recorded(log: &MongoEventLog, jobs: std::ops::Range<u128>) {
    for n in jobs {
        wait_for(SOON, "an append after an outage", || async {
            match log.append(&completed(n)).await {
                Ok(_) => Some(()),
                Err(error) => {
                    assert!(error.is_transient(), "{error:?}");
                    None
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_stops_answering_is_unavailable_in_time_and_comes_back() {
    let database = servers::dedicated::mongo().await;
    let quick = |options: &mut MongoOptions| {
        options.operation_timeout = Duration::from_secs(1);
        options.selection_timeout = Duration::from_secs(1);
        options.connect_timeout = Duration::from_secs(1);
        options.abandoned_after = Duration::from_secs(2);
    };
    let log = log_with(&database.url, quick).await;
    append_until_recorded(&log, 0..5).await;

    database.container().pause().await;
    let begun = Instant::now();
    assert!(log.append(&completed(5)).await.unwrap_err().is_transient());
    assert!(log.history(job(1)).await.unwrap_err().is_transient());
    assert!(log.ping().await.unwrap_err().is_transient());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    database.container().unpause().await;
    append_until_recorded(&log, 5..10).await;

    database.container().kill().await;
    assert!(log.append(&completed(10)).await.unwrap_err().is_transient());
    database.container().start().await;
    append_until_recorded(&log, 10..15).await;

    database.container().restart().await;
    append_until_recorded(&log, 15..20).await;

    // Each once, in every order that the log offers.
    for n in 0..20 {
        assert_eq!(log.history(job(n)).await.unwrap().len(), 4, "job {n}");
    }
    let exported = log.export(None, 100).await.unwrap();
    assert_eq!(exported.len(), 20);
    assert!(exported.iter().all(|history| history.sequences == [0, 1, 11, 13]));
    let found = wait_for(SOON, "abandoned appends to be passed", || async {
        let found = log.since(&EventFilter::default(), None, 1_000).await.ok()?;
        (found.len() == 80).then_some(found)
    })
    .await;
    let places: BTreeSet<_> = found.iter().map(|event| event.position).collect();
    assert_eq!(places.len(), 80);
}

#[tokio::test]
async fn a_log_opens_while_its_server_is_away() {
    let database = servers::dedicated::mongo().await;
    database.container().stop().await;
    let log = log_with(&database.url, |options| {
        options.selection_timeout = Duration::from_secs(1);
    })
    .await;
    assert!(log.ping().await.unwrap_err().is_transient());
    database.container().start().await;
    append_until_recorded(&log, 0..1).await;
    assert_eq!(log.history(job(0)).await.unwrap().len(), 4);
}

#[test]
fn identities_tell_events_apart_as_the_port_does() {
    use document::Identity;
    let event = LoggedEvent::from(&sample::event(job(1), EventType::Completed, 1));
    let with = |change: fn(&mut LoggedEvent)| {
        let mut other = event.clone();
        change(&mut other);
        Identity::of(&other)
    };
    assert_eq!(with(|e| e.envelope = "{}".into()), Identity::of(&event));
    assert_ne!(with(|e| e.event_id = Uuid::nil()), Identity::of(&event));
    assert_ne!(with(|e| e.sequence = Some(14)), Identity::of(&event));
    assert_ne!(with(|e| e.job_id = Some(job(2))), Identity::of(&event));
    // Part of no history: the event id alone.
    let apart = with(|e| e.sequence = None);
    assert_eq!(with(|e| (e.sequence, e.job_id) = (None, Some(job(2)))), apart);
    assert_eq!(with(|e| e.job_id = None), apart);
}
