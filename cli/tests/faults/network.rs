//! Connections that are cut, and connections that are open and dead.

use std::time::Duration;

use crate::bed::Bed;
use crate::seeds;

/// How long a connection stays broken.
const BROKEN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn cut_of_processor_and_postgres() {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        bed.to_postgres.cut().await;
        tokio::time::sleep(BROKEN).await;
        bed.to_postgres.resume().await;
        bed.prove("cut of processor and PostgreSQL", load).await;
    }
}

#[tokio::test]
async fn cut_of_gateway_and_rabbitmq() {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        bed.to_rabbitmq.cut().await;
        tokio::time::sleep(BROKEN).await;
        assert!(load.refused() > 0, "the gateway refuses what it cannot hand on");
        bed.to_rabbitmq.resume().await;
        bed.prove("cut of gateway and RabbitMQ", load).await;
    }
}

#[tokio::test]
async fn half_open_connection_of_processor_and_postgres() {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        bed.to_postgres.half_open().await;
        tokio::time::sleep(BROKEN).await;
        bed.to_postgres.resume().await;
        bed.prove("half-open connection of processor and PostgreSQL", load)
            .await;
    }
}

#[tokio::test]
async fn half_open_connection_of_gateway_and_rabbitmq() {
    for seed in seeds() {
        let bed = Bed::up(seed).await;
        let load = bed.load_until_fault().await;
        bed.to_rabbitmq.half_open().await;
        tokio::time::sleep(2 * BROKEN).await;
        assert!(load.refused() > 0, "the gateway refuses what is not confirmed");
        bed.to_rabbitmq.resume().await;
        bed.prove("half-open connection of gateway and RabbitMQ", load)
            .await;
    }
}
