//! Roles in this process: all of an instance on its SQLite file ([`sqlite`]), or any on servers ([`adapters`]).
//!
//! The life of the process: settings, what the roles stand on, listeners, roles, drain under a deadline.

mod adapters;
mod address;
mod roles;
pub(crate) mod servers;
mod settings;
mod sqlite;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::{Instance, PortHolder, ProcessFile, ports};
use odd_runtime::config::ConfigErrors;
use odd_runtime::telemetry::{self, LogFormat, TelemetryError};
use odd_runtime::{BoxError, RoleError, Shutdown};
use odd_store::embedded::OpenError;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use roles::Parts;
use servers::Servers;
use settings::{Base, RoleSettings, Settings};

/// Time beyond the shutdown's own deadline for roles to notice that it is over.
const MARGIN: Duration = Duration::from_secs(1);

/// What to serve.
#[derive(Debug)]
pub struct Plan {
    /// The instance whose database it is, unless roles run on servers.
    pub instance: Instance,
    /// Whether roles run on the instance's SQLite file, whatever the environment says of servers.
    pub sqlite_only: bool,
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
    /// An address of a server was taken for valid, and its client cannot use it.
    #[error("{} cannot be used", .0)]
    Address(&'static str, #[source] BoxError),
    /// What a server holds is of no use to this program, however long it waits.
    #[error("{0} cannot be used")]
    Unusable(&'static str, #[source] BoxError),
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
    let settings = Settings::read(&plan)?;
    telemetry::init(LogFormat::for_stderr(), &settings.log)?;
    let shutdown = Shutdown::on_signals(settings.grace).map_err(io_error("listen for signals"))?;
    let Settings {
        address, base, roles, ..
    } = settings;
    let result = match base {
        Base::Sqlite { database, options } => {
            sqlite::serve(&plan, address, roles, (&database, options), &shutdown).await
        }
        Base::Servers(servers) => on_servers(&plan, address, roles, &servers, &shutdown).await,
    };
    if result.is_ok() {
        tracing::info!("stopped");
    }
    result
}

/// Roles as processes like any other: nothing on this machine is theirs but their ports.
async fn on_servers(
    plan: &Plan,
    address: IpAddr,
    mut roles: RoleSettings,
    servers: &Servers,
    shutdown: &Shutdown,
) -> Result<(), ServeError> {
    let listeners = bind(plan, address).await?;
    let process = ProcessFile::of_this_process(settings::SERVERS, address, bound_ports(&listeners)?);
    roles.point_at_each_other(&process, false);
    let adapters = adapters::open(servers).await?;
    if adapters.told().is_empty() {
        tracing::info!("serving");
    } else {
        tracing::info!(servers = adapters.told(), "serving on servers");
    }
    let result = run(
        &roles,
        adapters.parts(),
        listeners,
        adapters.never_usable(),
        shutdown,
    )
    .await;
    adapters.close().await;
    result
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

/// Runs the roles until the shutdown is signalled, which the first to end does too, and `interrupted`.
async fn run(
    settings: &RoleSettings,
    parts: Parts,
    listeners: Vec<(Role, TcpListener)>,
    interrupted: impl Future<Output = Result<(), ServeError>>,
    shutdown: &Shutdown,
) -> Result<(), ServeError> {
    let mut roles = JoinSet::new();
    for (role, listener) in listeners {
        let run = roles::run(role, settings, &parts, listener, shutdown.child());
        roles.spawn(async move { (role, run.await) });
    }
    drop(parts);
    let mut outcome = Ok(());
    tokio::select! {
        () = shutdown.signalled() => {}
        end = interrupted => outcome = end,
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
