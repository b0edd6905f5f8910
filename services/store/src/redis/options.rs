//! Settings of the counters in Redis.

use std::fmt;
use std::time::Duration;

use crate::mongo::without_password;

/// Where the counters are and how patient to be with them.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// Address, with the password and the number of the database, such as `redis://:password@host:6379/0`.
    pub url: String,
    /// What the names of all keys begin with, such as `odd`.
    pub prefix: String,
    /// Longest time to open a connection; 2 s by default.
    pub connect_timeout: Duration,
    /// Longest time for one request; 5 s by default.
    pub operation_timeout: Duration,
    /// Guards of jobs that are kept, some 30 bytes each: at least half and at most one and a half times so many, of the jobs
    /// that were counted last, and those of all jobs that have not ended. 2,000,000 by default. While counters are rebuilt,
    /// the new ones have a guard of every job in the log.
    ///
    /// An event of a job that ended long before, whose guard is gone, cannot be told from a new job's: it makes the counters
    /// ask for a rebuild.
    pub guards: usize,
}

impl RedisOptions {
    /// Counters at this address and under this prefix, with defaults for the rest.
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            connect_timeout: Duration::from_secs(2),
            operation_timeout: Duration::from_secs(5),
            guards: 2_000_000,
        }
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("url", &without_password(&self.url))
            .field("prefix", &self.prefix)
            .field("connect_timeout", &self.connect_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("guards", &self.guards)
            .finish()
    }
}

/// Settings with which no counters can be opened.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be understood")]
pub struct InvalidRedisOptions(#[source] pub(super) redis::RedisError);
