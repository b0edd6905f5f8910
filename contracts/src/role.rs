//! The one list of roles. Help texts, configuration, documents and engines are made from it or tested against it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the system that runs as a process of its own (or, on the embedded engine, beside the others in one).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Accepts jobs over HTTP and publishes them to the spine.
    Gateway,
    /// Executes jobs and keeps their authoritative state.
    Processor,
    /// Writes every lifecycle event to the event log and keeps the counters.
    MetricsEngine,
    /// The one read surface of every user interface.
    ReadModel,
    /// What browsers open: the dashboard, and behind it the gateway and the read-model under one address.
    Web,
}

impl Role {
    /// Every role, in the order in which work passes them.
    pub const ALL: [Self; 5] = [
        Self::Gateway,
        Self::Processor,
        Self::MetricsEngine,
        Self::ReadModel,
        Self::Web,
    ];

    /// The role's name in commands, labels, logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Processor => "processor",
            Self::MetricsEngine => "metrics-engine",
            Self::ReadModel => "read-model",
            Self::Web => "web",
        }
    }

    /// What the role does, in one line for help texts and tables.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Gateway => "accepts jobs over HTTP and publishes them to the spine",
            Self::Processor => "executes jobs with retries and keeps their authoritative state",
            Self::MetricsEngine => "writes every lifecycle event to the event log and keeps the counters",
            Self::ReadModel => "answers every question about jobs, events, health and alerts",
            Self::Web => "serves the dashboard and passes requests on to gateway and read-model",
        }
    }

    /// TCP port the role listens on where nothing else is configured. Users see only those of
    /// [`Role::is_public`]; the others serve health and metrics.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Gateway => 3000,
            Self::ReadModel => 8080,
            Self::Web => 8081,
            Self::Processor => 3010,
            Self::MetricsEngine => 3020,
        }
    }

    /// Whether users and their tools call this role (the others are called by monitoring only).
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Gateway | Self::ReadModel | Self::Web)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that belongs to no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; roles are gateway, processor, metrics-engine, read-model and web")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_everywhere() {
        for role in Role::ALL {
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        let error = "procesor".parse::<Role>().unwrap_err().to_string();
        assert!(
            Role::ALL.iter().all(|role| error.contains(role.name())),
            "{error}"
        );
    }
}
