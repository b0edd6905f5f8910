//! Tables that are made, older, newer, left half-way, or not to be had.

use odd_testkit::{servers, wait_for};
use uuid::Uuid;

use super::{SOON, assert_unavailable, execute, impatient, open_at, session, text};
use crate::conformance::job_store::{LONG, run};
use crate::postgres::schema::latest;
use crate::postgres::{OpenError, PostgresJobStore, PostgresOptions};

#[tokio::test]
async fn eight_processes_make_the_tables_once() {
    let database = servers::postgres().await;
    let openers: Vec<_> = (0..8)
        .map(|_| tokio::spawn(open_at(PostgresOptions::new(&database.url))))
        .collect();
    for opener in openers {
        let store = opener.await.unwrap();
        run(&store, Uuid::new_v4(), LONG).await;
    }
    let applied: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&mut session(&database.url).await)
        .await
        .unwrap();
    assert_eq!(applied, latest());
}

async fn open_error(url: &str) -> OpenError {
    match PostgresJobStore::open(PostgresOptions::new(url)).await {
        Ok(_) => panic!("it should not open"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn newer_tables_are_refused() {
    let database = servers::postgres().await;
    open_at(PostgresOptions::new(&database.url)).await;
    let mut session = session(&database.url).await;
    for version in [7_001, 7_002] {
        execute(
            &mut session,
            &format!("INSERT INTO _sqlx_migrations VALUES ({version}, 'of tomorrow', now(), true, '', 1)"),
        )
        .await;
    }
    let error = open_error(&database.url).await;
    assert!(
        matches!(error, OpenError::Newer { found: 7_002, known, .. } if known == latest()),
        "{error}"
    );
    assert!(text(&error).contains("Run the newer version of odd"), "{error}");
}

#[tokio::test]
async fn a_migration_left_half_way_is_refused() {
    let database = servers::postgres().await;
    open_at(PostgresOptions::new(&database.url)).await;
    execute(
        &mut session(&database.url).await,
        "UPDATE _sqlx_migrations SET success = false WHERE version = 1",
    )
    .await;
    let error = open_error(&database.url).await;
    assert!(matches!(error, OpenError::HalfWay { version: 1, .. }), "{error}");
    assert!(text(&error).contains("half-way"), "{error}");
}

#[tokio::test]
async fn tables_of_another_build_are_refused() {
    let database = servers::postgres().await;
    open_at(PostgresOptions::new(&database.url)).await;
    execute(
        &mut session(&database.url).await,
        "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1",
    )
    .await;
    let error = open_error(&database.url).await;
    assert!(matches!(error, OpenError::Changed { version: 1, .. }), "{error}");
}

#[tokio::test]
async fn tables_of_somebody_else_are_left_alone() {
    let database = servers::postgres().await;
    let mut session = session(&database.url).await;
    execute(
        &mut session,
        "CREATE TABLE jobs (mine text); INSERT INTO jobs VALUES ('kept')",
    )
    .await;
    let error = open_error(&database.url).await;
    assert!(
        matches!(error, OpenError::Migration { version: 1, .. }),
        "{}",
        text(&error)
    );
    let kept: String = sqlx::query_scalar("SELECT mine FROM jobs")
        .fetch_one(&mut session)
        .await
        .unwrap();
    assert_eq!(kept, "kept");
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_refused_without_its_password() {
    let options = PostgresOptions::new("postgres//odd:hidden@host");
    assert!(!format!("{options:?}").contains("hidden"));
    let error = open_error(&options.url).await;
    assert!(matches!(error, OpenError::Url(_)));
    assert!(!text(&error).contains("hidden") && !format!("{error:?}").contains("hidden"));
    let options = PostgresOptions::new("postgres://odd:hidden@host:1/jobs");
    let shown = format!("{options:?}");
    assert!(
        shown.contains("jobs at host:1") && !shown.contains("hidden"),
        "{shown}"
    );
}

/// What can be mended while the process runs is no error at the start.
async fn opens_and_says(url: &str, expected: &str) -> std::sync::Arc<dyn crate::JobStore> {
    let store = open_at(impatient(url)).await;
    let error = store.ping().await.unwrap_err();
    assert_unavailable(&error);
    assert!(text(&error).contains(expected), "{}", text(&error));
    store
}

#[tokio::test]
async fn wrong_credentials_are_named_and_can_be_mended() {
    let database = servers::postgres().await;
    let mut session = session(&database.url).await;
    let role = format!("r{}", Uuid::new_v4().simple());
    let (_, server) = database.url.split_once('@').unwrap();
    let url = format!("postgres://{role}:right@{server}");
    let store = opens_and_says(&url, "refuses the user or the password").await;
    execute(
        &mut session,
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'right'; GRANT ALL ON SCHEMA public TO {role}"),
    )
    .await;
    wait_for(SOON, "the user to be let in", || async {
        store.ping().await.ok()
    })
    .await;
    execute(
        &mut session,
        &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"),
    )
    .await;
}

#[tokio::test]
async fn a_missing_database_is_named_and_can_be_made() {
    let database = servers::postgres().await;
    let mut session = session(&database.url).await;
    let name = format!("d{}", Uuid::new_v4().simple());
    let (server, _) = database.url.rsplit_once('/').unwrap();
    let store = opens_and_says(&format!("{server}/{name}"), "there is no database").await;
    execute(&mut session, &format!("CREATE DATABASE {name}")).await;
    wait_for(SOON, "the database to be found", || async {
        store.ping().await.ok()
    })
    .await;
    execute(&mut session, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_used_when_it_comes() {
    let database = servers::dedicated::postgres().await;
    database.container().kill().await;
    let started = std::time::Instant::now();
    let store = open_at(impatient(&database.url)).await;
    assert_unavailable(&store.ping().await.unwrap_err());
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
    database.container().start().await;
    wait_for(SOON, "the server to be used", || async {
        store.ping().await.ok()
    })
    .await;
    run(&store, Uuid::new_v4(), LONG).await;
    assert_eq!(store.adapter(), "postgres");
}
