//! The HTTP client against roles that run.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use odd_client::{ClientError, EventQuery, Gateway, HttpOptions, JobQuery, ReadModel};
use odd_contracts::api::RetryRequest;
use odd_contracts::{EventType, JobId, JobOptions, JobStatus, JobSubmission, ProblemCode, Role};
use odd_testkit::{Instance, wait_for};
use serde_json::json;
use uuid::Uuid;

use crate::instance;

const LONG: Duration = Duration::from_secs(30);

fn clients(odd: &Instance) -> (Gateway, ReadModel) {
    odd.up();
    let gateway = Gateway::new(&odd.url(Role::Gateway)).expect("an address");
    let read_model = ReadModel::new(&odd.url(Role::ReadModel)).expect("an address");
    (gateway, read_model)
}

fn hello() -> JobSubmission {
    JobSubmission {
        id: Some(Uuid::new_v4()),
        job_type: "hello".to_owned(),
        ..JobSubmission::default()
    }
}

async fn ended(read_model: &ReadModel, id: JobId) -> JobStatus {
    wait_for(LONG, "the job to end", || async {
        let known = read_model.lookup(&[id]).await.ok()?;
        known
            .jobs
            .first()
            .map(|job| job.status)
            .filter(|status| status.is_terminal())
    })
    .await
}

#[tokio::test]
async fn one_job_is_seen_the_whole_way() {
    let odd = instance();
    let (gateway, read_model) = clients(&odd);
    let mut live = read_model.stream(&[EventType::Completed]).await.unwrap();
    let job = hello();
    let accepted = gateway.submit(&job).await.unwrap();
    assert_eq!((Some(accepted.job_id), accepted.duplicate), (job.id, false));
    assert!(gateway.submit(&job).await.unwrap().duplicate);
    let id = accepted.job_id;
    assert_eq!(ended(&read_model, id).await, JobStatus::Completed);
    assert_eq!(read_model.job(id).await.unwrap().attempts.len(), 1);

    let event = tokio::time::timeout(LONG, live.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(
        (event.event_type, event.job_id()),
        (EventType::Completed, Some(id))
    );

    let timeline = wait_for(LONG, "the whole history", || async {
        read_model
            .timeline(id)
            .await
            .ok()
            .filter(|timeline| timeline.complete)
    })
    .await;
    assert_eq!(timeline.events[0].event_id, accepted.event_id);
    let query = EventQuery {
        event_types: vec![EventType::Created, EventType::Completed],
        job_id: Some(id),
        ..EventQuery::default()
    };
    assert_eq!(read_model.events(&query).await.unwrap().events.len(), 2);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let odd = instance();
    let (gateway, read_model) = clients(&odd);
    let lines: String = (0..7)
        .map(|_| serde_json::to_string(&hello()).unwrap() + "\n")
        .collect();
    let answer = gateway.submit_batch((lines + "{}\n").into()).await.unwrap();
    assert_eq!(
        (answer.accepted, answer.rejected, answer.results.len()),
        (7, 1, 8)
    );
    let ids: BTreeSet<JobId> = answer
        .results
        .iter()
        .filter_map(|r| r.event_id.and(r.job_id))
        .collect();
    for id in &ids {
        ended(&read_model, *id).await;
    }
    let mut query = JobQuery {
        statuses: vec![JobStatus::Completed, JobStatus::Failed],
        job_type: Some("hello".to_owned()),
        limit: Some(3),
        ..JobQuery::default()
    };
    let mut seen = BTreeSet::new();
    loop {
        let page = read_model.jobs(&query).await.unwrap();
        assert!(page.jobs.len() <= 3);
        seen.extend(page.jobs.iter().map(|job| job.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    query.job_type = Some("other".to_owned());
    assert!(read_model.jobs(&query).await.unwrap().jobs.is_empty());

    let exported: Vec<_> = read_model
        .export_jobs()
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        exported.iter().map(|job| job.id).collect::<Vec<_>>(),
        ids.iter().copied().collect::<Vec<_>>()
    );
    wait_for(LONG, "every history in the export", || async {
        let histories: Vec<_> = read_model.export_events().await.ok()?.try_collect().await.ok()?;
        (histories.len() == ids.len()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn jobs_are_cancelled_and_retried() {
    let odd = instance();
    let (gateway, read_model) = clients(&odd);
    let job = JobSubmission {
        options: Some(JobOptions {
            delay_ms: Some(3_600_000),
            ..JobOptions::default()
        }),
        ..hello()
    };
    let id = gateway.submit(&job).await.unwrap().job_id;
    wait_for(LONG, "the job to be known", || async {
        read_model.job(id).await.ok()
    })
    .await;
    assert_eq!(gateway.cancel(id).await.unwrap().job_id, id);
    assert_eq!(ended(&read_model, id).await, JobStatus::Cancelled);
    let again = RetryRequest {
        id: Some(Uuid::new_v4()),
    };
    let retried = gateway.retry(id, &again).await.unwrap();
    assert_eq!(Some(retried.job_id), again.id);
    let detail = wait_for(LONG, "the new job", || async {
        read_model.job(retried.job_id).await.ok()
    })
    .await;
    assert_eq!(detail.record.job.retry_of, Some(id));
}

#[tokio::test]
async fn the_whole_system_is_described() {
    let odd = instance();
    let (gateway, read_model) = clients(&odd);
    assert!(gateway.readyz().await.unwrap().ready);
    assert_eq!(gateway.healthz().await.unwrap().service, "gateway");
    assert!(
        gateway
            .metrics()
            .await
            .unwrap()
            .contains("gateway_jobs_accepted_total")
    );
    assert!(gateway.openapi().await.unwrap()["paths"]["/jobs"].is_object());
    assert_eq!(read_model.health().await.unwrap().service, "read-model");
    assert_eq!(read_model.stats().await.unwrap().counters.total, 0);
    let overview = read_model.overview().await.unwrap();
    assert_eq!(
        (overview.instance.as_str(), overview.engine.as_str()),
        ("observatory", "embedded")
    );
    assert_eq!(overview.roles.len(), Role::ALL.len());
    assert_eq!(read_model.alerts().await.unwrap().source, "native");
    assert!(
        read_model
            .dead_letters(None, Some(5))
            .await
            .unwrap()
            .dead_letters
            .is_empty()
    );
    let unknown = read_model.dead_letter(Uuid::new_v4()).await.unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");
    let unknown = gateway.requeue_dead_letter(Uuid::new_v4()).await.unwrap_err();
    assert!(unknown.is_not_found(), "{unknown}");
}

#[tokio::test]
async fn every_failure_has_its_kind() {
    let odd = instance();
    let (gateway, read_model) = clients(&odd);
    let refused = gateway
        .submit_value(&json!({"type": "", "payload": []}))
        .await
        .unwrap_err();
    let problem = refused.problem().unwrap();
    assert_eq!(problem.code, ProblemCode::ValidationFailed);
    assert_eq!(problem.errors.len(), 2, "{refused}");
    assert!(!refused.is_retryable());
    let refused = gateway
        .submit_bytes("text/plain", "hello".into())
        .await
        .unwrap_err();
    assert_eq!(refused.problem().unwrap().code, ProblemCode::UnsupportedMediaType);
    assert!(read_model.job(Uuid::new_v4()).await.unwrap_err().is_not_found());

    let nobody = Gateway::new(&format!("http://127.0.0.1:{}", odd_testkit::free_port())).unwrap();
    let error = nobody.submit(&hello()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Unreachable { .. }) && error.is_retryable(),
        "{error:?}"
    );
    assert!(error.to_string().starts_with("http://127.0.0.1:"), "{error}");

    // The read-model has no such route, but answers in the product's way; a stranger would not.
    let wrong = Gateway::new(&odd.url(Role::ReadModel))
        .unwrap()
        .cancel(Uuid::new_v4())
        .await
        .unwrap_err();
    assert!(wrong.is_not_found(), "{wrong:?}");
    assert!(matches!(
        Gateway::new("https://127.0.0.1"),
        Err(ClientError::InvalidUrl { .. })
    ));
    assert!(matches!(
        Gateway::new("nonsense"),
        Err(ClientError::InvalidUrl { .. })
    ));
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = HttpOptions {
        timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    };
    let url = format!("http://{}", silent.local_addr().unwrap());
    let client = ReadModel::with_options(&url, options).unwrap();
    let errors = [
        client.stats().await.unwrap_err(),
        client.stream(&[]).await.err().unwrap(),
    ];
    for error in errors {
        assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    }
}
