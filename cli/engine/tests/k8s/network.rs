//! Who may speak to whom: nobody but where both sides say so.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bed::{Break, container, holds, items, name, of_kind, selected};

/// From whom, to whom, by which port.
type Edge = (String, String, u64);

/// What a side of the policies permits between pods of the namespace. Other namespaces and networks say nothing here.
fn edges(objects: &[Value], side: &str, peer: &str) -> BTreeSet<Edge> {
    let mut all = BTreeSet::new();
    for policy in of_kind(objects, "NetworkPolicy") {
        let own = selected(objects, &policy["spec"]["podSelector"]);
        for rule in items(&policy["spec"][side]) {
            let peers = items(&rule[peer]).iter();
            let within = peers.filter(|peer| peer.get("namespaceSelector").is_none());
            for peer in within.filter_map(|peer| peer.get("podSelector")) {
                for (other, port) in pairs(objects, peer, rule) {
                    for own in &own {
                        let (from, to) = match side {
                            "egress" => (name(own), other.as_str()),
                            _ => (other.as_str(), name(own)),
                        };
                        all.insert((from.to_owned(), to.to_owned(), port));
                    }
                }
            }
        }
    }
    all
}

fn pairs(objects: &[Value], peer: &Value, rule: &Value) -> Vec<(String, u64)> {
    let ports: Vec<u64> = items(&rule["ports"])
        .iter()
        .map(|port| port["port"].as_u64().unwrap())
        .collect();
    let others = selected(objects, peer);
    let both = others
        .iter()
        .flat_map(|other| ports.iter().map(|port| (name(other).to_owned(), *port)));
    both.collect()
}

fn ports(workload: &Value) -> BTreeSet<u64> {
    let ports = items(&container(workload)["ports"]).iter();
    ports
        .map(|port| port["containerPort"].as_u64().unwrap())
        .collect()
}

fn both_sides(objects: &[Value]) -> Vec<String> {
    let (leaving, coming) = (edges(objects, "egress", "to"), edges(objects, "ingress", "from"));
    let one = leaving
        .difference(&coming)
        .map(|edge| format!("{edge:?} may leave and not come in"));
    let other = coming
        .difference(&leaving)
        .map(|edge| format!("{edge:?} may come in and not leave"));
    one.chain(other).collect()
}

#[test]
fn what_may_leave_may_come_in_and_the_other_way() {
    let breaks: Vec<Break> = vec![
        (
            "NetworkPolicy",
            "to-redis",
            "/spec/egress",
            Some(json!([])),
            "(\"read-model\", \"redis\", 6379) may come in and not leave",
        ),
        (
            "NetworkPolicy",
            "redis",
            "/spec/ingress",
            Some(json!([])),
            "(\"read-model\", \"redis\", 6379) may leave and not come in",
        ),
        (
            "NetworkPolicy",
            "grafana",
            "/spec/egress/0/ports/0/port",
            Some(json!(9091)),
            "(\"grafana\", \"prometheus\", 9091) may leave",
        ),
    ];
    holds(both_sides, &breaks);
}

fn meaning(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let workloads = crate::bed::workloads(objects);
    for (from, to, port) in edges(objects, "ingress", "from") {
        let there = workloads.iter().find(|workload| name(workload) == to).unwrap();
        if !ports(there).contains(&port) {
            found.push(format!("{from} may ask {to} on {port}, where nobody listens"));
        }
    }
    for policy in of_kind(objects, "NetworkPolicy") {
        let own = selected(objects, &policy["spec"]["podSelector"]);
        if own.is_empty() {
            found.push(format!("the policy {} is for nobody", name(policy)));
        }
        for (side, peer) in [("ingress", "from"), ("egress", "to")] {
            for rule in items(&policy["spec"][side]) {
                let empty = items(&rule[peer]).is_empty() || items(&rule["ports"]).is_empty();
                let named = items(&rule[peer])
                    .iter()
                    .filter(|it| it.get("namespaceSelector").is_none());
                let named: Vec<_> = named.filter_map(|peer| peer.get("podSelector")).collect();
                if empty || named.iter().any(|peer| selected(objects, peer).is_empty()) {
                    found.push(format!(
                        "a rule of the policy {} is for everybody, or for nobody",
                        name(policy)
                    ));
                }
            }
        }
    }
    found
}

#[test]
fn every_rule_names_somebody_who_is_there() {
    let breaks: Vec<Break> = vec![
        (
            "NetworkPolicy",
            "redis",
            "/spec/ingress/0/ports/0/port",
            Some(json!(6380)),
            "may ask redis on 6380, where nobody listens",
        ),
        (
            "NetworkPolicy",
            "redis",
            "/spec/podSelector/matchLabels/app.kubernetes.io~1name",
            Some(json!("rediss")),
            "the policy redis is for nobody",
        ),
        (
            "NetworkPolicy",
            "grafana",
            "/spec/egress/0/to",
            Some(json!([])),
            "a rule of the policy grafana",
        ),
        (
            "NetworkPolicy",
            "grafana",
            "/spec/egress/0/to/0/podSelector/matchLabels/app.kubernetes.io~1name",
            Some(json!("x")),
            "a rule of the policy grafana",
        ),
    ];
    holds(meaning, &breaks);
}

/// Without a policy that takes every pod, one that no policy names would be open.
fn closed(objects: &[Value]) -> Vec<String> {
    let all = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let policies = of_kind(objects, "NetworkPolicy");
    match policies.iter().any(|policy| policy["spec"] == all) {
        true => Vec::new(),
        false => vec!["nothing closes what no policy names".to_owned()],
    }
}

#[test]
fn what_no_policy_names_is_closed() {
    let breaks: Vec<Break> = vec![
        (
            "NetworkPolicy",
            "default-deny",
            "/spec/policyTypes",
            Some(json!(["Ingress"])),
            "nothing closes",
        ),
        (
            "NetworkPolicy",
            "default-deny",
            "/spec/egress",
            Some(json!([{}])),
            "nothing closes",
        ),
    ];
    holds(closed, &breaks);
}

/// Whoever comes from outside comes by a port that each of those who are asked has.
#[test]
fn an_ingress_controller_reaches_those_it_routes_to() {
    for overlay in odd_engine::kubernetes::Overlay::ALL {
        let objects = crate::bed::objects(overlay);
        let policies = of_kind(objects, "NetworkPolicy");
        let policy = policies
            .iter()
            .find(|policy| name(policy) == "from-ingress")
            .unwrap();
        let rules = items(&policy["spec"]["ingress"]);
        let open: BTreeSet<u64> = rules
            .iter()
            .flat_map(|rule| {
                items(&rule["ports"])
                    .iter()
                    .map(|port| port["port"].as_u64().unwrap())
            })
            .collect();
        for workload in selected(objects, &policy["spec"]["podSelector"]) {
            assert!(
                !ports(workload).is_disjoint(&open),
                "{overlay}: {}",
                name(workload)
            );
        }
    }
}
