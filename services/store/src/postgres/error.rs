//! What may go wrong with PostgreSQL, and what it means to the caller.

use std::sync::Arc;

use crate::StoreError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a job store cannot be opened, now or ever: waiting does not mend it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be read.
    #[error(
        "the address of PostgreSQL cannot be read: it should look like postgres://user:password@host:5432/database"
    )]
    Url(#[source] Arc<sqlx::Error>),
    /// A newer version of the product has been at work on the database.
    #[error(
        "the tables of {target} are of version {found}, which is newer than this program: it knows versions up to \
         {known}. Run the newer version of odd, or restore a backup from before it"
    )]
    Newer {
        /// The database and its server.
        target: String,
        /// Version of the tables.
        found: i64,
        /// Latest version that this program knows.
        known: i64,
    },
    /// A migration was begun and never finished.
    #[error(
        "migration {version} of the tables of {target} was left half-way. Restore a backup from before it, or finish it \
         by hand and set success to true in its row of the table _sqlx_migrations"
    )]
    HalfWay {
        /// The database and its server.
        target: String,
        /// Version of the migration.
        version: i64,
    },
    /// The tables were made by a migration with another text.
    #[error(
        "migration {version} of the tables of {target} is not the one that this program knows: the tables were made by \
         another build of odd. Run that build, or use another database"
    )]
    Changed {
        /// The database and its server.
        target: String,
        /// Version of the migration.
        version: i64,
    },
    /// A migration cannot be applied, for example because the database has other tables of the same names.
    #[error("migration {version} cannot be applied to {target}: use a database of its own for odd")]
    Migration {
        /// The database and its server.
        target: String,
        /// Version of the migration.
        version: i64,
        /// What the server said.
        #[source]
        source: Arc<sqlx::Error>,
    },
}

/// Why an operation was not done. Its text says what to mend where waiting alone does not help.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Trouble {
    message: String,
    #[source]
    source: Option<Source>,
}

impl Trouble {
    pub(super) fn unavailable(message: impl Into<String>, source: Option<Source>) -> StoreError {
        let message = message.into();
        StoreError::Unavailable(Box::new(Self { message, source }))
    }
}

/// What an error of the driver or the server means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Two transactions were in each other's way: the same again succeeds.
    Contention,
    /// The connection cannot be used any more.
    Broken,
    /// The data itself is refused.
    Data,
    /// What is stored cannot be read.
    Damaged,
    /// The server answered, and would not do it now.
    Other,
}

/// Tells errors apart by their class in the SQL standard and PostgreSQL's Appendix A.
pub(super) fn nature(error: &sqlx::Error) -> Nature {
    let code = match error {
        sqlx::Error::Database(error) => error.code().unwrap_or_default(),
        sqlx::Error::Encode(_) => return Nature::Data,
        sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => return Nature::Damaged,
        _ => return Nature::Broken,
    };
    match &*code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Nature::Contention,
        // Shutdown, crash, start, idle session or transaction ended by the server.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Nature::Broken,
        code => match code.get(..2) {
            Some("08") => Nature::Broken,
            // Data exception, integrity constraint violation, program limit exceeded.
            Some("22" | "23" | "54") => Nature::Data,
            _ => Nature::Other,
        },
    }
}

/// The error as callers see it. `target` names the database.
pub(super) fn classify(error: sqlx::Error, target: &str) -> StoreError {
    match nature(&error) {
        Nature::Data => StoreError::Refused(Box::new(error)),
        Nature::Damaged => StoreError::Damaged(error.to_string()),
        Nature::Contention | Nature::Broken | Nature::Other => {
            Trouble::unavailable(advice(&error, target), Some(Box::new(error)))
        }
    }
}

/// What to do about a server that does not do what it is asked.
fn advice(error: &sqlx::Error, target: &str) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref().unwrap_or_default() {
        "28P01" | "28000" => format!(
            "PostgreSQL refuses the user or the password for {target}: correct them in the address, or the user on the server"
        ),
        "3D000" => format!("there is no database {target}: create it, or correct its name in the address"),
        "53300" => format!(
            "PostgreSQL has no connection left for {target}: raise max_connections there or start fewer processes"
        ),
        "57014" => format!("PostgreSQL took longer over a statement than it may take ({target})"),
        "55P03" => format!("PostgreSQL waited too long for a row that somebody else changes ({target})"),
        "42501" => format!("the user may not use the tables of {target}: grant it the rights of their owner"),
        "42P01" | "42703" | "3F000" => {
            format!(
                "the tables of {target} are not those that this program made: start it again to have them checked"
            )
        }
        _ if matches!(error, sqlx::Error::Io(_)) => format!("the connection to PostgreSQL failed ({target})"),
        _ => format!("PostgreSQL did not do what it was asked ({target})"),
    }
}

/// Why a try of an operation failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The driver or the server says so.
    Sql(sqlx::Error),
    /// What came back is not what can have been stored, or what is to be stored has no form.
    Store(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
