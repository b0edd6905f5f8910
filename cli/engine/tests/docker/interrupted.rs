//! `up` is given up at many moments: what is left is always completed by the next one, or removed.

use std::time::Duration;

use odd_engine::docker::{self, ContainerStatus, Event};

use crate::bed::Bed;

const THREE: &str = r#"
services:
  db:
    image: IMAGE
    command: LOOP
    volumes: ["data:/data"]
    configs: [{source: main, target: /etc/odd/main.conf}]
    read_only: true
    healthcheck: {test: ["CMD", "grep", "-q", "hello", "/etc/odd/main.conf"], interval: 10s}
  web:
    image: IMAGE
    command: LOOP
    depends_on: {db: {condition: service_healthy}}
    environment: {COLOUR: blue}
  top:
    image: IMAGE
    command: LOOP
    depends_on: {web: {condition: service_started}}
configs: {main: {file: ./main.conf}}
volumes: {data: }
"#;

async fn bed() -> Bed {
    let bed = Bed::new(THREE).await;
    bed.write("main.conf", "hello\n");
    bed
}

/// Starts the project and gives up as soon as so many events have happened. Tells whether it was given up.
async fn given_up_after(bed: &Bed, events: usize) -> bool {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let options = bed.options();
    let starting = docker::up(&bed.instance, &options, |event: Event| {
        sender.send(event).expect("a receiver")
    });
    let enough = async {
        for _ in 0..events {
            receiver.recv().await.expect("a sender");
        }
    };
    tokio::select! {
        result = starting => {
            result.expect("it starts");
            false
        }
        () = enough => true,
    }
}

async fn given_up_within(bed: &Bed, time: Duration) -> bool {
    let options = bed.options();
    let starting = docker::up(&bed.instance, &options, |_| {});
    match tokio::time::timeout(time, starting).await {
        Ok(result) => {
            result.expect("it starts");
            false
        }
        Err(_) => true,
    }
}

async fn is_complete(bed: &Bed) {
    let status = docker::status(&bed.instance).await.expect("its state");
    assert_eq!(status.containers.len(), 3, "{status:?}");
    assert!(
        status.containers.iter().all(ContainerStatus::is_well),
        "{status:?}"
    );
    let networks = bed
        .everything()
        .await
        .into_iter()
        .filter(|name| name.ends_with("_default"))
        .count();
    assert_eq!(networks, 1);
}

#[tokio::test]
async fn after_any_event_up_completes_and_down_removes() {
    let bed = bed().await;
    let mut events = 1;
    while given_up_after(&bed, events).await {
        if events.is_multiple_of(3) {
            bed.down(true).await;
            assert!(bed.everything().await.is_empty(), "after {events} events");
        } else {
            bed.up().await;
            is_complete(&bed).await;
            bed.down(events.is_multiple_of(2)).await;
        }
        events += 1;
    }
    assert!(events > 10, "it was given up at {events} moments only");
    is_complete(&bed).await;
}

#[tokio::test]
async fn at_any_time_up_completes_what_was_begun() {
    let bed = bed().await;
    for millis in [5, 20, 40, 60, 90, 130, 180, 250, 350, 500] {
        given_up_within(&bed, Duration::from_millis(millis)).await;
        bed.up().await;
        is_complete(&bed).await;
        bed.down(true).await;
        assert!(bed.everything().await.is_empty(), "after {millis} ms");
    }
}

#[tokio::test]
async fn a_change_that_was_given_up_is_completed() {
    let bed = bed().await;
    for (round, millis) in [10, 60, 120, 200, 300, 450].into_iter().enumerate() {
        bed.up().await;
        bed.write("compose.yaml", &THREE.replace("blue", &format!("colour{round}")));
        bed.write("main.conf", &format!("hello {round}\n"));
        given_up_within(&bed, Duration::from_millis(millis)).await;
        bed.up().await;
        is_complete(&bed).await;
        let seen = bed.run(&bed.name("db"), &["cat", "/etc/odd/main.conf"]).await;
        assert_eq!(seen, format!("hello {round}\n"));
    }
}
