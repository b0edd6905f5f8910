//! Stopping, restarting, and what somebody did by hand.

use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use odd_engine::EngineError;
use odd_engine::docker::{self, Action, ContainerState, DockerError, DownOptions, Event};

use crate::bed::{Bed, IMAGE, LONG, QUICK, actions, eventually, reason};

const TWO: &str = r#"
services:
  db:
    image: IMAGE
    command: LOOP
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "true"], interval: 10s}
  web:
    image: IMAGE
    command: LOOP
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: ["CMD", "true"], interval: 10s}
volumes: {data: }
"#;

#[tokio::test]
async fn down_removes_roles_before_servers_and_keeps_data() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    bed.run(&bed.name("db"), &["bash", "-c", "echo kept > /data/x"])
        .await;
    let mut gone = Vec::new();
    let options = DownOptions {
        // Nobody shall be killed, however busy the machine is.
        deadline: LONG,
        volumes: false,
    };
    let down = docker::down(&bed.instance, &options, |event| {
        if let Event::Container {
            service,
            state: ContainerState::Removed,
            ..
        } = event
        {
            gone.push(service);
        }
    });
    let down = down.await.unwrap();
    assert_eq!(gone, ["web", "db"]);
    assert!(
        down.was_running && down.killed.is_empty() && down.volumes.is_empty(),
        "{down:?}"
    );
    assert_eq!(down.containers, [bed.name("db"), bed.name("web")]);
    assert!(down.took < LONG, "{:?}", down.took);
    let volume = format!("{}_data", docker::project_name(&bed.instance));
    assert_eq!(bed.everything().await, [volume.as_str()]);
    assert!(!bed.instance.stack_file().exists());

    bed.up().await;
    assert_eq!(bed.run(&bed.name("db"), &["cat", "/data/x"]).await, "kept\n");
    let down = bed.down(true).await;
    assert_eq!(down.volumes, [volume]);
    assert!(bed.everything().await.is_empty());
    assert!(!bed.instance.directory().exists());
}

#[tokio::test]
async fn down_without_up_does_nothing() {
    let bed = Bed::new(TWO).await;
    let down = bed.down(true).await;
    assert!(!down.was_running && down.containers.is_empty(), "{down:?}");
}

#[tokio::test]
async fn down_finds_everything_without_the_stack_file() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    std::fs::remove_dir_all(bed.instance.directory()).unwrap();
    let down = bed.down(false).await;
    assert_eq!(down.containers.len(), 2);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_killed_and_named() {
    let deaf = r#"services: {web: {image: IMAGE, command: ["bash", "-c", "trap '' TERM; while :; do sleep 0.1; done"]}}"#;
    let bed = Bed::new(deaf).await;
    bed.up().await;
    let options = DownOptions {
        deadline: Duration::from_millis(800),
        volumes: false,
    };
    let down = docker::down(&bed.instance, &options, |_| {}).await.unwrap();
    assert_eq!(down.killed, [bed.name("web")]);
}

#[tokio::test]
async fn a_container_that_was_removed_by_hand_is_made_again() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    let web = bed.id("web").await;
    bed.remove_by_hand(&bed.name("db")).await;
    let up = bed.up().await;
    assert_eq!(actions(&up.plan), [("db", Action::Create), ("web", Action::Keep)]);
    assert_eq!(reason(&up.plan, "db"), Some("was removed by hand"));
    assert_eq!(bed.id("web").await, web);
}

#[tokio::test]
async fn what_was_stopped_or_paused_by_hand_goes_on() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    let (db, web) = (bed.id("db").await, bed.id("web").await);
    docker::stop(&bed.instance, &["web".to_owned()], LONG)
        .await
        .unwrap();
    bed.docker.pause_container(&db).await.unwrap();
    let status = docker::status(&bed.instance).await.unwrap();
    let states: Vec<&str> = status
        .containers
        .iter()
        .map(|container| container.state.as_str())
        .collect();
    assert_eq!(states, ["paused", "exited"]);
    assert!(status.containers.iter().all(|container| !container.is_well()));

    let up = bed.up().await;
    assert_eq!(actions(&up.plan), [("db", Action::Start), ("web", Action::Start)]);
    assert_eq!(reason(&up.plan, "db"), Some("is paused"));
    assert!(reason(&up.plan, "web").unwrap().starts_with("does not run"));
    assert_eq!(
        (bed.id("db").await, bed.id("web").await),
        (db, web),
        "they are the same containers"
    );
    let status = docker::status(&bed.instance).await.unwrap();
    assert!(
        status.containers.iter().all(docker::ContainerStatus::is_well),
        "{status:?}"
    );
}

#[tokio::test]
async fn restart_stops_and_starts_in_order_and_waits_for_health() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    let started = |status: docker::StackStatus| -> Vec<_> {
        status
            .containers
            .into_iter()
            .map(|container| container.started_at)
            .collect()
    };
    let before = started(docker::status(&bed.instance).await.unwrap());
    let mut events = Vec::new();
    let report = docker::restart(&bed.instance, &[], LONG, |event| {
        if let Event::Container { service, state, .. } = event {
            events.push((service, state));
        }
    });
    let report = report.await.unwrap();
    let names: Vec<(&str, ContainerState)> = events
        .iter()
        .map(|(service, state)| (service.as_str(), *state))
        .collect();
    use ContainerState::{Healthy, Starting, Stopping};
    assert_eq!(
        names,
        [
            ("web", Stopping),
            ("db", Stopping),
            ("db", Starting),
            ("db", Healthy),
            ("web", Starting),
            ("web", Healthy)
        ]
    );
    assert_eq!(report.critical_path, ["db", "web"]);
    let after = started(docker::status(&bed.instance).await.unwrap());
    assert!(
        before.iter().zip(&after).all(|(before, after)| before < after),
        "{before:?} {after:?}"
    );

    docker::restart(&bed.instance, &["web".to_owned()], LONG, |_| {})
        .await
        .unwrap();
    let last = started(docker::status(&bed.instance).await.unwrap());
    assert!(last[0] == after[0] && last[1] > after[1], "{after:?} {last:?}");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named_with_those_that_are() {
    let bed = Bed::new(TWO).await;
    let error = docker::restart(&bed.instance, &[], LONG, |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, EngineError::Docker(e) if matches!(**e, DockerError::NoStack { .. })),
        "{error:?}"
    );
    bed.up().await;
    let EngineError::Docker(error) = docker::restart(&bed.instance, &["wbe".to_owned()], LONG, |_| {})
        .await
        .unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!(error.remedy(), "services are: db, web");
}

#[tokio::test]
async fn the_network_stays_while_somebody_else_is_attached_who_is_named() {
    let bed = Bed::new("services: {web: {image: IMAGE, command: LOOP}}").await;
    bed.up().await;
    let network = format!("{}_default", docker::project_name(&bed.instance));
    let guest = format!("{}-guest", bed.instance.name);
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec!["sleep".to_owned(), "600".to_owned()]),
        host_config: Some(HostConfig {
            network_mode: Some(network.clone()),
            init: Some(true),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(&guest).build();
    bed.docker.create_container(Some(options), body).await.unwrap();
    bed.docker
        .start_container(&guest, None::<StartContainerOptions>)
        .await
        .unwrap();

    let options = DownOptions {
        deadline: Duration::from_secs(5),
        volumes: false,
    };
    let result = docker::down(&bed.instance, &options, |_| {}).await;
    let left = bed.everything().await;
    bed.remove_by_hand(&guest).await;
    let EngineError::Docker(error) = result.unwrap_err() else {
        panic!("another error")
    };
    assert!(
        matches!(&*error, DockerError::NetworkInUse { network: n, containers } if *n == network && *containers == [guest.clone()]),
        "{error:?}"
    );
    assert_eq!(left, [network], "all but the network is gone");
    bed.down(false).await;
    assert!(bed.everything().await.is_empty());
}

#[tokio::test]
async fn two_commands_at_once_take_turns() {
    let bed = Bed::new(TWO).await;
    let options = bed.options();
    let (first, second) = tokio::join!(bed.try_up(&options), bed.try_up(&options));
    let waited = [&first, &second].map(|(_, events)| events.contains(&Event::WaitingForOther));
    assert!(waited == [true, false] || waited == [false, true], "{waited:?}");
    let changed = [first.0.unwrap().changed, second.0.unwrap().changed];
    assert!(
        changed == [true, false] || changed == [false, true],
        "{changed:?}"
    );
    assert_eq!(docker::status(&bed.instance).await.unwrap().containers.len(), 2);
}

#[tokio::test]
async fn starting_again_is_quick() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    let begin = Instant::now();
    bed.up().await;
    assert!(begin.elapsed() < QUICK, "{:?}", begin.elapsed());
    eventually("both run", || async {
        bed.runs("db").await && bed.runs("web").await
    })
    .await;
}
