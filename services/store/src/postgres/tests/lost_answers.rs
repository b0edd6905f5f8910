//! The server commits, and the connection breaks before it can say so.

use odd_contracts::{AttemptOutcome, JobStatus, Timestamp};
use odd_testkit::servers::{self, PostgresDatabase};
use uuid::Uuid;

use super::open_at;
use super::proxy::Proxy;
use crate::conformance::job_store::{
    LONG, Store, claim, commit, completed, conclude, run, status, take_one, work,
};
use crate::job_store::{CancelOutcome, CancelRequest, Committed, Due, Poison, Taken};
use crate::postgres::PostgresOptions;

/// What the server says at the end of a transaction, and of a statement that is one.
const COMMITTED: &[u8] = b"COMMIT\0";
const UPDATED: &[u8] = b"UPDATE 1\0";

async fn open() -> (Store, Proxy, PostgresDatabase) {
    let database = servers::postgres().await;
    let proxy = Proxy::to(&database.url).await;
    let store = open_at(PostgresOptions::new(&proxy.url)).await;
    (store, proxy, database)
}

#[tokio::test]
async fn a_taken_job_runs_once_all_the_same() {
    let (store, proxy, _database) = open().await;
    let id = Uuid::new_v4();
    proxy.lose(COMMITTED);
    let Taken::Run(claimed) = take_one(&store, work(id), &claim(LONG)).await else {
        panic!("it runs here")
    };
    assert!(proxy.has_lost());
    assert_eq!((claimed.record.attempt, claimed.record.takes), (1, 1));
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
}

/// The same claim takes the job's other message in another call: that is no repetition.
#[tokio::test]
async fn a_second_message_under_the_same_claim_finds_the_job_owed() {
    let (store, proxy, _database) = open().await;
    let (id, claim) = (Uuid::new_v4(), claim(LONG));
    assert!(matches!(take_one(&store, work(id), &claim).await, Taken::Run(_)));
    proxy.lose(COMMITTED);
    assert!(matches!(take_one(&store, work(id), &claim).await, Taken::Owed));
    assert!(proxy.has_lost());
}

#[tokio::test]
async fn a_committed_state_counts_as_written() {
    let (store, proxy, _database) = open().await;
    let claimed = run(&store, Uuid::new_v4(), LONG).await;
    proxy.lose(UPDATED);
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
    assert!(proxy.has_lost());
}

/// The answer is lost to the caller, who commits again: the same state is written, another one is not.
#[tokio::test]
async fn a_commit_that_is_repeated_counts_as_written() {
    let (store, _proxy, _database) = open().await;
    let [backed, parked, waiting] = [(); 3].map(|()| Uuid::new_v4());
    let claimed = run(&store, backed, LONG).await;
    for _ in 0..2 {
        assert_eq!(commit(&store, completed(&claimed)).await, Committed::Backed);
    }
    let failed = conclude(
        &claimed,
        JobStatus::Failed,
        AttemptOutcome::Failed,
        Due::Ended(LONG),
    );
    assert_eq!(commit(&store, failed).await, Committed::Discarded);
    let claimed = run(&store, parked, LONG).await;
    store.park(&[(parked, claimed.token)]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(commit(&store, completed(&claimed)).await, Committed::Unbacked);
    }
    let claimed = run(&store, waiting, LONG).await;
    let retry = conclude(
        &claimed,
        JobStatus::Retrying,
        AttemptOutcome::Failed,
        Due::In(LONG),
    );
    for _ in 0..2 {
        assert_eq!(commit(&store, retry.clone()).await, Committed::Unbacked);
    }
    assert_eq!(commit(&store, completed(&claimed)).await, Committed::Discarded);
    assert_eq!(status(&store, waiting).await, JobStatus::Retrying);
}

#[tokio::test]
async fn a_cancelled_job_is_told_of() {
    let (store, proxy, _database) = open().await;
    let [waiting, unknown] = [(); 2].map(|()| Uuid::new_v4());
    let mut later = work(waiting);
    later.scheduled_for = Some(Timestamp::now().plus(LONG));
    take_one(&store, later, &claim(LONG)).await;
    proxy.lose(COMMITTED);
    let requests = [waiting, unknown].map(|id| CancelRequest {
        id,
        requested_at: Timestamp::now(),
    });
    let outcomes = store.cancel(&requests, &claim(LONG)).await.unwrap();
    assert!(proxy.has_lost());
    assert!(matches!(outcomes[0], CancelOutcome::Cancelled(_)));
    assert!(matches!(outcomes[1], CancelOutcome::Remembered));
}

#[tokio::test]
async fn poison_is_told_of() {
    let (store, proxy, _database) = open().await;
    let mut record = run(&store, Uuid::new_v4(), LONG).await.record;
    record.job.id = Uuid::new_v4();
    let poison = Poison {
        record,
        digest: odd_contracts::ids::PayloadDigest([0; 32]),
    };
    proxy.lose(COMMITTED);
    let outcomes = store.fail_poison(vec![poison], &claim(LONG)).await.unwrap();
    assert!(proxy.has_lost());
    assert!(outcomes[0].is_some());
}
