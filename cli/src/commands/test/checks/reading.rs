//! What the read-model tells of a job, in every way it does.

use std::collections::BTreeSet;

use futures::StreamExt;
use odd_client::{EventQuery, JobQuery, RawRequest};
use odd_contracts::api::{HealthState, JobSummary};
use odd_contracts::names::{header, spine};
use odd_contracts::{JobAccepted, JobId, JobStatus, Role, Timestamp};
use uuid::Uuid;

use super::super::gate::{Gate, ensure, same, text};
use super::super::history::{ends, recorded};
use super::super::run::Outcome;
use super::jobs::AT_ONCE;
use super::{JOB_TYPE, plain};

impl Gate {
    /// Jobs of the gate's type whose id contains this text.
    pub(super) async fn listed(&self, id: &str) -> Result<Vec<JobSummary>, String> {
        let query = JobQuery {
            job_type: Some(JOB_TYPE.to_owned()),
            id_contains: Some(id.to_owned()),
            ..JobQuery::default()
        };
        Ok(self.read_model().jobs(&query).await.map_err(text)?.jobs)
    }

    /// Waits until every one of these jobs is COMPLETED.
    pub(super) async fn completed(&self, ids: &[JobId]) -> Result<(), String> {
        self.wait("every job to be COMPLETED", || async {
            let known = self.read_model().lookup(ids).await.map_err(text)?.jobs;
            let done = known
                .iter()
                .filter(|job| job.status == JobStatus::Completed)
                .count();
            if done == ids.len() {
                Ok(())
            } else {
                Err(format!("{done} of {}", ids.len()))
            }
        })
        .await
    }
}

pub(super) async fn correlation(gate: Gate) -> Outcome {
    let ours = format!("odd-test-{}", Uuid::new_v4());
    for role in gate.called() {
        let request = RawRequest::get("/healthz").header(header::CORRELATION_ID, &ours);
        let answer = gate.raw(role, request).await?;
        same(
            &format!("header of the {role}"),
            answer.header(header::CORRELATION_ID),
            &ours,
        )?;
        let made = gate.raw(role, RawRequest::get("/healthz")).await?;
        let made = made.header(header::CORRELATION_ID).to_owned();
        ensure(!made.is_empty(), || format!("the {role} makes no correlation id"))?;
    }
    let request = RawRequest::post("/jobs")
        .header(header::CORRELATION_ID, &ours)
        .json(plain().to_string());
    let answer = gate.raw(Role::Gateway, request).await?;
    let accepted: JobAccepted = answer.json().map_err(text)?;
    gate.note([accepted.job_id])?;
    same("header", answer.header(header::CORRELATION_ID), &ours)?;
    same(
        "correlation id of the acceptance",
        &accepted.correlation_id,
        &ours,
    )?;
    let location = format!("/jobs/{}", accepted.job_id);
    same("Location", answer.header("location"), &location)?;
    // `ends` holds the correlation id of each event against that of the job.
    let (job, timeline) = ends(&gate, accepted.job_id, JobStatus::Completed, &AT_ONCE).await?;
    same("correlation id of the job", &job.record.correlation_id, &ours)?;
    let query = EventQuery {
        correlation_id: Some(ours),
        ..EventQuery::default()
    };
    // A search goes no further than an event that another process is still writing; the history of a job does.
    let look = || async {
        let found = gate.read_model().events(&query).await.map_err(text)?.events;
        same(
            "events under the correlation id",
            found.len(),
            timeline.events.len(),
        )
    };
    gate.wait("every event under the correlation id", look).await?;
    Ok(format!("{} events under one id", timeline.events.len()))
}

pub(super) async fn lists(gate: Gate) -> Outcome {
    let before = Timestamp::now();
    let id = gate.submit(&plain()).await?.job_id;
    gate.reaches(id, JobStatus::Completed).await?;
    let with_type = |job_type: &str| JobQuery {
        job_type: Some(job_type.to_owned()),
        id_contains: Some(id.to_string()[9..].to_owned()),
        ..JobQuery::default()
    };
    let with_status = |status| JobQuery {
        statuses: vec![status],
        ..with_type(JOB_TYPE)
    };
    // Clocks of this machine and of the gateway may differ: a minute either way.
    let minute = std::time::Duration::from_secs(60);
    let lately = JobQuery {
        since: Some(before.minus(minute)),
        ..with_type(JOB_TYPE)
    };
    let long_ago = JobQuery {
        until: Some(before.minus(minute)),
        ..with_type(JOB_TYPE)
    };
    for (what, query, expected) in [
        ("its type", with_type(JOB_TYPE), true),
        ("another type", with_type("odd-test-none"), false),
        ("its status", with_status(JobStatus::Completed), true),
        ("another status", with_status(JobStatus::Failed), false),
        ("its time", lately, true),
        ("another time", long_ago, false),
    ] {
        let page = gate.read_model().jobs(&query).await.map_err(text)?;
        let found = page.jobs.iter().any(|job| job.id == id);
        ensure(found == expected, || {
            format!("searched by {what}, the job is found: {found}")
        })?;
    }
    let state = gate
        .read_model()
        .lookup(&[id, Uuid::new_v4()])
        .await
        .map_err(text)?;
    same("jobs of a lookup", state.jobs.len(), 1)?;
    Ok("type, status, time, id, lookup".to_owned())
}

/// The stream remembers a bounded number of events: under load, one that was published again may come again.
pub(super) async fn stream(gate: Gate) -> Outcome {
    let mut live = gate.read_model().stream(&[]).await.map_err(text)?;
    let id = gate.submit(&plain()).await?.job_id;
    let mut arrived = BTreeSet::new();
    let all: BTreeSet<_> = AT_ONCE.iter().map(|(event, _)| event.name()).collect();
    let collect = async {
        while !arrived.is_superset(&all) {
            let event = match live.next().await {
                Some(event) => event.map_err(text)?,
                None => return Err("the stream ended".to_owned()),
            };
            if event.job_id() == Some(id) {
                arrived.insert(event.event_type.name());
            }
        }
        Ok(())
    };
    let collected = tokio::time::timeout(gate.left(), collect).await;
    collected.unwrap_or_else(|_| Err(format!("only {arrived:?} came")))?;
    let timeline = recorded(&gate, id).await?;
    same("recorded events", timeline.events.len(), arrived.len())?;
    Ok(format!("{} events", arrived.len()))
}

pub(super) async fn overview(gate: Gate) -> Outcome {
    let look = || async {
        let overview = gate.read_model().overview().await.map_err(text)?;
        let roles: BTreeSet<Role> = overview.roles.iter().map(|role| role.role).collect();
        same("roles", roles, Role::ALL.into_iter().collect())?;
        for role in &overview.roles {
            same(
                &format!("state of the {}", role.role),
                role.state,
                HealthState::Healthy,
            )?;
        }
        for dependency in &overview.dependencies {
            same(
                &format!("state of {}", dependency.name),
                dependency.state,
                HealthState::Healthy,
            )?;
        }
        let queues: BTreeSet<&str> = overview.queues.iter().map(|queue| queue.name.as_str()).collect();
        for queue in spine::QUEUES {
            ensure(queues.contains(queue), || {
                format!("queue {queue} is not among {queues:?}")
            })?;
        }
        Ok((overview.dependencies.len(), overview.engine))
    };
    // What it shows is looked up every few seconds; just started, it may not have looked yet.
    let (dependencies, engine) = gate.wait("a healthy overview", look).await?;
    Ok(format!("{engine}, {dependencies} dependencies healthy"))
}
