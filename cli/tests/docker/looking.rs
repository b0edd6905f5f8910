//! Commands that look at a stack that runs.

use odd_contracts::Role;
use odd_testkit::Instance;
use serde_json::Value;

use crate::bed::shared;

/// Each line of an NDJSON answer.
fn documents(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_page_has_an_address_and_answers() {
    let odd = shared();
    let answer = odd.run(["urls", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&answer["engine"], &answer["running"]),
        (&"docker".into(), &true.into())
    );
    let urls = answer["urls"].as_array().unwrap();
    let find = |name: &str| {
        let mut found = urls.iter().filter(|url| url["name"] == name);
        found.next().unwrap_or_else(|| panic!("{name}: {answer}"))
    };
    for (name, address) in [
        ("gateway", odd.url(Role::Gateway)),
        ("Gateway API", format!("{}/docs", odd.url(Role::Gateway))),
        ("Dashboard", odd.url(Role::Web)),
        ("Web API", format!("{}/docs", odd.url(Role::Web))),
        ("RabbitMQ", odd.address(15_672)),
        ("Prometheus", odd.address(9_090)),
        ("alertmanager", odd.address(9_093)),
    ] {
        let url = find(name);
        assert_eq!(url["url"], address);
        assert_ne!(url["what"], "", "{url}");
        assert_eq!(url["reachable"], true, "{url}");
    }
    let others = ["Grafana", "pgAdmin", "processor"];
    assert!(
        urls.iter()
            .all(|url| !others.contains(&url["name"].as_str().unwrap())),
        "what is not started or publishes no port has no address: {answer}"
    );
}

#[test]
fn secrets_are_shown_when_asked_for_only() {
    let odd = shared();
    let file = odd
        .home()
        .join("instances")
        .join(odd.name())
        .join("credentials.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let password = file["variables"]["RABBITMQ_PASSWORD"].as_str().unwrap();
    let plain = odd.run(["urls"]).expect_code(0);
    assert!(!format!("{plain:?}").contains(password));
    let shown = odd
        .run(["urls", "--show-secrets", "-o", "json"])
        .expect_code(0)
        .json();
    let secrets = shown["secrets"].as_array().unwrap();
    let of = |name: &str| secrets.iter().find(|secret| secret["name"] == name);
    assert_eq!(of("grafana"), None, "it does not run");
    let rabbitmq = of("rabbitmq").unwrap();
    assert_eq!(
        (&rabbitmq["user"], &rabbitmq["secret"]),
        (&"odd".into(), &password.into())
    );
}

#[test]
fn logs_are_of_every_service_or_of_those_that_are_named() {
    let odd = shared();
    let all = odd.run(["logs", "--tail", "2", "-o", "ndjson"]).expect_code(0);
    let lines = documents(&all.stdout);
    let of = |service: &str| lines.iter().filter(|line| line["service"] == service).count();
    for service in ["gateway", "processor", "rabbitmq", "postgres"] {
        assert!((1..=2).contains(&of(service)), "{service}: {}", all.stdout);
    }
    let one = odd
        .run(["logs", "gateway", "redis", "-o", "ndjson"])
        .expect_code(0);
    let lines = documents(&one.stdout);
    assert!(
        lines
            .iter()
            .all(|line| line["service"] == "gateway" || line["service"] == "redis")
    );
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{}", one.stdout);
    let text = odd.run(["logs", "gateway"]).expect_code(0).stdout;
    assert!(
        text.lines().any(|line| line.contains("INFO  gateway")),
        "JSON is readable: {text}"
    );
    let unknown = odd.run(["logs", "gatewy"]).expect_code(2);
    assert!(unknown.stderr.contains("gateway"), "{unknown:?}");
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_does_nothing() {
    let odd = shared();
    let before = odd.project().containers();
    let plan = odd
        .run(["up", "--dry-run", "--scale", "metrics-engine=2", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(
        (&plan["state"], &plan["changed"]),
        (&"planned".into(), &false.into())
    );
    let steps = plan["plan"]["containers"].as_array().unwrap();
    let of = |action: &str| steps.iter().filter(|step| step["action"] == action).count();
    assert_eq!((of("create"), of("keep")), (1, before.len()), "{plan}");
    let text = odd
        .run(["up", "--dry-run", "--scale", "metrics-engine=2"])
        .expect_code(0);
    assert!(text.stdout.contains("create"), "{text:?}");
    assert!(text.stderr.contains("nothing was changed"), "{text:?}");
    assert_eq!(odd.project().containers(), before);
}

#[test]
fn an_instance_keeps_its_engine() {
    let odd = shared();
    let other = odd.run(["up", "--engine", "embedded"]).expect_code(3);
    assert!(other.stderr.contains("it runs on the docker engine"), "{other:?}");
    assert!(other.stderr.contains("try: odd down --instance"), "{other:?}");
    let mut by_environment = odd.command(["up"]);
    let other = Instance::output(by_environment.env("ODD_ENGINE", "embedded")).expect_code(3);
    assert!(other.stderr.contains("environment ODD_ENGINE"), "{other:?}");
}

#[test]
fn the_doctor_knows_the_stack_that_runs() {
    let odd = shared();
    let answer = odd
        .run(["doctor", "--engine", "docker", "-o", "json"])
        .expect_code(0)
        .json();
    let checks = answer["checks"].as_array().unwrap();
    let check = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
    for name in [
        "docker",
        "docker resources",
        "images",
        "port of gateway",
        "port of prometheus",
    ] {
        assert_ne!(check(name)["state"], "failed", "{answer}");
    }
    let instance = check(&format!("instance {}", odd.name()));
    assert!(
        instance["detail"].as_str().unwrap().contains("runs on Docker"),
        "{instance}"
    );
    let port = check("port of gateway")["detail"].as_str().unwrap();
    assert!(port.contains("in use by this instance"), "{port}");
}

#[test]
fn a_page_is_opened_or_its_address_printed() {
    let odd = shared();
    let mut over_ssh = odd.command(["open", "prometheus"]);
    let printed = Instance::output(over_ssh.env("SSH_CONNECTION", "there")).expect_code(0);
    assert_eq!(printed.stdout.trim(), odd.address(9_090));
    let unknown = odd.run(["open", "nothing"]).expect_code(2);
    assert!(
        unknown.stderr.contains("rabbitmq"),
        "the pages are named: {unknown:?}"
    );
}
