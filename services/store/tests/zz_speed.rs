use odd_store::conformance::sample;
use odd_store::embedded::*;
use odd_store::*;
use std::time::Instant;
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed() {
    let d = tempfile::tempdir().unwrap();
    let db = Database::open(&d.path().join("odd.db"), Options::default()).await.unwrap();
    let log = SqliteEventLog::new(&db);
    let c = SqliteCounters::new(&db);
    let mut events = Vec::new();
    let jobs: Vec<_> = (0..50_000).map(|_| uuid::Uuid::new_v4()).collect();
    for chunk in jobs.chunks(128) {
        let h: Vec<_> = chunk.iter().map(|j| { let mut h = sample::history(*j, "hello", 1, odd_contracts::JobStatus::Completed); for e in &mut h { e.payload.insert("x".into(), "y".repeat(200).into()); } h }).collect();
        for k in 0..4 { for x in &h { events.push(x[k].clone()); } }
    }
    let t = Instant::now();
    for b in events.chunks(1024) { log.append(b).await.unwrap(); }
    println!("append {:.0}/s", events.len() as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    for b in events.chunks(1024) { let b: Vec<_> = b.iter().filter_map(CounterEvent::of).collect(); c.apply(None, &b).await.unwrap(); }
    println!("apply {:.0}/s", events.len() as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    for b in events.chunks(1024) { assert!(log.append(b).await.unwrap().iter().all(|n| !n)); }
    println!("append again {:.0}/s", events.len() as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    let n = log.export(None, 100_000).await.unwrap().len();
    println!("export {n} jobs {:?}", t.elapsed());
    let f = EventFilter { event_types: vec![odd_contracts::EventType::Failed, odd_contracts::EventType::Completed], ..Default::default() };
    let t = Instant::now();
    let n = log.newest(&f, None, 50).await.unwrap().len();
    println!("newest {n} {:?}", t.elapsed());
}
