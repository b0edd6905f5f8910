//! The counters in SQLite.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use odd_contracts::api::TypeCounters;
use odd_contracts::history::status_at;
use odd_contracts::names::metric::OTHER_TYPE;
use odd_contracts::{JobStatus, Timestamp};
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::database::{Database, classify};
use super::event_log::{bytes, read_id};
use super::rows;
use crate::counters::MAX_TYPES;
use crate::{CounterEvent, Counters, Generation, StoreError};

/// Row of `counter_types` for jobs without a type, and for those of types beyond [`MAX_TYPES`].
const OTHER: i64 = 0;
/// Guards of an abandoned generation that one write drops; other writes pass in between.
const DROPPED_AT_ONCE: i64 = 10_000;

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

/// Events of one call, folded: applying an event is `max`, so one number a job is left of them.
struct Batch {
    jobs: Vec<FoldedJob>,
    dead_letters: Vec<Uuid>,
    last_event_at: Option<i64>,
}

struct FoldedJob {
    id: Uuid,
    sequence: u32,
    job_type: String,
}

impl Batch {
    fn of(events: &[CounterEvent]) -> Self {
        let mut jobs: HashMap<Uuid, (u32, &str)> = HashMap::with_capacity(events.len());
        let mut dead_letters = HashSet::new();
        for event in events {
            match event.sequence {
                None => {
                    dead_letters.insert(event.key);
                }
                Some(sequence) if status_at(sequence).is_some() => {
                    let (latest, job_type) = jobs.entry(event.key).or_insert((sequence, &event.job_type));
                    *latest = sequence.max(*latest);
                    if job_type.is_empty() {
                        *job_type = &event.job_type;
                    }
                }
                Some(_) => {}
            }
        }
        Self {
            jobs: jobs
                .into_iter()
                .map(|(id, (sequence, job_type))| FoldedJob {
                    id,
                    sequence,
                    job_type: job_type.to_owned(),
                })
                .collect(),
            dead_letters: dead_letters.into_iter().collect(),
            last_event_at: events.iter().map(|event| event.occurred_at.micros()).max(),
        }
    }
}

/// What a batch adds to the counts.
#[derive(Default)]
struct Deltas {
    statuses: BTreeMap<JobStatus, i64>,
    types: BTreeMap<i64, TypeDelta>,
    retries: i64,
    dead_letters: i64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct TypeDelta {
    total: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
}

impl Deltas {
    /// A job of this type moves from one sequence to another.
    fn job(&mut self, type_id: i64, from: Option<u32>, to: u32) {
        let (from, to) = (from.and_then(status_at), status_at(to));
        let counts = self.types.entry(type_id).or_default();
        counts.total += i64::from(from.is_none());
        for (place, step) in [(from, -1), (to, 1)] {
            let Some((status, attempt)) = place else { continue };
            *self.statuses.entry(status).or_default() += step;
            // Attempt n followed n − 1 others.
            self.retries += step * i64::from(attempt.saturating_sub(1));
            match status {
                JobStatus::Completed => counts.completed += step,
                JobStatus::Failed => counts.failed += step,
                JobStatus::Cancelled => counts.cancelled += step,
                _ => {}
            }
        }
    }
}

struct Guard {
    id: Uuid,
    sequence: u32,
    type_id: i64,
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

/// The guards that the batch moves forward; what they count goes into `deltas`.
async fn advance_guards(
    connection: &mut SqliteConnection,
    generation: i64,
    batch: &Batch,
    deltas: &mut Deltas,
) -> Result<Vec<Guard>, StoreError> {
    if batch.jobs.is_empty() {
        return Ok(Vec::new());
    }
    let stored = read_guards(connection, generation, &batch.jobs).await?;
    let new_types: BTreeSet<&str> = batch
        .jobs
        .iter()
        .filter(|job| !stored.contains_key(&job.id))
        .map(|job| job.job_type.as_str())
        .collect();
    let types = ensure_types(connection, generation, new_types).await?;
    let mut advanced = Vec::with_capacity(batch.jobs.len());
    for job in &batch.jobs {
        let known = stored.get(&job.id);
        if known.is_some_and(|(sequence, _)| *sequence >= job.sequence) {
            continue;
        }
        // A job stays under the type that it was first counted under.
        let type_id = known.map_or_else(
            || types.get(job.job_type.as_str()).copied().unwrap_or(OTHER),
            |(_, type_id)| *type_id,
        );
        deltas.job(type_id, known.map(|(sequence, _)| *sequence), job.sequence);
        advanced.push(Guard {
            id: job.id,
            sequence: job.sequence,
            type_id,
        });
    }
    Ok(advanced)
}

async fn read_guards(
    connection: &mut SqliteConnection,
    generation: i64,
    jobs: &[FoldedJob],
) -> Result<HashMap<Uuid, (u32, i64)>, StoreError> {
    let ids = rows::json_array(jobs.iter().map(|job| job.id.as_simple()));
    let rows = sqlx::query(
        "SELECT g.job_id, g.sequence, g.type_id FROM json_each(?) AS j
         CROSS JOIN counter_guards AS g ON g.generation = ? AND g.job_id = unhex(j.value)",
    )
    .bind(ids)
    .bind(generation)
    .fetch_all(connection)
    .await
    .map_err(classify)?;
    rows.iter()
        .map(|row| {
            let place = (
                row.try_get(1).map_err(classify)?,
                row.try_get(2).map_err(classify)?,
            );
            Ok((read_id(row, 0)?, place))
        })
        .collect()
}

/// Rows of `counter_types` for these types; those that are beyond the limit are left out.
async fn ensure_types(
    connection: &mut SqliteConnection,
    generation: i64,
    mut names: BTreeSet<&str>,
) -> Result<HashMap<String, i64>, StoreError> {
    names.remove("");
    names.remove(OTHER_TYPE);
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "SELECT name, type_id FROM counter_types
         WHERE generation = ? AND name IN (SELECT value FROM json_each(?))",
    )
    .bind(generation)
    .bind(json_texts(&names)?)
    .fetch_all(&mut *connection)
    .await
    .map_err(classify)?;
    let mut types = HashMap::with_capacity(names.len());
    for row in &rows {
        let name: String = row.try_get(0).map_err(classify)?;
        types.insert(name, row.try_get(1).map_err(classify)?);
    }
    names.retain(|name| !types.contains_key(*name));
    if !names.is_empty() {
        types.extend(insert_types(connection, generation, names).await?);
    }
    Ok(types)
}

async fn insert_types(
    connection: &mut SqliteConnection,
    generation: i64,
    names: BTreeSet<&str>,
) -> Result<Vec<(String, i64)>, StoreError> {
    let last: i64 =
        sqlx::query_scalar("SELECT coalesce(max(type_id), 0) FROM counter_types WHERE generation = ?")
            .bind(generation)
            .fetch_one(&mut *connection)
            .await
            .map_err(classify)?;
    let new: Vec<_> = names
        .into_iter()
        .map(str::to_owned)
        .zip(last + 1..=MAX_TYPES as i64)
        .collect();
    rows::execute(
        connection,
        "INSERT INTO counter_types (generation, type_id, name, total, completed, failed, cancelled) VALUES",
        "",
        7,
        &new,
        |query, (name, type_id)| {
            query
                .bind(generation)
                .bind(*type_id)
                .bind(name.clone())
                .bind(0)
                .bind(0)
                .bind(0)
                .bind(0)
        },
    )
    .await?;
    Ok(new)
}

fn json_texts(texts: &BTreeSet<&str>) -> Result<String, StoreError> {
    serde_json::to_string(texts).map_err(|error| StoreError::Refused(error.into()))
}

async fn write_guards(
    connection: &mut SqliteConnection,
    generation: i64,
    guards: &[Guard],
) -> Result<(), StoreError> {
    rows::execute(
        connection,
        "INSERT INTO counter_guards (generation, job_id, sequence, type_id) VALUES",
        "ON CONFLICT (generation, job_id) DO UPDATE SET sequence = excluded.sequence",
        4,
        guards,
        |query, guard| {
            query
                .bind(generation)
                .bind(bytes(guard.id))
                .bind(guard.sequence)
                .bind(guard.type_id)
        },
    )
    .await?;
    Ok(())
}

/// Remembers dead letters and tells how many are new.
async fn write_dead_letters(
    connection: &mut SqliteConnection,
    generation: i64,
    ids: &[Uuid],
) -> Result<i64, StoreError> {
    let new = rows::execute(
        connection,
        "INSERT INTO counter_dead_letters (generation, id) VALUES",
        "ON CONFLICT (generation, id) DO NOTHING RETURNING 1",
        2,
        ids,
        |query, id| query.bind(generation).bind(bytes(*id)),
    )
    .await?;
    Ok(i64::try_from(new.len()).unwrap_or(i64::MAX))
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

async fn read_snapshot(
    connection: &mut SqliteConnection,
) -> Result<odd_contracts::api::Counters, StoreError> {
    let row = sqlx::query(
        "SELECT generation, retries, dead_letters, last_event_at
         FROM counter_generations JOIN counter_meta USING (generation)",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(classify)?
    .ok_or_else(|| StoreError::Damaged("the counters are gone; they must be rebuilt".to_owned()))?;
    let generation: i64 = row.try_get(0).map_err(classify)?;
    let last_event_at: Option<i64> = row.try_get(3).map_err(classify)?;
    let by_status = read_statuses(connection, generation).await?;
    Ok(odd_contracts::api::Counters {
        total: by_status.values().sum(),
        by_status,
        retries: count(row.try_get(1).map_err(classify)?),
        dead_lettered: count(row.try_get(2).map_err(classify)?),
        by_type: read_types(connection, generation).await?,
        last_event_at: last_event_at.map(Timestamp::from_micros),
    })
}

async fn read_statuses(
    connection: &mut SqliteConnection,
    generation: i64,
) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
    let rows = sqlx::query("SELECT status, jobs FROM counter_statuses WHERE generation = ? AND jobs <> 0")
        .bind(generation)
        .fetch_all(connection)
        .await
        .map_err(classify)?;
    let mut by_status = BTreeMap::new();
    for row in &rows {
        let code: i64 = row.try_get(0).map_err(classify)?;
        let status = JobStatus::ALL
            .into_iter()
            .find(|status| status_code(*status) == code)
            .ok_or_else(|| StoreError::Damaged(format!("a counter of status {code}")))?;
        by_status.insert(status, count(row.try_get(1).map_err(classify)?));
    }
    Ok(by_status)
}

async fn read_types(
    connection: &mut SqliteConnection,
    generation: i64,
) -> Result<BTreeMap<String, TypeCounters>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, total, completed, failed, cancelled FROM counter_types WHERE generation = ? AND total <> 0",
    )
    .bind(generation)
    .fetch_all(connection)
    .await
    .map_err(classify)?;
    rows.iter()
        .map(|row| {
            let counters = TypeCounters {
                total: count(row.try_get(1).map_err(classify)?),
                completed: count(row.try_get(2).map_err(classify)?),
                failed: count(row.try_get(3).map_err(classify)?),
                cancelled: count(row.try_get(4).map_err(classify)?),
            };
            Ok((row.try_get(0).map_err(classify)?, counters))
        })
        .collect()
}

async fn insert_generation(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    // The rows of a generation may outlive its entry while they are being dropped.
    sqlx::query_scalar(
        "INSERT INTO counter_generations (generation)
         SELECT 1 + max(
             coalesce((SELECT max(generation) FROM counter_generations), 0),
             coalesce((SELECT max(generation) FROM counter_meta), 0),
             coalesce((SELECT max(generation) FROM counter_guards), 0),
             coalesce((SELECT max(generation) FROM counter_types), 0),
             coalesce((SELECT max(generation) FROM counter_statuses), 0),
             coalesce((SELECT max(generation) FROM counter_dead_letters), 0))
         RETURNING generation",
    )
    .fetch_one(connection)
    .await
    .map_err(classify)
}

async fn activate(connection: &mut SqliteConnection, generation: i64) -> Result<(), StoreError> {
    existing_generation(connection, Some(Generation(generation))).await?;
    for statement in [
        "INSERT INTO counter_meta (id, generation) VALUES (1, ?)
         ON CONFLICT (id) DO UPDATE SET generation = excluded.generation",
        "DELETE FROM counter_generations WHERE generation <> ?",
        "DELETE FROM counter_statuses WHERE generation <> ?",
        "DELETE FROM counter_types WHERE generation <> ?",
    ] {
        sqlx::query(statement)
            .bind(generation)
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}

async fn drop_some(connection: &mut SqliteConnection, kept: i64) -> Result<bool, StoreError> {
    let mut dropped = 0;
    for statement in [
        "DELETE FROM counter_guards WHERE (generation, job_id) IN
         (SELECT generation, job_id FROM counter_guards WHERE generation < ? LIMIT ?)",
        "DELETE FROM counter_dead_letters WHERE (generation, id) IN
         (SELECT generation, id FROM counter_dead_letters WHERE generation < ? LIMIT ?)",
    ] {
        dropped += sqlx::query(statement)
            .bind(kept)
            .bind(DROPPED_AT_ONCE)
            .execute(&mut *connection)
            .await
            .map_err(classify)?
            .rows_affected();
    }
    Ok(dropped > 0)
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

/// Counts never fall below zero; a damaged one shows as zero.
fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
        sample::history(sample::job(job), "hello", 2, JobStatus::Completed)
            .iter()
            .filter_map(CounterEvent::of)
            .collect()
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
