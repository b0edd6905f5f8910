//! How to reach PostgreSQL, and how long to wait for it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::OpenError;

/// How to reach the job store's database, and for how long to wait for it.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Address of the database, such as `postgres://user:password@host:5432/odd`.
    pub url: String,
    /// Connections at most. Each runs one batch at a time.
    pub max_connections: usize,
    /// Time in which a connection must be made.
    pub connect_timeout: Duration,
    /// Time in which the whole of an operation must be done: waiting for a connection, all its
    /// statements, and repetitions.
    pub operation_timeout: Duration,
    /// Time after which the server gives a statement up.
    pub statement_timeout: Duration,
    /// Time after which the server gives up waiting for a row that somebody else changes.
    pub lock_timeout: Duration,
    /// Time after which the server ends a transaction whose client is silent, and frees its rows.
    pub idle_in_transaction_timeout: Duration,
    /// Time in which the tables must be brought up to date.
    pub migration_timeout: Duration,
    /// Time after which a connection that nobody needs is closed.
    pub idle_timeout: Duration,
    /// As whom the server lists the connections.
    pub application_name: String,
}

impl PostgresOptions {
    /// The defaults for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 8,
            connect_timeout: Duration::from_secs(3),
            operation_timeout: Duration::from_secs(8),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(3),
            idle_in_transaction_timeout: Duration::from_secs(10),
            migration_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(300),
            application_name: "odd".to_owned(),
        }
    }

    fn parsed(&self) -> Result<PgConnectOptions, OpenError> {
        let options = PgConnectOptions::from_str(&self.url).map_err(|error| OpenError::Url(error.into()))?;
        Ok(options
            .application_name(&self.application_name)
            // Slow statements are bounded by time-outs and counted by the roles.
            .disable_statement_logging())
    }

    /// For the connections that operations run on.
    pub(super) fn session(&self) -> Result<PgConnectOptions, OpenError> {
        let milliseconds = |time: Duration| time.as_millis().max(1).to_string();
        Ok(self
            .parsed()?
            .options([
                ("statement_timeout", milliseconds(self.statement_timeout)),
                ("lock_timeout", milliseconds(self.lock_timeout)),
                (
                    "idle_in_transaction_session_timeout",
                    milliseconds(self.idle_in_transaction_timeout),
                ),
            ])
            // Every statement goes by an index, in the order of the ids that it is given: that keeps batches which
            // share jobs from waiting for each other crosswise. Left alone, the planner reads a table that is small
            // (or was when the statement was prepared) as a whole, in the order in which it lies on disk.
            .options([
                ("enable_seqscan", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
                ("jit", "off"),
            ]))
    }

    /// For the connection that brings the tables up to date.
    pub(super) fn migration(&self) -> Result<PgConnectOptions, OpenError> {
        let limit = self.migration_timeout.as_millis().max(1).to_string();
        Ok(self.parsed()?.options([
            ("statement_timeout", limit.clone()),
            ("lock_timeout", limit.clone()),
            ("idle_in_transaction_session_timeout", limit),
        ]))
    }
}

/// The server and database, without the password.
pub(super) fn target(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!("{database} at {}:{}", options.get_host(), options.get_port()),
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address that cannot be read may hold a password anywhere.
        let target = PgConnectOptions::from_str(&self.url)
            .map_or_else(|_| "(not readable)".to_owned(), |options| target(&options));
        f.debug_struct("PostgresOptions")
            .field("database", &target)
            .field("max_connections", &self.max_connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .field("idle_in_transaction_timeout", &self.idle_in_transaction_timeout)
            .field("migration_timeout", &self.migration_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("application_name", &self.application_name)
            .finish()
    }
}
