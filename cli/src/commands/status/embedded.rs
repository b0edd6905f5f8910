//! An instance of the embedded engine.

use odd_contracts::Timestamp;
use odd_engine::embedded::{self, InstanceState, RoleState, RoleStatus};
use serde::Serialize;

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
    engine: &'a str,
    state: InstanceState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    roles: &'a [RoleStatus],
}

/// Asks and prints. Tells whether every role takes work.
pub(super) async fn run(context: &Context) -> Result<bool, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let status = embedded::status(&context.instance)
        .await
        .map_err(|e| Error::from_engine(format!("examine the instance {name}"), e, name))?;
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: name,
            engine: embedded::NAME,
            state: status.state,
            pid: status.process.as_ref().map(|p| p.pid),
            release: status.process.as_ref().map(|p| p.release.as_str()),
            started_at: status.started_at(),
            roles: &status.roles,
        })?;
    } else {
        printer.line(&headline(printer, name, &status));
        printer.table(&[], status.roles.iter().map(|role| row(printer, role)));
        advise(context, &status);
    }
    Ok(status.state == InstanceState::Running)
}

/// How a state of an instance is shown.
pub(super) fn shown(state: InstanceState) -> (Glyph, Tone, &'static str) {
    match state {
        InstanceState::Running => (Glyph::Ok, Tone::Ok, "running"),
        InstanceState::Degraded => (Glyph::Warn, Tone::Attention, "degraded"),
        InstanceState::Stopped => (Glyph::Waiting, Tone::Waiting, "stopped"),
    }
}

/// How a state of a role is shown.
pub(super) fn shown_role(state: RoleState) -> (Glyph, Tone, &'static str) {
    match state {
        RoleState::Ready => (Glyph::Ok, Tone::Ok, "ready"),
        RoleState::Unready => (Glyph::Warn, Tone::Attention, "not ready"),
        RoleState::Unreachable => (Glyph::Bad, Tone::Bad, "no answer"),
        RoleState::Stopped => (Glyph::Waiting, Tone::Waiting, "stopped"),
    }
}

fn headline(printer: &Printer, name: &str, status: &embedded::Status) -> String {
    let (glyph, tone, word) = shown(status.state);
    let state = printer.paint(tone, word);
    let mut line = format!(
        "{} {name} {state}   {}",
        printer.mark(glyph, tone),
        embedded::NAME
    );
    if let Some(process) = &status.process {
        let since = format::age(process.started_at, Timestamp::now());
        line.push_str(&format!("   process {}   started {since}", process.pid));
    }
    line
}

fn row(printer: &Printer, role: &RoleStatus) -> Vec<String> {
    let (glyph, tone, word) = shown_role(role.state);
    vec![
        format!("  {} {}", printer.mark(glyph, tone), role.role),
        printer.paint(tone, word),
        role.url.clone(),
        role.detail.clone().unwrap_or_default(),
    ]
}

fn advise(context: &Context, status: &embedded::Status) {
    let (printer, of) = (&context.printer, of_instance(context.instance_name()));
    if let Some(pid) = status.stale_pid {
        printer.warn(&format!(
            "process {pid} ended without clearing up; `odd up{of}` takes over its data"
        ));
    }
    match status.state {
        InstanceState::Running => {}
        InstanceState::Degraded => printer.note(&format!("next: odd logs{of} --tail 50")),
        InstanceState::Stopped => printer.note(&format!("next: odd up{of}")),
    }
}
