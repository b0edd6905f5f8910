//! What every command is given: settings, the printer, clients.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use odd_client::{ClientError, Gateway, HttpOptions, ReadModel};
use odd_contracts::Role;
use odd_engine::docker::StackFile;
use odd_engine::kubernetes::ClusterFile;
use odd_engine::ledger::LedgerWriter;
use odd_engine::{Instance, ProcessFile};

use crate::args::Global;
use crate::engine::{self, Engine, Present};
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::Printer;
use crate::settings::{EngineChoice, EngineUse, Settings};

/// What every command is given.
pub struct Context {
    /// Resolved settings.
    pub settings: Settings,
    /// The way to standard output and standard error.
    pub printer: Printer,
    /// The instance that commands speak to.
    pub instance: Instance,
    present: OnceLock<Present>,
    gateway: OnceLock<Gateway>,
    read_model: OnceLock<ReadModel>,
}

impl Context {
    /// From the flags, the environment and the user's files.
    pub fn new(flags: &Global, engine_use: EngineUse, printer: Printer) -> Result<Self, Error> {
        let settings = Settings::load(flags, engine_use)?;
        printer.set_form(settings.output.value);
        let instance = settings.instance()?;
        Ok(Self {
            settings,
            printer,
            instance,
            present: OnceLock::new(),
            gateway: OnceLock::new(),
            read_model: OnceLock::new(),
        })
    }

    /// The same for another instance, at its own addresses whatever is set for this one.
    #[must_use]
    pub fn of(&self, instance: Instance) -> Self {
        let mut settings = self.settings.clone();
        settings.instance_name.value = instance.name.clone();
        settings.port_offset.value = instance.port_offset;
        settings.gateway_url.value = None;
        settings.read_model_url.value = None;
        Self {
            settings,
            printer: self.printer.clone(),
            instance,
            present: OnceLock::new(),
            gateway: OnceLock::new(),
            read_model: OnceLock::new(),
        }
    }

    /// Name of the instance.
    pub fn instance_name(&self) -> &str {
        self.instance.name.as_str()
    }

    /// What is known of the instance without asking an engine, as it was when it was first looked at.
    pub fn present(&self) -> &Present {
        self.present.get_or_init(|| Present::of(&self.instance))
    }

    /// The process that runs the instance, where one lives.
    pub fn process(&self) -> Option<&ProcessFile> {
        self.present().process.as_ref()
    }

    /// The stack that runs the instance, where it is one of a Docker engine.
    pub fn stack(&self) -> Option<&StackFile> {
        self.present().stack.as_ref()
    }

    /// The cluster that the instance was put into last.
    pub fn cluster(&self) -> Option<&ClusterFile> {
        self.present().cluster.as_ref()
    }

    /// The engine of the instance: what it runs on or ran on last, else what is set, else embedded.
    pub fn engine(&self) -> Engine {
        let set = match self.settings.engine.value {
            EngineChoice::Docker => Engine::Docker,
            EngineChoice::Kubernetes | EngineChoice::Kind => Engine::Kubernetes,
            EngineChoice::Auto | EngineChoice::Embedded => Engine::Embedded,
        };
        self.present().engine().unwrap_or(set)
    }

    /// Address of a role: as set, else where the running instance has it, else where it would have it.
    pub fn url(&self, role: Role) -> String {
        self.known_url(role)
            .unwrap_or_else(|| format!("http://127.0.0.1:{}", self.instance.port(role)))
    }

    /// Address of a role that is set, or that the running instance has.
    fn known_url(&self, role: Role) -> Option<String> {
        let set = match role {
            Role::Gateway => self.settings.gateway_url.value.as_deref(),
            Role::ReadModel => self.settings.read_model_url.value.as_deref(),
            _ => None,
        };
        set.map(str::to_owned).or_else(|| self.present().url(role))
    }

    /// [`Context::url`], unless it is the address of another instance: this one does not run, and its ports are that one's.
    ///
    /// # Errors
    /// Exit code 3 in that case: nothing may be done to, or said of, an instance that was not named.
    pub fn own_url(&self, role: Role) -> Result<String, Error> {
        if let Some(url) = self.known_url(role) {
            return Ok(url);
        }
        let Some(other) = engine::neighbour(&self.instance, role) else {
            return Ok(self.url(role));
        };
        let name = self.instance_name();
        let reason = format!(
            "it does not run, and port {} is the {role} of the instance {other}",
            self.instance.port(role)
        );
        Err(Error::because(format!("speak to the instance {name}"), reason)
            .code(ExitCode::Prerequisite)
            .hint(format!(
                "odd up{} --port-offset 100, or the same command with --instance {other}",
                of_instance(name)
            )))
    }

    /// Client of the gateway, made at its first use.
    pub fn gateway(&self) -> Result<&Gateway, Error> {
        client(&self.gateway, || {
            Gateway::new(&self.own_url(Role::Gateway)?)
                .map_err(|e| self.client_error("speak to the gateway", e))
        })
    }

    /// Client of the read-model, made at its first use.
    pub fn read_model(&self) -> Result<&ReadModel, Error> {
        client(&self.read_model, || {
            ReadModel::new(&self.own_url(Role::ReadModel)?)
                .map_err(|e| self.client_error("speak to the read-model", e))
        })
    }

    /// A gateway client of its own with this time limit for each request.
    pub fn gateway_within(&self, timeout: Duration) -> Result<Gateway, Error> {
        let options = HttpOptions {
            timeout,
            ..HttpOptions::default()
        };
        Gateway::with_options(&self.own_url(Role::Gateway)?, options)
            .map_err(|e| self.client_error("speak to the gateway", e))
    }

    /// Where accepted ids are kept.
    pub fn ledger_path(&self) -> PathBuf {
        self.instance.ledger()
    }

    /// The ledger of accepted ids, for appending.
    pub fn ledger(&self) -> Result<LedgerWriter, Error> {
        let path = self.ledger_path();
        LedgerWriter::open(&path).map_err(|e| Error::new(format!("open the ledger {}", path.display()), e))
    }

    /// The error of a request.
    pub fn client_error(&self, action: impl Into<String>, cause: ClientError) -> Error {
        Error::from_client(action, cause, self.instance_name())
    }
}

fn client<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
