//! Every list and search goes by an index.

use odd_contracts::{JobStatus, Timestamp};
use sqlx::{Execute as _, PgConnection, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{execute, open, session};
use crate::job_store::{JobCursor, JobFilter};
use crate::postgres::read::{Export, List};

/// Ten thousand jobs of every status and two types, as a database has them after some work.
const FILL: &str = "
    INSERT INTO jobs (id, created_at, submitted_at, taken_at, valid, digest, type, payload, correlation_id, submitted_by,
        taken_by, status, cancel_requested, backed, attempt, takes, lost, updated_at, due_at, token, attempts)
    SELECT gen_random_uuid(), at, at, at, true, decode(repeat('00', 32), 'hex'),
        CASE WHEN n % 50 = 0 THEN 'rare' ELSE 'common' END, '{}', 'c', '{}', '{}', CASE WHEN n % 20 < 13 THEN 5
        ELSE n % 20 % 8 END, false, true, 1, 1, 0, at, CASE WHEN n % 100 = 0 THEN at END, gen_random_uuid(), '[]'
    FROM generate_series(1, 10000) AS n, LATERAL (SELECT now() - n * interval '1 second') AS t(at);
    ANALYZE jobs";

/// The plan of a statement in a session with the server's own settings: the adapter's rule reading whole tables out.
async fn plan(connection: &mut PgConnection, mut statement: QueryBuilder<Postgres>) -> String {
    let mut query = statement.build();
    let arguments = query.take_arguments().unwrap().unwrap_or_default();
    let explain = format!("EXPLAIN {}", query.sql().as_str());
    let rows = sqlx::query_with(sqlx::AssertSqlSafe(explain), arguments)
        .fetch_all(connection)
        .await
        .unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn every_list_goes_by_an_index() {
    let (store, database) = open().await;
    let mut session = session(&database.url).await;
    execute(&mut session, FILL).await;
    let middle = Timestamp::now().minus(std::time::Duration::from_secs(5_000));
    let filters = [
        (JobFilter::default(), "jobs_created"),
        (
            JobFilter {
                statuses: vec![JobStatus::Failed],
                ..JobFilter::default()
            },
            "jobs_not_completed",
        ),
        (
            JobFilter {
                statuses: vec![JobStatus::Failed, JobStatus::Cancelled, JobStatus::Executing],
                ..JobFilter::default()
            },
            "jobs_not_completed",
        ),
        (
            JobFilter {
                statuses: vec![JobStatus::Completed],
                ..JobFilter::default()
            },
            "jobs_created",
        ),
        (
            JobFilter {
                job_type: Some("rare".to_owned()),
                ..JobFilter::default()
            },
            "jobs_type",
        ),
        (
            JobFilter {
                since: Some(middle),
                until: Some(middle.plus(std::time::Duration::from_secs(600))),
                ..JobFilter::default()
            },
            "jobs_created",
        ),
    ];
    let cursor = JobCursor {
        created_at: middle,
        id: Uuid::new_v4(),
    };
    for (filter, index) in &filters {
        for after in [None, Some(cursor)] {
            let list = List {
                filter,
                after,
                limit: 50,
            };
            let plan = plan(&mut session, list.statement()).await;
            assert!(
                plan.contains(index) && !plan.contains("Seq Scan"),
                "{filter:?}\n{plan}"
            );
            let merges_only = !plan.contains("Sort Key") || plan.contains("Merge Append");
            assert!(merges_only, "{filter:?}\n{plan}");
            assert!(!store.list(filter, None, 50).await.unwrap().is_empty());
        }
    }
    for after in [None, Some(Uuid::new_v4())] {
        let plan = plan(&mut session, Export { after, limit: 500 }.statement()).await;
        assert!(plan.contains("jobs_pkey") && !plan.contains("Seq Scan"), "{plan}");
    }
}

/// A part of an id has no index: the search goes through the list, and the server ends it where it takes too long.
#[tokio::test]
async fn a_search_for_a_part_of_an_id_is_bounded_in_time() {
    let database = odd_testkit::servers::postgres().await;
    let store = super::open_at(super::PostgresOptions {
        statement_timeout: std::time::Duration::from_millis(1),
        ..super::PostgresOptions::new(&database.url)
    })
    .await;
    let mut session = session(&database.url).await;
    execute(&mut session, FILL).await;
    let filter = JobFilter {
        id_contains: Some("nowhere".to_owned()),
        ..JobFilter::default()
    };
    let error = store.list(&filter, None, 50).await.unwrap_err();
    super::assert_unavailable(&error);
    assert!(
        super::text(&error).contains("took longer"),
        "{}",
        super::text(&error)
    );
}

/// What the hot path runs, as the adapter's sessions plan it: by the primary key, in the order of the ids.
#[tokio::test]
async fn claims_and_batches_go_by_an_index() {
    let (_store, database) = open().await;
    let mut session = session(&database.url).await;
    execute(&mut session, FILL).await;
    for (statement, index) in [
        (
            "SELECT * FROM jobs WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT 10 FOR UPDATE SKIP LOCKED",
            "jobs_due",
        ),
        (
            "SELECT * FROM jobs WHERE due_at <= statement_timestamp() AND status >= 5 ORDER BY due_at LIMIT 10",
            "jobs_due_ended",
        ),
        (
            "SELECT due_at FROM jobs WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1",
            "jobs_due",
        ),
    ] {
        let plan = plan(&mut session, QueryBuilder::new(statement)).await;
        assert!(plan.contains(index) && !plan.contains("Sort"), "{plan}");
    }
}
