//! An instance of the Docker engine: its containers as the engine sees them, and its roles as they answer.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use odd_client::{HttpOptions, ReadModel};
use odd_contracts::{Role, Timestamp};
use odd_engine::docker::{self, ContainerStatus, StackStatus};
use odd_engine::embedded::{InstanceState, RoleState, readiness};
use serde::Serialize;

use super::embedded::{shown, shown_role};
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::format;
use crate::output::{Glyph, Printer, Tone};

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    engine: &'static str,
    state: InstanceState,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    roles: &'a [RoleRow],
    containers: &'a [ContainerStatus],
    orphans: &'a [String],
}

/// One role, whatever the number of its containers.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RoleRow {
    role: Role,
    state: RoleState,
    /// Where it can be called from this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    replicas: usize,
    /// Version that it says it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Time that the read-model may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks and prints. Tells whether every part works.
pub(super) async fn run(context: &Context) -> Result<bool, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let status = docker::status(&context.instance)
        .await
        .map_err(|e| Error::from_engine(format!("examine the instance {name}"), e, name))?;
    let versions = versions(context, &status).await;
    let asked = Role::ALL
        .into_iter()
        .map(|role| role_row(context, &status, role, &versions));
    let roles: Vec<RoleRow> = join_all(asked).await.into_iter().flatten().collect();
    let state = state_of(&status, &roles);
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: name,
            engine: docker::NAME,
            state,
            release: status.stack.as_ref().map(|stack| stack.release.as_str()),
            started_at: started_at(state, &status),
            roles: &roles,
            containers: &status.containers,
            orphans: &status.orphans,
        })?;
    } else {
        printer.line(&headline(printer, name, state, &status));
        printer.table(&[], roles.iter().map(|role| of_role(printer, role)));
        let others = status
            .containers
            .iter()
            .filter(|container| container.service.parse::<Role>().is_err() || !container.is_well());
        printer.table(&[], others.map(|container| of_container(printer, container)));
        advise(context, state, &status, &roles);
    }
    Ok(state == InstanceState::Running)
}

/// What each role says that it runs, by way of the read-model, which watches those that publish no port.
async fn versions(context: &Context, status: &StackStatus) -> BTreeMap<Role, String> {
    if status.containers.is_empty() {
        return BTreeMap::new();
    }
    let options = HttpOptions {
        timeout: PATIENCE,
        ..HttpOptions::default()
    };
    let Ok(read_model) = ReadModel::with_options(&context.url(Role::ReadModel), options) else {
        return BTreeMap::new();
    };
    let overview = read_model.overview().await;
    let roles = overview.map(|overview| overview.roles).unwrap_or_default();
    let version = |role: odd_contracts::api::RoleHealth| Some((role.role, role.version?));
    roles.into_iter().filter_map(version).collect()
}

/// A role of the stack; none where the stack has no such service.
async fn role_row(
    context: &Context,
    status: &StackStatus,
    role: Role,
    versions: &BTreeMap<Role, String>,
) -> Option<RoleRow> {
    let of_role = |container: &&ContainerStatus| container.service == role.name();
    let containers: Vec<&ContainerStatus> = status.containers.iter().filter(of_role).collect();
    let published = status
        .stack
        .as_ref()
        .and_then(|stack| stack.ports.get(role.name()));
    let url = published.map(|port| format!("http://127.0.0.1:{port}"));
    if containers.is_empty() && url.is_none() {
        return None;
    }
    let (mut state, mut detail) = seen(&containers);
    if let (RoleState::Ready, Some(url)) = (state, &url) {
        (state, detail) = match readiness(url).await {
            Ok(None) => (RoleState::Ready, None),
            Ok(Some(reason)) => (RoleState::Unready, Some(reason)),
            Err(error) => (RoleState::Unreachable, Some(error.to_string())),
        };
    }
    let url = url.map(|_| context.url(role));
    Some(RoleRow {
        role,
        state,
        url,
        replicas: containers.len(),
        version: versions.get(&role).cloned(),
        detail,
    })
}

/// What the engine knows of the containers of a role.
fn seen(containers: &[&ContainerStatus]) -> (RoleState, Option<String>) {
    let unwell = containers.iter().find(|container| !container.is_well());
    match unwell {
        _ if containers.iter().all(|container| container.state == "exited") => (RoleState::Stopped, None),
        None => (RoleState::Ready, None),
        Some(container) => (RoleState::Unready, Some(condition(container))),
    }
}

/// A container's state in words.
fn condition(container: &ContainerStatus) -> String {
    let health = container
        .health
        .as_deref()
        .filter(|_| container.state == "running");
    let state = health.unwrap_or(&container.state);
    match &container.detail {
        Some(detail) => format!("{}: {detail}", container.name),
        None => format!("{} {state}", container.name),
    }
}

fn state_of(status: &StackStatus, roles: &[RoleRow]) -> InstanceState {
    let runs =
        |container: &ContainerStatus| matches!(container.state.as_str(), "running" | "restarting" | "paused");
    if !status.containers.iter().any(runs) {
        return InstanceState::Stopped;
    }
    let well = status.containers.iter().all(ContainerStatus::is_well);
    // One that was removed by hand has no container that could be unwell.
    let missing = status.missing().next().is_some();
    if well && !missing && roles.iter().all(|role| role.state == RoleState::Ready) {
        InstanceState::Running
    } else {
        InstanceState::Degraded
    }
}

fn headline(printer: &Printer, name: &str, state: InstanceState, status: &StackStatus) -> String {
    let (glyph, tone, word) = shown(state);
    let mut line = format!(
        "{} {name} {}   {}",
        printer.mark(glyph, tone),
        printer.paint(tone, word),
        docker::NAME
    );
    if let Some(stack) = &status.stack {
        let offline = if stack.offline { ", offline images" } else { "" };
        line.push_str(&format!("   {} containers{offline}", status.containers.len()));
    }
    if let Some(at) = started_at(state, status) {
        let since = format::age(at, Timestamp::now());
        line.push_str(&format!("   started {since}"));
    }
    line
}

/// When what runs was started. One that was stopped, or whose start failed, is not running since then.
fn started_at(state: InstanceState, status: &StackStatus) -> Option<Timestamp> {
    let stack = status.stack.as_ref()?;
    (state != InstanceState::Stopped).then_some(stack.started_at)
}

fn of_role(printer: &Printer, role: &RoleRow) -> Vec<String> {
    let (glyph, tone, word) = shown_role(role.state);
    let name = match role.replicas {
        0 | 1 => role.role.to_string(),
        many => format!("{} ({many})", role.role),
    };
    vec![
        format!("  {} {name}", printer.mark(glyph, tone)),
        printer.paint(tone, word),
        role.url.clone().unwrap_or_default(),
        role.detail.clone().unwrap_or_default(),
    ]
}

fn of_container(printer: &Printer, container: &ContainerStatus) -> Vec<String> {
    let (glyph, tone) = match (container.is_well(), container.state.as_str()) {
        (true, _) => (Glyph::Ok, Tone::Ok),
        (false, "running" | "created" | "paused") => (Glyph::Warn, Tone::Attention),
        (false, _) => (Glyph::Bad, Tone::Bad),
    };
    let state = container.health.as_deref().unwrap_or(&container.state);
    let mut detail = container.detail.clone().unwrap_or_default();
    if container.restarts > 0 {
        detail = format!("{detail}   restarted {} times", container.restarts);
    }
    let ports: Vec<String> = container
        .ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let number = match container.number {
        1 => String::new(),
        many => format!(" {many}"),
    };
    vec![
        format!("  {} {}{number}", printer.mark(glyph, tone), container.service),
        printer.paint(tone, state),
        ports.join(" "),
        detail.trim().to_owned(),
    ]
}

fn advise(context: &Context, state: InstanceState, status: &StackStatus, roles: &[RoleRow]) {
    let (printer, of) = (&context.printer, of_instance(context.instance_name()));
    let differing: Vec<String> = roles
        .iter()
        .filter_map(|role| Some((role.role, role.version.as_deref()?)))
        .filter(|(_, version)| *version != odd_contracts::VERSION)
        .map(|(role, version)| format!("{role} {version}"))
        .collect();
    if !differing.is_empty() {
        printer.warn(&format!(
            "this is version {}, it runs {}: `odd up{of}` brings them to this one",
            odd_contracts::VERSION,
            differing.join(", ")
        ));
    }
    if !status.orphans.is_empty() {
        printer.warn(&format!("not of this stack: {}", status.orphans.join(", ")));
    }
    match state {
        InstanceState::Running => {}
        InstanceState::Degraded => printer.note(&format!("next: odd logs{of} --tail 50")),
        InstanceState::Stopped => printer.note(&format!("next: odd up{of}")),
    }
}

#[cfg(test)]
mod tests {
    use odd_engine::docker::StackFile;

    use super::*;

    fn container(service: &str, state: &str, health: Option<&str>) -> ContainerStatus {
        ContainerStatus {
            service: service.to_owned(),
            number: 1,
            name: format!("x-{service}-1"),
            image: "image".to_owned(),
            state: state.to_owned(),
            health: health.map(str::to_owned),
            restarts: 0,
            exit_code: None,
            started_at: None,
            ports: Vec::new(),
            detail: None,
        }
    }

    #[test]
    fn a_stack_is_as_well_as_its_worst_container() {
        let of = |containers: Vec<ContainerStatus>| {
            let status = StackStatus {
                containers,
                ..StackStatus::default()
            };
            state_of(&status, &[])
        };
        let well = || container("redis", "running", Some("healthy"));
        assert_eq!(of(Vec::new()), InstanceState::Stopped);
        assert_eq!(of(vec![well()]), InstanceState::Running);
        assert_eq!(
            of(vec![well(), container("mongo", "running", Some("starting"))]),
            InstanceState::Degraded
        );
        assert_eq!(
            of(vec![well(), container("mongo", "exited", None)]),
            InstanceState::Degraded
        );
        assert_eq!(
            of(vec![container("mongo", "exited", None)]),
            InstanceState::Stopped
        );
    }

    #[test]
    fn what_does_not_run_was_not_started() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let stack = StackFile {
            version: StackFile::VERSION,
            engine: docker::NAME.to_owned(),
            project: "odd-x".to_owned(),
            host: "unix:///var/run/docker.sock".to_owned(),
            release: "1.0.0".to_owned(),
            started_at: at,
            offline: true,
            profiles: Vec::new(),
            scale: BTreeMap::new(),
            ports: BTreeMap::new(),
            containers: Vec::new(),
        };
        let status = StackStatus {
            stack: Some(stack),
            ..StackStatus::default()
        };
        assert_eq!(started_at(InstanceState::Stopped, &status), None);
        for state in [InstanceState::Running, InstanceState::Degraded] {
            assert_eq!(started_at(state, &status), Some(at));
        }
        assert_eq!(started_at(InstanceState::Running, &StackStatus::default()), None);
    }

    #[test]
    fn one_replica_that_is_not_well_makes_its_role_unready() {
        let (well, ill) = (
            container("processor", "running", Some("healthy")),
            container("processor", "restarting", None),
        );
        assert_eq!(seen(&[&well]), (RoleState::Ready, None));
        let (state, detail) = seen(&[&well, &ill]);
        assert_eq!(state, RoleState::Unready);
        assert_eq!(detail.as_deref(), Some("x-processor-1 restarting"));
    }
}
