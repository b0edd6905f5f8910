//! The adapter against a real server.

mod clock;
mod contention;
mod faults;
mod lost_answers;
mod plans;
mod proxy;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use odd_testkit::servers::{self, PostgresDatabase};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{PostgresJobStore, PostgresOptions};
use crate::{JobStore, StoreError};

/// Longest wait for a state that is reached at all.
const SOON: Duration = Duration::from_secs(60);

/// A store in a database of its own, and the database.
async fn open() -> (Arc<dyn JobStore>, PostgresDatabase) {
    let database = servers::postgres().await;
    (open_at(PostgresOptions::new(&database.url)).await, database)
}

async fn open_at(options: PostgresOptions) -> Arc<dyn JobStore> {
    Arc::new(PostgresJobStore::open(options).await.unwrap())
}

/// Time-outs that a test can wait for.
fn impatient(url: &str) -> PostgresOptions {
    PostgresOptions {
        connect_timeout: Duration::from_millis(700),
        operation_timeout: Duration::from_millis(1_500),
        ..PostgresOptions::new(url)
    }
}

/// A session beside the adapter's.
async fn session(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn execute(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// The message and its causes, as the edge prints them.
fn text(error: &(dyn std::error::Error + 'static)) -> String {
    super::chain(error)
}

fn assert_unavailable(error: &StoreError) {
    assert!(matches!(error, StoreError::Unavailable(_)), "{}", text(error));
}

crate::job_store_conformance!(open());
