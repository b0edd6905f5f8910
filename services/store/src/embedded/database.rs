//! One SQLite file: one writer task with group commit, and a few read-only connections.
//!
//! Every write of every port goes through the one writer task. It takes what is waiting, runs it in one
//! `BEGIN IMMEDIATE` transaction, and answers after the commit, so that a hundred callers pay for one commit.
//! An operation that fails rolls the group back; each is then run again in a transaction of its
//! own, so that it fails alone. Operations must therefore be repeatable, and statements may end with `OR FAIL`:
//! what a failed statement did is rolled back with its transaction, and SQLite need not keep copies of pages.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// Writes that may wait for the writer; callers beyond it wait to enqueue.
const QUEUE_LENGTH: usize = 1024;
/// Writes that share one commit at most.
const GROUP_LIMIT: usize = 128;
/// Read-only connections: the read-model's queries in parallel with the writer.
const READERS: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A killed process.
    #[default]
    Normal,
    /// A power cut, too; each commit waits for the disk.
    Full,
}

impl std::str::FromStr for Synchronous {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "normal" => Ok(Self::Normal),
            "full" => Ok(Self::Full),
            _ => Err(format!("{text:?} is neither \"normal\" nor \"full\"")),
        }
    }
}

/// How to open a database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What a commit survives.
    pub synchronous: Synchronous,
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process has the database {} open", .0.display())]
    Locked(PathBuf),
    /// The directory or its lock file cannot be written.
    #[error("cannot write to {}", path.display())]
    Directory {
        /// What cannot be written.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot open the file.
    #[error("cannot open the database {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file is of a newer version of the product, or damaged.
    #[error("cannot bring the database {} up to date", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
}

/// The SQLite file of one instance, opened exclusively. Clones share it.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    writer: mpsc::Sender<Box<dyn Write>>,
    readers: SqlitePool,
    // Set when a write failed for a reason outside the data, until a probe has written again.
    suspect: Arc<AtomicBool>,
    // Held as long as the database is open.
    _lock: File,
}

impl Database {
    /// Opens the file, creates it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// [`OpenError`]; among others where another process has the file open.
    pub async fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let sqlite = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match options.synchronous {
                Synchronous::Normal => SqliteSynchronous::Normal,
                Synchronous::Full => SqliteSynchronous::Full,
            })
            .busy_timeout(Duration::from_secs(5))
            .statement_cache_capacity(256)
            // KiB; grows with use. What does not fit is read from the system's cache, at a call a page.
            .pragma("cache_size", "-65536")
            // Pages; the longer the log, the more writes to one page are folded into one.
            .pragma("wal_autocheckpoint", "16000")
            .pragma("temp_store", "memory");
        let mut connection = SqliteConnection::connect_with(&connect).await.map_err(sqlite)?;
        MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|source| OpenError::Migrate {
                path: path.to_owned(),
                source,
            })?;
        let readers = SqlitePoolOptions::new()
            .min_connections(0)
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(
                connect
                    .read_only(true)
                    .create_if_missing(false)
                    .pragma("cache_size", "-2048"),
            );
        let (writer, waiting) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(run_writer(connection, waiting));
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                writer,
                readers,
                suspect: Arc::default(),
                _lock: lock,
            }),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Runs `operation` in the writer's next group commit and returns its result after the commit.
    /// `operation` may run more than once; only its last run counts.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + Sync
            + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let suspect = self.shared.suspect.clone();
        let write = TypedWrite {
            operation,
            result: None,
            reply,
            suspect,
        };
        self.shared
            .writer
            .send(Box::new(write))
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// The read-only connections. They see what is committed.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.shared.readers
    }

    /// Limits the file to so many pages, but at least to those it has: tests fill a disk this way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
                    .execute(connection)
                    .await
                    .map_err(classify)?;
                Ok(())
            })
        })
        .await
    }

    /// Answers when both the writer and a reader do. After a write that failed for want of space or
    /// permission, only when something can be written again.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1")
            .execute(self.readers())
            .await
            .map_err(classify)?;
        if !self.shared.suspect.load(Ordering::Relaxed) {
            // An empty write transaction finds a writer that is stuck or gone.
            return self.write(|_| Box::pin(async { Ok(()) })).await;
        }
        self.write(|connection| {
            Box::pin(async move {
                // Writes the first page, whatever the value was.
                sqlx::query("PRAGMA user_version = 1")
                    .execute(connection)
                    .await
                    .map_err(classify)?;
                Ok(())
            })
        })
        .await?;
        self.shared.suspect.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Takes the advisory lock that keeps a second process out: in-memory queue state would not be shared.
fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = path.with_extension("lock");
    let directory = |source| OpenError::Directory {
        path: lock_path.clone(),
        source,
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(directory)?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(directory)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(directory(source)),
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database is closed".into())
}

/// Sorts an error of SQLite: worth another try, the data's own fault, or a damaged file.
pub(crate) fn classify(error: sqlx::Error) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(|e| e.code())
        .and_then(|code| code.parse::<u32>().ok());
    // Primary result codes are the low byte of extended ones (sqlite.org/rescode.html).
    match code.map(|code| code & 0xff) {
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH
        Some(18..=20) => StoreError::Refused(error.into()),
        // SQLITE_CORRUPT, SQLITE_NOTADB
        Some(11 | 26) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Unavailable(error.into()),
    }
}

/// An operation that waits for the writer, with its result and its caller.
trait Write: Send {
    /// Runs the operation and keeps its result; false where it failed.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// Answers the caller with the kept result.
    fn succeed(self: Box<Self>);
    /// Answers the caller: the group could not be committed.
    fn fail(self: Box<Self>, reason: &str);
}

struct TypedWrite<T, F> {
    operation: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    suspect: Arc<AtomicBool>,
}

impl<T, F> Write for TypedWrite<T, F>
where
    T: Send + 'static,
    F: for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + Sync + 'static,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let result = (self.operation)(connection).await;
            let succeeded = result.is_ok();
            if result.as_ref().is_err_and(StoreError::is_transient) {
                self.suspect.store(true, Ordering::Relaxed);
            }
            self.result = Some(result);
            succeeded
        })
    }

    fn succeed(self: Box<Self>) {
        // A caller that is gone does not want its answer.
        let _ = self.reply.send(self.result.unwrap_or_else(|| Err(closed())));
    }

    fn fail(self: Box<Self>, reason: &str) {
        self.suspect.store(true, Ordering::Relaxed);
        let _ = self.reply.send(Err(StoreError::Unavailable(reason.into())));
    }
}

async fn run_writer(mut connection: SqliteConnection, mut waiting: mpsc::Receiver<Box<dyn Write>>) {
    let mut group = Vec::with_capacity(GROUP_LIMIT);
    while waiting.recv_many(&mut group, GROUP_LIMIT).await > 0 {
        commit_group(&mut connection, std::mem::take(&mut group)).await;
    }
    // Folds the log back into the file; a failure costs only time at the next start.
    let _ = connection.close().await;
}

async fn commit_group(connection: &mut SqliteConnection, mut group: Vec<Box<dyn Write>>) {
    let outcome = try_group(connection, &mut group).await;
    if outcome.is_ok() || group.len() == 1 {
        answer(group, &outcome);
        return;
    }
    for write in group {
        let mut alone = vec![write];
        let outcome = try_group(connection, &mut alone).await;
        answer(alone, &outcome);
    }
}

fn answer(group: Vec<Box<dyn Write>>, outcome: &Result<(), GroupError>) {
    for write in group {
        match outcome {
            Ok(()) | Err(GroupError::Operation) => write.succeed(),
            Err(GroupError::Transaction(reason)) => write.fail(reason),
        }
    }
}

enum GroupError {
    /// An operation failed; its own result says why.
    Operation,
    /// The transaction itself could not be begun or committed.
    Transaction(String),
}

async fn try_group(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Write>],
) -> Result<(), GroupError> {
    // Plain statements rather than a transaction of the library: where the disk is full SQLite ends the
    // transaction by itself, and the library's count of open transactions would be wrong for ever.
    execute(connection, "BEGIN IMMEDIATE").await?;
    for write in &mut *group {
        if !write.run(connection).await {
            roll_back(connection).await;
            return Err(GroupError::Operation);
        }
    }
    let committed = execute(connection, "COMMIT").await;
    if committed.is_err() {
        roll_back(connection).await;
    }
    committed
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), GroupError> {
    match sqlx::query(statement).execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) => Err(GroupError::Transaction(error.to_string())),
    }
}

async fn roll_back(connection: &mut SqliteConnection) {
    // Fails where SQLite rolled back by itself: what is wanted is so already.
    let _ = execute(connection, "ROLLBACK").await;
}
