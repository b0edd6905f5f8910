//! A role as a process of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::platform;
use odd_testkit::{free_port_offset, wait_for};

/// Longest that a role may take to be ready, to end, or to reach its failpoint.
const DEADLINE: Duration = Duration::from_secs(90);
/// Lines of its log that a failing test shows.
const SHOWN: usize = 30;

/// One role. Killed when dropped; a failing test shows the end of its log.
pub(crate) struct RoleProcess {
    role: Role,
    port: u16,
    settings: BTreeMap<&'static str, String>,
    log: PathBuf,
    child: Option<Child>,
}

impl RoleProcess {
    /// Nothing is started. `home` takes its log.
    pub(crate) fn new(role: Role, settings: BTreeMap<&'static str, String>, home: PathBuf) -> Self {
        // Not of the range that outgoing connections take theirs from: it has to be free again after a crash.
        let port = role.default_port() + free_port_offset();
        Self {
            role,
            port,
            log: home.join(format!("{role}-{port}.log")),
            settings,
            child: None,
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.settings.insert(name, value);
    }

    /// Starts it.
    pub(crate) fn start(&mut self) {
        self.start_with(None);
    }

    /// Starts it with a failpoint armed.
    pub(crate) fn start_with(&mut self, failpoint: Option<&str>) {
        assert!(self.child.is_none(), "the {} runs already", self.role);
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_odd"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ODD_") {
                command.env_remove(name);
            }
        }
        command
            .args(["serve", self.role.name(), "--port"])
            .arg(format!("{}={}", self.role, self.port))
            .envs(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(failpoint) = failpoint {
            command.env("FAILPOINTS", failpoint);
        }
        self.child = Some(command.spawn().unwrap());
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        child.try_wait().unwrap().is_none()
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&self, http: &reqwest::Client) {
        let url = format!("{}/readyz", self.url());
        let what = format!("the {} to be ready", self.role);
        wait_for(DEADLINE, &what, || async {
            let answer = http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until it ended by itself, and returns how.
    pub(crate) async fn ended(&mut self, why: &str) -> ExitStatus {
        let what = format!("the {} {why}", self.role);
        // It stays where it is killed if it does not end.
        let child = RefCell::new(self.child.as_mut().expect("it runs"));
        let status = wait_for(DEADLINE, &what, || async {
            child.borrow_mut().try_wait().unwrap()
        })
        .await;
        self.child = None;
        status
    }

    /// Ends it as an orchestrator does, and returns how it ended.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let pid = self.child.as_ref().expect("it runs").id();
        platform::request_stop(pid, &self.log.with_extension("stop")).unwrap();
        self.ended("to end").await
    }

    fn show_log(&self) {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        eprintln!("--- the {} on port {} last said ---", self.role, self.port);
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_log();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
