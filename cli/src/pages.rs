//! Pages that a person can open: those of the registry that the instance has, and where.

use std::collections::BTreeMap;

use odd_contracts::Role;
use odd_contracts::ui::{self, UiEntry};
use odd_engine::ProcessFile;
use odd_engine::docker::StackFile;
use serde::Serialize;

use crate::context::Context;
use crate::engine::Engine;

/// The page that a browser opens first.
pub const DASHBOARD: &str = "dashboard";

/// A page of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its name in commands.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Where it is. The page of a server's root is the server's address, without a slash at its end.
    pub url: String,
    /// What it is good for.
    pub what: &'static str,
}

/// The compose service that a page belongs to.
pub fn service_of(entry: &UiEntry) -> &str {
    match entry.id.as_str() {
        DASHBOARD => "web",
        "gateway-docs" => "gateway",
        "read-model-docs" => "read-model",
        other => other,
    }
}

/// Pages of the instance: those that it has where it runs, else those that it would have.
pub fn of(context: &Context) -> Vec<Page> {
    let engine = context.engine();
    match (engine, context.stack(), context.process()) {
        (Engine::Docker, Some(stack), _) => of_stack(stack),
        (Engine::Embedded, _, Some(process)) => of_process(process),
        (Engine::Kubernetes, ..) => {
            let file = context.cluster().filter(|file| file.up);
            let offset = file.map_or(context.instance.port_offset, |file| file.port_offset);
            of_cluster(offset, file.is_some_and(|file| file.tools))
        }
        _ => collect(engine, |entry| {
            let is_always = entry.profiles.is_empty();
            let port = entry.port.checked_add(context.instance.port_offset);
            port.filter(|_| is_always).map(local)
        }),
    }
}

/// Pages of a stack.
pub fn of_stack(stack: &StackFile) -> Vec<Page> {
    collect(Engine::Docker, |entry| {
        stack.ports.get(service_of(entry)).copied().map(local)
    })
}

/// Pages of a process of the embedded engine.
pub fn of_process(process: &ProcessFile) -> Vec<Page> {
    collect(Engine::Embedded, |entry| {
        process.url(service_of(entry).parse().ok()?)
    })
}

/// Pages of an instance in a cluster, by the ports that are forwarded to it.
pub fn of_cluster(port_offset: u16, tools: bool) -> Vec<Page> {
    collect(Engine::Kubernetes, |entry| {
        let is_there = tools || entry.profiles.is_empty();
        let port = entry.port.checked_add(port_offset);
        port.filter(|_| is_there).map(local)
    })
}

/// Services of a cluster that have pages, beside those of roles, with the ports that they have on this machine.
pub fn further_services(tools: bool) -> BTreeMap<String, u16> {
    let offered = ui::registry().offered_by(Engine::Kubernetes.of_ui());
    let of_server = offered.filter(|entry| service_of(entry).parse::<Role>().is_err());
    let there = of_server.filter(|entry| tools || entry.profiles.is_empty());
    there
        .map(|entry| (service_of(entry).to_owned(), entry.port))
        .collect()
}

/// The pages that an engine offers, of those servers that have an address.
fn collect(engine: Engine, base: impl Fn(&UiEntry) -> Option<String>) -> Vec<Page> {
    let offered = ui::registry().offered_by(engine.of_ui());
    offered
        .filter_map(|entry| Some((entry, base(entry)?)))
        .flat_map(|(entry, base)| at(entry, &base))
        .collect()
}

fn local(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The page of an entry and, beside the dashboard, the description of the role that serves it: the registry has one page for each port.
fn at(entry: &'static UiEntry, base: &str) -> Vec<Page> {
    let page = Page {
        id: &entry.id,
        name: &entry.name,
        url: format!("{base}{}", entry.path.trim_end_matches('/')),
        what: &entry.description,
    };
    let api = (entry.id == DASHBOARD).then(|| Page {
        id: "web-docs",
        name: "Web API",
        url: format!("{base}/docs"),
        what: "What the dashboard asks for over HTTP, by way of its own address",
    });
    std::iter::once(page).chain(api).collect()
}
