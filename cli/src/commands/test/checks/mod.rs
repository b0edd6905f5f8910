//! The checks: one table, one file a subject.

mod counters;
mod jobs;
mod reading;
mod refusals;
mod repetition;
mod roles;
mod schemas;

use odd_contracts::Role;
use serde_json::{Value, json};

use super::run::Check;

/// Type of the jobs that the gate submits. One and the same, because types are labels of metrics.
const JOB_TYPE: &str = "odd-test";

/// Every check, in the order in which results are listed. Slow ones begin first.
pub(super) fn all() -> Vec<Check> {
    let mut checks = jobs();
    checks.extend(interface());
    for role in Role::ALL {
        checks.extend(of_role(role));
    }
    checks
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

fn of_role(role: Role) -> Vec<Check> {
    let check = |what: &str| format!("{role}: {what}");
    vec![
        Check::new("roles", check("alive"), move |gate| roles::alive(gate, role)),
        Check::new("roles", check("ready"), move |gate| roles::ready(gate, role)),
        Check::new("roles", check("metrics are well-formed"), move |gate| {
            roles::metrics(gate, role)
        }),
        Check::new("roles", check("OpenAPI document holds together"), move |gate| {
            roles::openapi(gate, role)
        }),
        Check::new("roles", check("documentation is served"), move |gate| {
            roles::docs(gate, role)
        }),
    ]
}

/// A submission of the gate's own type.
fn submission(payload: Value, options: Value) -> Value {
    json!({ "type": JOB_TYPE, "payload": payload, "options": options })
}

/// The least submission.
fn plain() -> Value {
    submission(json!({}), json!({}))
}
