//! Operations on the database: each within its time, on a connection that works, again where that helps.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::error::{Fault, Nature, Trouble, classify, nature};
use super::options::target;
use super::pool::Pool;
use super::schema::Schema;
use super::{OpenError, PostgresOptions};
use crate::StoreError;

/// Tries of an operation that other transactions are in the way of.
const CONTENDED_TRIES: u32 = 6;

/// What is done to the database. It may be tried more than once: where a try failed with its connection, nobody knows
/// whether it was committed, and the next one has to find out.
pub(super) trait Operation: Send {
    /// What comes of it.
    type Output: Send;

    /// Tries it.
    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>>;
}

/// The database. Clones share it.
#[derive(Clone)]
pub(super) struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    schema: Schema,
    target: String,
    operation_timeout: Duration,
}

impl Database {
    pub(super) fn new(options: PostgresOptions) -> Result<Self, OpenError> {
        let connect = options.session()?;
        let target = target(&connect);
        let pool = Pool::new(
            connect,
            target.clone(),
            options.max_connections,
            options.connect_timeout,
            options.idle_timeout,
        );
        Ok(Self {
            shared: Arc::new(Shared {
                pool,
                target,
                operation_timeout: options.operation_timeout,
                schema: Schema::new(options),
            }),
        })
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.shared.schema
    }

    pub(super) fn operation_timeout(&self) -> Duration {
        self.shared.operation_timeout
    }

    pub(super) async fn close(&self) {
        self.shared.pool.close().await;
    }

    /// Does `operation`, in bounded time.
    pub(super) async fn run<O: Operation>(&self, mut operation: O) -> Result<O::Output, StoreError> {
        let shared = &self.shared;
        match tokio::time::timeout(shared.operation_timeout, self.tries(&mut operation)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // Nothing tells a silent server from a slow one: whatever it holds is not trusted any more.
                shared.pool.forget();
                let message = format!(
                    "PostgreSQL did not do within {:?} what it was asked ({})",
                    shared.operation_timeout, shared.target
                );
                Err(Trouble::unavailable(message, None))
            }
        }
    }

    async fn tries<O: Operation>(&self, operation: &mut O) -> Result<O::Output, StoreError> {
        self.shared.schema.ready().await?;
        let (mut contended, mut broken) = (0, false);
        loop {
            let mut leased = self.shared.pool.acquire().await?;
            let error = match operation.run(&mut leased.connection).await {
                Ok(output) => {
                    leased.keep();
                    return Ok(output);
                }
                Err(Fault::Store(error)) => {
                    self.put_right(leased).await;
                    return Err(error);
                }
                Err(Fault::Sql(error)) => error,
            };
            match nature(&error) {
                Nature::Broken => {
                    // What was kept was broken by the same cause; a new connection tells whether the server is back.
                    drop(leased);
                    self.shared.pool.forget();
                    if broken {
                        return Err(classify(error, &self.shared.target));
                    }
                    broken = true;
                    tracing::debug!(%error, "a connection to PostgreSQL broke");
                }
                Nature::Contention if contended + 1 < CONTENDED_TRIES => {
                    self.put_right(leased).await;
                    contended += 1;
                    tracing::debug!(%error, "transactions were in each other's way");
                    tokio::time::sleep(pause(contended)).await;
                }
                _ => {
                    self.put_right(leased).await;
                    return Err(classify(error, &self.shared.target));
                }
            }
        }
    }

    /// Keeps the connection of a try that failed, once its transaction is rolled back: until then it holds its rows.
    async fn put_right(&self, mut leased: super::pool::Leased) {
        if leased.connection.ping().await.is_ok() {
            leased.keep();
        }
    }
}

/// Longer each time, and another for each process, so that those in each other's way part.
fn pause(tries: u32) -> Duration {
    let chance = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
    Duration::from_millis(5 * u64::from(tries)) + Duration::from_micros(chance * 40 * u64::from(tries))
}
