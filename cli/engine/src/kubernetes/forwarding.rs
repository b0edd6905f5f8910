//! The process that forwards ports of an instance in the background, and the file that tells of it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use odd_contracts::Role;

use super::cluster::{ClusterError, Forward, Forwards, Target, connect};
use super::{ClusterFile, NAME};
use crate::embedded::{open_log, tail_from};
use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::platform;
use crate::state::{ProcessFile, read_if_there, remove_if_there};

/// Time for the process to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time for it to end.
const END: Duration = Duration::from_secs(5);
/// Distance between two looks at it.
const POLL: Duration = Duration::from_millis(20);
/// Lines of its log that explain why it did not start.
const TAIL: usize = 10;

/// The process that forwards ports of an instance; none where none lives.
///
/// # Errors
/// [`EngineError::Io`].
pub fn forwarding(instance: &Instance) -> Result<Option<ProcessFile>, EngineError> {
    let path = instance.forward_file();
    let file: Option<ProcessFile> = read_if_there(&path).context("read the file", &path)?;
    Ok(file.filter(ProcessFile::is_alive))
}

/// The Service that leads to any replica of a role that is ready.
fn balanced(role: Role) -> String {
    format!("{role}-balanced")
}

/// The ports of an instance: of each role that has pages or takes requests from outside, and of these further Services.
fn targets(instance: &Instance, further: &BTreeMap<String, u16>) -> Vec<Target> {
    let local = |port: u16| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let roles = Role::ALL.into_iter().filter(|role| role.is_public());
    let roles = roles.map(|role| Target {
        local: local(instance.port(role)),
        service: balanced(role),
        port: role.default_port(),
    });
    let further = further.iter().map(|(service, port)| Target {
        local: local(port.saturating_add(instance.port_offset)),
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
    let cluster = connect(file.kubeconfig.as_deref(), Some(&file.context)).await?;
    let targets = targets(instance, further);
    let forwards = Forwards::listen(&cluster, &file.namespace, &targets).await?;
    let ports = Role::ALL.into_iter().filter(|role| role.is_public());
    let ports = ports.map(|role| (role, instance.port(role))).collect();
    let process = ProcessFile::of_this_process(NAME, Ipv4Addr::LOCALHOST.into(), ports);
    let path = instance.forward_file();
    process.write(&path).context("write the file", &path)?;
    let stop_file = instance.stop_file();
    tokio::select! {
        () = forwards.run(tell) => {}
        () = platform::stop_requested(&stop_file) => {}
    }
    process.remove(&path).context("remove the file", &path)
}

/// Starts the process that forwards ports, where none lives, and waits until it listens.
///
/// # Errors
/// [`EngineError::CrashedOnStart`] with what it said, and [`EngineError::Io`].
pub async fn start(instance: &Instance, program: &Path) -> Result<ProcessFile, EngineError> {
    if let Some(process) = forwarding(instance)? {
        return Ok(process);
    }
    let mut launched = Launched::new(instance, program)?;
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

/// Ends the process that forwards ports. Tells whether there was one.
///
/// # Errors
/// [`EngineError::Unstoppable`] and [`EngineError::Io`].
pub async fn stop(instance: &Instance) -> Result<bool, EngineError> {
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
    fn new(instance: &Instance, program: &Path) -> Result<Self, EngineError> {
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
            .args(["--port-offset", &instance.port_offset.to_string()])
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
