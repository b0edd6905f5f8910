//! The checks: one table, one file a subject.

mod alerts;
mod counters;
mod jobs;
mod many;
mod observability;
mod promise;
mod reading;
mod refusals;
mod repetition;
mod roles;
mod schemas;

use odd_contracts::Role;
use serde_json::{Value, json};

use super::run::{Check, Phase};
use crate::engine::Engine;

/// Type of the jobs that the gate submits. One and the same, because types are labels of metrics.
const JOB_TYPE: &str = "odd-test";

/// What the checks are chosen by.
pub(super) struct Scope {
    /// Roles that can be called from here.
    pub(super) called: Vec<Role>,
    /// What the instance runs on: parts in containers and pods are restarted one by one, containers are also stopped and started.
    pub(super) engine: Engine,
    /// Whether it has a Prometheus.
    pub(super) prometheus: bool,
    /// Whether parts may be stopped and jobs may fail in numbers.
    pub(super) disturb: bool,
}

/// Every check: phases, and in each the checks in the order in which results are listed. Slow ones begin first.
pub(super) fn all(scope: &Scope) -> Vec<Phase> {
    let mut phases = Vec::new();
    if scope.prometheus {
        // Alone, so that what is counted is known exactly.
        let name = "metrics in Prometheus agree with the counters";
        phases.push(vec![Check::new("observability", name, observability::agree)]);
    }
    let mut checks = jobs();
    checks.extend(interface());
    if scope.prometheus {
        checks.extend(observability());
    }
    for role in Role::ALL {
        checks.extend(of_role(role, scope.called.contains(&role)));
    }
    phases.push(checks);
    if scope.disturb {
        phases.push(disturbances(scope));
        let name = "odd verify finds nothing lost, stuck, doubled or drifted";
        // Of every job that the instance ever had, on a machine that has just been kept busy.
        phases.push(vec![Check::new("promise", name, promise::verified).steps(20)]);
    }
    phases
}

/// What breaks parts on purpose. Those that need a part wait for those that stop it.
fn disturbances(scope: &Scope) -> Vec<Check> {
    let rate = "JobFailureRateHigh fires when jobs fail, and is resolved";
    let mut checks = vec![Check::new("alerts", rate, alerts::failure_rate).steps(5)];
    if scope.engine == Engine::Embedded {
        let name = "nothing is lost when the process is restarted under load";
        checks.push(Check::new("promise", name, promise::survives_restart_of_all).steps(2));
        return checks;
    }
    if scope.engine == Engine::Docker {
        let down = "ServiceDown fires when the processor is stopped, and is resolved";
        checks.push(Check::new("alerts", down, alerts::service_down).steps(5));
    }
    checks.extend(Role::ALL.map(|role| {
        let name = format!("{role}: nothing is lost when it is restarted under load");
        let check = Check::new("promise", name, move |gate| promise::survives_restart(gate, role));
        // Each waits for the others; those of the processor and of the read-model for the alerts as well.
        check.steps(6)
    }));
    checks
}

fn observability() -> Vec<Check> {
    let check = "observability";
    vec![
        Check::new(check, "every target of Prometheus is up", observability::targets),
        Check::new(
            check,
            "Prometheus knows Alertmanager",
            observability::alertmanager,
        ),
    ]
}

fn jobs() -> Vec<Check> {
    let check = "jobs";
    vec![
        Check::new(
            check,
            "a job that fails once is retried and completes",
            jobs::retries,
        ),
        Check::new(
            check,
            "a job that always fails ends FAILED with its error",
            jobs::fails,
        ),
        Check::new(check, "a job that takes too long times out", jobs::times_out),
        Check::new(check, "a delayed job does not run before its time", jobs::delayed),
        Check::new(check, "a job completes", jobs::completes),
        Check::new(check, "a scheduled job is cancelled", jobs::cancelled_scheduled),
        Check::new(check, "a running job is cancelled", jobs::cancelled_running),
        Check::new(check, "a hash job computes SHA-256", jobs::hashes),
        Check::new(check, "a repeated id makes no second job", repetition::duplicate),
        Check::new(
            check,
            "a repeated id with another payload is refused",
            repetition::conflict,
        ),
        Check::new(
            check,
            "a batch with a bad line accepts the others",
            repetition::batch,
        ),
        Check::new(check, "a retry is a new job linked to the old", repetition::retry),
        Check::new(
            check,
            "counters and metrics move by what was done",
            counters::move_by_what_is_done,
        ),
    ]
}

fn interface() -> Vec<Check> {
    let (refused, read) = ("refusals", "reading");
    vec![
        Check::new(
            refused,
            "an invalid submission is refused with each place",
            refusals::invalid,
        ),
        Check::new(refused, "malformed JSON is refused", refusals::malformed),
        Check::new(refused, "another content type is refused", refusals::content_type),
        Check::new(refused, "a body over 1 MiB is refused", refusals::too_large),
        Check::new(
            refused,
            "unknown paths and methods are refused",
            refusals::unknown,
        ),
        Check::new(
            read,
            "correlation ids are returned and kept",
            reading::correlation,
        ),
        Check::new(read, "lists find a job by type, status and id", reading::lists),
        Check::new(
            read,
            "the live stream delivers the events of a job",
            reading::stream,
        ),
        Check::new(
            read,
            "the overview knows roles, stores and queues",
            reading::overview,
        ),
        Check::new(read, "answers about jobs keep their schemas", schemas::jobs),
        Check::new(
            read,
            "answers about events and alerts keep their schemas",
            schemas::events,
        ),
        Check::new(read, "no metric carries a job id", counters::no_job_id),
        Check::new("roles", "every role runs the same version", roles::versions),
    ]
}

/// What every role serves. One that cannot be called from here is seen through the read-model and Prometheus.
fn of_role(role: Role, called: bool) -> Vec<Check> {
    let check = |what: &str| format!("{role}: {what}");
    let mut checks = vec![
        Check::new("roles", check("alive"), move |gate| roles::alive(gate, role)),
        Check::new("roles", check("ready"), move |gate| roles::ready(gate, role)),
        Check::new("roles", check("metrics are well-formed"), move |gate| {
            roles::metrics(gate, role)
        }),
    ];
    if called {
        checks.push(Check::new(
            "roles",
            check("OpenAPI document holds together"),
            move |gate| roles::openapi(gate, role),
        ));
        checks.push(Check::new(
            "roles",
            check("documentation is served"),
            move |gate| roles::docs(gate, role),
        ));
    }
    checks
}

/// A submission of the gate's own type.
fn submission(payload: Value, options: Value) -> Value {
    json!({ "type": JOB_TYPE, "payload": payload, "options": options })
}

/// The least submission.
fn plain() -> Value {
    submission(json!({}), json!({}))
}
