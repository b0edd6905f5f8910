//! Histories, single events and exports.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use mongodb::action::Find;
use mongodb::bson::{Document, doc};
use odd_contracts::api::ExportedHistory;
use odd_contracts::{EventEnvelope, EventType, JobId, ids};
use uuid::Uuid;

use super::Inner;
use super::document::{self, Identity, Raw};
use crate::StoreError;

/// Jobs that one query asks for.
const ASKED_AT_ONCE: usize = 500;
/// Queries at a time.
const CONCURRENT: usize = 4;
/// Events of a usual history.
const USUAL_HISTORY: usize = 5;
/// Most documents that the server sends at a time; an exported one is small.
const LARGEST_BATCH: usize = 20_000;

impl Inner {
    pub(super) async fn history(&self, job: JobId) -> Result<Vec<EventEnvelope>, StoreError> {
        let documents = self
            .all(self.events.find(within_history(job, 0..=u32::MAX)))
            .await?;
        let mut placed = Vec::with_capacity(documents.len());
        for document in &documents {
            let (_, sequence, _) = document::place(document)?;
            placed.push((sequence, document::position(document)?, document));
        }
        // Two events at one place stand in order of recording.
        placed.sort_unstable_by_key(|(sequence, position, _)| (*sequence, *position));
        placed
            .into_iter()
            .map(|(_, _, document)| document)
            .map(|document| document::envelope(document))
            .collect()
    }

    pub(super) async fn created(&self, jobs: &[JobId]) -> Result<Vec<EventEnvelope>, StoreError> {
        let mut found = Vec::with_capacity(jobs.len());
        for jobs in jobs.chunks(ASKED_AT_ONCE) {
            // The id of an event that our roles publish follows from its job, so all can be looked up at once.
            let ids: Vec<_> = jobs
                .iter()
                .map(|job| Identity::at(*job, 0, ids::event_id(*job, EventType::Created, 0)).to_bson())
                .collect();
            found.extend(self.created_where(doc! { "_id": { "$in": ids } }).await?);
        }
        let known: HashSet<_> = found.iter().filter_map(EventEnvelope::job_id).collect();
        let mut others = jobs.to_vec();
        others.retain(|job| !known.contains(job));
        let others: Vec<Vec<_>> = stream::iter(others)
            .map(|job| self.created_where(within_history(job, 0..=0)))
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        found.extend(others.into_iter().flatten());
        Ok(found)
    }

    async fn created_where(&self, mut query: Document) -> Result<Vec<EventEnvelope>, StoreError> {
        query.insert("t", document::type_code(EventType::Created));
        let documents = self.all(self.events.find(query)).await?;
        documents
            .iter()
            .map(|document| document::envelope(document))
            .collect()
    }

    pub(super) async fn dead_letter(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError> {
        let query = doc! {
            "_id": Identity::Apart(event_id).to_bson(),
            "t": document::type_code(EventType::DeadLettered),
        };
        let documents = self.all(self.events.find(query)).await?;
        documents
            .first()
            .map(|document| document::envelope(document))
            .transpose()
    }

    pub(super) async fn export(
        &self,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<ExportedHistory>, StoreError> {
        if limit == 0 || after == Some(Uuid::max()) {
            return Ok(Vec::new());
        }
        let first = after.map_or(Uuid::nil(), |job| Uuid::from_u128(job.as_u128() + 1));
        let mut bound = ("$gte", document::history_bounds(first, 0..=0).0);
        let (_, last) = document::history_bounds(Uuid::max(), 0..=u32::MAX);
        let batch = limit.saturating_mul(USUAL_HISTORY).clamp(2, LARGEST_BATCH);
        let mut histories = Histories::new(limit);
        loop {
            let mut range = doc! { "$lte": last.clone() };
            range.insert(bound.0, bound.1);
            let query = doc! { "_id": range };
            let documents = self.all(self.next_places(query, batch)).await?;
            for document in &documents {
                if !histories.take(document)? {
                    return Ok(histories.whole);
                }
            }
            let Some(end) = documents.last().filter(|_| documents.len() == batch) else {
                return Ok(histories.whole);
            };
            bound = ("$gt", document::id(end)?);
        }
    }

    /// Limited, not only sent in batches: a server may well look at everything that a query without a limit finds.
    fn next_places(&self, query: Document, limit: usize) -> Find<'_, Raw> {
        self.events
            .find(query)
            .sort(doc! { "_id": 1 })
            .projection(doc! { "_id": 1, "o": 1 })
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .batch_size(u32::try_from(limit + 1).unwrap_or(u32::MAX))
    }
}

/// Histories that are put together from their events, in order of job and sequence.
struct Histories {
    whole: Vec<ExportedHistory>,
    limit: usize,
}

impl Histories {
    fn new(limit: usize) -> Self {
        Self {
            whole: Vec::new(),
            limit,
        }
    }

    /// Takes the next event; false where it belongs to a job beyond the limit, and every history before is whole.
    fn take(&mut self, document: &Raw) -> Result<bool, StoreError> {
        let (job, sequence, created) = document::place(document)?;
        if self.whole.last().is_none_or(|history| history.id != job) {
            if self.whole.len() == self.limit {
                return Ok(false);
            }
            self.whole.push(ExportedHistory {
                id: job,
                created_at: None,
                sequences: Vec::with_capacity(USUAL_HISTORY),
            });
        }
        if let Some(history) = self.whole.last_mut() {
            history.sequences.push(sequence);
            let created = created.filter(|_| sequence == 0);
            history.created_at = history.created_at.or(created);
        }
        Ok(true)
    }
}

fn within_history(job: JobId, sequences: std::ops::RangeInclusive<u32>) -> Document {
    let (first, last) = document::history_bounds(job, sequences);
    doc! { "_id": { "$gte": first, "$lte": last } }
}
