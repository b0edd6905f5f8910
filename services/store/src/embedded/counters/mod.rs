//! The counters in SQLite.

mod batch;
mod generations;
mod guards;
mod snapshot;

use std::sync::Arc;

use async_trait::async_trait;
use odd_contracts::JobStatus;
use odd_contracts::names::metric::OTHER_TYPE;
use sqlx::SqliteConnection;

use super::database::{Database, classify};
use super::rows;
use crate::{CounterEvent, Counters, Generation, StoreError};
use batch::{Batch, Deltas, TypeDelta};
use generations::{activate, drop_some, insert_generation};
use guards::{advance_guards, write_dead_letters, write_guards};
use snapshot::read_snapshot;

/// Row of `counter_types` for jobs without a type, and for those of types beyond [`MAX_TYPES`].
const OTHER: i64 = 0;

/// The counters of one instance. Clones share them.
#[derive(Clone)]
pub struct SqliteCounters {
    database: Database,
}

impl SqliteCounters {
    /// The counters in this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }

    /// Drops some of what other generations left; false when nothing was left.
    async fn drop_some(&self, kept: i64) -> Result<bool, StoreError> {
        self.database
            .write(move |connection| Box::pin(drop_some(connection, kept)))
            .await
    }
}

#[async_trait]
impl Counters for SqliteCounters {
    fn adapter(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    async fn is_intact(&self) -> Result<bool, StoreError> {
        // A commit is atomic, so the counters can only be spoilt from outside; what the other tables are
        // attached to tells whether somebody cleared them.
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM counter_meta JOIN counter_generations USING (generation))",
        )
        .fetch_one(self.database.readers())
        .await
        .map_err(classify)
    }

    async fn apply(&self, into: Option<Generation>, events: &[CounterEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let batch = Arc::new(Batch::of(events));
        self.database
            .write(move |connection| {
                let batch = Arc::clone(&batch);
                Box::pin(async move { apply(connection, into, &batch).await })
            })
            .await
    }

    async fn snapshot(&self) -> Result<odd_contracts::api::Counters, StoreError> {
        // One transaction: the counts agree with one another.
        let mut transaction = self.database.readers().begin().await.map_err(classify)?;
        let snapshot = read_snapshot(&mut transaction).await?;
        transaction.commit().await.map_err(classify)?;
        Ok(snapshot)
    }

    async fn begin_rebuild(&self) -> Result<Generation, StoreError> {
        let generation = self
            .database
            .write(|connection| Box::pin(insert_generation(connection)))
            .await?;
        Ok(Generation(generation))
    }

    async fn activate(&self, generation: Generation) -> Result<(), StoreError> {
        let kept = generation.0;
        self.database
            .write(move |connection| Box::pin(activate(connection, kept)))
            .await?;
        // In use from here on; what follows only frees space, and the next rebuild would do it as well.
        while self.drop_some(kept).await? {}
        Ok(())
    }
}

async fn apply(
    connection: &mut SqliteConnection,
    into: Option<Generation>,
    batch: &Batch,
) -> Result<(), StoreError> {
    let generation = existing_generation(connection, into).await?;
    let mut deltas = Deltas::default();
    let guards = advance_guards(connection, generation, batch, &mut deltas).await?;
    write_guards(connection, generation, &guards).await?;
    deltas.dead_letters = write_dead_letters(connection, generation, &batch.dead_letters).await?;
    write_deltas(connection, generation, &deltas, batch.last_event_at).await
}

/// The generation to count into, where it exists.
async fn existing_generation(
    connection: &mut SqliteConnection,
    into: Option<Generation>,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "SELECT generation FROM counter_generations
         WHERE generation = coalesce(?, (SELECT generation FROM counter_meta))",
    )
    .bind(into.map(|generation| generation.0))
    .fetch_optional(connection)
    .await
    .map_err(classify)?
    .ok_or_else(|| StoreError::Damaged("these counters are gone; they must be rebuilt".to_owned()))
}

async fn write_deltas(
    connection: &mut SqliteConnection,
    generation: i64,
    deltas: &Deltas,
    last_event_at: Option<i64>,
) -> Result<(), StoreError> {
    let statuses: Vec<_> = deltas.statuses.iter().filter(|(_, jobs)| **jobs != 0).collect();
    rows::execute(
        connection,
        "INSERT INTO counter_statuses (generation, status, jobs) VALUES",
        "ON CONFLICT (generation, status) DO UPDATE SET jobs = jobs + excluded.jobs",
        3,
        &statuses,
        |query, (status, jobs)| query.bind(generation).bind(status_code(**status)).bind(**jobs),
    )
    .await?;
    let types: Vec<_> = deltas
        .types
        .iter()
        .filter(|(_, delta)| **delta != TypeDelta::default())
        .collect();
    rows::execute(
        connection,
        "INSERT INTO counter_types (generation, type_id, total, completed, failed, cancelled, name) VALUES",
        "ON CONFLICT (generation, type_id) DO UPDATE SET total = total + excluded.total,
         completed = completed + excluded.completed, failed = failed + excluded.failed,
         cancelled = cancelled + excluded.cancelled",
        7,
        &types,
        |query, (type_id, delta)| {
            query
                .bind(generation)
                .bind(**type_id)
                .bind(delta.total)
                .bind(delta.completed)
                .bind(delta.failed)
                .bind(delta.cancelled)
                // The row of every other type is there, so that its own name stays.
                .bind(OTHER_TYPE)
        },
    )
    .await?;
    sqlx::query(
        "UPDATE counter_generations SET retries = retries + ?, dead_letters = dead_letters + ?,
         last_event_at = max(coalesce(last_event_at, 0), ?) WHERE generation = ?",
    )
    .bind(deltas.retries)
    .bind(deltas.dead_letters)
    .bind(last_event_at.unwrap_or(0))
    .bind(generation)
    .execute(connection)
    .await
    .map_err(classify)?;
    Ok(())
}

/// Number of a status in the table. Never to change.
const fn status_code(status: JobStatus) -> i64 {
    match status {
        JobStatus::Pending => 0,
        JobStatus::Validated => 1,
        JobStatus::Scheduled => 2,
        JobStatus::Executing => 3,
        JobStatus::Retrying => 4,
        JobStatus::Completed => 5,
        JobStatus::Failed => 6,
        JobStatus::Cancelled => 7,
    }
}

#[cfg(test)]
mod tests {
    use odd_contracts::Timestamp;
    use uuid::Uuid;

    use super::generations::DROPPED_AT_ONCE;
    use super::*;
    use crate::conformance::sample;
    use crate::embedded::Options;

    async fn open() -> (Arc<dyn Counters>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory).await;
        (Arc::new(SqliteCounters::new(&database)), directory)
    }

    async fn database(directory: &tempfile::TempDir) -> Database {
        Database::open(&directory.path().join("odd.db"), Options::default())
            .await
            .unwrap()
    }

    async fn spoil(database: &Database, statement: &'static str) {
        database
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(statement)
                        .execute(connection)
                        .await
                        .map_err(classify)?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    fn counted(job: u128) -> Vec<CounterEvent> {
        CounterEvent::of_all(&sample::history(
            sample::job(job),
            "hello",
            2,
            JobStatus::Completed,
        ))
    }

    crate::counters_conformance!(open());

    #[tokio::test]
    async fn counts_and_guards_survive_the_end_of_the_process() {
        let (counters, directory) = open().await;
        counters.apply(None, &counted(1)).await.unwrap();
        let before = counters.snapshot().await.unwrap();
        drop(counters);
        let counters = SqliteCounters::new(&database(&directory).await);
        assert!(counters.is_intact().await.unwrap());
        counters.apply(None, &counted(1)).await.unwrap();
        assert_eq!(counters.snapshot().await.unwrap(), before);
    }

    #[tokio::test]
    async fn damage_is_seen_and_mended_by_a_rebuild() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory).await;
        let counters = SqliteCounters::new(&database);
        counters.apply(None, &counted(1)).await.unwrap();
        let before = counters.snapshot().await.unwrap();
        for damage in ["DELETE FROM counter_meta", "DELETE FROM counter_generations"] {
            spoil(&database, damage).await;
            assert!(!counters.is_intact().await.unwrap(), "{damage}");
            let error = counters.apply(None, &counted(2)).await.unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
            assert!(counters.snapshot().await.is_err(), "{damage}");
            let generation = counters.begin_rebuild().await.unwrap();
            counters.apply(Some(generation), &counted(1)).await.unwrap();
            counters.activate(generation).await.unwrap();
            assert!(counters.is_intact().await.unwrap());
            assert_eq!(counters.snapshot().await.unwrap(), before, "{damage}");
        }
    }

    #[tokio::test]
    async fn a_rebuild_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory).await;
        let counters = SqliteCounters::new(&database);
        let events: Vec<_> = (0..i64::from(u16::MAX) / 4)
            .map(|n| CounterEvent {
                key: Uuid::from_u128(n as u128),
                sequence: (n % 100 != 0).then_some(0),
                job_type: "hello".to_owned(),
                occurred_at: Timestamp::from_micros(n),
            })
            .collect();
        assert!(events.len() as i64 > DROPPED_AT_ONCE);
        counters.apply(None, &events).await.unwrap();
        let generation = counters.begin_rebuild().await.unwrap();
        counters.activate(generation).await.unwrap();
        let left: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM counter_guards) + (SELECT count(*) FROM counter_dead_letters)
             + (SELECT count(*) FROM counter_types) + (SELECT count(*) FROM counter_statuses)",
        )
        .fetch_one(database.readers())
        .await
        .unwrap();
        assert_eq!(left, 0);
    }
}
