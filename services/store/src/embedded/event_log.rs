//! The event log in SQLite.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use odd_contracts::api::ExportedHistory;
use odd_contracts::{EventEnvelope, EventType, JobId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use uuid::Uuid;

use super::database::{Database, classify};
use super::rows;
use crate::{EventFilter, EventLog, LoggedEvent, NewEvents, Position, PositionedEvent, StoreError};

/// The event log of one instance. Clones share it.
#[derive(Clone)]
pub struct SqliteEventLog {
    database: Database,
}

impl SqliteEventLog {
    /// The event log in this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }

    async fn list(
        &self,
        filter: &EventFilter,
        order: Order,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let sql = list_statement(filter, order);
        let bound = match order {
            Order::Newest(before) => before.map_or(i64::MAX, |p| p.0),
            Order::Oldest(after) => after.map_or(i64::MIN, |p| p.0),
        };
        // Only fixed texts and the numbers of event types are composed; every value is bound.
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(bound)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        if let Some(job) = filter.job_id {
            query = query.bind(bytes(job));
        }
        if let Some(correlation_id) = &filter.correlation_id {
            query = query.bind(correlation_id.clone());
        }
        let rows = query.fetch_all(self.database.readers()).await.map_err(classify)?;
        rows.iter().map(read_positioned).collect()
    }
}

#[async_trait]
impl EventLog for SqliteEventLog {
    fn adapter(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    async fn append(&self, events: &[LoggedEvent]) -> Result<NewEvents, StoreError> {
        if events.is_empty() {
            return Ok(NewEvents::new());
        }
        let events: Arc<[LoggedEvent]> = events.into();
        self.database
            .write(move |connection| {
                let events = Arc::clone(&events);
                Box::pin(async move { insert(connection, &events).await })
            })
            .await
    }

    async fn history(&self, job: JobId) -> Result<Vec<EventEnvelope>, StoreError> {
        let rows = sqlx::query(
            "SELECT envelope FROM events WHERE job_id = ? AND sequence IS NOT NULL ORDER BY sequence, position",
        )
        .bind(bytes(job))
        .fetch_all(self.database.readers())
        .await
        .map_err(classify)?;
        rows.iter().map(|row| read_envelope(row, 0)).collect()
    }

    async fn newest(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.list(filter, Order::Newest(before), limit).await
    }

    async fn since(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.list(filter, Order::Oldest(after), limit).await
    }

    async fn created(&self, jobs: &[JobId]) -> Result<Vec<EventEnvelope>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.envelope FROM json_each(?) AS j
             CROSS JOIN events AS e ON e.job_id = unhex(j.value) AND e.sequence = 0 AND +e.event_type = ?",
        )
        .bind(rows::json_array(jobs.iter().map(Uuid::as_simple)))
        .bind(type_code(EventType::Created))
        .fetch_all(self.database.readers())
        .await
        .map_err(classify)?;
        rows.iter().map(|row| read_envelope(row, 0)).collect()
    }

    async fn dead_letter(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError> {
        let row = sqlx::query("SELECT envelope FROM events WHERE event_id = ? AND sequence IS NULL")
            .bind(bytes(event_id))
            .fetch_optional(self.database.readers())
            .await
            .map_err(classify)?;
        row.map(|row| read_envelope(&row, 0)).transpose()
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedHistory>, StoreError> {
        // Walks the index of jobs alone; a row is read once a job, for the time of its creation.
        const EXPORT: &str = "
            WITH page AS (
                SELECT DISTINCT job_id FROM events
                WHERE job_id > ?1 AND sequence IS NOT NULL ORDER BY job_id LIMIT ?2
            )
            SELECT job_id, sequence, CASE WHEN sequence = 0 THEN
                (SELECT c.occurred_at FROM events c WHERE c.position = e.position AND c.event_type = ?3)
            END
            FROM events e
            WHERE job_id > ?1 AND job_id <= (SELECT max(job_id) FROM page) AND sequence IS NOT NULL
            ORDER BY job_id, sequence";
        let rows = sqlx::query(EXPORT)
            // No bytes sort before the id of all zeros.
            .bind(after.map(bytes).unwrap_or_default())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(type_code(EventType::Created))
            .fetch_all(self.database.readers())
            .await
            .map_err(classify)?;
        fold_histories(&rows)
    }
}

async fn insert(connection: &mut SqliteConnection, events: &[LoggedEvent]) -> Result<NewEvents, StoreError> {
    let last = last_position(connection).await?;
    // `OR FAIL`: a statement that fails need not be undone alone, because its transaction is. Otherwise SQLite would
    // keep a copy of every page that the statement changes.
    rows::execute(
        connection,
        "INSERT OR FAIL INTO events (event_id, job_id, sequence, event_type, correlation_id, occurred_at, envelope) VALUES",
        "ON CONFLICT DO NOTHING",
        7,
        events,
        |query, event| {
            query
                .bind(bytes(event.event_id))
                .bind(event.job_id.map(bytes))
                .bind(event.sequence)
                .bind(type_code(event.event_type))
                .bind(Arc::clone(&event.correlation_id))
                .bind(event.occurred_at.micros())
                .bind(Arc::clone(&event.envelope))
        },
    )
    .await?;
    // Positions have no gaps, so their growth tells how many rows are new.
    let grown = last_position(connection).await? - last;
    if usize::try_from(grown) == Ok(events.len()) {
        return Ok(count_types(events));
    }
    recorded_behind(connection, last).await
}

fn count_types(events: &[LoggedEvent]) -> NewEvents {
    let mut counts = NewEvents::new();
    for event in events {
        *counts.entry(event.event_type).or_default() += 1;
    }
    counts
}

/// Counted by the database: having every row returned would cost about as much as writing it.
async fn recorded_behind(connection: &mut SqliteConnection, last: i64) -> Result<NewEvents, StoreError> {
    let rows = sqlx::query("SELECT event_type, count(*) FROM events WHERE position > ? GROUP BY +event_type")
        .bind(last)
        .fetch_all(connection)
        .await
        .map_err(classify)?;
    rows.iter()
        .map(|row| {
            let code: i64 = row.try_get(0).map_err(classify)?;
            let event_type = EventType::ALL
                .into_iter()
                .find(|event_type| type_code(*event_type) == code);
            let event_type =
                event_type.ok_or_else(|| StoreError::Damaged(format!("an event of type {code}")))?;
            Ok((event_type, row.try_get(1).map_err(classify)?))
        })
        .collect()
}

async fn last_position(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM events")
        .fetch_one(connection)
        .await
        .map_err(classify)
}

/// Direction and bound of a list.
#[derive(Clone, Copy)]
enum Order {
    Newest(Option<Position>),
    Oldest(Option<Position>),
}

/// `?1` is the bound, `?2` the limit; the job and the correlation id follow where they are asked for.
///
/// One condition drives the search, the narrowest; the others are kept from the planner (by a unary
/// plus), which has no statistics and might prefer them.
fn list_statement(filter: &EventFilter, order: Order) -> String {
    let (comparison, direction) = match order {
        Order::Newest(_) => ("<", "DESC"),
        Order::Oldest(_) => (">", "ASC"),
    };
    let codes: Vec<_> = filter
        .event_types
        .iter()
        .map(|t| type_code(*t).to_string())
        .collect();
    let codes = codes.join(",");
    let mut conditions = vec![format!("position {comparison} ?1")];
    if filter.job_id.is_some() {
        conditions.push("job_id = ?3".to_owned());
    }
    if filter.correlation_id.is_some() {
        conditions.push(correlation_condition(filter.job_id.is_some()));
    }
    let narrowed = filter.job_id.is_some() || filter.correlation_id.is_some();
    if filter.event_types.is_empty() || narrowed {
        if !filter.event_types.is_empty() {
            conditions.push(format!("+event_type IN ({codes})"));
        }
        let conditions = conditions.join(" AND ");
        return format!(
            "SELECT position, envelope FROM events WHERE {conditions} ORDER BY position {direction} LIMIT ?2"
        );
    }
    list_types_statement(&filter.event_types, comparison, direction)
}

/// The newest (oldest) of each type, each from its own stretch of the index, and of them the newest (oldest):
/// a rare type is found among millions of others without reading them.
fn list_types_statement(types: &[EventType], comparison: &str, direction: &str) -> String {
    let distinct: HashSet<_> = types.iter().copied().map(type_code).collect();
    let mut distinct: Vec<_> = distinct.into_iter().collect();
    distinct.sort_unstable();
    let parts: Vec<_> = distinct
        .into_iter()
        .map(|code| {
            format!(
                "SELECT * FROM (SELECT position FROM events WHERE event_type = {code} AND position {comparison} ?1 \
                 ORDER BY position {direction} LIMIT ?2)"
            )
        })
        .collect();
    let positions = parts.join(" UNION ALL ");
    format!(
        "SELECT position, envelope FROM events WHERE position IN ({positions}) \
         ORDER BY position {direction} LIMIT ?2"
    )
}

/// The events of the jobs whose history opens under the correlation id, and those that open one, as
/// far as they carry it themselves.
fn correlation_condition(by_job: bool) -> String {
    if by_job {
        return "correlation_id = ?4".to_owned();
    }
    const OPENING: &str =
        "FROM events WHERE correlation_id = ?3 AND (sequence IS NULL OR sequence IN (0, 4, 5))";
    format!(
        "+correlation_id = ?3 AND position IN (\
         SELECT position {OPENING} UNION ALL \
         SELECT position FROM events WHERE job_id IN (SELECT job_id {OPENING} AND job_id IS NOT NULL))"
    )
}

fn fold_histories(rows: &[SqliteRow]) -> Result<Vec<ExportedHistory>, StoreError> {
    let mut histories: Vec<ExportedHistory> = Vec::new();
    for row in rows {
        let id = read_id(row, 0)?;
        let sequence: u32 = row.try_get(1).map_err(classify)?;
        let created_at: Option<i64> = row.try_get(2).map_err(classify)?;
        if histories.last().is_none_or(|history| history.id != id) {
            histories.push(ExportedHistory {
                id,
                created_at: None,
                sequences: Vec::with_capacity(4),
            });
        }
        if let Some(history) = histories.last_mut() {
            history.sequences.push(sequence);
            history.created_at = history.created_at.or(created_at.map(Timestamp::from_micros));
        }
    }
    Ok(histories)
}

/// Number of an event type in the table. Never to change.
const fn type_code(event_type: EventType) -> i64 {
    match event_type {
        EventType::Created => 0,
        EventType::Validated => 1,
        EventType::Scheduled => 2,
        EventType::Executed => 3,
        EventType::Retrying => 4,
        EventType::Completed => 5,
        EventType::Failed => 6,
        EventType::Cancelled => 7,
        EventType::DeadLettered => 8,
    }
}

pub(super) fn bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn read_id(row: &SqliteRow, column: usize) -> Result<Uuid, StoreError> {
    let bytes: &[u8] = row.try_get(column).map_err(classify)?;
    Uuid::from_slice(bytes).map_err(|error| StoreError::Damaged(format!("an identifier: {error}")))
}

fn read_envelope(row: &SqliteRow, column: usize) -> Result<EventEnvelope, StoreError> {
    let text: &str = row.try_get(column).map_err(classify)?;
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("an event: {error}")))
}

fn read_positioned(row: &SqliteRow) -> Result<PositionedEvent, StoreError> {
    Ok(PositionedEvent {
        position: Position(row.try_get(0).map_err(classify)?),
        event: read_envelope(row, 1)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;
    use crate::embedded::Options;

    async fn open() -> (Arc<dyn EventLog>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory).await;
        (Arc::new(SqliteEventLog::new(&database)), directory)
    }

    async fn database(directory: &tempfile::TempDir) -> Database {
        Database::open(&directory.path().join("odd.db"), Options::default())
            .await
            .unwrap()
    }

    crate::event_log_conformance!(open());

    #[tokio::test]
    async fn events_survive_the_end_of_the_process() {
        let (log, directory) = open().await;
        let events = sample::history(sample::job(1), "hello", 1, odd_contracts::JobStatus::Completed);
        log.append(&LoggedEvent::of_all(&events)).await.unwrap();
        drop(log);
        let log = SqliteEventLog::new(&database(&directory).await);
        assert_eq!(log.history(sample::job(1)).await.unwrap(), events);
        let again = log.append(&LoggedEvent::of_all(&events)).await.unwrap();
        assert_eq!(again, NewEvents::new());
    }

    #[tokio::test]
    async fn an_unreadable_event_is_damage_not_an_outage() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory).await;
        let log = SqliteEventLog::new(&database);
        let event = sample::event(sample::job(1), EventType::Created, 0);
        log.append(&[LoggedEvent::from(&event)]).await.unwrap();
        database
            .write(|connection| {
                Box::pin(async {
                    let spoil = sqlx::query("UPDATE events SET envelope = '{'");
                    spoil.execute(connection).await.map_err(classify)?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        let error = log.history(sample::job(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    }

    /// Every query is answered from an index: the log grows without bound.
    #[tokio::test]
    async fn no_query_scans_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let database = database(&directory).await;
        let filter = |types: &[EventType], job: bool, correlation: bool| EventFilter {
            event_types: types.to_vec(),
            job_id: job.then(|| sample::job(1)),
            correlation_id: correlation.then(|| "c".to_owned()),
        };
        let rare = [EventType::DeadLettered, EventType::Failed];
        for (filter, index) in [
            (filter(&[], true, false), "events_job"),
            (filter(&rare, true, true), "events_job"),
            (filter(&[], false, true), "events_correlation"),
            (filter(&rare, false, true), "events_correlation"),
            (
                filter(&rare, false, false),
                "events_type (event_type=? AND rowid<?)",
            ),
            (filter(&[], false, false), "INTEGER PRIMARY KEY (rowid<?)"),
        ] {
            let sql = format!(
                "EXPLAIN QUERY PLAN {}",
                list_statement(&filter, Order::Newest(None))
            );
            let plan = sqlx::query(AssertSqlSafe(sql))
                .fetch_all(database.readers())
                .await
                .unwrap();
            let plan: Vec<String> = plan.iter().map(|row| row.get::<String, _>("detail")).collect();
            assert!(
                plan.iter().any(|step| step.contains(index)),
                "{filter:?}: {plan:#?}"
            );
            assert!(
                !plan.iter().any(|step| step.starts_with("SCAN e")),
                "{filter:?}: {plan:#?}"
            );
        }
    }
}
