//! Several processes at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{execute, open_at, session};
use crate::conformance::job_store::{LONG, Store, claim, completed, work};
use crate::job_store::{Committed, Renewal, Taken};
use crate::postgres::PostgresOptions;

/// Two stores with their own connections, in one database.
async fn two() -> ([Store; 2], odd_testkit::servers::PostgresDatabase) {
    let database = odd_testkit::servers::postgres().await;
    let one = open_at(PostgresOptions::new(&database.url)).await;
    let other = open_at(PostgresOptions::new(&database.url)).await;
    ([one, other], database)
}

#[tokio::test]
async fn claimers_of_two_processes_never_overlap() {
    let (stores, _database) = two().await;
    let ids: HashSet<Uuid> = (0..400).map(|_| Uuid::new_v4()).collect();
    let batch = ids.iter().map(|id| work(*id)).collect();
    stores[0].take(batch, &claim(Duration::ZERO)).await.unwrap();
    let claimers: Vec<_> = (0..6)
        .map(|n: usize| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let got = store.claim_due(&claim(LONG), 7).await.unwrap();
                    if got.is_empty() && store.next_due().await.unwrap() != Some(Duration::ZERO) {
                        return mine;
                    }
                    mine.extend(got.into_iter().map(|claimed| claimed.record.job.id));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), ids.len());
    assert_eq!(all.into_iter().collect::<HashSet<_>>(), ids);
}

/// Batches with the same jobs in opposite orders, of every kind of statement, wait for each other and never crosswise:
/// the server counts the deadlocks that it resolved.
#[tokio::test]
async fn crossing_batches_never_deadlock() {
    let (stores, database) = two().await;
    for _ in 0..12 {
        let ids: Vec<Uuid> = (0..60).map(|_| Uuid::new_v4()).collect();
        take_crosswise(&stores, &ids).await;
        let claims = stores[0].claim_due(&claim(LONG), 1_000).await.unwrap();
        let held: Vec<_> = claims
            .iter()
            .map(|claimed| (claimed.record.job.id, claimed.token))
            .collect();
        let reversed: Vec<_> = held.iter().rev().copied().collect();
        let commits: Arc<[_]> = claims.iter().rev().map(completed).collect();
        let (renewed, parked, again, written) = tokio::join!(
            stores[0].renew(&held, LONG),
            stores[1].park(&reversed),
            stores[1].renew(&reversed, LONG),
            stores[0].commit(commits),
        );
        parked.unwrap();
        let lost = [renewed.unwrap(), again.unwrap()].concat();
        assert!(
            lost.iter()
                .all(|renewal| matches!(renewal, Renewal::Held | Renewal::Lost))
        );
        assert!(written.unwrap().iter().all(|one| *one == Committed::Unbacked));
    }
    let mut session = session(&database.url).await;
    // What is counted is handed in at the end of a session at the latest.
    drop(stores);
    execute(&mut session, "SELECT pg_stat_clear_snapshot()").await;
    let deadlocks: i64 =
        sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&mut session)
            .await
            .unwrap();
    assert_eq!(deadlocks, 0);
}

/// Each job runs for one of two processes that take the same messages in opposite orders, and is due afterwards.
async fn take_crosswise(stores: &[Store; 2], ids: &[Uuid]) {
    let there: Arc<[_]> = ids.iter().map(|id| work(*id)).collect();
    let back: Arc<[_]> = there.iter().rev().cloned().collect();
    let (mine, yours) = (claim(Duration::ZERO), claim(Duration::ZERO));
    let (one, other) = tokio::join!(stores[0].take(there, &mine), stores[1].take(back, &yours));
    let runs = |taken: &Taken| matches!(taken, Taken::Run(_));
    let ran = one.unwrap().iter().filter(|taken| runs(taken)).count()
        + other.unwrap().iter().filter(|taken| runs(taken)).count();
    assert!(ran >= ids.len(), "a lease of no time is overdue at once");
}

/// A request to cancel a job that is being taken meanwhile is never lost: it finds the job or the job finds it.
#[tokio::test]
async fn a_request_to_cancel_meets_the_job_that_comes_at_the_same_time() {
    use crate::job_store::{CancelOutcome, CancelRequest};
    let (stores, _database) = two().await;
    for _ in 0..60 {
        let id = Uuid::new_v4();
        let request = [CancelRequest {
            id,
            requested_at: odd_contracts::Timestamp::now(),
        }];
        let (by, canceller) = (claim(LONG), claim(LONG));
        let (taken, outcome) = tokio::join!(
            stores[0].take([work(id)].into(), &by),
            stores[1].cancel(&request, &canceller)
        );
        match (&taken.unwrap()[0], &outcome.unwrap()[0]) {
            (Taken::Run(_), CancelOutcome::Signalled) | (Taken::Ended(_), CancelOutcome::Remembered) => {}
            other => panic!("the request passed the job by: {other:?}"),
        }
    }
}
