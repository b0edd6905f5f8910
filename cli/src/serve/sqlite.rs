//! Roles of an instance on its SQLite file, which one process at a time has.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use odd_contracts::Role;
use odd_engine::{ProcessFile, embedded, platform, web_token};
use odd_runtime::Shutdown;
use odd_spine::embedded::EmbeddedSpine;
use odd_store::embedded::{Database, Options, SqliteCounters, SqliteEventLog, SqliteJobStore};

use super::roles::Parts;
use super::settings::RoleSettings;
use super::{Plan, ServeError, bind, bound_ports, io_error, run};

/// Serves until the shutdown, or until somebody asks for the instance's end by its stop file.
pub(super) async fn serve(
    plan: &Plan,
    address: IpAddr,
    mut roles: RoleSettings,
    (database, options): (&Path, Options),
    shutdown: &Shutdown,
) -> Result<(), ServeError> {
    let directory = plan.instance.directory();
    std::fs::create_dir_all(&directory).map_err(io_error(format!("create {}", directory.display())))?;
    // The database's lock comes first: whoever has it may write the process file.
    let parts = open(database, options).await?;
    let listeners = bind(plan, address).await?;
    let ports = bound_ports(&listeners)?;
    let process = ProcessFile::of_this_process(embedded::NAME, address, ports);
    roles.point_at_each_other(&process, true);
    let path = plan.instance.process_file();
    process
        .write(&path)
        .map_err(io_error(format!("write {}", path.display())))?;
    if plan.ports.iter().any(|(role, _)| *role == Role::Web) {
        let token = roles
            .web
            .terminal
            .token
            .as_ref()
            .map(|token| token.expose().as_str());
        if let Err(error) = web_token::remember(&plan.instance, token) {
            tracing::warn!(%error, "the token of the web terminal could not be kept for `odd open`");
        }
    }
    tracing::info!(instance_name = %plan.instance.name, pid = process.pid, "serving");
    let stop_file = plan.instance.stop_file();
    let stopped = async {
        platform::stop_requested(&stop_file).await;
        Ok(())
    };
    let result = run(&roles, parts, listeners, stopped, shutdown).await;
    if let Err(error) = process.remove(&path) {
        tracing::warn!(%error, "the process file could not be removed");
    }
    result
}

async fn open(path: &Path, options: Options) -> Result<Parts, ServeError> {
    let database = Database::open(path, options).await?;
    Ok(Parts {
        spine: Some(EmbeddedSpine::open(&database).await?),
        job_store: Some(Arc::new(SqliteJobStore::open(&database).await?)),
        event_log: Some(Arc::new(SqliteEventLog::new(&database))),
        counters: Some(Arc::new(SqliteCounters::new(&database))),
    })
}
