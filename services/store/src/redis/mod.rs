//! The counters in Redis.
//!
//! Everything that one call changes is changed by one script, so it happens whole or not at all, whoever else counts at the
//! same time. What the keys hold is told in `keys.rs`, how the memory of the guards is bounded in `apply.lua`.
//!
//! Redis must not evict keys: `maxmemory-policy` has to be `noeviction`, its default.

mod batch;
mod connection;
mod failure;
mod keys;
mod options;
mod script;
mod snapshot;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use redis::Value;

use crate::{CounterEvent, Counters, Generation, StoreError};
use batch::Batch;
use connection::Connection;
use script::Scripts;

pub use options::{InvalidRedisOptions, RedisOptions};

/// Most names of keys that one script deletes, so that it does not hold up others.
const DROPPED_AT_ONCE: usize = 512;

/// The counters under one prefix of keys. Clones share the connection.
///
/// A call that fails with [`StoreError::Unavailable`] may have counted all of its events: counting them again changes
/// nothing.
#[derive(Clone)]
pub struct RedisCounters {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    scripts: Scripts,
    /// What the names of all keys begin with.
    base: String,
    guards: usize,
}

impl RedisCounters {
    /// The counters in this Redis. Connects when they are used; must be called within a runtime.
    ///
    /// # Errors
    /// When the address cannot be understood.
    pub fn new(options: RedisOptions) -> Result<Self, InvalidRedisOptions> {
        Ok(Self {
            inner: Arc::new(Inner {
                connection: Connection::new(&options)?,
                scripts: Scripts::new(),
                base: keys::base(&options.prefix),
                guards: options.guards,
            }),
        })
    }

    async fn run(&self, script: &redis::Script, arguments: &[&[u8]]) -> Result<Value, StoreError> {
        self.inner
            .connection
            .run(script, &self.inner.base, arguments)
            .await
    }

    /// Frees what dropped generations held, a little at a time.
    async fn sweep(&self) -> Result<(), StoreError> {
        let at_once = DROPPED_AT_ONCE.to_string();
        while let Value::Int(1) = self.run(&self.inner.scripts.sweep, &[at_once.as_bytes()]).await? {}
        Ok(())
    }
}

#[async_trait]
impl Counters for RedisCounters {
    fn adapter(&self) -> &'static str {
        "redis"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.connection.ping().await
    }

    async fn is_intact(&self) -> Result<bool, StoreError> {
        let answer = self.run(&self.inner.scripts.is_intact, &[]).await?;
        Ok(answer == Value::Int(1))
    }

    async fn apply(&self, into: Option<Generation>, events: &[CounterEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let batch = Batch::of(events);
        let into = into
            .map(|generation| generation.0.to_string())
            .unwrap_or_default();
        let guards = self.inner.guards.to_string();
        let mut arguments = vec![
            into.as_bytes(),
            guards.as_bytes(),
            batch.last_event_at.as_bytes(),
            &batch.jobs,
            &batch.dead_letters,
        ];
        arguments.extend(batch.types.iter().map(|name| name.as_bytes()));
        match self.run(&self.inner.scripts.apply, &arguments).await? {
            Value::Int(1) => Ok(()),
            answer => Err(failure::must_rebuild(&answer)),
        }
    }

    async fn snapshot(&self) -> Result<odd_contracts::api::Counters, StoreError> {
        let answer = self.run(&self.inner.scripts.snapshot, &[]).await?;
        snapshot::read(answer)
    }

    async fn begin_rebuild(&self) -> Result<Generation, StoreError> {
        match self.run(&self.inner.scripts.begin, &[]).await? {
            Value::Int(generation) => Ok(Generation(generation)),
            answer => Err(failure::unexpected(&answer)),
        }
    }

    async fn activate(&self, generation: Generation) -> Result<(), StoreError> {
        let generation = generation.0.to_string();
        match self
            .run(&self.inner.scripts.activate, &[generation.as_bytes()])
            .await?
        {
            Value::Int(1) => {}
            answer => return Err(failure::must_rebuild(&answer)),
        }
        // In use from here on; what follows only frees memory, and the next rebuild would do it as well.
        self.sweep().await
    }
}
