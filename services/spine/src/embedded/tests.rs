//! The conformance suite with ample and with hardly any memory, and what only this adapter promises.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use odd_contracts::EventType;
use odd_store::embedded::{Database, OpenError, Options};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{Bounds, EmbeddedSpine};
use crate::conformance::SpineFactory;
use crate::port::{Headers, Message, PublishError, Queue, Route, Spine, SpineError};

const DEADLINE: Duration = Duration::from_secs(30);

struct Factory {
    directory: TempDir,
    bounds: Bounds,
}

impl Factory {
    fn new(bounds: Bounds) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            bounds,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("odd.db")
    }

    fn try_open(&self) -> Result<Database, OpenError> {
        // The compiler cannot tell that the future of `open` is `Send`, as an async trait's must be.
        tokio::task::block_in_place(|| {
            Handle::current().block_on(Database::open(&self.path(), Options::default()))
        })
    }

    /// Opens the database as soon as the tasks of an earlier spine have let go of it.
    async fn database(&self) -> Database {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.try_open() {
                Ok(database) => return database,
                Err(OpenError::Locked(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    async fn spine(&self) -> (Database, Arc<EmbeddedSpine>) {
        let database = self.database().await;
        let spine = EmbeddedSpine::open_with(&database, self.bounds).await.unwrap();
        (database, spine)
    }
}

#[async_trait]
impl SpineFactory for Factory {
    async fn open(&self) -> Arc<dyn Spine> {
        self.spine().await.1
    }
}

mod ample_memory {
    use super::*;
    crate::spine_conformance!(Factory::new(Bounds::default()));
}

mod hardly_any_memory {
    use super::*;
    crate::spine_conformance!(Factory::new(Bounds {
        ready_messages: 8,
        ready_bytes: 200,
        ..Bounds::default()
    }));
}

fn work(number: u128, body: impl Into<Bytes>) -> Message {
    Message {
        route: Route::Work,
        message_id: Uuid::from_u128(number),
        content_type: "application/json".to_owned(),
        headers: Headers::new(),
        body: body.into(),
    }
}
