//! Committing what became of attempts.

use std::collections::HashMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odd_contracts::JobId;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection, PgRow};
use uuid::Uuid;

use super::database::Operation;
use super::error::Fault;
use super::held::delay;
use super::row::{attempts_json, json, optional_json, sparse, status_code};
use super::values::{Instant, JsonText};
use crate::StoreError;
use crate::job_store::{Commit, Committed, Due};

/// Whether the row is backed is read in the same statement: the message may have been parked meanwhile. The sum keeps the
/// planner from the index by status, as in [`super::held`].
pub(super) const UPDATE: &str = "\
    UPDATE jobs SET status = v.status, updated_at = v.updated_at, attempt = v.attempt, attempts = v.attempts, \
        started_at = NULL, executor = NULL, finished_at = v.finished_at, result = v.result, error = v.error, \
        backed = jobs.backed AND v.status >= 5, \
        due_at = CASE WHEN jobs.backed AND v.status >= 5 THEN NULL \
            ELSE statement_timestamp() + v.delay * interval '1 microsecond' END \
    FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::timestamptz[], $5::integer[], $6::json[], \
        $7::timestamptz[], $8::json[], $9::json[], $10::bigint[]) \
        AS v(id, token, status, updated_at, attempt, attempts, finished_at, result, error, delay) \
    WHERE jobs.id = v.id AND jobs.token = v.token AND jobs.status + 0 = 3 \
    RETURNING jobs.id, jobs.token, jobs.status, jobs.backed";

/// A commit with its JSON columns.
struct Prepared<'a> {
    commit: &'a Commit,
    attempts: JsonText,
    error: Option<JsonText>,
    result: Option<JsonText>,
    delay: i64,
}

impl<'a> Prepared<'a> {
    fn of(commit: &'a Commit) -> Result<Self, StoreError> {
        let (Due::In(time) | Due::Ended(time)) = commit.due;
        Ok(Self {
            commit,
            attempts: attempts_json(&commit.attempts, &commit.record.taken_by)?,
            error: commit.record.error.as_ref().map(json).transpose()?,
            result: optional_json(commit.record.result.as_ref())?,
            delay: delay(time),
        })
    }

    fn key(&self) -> Key {
        key(self.commit)
    }
}

/// A taking of a job: a batch may hold the outcomes of two.
type Key = (JobId, Uuid);

fn key(commit: &Commit) -> Key {
    (commit.record.job.id, commit.token.0)
}

/// Writes new states, each where its token is the latest.
pub(super) struct Write<'a> {
    commits: &'a [Commit],
    // In order of id, one for each taking.
    prepared: Vec<Prepared<'a>>,
}

impl<'a> Write<'a> {
    pub(super) fn new(commits: &'a [Commit]) -> Result<Self, StoreError> {
        let mut prepared = commits.iter().map(Prepared::of).collect::<Result<Vec<_>, _>>()?;
        prepared.sort_by_key(Prepared::key);
        prepared.dedup_by_key(|item| item.key());
        Ok(Self { commits, prepared })
    }

    async fn run_in(&self, connection: &mut PgConnection) -> Result<Vec<Committed>, Fault> {
        let mut backed = self.update(connection).await?;
        if backed.len() < self.prepared.len() {
            self.add_repeated(connection, &mut backed).await?;
        }
        let outcomes = self.commits.iter().map(|commit| match backed.get(&key(commit)) {
            Some((status, true)) if *status == status_code(commit.record.job.status) => Committed::Backed,
            Some((status, false)) if *status == status_code(commit.record.job.status) => Committed::Unbacked,
            _ => Committed::Discarded,
        });
        Ok(outcomes.collect())
    }

    /// Status and whether it is backed, for what was written.
    async fn update(&self, connection: &mut PgConnection) -> Result<HashMap<Key, (i16, bool)>, Fault> {
        let items = &self.prepared;
        let records = || items.iter().map(|item| &item.commit.record);
        let written = sqlx::query(UPDATE)
            .bind(records().map(|record| record.job.id).bind_iter())
            .bind(items.iter().map(|item| item.commit.token.0).bind_iter())
            .bind(records().map(|record| status_code(record.job.status)).bind_iter())
            .bind(
                records()
                    .map(|record| Instant(record.job.updated_at.unwrap_or(record.taken_at)))
                    .bind_iter(),
            )
            .bind(
                records()
                    .map(|record| i32::try_from(record.attempt).unwrap_or(i32::MAX))
                    .bind_iter(),
            )
            .bind(items.iter().map(|item| &item.attempts).bind_iter())
            .bind(sparse(records().map(|record| record.finished_at.map(Instant))))
            .bind(sparse(items.iter().map(|item| item.result.as_ref())))
            .bind(sparse(items.iter().map(|item| item.error.as_ref())))
            .bind(items.iter().map(|item| item.delay).bind_iter())
            .fetch_all(connection)
            .await?;
        Ok(written.iter().map(state).collect::<Result<_, _>>()?)
    }

    /// Adds what is stored by the same token, though not by this statement: its answer was lost the first time.
    async fn add_repeated(
        &self,
        connection: &mut PgConnection,
        backed: &mut HashMap<Key, (i16, bool)>,
    ) -> Result<(), Fault> {
        let missing = || {
            self.prepared
                .iter()
                .map(Prepared::key)
                .filter(|key| !backed.contains_key(key))
        };
        let found = sqlx::query(
            "SELECT jobs.id, jobs.token, jobs.status, jobs.backed FROM unnest($1::uuid[], $2::uuid[]) AS v(id, token) \
             JOIN jobs ON jobs.id = v.id AND jobs.token = v.token AND jobs.status <> 3",
        )
        .bind(missing().map(|(id, _)| id).bind_iter())
        .bind(missing().map(|(_, token)| token).bind_iter())
        .fetch_all(connection)
        .await?;
        for row in &found {
            let (key, state) = state(row)?;
            backed.insert(key, state);
        }
        Ok(())
    }
}

fn state(row: &PgRow) -> Result<(Key, (i16, bool)), sqlx::Error> {
    let key = (row.try_get(0)?, row.try_get(1)?);
    Ok((key, (row.try_get(2)?, row.try_get(3)?)))
}

impl Operation for Write<'_> {
    type Output = Vec<Committed>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        self.run_in(connection).boxed()
    }
}
