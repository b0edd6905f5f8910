//! Making, keeping and changing stacks.

use std::collections::BTreeMap;
use std::time::Instant;

use odd_engine::docker::{self, Action, ContainerState, Event, StackFile};

use crate::bed::{Bed, QUICK, actions, reason};

const TWO: &str = r#"
services:
  db:
    image: IMAGE
    command: LOOP
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "test", "-e", "/tmp/ready"], interval: 10s, start_period: 30s}
    entrypoint: ["bash", "-c", "trap 'exit 0' TERM; sleep 0.5; touch /tmp/ready; while :; do sleep 0.1; done"]
  web:
    image: IMAGE
    command: LOOP
    environment: {COLOUR: blue}
    ports: ["127.0.0.1:3000:3000"]
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: ["CMD", "true"], interval: 10s}
volumes: {data: }
"#;

#[tokio::test]
async fn what_is_missing_is_created_in_order_of_health_and_then_kept() {
    let bed = Bed::new(TWO).await;
    let (result, events) = bed.try_up(&bed.options()).await;
    let first = result.unwrap();
    assert_eq!(
        actions(&first.plan),
        [("db", Action::Create), ("web", Action::Create)]
    );
    assert!(first.changed);

    let at = |service: &str, state: ContainerState| {
        let is = |event: &Event| matches!(event, Event::Container { service: s, state: t, .. } if s == service && *t == state);
        events
            .iter()
            .position(is)
            .unwrap_or_else(|| panic!("{service} never was {state:?}: {events:?}"))
    };
    assert!(at("db", ContainerState::Healthy) < at("web", ContainerState::Starting));
    assert!(matches!(events[0], Event::Connected { .. }));
    assert_eq!(first.report.critical_path, ["db", "web"]);
    let db = first.report.services.iter().find(|s| s.service == "db").unwrap();
    assert!(db.took_ms >= 500, "{db:?}");
    assert!(
        db.took_ms < 9_000,
        "it was not waited for the engine's own interval: {db:?}"
    );

    let stack = StackFile::read(&bed.instance.stack_file()).unwrap().unwrap();
    assert_eq!(stack, first.stack);
    assert_eq!(
        stack.ports,
        BTreeMap::from([("web".to_owned(), 3_000 + bed.instance.port_offset)])
    );
    let seen = bed.inspect(&bed.name("web")).await;
    let labels = seen.config.unwrap().labels.unwrap();
    assert_eq!(labels["com.docker.compose.service"], "web");
    assert_eq!(
        labels["com.docker.compose.depends_on"],
        "db:service_healthy:false"
    );
    assert_eq!(labels["odd.instance"], bed.instance.name.as_str());

    let id = bed.id("web").await;
    let begin = Instant::now();
    let (result, events) = bed.try_up(&bed.options()).await;
    let again = result.unwrap();
    assert!(begin.elapsed() < QUICK, "{:?}", begin.elapsed());
    assert!(!again.changed, "{:?}", again.plan);
    assert!(again.report.services.iter().all(|service| service.kept));
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Container { .. })),
        "{events:?}"
    );
    assert_eq!(bed.id("web").await, id);
    assert_eq!(again.stack.started_at, stack.started_at);
}

#[tokio::test]
async fn a_changed_service_is_made_anew_and_others_are_kept() {
    let bed = Bed::new(TWO).await;
    bed.up().await;
    let (db, web) = (bed.id("db").await, bed.id("web").await);
    bed.write("compose.yaml", &TWO.replace("blue", "red"));

    let mut options = bed.options();
    options.dry_run = true;
    let planned = bed.try_up(&options).await.0.unwrap();
    assert_eq!(reason(&planned.plan, "web"), Some("configuration changed"));
    assert_eq!(bed.id("web").await, web, "a dry run changes nothing");

    let changed = bed.up().await;
    assert_eq!(
        actions(&changed.plan),
        [("db", Action::Keep), ("web", Action::Recreate)]
    );
    assert_eq!(bed.id("db").await, db);
    assert_ne!(bed.id("web").await, web);
    let colour = bed.run(&bed.name("web"), &["bash", "-c", "echo $COLOUR"]).await;
    assert_eq!(colour.trim(), "red");
}

#[tokio::test]
async fn a_dry_run_of_nothing_makes_nothing() {
    let bed = Bed::new(TWO).await;
    let mut options = bed.options();
    options.dry_run = true;
    let up = bed.try_up(&options).await.0.unwrap();
    assert!(up.changed);
    assert!(bed.everything().await.is_empty());
    assert!(!bed.instance.stack_file().exists());
}

#[tokio::test]
async fn services_are_scaled_up_and_down() {
    let bed = Bed::new("services: {web: {image: IMAGE, command: LOOP, init: true}}").await;
    let mut options = bed.options();
    options.scale.insert("web".to_owned(), 3);
    bed.try_up(&options).await.0.unwrap();
    let status = docker::status(&bed.instance).await.unwrap();
    let numbers: Vec<u32> = status
        .containers
        .iter()
        .map(|container| container.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(
        status.containers.iter().all(docker::ContainerStatus::is_well),
        "{status:?}"
    );
    assert!(
        status.containers[0].image.starts_with("odd-offline/base:"),
        "{status:?}"
    );

    let first = bed.id("web").await;
    let down = bed.up().await;
    assert_eq!(
        actions(&down.plan),
        [
            ("web", Action::Keep),
            ("web", Action::Remove),
            ("web", Action::Remove)
        ]
    );
    assert_eq!(bed.id("web").await, first);
    assert_eq!(docker::status(&bed.instance).await.unwrap().containers.len(), 1);
}

#[tokio::test]
async fn containers_of_services_that_are_no_more_are_reported_and_left_alone() {
    let two = "services: {web: {image: IMAGE, command: LOOP}, old: {image: IMAGE, command: LOOP}}";
    let bed = Bed::new(two).await;
    bed.up().await;
    bed.write("compose.yaml", "services: {web: {image: IMAGE, command: LOOP}}");
    let (result, events) = bed.try_up(&bed.options()).await;
    let up = result.unwrap();
    assert_eq!(up.plan.orphans, [bed.name("old")]);
    assert!(!up.changed);
    assert!(bed.runs("old").await);
    let told = |event: &Event| matches!(event, Event::Notice { text } if text.contains(&bed.name("old")));
    assert!(events.iter().any(told), "{events:?}");
    assert!(bed.down(false).await.containers.contains(&bed.name("old")));
}

#[tokio::test]
async fn configuration_files_are_uploaded_into_a_container_that_cannot_be_written() {
    let compose = r#"
services:
  web:
    image: IMAGE
    read_only: true
    user: "65532:65532"
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 50
    mem_limit: 64m
    tmpfs: ["/tmp:size=1m,mode=1777"]
    command: LOOP
    configs:
      - {source: main, target: /etc/odd/main.conf}
      - {source: rule, target: /etc/odd/rules/one.conf, mode: 0440, uid: "65532"}
    healthcheck: {test: ["CMD", "grep", "-q", "hello", "/etc/odd/main.conf"], interval: 10s}
configs:
  main: {file: ./main.conf}
  rule: {file: ./one.conf}
"#;
    let bed = Bed::new(compose).await;
    bed.write("main.conf", "hello\n");
    bed.write("one.conf", "rule\n");
    bed.up().await;
    let name = bed.name("web");
    let seen = bed
        .run(
            &name,
            &[
                "stat",
                "-c",
                "%a %u %n",
                "/etc/odd/main.conf",
                "/etc/odd/rules/one.conf",
            ],
        )
        .await;
    assert_eq!(
        seen,
        "444 0 /etc/odd/main.conf\n440 65532 /etc/odd/rules/one.conf\n"
    );
    assert_eq!(
        bed.run(&name, &["cat", "/etc/odd/rules/one.conf"]).await,
        "rule\n"
    );
    let refused = bed
        .run(
            &name,
            &[
                "bash",
                "-c",
                "echo x > /etc/odd/main.conf; echo x > /x; echo fine > /tmp/x; cat /tmp/x",
            ],
        )
        .await;
    assert!(
        refused.contains("Permission denied") && refused.contains("Read-only") && refused.contains("fine"),
        "{refused}"
    );
    let host = bed.inspect(&name).await.host_config.unwrap();
    assert_eq!(
        (host.readonly_rootfs, host.pids_limit, host.memory),
        (Some(true), Some(50), Some(64 << 20))
    );

    bed.write("one.conf", "changed\n");
    let up = bed.up().await;
    assert_eq!(reason(&up.plan, "web"), Some("configuration changed"));
    assert_eq!(
        bed.run(&name, &["cat", "/etc/odd/rules/one.conf"]).await,
        "changed\n"
    );
    let volumes = bed
        .everything()
        .await
        .into_iter()
        .filter(|name| name.len() == 64)
        .count();
    assert_eq!(volumes, 1, "the volume of the first container went with it");
    bed.down(false).await;
    assert!(bed.everything().await.is_empty());
}

#[tokio::test]
async fn what_ends_well_is_waited_for_and_not_run_again() {
    let compose = r#"
services:
  setup:
    image: IMAGE
    command: ["bash", "-c", "echo once >> /data/runs"]
    volumes: ["data:/data"]
  web:
    image: IMAGE
    command: LOOP
    volumes: ["data:/data"]
    depends_on: {setup: {condition: service_completed_successfully}}
volumes: {data: }
"#;
    let bed = Bed::new(compose).await;
    bed.up().await;
    let again = bed.up().await;
    assert!(!again.changed, "{:?}", again.plan);
    assert_eq!(bed.run(&bed.name("web"), &["cat", "/data/runs"]).await, "once\n");
}

#[tokio::test]
async fn passwords_are_random_kept_and_recovered_from_containers() {
    let compose = r#"
services:
  db:
    image: IMAGE
    command: LOOP
    environment: {SECRET: "odd:${DB_PASSWORD:?needed}@db", USER_NAME: "${DB_USER:-odd}"}
    volumes: ["data:/data"]
volumes: {data: }
"#;
    let bed = Bed::new(compose).await;
    bed.write(".env", "DB_USER=odd\nDB_PASSWORD=default\n");
    bed.up().await;
    let file = docker::Credentials::file(&bed.instance);
    let password = docker::Credentials::load(&bed.instance).unwrap().unwrap();
    let secret = password.get("DB_PASSWORD").unwrap().to_owned();
    assert!(
        secret.len() >= 32 && secret.chars().all(|c| c.is_ascii_alphanumeric()),
        "{secret}"
    );
    assert!(!format!("{password:?}").contains(&secret));
    let environment = bed
        .run(&bed.name("db"), &["bash", "-c", "echo $SECRET $USER_NAME"])
        .await;
    assert_eq!(environment, format!("odd:{secret}@db odd\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    std::fs::remove_file(&file).unwrap();
    let up = bed.up().await;
    assert!(!up.changed, "its containers still know it: {:?}", up.plan);
    let recovered = docker::Credentials::load(&bed.instance).unwrap().unwrap();
    assert_eq!(recovered.get("DB_PASSWORD"), Some(secret.as_str()));

    bed.down(false).await;
    std::fs::remove_file(&file).unwrap();
    let error = bed.try_up(&bed.options()).await.0.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("credentials of this instance are gone"),
        "{error}"
    );
    bed.down(true).await;
    bed.up().await;
    let new = docker::Credentials::load(&bed.instance).unwrap().unwrap();
    assert_ne!(new.get("DB_PASSWORD"), Some(secret.as_str()));
}
