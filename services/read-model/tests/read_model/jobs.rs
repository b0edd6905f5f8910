//! Lists of jobs, one job, timelines and lookups.

use std::collections::HashSet;
use std::time::Duration;

use odd_contracts::api::{JobDetail, JobPage, LookupResponse, SpanKind, Timeline};
use odd_contracts::{AttemptOutcome, JobId, JobStatus, ProblemCode, Timestamp};
use odd_store::{CancelOutcome, CancelRequest};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Stored, System, claim, created, job, job_at, problem};

#[tokio::test]
async fn paging_shows_every_job_once_while_new_ones_come() {
    let system = System::start().await;
    let start = Timestamp::now().minus(Duration::from_secs(3_600));
    // Ten jobs at the same instant each: the id decides between them.
    let at = |n: u64| start.plus(Duration::from_millis(n / 10));
    let taken = system.take_all((0..1_000).map(|n| job_at("hello", at(n)))).await;
    let seeded: HashSet<_> = taken.iter().map(|claimed| claimed.record.job.id).collect();
    let (mut seen, mut pages, mut path) = (Vec::<JobId>::new(), 0, "/jobs?limit=83".to_owned());
    loop {
        let page: JobPage = system.get(&path).await;
        seen.extend(page.jobs.iter().map(|job| job.id));
        pages += 1;
        system.take(job("hello")).await;
        let Some(cursor) = page.next_cursor else { break };
        path = format!("/jobs?limit=83&cursor={cursor}");
    }
    assert_eq!((pages, seen.len()), (13, 1_000), "without gaps or repeats");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), seeded);

    let recent: JobPage = system.get("/jobs/recent?limit=13").await;
    assert!(
        recent.jobs.iter().all(|job| !seeded.contains(&job.id)),
        "the newest"
    );
    assert_eq!((recent.jobs.len(), recent.next_cursor), (13, None));
    system.stop().await;
}

#[tokio::test]
async fn the_last_page_has_no_cursor_even_when_it_is_full() {
    let system = System::start().await;
    for _ in 0..4 {
        system.take(job("hello")).await;
    }
    let first: JobPage = system.get("/jobs?limit=2").await;
    let path = format!("/jobs?limit=2&cursor={}", first.next_cursor.unwrap());
    let second: JobPage = system.get(&path).await;
    assert_eq!((second.jobs.len(), second.next_cursor), (2, None));
    system.stop().await;
}

#[tokio::test]
async fn filters_choose_by_status_type_time_and_id() {
    let system = System::start().await;
    let old = Timestamp::now().minus(Duration::from_secs(600));
    let completed = system.seed(job_at("hello", old), JobStatus::Completed).await;
    let failed = system.seed(job("resize"), JobStatus::Failed).await;
    let running = system.take(job("resize")).await.record.job.id;
    let ids = async |query: String| -> HashSet<JobId> {
        let page: JobPage = system.get(&format!("/jobs?{query}")).await;
        page.jobs.into_iter().map(|job| job.id).collect()
    };
    let middle = old.plus(Duration::from_secs(60));
    let (completed, failed) = (completed.id(), failed.id());
    assert_eq!(ids("status=COMPLETED".to_owned()).await, [completed].into());
    assert_eq!(
        ids("status=completed,failed".to_owned()).await,
        [completed, failed].into()
    );
    assert_eq!(
        ids("status=EXECUTING&status=FAILED".to_owned()).await,
        [running, failed].into()
    );
    assert_eq!(ids("type=resize".to_owned()).await, [failed, running].into());
    assert_eq!(ids("type=resize&status=FAILED".to_owned()).await, [failed].into());
    assert_eq!(ids(format!("since={middle}")).await, [failed, running].into());
    assert_eq!(ids(format!("until={middle}")).await, [completed].into());
    assert_eq!(ids(format!("since={old}&until={old}")).await, [].into());
    let part = failed.to_string()[4..20].to_uppercase();
    assert_eq!(ids(format!("id={part}")).await, [failed].into());
    assert_eq!(
        ids("id=%25".to_owned()).await,
        [].into(),
        "a percent sign is only a text"
    );
    assert_eq!(ids("type=&id=".to_owned()).await.len(), 3, "empty is absent");
    system.stop().await;
}

#[tokio::test]
async fn every_bad_parameter_is_named() {
    let system = System::start().await;
    let long = "x".repeat(200);
    let cases = [
        ("/jobs?status=DONE".to_owned(), "status"),
        ("/jobs?type=no%20blanks".to_owned(), "type"),
        ("/jobs?since=yesterday".to_owned(), "since"),
        ("/jobs?until=2026-01-31T12:00:00".to_owned(), "until"),
        (
            "/jobs?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z".to_owned(),
            "until",
        ),
        (format!("/jobs?id={long}"), "id"),
        ("/jobs?cursor=abc".to_owned(), "cursor"),
        ("/jobs?limit=0".to_owned(), "limit"),
        ("/jobs?limit=501".to_owned(), "limit"),
        ("/jobs?limit=1&limit=2".to_owned(), "limit"),
        ("/jobs?colour=red".to_owned(), "colour"),
        ("/jobs/recent?limit=x".to_owned(), "limit"),
        ("/jobs/recent?cursor=x".to_owned(), "cursor"),
        ("/jobs/not-an-id".to_owned(), "id"),
        ("/jobs/not-an-id/timeline".to_owned(), "id"),
        ("/events?type=job.done".to_owned(), "type"),
        ("/events?jobId=7".to_owned(), "jobId"),
        (format!("/events?correlationId={long}"), "correlationId"),
        ("/events?cursor=7".to_owned(), "cursor"),
        ("/events?after=7".to_owned(), "after"),
        ("/events?after=&cursor=x".to_owned(), "after"),
        ("/dead-letters?limit=-1".to_owned(), "limit"),
        ("/dead-letters?type=x".to_owned(), "type"),
        ("/dead-letters/not-an-id".to_owned(), "id"),
        ("/stream?types=all".to_owned(), "types"),
        ("/stream?jobId=7".to_owned(), "jobId"),
        ("/stream?type=job.created".to_owned(), "type"),
        ("/export/jobs?limit=1".to_owned(), "limit"),
        ("/export/events?after=1".to_owned(), "after"),
    ];
    for (path, name) in cases {
        let problem = system.problem(&path).await;
        assert_eq!(
            (problem.code, problem.status),
            (ProblemCode::InvalidParameter, 400),
            "{path}"
        );
        let detail = problem.detail.unwrap();
        assert!(detail.contains(name), "{path}: {detail:?} does not name {name:?}");
    }
    system.stop().await;
}

#[tokio::test]
async fn a_job_has_its_attempts_and_an_unknown_one_is_not_found() {
    let system = System::start().await;
    let stored = system.seed(job("hello"), JobStatus::Failed).await;
    let detail: JobDetail = system.get(&format!("/jobs/{}", stored.id())).await;
    assert_eq!(
        (detail.record.job.status, detail.attempts.len()),
        (JobStatus::Failed, 1)
    );
    assert_eq!(detail.attempts[0].outcome, Some(AttemptOutcome::Failed));
    assert_eq!(detail.record.error.as_deref(), Some("it broke"));
    for path in ["", "/timeline"] {
        let problem = system.problem(&format!("/jobs/{}{path}", Uuid::new_v4())).await;
        assert_eq!(problem.code, ProblemCode::NotFound);
    }
    system.stop().await;
}

#[tokio::test]
async fn a_job_that_only_the_log_knows_is_pending() {
    let system = System::start().await;
    let submitted = job("hello");
    system.record(&[created(&submitted)]).await;
    let detail: JobDetail = system.get(&format!("/jobs/{}", submitted.id)).await;
    assert_eq!(detail.record.job, submitted);
    assert_eq!(
        (detail.record.job.status, detail.attempts),
        (JobStatus::Pending, Vec::new())
    );
    let timeline: Timeline = system.get(&format!("/jobs/{}/timeline", submitted.id)).await;
    assert_eq!((timeline.status, timeline.complete), (JobStatus::Pending, true));
    assert_eq!(kinds(&timeline), [SpanKind::QueueWait]);
    assert_eq!(timeline.spans[0].finished_at, None);

    // The job store, once it knows the job, has the last word.
    system.take(submitted.clone()).await;
    let detail: JobDetail = system.get(&format!("/jobs/{}", submitted.id)).await;
    assert_eq!(detail.record.job.status, JobStatus::Executing);
    system.stop().await;
}

fn kinds(timeline: &Timeline) -> Vec<SpanKind> {
    timeline.spans.iter().map(|span| span.kind).collect()
}

async fn timeline(system: &System, id: JobId) -> Timeline {
    let timeline: Timeline = system.get(&format!("/jobs/{id}/timeline")).await;
    assert_eq!(timeline.spans[0].kind, SpanKind::QueueWait);
    for pair in timeline.spans.windows(2) {
        assert_eq!(pair[0].finished_at, Some(pair[1].started_at), "{timeline:?}");
    }
    timeline
}

#[tokio::test]
async fn timelines_of_each_outcome() {
    let system = System::start().await;
    for status in [JobStatus::Completed, JobStatus::Failed, JobStatus::Cancelled] {
        let stored = system.seed(job("hello"), status).await;
        let timeline = timeline(&system, stored.id()).await;
        assert_eq!((timeline.status, timeline.complete), (status, true));
        assert_eq!(timeline.events, stored.events());
        assert_eq!(kinds(&timeline), [SpanKind::QueueWait, SpanKind::Execution]);
        assert_eq!(timeline.spans[1].finished_at, stored.record.finished_at);
    }
    system.stop().await;
}

#[tokio::test]
async fn a_timeline_of_a_job_that_retries_and_one_that_was_cancelled_waiting() {
    let system = System::start().await;
    let first = system.take(job("hello")).await;
    let id = first.record.job.id;
    let waiting = system
        .end(&first, JobStatus::Retrying, AttemptOutcome::TimedOut)
        .await;
    system.record(&waiting.events()).await;
    assert!(timeline(&system, id).await.complete);
    let second = system.ports.job_store.claim_due(&claim(), 10).await.unwrap();
    assert_eq!(second.len(), 1);
    let done: Stored = system
        .end(&second[0], JobStatus::Completed, AttemptOutcome::Succeeded)
        .await;
    assert!(!timeline(&system, id).await.complete, "the log lacks the end");
    system.record(&done.events()).await;
    let timeline_now = timeline(&system, id).await;
    assert!(timeline_now.complete);
    let executions: Vec<_> = timeline_now
        .spans
        .iter()
        .filter_map(|span| span.outcome)
        .collect();
    assert_eq!(executions, [AttemptOutcome::TimedOut, AttemptOutcome::Succeeded]);

    let mut delayed = job("hello");
    delayed.options.delay_ms = Some(3_600_000);
    let id = system.take(delayed).await.record.job.id;
    assert_eq!(
        kinds(&timeline(&system, id).await),
        [SpanKind::QueueWait, SpanKind::Delay]
    );
    let request = CancelRequest {
        id,
        requested_at: Timestamp::now(),
    };
    let cancelled = system.ports.job_store.cancel(&[request], &claim()).await.unwrap();
    assert!(matches!(cancelled[0], CancelOutcome::Cancelled(_)));
    let ended = timeline(&system, id).await;
    assert_eq!((ended.status, ended.complete), (JobStatus::Cancelled, false));
    assert!(ended.spans.last().unwrap().finished_at.is_some());
    system.stop().await;
}

#[tokio::test]
async fn a_lookup_answers_for_known_jobs_in_the_order_asked() {
    let system = System::start().await;
    let failed = system.seed(job("hello"), JobStatus::Failed).await.id();
    let completed = system.seed(job("hello"), JobStatus::Completed).await.id();
    let submitted = job("resize");
    system.record(&[created(&submitted)]).await;
    let unknown = Uuid::new_v4();
    let body = json!({"ids": [completed, submitted.id, unknown, failed, completed]});
    let answer: LookupResponse = system.post("/jobs/lookup", &body).await.json().await.unwrap();
    let states: Vec<_> = answer.jobs.iter().map(|job| (job.id, job.status)).collect();
    assert_eq!(
        states,
        [
            (completed, JobStatus::Completed),
            (submitted.id, JobStatus::Pending),
            (failed, JobStatus::Failed)
        ]
    );
    assert_eq!(answer.jobs[1].job_type, "resize");
    assert_eq!(answer.jobs[2].error.as_deref(), Some("it broke"));

    let many = |count: usize| json!({"ids": (0..count).map(|_| Uuid::new_v4()).collect::<Vec<_>>()});
    let answer = system.post("/jobs/lookup", &many(1_000)).await;
    assert_eq!(answer.json::<LookupResponse>().await.unwrap().jobs, []);
    let refused = problem(system.post("/jobs/lookup", &many(1_001)).await).await;
    assert_eq!(refused.code, ProblemCode::InvalidParameter);
    let refused = problem(system.post("/jobs/lookup", &json!({"ids": ["x"]})).await).await;
    assert_eq!(
        (refused.code, refused.errors[0].path.as_str()),
        (ProblemCode::ValidationFailed, "/ids/0")
    );
    system.stop().await;
}
