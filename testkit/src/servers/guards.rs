//! What a test has of a server, and how it is undone.

use std::net::Ipv4Addr;
use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use super::wire::{mongo, postgres, redis};
use super::{guard, had, unique};
use crate::container::Container;
use crate::docker::Result;
use crate::specification::{
    ALERTMANAGER, AMQP, MANAGEMENT, MONGO, POSTGRES, PROMETHEUS, REDIS, USER, management,
};

/// A database on PostgreSQL, dropped with this.
pub struct PostgresDatabase {
    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/DATABASE`.
    pub url: String,
    name: String,
    container: Arc<Container>,
}

/// A virtual host of RabbitMQ, deleted with this.
pub struct VirtualHost {
    /// `amqp://USER:PASSWORD@127.0.0.1:PORT/VHOST`.
    pub url: String,
    /// `http://USER:PASSWORD@127.0.0.1:PORT`, without a path.
    pub management_url: String,
    name: String,
    container: Arc<Container>,
}

/// A database on MongoDB, dropped with this.
pub struct MongoDatabase {
    /// `mongodb://USER:PASSWORD@127.0.0.1:PORT/DATABASE?authSource=admin`.
    pub url: String,
    name: String,
    container: Arc<Container>,
}

/// A prefix of keys in Redis. The keys are deleted with this.
pub struct RedisPrefix {
    /// `redis://:PASSWORD@127.0.0.1:PORT/0`.
    pub url: String,
    /// What all keys of the test begin with.
    pub prefix: String,
    container: Arc<Container>,
}

/// A Prometheus of a test's own.
pub struct Prometheus {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    container: Arc<Container>,
}

/// An Alertmanager of a test's own.
pub struct Alertmanager {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    container: Arc<Container>,
}

guard!(Prometheus);
guard!(Alertmanager);
guard!(PostgresDatabase);
guard!(VirtualHost);
guard!(MongoDatabase);
guard!(RedisPrefix);

/// `USER:PASSWORD@127.0.0.1:PORT`.
fn authority(container: &Container, user: &str, port: u16) -> String {
    let (password, host) = (container.password(), Ipv4Addr::LOCALHOST);
    format!("{user}:{password}@{host}:{}", container.port(port))
}

impl PostgresDatabase {
    /// Another database on the same server.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn another(&self) -> Self {
        let container = Arc::clone(&self.container);
        had(async { Self::on(container).await }).await
    }

    pub(super) async fn on(container: Arc<Container>) -> Result<Self> {
        let name = unique('_');
        let guard = Self {
            url: format!("postgres://{}/{name}", authority(&container, USER, POSTGRES)),
            name,
            container: container.enter(),
        };
        postgres::execute(&guard.container, &format!("CREATE DATABASE {}", guard.name)).await?;
        Ok(guard)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let container = Arc::clone(&self.container);
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        self.container
            .leave(async move { postgres::execute(&container, &statement).await });
    }
}

impl VirtualHost {
    /// Another virtual host on the same server.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn another(&self) -> Self {
        let container = Arc::clone(&self.container);
        had(async { Self::on(container).await }).await
    }

    pub(super) async fn on(container: Arc<Container>) -> Result<Self> {
        let name = unique('-');
        let guard = Self {
            url: format!("amqp://{}/{name}", authority(&container, USER, AMQP)),
            management_url: format!("http://{}", authority(&container, USER, MANAGEMENT)),
            name,
            container: container.enter(),
        };
        let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
        let (host, permissions) = (guard.path(), format!("permissions/{}/{USER}", guard.name));
        management(&guard.container, Method::PUT, &host, Some(json!({}))).await?;
        management(&guard.container, Method::PUT, &permissions, Some(all)).await?;
        Ok(guard)
    }

    fn path(&self) -> String {
        format!("vhosts/{}", self.name)
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        let (container, path) = (Arc::clone(&self.container), self.path());
        let undo = async move {
            management(&container, Method::DELETE, &path, None)
                .await
                .map(drop)
        };
        self.container.leave(undo);
    }
}

impl MongoDatabase {
    /// Another database on the same server.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn another(&self) -> Self {
        let container = Arc::clone(&self.container);
        had(async { Ok(Self::on(container)) }).await
    }

    pub(super) fn on(container: Arc<Container>) -> Self {
        let name = unique('_');
        Self {
            url: format!(
                "mongodb://{}/{name}?authSource=admin",
                authority(&container, USER, MONGO)
            ),
            name,
            container: container.enter(),
        }
    }
}

impl Drop for MongoDatabase {
    fn drop(&mut self) {
        let (container, name) = (Arc::clone(&self.container), self.name.clone());
        self.container
            .leave(async move { mongo::drop_database(&container, &name).await });
    }
}

impl RedisPrefix {
    /// Another prefix on the same server.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn another(&self) -> Self {
        let container = Arc::clone(&self.container);
        had(async { Ok(Self::on(container)) }).await
    }

    /// Deletes all keys that begin with the prefix, as a Redis that was emptied has lost them.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn clear(&self) {
        let (container, prefix) = (Arc::clone(&self.container), self.prefix.clone());
        had(async move { redis::delete(&container, &prefix).await }).await;
    }

    pub(super) fn on(container: Arc<Container>) -> Self {
        Self {
            url: format!("redis://{}/0", authority(&container, "", REDIS)),
            prefix: format!("{}:", unique(':')),
            container: container.enter(),
        }
    }
}

impl Drop for RedisPrefix {
    fn drop(&mut self) {
        let (container, prefix) = (Arc::clone(&self.container), self.prefix.clone());
        self.container
            .leave(async move { redis::delete(&container, &prefix).await });
    }
}

impl Prometheus {
    pub(super) fn on(container: Arc<Container>) -> Self {
        Self {
            url: format!("http://{}:{}", Ipv4Addr::LOCALHOST, container.port(PROMETHEUS)),
            container: container.enter(),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.container.leave(std::future::ready(Ok(())));
    }
}

impl Alertmanager {
    pub(super) fn on(container: Arc<Container>) -> Self {
        Self {
            url: format!("http://{}:{}", Ipv4Addr::LOCALHOST, container.port(ALERTMANAGER)),
            container: container.enter(),
        }
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.container.leave(std::future::ready(Ok(())));
    }
}
