//! A server that is silent, killed, restarted or slow.

use std::time::{Duration, Instant};

use odd_contracts::JobStatus;
use odd_testkit::{servers, wait_for};
use uuid::Uuid;

use super::proxy::Proxy;
use super::{SOON, assert_unavailable, execute, impatient, open_at, session, text};
use crate::conformance::job_store::{LONG, commit, completed, run, status};
use crate::job_store::Committed;
use crate::postgres::PostgresOptions;

/// Longest that an impatient store may take to give up, on a machine with much else to do.
const BOUND: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_paused_server_is_unavailable_in_time_and_used_again() {
    let database = servers::dedicated::postgres().await;
    let store = open_at(impatient(&database.url)).await;
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    database.container().pause().await;
    let begun = Instant::now();
    let (written, read, asked) = tokio::join!(
        store.commit([completed(&claimed)].into()),
        store.get(id),
        store.ping()
    );
    for error in [written.unwrap_err(), read.unwrap_err(), asked.unwrap_err()] {
        assert_unavailable(&error);
        assert!(text(&error).contains("PostgreSQL did not"), "{}", text(&error));
    }
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    database.container().unpause().await;
    let written = wait_for(SOON, "the server to go on", || async {
        store.commit([completed(&claimed)].into()).await.ok()
    })
    .await;
    assert_eq!(
        written,
        [Committed::Backed],
        "whether it was written before or now"
    );
    assert_eq!(status(&store, id).await, JobStatus::Completed);
}

#[tokio::test]
async fn a_killed_server_is_unavailable_at_once_and_used_again() {
    let database = servers::dedicated::postgres().await;
    let store = open_at(PostgresOptions::new(&database.url)).await;
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LONG).await;
    database.container().kill().await;
    let begun = Instant::now();
    assert_unavailable(&store.commit([completed(&claimed)].into()).await.unwrap_err());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    database.container().start().await;
    let written = wait_for(SOON, "the server to come back", || async {
        store.commit([completed(&claimed)].into()).await.ok()
    })
    .await;
    assert_eq!(written, [Committed::Backed], "what it had taken survives");
}

/// Connections that broke while nobody used them cost no operation.
#[tokio::test]
async fn a_restart_between_operations_is_not_noticed() {
    let database = servers::dedicated::postgres().await;
    let store = open_at(PostgresOptions::new(&database.url)).await;
    let claimed = run(&store, Uuid::new_v4(), LONG).await;
    database.container().restart().await;
    database.container().ready().await;
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
}

/// Of a peer that fell silent only the first operation suffers: what was connected to it is not used again.
#[tokio::test]
async fn a_half_open_connection_is_given_up() {
    let database = servers::postgres().await;
    let proxy = Proxy::to(&database.url).await;
    let store = open_at(impatient(&proxy.url)).await;
    // As many connections as operations at once.
    let ids: Vec<Uuid> = (0..6).map(|_| Uuid::new_v4()).collect();
    futures::future::join_all(ids.iter().map(|id| run(&store, *id, LONG))).await;
    proxy.silence();
    let begun = Instant::now();
    assert_unavailable(&store.ping().await.unwrap_err());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    for id in ids {
        assert_eq!(status(&store, id).await, JobStatus::Executing);
    }
}

/// A statement that takes too long is given up by the server, and its connection is still good.
#[tokio::test]
async fn a_slow_statement_is_given_up() {
    let database = servers::postgres().await;
    let store = open_at(PostgresOptions {
        statement_timeout: Duration::from_millis(200),
        max_connections: 1,
        ..PostgresOptions::new(&database.url)
    })
    .await;
    let claimed = run(&store, Uuid::new_v4(), LONG).await;
    let mut other = session(&database.url).await;
    execute(&mut other, "BEGIN; SELECT 1 FROM jobs FOR UPDATE").await;
    let error = store.commit([completed(&claimed)].into()).await.unwrap_err();
    assert_unavailable(&error);
    assert!(
        text(&error).contains("took longer over a statement"),
        "{}",
        text(&error)
    );
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
}

/// Waiting for a row is bounded, too, and so is waiting for a connection.
#[tokio::test]
async fn a_row_that_is_held_is_given_up() {
    let database = servers::postgres().await;
    let store = open_at(PostgresOptions {
        lock_timeout: Duration::from_millis(200),
        ..PostgresOptions::new(&database.url)
    })
    .await;
    let claimed = run(&store, Uuid::new_v4(), LONG).await;
    let mut other = session(&database.url).await;
    execute(&mut other, "BEGIN; SELECT 1 FROM jobs FOR UPDATE").await;
    let error = store.commit([completed(&claimed)].into()).await.unwrap_err();
    assert!(
        text(&error).contains("waited too long for a row"),
        "{}",
        text(&error)
    );
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
}

/// A caller that goes away in the middle leaves nothing behind: no row held, no connection lost.
#[tokio::test]
async fn an_operation_that_is_dropped_holds_nothing() {
    let database = servers::postgres().await;
    let store = open_at(PostgresOptions {
        max_connections: 1,
        ..PostgresOptions::new(&database.url)
    })
    .await;
    let claimed = run(&store, Uuid::new_v4(), LONG).await;
    let mut other = session(&database.url).await;
    execute(&mut other, "BEGIN; SELECT 1 FROM jobs FOR UPDATE").await;
    let waiting = store.commit([completed(&claimed)].into());
    tokio::time::timeout(Duration::from_millis(100), waiting)
        .await
        .unwrap_err();
    execute(&mut other, "ROLLBACK").await;
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
}

/// What the server refuses for its content is told apart from a server that cannot, and harms nothing else.
#[tokio::test]
async fn refused_data_is_told_apart() {
    let database = servers::postgres().await;
    let store = open_at(PostgresOptions::new(&database.url)).await;
    let mut poisoned = crate::conformance::job_store::work(Uuid::new_v4());
    poisoned.correlation_id = "no text of the contract: \0".to_owned();
    let claim = crate::conformance::job_store::claim(LONG);
    let error = store.take([poisoned].into(), &claim).await.unwrap_err();
    assert!(matches!(error, crate::StoreError::Refused(_)), "{}", text(&error));
    run(&store, Uuid::new_v4(), LONG).await;
}
