//! The connection: opened when it is needed, and given up when it does not answer in time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, RedisResult, Script, Value};
use tokio::time::timeout;

use super::failure;
use super::options::{InvalidRedisOptions, RedisOptions};
use crate::StoreError;

pub(super) struct Connection {
    client: Client,
    config: ConnectionManagerConfig,
    limit: Duration,
    current: Mutex<Current>,
}

struct Current {
    manager: ConnectionManager,
    number: u64,
}

impl Connection {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, InvalidRedisOptions> {
        let client = Client::open(options.url.as_str()).map_err(InvalidRedisOptions)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.operation_timeout))
            // Whoever asks is told at once that Redis is away, and asks again.
            .set_number_of_retries(0);
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())
            .map_err(InvalidRedisOptions)?;
        Ok(Self {
            client,
            config,
            limit: options.operation_timeout,
            current: Mutex::new(Current { manager, number: 0 }),
        })
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.ask(async |manager| redis::cmd("PING").query_async(manager).await)
            .await
    }

    /// Runs a script, which is sent where Redis does not have it (any more).
    pub(super) async fn run(
        &self,
        script: &Script,
        base: &str,
        arguments: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let mut invocation = script.key(base);
        for argument in arguments {
            invocation.arg(*argument);
        }
        self.ask(async |manager| invocation.invoke_async(manager).await)
            .await
    }

    async fn ask<T>(
        &self,
        request: impl AsyncFnOnce(&mut ConnectionManager) -> RedisResult<T>,
    ) -> Result<T, StoreError> {
        let (mut manager, number) = self.current();
        match timeout(self.limit, request(&mut manager)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if !is_answer(&error) {
                    self.renew(number);
                }
                Err(failure::classify(error))
            }
            Err(_) => {
                self.renew(number);
                Err(failure::timed_out(self.limit))
            }
        }
    }

    fn current(&self) -> (ConnectionManager, u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        (current.manager.clone(), current.number)
    }

    /// Gives a connection up. One whose other end is gone without a word would stay silent for as long as the system's
    /// own time-outs, a quarter of an hour.
    fn renew(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number != number {
            return;
        }
        if let Ok(manager) = ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())
        {
            *current = Current {
                manager,
                number: number + 1,
            };
        }
    }
}

/// Whether Redis said so itself, over a connection that works.
fn is_answer(error: &RedisError) -> bool {
    error.code().is_some() && !error.is_io_error()
}
