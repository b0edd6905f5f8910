//! Events in order of recording.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::try_join_all;
use mongodb::bson::{Document, doc};
use odd_contracts::{EventType, JobId};
use tokio::time::{Instant, sleep};

use super::document::{self, LAST_POSITION};
use super::{Inner, failure};
use crate::{EventFilter, Position, PositionedEvent, StoreError};

/// How often a reader looks whether an append is done that it waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// By how much a search widens that has not found enough, and where it is no longer narrowed.
const WIDER: i64 = 8;
const WIDEST: i64 = 1 << 20;

/// A stretch of positions, both bounds excluded, and the end that it is read from.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) after: i64,
    pub(super) before: i64,
    pub(super) order: Order,
}

/// Direction of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Newest,
    Oldest,
}

impl Stretch {
    fn bounds(self) -> Document {
        doc! { "$gt": self.after, "$lt": self.before }
    }

    fn is_empty(self) -> bool {
        self.before <= self.after.saturating_add(1)
    }

    /// So many positions from the end that it is read from; all of it where the number is large.
    fn first(self, width: i64) -> Self {
        if width > WIDEST {
            return self;
        }
        match self.order {
            Order::Oldest => Self {
                before: self.before.min(self.after.saturating_add(width + 1)),
                ..self
            },
            Order::Newest => Self {
                after: self.after.max(self.before.saturating_sub(width + 1)),
                ..self
            },
        }
    }

    /// What is left of it behind its first part.
    fn behind(self, part: Self) -> Self {
        match self.order {
            Order::Oldest => Self {
                after: part.before - 1,
                ..self
            },
            Order::Newest => Self {
                before: part.after + 1,
                ..self
            },
        }
    }

    fn contains(self, position: Position) -> bool {
        self.after < position.0 && position.0 < self.before
    }

    fn direction(self) -> i32 {
        match self.order {
            Order::Newest => -1,
            Order::Oldest => 1,
        }
    }

    fn sort(self, events: &mut [PositionedEvent]) {
        events.sort_unstable_by_key(|event| event.position);
        if self.order == Order::Newest {
            events.reverse();
        }
    }
}

impl Inner {
    pub(super) async fn newest(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let before = match before {
            Some(before) => before.0,
            // Whoever follows the log from what is found here must not skip what is below and not yet written.
            None => self
                .within(self.positions.look())
                .await?
                .map_or(LAST_POSITION, |horizon| horizon.settled),
        };
        let stretch = Stretch {
            after: 0,
            before,
            order: Order::Newest,
        };
        self.list(filter, stretch, limit).await
    }

    /// An empty answer means that nothing is left behind `after` of what was recorded before the call: where an append is
    /// at work on lower positions, it is waited for.
    pub(super) async fn since(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let deadline = Instant::now() + self.options.operation_timeout;
        let after = after.map_or(0, |after| after.0.max(0));
        let mut target = None;
        loop {
            let horizon = self.within(self.positions.look()).await?;
            let settled = horizon.map_or(LAST_POSITION, |horizon| horizon.settled);
            let target = *target.get_or_insert_with(|| horizon.map_or(0, |horizon| horizon.next));
            let stretch = Stretch {
                after,
                before: settled,
                order: Order::Oldest,
            };
            let found = self.list(filter, stretch, limit).await?;
            if !found.is_empty() || settled >= target || limit == 0 {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                return Err(failure::blocked());
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn list(
        &self,
        filter: &EventFilter,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        if limit == 0 || stretch.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(job) = filter.job_id {
            return self.list_of_job(job, filter, stretch, limit).await;
        }
        let types: BTreeSet<_> = filter.event_types.iter().copied().collect();
        if filter.correlation_id.is_none() && !types.is_empty() && types.iter().all(|t| document::is_rare(*t))
        {
            return self.list_rare(&types, stretch, limit).await;
        }
        let mut query = Document::new();
        if !types.is_empty() {
            let codes: Vec<i32> = types.into_iter().map(document::type_code).collect();
            query.insert("t", doc! { "$in": codes });
        }
        let Some(correlation_id) = &filter.correlation_id else {
            return self.list_dense(query, stretch, limit).await;
        };
        query.insert("c", document::correlation_hash(correlation_id));
        query.insert("p", stretch.bounds());
        let mut found = self.list_sorted(query, "p", stretch, limit).await?;
        found.retain(|event| has_correlation(filter, event));
        Ok(found)
    }

    /// Events that nearly every position has one of: the server need not look at more than a few times as many as are asked
    /// for, whether or not it stops an ordered search at the limit.
    async fn list_dense(
        &self,
        query: Document,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let mut found = Vec::new();
        let mut width = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rest = stretch;
        loop {
            let part = rest.first(width);
            let mut query = query.clone();
            query.insert("p", part.bounds());
            found.extend(self.list_sorted(query, "p", part, limit - found.len()).await?);
            rest = rest.behind(part);
            if found.len() >= limit || rest.is_empty() {
                return Ok(found);
            }
            width = width.saturating_mul(WIDER);
        }
    }

    /// The newest (oldest) of each type, each from its own stretch of the index, and of them the newest (oldest): a rare
    /// type is found among millions of others without reading them.
    async fn list_rare(
        &self,
        types: &BTreeSet<EventType>,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let of_type = |event_type: &EventType| {
            let bounds = Stretch {
                after: document::rare_key(*event_type, stretch.after),
                before: document::rare_key(*event_type, stretch.before.min(LAST_POSITION)),
                ..stretch
            };
            self.list_sorted(doc! { "r": bounds.bounds() }, "r", stretch, limit)
        };
        let mut found = try_join_all(types.iter().map(of_type)).await?.concat();
        stretch.sort(&mut found);
        found.truncate(limit);
        Ok(found)
    }

    /// A job has few events, so they are all read: its history, and the dead letters that name it.
    async fn list_of_job(
        &self,
        job: JobId,
        filter: &EventFilter,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let (first, last) = document::history_bounds(job, 0..=u32::MAX);
        let history = self.all(self.events.find(doc! { "_id": { "$gte": first, "$lte": last } }));
        let letters = self.all(self.events.find(doc! { "d": document::job_binary(job) }));
        let (mut documents, letters) = futures::future::try_join(history, letters).await?;
        documents.extend(letters);
        let mut found: Vec<_> = documents
            .iter()
            .map(|document| document::positioned(document))
            .collect::<Result<_, _>>()?;
        found.retain(|event| {
            let types = &filter.event_types;
            stretch.contains(event.position)
                && (types.is_empty() || types.contains(&event.event.event_type))
                && has_correlation(filter, event)
        });
        stretch.sort(&mut found);
        found.truncate(limit);
        Ok(found)
    }

    async fn list_sorted(
        &self,
        query: Document,
        key: &str,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        let request = self
            .events
            .find(query)
            .sort(doc! { key: stretch.direction() })
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .batch_size(u32::try_from(limit).unwrap_or(u32::MAX).clamp(2, 10_000));
        let documents = self.all(request).await?;
        documents
            .iter()
            .map(|document| document::positioned(document))
            .collect()
    }
}

fn has_correlation(filter: &EventFilter, event: &PositionedEvent) -> bool {
    let wanted = filter.correlation_id.as_ref();
    wanted.is_none_or(|wanted| *wanted == event.event.correlation_id)
}
