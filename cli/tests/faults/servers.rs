//! Servers that are restarted, killed, paused and emptied while jobs come in.

use std::sync::Arc;
use std::time::Duration;

use odd_testkit::Container;

use crate::bed::{Bed, Servers};
use crate::seeds;

/// How long a paused server stands still: longer than every time-out on the way of a job.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
enum Server {
    RabbitMq,
    Postgres,
    Redis,
    Mongo,
}

impl Server {
    fn container(self, servers: &Servers) -> Arc<Container> {
        let container = match self {
            Self::RabbitMq => servers.rabbitmq.container(),
            Self::Postgres => servers.postgres.container(),
            Self::Redis => servers.redis.container(),
            Self::Mongo => servers.mongo.container(),
        };
        Arc::clone(container)
    }
}

/// Stopped in order and started again.
async fn restarted(server: Server) {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let container = server.container(bed.servers);
        let load = bed.load_until_fault().await;
        container.restart().await;
        container.ready().await;
        bed.prove(&format!("restart of {server:?}"), load).await;
    }
}

/// Ended at once and started again.
async fn killed(server: Server) {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let container = server.container(bed.servers);
        let load = bed.load_until_fault().await;
        container.kill().await;
        container.start().await;
        container.ready().await;
        bed.prove(&format!("kill -9 of {server:?}"), load).await;
    }
}

/// Stands still, connections open, and goes on.
async fn paused(server: Server) {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let container = server.container(bed.servers);
        let load = bed.load_until_fault().await;
        container.pause().await;
        tokio::time::sleep(PAUSE).await;
        container.unpause().await;
        bed.prove(&format!("pause of {server:?} for 10 s"), load).await;
    }
}

macro_rules! on_each_server {
    ($($name:ident: $fault:ident, $server:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            $fault(Server::$server).await;
        })*
    };
}

on_each_server! {
    restart_of_rabbitmq: restarted, RabbitMq;
    restart_of_postgres: restarted, Postgres;
    restart_of_redis: restarted, Redis;
    restart_of_mongo: restarted, Mongo;
    kill_of_rabbitmq: killed, RabbitMq;
    kill_of_postgres: killed, Postgres;
    kill_of_redis: killed, Redis;
    kill_of_mongo: killed, Mongo;
    pause_of_rabbitmq: paused, RabbitMq;
    pause_of_postgres: paused, Postgres;
    pause_of_redis: paused, Redis;
    pause_of_mongo: paused, Mongo;
}
