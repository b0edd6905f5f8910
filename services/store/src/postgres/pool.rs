//! Connections that are kept.
//!
//! The driver's own pool asks a connection for a sign of life whenever it comes back, without a time limit: to a peer that
//! fell silent it loses a place for as long as TCP repeats itself, a quarter of an hour. It also repeats refused
//! connections until its time is up and then forgets why. This one keeps a connection only after an operation that
//! ended well, closes everything else, and tells at once why it has none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Trouble, classify};
use crate::StoreError;

/// Age at which a connection is closed: what the server remembers for it grows with time.
const OLDEST: Duration = Duration::from_secs(1_800);

/// The pool. Clones share it.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    connect: PgConnectOptions,
    target: String,
    connect_timeout: Duration,
    idle_timeout: Duration,
    places: Arc<Semaphore>,
    // The last one kept is the next one used, so that those beyond what is needed grow old at the bottom.
    idle: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: PgConnection,
    made: Instant,
    kept: Instant,
}

/// A connection in use. Dropped without [`Leased::keep`] it is closed, whatever state it is in.
pub(super) struct Leased {
    pub(super) connection: PgConnection,
    made: Instant,
    pool: Pool,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(
        connect: PgConnectOptions,
        target: String,
        size: usize,
        connect_timeout: Duration,
        idle_timeout: Duration,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                connect,
                target,
                connect_timeout,
                idle_timeout,
                places: Arc::new(Semaphore::new(size.max(1))),
                idle: Mutex::default(),
            }),
        }
    }

    /// A connection: a kept one, or a new one. Waits for a place without a limit of its own.
    pub(super) async fn acquire(&self) -> Result<Leased, StoreError> {
        let place = self.shared.places.clone().acquire_owned().await;
        let place = place.map_err(|_| Trouble::unavailable("the job store is closed", None))?;
        let (connection, made) = match self.pop() {
            Some(kept) => (kept.connection, kept.made),
            None => (self.connect().await?, Instant::now()),
        };
        Ok(Leased {
            connection,
            made,
            pool: self.clone(),
            _place: place,
        })
    }

    /// Closes what is kept: something shows that the server went away.
    pub(super) fn forget(&self) {
        self.idle().clear();
    }

    /// Closes the pool and takes leave of the server.
    pub(super) async fn close(&self) {
        self.shared.places.close();
        let idle = std::mem::take(&mut *self.idle());
        let leave = async {
            for kept in idle {
                // The server notices a connection that just ends, too.
                let _ = kept.connection.close().await;
            }
        };
        let _ = tokio::time::timeout(self.shared.connect_timeout, leave).await;
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let shared = &self.shared;
        let connecting = PgConnection::connect_with(&shared.connect);
        match tokio::time::timeout(shared.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(|error| classify(error, &shared.target)),
            Err(_) => Err(Trouble::unavailable(
                format!(
                    "PostgreSQL did not answer within {:?} ({})",
                    shared.connect_timeout, shared.target
                ),
                None,
            )),
        }
    }

    fn pop(&self) -> Option<Kept> {
        let mut idle = self.idle();
        let shared = &self.shared;
        idle.retain(|kept| kept.kept.elapsed() < shared.idle_timeout && kept.made.elapsed() < OLDEST);
        idle.pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leased {
    /// Gives the connection back for others to use.
    pub(super) fn keep(self) {
        if self.pool.shared.places.is_closed() {
            return;
        }
        self.pool.idle().push(Kept {
            connection: self.connection,
            made: self.made,
            kept: Instant::now(),
        });
    }
}
