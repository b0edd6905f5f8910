//! Starting the background process.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use odd_contracts::Role;

use super::log::{likely_cause, open_log, tail_from};
use super::status::{RoleState, status};
use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::lock::InstanceLock;
use crate::state::{ProcessFile, remove_if_there};
use crate::{platform, ports};

/// How to start.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The `odd` binary to run.
    pub program: PathBuf,
    /// Time for every role to be ready.
    pub deadline: Duration,
}

/// What happens while an instance starts.
#[derive(Clone, Debug)]
pub enum UpEvent {
    /// Another command starts or stops the instance: it is waited for.
    WaitingForOther,
    /// A process ended earlier without clearing up: what it left is taken over.
    Recovered {
        /// The process.
        pid: u32,
    },
    /// The process was started.
    Started {
        /// The process.
        pid: u32,
    },
    /// A role is ready.
    RoleReady {
        /// The role.
        role: Role,
        /// Time since the start.
        after: Duration,
    },
}

/// An instance that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its process.
    pub process: ProcessFile,
    /// Whether it ran before; then nothing was changed.
    pub already: bool,
    /// Time from the start until every role was ready.
    pub took: Duration,
}

/// First distance between two looks at a process that starts; it grows.
const FIRST_POLL: Duration = Duration::from_millis(3);
/// Largest distance between two looks.
const LONGEST_POLL: Duration = Duration::from_millis(100);
/// Time that the system may take to close the ports of a process that was killed.
const PORT_PATIENCE: Duration = Duration::from_secs(2);
/// Lines of the log that explain a start that went wrong.
const TAIL: usize = 10;

/// Starts the instance and waits until every role is ready. One that runs already is left as it is.
///
/// Dropping the future (because of Ctrl-C) ends what it started.
///
/// # Errors
/// Any [`EngineError`]; nothing that was started is left then.
pub async fn up(
    instance: &Instance,
    options: &UpOptions,
    mut progress: impl FnMut(UpEvent),
) -> Result<Running, EngineError> {
    let begin = Instant::now();
    let patience = options.deadline * 2;
    let _lock = InstanceLock::take(instance, patience, || progress(UpEvent::WaitingForOther)).await?;
    let path = instance.process_file();
    if let Some(process) = ProcessFile::read(&path).context("read the process file", &path)? {
        if process.is_alive() && wait_until_ready(instance, options, begin, None, &mut progress).await? {
            return Ok(Running {
                process,
                already: true,
                took: begin.elapsed(),
            });
        }
        progress(UpEvent::Recovered { pid: process.pid });
        remove_if_there(&path).context("remove the process file", &path)?;
    }
    check_ports(instance).await?;
    let mut started = Started::launch(instance, options)?;
    progress(UpEvent::Started {
        pid: started.child.id(),
    });
    let _ready = wait_until_ready(instance, options, begin, Some(&mut started), &mut progress).await?;
    let process = ProcessFile::read(&path)
        .context("read the process file", &path)?
        .ok_or_else(|| started.crashed("it left no process file".to_owned()))?;
    started.keep();
    Ok(Running {
        process,
        already: false,
        took: begin.elapsed(),
    })
}

/// A port in use is better named before anything is started. One that no process seems to have is asked for again: the system takes a
/// while to close what a process that was killed had open.
async fn check_ports(instance: &Instance) -> Result<(), EngineError> {
    let deadline = Instant::now() + PORT_PATIENCE;
    while let Some((role, port)) = taken(instance) {
        let holder = ports::holder(&instance.home, port);
        if holder.is_some() || Instant::now() >= deadline {
            return Err(EngineError::PortTaken {
                role,
                port,
                holder,
                free_offset: ports::free_offset(instance),
            });
        }
        tokio::time::sleep(FIRST_POLL).await;
    }
    Ok(())
}

/// The first port that is in use.
fn taken(instance: &Instance) -> Option<(Role, u16)> {
    let free = |port: u16| ports::is_free(Ipv4Addr::LOCALHOST.into(), port);
    instance.ports().into_iter().find(|(_, port)| !free(*port))
}

/// The process that was started, killed when dropped unless it is kept.
struct Started {
    child: Child,
    kept: bool,
    log_file: PathBuf,
    /// Length of the log before this process wrote to it.
    log_start: u64,
}

impl Started {
    fn launch(instance: &Instance, options: &UpOptions) -> Result<Self, EngineError> {
        let directory = instance.directory();
        std::fs::create_dir_all(&directory).context("create the directory", &directory)?;
        platform::make_private(&directory).context("restrict the directory", &directory)?;
        remove_if_there(&instance.stop_file()).context("remove the file", &instance.stop_file())?;
        let (log, log_start) = open_log(instance)?;
        let log_again = log.try_clone().context("open the log", &instance.log_file())?;
        let mut command = Command::new(&options.program);
        command
            .args(["serve", "all", "--background"])
            .args(["--instance", instance.name.as_str()])
            .args(["--port-offset", &instance.port_offset.to_string()])
            .env(odd_contracts::names::env::HOME, instance.home.path())
            .current_dir(instance.home.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again);
        platform::detach_on_spawn(&mut command);
        let child = command.spawn().context("run", &options.program)?;
        Ok(Self {
            child,
            kept: false,
            log_file: instance.log_file(),
            log_start,
        })
    }

    /// How the process ended, if it did.
    fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    fn log_tail(&self) -> Vec<String> {
        tail_from(&self.log_file, self.log_start, TAIL).unwrap_or_default()
    }

    fn crashed(&self, status: String) -> EngineError {
        let log_tail = self.log_tail();
        EngineError::CrashedOnStart {
            status,
            cause: likely_cause(&log_tail),
            log_tail,
            log_file: self.log_file.clone(),
        }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.kept {
            // That it ended by itself meanwhile is as well.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Looks until every role is ready, the process has ended, or time is up. False where one that ran before has ended: it was on its way out,
/// as right after a kill.
async fn wait_until_ready(
    instance: &Instance,
    options: &UpOptions,
    begin: Instant,
    mut started: Option<&mut Started>,
    progress: &mut impl FnMut(UpEvent),
) -> Result<bool, EngineError> {
    let deadline = Instant::now() + options.deadline;
    let mut poll = FIRST_POLL;
    let mut ready: Vec<Role> = Vec::new();
    loop {
        if let Some(started) = started.as_deref_mut()
            && let Some(how) = started.ended()
        {
            return Err(started.crashed(how));
        }
        let now = status(instance).await?;
        for role in now.roles.iter().filter(|r| r.state == RoleState::Ready) {
            // Of an instance that ran before there is nothing to tell.
            if started.is_some() && !ready.contains(&role.role) {
                ready.push(role.role);
                progress(UpEvent::RoleReady {
                    role: role.role,
                    after: begin.elapsed(),
                });
            }
        }
        if now.process.is_some() && now.roles.iter().all(|r| r.state == RoleState::Ready) {
            return Ok(true);
        }
        if started.is_none() && now.process.is_none() {
            return Ok(false);
        }
        if Instant::now() >= deadline {
            let log_tail = started.as_deref().map(Started::log_tail).unwrap_or_default();
            return Err(not_ready(instance, options.deadline, &now.roles, log_tail));
        }
        tokio::time::sleep(poll).await;
        poll = (poll * 3 / 2).min(LONGEST_POLL);
    }
}

fn not_ready(
    instance: &Instance,
    limit: Duration,
    roles: &[super::RoleStatus],
    log_tail: Vec<String>,
) -> EngineError {
    let waiting_for = roles
        .iter()
        .filter(|r| r.state != RoleState::Ready)
        .map(|r| format!("{} {}", r.role, r.detail.as_deref().unwrap_or("has not started")))
        .collect();
    EngineError::NotReady {
        limit,
        waiting_for,
        log_tail,
        log_file: instance.log_file(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::instance::{Home, InstanceName};

    const LONG: Duration = Duration::from_secs(20);

    /// A program that starts and never becomes ready. Written by another process, so that no thread of this
    /// one has it open for writing when it is run.
    fn idler(directory: &std::path::Path) -> PathBuf {
        let path = directory.join("idler");
        let script = format!(
            "printf '#!/bin/sh\nexec sleep 60\n' > '{0}' && chmod +x '{0}'",
            path.display()
        );
        let written = Command::new("sh").args(["-c", &script]).status();
        assert!(written.expect("a shell").success());
        path
    }

    fn instance(home: &std::path::Path) -> Instance {
        Instance {
            name: InstanceName::default(),
            home: Home::at(home),
            // Below the ports that systems give to outgoing connections.
            port_offset: 24_500,
        }
    }

    async fn has_ended(pid: u32) {
        let deadline = Instant::now() + LONG;
        while platform::start_time(pid).is_some() {
            assert!(Instant::now() < deadline, "process {pid} still lives");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_does_not_become_ready_is_stopped_and_said_to_be_late() {
        let home = tempfile::tempdir().unwrap();
        let options = UpOptions {
            program: idler(home.path()),
            deadline: Duration::from_millis(50),
        };
        let mut pid = None;
        let error = up(&instance(home.path()), &options, |event| {
            if let UpEvent::Started { pid: started } = event {
                pid = Some(started);
            }
        })
        .await
        .unwrap_err();
        assert!(matches!(error, EngineError::NotReady { .. }), "{error:?}");
        assert!(error.to_string().contains("gateway has not started"), "{error}");
        has_ended(pid.unwrap()).await;
    }

    #[tokio::test]
    async fn a_start_that_is_given_up_leaves_no_process() {
        let home = tempfile::tempdir().unwrap();
        let options = UpOptions {
            program: idler(home.path()),
            deadline: LONG,
        };
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let instance = instance(home.path());
        let starting = up(&instance, &options, |event| {
            if let UpEvent::Started { pid } = event {
                tell.send(pid).unwrap();
            }
        });
        let pid = tokio::select! {
            _ = starting => panic!("it cannot become ready"),
            pid = told.recv() => pid.unwrap(),
        };
        has_ended(pid).await;
    }
}
