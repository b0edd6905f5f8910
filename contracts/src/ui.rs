//! The registry of user interfaces: every page that a person can open, and where it is to be found.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Text of the registry's file.
pub const SOURCE: &str = include_str!("../ui-registry.json");

/// An engine, as far as it decides which user interfaces there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UiEngine {
    /// All roles in one process.
    Embedded,
    /// Containers of a Docker engine.
    Docker,
    /// A local Kubernetes cluster.
    Kind,
}

impl UiEngine {
    /// Every engine.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Docker, Self::Kind];

    /// The engine's name in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Docker => "docker",
            Self::Kind => "kind",
        }
    }
}

/// One user interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UiEntry {
    /// Stable name for commands and links.
    pub id: String,
    /// Name as it is shown.
    pub name: String,
    /// What it is good for, in one line.
    pub description: String,
    /// TCP port on the local machine, before the instance's port offset is added.
    pub port: u16,
    /// Path of its first page.
    pub path: String,
    /// Engines that can offer it.
    pub engines: Vec<UiEngine>,
    /// Compose profiles that offer it; empty where every stack does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
}

impl UiEntry {
    /// Where to open it on this machine. None where the offset leaves the range of ports.
    pub fn url(&self, port_offset: u16) -> Option<String> {
        let port = self.port.checked_add(port_offset)?;
        Some(format!("http://127.0.0.1:{port}{}", self.path))
    }
}

/// Every user interface, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UiRegistry {
    /// Version of this shape.
    pub version: u32,
    /// The user interfaces.
    pub entries: Vec<UiEntry>,
}

impl UiRegistry {
    /// The user interfaces that an engine can offer, whatever the profiles.
    pub fn offered_by(&self, engine: UiEngine) -> impl Iterator<Item = &UiEntry> {
        self.entries
            .iter()
            .filter(move |entry| entry.engines.contains(&engine))
    }

    /// The user interface of this name.
    pub fn entry(&self, id: &str) -> Option<&UiEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }
}

/// The registry of this build.
pub fn registry() -> &'static UiRegistry {
    static REGISTRY: LazyLock<UiRegistry> =
        LazyLock::new(|| serde_json::from_str(SOURCE).expect("the registry is valid, as the tests prove"));
    &REGISTRY
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::role::Role;
    use crate::schema::{Schema, validate};

    #[test]
    fn the_registry_keeps_its_contract() {
        let document = serde_json::from_str(SOURCE).unwrap();
        assert_eq!(validate(Schema::UiRegistry, &document), Ok(()));
        assert_eq!(serde_json::to_value(registry()).unwrap(), document);
    }

    #[test]
    fn nine_entries_none_in_the_way_of_another() {
        let entries = &registry().entries;
        assert_eq!(entries.len(), 9);
        let ids: BTreeSet<_> = entries.iter().map(|entry| &entry.id).collect();
        let ports: BTreeSet<_> = entries.iter().map(|entry| entry.port).collect();
        assert_eq!((ids.len(), ports.len()), (9, 9), "ids and ports are unique");
    }

    /// The embedded engine has no pages but those of the roles, so it must not promise others.
    #[test]
    fn the_embedded_engine_offers_exactly_the_public_roles() {
        let offered: BTreeSet<_> = registry()
            .offered_by(UiEngine::Embedded)
            .map(|entry| entry.port)
            .collect();
        let public: BTreeSet<_> = Role::ALL
            .into_iter()
            .filter(|role| role.is_public())
            .map(Role::default_port)
            .collect();
        assert_eq!(offered, public);
    }

    #[test]
    fn urls_follow_the_port_offset() {
        let docs = registry().entry("gateway-docs").unwrap();
        assert_eq!(docs.url(0).unwrap(), "http://127.0.0.1:3000/docs");
        assert_eq!(docs.url(13_000).unwrap(), "http://127.0.0.1:16000/docs");
        assert_eq!(docs.url(u16::MAX), None);
    }

    #[test]
    fn engines_are_written_by_their_names() {
        for engine in UiEngine::ALL {
            assert_eq!(serde_json::to_value(engine).unwrap(), engine.name());
        }
    }
}
