//! The whole stack from its first start to the removal of its data.

use std::collections::BTreeSet;

use odd_contracts::Role;
use odd_testkit::ProjectContainer;
use serde_json::Value;

use crate::bed::Stack;

/// Services of the offline stack.
const SERVICES: [&str; 11] = [
    "alertmanager",
    "gateway",
    "metrics-engine",
    "mongo",
    "postgres",
    "processor",
    "prometheus",
    "rabbitmq",
    "read-model",
    "redis",
    "web",
];

fn names(containers: &[ProjectContainer]) -> BTreeSet<&str> {
    containers
        .iter()
        .map(|container| container.service.as_str())
        .collect()
}

fn ids(containers: &[ProjectContainer]) -> BTreeSet<&str> {
    containers.iter().map(|container| container.id.as_str()).collect()
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item[key].as_str().unwrap()).collect()
}

/// One story, because a stack takes its time to start: each chapter relies on the one before.
#[test]
fn a_stack_is_started_used_scaled_stopped_and_removed() {
    let odd = Stack::new();
    starts_and_explains_itself(&odd);
    takes_jobs(&odd, 20);
    let before = odd.project().containers();
    starting_again_changes_nothing(&odd, &before);
    scales(&odd, &before);
    restarts_one_role(&odd);
    keeps_its_data(&odd);
    removes_everything(&odd);
}

fn starts_and_explains_itself(odd: &Stack) {
    let answer = odd.up(&[]);
    assert_eq!(
        (&answer["version"], &answer["engine"], &answer["state"]),
        (&1.into(), &"docker".into(), &"running".into())
    );
    assert_eq!(
        (&answer["changed"], &answer["offline"]),
        (&true.into(), &true.into())
    );
    let timed = texts(&answer["report"]["services"], "service");
    assert_eq!(
        timed.into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(SERVICES)
    );
    let path = answer["report"]["criticalPath"].as_array().unwrap();
    assert!(path.len() > 1, "a role waits for a server: {path:?}");
    assert_eq!(answer["roles"][0]["url"], odd.url(Role::Gateway));
    assert!(texts(&answer["urls"], "id").contains(&"prometheus"), "{answer}");
    let left_out = texts(&answer["plan"]["leftOut"], "service");
    assert!(
        left_out.contains(&"grafana"),
        "what Debian lacks is named: {left_out:?}"
    );

    let containers = odd.project().containers();
    assert_eq!(names(&containers), BTreeSet::from(SERVICES));
    for container in &containers {
        let label = |name: &str| container.labels.get(name).map(String::as_str);
        assert_eq!(container.state, "running", "{container:?}");
        assert_eq!(
            container.name,
            format!("odd-{}-{}-1", odd.name(), container.service)
        );
        assert_eq!(label("com.docker.compose.container-number"), Some("1"));
        assert_eq!(label("com.docker.compose.oneoff"), Some("False"));
        assert_eq!(label("odd.instance"), Some(odd.name()));
        assert!(label("com.docker.compose.config-hash").is_some_and(|hash| !hash.is_empty()));
    }
    let status = odd.run(["status", "--check", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["state"], "running");
    let roles = texts(&status["roles"], "role");
    assert_eq!(roles, Role::ALL.map(Role::name));
    assert!(
        texts(&status["roles"], "state")
            .iter()
            .all(|state| *state == "ready")
    );
}

/// Every command speaks to the stack without being told where it is.
fn takes_jobs(odd: &Stack, count: usize) {
    let count = count.to_string();
    let _ = odd
        .run(["submit", "hello", "--count", &count, "--wait"])
        .expect_code(0);
    let jobs = odd.run(["jobs", "list", "-o", "json"]).expect_code(0).json();
    assert!(!jobs["jobs"].as_array().unwrap().is_empty());
    let _ = odd.run(["verify"]).expect_code(0);
}

fn starting_again_changes_nothing(odd: &Stack, before: &[ProjectContainer]) {
    let again = odd.up(&[]);
    assert_eq!(
        (&again["changed"], &again["alreadyRunning"]),
        (&false.into(), &true.into())
    );
    assert_eq!(ids(&odd.project().containers()), ids(before));
    // Neither does it without the flags that it was started with: the instance keeps them, and its engine.
    let plain = odd.run(["up", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&plain["changed"], &plain["offline"]),
        (&false.into(), &true.into())
    );
    assert_eq!(ids(&odd.project().containers()), ids(before));
}

fn scales(odd: &Stack, before: &[ProjectContainer]) {
    let answer = odd.up(&["--scale", "processor=2"]);
    assert_eq!(answer["changed"], true);
    let after = odd.project().containers();
    let new: Vec<&ProjectContainer> = after
        .iter()
        .filter(|container| !ids(before).contains(container.id.as_str()))
        .collect();
    assert_eq!(
        new.len(),
        1,
        "only the second processor is new: {:?}",
        new.iter().map(|container| &container.name).collect::<Vec<_>>()
    );
    assert_eq!(new[0].name, format!("odd-{}-processor-2", odd.name()));
    let status = odd.run(["status", "-o", "json"]).expect_code(0).json();
    let processor = status["roles"].as_array().unwrap().iter();
    let processor = processor
        .clone()
        .find(|role| role["role"] == "processor")
        .unwrap();
    assert_eq!(processor["replicas"], 2);
    takes_jobs(odd, 20);
}

fn restarts_one_role(odd: &Stack) {
    let before = odd.project().containers();
    let answer = odd
        .run(["restart", "gateway", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(answer["services"], serde_json::json!(["gateway"]));
    assert_eq!(
        ids(&odd.project().containers()),
        ids(&before),
        "it is the same container"
    );
    takes_jobs(odd, 1);
    let unknown = odd.run(["restart", "gatewy"]).expect_code(2);
    assert!(
        unknown.stderr.contains("gateway"),
        "services are named: {unknown:?}"
    );
}

fn keeps_its_data(odd: &Stack) {
    let down = odd.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(down["wasRunning"], true);
    assert_eq!(down["containers"].as_array().unwrap().len(), 12);
    assert_eq!(down["killed"], false, "every container ends when it is asked to");
    assert!(odd.project().containers().is_empty());
    assert!(odd.project().networks().is_empty());
    assert!(!odd.project().volumes().is_empty());
    let stopped = odd.run(["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&stopped["state"], &stopped["engine"]),
        (&"stopped".into(), &"docker".into())
    );

    odd.up(&[]);
    let verified = odd.run(["verify", "-o", "json"]).expect_code(0).json();
    let text = verified.to_string();
    assert!(
        text.contains("41"),
        "every job of the ledger is still there: {text}"
    );
}

fn removes_everything(odd: &Stack) {
    let down = odd
        .run(["down", "--volumes", "--yes", "-o", "json"])
        .expect_code(0)
        .json();
    assert!(!down["volumes"].as_array().unwrap().is_empty());
    assert!(odd.project().containers().is_empty());
    assert!(odd.project().volumes().is_empty());
    assert!(odd.project().networks().is_empty());
    assert!(!odd.home().join("instances").join(odd.name()).exists());
    let again = odd.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(again["wasRunning"], false);
}
