//! All roles of an instance in one process, on the embedded stores and spine.
//!
//! The life of the process: settings, listeners, database, roles, drain under a deadline.

mod roles;
mod settings;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::{Instance, PortHolder, ProcessFile, embedded, platform, ports};
use odd_runtime::config::ConfigErrors;
use odd_runtime::telemetry::{self, LogFormat, TelemetryError};
use odd_runtime::{RoleError, Shutdown};
use odd_spine::embedded::EmbeddedSpine;
use odd_store::embedded::{Database, OpenError, Options, SqliteCounters, SqliteEventLog, SqliteJobStore};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use roles::Parts;
use settings::Settings;

/// Time beyond the shutdown's own deadline for roles to notice that it is over.
const MARGIN: Duration = Duration::from_secs(1);

/// What to serve.
#[derive(Debug)]
pub struct Plan {
    /// The instance whose database it is.
    pub instance: Instance,
    /// Address to listen on; what the environment says where absent.
    pub address: Option<IpAddr>,
    /// Roles and their ports; port 0 takes any free one.
    pub ports: Vec<(Role, u16)>,
}

/// Why roles were not served, or not to their end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Settings that make no sense.
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    /// Logging did not start.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A listener could not be bound.
    #[error("the {role} cannot listen on {address}{}", holder.as_ref().map(|h| format!(", which {h} has")).unwrap_or_default())]
    Bind {
        /// The role.
        role: Role,
        /// Where it was to listen.
        address: SocketAddr,
        /// Who listens there, where that can be told.
        holder: Option<PortHolder>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The spine could not be opened.
    #[error("the event spine cannot be opened")]
    Spine(#[from] odd_spine::SpineError),
    /// A file could not be written, or signals not be listened for.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database could not be made ready.
    #[error("the job store cannot be opened")]
    Store(#[from] odd_store::StoreError),
    /// A role failed; the others were stopped.
    #[error("the {role} failed")]
    Role {
        /// The role.
        role: Role,
        /// Why.
        #[source]
        source: RoleError,
    },
    /// A role panicked or ended by itself; the others were stopped.
    #[error("a role ended unasked: {reason}")]
    Died {
        /// What is known of it.
        reason: String,
    },
    /// Roles did not end in time and were cut off.
    #[error("work in hand was not finished within {} s; it is taken up again at the next start", .0.as_secs_f64())]
    Stuck(Duration),
}

/// Serves until a signal, or until a role fails; then lets every role finish under the deadline.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(plan: Plan) -> Result<(), ServeError> {
    let mut settings = Settings::read(&plan)?;
    telemetry::init(LogFormat::for_stderr(), &settings.log)?;
    let shutdown = Shutdown::on_signals(settings.grace).map_err(io_error("listen for signals"))?;
    let directory = plan.instance.directory();
    std::fs::create_dir_all(&directory).map_err(io_error(format!("create {}", directory.display())))?;
    // The database's lock comes first: whoever has it may write the process file.
    let parts = open(&settings.database, settings.options).await?;
    let listeners = bind(&plan, settings.address).await?;
    let ports = bound_ports(&listeners)?;
    let process = ProcessFile::of_this_process(embedded::NAME, settings.address, ports);
    settings.point_roles_at(&process);
    let path = plan.instance.process_file();
    process
        .write(&path)
        .map_err(io_error(format!("write {}", path.display())))?;
    tracing::info!(instance_name = %plan.instance.name, pid = process.pid, "serving");
    let result = run(settings, parts, listeners, &plan.instance, &shutdown).await;
    if let Err(error) = process.remove(&path) {
        tracing::warn!(%error, "the process file could not be removed");
    }
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

async fn open(path: &std::path::Path, options: Options) -> Result<Parts, ServeError> {
    let database = Database::open(path, options).await?;
    Ok(Parts {
        spine: EmbeddedSpine::open(&database).await?,
        job_store: Arc::new(SqliteJobStore::open(&database).await?),
        event_log: Arc::new(SqliteEventLog::new(&database)),
        counters: Arc::new(SqliteCounters::new(&database)),
    })
}

async fn bind(plan: &Plan, address: IpAddr) -> Result<Vec<(Role, TcpListener)>, ServeError> {
    let mut listeners = Vec::with_capacity(plan.ports.len());
    for (role, port) in &plan.ports {
        let address = SocketAddr::new(address, *port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Bind {
                role: *role,
                address,
                holder: ports::holder(&plan.instance.home, *port),
                source,
            })?;
        listeners.push((*role, listener));
    }
    Ok(listeners)
}

fn bound_ports(listeners: &[(Role, TcpListener)]) -> Result<BTreeMap<Role, u16>, ServeError> {
    let port = |(role, listener): &(Role, TcpListener)| Ok((*role, listener.local_addr()?.port()));
    listeners
        .iter()
        .map(port)
        .collect::<io::Result<_>>()
        .map_err(io_error("tell the bound ports"))
}

/// Runs the roles until the shutdown is signalled, which the first to end does too.
async fn run(
    settings: Settings,
    parts: Parts,
    listeners: Vec<(Role, TcpListener)>,
    instance: &Instance,
    shutdown: &Shutdown,
) -> Result<(), ServeError> {
    let mut roles = JoinSet::new();
    for (role, listener) in listeners {
        let run = roles::run(role, &settings, &parts, listener, shutdown.child());
        roles.spawn(async move { (role, run.await) });
    }
    drop(parts);
    let mut outcome = Ok(());
    let stop_file: PathBuf = instance.stop_file();
    tokio::select! {
        () = shutdown.signalled() => {}
        () = platform::stop_requested(&stop_file) => {}
        ended = roles.join_next() => outcome = if shutdown.is_signalled() { asked_of(ended) } else { unasked(ended) },
    }
    shutdown.trigger();
    let rest = async {
        while let Some(ended) = roles.join_next().await {
            let ended = asked(ended);
            if outcome.is_ok() {
                outcome = ended;
            }
        }
    };
    if tokio::time::timeout(shutdown.remaining() + MARGIN, rest)
        .await
        .is_err()
        && outcome.is_ok()
    {
        outcome = Err(ServeError::Stuck(shutdown.grace()));
    }
    outcome
}

type Ended = Result<(Role, Result<(), RoleError>), tokio::task::JoinError>;

/// A role that ended though nobody asked it to.
fn unasked(ended: Option<Ended>) -> Result<(), ServeError> {
    match ended {
        Some(Ok((role, Ok(())))) => Err(ServeError::Died {
            reason: format!("the {role} returned"),
        }),
        ended => asked_of(ended),
    }
}

/// A role that ended as it was asked to.
fn asked_of(ended: Option<Ended>) -> Result<(), ServeError> {
    ended.map_or(Ok(()), asked)
}

fn asked(ended: Ended) -> Result<(), ServeError> {
    match ended {
        Ok((_, Ok(()))) => Ok(()),
        Ok((role, Err(source))) => Err(ServeError::Role { role, source }),
        Err(error) => Err(ServeError::Died {
            reason: error.to_string(),
        }),
    }
}

fn io_error(action: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
    let action = action.into();
    move |source| ServeError::Io { action, source }
}
