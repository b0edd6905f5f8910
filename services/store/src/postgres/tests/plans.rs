//! Every list and search goes by an index.

use odd_contracts::{JobStatus, Timestamp};
use sqlx::{Connection as _, Execute as _, PgConnection, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{execute, open, session};
use crate::job_store::{JobCursor, JobFilter};
use crate::postgres::due::{NEXT, Which};
use crate::postgres::held::Deed;
use crate::postgres::read::{Export, List};
use crate::postgres::{commit, row};

/// Ten thousand jobs of every status and two types, as a database has them after some work: few run.
const FILL: &str = "
    INSERT INTO jobs (id, created_at, submitted_at, taken_at, valid, digest, type, payload, correlation_id, submitted_by,
        taken_by, status, cancel_requested, backed, attempt, takes, lost, updated_at, due_at, token, attempts)
    SELECT gen_random_uuid(), at, at, at, true, decode(repeat('00', 32), 'hex'),
        CASE WHEN n % 50 = 0 THEN 'rare' ELSE 'common' END, '{}', 'c', '{}', '{}', CASE WHEN n % 20 < 13 THEN 5
        WHEN n % 20 < 19 THEN n % 20 % 8 WHEN n % 2000 = 19 THEN 3 ELSE 5 END, false, true, 1, 1, 0, at, CASE WHEN n % 100 = 0 THEN at END, gen_random_uuid(), '[]'
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

/// Batches find their jobs by id, one after the other in the order in which they are given, whatever the planner knows
/// of the table: nothing, as long as it is new, or that hardly any job runs.
#[tokio::test]
async fn batches_go_by_the_ids_in_their_order() {
    let (_store, database) = open().await;
    let options = super::PostgresOptions::new(&database.url).session().unwrap();
    let mut adapters = PgConnection::connect_with(&options).await.unwrap();
    for fill in ["", FILL] {
        execute(&mut session(&database.url).await, fill).await;
        for statement in [
            commit::UPDATE,
            row::UPDATE,
            Deed::Renew(std::time::Duration::ZERO).statement(),
            Deed::Park.statement(),
            Deed::Settle.statement(),
            Deed::Release.statement(),
        ] {
            let explain = format!("EXPLAIN (GENERIC_PLAN) {statement}");
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut adapters);
            let lines: Vec<String> = rows.await.unwrap().iter().map(|row| row.get(0)).collect();
            let plan = lines.join("\n");
            let line = |part| lines.iter().position(|line| line.contains(part));
            let (given, found) = (line("Function Scan"), line("Index Scan using jobs_pkey"));
            assert!(
                given.is_some() && given < found && line("Nested Loop").is_some(),
                "{plan}"
            );
            assert!(
                line("Sort").is_none() && line("jobs_not_completed").is_none(),
                "{plan}"
            );
        }
    }
}

/// What is due is found by when it is, even by a planner that may read the whole table.
#[tokio::test]
async fn claims_go_by_an_index() {
    let (_store, database) = open().await;
    let mut session = session(&database.url).await;
    execute(&mut session, FILL).await;
    for (statement, index) in [
        (Which::All.lock(), "jobs_due"),
        (Which::All.is_any(), "jobs_due"),
        (Which::Ended.lock(), "jobs_due_ended"),
        (Which::Ended.is_any(), "jobs_due_ended"),
        (NEXT, "jobs_due"),
    ] {
        let plan = plan(&mut session, QueryBuilder::new(statement.replace("$1", "10"))).await;
        assert!(plan.contains(index) && !plan.contains("Sort"), "{plan}");
    }
}
