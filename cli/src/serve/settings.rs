//! Settings of the process and of every role in it, read at once.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use odd_contracts::Role;
use odd_contracts::names::env;
use odd_engine::{ProcessFile, embedded};
use odd_runtime::Shutdown;
use odd_runtime::config::{ConfigErrors, Reader, Source};
use odd_store::embedded::{Options, Synchronous};

use super::Plan;
use super::servers::{self, Servers};

/// Engine of roles on servers, where the environment names none.
pub(super) const SERVERS: &str = "servers";

/// Settings of the process and of every role in it.
pub(super) struct Settings {
    pub(super) address: IpAddr,
    pub(super) base: Base,
    pub(super) log: String,
    pub(super) grace: Duration,
    pub(super) roles: RoleSettings,
}

/// Settings of every role.
pub(super) struct RoleSettings {
    pub(super) gateway: odd_gateway::Config,
    pub(super) processor: odd_processor::Config,
    pub(super) metrics_engine: odd_metrics_engine::Config,
    pub(super) read_model: odd_read_model::Config,
    pub(super) web: odd_web::Config,
    /// Roles whose address the environment gives.
    addressed: Vec<Role>,
}

/// What the roles stand on.
pub(super) enum Base {
    /// The SQLite file of an instance.
    Sqlite {
        /// Where it is.
        database: PathBuf,
        /// How it is written.
        options: Options,
    },
    /// Servers, for which a role is a process like any other.
    Servers(Box<Servers>),
}

impl Settings {
    /// From the environment, and the plan above it. Reports everything that is wrong.
    pub(super) fn read(plan: &Plan) -> Result<Self, ConfigErrors> {
        let source = source(plan);
        let mut reader = Reader::new(&source);
        let mut errors = Vec::new();
        let roles: Vec<Role> = plan.ports.iter().map(|(role, _)| *role).collect();
        let on_servers = if plan.sqlite_only {
            None
        } else {
            servers::read(&mut reader, &roles, &mut errors)
        };
        let sqlite = (
            reader.or(env::SQLITE_PATH, plan.instance.database()),
            reader.or(env::SQLITE_SYNCHRONOUS, Synchronous::default()),
        );
        let engine = if on_servers.is_some() {
            SERVERS
        } else {
            embedded::NAME
        };
        let settings = Self {
            address: reader.or(env::LISTEN_ADDRESS, IpAddr::from(Ipv4Addr::LOCALHOST)),
            log: log_filter(reader.or(env::LOG, "info".to_owned()), on_servers.is_some()),
            grace: reader.duration_seconds(env::SHUTDOWN_SECONDS, Shutdown::DEFAULT_GRACE),
            roles: RoleSettings::read(&mut reader, &source, engine, on_servers.is_some()),
            base: match on_servers {
                Some(servers) => Base::Servers(Box::new(servers)),
                None => Base::Sqlite {
                    database: sqlite.0,
                    options: Options {
                        synchronous: sqlite.1,
                    },
                },
            },
        };
        if let Err(ConfigErrors(more)) = reader.finish() {
            errors.extend(more);
        }
        if errors.is_empty() {
            Ok(settings)
        } else {
            Err(ConfigErrors(errors))
        }
    }
}

impl RoleSettings {
    fn read(reader: &mut Reader<'_>, source: &Source, engine: &str, on_servers: bool) -> Self {
        let mut read_model = odd_read_model::Config::read(reader);
        let named = on_servers
            && source
                .get(env::ENGINE)
                .is_some_and(|name| !name.trim().is_empty());
        if !named {
            engine.clone_into(&mut read_model.engine);
        }
        Self {
            gateway: odd_gateway::Config::read(reader),
            processor: odd_processor::Config::read(reader),
            metrics_engine: odd_metrics_engine::Config::default(),
            read_model,
            web: odd_web::Config::read(reader),
            addressed: if on_servers { addressed(source) } else { Vec::new() },
        }
    }

    /// Roles of one process call each other where that process listens. On SQLite there are no others; on servers the
    /// others are where the environment says, and so are these where it names them, such as by a load balancer.
    pub(super) fn point_at_each_other(&mut self, process: &ProcessFile, alone: bool) {
        let url = |role: Role| process.url(role).filter(|_| !self.addressed.contains(&role));
        if let Some(url) = url(Role::ReadModel) {
            self.gateway.read_model_url.clone_from(&url);
            self.web.read_model_url = url;
        }
        if let Some(url) = url(Role::Gateway) {
            self.web.gateway_url = url;
        }
        let here: Vec<(Role, String)> = Role::ALL
            .into_iter()
            .filter_map(|role| Some((role, url(role)?)))
            .collect();
        if alone {
            self.read_model.roles = here;
            return;
        }
        for (role, url) in here {
            if let Some(known) = self.read_model.roles.iter_mut().find(|(known, _)| *known == role) {
                known.1 = url;
            }
        }
    }
}

/// The client of RabbitMQ calls each try to connect an error, several times; the adapter tells each change. Whoever
/// names it in the filter hears it all the same.
fn log_filter(filter: String, on_servers: bool) -> String {
    if on_servers && !filter.contains("lapin") {
        format!("lapin=off,{filter}")
    } else {
        filter
    }
}

fn addressed(source: &Source) -> Vec<Role> {
    let variable = |role| match role {
        Role::Gateway => env::GATEWAY_URL,
        Role::Processor => env::PROCESSOR_URL,
        Role::MetricsEngine => env::METRICS_ENGINE_URL,
        Role::ReadModel => env::READ_MODEL_URL,
        Role::Web => env::WEB_URL,
    };
    let is_set = |role: &Role| {
        source
            .get(variable(*role))
            .is_some_and(|url| !url.trim().is_empty())
    };
    Role::ALL.into_iter().filter(is_set).collect()
}

/// The environment, under what the command line has settled already.
fn source(plan: &Plan) -> Source {
    let mut settled = vec![
        (env::INSTANCE, plan.instance.name.to_string()),
        (env::PORT_OFFSET, plan.instance.port_offset.to_string()),
    ];
    settled.extend(
        plan.address
            .map(|address| (env::LISTEN_ADDRESS, address.to_string())),
    );
    Source::from_map(settled).or_else(Source::environment())
}
