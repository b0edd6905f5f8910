//! What the adapter relies on in the broker and what depends on its version.

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use odd_contracts::names::spine as names;

use super::*;
use crate::amqp::topology;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_be_delivered_any_number_of_times() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    publish(&spine, message(Route::Work, 1)).await.unwrap();
    let mut consumer = spine.consume(Queue::Work, 1).await.unwrap();
    // A quorum queue drops or dead-letters after 20 unless it is told otherwise.
    for _ in 0..30 {
        let delivery = &collect(&mut *consumer, 1).await[0];
        assert_eq!(number(&delivery.body), 1);
        assert!(
            delivery.headers.is_empty(),
            "those of the broker are not ours: {:?}",
            delivery.headers
        );
        consumer.acknowledger().requeue(&[delivery.tag]).await.unwrap();
    }
    drop(consumer);
    for _ in 0..30 {
        let mut consumer = spine.consume(Queue::Work, 1).await.unwrap();
        assert!(collect(&mut *consumer, 1).await[0].redelivered);
    }
    await_ready(&spine, Queue::Work, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_and_bindings_are_as_they_are_documented() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    for queue in Queue::ALL {
        let path = format!("queues/{}/{}", name(&host), queue.name());
        let told = management(&host, Method::GET, &path).await;
        assert_eq!(told["arguments"]["x-queue-type"], "quorum", "{told}");
        assert_eq!(
            told["arguments"]["x-delivery-limit"],
            topology::DELIVERY_LIMIT,
            "{told}"
        );
        assert_eq!(told["durable"], true, "{told}");
    }
    let bindings = management(&host, Method::GET, &format!("bindings/{}", name(&host))).await;
    let mut told: Vec<_> = bindings
        .as_array()
        .unwrap()
        .iter()
        .map(|binding| {
            ["source", "destination", "routing_key"].map(|key| binding[key].as_str().unwrap().to_owned())
        })
        .filter(|[source, ..]| !source.is_empty())
        .collect();
    told.sort();
    let wanted = [
        [names::EVENTS_EXCHANGE, names::JOBS_EVENTS, names::EVENTS_BINDING],
        [names::WORK_EXCHANGE, names::JOBS_CONTROL, names::JOBS_CONTROL],
        [names::WORK_EXCHANGE, names::JOBS_CREATED, names::JOBS_CREATED],
    ];
    assert_eq!(told, wanted.map(|binding| binding.map(str::to_owned)));

    // Counted every few seconds.
    let path = format!("vhosts/{}/connections", name(&host));
    wait_for(DEADLINE, "the connections' names", || async {
        let connections = management(&host, Method::GET, &path).await;
        let mut told: Vec<_> = connections
            .as_array()?
            .iter()
            .map(|connection| connection["client_properties"]["connection_name"].clone())
            .collect();
        told.sort_by_key(ToString::to_string);
        (told == ["odd-test consuming", "odd-test publishing"]).then_some(())
    })
    .await;
    drop(spine);
}

/// A live feed's queue goes with its reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_dropped_feed_or_spine() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let queues = format!("queues/{}", name(&host));
    let feed = spine.live(10).await.unwrap();
    let count = async || {
        management(&host, Method::GET, &queues)
            .await
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count().await, Queue::ALL.len() + 1);
    drop(feed);
    wait_for(DEADLINE, "the feed's queue to go", || async {
        (count().await == Queue::ALL.len()).then_some(())
    })
    .await;

    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let mut feed = spine.live(10).await.unwrap();
    drop(spine);
    let ended = within("the consumer to end", consumer.next(1)).await.unwrap_err();
    assert!(matches!(ended, SpineError::Closed), "{ended}");
    let ended = within("the feed to end", feed.next()).await.unwrap_err();
    assert!(matches!(ended, SpineError::Closed), "{ended}");
    let connections = format!("vhosts/{}/connections", name(&host));
    wait_for(DEADLINE, "the connections to close", || async {
        let told = management(&host, Method::GET, &connections).await;
        told.as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_declared_otherwise_is_told_with_how_to_mend_it() {
    let host = servers::rabbitmq().await;
    let (_connection, channel) = stranger(&host.url).await;
    let mut foreign = FieldTable::default();
    foreign.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    channel
        .queue_declare(names::JOBS_EVENTS.into(), QueueDeclareOptions::durable(), foreign)
        .await
        .unwrap();
    let spine = AmqpSpine::new(options(&host));
    let reason = wait_for(DEADLINE, "the reason", || async {
        match spine.ping().await {
            Err(SpineError::Unavailable(reason)) if reason.contains("otherwise") => Some(reason),
            _ => None,
        }
    })
    .await;
    for part in [
        names::JOBS_EVENTS,
        "x-queue-type=quorum",
        "x-delivery-limit=1000000000",
        "rabbitmqctl delete_queue",
    ] {
        assert!(reason.contains(part), "{part} is missing in: {reason}");
    }
    let Err(PublishError::Unavailable(told)) = publish(&spine, message(Route::Work, 1)).await else {
        panic!("it cannot publish");
    };
    assert!(told.contains(names::JOBS_EVENTS), "{told}");

    channel
        .queue_delete(names::JOBS_EVENTS.into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    ready(&spine).await;
    publish(&spine, message(Route::Work, 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_publisher_is_served_whatever_its_properties() {
    let host = servers::rabbitmq().await;
    let spine = spine(&host).await;
    let (_connection, channel) = stranger(&host.url).await;
    let mut headers = FieldTable::default();
    headers.insert("attempts".into(), AMQPValue::LongInt(3));
    let properties = lapin::BasicProperties::default().with_headers(headers);
    channel
        .basic_publish(
            "".into(),
            names::JOBS_CREATED.into(),
            lapin::options::BasicPublishOptions::default(),
            b"bare",
            properties,
        )
        .await
        .unwrap();
    let mut consumer = spine.consume(Queue::Work, 10).await.unwrap();
    let delivery = &collect(&mut *consumer, 1).await[0];
    assert_eq!(
        (&delivery.body[..], &delivery.message_id, &delivery.content_type),
        (&b"bare"[..], &None, &None)
    );
    assert_eq!(delivery.headers["attempts"], "3");
}

/// Why the queues have a delivery limit that is never reached instead of none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_without_a_limit_would_put_what_comes_back_behind_the_rest() {
    let host = servers::rabbitmq().await;
    let (_connection, channel) = stranger(&host.url).await;
    let mut orders = Vec::new();
    for (queue, limit) in [("without", -1), ("with", topology::DELIVERY_LIMIT)] {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(limit));
        channel
            .queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments)
            .await
            .unwrap();
        for body in [b"1", b"2"] {
            let publishing = channel.basic_publish(
                "".into(),
                queue.into(),
                lapin::options::BasicPublishOptions::default(),
                body,
                lapin::BasicProperties::default(),
            );
            publishing.await.unwrap().await.unwrap();
        }
        let get = async || {
            wait_for(DEADLINE, "a message", || async {
                channel.basic_get(queue.into(), Default::default()).await.unwrap()
            })
            .await
        };
        let back = lapin::options::BasicNackOptions {
            requeue: true,
            ..Default::default()
        };
        let first = get().await.delivery_tag;
        channel.basic_nack(first, back).await.unwrap();
        orders.push([get().await.data.clone(), get().await.data.clone()]);
    }
    assert_eq!(orders[0], [b"2", b"1"], "without a limit");
    assert_eq!(orders[1], [b"1", b"2"], "with one");
}
