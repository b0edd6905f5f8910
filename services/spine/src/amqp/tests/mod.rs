//! The conformance suite on a real broker, what only this adapter promises, and the broker's behaviour that it relies on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use odd_contracts::EventType;
use odd_testkit::servers::VirtualHost;
use odd_testkit::{servers, wait_for};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::{AmqpOptions, AmqpSpine};
use crate::conformance::SpineFactory;
use crate::port::{
    Consumer, Delivery, DeliveryTag, Headers, Message, PublishError, Queue, Route, Spine, SpineError,
};

mod broker;
mod dead_letters;
mod faults;
mod publishing;
mod topology;
mod trouble;

/// How long anything may take that must happen.
const DEADLINE: Duration = Duration::from_secs(60);

struct Factory(VirtualHost);

#[async_trait]
impl SpineFactory for Factory {
    async fn open(&self) -> Arc<dyn Spine> {
        AmqpSpine::new(options(&self.0))
    }
}

mod conformance {
    use super::*;
    crate::spine_conformance!(Factory(servers::rabbitmq().await));
}

fn options(host: &VirtualHost) -> AmqpOptions {
    AmqpOptions {
        management_url: Some(host.management_url.clone()),
        name: "odd-test".to_owned(),
        ..AmqpOptions::new(host.url.clone())
    }
}

/// A spine on a virtual host, ready.
async fn spine(host: &VirtualHost) -> Arc<AmqpSpine> {
    let spine = AmqpSpine::new(options(host));
    ready(&spine).await;
    spine
}

async fn ready(spine: &AmqpSpine) {
    wait_for(DEADLINE, "the spine to answer", || async {
        spine.ping().await.ok()
    })
    .await;
}

fn message(route: Route, number: usize) -> Message {
    Message {
        route,
        message_id: Uuid::from_u128(number as u128 + 1),
        content_type: "application/json".to_owned(),
        headers: Headers::new(),
        body: body(number),
    }
}

fn body(number: usize) -> Bytes {
    number.to_string().into()
}

fn number(body: &[u8]) -> usize {
    std::str::from_utf8(body).unwrap().parse().unwrap()
}

async fn publish(spine: &AmqpSpine, message: Message) -> Result<(), PublishError> {
    let results = within("publishing", spine.publish(vec![message])).await;
    results.into_iter().next().unwrap()
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("{what} took longer than {DEADLINE:?}"),
    }
}

/// The next `count` deliveries.
async fn collect(consumer: &mut dyn Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let more = within("a delivery", consumer.next(count - deliveries.len())).await;
        deliveries.extend(more.unwrap());
    }
    deliveries
}

fn tags(deliveries: &[Delivery]) -> Vec<DeliveryTag> {
    deliveries.iter().map(|delivery| delivery.tag).collect()
}

/// Waits until a queue holds this many messages, in hand or not.
async fn await_ready(spine: &AmqpSpine, queue: Queue, count: u64) {
    wait_for(
        DEADLINE,
        &format!("{count} messages ready in {}", queue.name()),
        || async {
            let depths = spine.depths().await.ok()?;
            depths
                .iter()
                .find(|depth| depth.name == queue.name() && depth.ready == count)
                .map(drop)
        },
    )
    .await;
}

/// A channel of somebody else.
async fn stranger(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// The virtual host's name.
fn name(host: &VirtualHost) -> &str {
    host.url.rsplit('/').next().unwrap()
}

/// What the management interface answers.
async fn management(host: &VirtualHost, method: Method, path: &str) -> Value {
    let url = format!("{}/api/{path}", host.management_url);
    let answer = reqwest::Client::new().request(method, url).send().await.unwrap();
    let answer = answer.error_for_status().unwrap().bytes().await.unwrap();
    serde_json::from_slice(&answer).unwrap_or(Value::Null)
}

/// Closes the connections of the spine through the management interface; how many it were.
async fn close_connections(host: &VirtualHost) -> usize {
    let path = format!("vhosts/{}/connections", name(host));
    let connections = management(host, Method::GET, &path).await;
    let names: Vec<_> = connections
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|connection| connection["name"].as_str())
        .collect();
    for name in &names {
        let name = name.replace(' ', "%20").replace('>', "%3E");
        let url = format!("{}/api/connections/{name}", host.management_url);
        // It may be gone by now.
        reqwest::Client::new().delete(url).send().await.unwrap();
    }
    names.len()
}
