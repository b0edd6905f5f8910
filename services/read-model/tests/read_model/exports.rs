//! Exports for reconciliation.

use odd_contracts::JobStatus;
use odd_contracts::api::{ExportedHistory, ExportedJob};
use serde::de::DeserializeOwned;

use crate::support::{System, created, job};

async fn export<T: DeserializeOwned>(system: &System, path: &str) -> Vec<T> {
    let response = system.response(path).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn exports_show_every_job_in_order_of_id_over_many_pages() {
    let system = System::start().await;
    assert_eq!(export::<ExportedJob>(&system, "/export/jobs").await, []);
    assert_eq!(export::<ExportedHistory>(&system, "/export/events").await, []);

    let done = system.seed(job("hello"), JobStatus::Completed).await;
    let mut ids = vec![done.id()];
    // More than two pages of the store, the last one short.
    let taken = system.take_all((0..2_050).map(|_| job("hello"))).await;
    ids.extend(taken.iter().map(|claimed| claimed.record.job.id));
    let submitted = job("hello");
    system.record(&[created(&submitted)]).await;
    ids.sort_unstable();

    let jobs: Vec<ExportedJob> = export(&system, "/export/jobs").await;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), ids);
    let exported = jobs.iter().find(|job| job.id == done.id()).unwrap();
    let implied: Vec<u32> = done.events().iter().filter_map(|event| event.sequence).collect();
    assert_eq!(
        (exported.status, &exported.sequences),
        (JobStatus::Completed, &implied)
    );

    let histories: Vec<ExportedHistory> = export(&system, "/export/events").await;
    assert_eq!(histories.len(), 2);
    assert!(histories[0].id < histories[1].id);
    let exported = histories.iter().find(|history| history.id == done.id()).unwrap();
    assert_eq!(exported.sequences, implied);
    system.stop().await;
}

#[tokio::test]
async fn an_export_of_exactly_one_page_ends() {
    let system = System::start().await;
    let events: Vec<_> = (0..1_000).map(|_| created(&job("hello"))).collect();
    system.record(&events).await;
    assert_eq!(
        export::<ExportedHistory>(&system, "/export/events").await.len(),
        1_000
    );
    system.stop().await;
}
