//! What goes wrong, and what is said of it.

use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use odd_engine::docker::{Action, ContainerState, DockerError, Event};

use crate::bed::{Bed, IMAGE, actions, docker_error, reason, troubles};

#[tokio::test]
async fn a_crash_loop_is_noticed_early_and_named_with_its_log() {
    let compose = r#"
services:
  bad:
    image: IMAGE
    restart: unless-stopped
    command: ["bash", "-c", "echo 'FATAL: password authentication failed for user x'; exit 3"]
    healthcheck: {test: ["CMD", "true"], interval: 10s, start_period: 60s}
  after:
    image: IMAGE
    command: LOOP
    depends_on: {bad: {condition: service_healthy}}
"#;
    let bed = Bed::new(compose).await;
    let begin = Instant::now();
    let (error, events) = bed.fails().await;
    // Neither the time for all of it nor that of its health check, both a minute; much of it is the engine's, where the machine is busy.
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
    let (troubles, not_started) = troubles(&error);
    assert_eq!(not_started, ["after"]);
    assert_eq!(troubles.len(), 1);
    assert!(troubles[0].reason.contains("exit code 3"), "{troubles:?}");
    assert!(
        troubles[0]
            .likely_cause
            .as_deref()
            .unwrap()
            .contains("wrong password"),
        "{troubles:?}"
    );
    assert!(
        error
            .log()
            .iter()
            .any(|line| line.contains("authentication failed")),
        "{error:?}"
    );
    assert!(!error.remedy().is_empty());
    let told =
        |event: &Event| matches!(event, Event::Trouble { container, .. } if *container == bed.name("bad"));
    assert!(events.iter().any(told), "{events:?}");

    bed.write(
        "compose.yaml",
        &compose.replace("exit 3", "while :; do sleep 0.1; done"),
    );
    let up = bed.up().await;
    assert_eq!(
        actions(&up.plan),
        [("bad", Action::Recreate), ("after", Action::Recreate)]
    );
    assert_eq!(reason(&up.plan, "after"), Some("was not completed"));
}

#[tokio::test]
async fn an_unhealthy_container_is_named_with_what_its_check_says_while_others_stay() {
    let compose = r#"
services:
  ill:
    image: IMAGE
    command: ["bash", "-c", "echo I feel ill; while :; do sleep 0.1; done"]
    healthcheck: {test: ["CMD-SHELL", "echo no pulse; exit 1"], interval: 1s, retries: 1}
  fine:
    image: IMAGE
    command: LOOP
"#;
    let bed = Bed::new(compose).await;
    let (error, events) = bed.fails().await;
    let (troubles, _) = troubles(&error);
    assert_eq!(troubles[0].reason, "is unhealthy");
    assert!(
        troubles[0].likely_cause.as_deref().unwrap().contains("no pulse"),
        "{troubles:?}"
    );
    assert_eq!(troubles[0].log, ["I feel ill"]);
    let failed = |event: &Event| matches!(event, Event::Container { service, state: ContainerState::Failed, .. } if service == "ill");
    assert!(events.iter().any(failed));
    assert!(
        bed.runs("fine").await && bed.runs("ill").await,
        "they can be looked at"
    );
}

#[tokio::test]
async fn what_is_not_healthy_in_time_is_named_with_its_log() {
    let compose = r#"
services:
  slow:
    image: IMAGE
    command: ["bash", "-c", "echo warming up; while :; do sleep 0.1; done"]
    healthcheck: {test: ["CMD-SHELL", "echo not yet; exit 1"], interval: 10s, start_period: 60s}
  after: {image: IMAGE, command: LOOP, depends_on: {slow: {condition: service_healthy}}}
"#;
    let bed = Bed::new(compose).await;
    let mut options = bed.options();
    // Long enough that the container is there and its check was run, also where the machine is busy.
    options.wait_timeout = Duration::from_secs(10);
    let (result, events) = bed.try_up(&options).await;
    let error = docker_error(result.unwrap_err());
    let DockerError::TimedOut { waiting_for, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        waiting_for
            .iter()
            .any(|text| text.contains("slow") && text.contains("not yet")),
        "{waiting_for:?}"
    );
    assert!(
        waiting_for
            .iter()
            .any(|text| text.contains("after") && text.contains("not started")),
        "{waiting_for:?}"
    );
    assert_eq!(error.log(), ["warming up"]);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Trouble { service, .. } if service == "slow"))
    );
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_holder_and_a_free_offset_before_anything_is_made() {
    let compose = r#"services: {web: {image: IMAGE, command: LOOP, ports: ["127.0.0.1:17:17"]}}"#;
    let bed = Bed::new(compose).await;
    let port = 17 + bed.instance.port_offset;
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (error, _) = bed.fails().await;
    let DockerError::PortTaken {
        service,
        port: found,
        holder,
        free_offset,
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!((service.as_str(), *found), ("web", port));
    assert_eq!(holder.as_ref().unwrap().pid, std::process::id());
    let offset = free_offset.unwrap();
    assert!(offset > bed.instance.port_offset);
    assert!(
        error.remedy().contains(&format!("--port-offset {offset}")),
        "{}",
        error.remedy()
    );
    assert!(bed.everything().await.is_empty());

    drop(listener);
    bed.up().await;
    let again = bed.up().await;
    assert!(!again.changed, "its own port is not taken");
}

#[tokio::test]
async fn a_name_of_somebody_else_is_not_touched() {
    let bed = Bed::new("services: {web: {image: IMAGE, command: LOOP}}").await;
    let options = CreateContainerOptionsBuilder::new()
        .name(&bed.name("web"))
        .build();
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        ..ContainerCreateBody::default()
    };
    let foreign = bed.docker.create_container(Some(options), body).await.unwrap().id;
    let result = bed.try_up(&bed.options()).await.0;
    let still = bed.id("web").await;
    bed.remove_by_hand(&foreign).await;
    let error = docker_error(result.unwrap_err());
    assert!(
        matches!(
            &error,
            DockerError::NameTaken {
                kind: "container",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(still, foreign);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_to_be_missing() {
    let bed = Bed::new(r#"services: {web: {image: IMAGE, command: ["/no/such/program"]}}"#).await;
    let (error, _) = bed.fails().await;
    let (troubles, _) = troubles(&error);
    assert_eq!(troubles[0].reason, "cannot be started");
    assert!(
        troubles[0].likely_cause.as_deref().unwrap().contains("missing"),
        "{troubles:?}"
    );
    assert!(!error.log().is_empty());
}

#[tokio::test]
async fn a_container_that_runs_out_of_memory_says_so() {
    let compose = r#"
services:
  greedy:
    image: IMAGE
    mem_limit: 16m
    command: ["bash", "-c", "x=; while :; do x=$$x$$(printf '%01000000d' 0); done"]
    healthcheck: {test: ["CMD", "false"], interval: 10s, start_period: 60s}
"#;
    let bed = Bed::new(compose).await;
    let (error, _) = bed.fails().await;
    let (troubles, _) = troubles(&error);
    assert!(
        troubles[0].likely_cause.as_deref().unwrap().contains("memory"),
        "{troubles:?}"
    );
}

#[tokio::test]
async fn what_ends_with_an_error_is_no_completed_dependency() {
    let compose = r#"
services:
  setup: {image: IMAGE, command: ["bash", "-c", "echo cannot set up; exit 4"]}
  web: {image: IMAGE, command: LOOP, depends_on: {setup: {condition: service_completed_successfully}}}
"#;
    let bed = Bed::new(compose).await;
    let (error, _) = bed.fails().await;
    let (troubles, not_started) = troubles(&error);
    assert_eq!(
        (troubles[0].reason.as_str(), not_started),
        ("ended with exit code 4", &["web".to_owned()][..])
    );
    assert!(!bed.runs("web").await);
}
