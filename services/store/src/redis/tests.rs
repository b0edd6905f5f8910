use std::time::{Duration, Instant};

use odd_contracts::{EventType, JobStatus, Timestamp};
use odd_testkit::{servers, wait_for};
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

use super::*;
use crate::conformance::sample;

const SOON: Duration = Duration::from_secs(30);

fn counters_at(server: &servers::RedisPrefix, change: impl FnOnce(&mut RedisOptions)) -> RedisCounters {
    let mut options = RedisOptions::new(&server.url, &server.prefix);
    change(&mut options);
    RedisCounters::new(options).unwrap()
}

/// As the metrics-engine does with a Redis that it has not met before, and an empty log.
async fn build(counters: &RedisCounters, events: &[CounterEvent]) {
    let generation = counters.begin_rebuild().await.unwrap();
    for batch in events.chunks(2_000) {
        counters.apply(Some(generation), batch).await.unwrap();
    }
    counters.activate(generation).await.unwrap();
}

async fn open() -> (Arc<dyn Counters>, servers::RedisPrefix) {
    let server = servers::redis().await;
    let counters = counters_at(&server, |_| {});
    assert!(!counters.is_intact().await.unwrap());
    build(&counters, &[]).await;
    (Arc::new(counters), server)
}

crate::counters_conformance!(open());

async fn connect(server: &servers::RedisPrefix) -> MultiplexedConnection {
    let client = redis::Client::open(server.url.as_str()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn command(server: &servers::RedisPrefix, words: &[&str]) {
    let mut connection = connect(server).await;
    let mut command = redis::cmd(words[0]);
    command
        .arg(&words[1..])
        .exec_async(&mut connection)
        .await
        .unwrap();
}

/// All keys under the prefix.
async fn keys_of(server: &servers::RedisPrefix) -> Vec<String> {
    let mut connection = connect(server).await;
    let pattern = format!("{}*", server.prefix);
    let (mut cursor, mut found) = (0_u64, Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(5_000);
        let (next, page): (u64, Vec<String>) = scan.query_async(&mut connection).await.unwrap();
        found.extend(page);
        cursor = next;
        if cursor == 0 {
            found.sort_unstable();
            found.dedup();
            return found;
        }
    }
}

fn event(n: u128, sequence: u32, at: i64) -> CounterEvent {
    CounterEvent {
        key: Uuid::from_u128(n),
        sequence: Some(sequence),
        job_type: "hello".to_owned(),
        occurred_at: Timestamp::from_micros(at),
    }
}

fn counted(n: u128) -> Vec<CounterEvent> {
    CounterEvent::of_all(&sample::history(sample::job(n), "hello", 2, JobStatus::Completed))
}

/// Jobs that ended, each a microsecond after the one before.
fn ended(jobs: std::ops::Range<u128>) -> Vec<CounterEvent> {
    jobs.map(|n| event(n, 13, 1_000 + n as i64)).collect()
}

async fn apply_all(counters: &RedisCounters, events: &[CounterEvent]) {
    for batch in events.chunks(1_000) {
        counters.apply(None, batch).await.unwrap();
    }
}

async fn must_rebuild(counters: &RedisCounters, events: &[CounterEvent]) {
    let error = counters.apply(None, events).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    assert!(error.to_string().contains("rebuilt"), "{error}");
}

#[tokio::test]
async fn an_emptied_redis_counts_nothing_until_it_is_rebuilt() {
    let server = servers::dedicated::redis().await;
    let counters = counters_at(&server, |_| {});
    build(&counters, &counted(1)).await;
    let before = counters.snapshot().await.unwrap();
    let building = counters.begin_rebuild().await.unwrap();
    command(&server, &["FLUSHALL"]).await;
    // Without asking whether they are intact: the script sees it by itself.
    must_rebuild(&counters, &counted(2)).await;
    assert!(counters.apply(Some(building), &counted(2)).await.is_err());
    assert!(counters.activate(building).await.is_err());
    assert!(!counters.is_intact().await.unwrap());
    assert!(counters.snapshot().await.is_err());
    assert_eq!(keys_of(&server).await, Vec::<String>::new());
    build(&counters, &counted(1)).await;
    assert!(counters.is_intact().await.unwrap());
    assert_eq!(counters.snapshot().await.unwrap(), before);
    assert!(counters.begin_rebuild().await.unwrap() > building);
}

#[tokio::test]
async fn a_restarted_redis_is_not_believed() {
    let server = servers::dedicated::redis().await;
    let counters = counters_at(&server, |_| {});
    build(&counters, &counted(1)).await;
    let before = counters.snapshot().await.unwrap();
    // With what was written, which need not be all that was counted.
    command(&server, &["SAVE"]).await;
    server.container().restart().await;
    wait_for(SOON, "Redis to be back", || async { counters.ping().await.ok() }).await;
    assert!(!counters.is_intact().await.unwrap());
    must_rebuild(&counters, &counted(2)).await;
    build(&counters, &counted(1)).await;
    assert!(counters.is_intact().await.unwrap());
    assert_eq!(counters.snapshot().await.unwrap(), before);
}

#[tokio::test]
async fn a_redis_that_stops_answering_is_unavailable_in_time_and_comes_back() {
    let server = servers::dedicated::redis().await;
    let counters = counters_at(&server, |options| {
        options.operation_timeout = Duration::from_secs(1);
        options.connect_timeout = Duration::from_secs(1);
    });
    build(&counters, &counted(1)).await;

    server.container().pause().await;
    let begun = Instant::now();
    for _ in 0..3 {
        let error = counters.apply(None, &counted(2)).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    server.container().unpause().await;
    wait_for(SOON, "Redis to count again", || async {
        counters.apply(None, &counted(2)).await.ok()
    })
    .await;
    // Whichever of the four took effect, the jobs are counted once.
    assert_eq!(counters.snapshot().await.unwrap().total, 2);
    assert!(counters.is_intact().await.unwrap());

    server.container().kill().await;
    assert!(
        counters
            .apply(None, &counted(3))
            .await
            .unwrap_err()
            .is_transient()
    );
    assert!(counters.ping().await.unwrap_err().is_transient());
    server.container().start().await;
    let intact = wait_for(SOON, "Redis to be back", || async {
        counters.is_intact().await.ok()
    })
    .await;
    assert!(!intact);
    build(&counters, &counted(1)).await;
    assert_eq!(counters.snapshot().await.unwrap().total, 1);
}

#[tokio::test]
async fn forgotten_scripts_are_sent_again() {
    let server = servers::dedicated::redis().await;
    let counters = counters_at(&server, |_| {});
    build(&counters, &[]).await;
    for n in 0..3 {
        command(&server, &["SCRIPT", "FLUSH"]).await;
        counters.apply(None, &counted(n)).await.unwrap();
    }
    assert_eq!(counters.snapshot().await.unwrap().total, 3);
}

#[tokio::test]
async fn wrong_credentials_are_named() {
    let server = servers::redis().await;
    let (_, host) = server.url.split_once("://").unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let url = format!("redis://nobody:secret-word@{host}");
    let counters = RedisCounters::new(RedisOptions::new(&url, "odd")).unwrap();
    let error = counters.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("credentials"), "{source}");
    assert!(!format!("{:?}", RedisOptions::new(&url, "odd")).contains("secret-word"));
    assert!(RedisCounters::new(RedisOptions::new("nothing", "odd")).is_err());
}

/// 200,000 jobs are let through a memory of 20,000.
#[tokio::test]
async fn memory_is_bounded_and_what_is_forgotten_asks_for_a_rebuild() {
    const GUARDS: usize = 20_000;
    const JOBS: u128 = 200_000;
    let server = servers::redis().await;
    let counters = counters_at(&server, |options| options.guards = GUARDS);
    build(&counters, &[]).await;
    // Jobs that do not end stay, whatever passes by.
    let open: Vec<_> = (0..50).map(|n| event(900_000 + n, 11, 5)).collect();
    let letter = CounterEvent {
        sequence: None,
        ..event(7, 0, 6)
    };
    counters.apply(None, &open).await.unwrap();
    counters.apply(None, std::slice::from_ref(&letter)).await.unwrap();
    let (mut most, mut slowest) = (0, Duration::ZERO);
    for (n, batch) in ended(0..JOBS).chunks(2_000).enumerate() {
        let begun = Instant::now();
        counters.apply(None, batch).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        if n % 10 == 9 {
            most = most.max(guards_of(&server).await);
        }
    }
    assert!((GUARDS / 2..=GUARDS * 2).contains(&most), "{most} guards");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let snapshot = counters.snapshot().await.unwrap();
    assert_eq!((snapshot.total, snapshot.dead_lettered), (200_050, 1));
    // What was counted lately is known, and so is a job that has not ended.
    counters.apply(None, &ended(JOBS - 3_000..JOBS)).await.unwrap();
    counters.apply(None, &open).await.unwrap();
    assert_eq!(counters.snapshot().await.unwrap(), snapshot);
    for job in &open {
        let end = CounterEvent {
            sequence: Some(13),
            ..job.clone()
        };
        counters.apply(None, &[end]).await.unwrap();
    }
    assert_eq!(
        counters.snapshot().await.unwrap().by_status,
        [(JobStatus::Completed, 200_050)].into()
    );
    // What ended long ago may have been counted.
    let before = counters.snapshot().await.unwrap();
    must_rebuild(
        &counters,
        &[event(500_000, 0, 2_000_000_000_000_000), event(3, 13, 1_003)],
    )
    .await;
    must_rebuild(&counters, std::slice::from_ref(&letter)).await;
    assert_eq!(counters.snapshot().await.unwrap(), before);
    // A rebuild forgets nothing, and what came late in the log is known afterwards, so that it asks for no other.
    let mut log = ended(0..JOBS);
    log.push(letter.clone());
    log.push(event(3, 0, 900));
    build(&counters, &log).await;
    for _ in 0..2 {
        counters.apply(None, &[event(3, 0, 900)]).await.unwrap();
        counters.apply(None, std::slice::from_ref(&letter)).await.unwrap();
    }
    let rebuilt = counters.snapshot().await.unwrap();
    assert_eq!((rebuilt.total, rebuilt.dead_lettered), (200_000, 1));
}

/// An event that claims to come from the future does not make all others old.
#[tokio::test]
async fn a_clock_that_is_ahead_does_not_outdate_the_others() {
    let server = servers::redis().await;
    let counters = counters_at(&server, |options| options.guards = 1_000);
    build(&counters, &[]).await;
    counters
        .apply(None, &[event(999_999, 13, Timestamp::MAX.micros())])
        .await
        .unwrap();
    for first in (0..20_000).step_by(500) {
        let now = Timestamp::now().micros();
        let batch: Vec<_> = (first..first + 500).map(|n| event(n, 13, now)).collect();
        counters.apply(None, &batch).await.unwrap();
    }
    assert_eq!(counters.snapshot().await.unwrap().total, 20_001);
    must_rebuild(&counters, &[event(30_000, 13, 1_000)]).await;
    let snapshot = counters.snapshot().await.unwrap();
    assert_eq!(snapshot.last_event_at, Some(Timestamp::MAX));
}

/// How many guards there are, of all generations.
async fn guards_of(server: &servers::RedisPrefix) -> usize {
    let buckets: Vec<_> = keys_of(server)
        .await
        .into_iter()
        .filter(|key| {
            let name = key.strip_prefix(&keys::base(&server.prefix));
            name.is_some_and(|name| name.matches(':').count() == 3)
        })
        .collect();
    let mut connection = connect(server).await;
    let mut guards = 0;
    for names in buckets.chunks(1_000) {
        let mut pipeline = redis::pipe();
        for name in names {
            pipeline.cmd("HLEN").arg(name);
        }
        let lengths: Vec<usize> = pipeline.query_async(&mut connection).await.unwrap();
        guards += lengths.iter().sum::<usize>();
    }
    guards
}

#[tokio::test]
async fn a_guard_costs_some_thirty_bytes() {
    const JOBS: u128 = 600_000;
    let server = servers::dedicated::redis().await;
    let counters = counters_at(&server, |_| {});
    build(&counters, &[]).await;
    let before = used_memory(&server).await;
    let mut events = ended(0..JOBS);
    for event in &mut events {
        event.key = Uuid::new_v4();
    }
    apply_all(&counters, &events).await;
    let each = (used_memory(&server).await - before) as f64 / JOBS as f64;
    assert!(each < 40.0, "{each} bytes a guard");
}

async fn used_memory(server: &servers::RedisPrefix) -> u64 {
    let mut connection = connect(server).await;
    let info: String = redis::cmd("INFO")
        .arg("memory")
        .query_async(&mut connection)
        .await
        .unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_replaced_generation_leaves_nothing() {
    let server = servers::redis().await;
    let counters = counters_at(&server, |_| {});
    build(&counters, &ended(0..5_000)).await;
    // Two that were begun and given up, one of them with guards.
    let abandoned = counters.begin_rebuild().await.unwrap();
    counters.apply(Some(abandoned), &ended(0..100)).await.unwrap();
    counters.begin_rebuild().await.unwrap();
    assert!(keys_of(&server).await.len() > 3_000);
    build(&counters, &[]).await;
    let left = keys_of(&server).await;
    assert_eq!(left.len(), 3, "{left:?}");
    // One whose process died before it had freed the memory is freed by the next.
    build(&counters, &ended(0..5_000)).await;
    let next = counters.begin_rebuild().await.unwrap();
    let name = next.0.to_string();
    counters
        .run(&counters.inner.scripts.activate, &[name.as_bytes()])
        .await
        .unwrap();
    assert!(keys_of(&server).await.len() > 3_000);
    build(&counters, &[]).await;
    let left = keys_of(&server).await;
    assert_eq!(left.len(), 3, "{left:?}");
}

#[tokio::test]
async fn prefixes_do_not_mix() {
    let server = servers::redis().await;
    let other = counters_at(&server, |options| options.prefix.push_str("-other"));
    let counters = counters_at(&server, |_| {});
    build(&counters, &counted(1)).await;
    assert!(!other.is_intact().await.unwrap());
    build(&other, &[]).await;
    assert_eq!(counters.snapshot().await.unwrap().total, 1);
    assert_eq!(other.snapshot().await.unwrap().total, 0);
}

#[test]
fn a_batch_is_folded() {
    let letter = sample::dead_letter(sample::job(9), None);
    let mut events = CounterEvent::of_all(&[letter.clone(), letter]);
    events.extend(counted(1));
    events.extend(CounterEvent::of_all(&[sample::event(
        sample::job(2),
        EventType::Created,
        0,
    )]));
    let batch = Batch::of(&events);
    assert_eq!((batch.jobs.len(), batch.dead_letters.len()), (2 * 32, 26));
    assert_eq!(batch.types, ["hello"]);
    assert_eq!(batch.last_event_at.len(), 18);
}
