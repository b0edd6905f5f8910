//! Pages that a person can open: those of the registry that the instance has, and where.

use odd_contracts::ui::{self, UiEntry};
use odd_engine::docker::StackFile;
use serde::Serialize;

use crate::context::Context;
use crate::engine::Engine;

/// A page of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its name in commands.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Where it is.
    pub url: String,
    /// What it is good for.
    pub what: &'static str,
}

/// The compose service that a page belongs to.
pub fn service_of(entry: &UiEntry) -> &str {
    match entry.id.as_str() {
        "dashboard" => "web",
        "gateway-docs" => "gateway",
        "read-model-docs" => "read-model",
        other => other,
    }
}

/// Pages of the instance: those that it has where it runs, else those that it would have.
pub fn of(context: &Context) -> Vec<Page> {
    let engine = context.engine();
    if let (Engine::Docker, Some(stack)) = (engine, context.stack()) {
        return of_stack(stack);
    }
    let offered = ui::registry().offered_by(engine.of_ui());
    offered.filter_map(|entry| page(context, engine, entry)).collect()
}

/// Pages of a stack.
pub fn of_stack(stack: &StackFile) -> Vec<Page> {
    let offered = ui::registry().offered_by(Engine::Docker.of_ui());
    offered
        .filter_map(|entry| {
            let port = stack.ports.get(service_of(entry))?;
            Some(at(entry, &format!("http://127.0.0.1:{port}")))
        })
        .collect()
}

fn page(context: &Context, engine: Engine, entry: &'static UiEntry) -> Option<Page> {
    let base = match (engine, context.process()) {
        (Engine::Embedded, Some(process)) => process.url(service_of(entry).parse().ok()?)?,
        _ if entry.profiles.is_empty() => {
            let port = entry.port.checked_add(context.instance.port_offset)?;
            format!("http://127.0.0.1:{port}")
        }
        _ => return None,
    };
    Some(at(entry, &base))
}

fn at(entry: &'static UiEntry, base: &str) -> Page {
    Page {
        id: &entry.id,
        name: &entry.name,
        url: format!("{base}{}", entry.path),
        what: &entry.description,
    }
}
