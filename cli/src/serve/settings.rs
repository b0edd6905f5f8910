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

/// Settings of the process and of every role in it.
pub(super) struct Settings {
    pub(super) address: IpAddr,
    pub(super) database: PathBuf,
    pub(super) options: Options,
    pub(super) log: String,
    pub(super) grace: Duration,
    pub(super) gateway: odd_gateway::Config,
    pub(super) processor: odd_processor::Config,
    pub(super) metrics_engine: odd_metrics_engine::Config,
    pub(super) read_model: odd_read_model::Config,
}

impl Settings {
    /// From the environment, and the plan above it. Reports everything that is wrong.
    pub(super) fn read(plan: &Plan) -> Result<Self, ConfigErrors> {
        let source = source(plan);
        let mut reader = Reader::new(&source);
        let settings = Self {
            address: reader.or(env::LISTEN_ADDRESS, IpAddr::from(Ipv4Addr::LOCALHOST)),
            database: reader.or(env::SQLITE_PATH, plan.instance.database()),
            options: Options {
                synchronous: reader.or(env::SQLITE_SYNCHRONOUS, Synchronous::default()),
            },
            log: reader.or(env::LOG, "info".to_owned()),
            grace: reader.duration_seconds(env::SHUTDOWN_SECONDS, Shutdown::DEFAULT_GRACE),
            gateway: odd_gateway::Config::read(&mut reader),
            processor: odd_processor::Config::read(&mut reader),
            metrics_engine: odd_metrics_engine::Config::default(),
            read_model: odd_read_model::Config::read(&mut reader),
        };
        reader.finish()?;
        Ok(settings)
    }

    /// Roles of one process call each other where that process listens, whatever the environment says of others.
    pub(super) fn point_roles_at(&mut self, process: &ProcessFile) {
        if let Some(url) = process.url(Role::ReadModel) {
            self.gateway.read_model_url = url;
        }
        let urls = process
            .ports
            .keys()
            .filter_map(|role| Some((*role, process.url(*role)?)));
        self.read_model.roles = urls.collect();
    }
}

/// The environment, under what the command line has settled already.
fn source(plan: &Plan) -> Source {
    let mut settled = vec![
        (env::INSTANCE, plan.instance.name.to_string()),
        (env::PORT_OFFSET, plan.instance.port_offset.to_string()),
        (env::ENGINE, embedded::NAME.to_owned()),
    ];
    settled.extend(
        plan.address
            .map(|address| (env::LISTEN_ADDRESS, address.to_string())),
    );
    Source::from_map(settled).or_else(Source::environment())
}
