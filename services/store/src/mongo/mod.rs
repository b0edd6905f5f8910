//! The event log in MongoDB.
//!
//! One document an event, all in the collection `events`. Its `_id` is composed of what makes two events the same, so no
//! index that somebody drops can let an event in twice; and because the job and the sequence stand first in it, the index
//! that every collection has also serves histories and exports. `position.rs` tells the order of recording.

mod append;
mod document;
mod failure;
mod feed;
mod indexes;
mod options;
mod position;
mod read;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::RawDocumentBuf;
use mongodb::{Client, Collection};
use odd_contracts::api::ExportedHistory;
use odd_contracts::{EventEnvelope, JobId};
use uuid::Uuid;

use crate::{EventFilter, EventLog, LoggedEvent, NewEvents, Position, PositionedEvent, StoreError};
use document::Raw;
use indexes::Indexes;
use position::Positions;

pub(crate) use options::without_password;
pub use options::{InvalidMongoOptions, MongoOptions};

/// The event log of one database. Clones share its connections.
///
/// A call that fails with [`StoreError::Unavailable`] may have recorded some or all of its events: recording them
/// again changes nothing.
#[derive(Clone)]
pub struct MongoEventLog {
    inner: Arc<Inner>,
}

struct Inner {
    options: MongoOptions,
    client: Client,
    events: Collection<Raw>,
    positions: Positions,
    indexes: Indexes,
}

impl MongoEventLog {
    /// The log in the database that the address names. Connects when it is used; must be called within a runtime.
    ///
    /// # Errors
    /// When the address cannot be understood, or names no database.
    pub async fn new(options: MongoOptions) -> Result<Self, InvalidMongoOptions> {
        let client = options.client().await?;
        let database = client.default_database().ok_or(InvalidMongoOptions::NoDatabase)?;
        let events: Collection<Raw> = database.collection(document::COLLECTION);
        Ok(Self {
            inner: Arc::new(Inner {
                positions: Positions::new(&events, options.abandoned_after),
                indexes: Indexes::new(&events, options.retention, options.index_check),
                events,
                client,
                options,
            }),
        })
    }

    /// Ends its connections. Whoever uses the log or a clone of it afterwards finds it unavailable.
    pub async fn close(&self) {
        self.inner.client.clone().shutdown().immediate(true).await;
    }
}

impl Inner {
    /// A request under the time-out of operations. A server that is paused or cut off answers nothing, and the driver alone
    /// would wait for it for ever.
    async fn within<T>(
        &self,
        request: impl Future<Output = mongodb::error::Result<T>>,
    ) -> Result<T, StoreError> {
        failure::within(self.options.operation_timeout, request).await
    }

    async fn all(
        &self,
        request: impl IntoFuture<Output = mongodb::error::Result<mongodb::Cursor<Raw>>>,
    ) -> Result<Vec<RawDocumentBuf>, StoreError> {
        self.within(async {
            let mut cursor = request.await?;
            let mut found = Vec::new();
            while cursor.advance().await? {
                found.push(cursor.current().to_owned());
            }
            Ok(found)
        })
        .await
    }
}

#[async_trait]
impl EventLog for MongoEventLog {
    fn adapter(&self) -> &'static str {
        "mongodb"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A command that needs the credentials, and a look at who is recording.
        self.inner.within(self.inner.positions.look()).await.map(drop)
    }

    async fn append(&self, events: &[LoggedEvent]) -> Result<NewEvents, StoreError> {
        self.inner.append(events).await
    }

    async fn history(&self, job: JobId) -> Result<Vec<EventEnvelope>, StoreError> {
        self.inner.history(job).await
    }

    async fn newest(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.inner.newest(filter, before, limit).await
    }

    async fn since(
        &self,
        filter: &EventFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<PositionedEvent>, StoreError> {
        self.inner.since(filter, after, limit).await
    }

    async fn created(&self, jobs: &[JobId]) -> Result<Vec<EventEnvelope>, StoreError> {
        self.inner.created(jobs).await
    }

    async fn dead_letter(&self, event_id: Uuid) -> Result<Option<EventEnvelope>, StoreError> {
        self.inner.dead_letter(event_id).await
    }

    async fn export(&self, after: Option<JobId>, limit: usize) -> Result<Vec<ExportedHistory>, StoreError> {
        self.inner.export(after, limit).await
    }

    async fn retention(&self) -> Result<Option<Duration>, StoreError> {
        self.inner.within(self.inner.indexes.retention()).await
    }
}
