//! The tables: brought up to date once by each process, before its first operation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::error::{Trouble, classify};
use super::options::target;
use super::{OpenError, PostgresOptions};
use crate::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Why the tables are not ready.
#[derive(Clone)]
pub(super) enum NotReady {
    /// They never will be for this program.
    Never(OpenError),
    /// The server is away, or has not been able to do it.
    NotYet(Arc<StoreError>),
}

impl From<NotReady> for StoreError {
    fn from(not_ready: NotReady) -> Self {
        match not_ready {
            NotReady::Never(error) => Self::Unavailable(Box::new(error)),
            NotReady::NotYet(error) => {
                Trouble::unavailable("the tables could not be checked", Some(Box::new(error)))
            }
        }
    }
}

type Outcome = Result<(), NotReady>;

/// Whether the tables are ready, and the work on it.
pub(super) struct Schema {
    options: PostgresOptions,
    ready: AtomicBool,
    // One at a time, on a task of its own: a caller that gives up does not end it.
    running: Mutex<Option<Shared<BoxFuture<'static, Outcome>>>>,
}

impl Schema {
    pub(super) fn new(options: PostgresOptions) -> Self {
        Self {
            options,
            ready: AtomicBool::new(false),
            running: Mutex::default(),
        }
    }

    /// Waits until the tables are up to date; brings them there where nobody has yet.
    pub(super) async fn ready(&self) -> Outcome {
        if self.ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        let work = self.work();
        let outcome = work.clone().await;
        match &outcome {
            Ok(()) => self.ready.store(true, Ordering::Relaxed),
            // The next caller tries again.
            Err(_) => {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                if running.as_ref().is_some_and(|current| current.ptr_eq(&work)) {
                    *running = None;
                }
            }
        }
        outcome
    }

    fn work(&self) -> Shared<BoxFuture<'static, Outcome>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .get_or_insert_with(|| {
                let task = tokio::spawn(bring_up_to_date(self.options.clone()));
                async move {
                    match task.await {
                        Ok(outcome) => outcome,
                        Err(error) => Err(NotReady::NotYet(Arc::new(StoreError::Unavailable(error.into())))),
                    }
                }
                .boxed()
                .shared()
            })
            .clone()
    }
}

async fn bring_up_to_date(options: PostgresOptions) -> Outcome {
    let connect = options.migration().map_err(NotReady::Never)?;
    let target = target(&connect);
    let late =
        |what: &str| NotReady::NotYet(Arc::new(Trouble::unavailable(format!("{what} ({target})"), None)));
    let connecting = PgConnection::connect_with(&connect);
    let mut connection = tokio::time::timeout(options.connect_timeout, connecting)
        .await
        .map_err(|_| late("PostgreSQL did not answer in time"))?
        .map_err(|error| NotReady::NotYet(Arc::new(classify(error, &target))))?;
    let migrated = tokio::time::timeout(options.migration_timeout, migrate(&mut connection, &connect))
        .await
        .map_err(|_| late("the tables could not be brought up to date in time"))?;
    // The lock ends with the connection, also where the migration failed.
    let _ = tokio::time::timeout(options.connect_timeout, connection.close()).await;
    migrated
}

/// Under an advisory lock, as several processes start at once; each migration in a transaction of its own.
async fn migrate(connection: &mut PgConnection, options: &PgConnectOptions) -> Outcome {
    let Err(error) = MIGRATIONS.run_direct(None, connection, false).await else {
        return Ok(());
    };
    let target = target(options);
    Err(match error {
        MigrateError::VersionMissing(version) if version < latest() => {
            NotReady::Never(OpenError::Changed { target, version })
        }
        MigrateError::VersionMissing(version) => NotReady::Never(OpenError::Newer {
            target,
            found: applied(connection).await.unwrap_or(version),
            known: latest(),
        }),
        MigrateError::Dirty(version) => NotReady::Never(OpenError::HalfWay { target, version }),
        MigrateError::VersionMismatch(version) => NotReady::Never(OpenError::Changed { target, version }),
        MigrateError::ExecuteMigration(source, version) if is_final(&source) => {
            NotReady::Never(OpenError::Migration {
                target,
                version,
                source: source.into(),
            })
        }
        MigrateError::ExecuteMigration(source, _) | MigrateError::Execute(source) => {
            NotReady::NotYet(Arc::new(classify(source, &target)))
        }
        other => NotReady::NotYet(Arc::new(StoreError::Unavailable(Box::new(other)))),
    })
}

/// Latest version that was applied.
async fn applied(connection: &mut PgConnection) -> Option<i64> {
    let version = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
    version.fetch_one(connection).await.ok().flatten()
}

/// Whether a migration fails for what it is: its text meets tables that it does not expect.
fn is_final(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // Syntax error or access rule violation, but for missing rights, which can be granted; and violated constraints.
    code.is_some_and(|code| (code.starts_with("42") && code != "42501") || code.starts_with("23"))
}

/// Latest version that this program knows.
pub(super) fn latest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}
