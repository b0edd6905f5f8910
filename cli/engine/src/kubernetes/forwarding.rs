//! The process that forwards ports of an instance in the background, and the file that tells of it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use odd_contracts::Role;
use serde::{Deserialize, Serialize};

use super::cluster::{ClusterError, Forward, Forwards, Target};
use super::{ClusterFile, NAME};
use crate::embedded::{open_log, tail_from};
use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::state::{ProcessFile, read_if_there, remove_if_there, write_atomically};
use crate::{platform, ports};

/// Time for the process to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time for it to end.
const END: Duration = Duration::from_secs(5);
/// Distance between two looks at it.
const POLL: Duration = Duration::from_millis(20);
/// Lines of its log that explain why it did not start.
const TAIL: usize = 10;

/// What the process that forwards ports says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForwardFile {
    process: ProcessFile,
    /// To what it forwards: what a later start compares.
    to: Destination,
}

/// What ports lead to, and which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Destination {
    context: String,
    server: String,
    namespace: String,
    port_offset: u16,
    tools: bool,
}

impl Destination {
    fn of(file: &ClusterFile) -> Self {
        Self {
            context: file.context.clone(),
            server: file.server.clone(),
            namespace: file.namespace.clone(),
            port_offset: file.port_offset,
            tools: file.tools,
        }
    }
}

fn read(instance: &Instance) -> Result<Option<ForwardFile>, EngineError> {
    let path = instance.forward_file();
    let file: Option<ForwardFile> = read_if_there(&path).context("read the file", &path)?;
    Ok(file.filter(|file| file.process.is_alive()))
}

/// The process that forwards ports of an instance; none where none lives.
///
/// # Errors
/// [`EngineError::Io`].
pub fn forwarding(instance: &Instance) -> Result<Option<ProcessFile>, EngineError> {
    Ok(read(instance)?.map(|file| file.process))
}

/// The Service that leads to any replica of a role that is ready.
fn balanced(role: Role) -> String {
    format!("{role}-balanced")
}

/// The ports of an instance: of each role that has pages or takes requests from outside, and of these further Services.
fn targets(port_offset: u16, further: &BTreeMap<String, u16>) -> Vec<Target> {
    let local = |port: u16| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.saturating_add(port_offset));
    let roles = Role::ALL.into_iter().filter(|role| role.is_public());
    let roles = roles.map(|role| Target {
        local: local(role.default_port()),
        service: balanced(role),
        port: role.default_port(),
    });
    let further = further.iter().map(|(service, port)| Target {
        local: local(*port),
        service: service.clone(),
        port: *port,
    });
    roles.chain(further).collect()
}

/// Forwards the ports of an instance until this is dropped or its end is asked for by its file. `further` names Services beside the roles',
/// with the ports that they are to have here without an offset.
///
/// # Errors
/// [`EngineError::Cluster`] and [`EngineError::Io`].
pub async fn forward(
    instance: &Instance,
    further: &BTreeMap<String, u16>,
    tell: impl Fn(&Forward, &ClusterError) + Send + Sync + 'static,
) -> Result<(), EngineError> {
    let path = instance.cluster_file();
    let file = ClusterFile::of(instance)?.ok_or_else(|| EngineError::Io {
        action: "read the cluster file",
        path,
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    let cluster = file.connect().await?;
    let targets = targets(file.port_offset, further);
    let forwards = Forwards::listen(&cluster, &file.namespace, &targets).await?;
    let ports = Role::ALL.into_iter().filter(|role| role.is_public());
    let port = |role: Role| role.default_port().saturating_add(file.port_offset);
    let ports = ports.map(|role| (role, port(role))).collect();
    let told = ForwardFile {
        process: ProcessFile::of_this_process(NAME, Ipv4Addr::LOCALHOST.into(), ports),
        to: Destination::of(&file),
    };
    let path = instance.forward_file();
    let written = serde_json::to_vec_pretty(&told).map_err(std::io::Error::from);
    written
        .and_then(|bytes| write_atomically(&path, &bytes))
        .context("write the file", &path)?;
    let stop_file = instance.stop_file();
    tokio::select! {
        () = forwards.run(tell) => {}
        () = platform::stop_requested(&stop_file) => {}
    }
    match read(instance)? {
        Some(there) if there.process.pid != told.process.pid => Ok(()),
        _ => remove_if_there(&path).context("remove the file", &path),
    }
}

/// Starts the process that forwards ports as this file has it, where none does, and waits until it listens. The caller holds the lock of the
/// instance.
///
/// # Errors
/// [`EngineError::CrashedOnStart`] with what it said, and [`EngineError::Io`].
pub(super) async fn start(
    instance: &Instance,
    file: &ClusterFile,
    program: &Path,
) -> Result<ProcessFile, EngineError> {
    match read(instance)? {
        Some(there) if there.to == Destination::of(file) => return Ok(there.process),
        Some(_) => drop(stop(instance).await?),
        None => {}
    }
    let mut launched = Launched::new(instance, file, program)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(process) = forwarding(instance)? {
            launched.kept = true;
            return Ok(process);
        }
        let ended = launched.child.try_wait().context("wait for", program)?;
        if ended.is_some() || Instant::now() >= deadline {
            let status = ended.map_or_else(|| "it does not listen".to_owned(), |status| status.to_string());
            return Err(launched.crashed(status));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The first port of a role that somebody else has; none where all are free, or are forwarded already.
pub(super) fn taken(instance: &Instance) -> Result<Option<(Role, u16)>, EngineError> {
    if read(instance)?.is_some() {
        return Ok(None);
    }
    let public = instance.ports().into_iter().filter(|(role, _)| role.is_public());
    let mut taken = public.filter(|(_, port)| !ports::is_free(Ipv4Addr::LOCALHOST.into(), *port));
    Ok(taken.next())
}

/// Ends the process that forwards ports. Tells whether there was one. The caller holds the lock of the instance.
///
/// # Errors
/// [`EngineError::Unstoppable`] and [`EngineError::Io`].
pub(super) async fn stop(instance: &Instance) -> Result<bool, EngineError> {
    let path = instance.forward_file();
    let Some(process) = forwarding(instance)? else {
        remove_if_there(&path).context("remove the file", &path)?;
        return Ok(false);
    };
    let stop_file = instance.stop_file();
    platform::request_stop(process.pid, &stop_file).context("stop the process of", &path)?;
    let mut deadline = Instant::now() + END;
    let mut killed = false;
    while process.is_alive() {
        if Instant::now() >= deadline {
            if killed {
                return Err(EngineError::Unstoppable { pid: process.pid });
            }
            platform::kill(process.pid).context("kill the process of", &path)?;
            killed = true;
            deadline = Instant::now() + END;
        }
        tokio::time::sleep(POLL).await;
    }
    remove_if_there(&path).context("remove the file", &path)?;
    Ok(true)
}

/// The process that was started, ended with this unless it is kept.
struct Launched {
    child: Child,
    kept: bool,
    log_file: PathBuf,
    log_start: u64,
}

impl Launched {
    fn new(instance: &Instance, file: &ClusterFile, program: &Path) -> Result<Self, EngineError> {
        let directory = instance.directory();
        std::fs::create_dir_all(&directory).context("create the directory", &directory)?;
        platform::make_private(&directory).context("restrict the directory", &directory)?;
        remove_if_there(&instance.stop_file()).context("remove the file", &instance.stop_file())?;
        let (log, log_start) = open_log(instance)?;
        let log_again = log.try_clone().context("open the log", &instance.log_file())?;
        let mut command = Command::new(program);
        command
            .args(["forward", "--background"])
            .args(["--instance", instance.name.as_str()])
            .args(["--port-offset", &file.port_offset.to_string()])
            .env(odd_contracts::names::env::HOME, instance.home.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again);
        platform::detach_on_spawn(&mut command);
        Ok(Self {
            child: command.spawn().context("run", program)?,
            kept: false,
            log_file: instance.log_file(),
            log_start,
        })
    }

    fn crashed(&self, status: String) -> EngineError {
        EngineError::CrashedOnStart {
            status,
            cause: None,
            log_tail: tail_from(&self.log_file, self.log_start, TAIL).unwrap_or_default(),
            log_file: self.log_file.clone(),
        }
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if !self.kept {
            // That it ended by itself meanwhile is as well.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
