//! What the holder of a job does with it: keep it, park it, settle it, give it back.
//!
//! Each is one statement over a list of jobs and tokens in order of id. It takes hold of the rows in that order, as every
//! other statement does.

use std::collections::HashMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odd_contracts::JobId;
use sqlx::Row as _;
use sqlx::postgres::{PgBindIterExt as _, PgConnection};
use uuid::Uuid;

use super::database::Operation;
use super::error::Fault;
use crate::job_store::{ClaimToken, Renewal};

type Held = (JobId, ClaimToken);

/// Longest time that is added to the present, a thousand years: the sum stays within what the server can store.
const LONGEST: Duration = Duration::from_secs(1_000 * 365 * 86_400);

/// A time to be added to the server's clock, in microseconds.
pub(super) fn delay(time: Duration) -> i64 {
    i64::try_from(time.min(LONGEST).as_micros()).unwrap_or(i64::MAX)
}

/// What to do with the jobs.
#[derive(Clone, Copy)]
pub(super) enum Deed {
    /// Keep them for another lease.
    Renew(Duration),
    /// Let their lease stand for their messages.
    Park,
    /// Owe them nothing any more: they ended and their events are confirmed.
    Settle,
    /// Make them due at once.
    Release,
}

impl Deed {
    /// The sum keeps the planner from the index by status, where it may think that few jobs run: it would read
    /// all that do for each in the list.
    pub(super) const fn statement(self) -> &'static str {
        match self {
            Self::Renew(_) => {
                "UPDATE jobs SET due_at = statement_timestamp() + $3::bigint * interval '1 microsecond' \
                 FROM unnest($1::uuid[], $2::uuid[]) AS v(id, token) \
                 WHERE jobs.id = v.id AND jobs.token = v.token AND jobs.status + 0 = 3 \
                 RETURNING jobs.id, jobs.token, jobs.cancel_requested"
            }
            Self::Park => {
                "UPDATE jobs SET backed = false \
                 FROM unnest($1::uuid[], $2::uuid[]) AS v(id, token) \
                 WHERE jobs.id = v.id AND jobs.token = v.token AND jobs.status + 0 = 3 \
                 RETURNING jobs.id, jobs.token, jobs.cancel_requested"
            }
            Self::Settle => {
                "UPDATE jobs SET due_at = NULL \
                 FROM unnest($1::uuid[], $2::uuid[]) AS v(id, token) \
                 WHERE jobs.id = v.id AND jobs.token = v.token AND jobs.status >= 5 \
                 RETURNING jobs.id, jobs.token, jobs.cancel_requested"
            }
            Self::Release => {
                "UPDATE jobs SET due_at = statement_timestamp() \
                 FROM unnest($1::uuid[], $2::uuid[]) AS v(id, token) \
                 WHERE jobs.id = v.id AND jobs.token = v.token AND jobs.status + 0 = 3 \
                 RETURNING jobs.id, jobs.token, jobs.cancel_requested"
            }
        }
    }
}

/// Does something with held jobs; of those that were held, tells whether their cancellation was asked for.
pub(super) struct Do {
    held: Vec<Held>,
    deed: Deed,
}

impl Do {
    pub(super) fn new(held: &[Held], deed: Deed) -> Self {
        let mut held = held.to_vec();
        held.sort_unstable_by_key(|(id, token)| (*id, token.0));
        held.dedup();
        Self { held, deed }
    }
}

impl Operation for Do {
    type Output = HashMap<Held, bool>;

    fn run<'c>(&'c mut self, connection: &'c mut PgConnection) -> BoxFuture<'c, Result<Self::Output, Fault>> {
        async move {
            let mut query = sqlx::query(self.deed.statement())
                .bind(self.held.iter().map(|(id, _)| id).bind_iter())
                .bind(self.held.iter().map(|(_, token)| token.0).bind_iter());
            if let Deed::Renew(lease) = self.deed {
                query = query.bind(delay(lease));
            }
            let found = query.fetch_all(connection).await?;
            let found = found.iter().map(|row| {
                let held = (row.try_get(0)?, ClaimToken(row.try_get::<Uuid, _>(1)?));
                Ok((held, row.try_get(2)?))
            });
            Ok(found.collect::<Result<_, sqlx::Error>>()?)
        }
        .boxed()
    }
}

/// What a renewal found of one job.
pub(super) fn renewal(found: &HashMap<Held, bool>, held: &Held) -> Renewal {
    match found.get(held) {
        Some(true) => Renewal::CancelRequested,
        Some(false) => Renewal::Held,
        None => Renewal::Lost,
    }
}
