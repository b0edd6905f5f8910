//! Adapters on servers, opened once for all roles of the process.
//!
//! A server that is away, or refuses, is no reason not to start: the adapters connect in the background, and the roles are
//! not ready until they have. What no waiting can mend ends the process.

use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use odd_spine::amqp::{AmqpOptions, AmqpSpine};
use odd_store::mongo::{MongoEventLog, MongoOptions};
use odd_store::postgres::{OpenError, PostgresJobStore, PostgresOptions};
use odd_store::redis::{RedisCounters, RedisOptions};
use odd_store::{JobStore, StoreError};

use super::ServeError;
use super::address::Address;
use super::roles::Parts;
use super::servers::{Server, Servers};

/// What the names of all keys in Redis begin with, where nothing else is set.
pub(super) const REDIS_PREFIX: &str = "odd";
/// Time between two looks whether the tables of the job store are of use.
const LOOK: Duration = Duration::from_secs(1);
/// Longest time that the closing of connections may take.
const CLOSING: Duration = Duration::from_secs(2);

/// What is open.
pub(super) struct Adapters {
    spine: Option<Arc<AmqpSpine>>,
    job_store: Option<Arc<PostgresJobStore>>,
    event_log: Option<Arc<MongoEventLog>>,
    counters: Option<Arc<RedisCounters>>,
    told: String,
}

/// Opens what the roles of this process need. Waits for no server longer than for one answer.
pub(super) async fn open(servers: &Servers) -> Result<Adapters, ServeError> {
    let job_store = OptionFuture::from(servers.postgres.as_ref().map(job_store)).await;
    let event_log = servers
        .mongo
        .as_ref()
        .map(|address| event_log(address, servers.retention));
    let event_log = OptionFuture::from(event_log).await;
    let counters = servers
        .redis
        .as_ref()
        .map(|address| counters(address, servers.redis_prefix.as_deref()));
    Ok(Adapters {
        spine: servers.amqp.as_ref().map(|address| spine(address, servers)),
        job_store: job_store.transpose()?.map(Arc::new),
        event_log: event_log.transpose()?.map(Arc::new),
        counters: counters.transpose()?.map(Arc::new),
        told: told(servers),
    })
}

fn spine(address: &Address, servers: &Servers) -> Arc<AmqpSpine> {
    AmqpSpine::new(AmqpOptions {
        management_url: servers
            .amqp_management
            .as_ref()
            .map(|url| url.expose().to_owned()),
        ..AmqpOptions::new(address.expose())
    })
}

async fn job_store(address: &Address) -> Result<PostgresJobStore, ServeError> {
    let opened = PostgresJobStore::open(PostgresOptions::new(address.expose())).await;
    opened.map_err(|error| match error {
        error @ OpenError::Url(_) => unusable_address(Server::Postgres)(error),
        error => ServeError::Unusable(Server::Postgres.part(), error.into()),
    })
}

async fn event_log(address: &Address, retention: Option<Duration>) -> Result<MongoEventLog, ServeError> {
    let options = MongoOptions {
        retention,
        ..MongoOptions::new(address.expose())
    };
    MongoEventLog::new(options)
        .await
        .map_err(unusable_address(Server::MongoDb))
}

fn counters(address: &Address, prefix: Option<&str>) -> Result<RedisCounters, ServeError> {
    let options = RedisOptions::new(address.expose(), prefix.unwrap_or(REDIS_PREFIX));
    RedisCounters::new(options).map_err(unusable_address(Server::Redis))
}

fn unusable_address<E: Into<odd_runtime::BoxError>>(server: Server) -> impl FnOnce(E) -> ServeError {
    move |error| ServeError::Address(server.variable(), error.into())
}

/// Where everything is, without passwords.
fn told(servers: &Servers) -> String {
    let addresses = [
        servers.amqp.as_ref(),
        servers.postgres.as_ref(),
        servers.mongo.as_ref(),
        servers.redis.as_ref(),
    ];
    let shown: Vec<_> = addresses.into_iter().flatten().map(Address::shown).collect();
    shown.join(" ")
}

impl Adapters {
    /// Where everything is, without passwords.
    pub(super) fn told(&self) -> &str {
        &self.told
    }

    /// As roles take them.
    pub(super) fn parts(&self) -> Parts {
        Parts {
            spine: self.spine.clone().map(|spine| spine as _),
            job_store: self.job_store.clone().map(|store| store as _),
            event_log: self.event_log.clone().map(|log| log as _),
            counters: self.counters.clone().map(|counters| counters as _),
        }
    }

    /// Ends, with an error, where a server turns out to hold something that this program cannot use, ever.
    pub(super) async fn never_usable(&self) -> Result<(), ServeError> {
        if let Some(store) = &self.job_store {
            tables_are_of_use(&**store).await?;
        }
        std::future::pending().await
    }

    /// Closes every connection in good order, as far as servers let it.
    pub(super) async fn close(self) {
        let Self {
            spine,
            job_store,
            event_log,
            ..
        } = self;
        drop(spine);
        let closed = async {
            if let Some(store) = job_store {
                store.close().await;
            }
            if let Some(log) = event_log {
                log.close().await;
            }
        };
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::debug!("connections were cut off rather than closed");
        }
    }
}

/// Asks until the store answers for the first time, since its tables are looked at then.
async fn tables_are_of_use(store: &dyn JobStore) -> Result<(), ServeError> {
    loop {
        match store.ping().await {
            Ok(()) => return Ok(()),
            Err(StoreError::Unavailable(source)) if source.is::<OpenError>() => {
                return Err(ServeError::Unusable(Server::Postgres.part(), source));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}
