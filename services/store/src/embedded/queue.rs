//! The rows under the embedded event spine: messages of durable queues, in order of publication.
//!
//! What is ready, delivered or waiting is the spine's own business; this is only what survives.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use odd_contracts::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

use super::database::{Database, classify};
use super::rows;
use crate::StoreError;

/// Number of the queue that takes a message id only once.
pub const DEAD_LETTER_QUEUE: u8 = 3;

const INSERT: &str = "INSERT OR FAIL INTO messages \
     (row, queue, message_id, routing_key, content_type, headers, body, enqueued_at) VALUES";

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Number of its queue.
    pub queue: u8,
    /// Its identity.
    pub message_id: Uuid,
    /// What it was published under.
    pub routing_key: Cow<'static, str>,
    /// Media type of the body.
    pub content_type: String,
    /// Further headers as a JSON object of texts; none where there are none.
    pub headers: Option<String>,
    /// What it says.
    pub body: Bytes,
    /// When it was put in its queue.
    pub enqueued_at: Timestamp,
}

/// A message and its row number. Within a queue, row numbers are in order of publication and never used again.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its row number.
    pub row: i64,
    /// The message.
    pub message: Arc<QueuedMessage>,
}

/// What a queue holds, delivered and unacknowledged messages included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueSummary {
    /// Number of messages.
    pub messages: u64,
    /// When the first of them was put in the queue.
    pub oldest: Option<Timestamp>,
    /// Row number of the last of them; 0 where there is none.
    pub last_row: i64,
}

/// Where a dead letter goes back to.
#[derive(Clone, Debug)]
pub struct Move {
    /// Row of the message.
    pub row: i64,
    /// Queue that it goes to the end of.
    pub queue: u8,
    /// What it is published under there.
    pub routing_key: &'static str,
    /// Headers it has there, as in [`QueuedMessage::headers`].
    pub headers: Option<String>,
    /// When it is put there.
    pub enqueued_at: Timestamp,
}

/// The messages of every queue.
#[derive(Clone)]
pub struct MessageQueue {
    database: Database,
}

impl MessageQueue {
    /// Over this database.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
        }
    }

    /// Answers when the database does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    /// Puts messages at the end of their queues and returns their row numbers, in order, after the commit.
    /// A dead letter that is in its queue already is ignored and has none.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them is stored.
    pub async fn insert(&self, messages: Arc<[Arc<QueuedMessage>]>) -> Result<Vec<Option<i64>>, StoreError> {
        self.database
            .write(move |connection| {
                let messages = Arc::clone(&messages);
                Box::pin(async move { insert(connection, &messages).await })
            })
            .await
    }

    /// Messages of a queue behind the row `after`, in order: at most `limit`, and no further one once
    /// their bodies have `max_bytes` bytes. The flag tells whether the end of the queue was reached.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(
        &self,
        queue: u8,
        after: i64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<StoredMessage>, bool), StoreError> {
        let mut rows = sqlx::query(
            "SELECT row, queue, message_id, routing_key, content_type, headers, body, enqueued_at \
             FROM messages WHERE queue = ? AND row > ? ORDER BY row LIMIT ?",
        )
        .bind(queue)
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch(self.database.readers());
        let mut messages = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await.map_err(classify)? {
            let stored = read(&row)?;
            bytes += stored.message.body.len();
            messages.push(stored);
            if bytes >= max_bytes {
                return Ok((messages, false));
            }
        }
        let exhausted = messages.len() < limit;
        Ok((messages, exhausted))
    }

    /// Deletes messages, after the commit for good. Rows that are not there are no error.
    ///
    /// # Errors
    /// [`StoreError`]; then all of them remain.
    pub async fn delete(&self, rows: &[i64]) -> Result<(), StoreError> {
        let list: Arc<str> = json_numbers(rows).into();
        self.database
            .write(move |connection| {
                let list = Arc::clone(&list);
                Box::pin(async move { delete(connection, list).await })
            })
            .await
    }

    /// Moves a message to the end of another queue, its body unchanged. Returns it as it stands there;
    /// none where it was gone.
    ///
    /// # Errors
    /// [`StoreError`]; then it remains where it was.
    pub async fn relocate(&self, to: Move) -> Result<Option<StoredMessage>, StoreError> {
        self.database
            .write(move |connection| {
                let to = to.clone();
                Box::pin(async move { relocate(connection, &to).await })
            })
            .await
    }

    /// The dead letter with this identity.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_dead_letter(&self, message_id: Uuid) -> Result<Option<StoredMessage>, StoreError> {
        // The literal 3 lets SQLite use the partial index.
        sqlx::query(
            "SELECT row, queue, message_id, routing_key, content_type, headers, body, enqueued_at \
             FROM messages WHERE queue = 3 AND message_id = ?",
        )
        .bind(message_id.as_bytes().to_vec())
        .fetch_optional(self.database.readers())
        .await
        .map_err(classify)?
        .map(|row| read(&row))
        .transpose()
    }

    /// What a queue holds. Counts its rows: for the start only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn summary(&self, queue: u8) -> Result<QueueSummary, StoreError> {
        let row = sqlx::query(
            "SELECT count(*), coalesce(max(row), 0), \
             (SELECT enqueued_at FROM messages WHERE queue = ?1 ORDER BY row LIMIT 1) \
             FROM messages WHERE queue = ?1",
        )
        .bind(queue)
        .fetch_one(self.database.readers())
        .await
        .map_err(classify)?;
        let messages: i64 = row.try_get(0).map_err(classify)?;
        let oldest: Option<i64> = row.try_get(2).map_err(classify)?;
        Ok(QueueSummary {
            messages: messages.unsigned_abs(),
            oldest: oldest.map(Timestamp::from_micros),
            last_row: row.try_get(1).map_err(classify)?,
        })
    }

    /// When the first message of each of these queues was put there; one answer a queue, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oldest(&self, queues: &[u8]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let mut query = QueryBuilder::new("SELECT ");
        for (index, queue) in queues.iter().enumerate() {
            if index > 0 {
                query.push(", ");
            }
            query.push("(SELECT enqueued_at FROM messages WHERE queue = ");
            query.push_bind(*queue);
            query.push(" ORDER BY row LIMIT 1)");
        }
        let row = query
            .build()
            .fetch_one(self.database.readers())
            .await
            .map_err(classify)?;
        (0..queues.len())
            .map(|index| {
                let oldest: Option<i64> = row.try_get(index).map_err(classify)?;
                Ok(oldest.map(Timestamp::from_micros))
            })
            .collect()
    }
}

async fn delete(connection: &mut SqliteConnection, rows: Arc<str>) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM messages WHERE row IN (SELECT value FROM json_each(?))")
        .bind(rows)
        .execute(connection)
        .await
        .map_err(classify)?;
    Ok(())
}

/// The row number before the next one.
async fn last_row(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'")
        .fetch_one(connection)
        .await
        .map_err(classify)
}

async fn insert(
    connection: &mut SqliteConnection,
    messages: &[Arc<QueuedMessage>],
) -> Result<Vec<Option<i64>>, StoreError> {
    // Row numbers are given here, which spares SQLite to return them one by one.
    let mut next = last_row(connection).await?;
    let mut plain = Vec::with_capacity(messages.len());
    let mut numbers = Vec::with_capacity(messages.len());
    let mut dead_letters = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        next += 1;
        numbers.push(Some(next));
        if message.queue == DEAD_LETTER_QUEUE {
            dead_letters.push((index, next));
        } else {
            plain.push((next, Arc::clone(message)));
        }
    }
    rows::execute(connection, INSERT, "", 8, &plain, |query, (row, message)| {
        bind(query, *row, message)
    })
    .await?;
    for (index, row) in dead_letters {
        let query = sqlx::query(
            "INSERT INTO messages \
             (row, queue, message_id, routing_key, content_type, headers, body, enqueued_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (message_id) WHERE queue = 3 DO NOTHING",
        );
        let done = bind(query, row, &messages[index])
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
        if done.rows_affected() == 0 {
            numbers[index] = None;
        }
    }
    Ok(numbers)
}

fn bind<'q>(query: rows::Bound<'q>, row: i64, message: &QueuedMessage) -> rows::Bound<'q> {
    query
        .bind(row)
        .bind(message.queue)
        .bind(message.message_id.as_bytes().to_vec())
        .bind(message.routing_key.clone())
        .bind(message.content_type.clone())
        .bind(message.headers.clone())
        .bind(message.body.to_vec())
        .bind(message.enqueued_at.micros())
}

async fn relocate(connection: &mut SqliteConnection, to: &Move) -> Result<Option<StoredMessage>, StoreError> {
    let row = sqlx::query(
        "INSERT INTO messages (queue, message_id, routing_key, content_type, headers, body, enqueued_at) \
         SELECT ?, message_id, ?, content_type, ?, body, ? FROM messages WHERE row = ? \
         RETURNING row, queue, message_id, routing_key, content_type, headers, body, enqueued_at",
    )
    .bind(to.queue)
    .bind(to.routing_key)
    .bind(to.headers.clone())
    .bind(to.enqueued_at.micros())
    .bind(to.row)
    .fetch_optional(&mut *connection)
    .await
    .map_err(classify)?;
    sqlx::query("DELETE FROM messages WHERE row = ?")
        .bind(to.row)
        .execute(connection)
        .await
        .map_err(classify)?;
    row.map(|row| read(&row)).transpose()
}

fn read(row: &SqliteRow) -> Result<StoredMessage, StoreError> {
    let routing_key: String = row.try_get(3).map_err(classify)?;
    let message_id: Vec<u8> = row.try_get(2).map_err(classify)?;
    let body: Vec<u8> = row.try_get(6).map_err(classify)?;
    let enqueued_at: i64 = row.try_get(7).map_err(classify)?;
    Ok(StoredMessage {
        row: row.try_get(0).map_err(classify)?,
        message: Arc::new(QueuedMessage {
            queue: row.try_get(1).map_err(classify)?,
            message_id: Uuid::from_slice(&message_id)
                .map_err(|error| StoreError::Damaged(error.to_string()))?,
            routing_key: routing_key.into(),
            content_type: row.try_get(4).map_err(classify)?,
            headers: row.try_get(5).map_err(classify)?,
            body: body.into(),
            enqueued_at: Timestamp::from_micros(enqueued_at),
        }),
    })
}

fn json_numbers(numbers: &[i64]) -> String {
    let mut json = String::with_capacity(2 + numbers.len() * 8);
    json.push('[');
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&number.to_string());
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::Options;

    fn message(queue: u8, id: u128, body: &'static [u8]) -> Arc<QueuedMessage> {
        Arc::new(QueuedMessage {
            queue,
            message_id: Uuid::from_u128(id),
            routing_key: "job.created".into(),
            content_type: "application/json".into(),
            headers: (id.is_multiple_of(2)).then(|| r#"{"a":"b"}"#.to_owned()),
            body: Bytes::from_static(body),
            enqueued_at: Timestamp::from_micros(1_000_000 + i64::try_from(id).unwrap()),
        })
    }

    async fn open() -> (tempfile::TempDir, MessageQueue) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("odd.db"), Options::default())
            .await
            .unwrap();
        let queue = MessageQueue::new(&database);
        (directory, queue)
    }

    #[tokio::test]
    async fn rows_keep_order_and_bytes_and_are_never_numbered_again() {
        let (_directory, queue) = open().await;
        let messages: Arc<[_]> = (0..200_u8)
            .map(|n| message(n % 2, u128::from(n), if n == 0 { b"" } else { b"a\0\xffb" }))
            .collect();
        let rows = queue.insert(Arc::clone(&messages)).await.unwrap();
        assert!(rows.iter().all(Option::is_some) && rows.is_sorted());

        let (loaded, end) = queue.load(1, 0, 1000, usize::MAX).await.unwrap();
        assert!(end);
        let expected: Vec<_> = messages.iter().filter(|m| m.queue == 1).cloned().collect();
        assert_eq!(
            loaded.iter().map(|m| m.message.clone()).collect::<Vec<_>>(),
            expected
        );

        let all: Vec<i64> = rows.iter().flatten().copied().collect();
        queue.delete(&all).await.unwrap();
        assert_eq!(queue.summary(0).await.unwrap(), QueueSummary::default());
        let again = queue.insert([message(0, 1, b"x")].into()).await.unwrap();
        assert!(again[0] > rows[199], "{again:?} must follow {:?}", rows[199]);
    }

    #[tokio::test]
    async fn loading_stops_at_either_bound() {
        let (_directory, queue) = open().await;
        let messages: Arc<[_]> = (0..10).map(|n| message(0, n, b"1234")).collect();
        let rows = queue.insert(messages).await.unwrap();
        let (two, end) = queue.load(0, rows[0].unwrap(), 2, usize::MAX).await.unwrap();
        assert_eq!((two.len(), two[0].row, end), (2, rows[1].unwrap(), false));
        let (three, end) = queue.load(0, 0, 100, 9).await.unwrap();
        assert_eq!((three.len(), end), (3, false));
        let summary = queue.summary(0).await.unwrap();
        assert_eq!((summary.messages, summary.last_row), (10, rows[9].unwrap()));
        assert_eq!(
            queue.oldest(&[1, 0]).await.unwrap(),
            [None, Some(Timestamp::from_micros(1_000_000))]
        );
    }

    #[tokio::test]
    async fn a_dead_letter_is_kept_once_and_can_be_moved_once() {
        let (_directory, queue) = open().await;
        let letter = message(DEAD_LETTER_QUEUE, 2, b"broken");
        let rows = queue
            .insert([letter.clone(), letter.clone(), message(0, 2, b"fine")].into())
            .await
            .unwrap();
        assert!(rows[0].is_some() && rows[1].is_none() && rows[2].is_some());
        assert_eq!(queue.insert([letter].into()).await.unwrap(), [None]);

        let found = queue.find_dead_letter(Uuid::from_u128(2)).await.unwrap().unwrap();
        assert_eq!(Some(found.row), rows[0]);
        let to = Move {
            row: found.row,
            queue: 0,
            routing_key: "jobs.created",
            headers: None,
            enqueued_at: Timestamp::from_micros(5),
        };
        let moved = queue.relocate(to.clone()).await.unwrap().unwrap();
        assert_eq!(
            (moved.message.queue, &moved.message.body[..]),
            (0, &b"broken"[..])
        );
        assert!(Some(moved.row) > rows[2]);
        assert!(queue.relocate(to).await.unwrap().is_none());
        assert!(
            queue
                .find_dead_letter(Uuid::from_u128(2))
                .await
                .unwrap()
                .is_none()
        );
    }
}
