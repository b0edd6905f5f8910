//! The server's clock decides, whatever those of the roles show.

use std::time::Duration;

use odd_contracts::{AttemptOutcome, JobStatus, Timestamp};
use uuid::Uuid;

use super::{open, session};
use crate::conformance::job_store::{claim, commit, conclude, run, take_one, work};
use crate::job_store::{CancelRequest, Due, Taken};

const DAY: Duration = Duration::from_secs(86_400);
const LEASE: Duration = Duration::from_secs(30);

/// Seconds from the server's present until a job is due.
async fn due_in(url: &str, id: Uuid) -> f64 {
    sqlx::query_scalar(
        "SELECT extract(epoch FROM due_at - clock_timestamp())::double precision FROM jobs WHERE id = $1",
    )
    .bind(id)
    .fetch_one(&mut session(url).await)
    .await
    .unwrap()
}

fn is_lease(seconds: f64) -> bool {
    (10.0..=30.0).contains(&seconds)
}

/// A role whose clock is a day off writes its instants into what it stores; when the job is due is not among them.
#[tokio::test]
async fn a_skewed_clock_shifts_nothing() {
    let (store, database) = open().await;
    for skewed in [Timestamp::now().plus(DAY), Timestamp::now().minus(DAY)] {
        let id = Uuid::new_v4();
        let mut early = work(id);
        early.job.created_at = skewed;
        early.submitted_at = skewed;
        let Taken::Run(claimed) = take_one(&store, early, &claim(LEASE)).await else {
            panic!("it runs")
        };
        assert!(is_lease(due_in(&database.url, id).await));
        let taken_at = claimed.record.taken_at;
        assert!(
            taken_at.since(skewed).max(skewed.since(taken_at)) > DAY / 2,
            "by the server's clock"
        );
        let held = [(id, claimed.token)];
        store.renew(&held, LEASE).await.unwrap();
        assert!(is_lease(due_in(&database.url, id).await));
        let mut retry = conclude(
            &claimed,
            JobStatus::Retrying,
            AttemptOutcome::Failed,
            Due::In(LEASE),
        );
        retry.record.job.updated_at = Some(skewed);
        commit(&store, retry).await;
        assert!(is_lease(due_in(&database.url, id).await));
        let request = CancelRequest {
            id,
            requested_at: skewed,
        };
        store.cancel(&[request], &claim(LEASE)).await.unwrap();
        assert!(is_lease(due_in(&database.url, id).await));
    }
}

/// `release` and `next_due` compare the server's instants with the server's present.
#[tokio::test]
async fn what_is_released_is_due_by_the_servers_clock() {
    let (store, database) = open().await;
    let id = Uuid::new_v4();
    let claimed = run(&store, id, LEASE).await;
    let next = store.next_due().await.unwrap().unwrap();
    assert!(is_lease(next.as_secs_f64()));
    store.release(&[(id, claimed.token)]).await.unwrap();
    assert!(due_in(&database.url, id).await <= 0.0);
    assert_eq!(store.next_due().await.unwrap(), Some(Duration::ZERO));
}
