//! How pods end, and how many of them there are.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use odd_engine::kubernetes::Overlay;
use serde_json::{Value, json};

use crate::bed::{Break, container, each, holds, name, objects, of_kind, pod, read, selected, text};

/// Whole seconds that a constant of a source file says.
fn seconds(path: &str, constant: &str) -> u64 {
    let source = read(path);
    let said = source
        .split(&format!("const {constant}: Duration = Duration::from_secs("))
        .nth(1);
    let said = said.unwrap_or_else(|| panic!("{path} has no {constant} in seconds"));
    said.split(')').next().unwrap().parse().unwrap()
}

/// A role takes the work in hand to its end, notices that its time is over, and closes what it holds; before all of that, where requests come
/// from elsewhere, it waits until nobody sends new ones.
fn ends(objects: &[Value]) -> Vec<String> {
    let settings = of_kind(objects, "ConfigMap").into_iter();
    let mut settings = settings.filter(|map| name(map).starts_with("odd-settings"));
    let settings = settings.next().expect("there are settings");
    let in_hand: u64 = text(&settings["data"]["ODD_SHUTDOWN_SECONDS"]).parse().unwrap();
    let own =
        in_hand + seconds("cli/src/serve.rs", "MARGIN") + seconds("cli/src/serve/adapters.rs", "CLOSING");
    let services = of_kind(objects, "Service");
    each(objects, |workload, findings| {
        if container(workload)["args"][0] != "serve" {
            return;
        }
        let wait = container(workload)["lifecycle"]["preStop"]["sleep"]["seconds"]
            .as_u64()
            .unwrap_or(0);
        let grace = pod(workload)["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(30);
        findings.demand(grace >= wait + own, &format!("{wait} s and {own} s to end"));
        let balanced = format!("{}-balanced", name(workload));
        let asked = services.iter().any(|service| name(service) == balanced);
        findings.demand(
            !asked || wait > 0,
            "requests are routed to it: it waits before it ends",
        );
    })
}

#[test]
fn a_role_has_the_time_that_it_takes_to_end() {
    let breaks: Vec<Break> = vec![
        (
            "Deployment",
            "gateway",
            "/spec/template/spec/terminationGracePeriodSeconds",
            Some(json!(15)),
            "gateway: 5 s and 13 s",
        ),
        (
            "Deployment",
            "processor",
            "/spec/template/spec/terminationGracePeriodSeconds",
            Some(json!(10)),
            "processor: 0 s and 13 s",
        ),
        (
            "Deployment",
            "web",
            "/spec/template/spec/containers/0/lifecycle",
            None,
            "web: requests are routed",
        ),
    ];
    holds(ends, &breaks);
}

/// Whatever may be there several times is taken one at a time where a node is emptied.
fn budgets(objects: &[Value]) -> Vec<String> {
    let budgets = of_kind(objects, "PodDisruptionBudget");
    let mut found = each(objects, |workload, findings| {
        let once = workload["spec"]["replicas"] == 1;
        let of_it = budgets.iter().filter(|budget| {
            let selected = selected(objects, &budget["spec"]["selector"]);
            selected.len() == 1 && name(selected[0]) == findings.of
        });
        let of_it: Vec<_> = of_it.collect();
        findings.demand(
            once != (of_it.len() == 1),
            "one budget where there may be several pods, else none",
        );
        let one = |budget: &&&Value| budget["spec"]["maxUnavailable"] == 1;
        findings.demand(of_it.iter().all(one), "one pod at a time");
    });
    let idle = budgets
        .iter()
        .filter(|budget| selected(objects, &budget["spec"]["selector"]).is_empty());
    found.extend(idle.map(|budget| format!("the budget {} is for nobody", name(budget))));
    found
}

#[test]
fn what_runs_several_times_has_a_disruption_budget() {
    let labels = "/spec/selector/matchLabels";
    let breaks: Vec<Break> = vec![
        (
            "PodDisruptionBudget",
            "web",
            labels,
            Some(json!({"app.kubernetes.io/name": "none"})),
            "web: one budget",
        ),
        (
            "PodDisruptionBudget",
            "web",
            labels,
            Some(json!({"app.kubernetes.io/name": "none"})),
            "is for nobody",
        ),
        (
            "PodDisruptionBudget",
            "web",
            "/spec/maxUnavailable",
            Some(json!(2)),
            "web: one pod at a time",
        ),
        (
            "StatefulSet",
            "redis",
            "/spec/replicas",
            Some(json!(3)),
            "redis: one budget",
        ),
    ];
    holds(budgets, &breaks);
}

/// In production nothing of the roles is there only once for long.
#[test]
fn every_role_of_production_runs_twice() {
    let objects = objects(Overlay::Production);
    let scalers = [
        of_kind(objects, "HorizontalPodAutoscaler"),
        of_kind(objects, "ScaledObject"),
    ]
    .concat();
    for workload in of_kind(objects, "Deployment") {
        let spec = &workload["spec"];
        let scaler = scalers
            .iter()
            .find(|it| it["spec"]["scaleTargetRef"]["name"] == name(workload));
        let least = match scaler {
            Some(scaler) => {
                assert!(spec.get("replicas").is_none(), "{} is scaled", name(workload));
                let spec = &scaler["spec"];
                spec.get("minReplicas").or(spec.get("minReplicaCount"))
            }
            None => spec.get("replicas"),
        };
        assert_eq!(least, Some(&json!(2)), "{}", name(workload));
    }
}
