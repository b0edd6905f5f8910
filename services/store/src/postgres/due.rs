//! Claiming what is due.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::database::Operation;
use super::error::Fault;
use super::row::{self, Columns};
use crate::job_store::{Claim, Claimed};
use crate::lifecycle::Row;

/// Which due jobs to claim.
#[derive(Clone, Copy)]
pub(super) enum Which {
    All,
    Ended,
}

impl Which {
    /// Whether there is any; most often there is none, and this needs no transaction.
    pub(super) const fn is_any(self) -> &'static str {
        match self {
            Self::All => "SELECT 1 FROM jobs WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT 1",
            Self::Ended => {
                "SELECT 1 FROM jobs WHERE due_at <= statement_timestamp() AND status >= 5 ORDER BY due_at LIMIT 1"
            }
        }
    }

    pub(super) const fn lock(self) -> &'static str {
        match self {
            Self::All => {
                "SELECT *, statement_timestamp() AS now FROM jobs WHERE due_at <= statement_timestamp() \
                 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED"
            }
            Self::Ended => {
                "SELECT *, statement_timestamp() AS now FROM jobs WHERE due_at <= statement_timestamp() \
                 AND status >= 5 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED"
            }
        }
    }
}

/// Claims due jobs, those due longest first.
pub(super) struct ClaimDue<'a> {
    pub(super) claim: &'a Claim,
    pub(super) limit: usize,
    pub(super) which: Which,
}

impl ClaimDue<'_> {
    async fn run_in(&self, connection: &mut PgConnection) -> Result<Vec<Claimed>, Fault> {
        let any: Option<i32> = sqlx::query_scalar(self.which.is_any())
            .fetch_optional(&mut *connection)
            .await?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let mut transaction = connection.begin().await?;
        let found = sqlx::query(self.which.lock())
            .bind(i64::try_from(self.limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await?;
        let mut rows = Vec::with_capacity(found.len());
        for columns in found.iter().map(Columns) {
            let now = columns.time("now")?;
            let mut row = columns.row()?;
            row.backed = false;
            row.take_again(self.claim, now);
            rows.push(row);
        }
        row::update(&mut transaction, &rows.iter().collect::<Vec<_>>()).await?;
        transaction.commit().await?;
        Ok(rows.into_iter().map(Row::into_claimed).collect())
    }
}

impl Operation for ClaimDue<'_> {
    type Output = Vec<Claimed>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        self.run_in(connection).boxed()
    }
}

pub(super) const NEXT: &str = "SELECT due_at, statement_timestamp() AS now FROM jobs WHERE due_at IS NOT NULL \
    ORDER BY due_at LIMIT 1";

/// Time until the next job is due.
pub(super) struct NextDue;

impl Operation for NextDue {
    type Output = Option<Duration>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        async move {
            let next = sqlx::query(NEXT).fetch_optional(connection).await?;
            let next = next.as_ref().map(Columns);
            Ok(next
                .map(|row| Ok::<_, sqlx::Error>(row.time("due_at")?.since(row.time("now")?)))
                .transpose()?)
        }
        .boxed()
    }
}
