//! Every query against a Prometheus that has watched real jobs: it is PromQL, it returns figures, and every metric that it
//! names exists. An empty panel is the commonest defect of dashboards, and one that no checker of files finds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use odd_contracts::Role;
use odd_contracts::alert::condition;
use odd_contracts::names::metric;
use odd_testkit::wait_for;

use super::dashboards::{Dashboard, Query, all, repository};
use super::jobs::Jobs;
use super::prometheus::Prometheus;
use super::promql;
use crate::bed;

/// Port of Prometheus.
const PROMETHEUS: u16 = 9090;
/// Longest time until everything has figures: RabbitMQ counts every five seconds, figures over a minute come sooner.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// What Prometheus scrapes besides the roles.
const SERVERS: [&str; 4] = ["rabbitmq", "rabbitmq-queues", "prometheus", "alertmanager"];

/// Queries without an answer while all is well, and why. The tests of the rules prove that there is one otherwise.
const EMPTY_WHEN_WELL: [(&str, &str); 3] = [
    (
        "ALERTS{alertstate=~\"pending|firing\"}",
        "the table of alerts: there are none",
    ),
    (
        "histogram_quantile(0.5, sum by (le) (rate(web_terminal_echo_seconds_bucket{job=\"web\", instance=~\"$instance\"}[$__rate_interval])))",
        "the web terminal: nobody presses a key",
    ),
    (
        "histogram_quantile(0.99, sum by (le) (rate(web_terminal_echo_seconds_bucket{job=\"web\", instance=~\"$instance\"}[$__rate_interval])))",
        "the web terminal: nobody presses a key",
    ),
];

/// Figures that what [`Jobs::of_every_fate`] does has to move.
const MOVED: [&str; 12] = [
    "odd:jobs_submitted:rate1m",
    "odd:jobs_accepted:rate1m",
    "odd:jobs_rejected:rate1m",
    "odd:jobs_completed:rate1m",
    "odd:jobs_failed:rate1m",
    "odd:jobs_cancelled:rate1m",
    "odd:jobs_retried:rate1m",
    "odd:jobs_ended:rate1m",
    "odd:events_recorded:rate1m{event_type=\"job.completed\"}",
    "odd:messages_dead_lettered:rate1m{reason=\"not_json\"}",
    "odd:queue_ready:messages{queue=\"jobs.dead-letter\"}",
    "odd:job_latency_seconds:p50_1m",
];

/// Every metric of the roles that has a name in the contracts.
const OURS: [&str; 34] = [
    metric::GATEWAY_SUBMITTED,
    metric::GATEWAY_ACCEPTED,
    metric::GATEWAY_REJECTED,
    metric::GATEWAY_EVENTS_DROPPED,
    metric::GATEWAY_CONFIRM_SECONDS,
    metric::PROCESSOR_PROCESSED,
    metric::PROCESSOR_COMPLETED,
    metric::PROCESSOR_FAILED,
    metric::PROCESSOR_CANCELLED,
    metric::PROCESSOR_RETRIED,
    metric::PROCESSOR_VALIDATION_FAILED,
    metric::PROCESSOR_SECONDS,
    metric::PROCESSOR_RUNNING,
    metric::PROCESSOR_SLOTS,
    metric::PROCESSOR_QUEUE_WAIT_SECONDS,
    metric::PROCESSOR_LATENCY_SECONDS,
    metric::ENGINE_RECORDED,
    metric::ENGINE_DUPLICATES,
    metric::DEAD_LETTERED,
    metric::READ_MODEL_STREAMS,
    metric::READY,
    metric::DEPENDENCY_UP,
    metric::DEPENDENCY_SECONDS,
    metric::BUILD_INFO,
    metric::WEB_OPEN,
    metric::WEB_PASSED,
    metric::WEB_SECONDS,
    metric::WEB_TERMINAL_SESSIONS,
    metric::WEB_TERMINAL_STARTED,
    metric::WEB_TERMINAL_ENDED,
    metric::WEB_TERMINAL_REFUSED,
    metric::WEB_TERMINAL_BYTES,
    metric::WEB_TERMINAL_DROPPED,
    metric::WEB_TERMINAL_ECHO_SECONDS,
];

#[tokio::test]
async fn every_role_and_server_is_a_target_that_answers() {
    let prometheus = prometheus();
    let expected: BTreeSet<&str> = Role::ALL.into_iter().map(Role::name).chain(SERVERS).collect();
    wait_for(PATIENCE, "every target to answer", || async {
        let targets = prometheus.targets().await;
        let jobs: BTreeSet<&str> = targets.iter().map(|(job, _)| job.as_str()).collect();
        let up = targets.iter().all(|(_, health)| health == "up");
        (up && jobs == expected).then_some(())
    })
    .await;
    wait_for(PATIENCE, "Alertmanager to be known", || async {
        (prometheus.alertmanagers().await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn rules_are_well_and_know_every_role() {
    let prometheus = prometheus();
    wait_for(PATIENCE, "every rule to be evaluated", || async {
        let rules = prometheus.rules().await;
        let bad = rules.iter().find(|rule| !rule.error.is_empty());
        assert!(bad.is_none(), "{bad:?}");
        rules.iter().all(|rule| rule.health == "ok").then_some(())
    })
    .await;
    let roles = prometheus.label_values("job", Some("odd:roles")).await;
    let expected: BTreeSet<String> = Role::ALL.into_iter().map(|role| role.name().to_owned()).collect();
    assert_eq!(roles, expected, "the rules know these roles");
    let alerts: BTreeSet<String> = prometheus
        .rules()
        .await
        .into_iter()
        .filter_map(|rule| rule.alerting.then_some(rule.name))
        .collect();
    assert_eq!(
        alerts,
        BTreeSet::from(condition::ALL.map(str::to_owned)),
        "the alerts are those of every engine"
    );
}

#[tokio::test]
async fn every_panel_variable_and_rule_has_figures_and_every_metric_exists() {
    let stack = bed::shared();
    let (prometheus, jobs) = (prometheus(), Jobs::on(stack));
    let mut unanswered = questions(&prometheus).await;
    let may_be_empty = may_be_empty();
    for query in &may_be_empty {
        let _ = answer(&prometheus, query).await;
    }
    let named: BTreeSet<String> = unanswered
        .iter()
        .chain(&may_be_empty)
        .flat_map(|query| promql::metrics(&query.expanded()))
        .collect();
    assert!(
        unanswered.len() > 100,
        "only {} queries were found",
        unanswered.len()
    );

    let end = Instant::now() + PATIENCE;
    loop {
        jobs.of_every_fate().await;
        unanswered = without_answer(&prometheus, unanswered).await;
        if unanswered.is_empty() {
            break;
        }
        assert!(Instant::now() < end, "no figures for\n{}", listed(&unanswered));
        tokio::time::sleep(LOOK).await;
    }
    variables_have_values(&prometheus).await;
    exist(&prometheus, named).await;
}

/// Queries of all panels, and both sides of all rules.
async fn questions(prometheus: &Prometheus) -> Vec<Query> {
    let panels = all().into_iter().flat_map(|dashboard| dashboard.queries());
    let figures = prometheus.rules().await.into_iter().filter(|rule| !rule.alerting);
    let rules = figures.flat_map(|rule| {
        let of = format!("rule {}", rule.name);
        [rule.query, rule.name].map(|expr| Query { of: of.clone(), expr })
    });
    let moved = MOVED.map(|figure| Query {
        of: "what was done".to_owned(),
        expr: format!("{figure} > 0"),
    });
    panels
        .chain(rules)
        .chain(moved)
        .filter(|query| !EMPTY_WHEN_WELL.iter().any(|(expr, _)| query.expr == *expr))
        .collect()
}

/// Queries that are about trouble, and so without an answer where there is none: of annotations, of the table of alerts, and those
/// that the runbooks advise.
fn may_be_empty() -> Vec<Query> {
    let annotations = all().into_iter().flat_map(|dashboard| dashboard.annotations());
    let well = EMPTY_WHEN_WELL.into_iter().map(|(expr, why)| Query {
        of: why.to_owned(),
        expr: expr.to_owned(),
    });
    annotations.chain(well).chain(runbooks()).collect()
}

/// Expressions in the tables of the runbooks.
fn runbooks() -> Vec<Query> {
    let text = std::fs::read_to_string(repository().join("docs/runbooks.md")).unwrap();
    let mut inside = false;
    let mut queries = Vec::new();
    for line in text.lines() {
        inside = line.starts_with("| expression |") || (inside && line.starts_with('|'));
        let expr = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |"));
        if let (true, Some((expr, _))) = (inside, expr) {
            queries.push(Query {
                of: "a runbook".to_owned(),
                expr: expr.to_owned(),
            });
        }
    }
    assert!(queries.len() > 10, "the runbooks advise expressions");
    queries
}

async fn without_answer(prometheus: &Prometheus, queries: Vec<Query>) -> Vec<Query> {
    let mut left = Vec::new();
    for query in queries {
        if answer(prometheus, &query).await == 0 {
            left.push(query);
        }
    }
    left
}

/// How many samples that are numbers the query returns; it has to be PromQL.
async fn answer(prometheus: &Prometheus, query: &Query) -> usize {
    let expr = query.expanded();
    match prometheus.query(&expr).await {
        Ok(samples) => samples,
        Err(error) => panic!("{}: {expr}: {error}", query.of),
    }
}

async fn variables_have_values(prometheus: &Prometheus) {
    for (query, label) in all().iter().flat_map(Dashboard::fillings) {
        let values = prometheus.label_values(&label, Some(&query.expr)).await;
        assert!(!values.is_empty(), "{}: no {label} of {}", query.of, query.expr);
    }
}

/// Every metric that is named anywhere exists, and so does every one that the roles say they have.
async fn exist(prometheus: &Prometheus, mut named: BTreeSet<String>) {
    let existing = prometheus.label_values("__name__", None).await;
    // Exists from the first alert on.
    named.remove("ALERTS");
    let missing: Vec<_> = named.difference(&existing).collect();
    assert!(missing.is_empty(), "nobody has these metrics: {missing:?}");
    for name in OURS {
        let there = existing.contains(name) || existing.contains(&format!("{name}_bucket"));
        assert!(there, "no role has the metric {name}");
    }
}

fn listed(queries: &[Query]) -> String {
    let lines = queries
        .iter()
        .map(|query| format!("{}: {}", query.of, query.expanded()));
    lines.collect::<Vec<_>>().join("\n")
}

fn prometheus() -> Prometheus {
    Prometheus::at(&bed::shared().address(PROMETHEUS))
}
