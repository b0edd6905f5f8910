//! Real servers for tests. The first test that needs one starts it, all tests of a run share it, each within a place of
//! its own, and it goes some seconds after the last of them. [`dedicated`] starts one for a single test, which may break
//! it.
//!
//! The functions panic where a server cannot be had, with what to do about it. Guards undo what was made when they are
//! dropped, and show the end of the server's log if the test fails.

mod guards;
// Other systems have no engine for the servers' images at hand.
#[cfg(all(test, target_os = "linux"))]
mod tests;
pub(crate) mod wire;

pub use guards::{Alertmanager, MongoDatabase, PostgresDatabase, Prometheus, RedisPrefix, VirtualHost};

pub use crate::container::HOST;

use crate::container;
use crate::docker::Result;
use crate::images::Service;
use crate::runtime;

/// A database of its own on PostgreSQL.
///
/// # Panics
/// Where the server cannot be had.
pub async fn postgres() -> PostgresDatabase {
    had(async { PostgresDatabase::on(container::shared(Service::Postgres).await?).await }).await
}

/// A virtual host of its own on RabbitMQ.
///
/// # Panics
/// Where the server cannot be had.
pub async fn rabbitmq() -> VirtualHost {
    had(async { VirtualHost::on(container::shared(Service::Rabbitmq).await?).await }).await
}

/// A database of its own on MongoDB.
///
/// # Panics
/// Where the server cannot be had.
pub async fn mongo() -> MongoDatabase {
    had(async { Ok(MongoDatabase::on(container::shared(Service::Mongo).await?)) }).await
}

/// A prefix of its own for keys in Redis.
///
/// # Panics
/// Where the server cannot be had.
pub async fn redis() -> RedisPrefix {
    had(async { Ok(RedisPrefix::on(container::shared(Service::Redis).await?)) }).await
}

/// Does the work on the testkit's runtime, and panics in the test's own thread.
async fn had<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> T {
    runtime::run(work).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Servers for one test, which may kill, pause, restart and disconnect them through `container()`. Their addresses stay
/// the same over restarts; they are removed with the guard.
pub mod dedicated {
    use super::{
        Alertmanager, MongoDatabase, PostgresDatabase, Prometheus, RedisPrefix, Service, VirtualHost,
        container, had,
    };

    /// A PostgreSQL of its own.
    ///
    /// # Panics
    /// Where it cannot be had.
    pub async fn postgres() -> PostgresDatabase {
        had(async { PostgresDatabase::on(container::dedicated(Service::Postgres).await?).await }).await
    }

    /// A RabbitMQ of its own.
    ///
    /// # Panics
    /// Where it cannot be had.
    pub async fn rabbitmq() -> VirtualHost {
        had(async { VirtualHost::on(container::dedicated(Service::Rabbitmq).await?).await }).await
    }

    /// A MongoDB of its own.
    ///
    /// # Panics
    /// Where it cannot be had.
    pub async fn mongo() -> MongoDatabase {
        had(async { Ok(MongoDatabase::on(container::dedicated(Service::Mongo).await?)) }).await
    }

    /// A Redis of its own.
    ///
    /// # Panics
    /// Where it cannot be had.
    pub async fn redis() -> RedisPrefix {
        had(async { Ok(RedisPrefix::on(container::dedicated(Service::Redis).await?)) }).await
    }

    /// A Prometheus of its own with this configuration, in which [`super::HOST`] is the name of this machine.
    ///
    /// # Panics
    /// Where it cannot be had.
    pub async fn prometheus(configuration: &str) -> Prometheus {
        let text = configuration.to_owned();
        had(async move {
            let container = container::configured(Service::Prometheus, Some(&text)).await?;
            Ok(Prometheus::on(container))
        })
        .await
    }

    /// An Alertmanager of its own with this configuration, in which [`super::HOST`] is the name of this machine.
    ///
    /// # Panics
    /// Where it cannot be had.
    pub async fn alertmanager(configuration: &str) -> Alertmanager {
        let text = configuration.to_owned();
        had(async move {
            let container = container::configured(Service::Alertmanager, Some(&text)).await?;
            Ok(Alertmanager::on(container))
        })
        .await
    }
}

/// A name that no other test of the run has.
fn unique(separator: char) -> String {
    format!("odd{separator}test{separator}{:016x}", rand::random::<u64>())
}

/// What all guards have.
macro_rules! guard {
    ($guard:ident) => {
        /// Without the address, which holds a password.
        impl std::fmt::Debug for $guard {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($guard))
                    .field("container", &self.container)
                    .finish_non_exhaustive()
            }
        }

        impl $guard {
            /// The container of the server, with its log and, where it is the test's own, its faults.
            pub fn container(&self) -> &std::sync::Arc<$crate::Container> {
                &self.container
            }
        }
    };
}
use guard;
