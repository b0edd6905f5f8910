//! An instance of its own for one test: own home, own ports, ended with the test.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use odd_contracts::Role;
use odd_contracts::names::env;
use odd_engine::{Home, InstanceName, ProcessFile, platform};

use crate::ports::free_port_offset;
use crate::wait::wait_until;

/// Lines of the log that a failing test shows.
const SHOWN: usize = 40;
/// Time for a killed process to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A home directory, free ports and the binary under test. When dropped, whatever runs under the home is killed, and
/// the log is shown if the test failed.
#[derive(Debug)]
pub struct Instance {
    binary: PathBuf,
    home: tempfile::TempDir,
    offset: u16,
    name: String,
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// This, if the exit code is `code`.
    ///
    /// # Panics
    /// Where it is another.
    #[track_caller]
    #[must_use]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl Instance {
    /// For tests of `binary`, usually `env!("CARGO_BIN_EXE_odd")`. Nothing is started.
    ///
    /// # Panics
    /// Where there is no temporary directory or no free port.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            home: tempfile::Builder::new()
                .prefix("odd-test-")
                .tempdir()
                .expect("a temporary directory"),
            offset: free_port_offset(),
            name: InstanceName::DEFAULT.to_owned(),
        }
    }

    /// `ODD_HOME` of its commands.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Port offset of its commands.
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// Port of a role.
    pub fn port(&self, role: Role) -> u16 {
        role.default_port() + self.offset
    }

    /// Base address of a role.
    pub fn url(&self, role: Role) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port(role))
    }

    /// The same paths as the engine sees them.
    ///
    /// # Panics
    /// Never: the name is a constant.
    pub fn engine(&self) -> odd_engine::Instance {
        odd_engine::Instance {
            name: self.name.parse().expect("a valid name"),
            home: Home::at(self.home()),
            port_offset: self.offset,
        }
    }

    /// The process that runs it, where one lives.
    pub fn process(&self) -> Option<ProcessFile> {
        let file = ProcessFile::read(&self.engine().process_file()).ok().flatten();
        file.filter(ProcessFile::is_alive)
    }

    /// A command of the binary, in an environment that holds nothing of the caller's settings.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ODD_") {
                command.env_remove(name);
            }
        }
        command.args(args);
        // These are tests of the embedded engine, on machines with a Docker engine too. Roles are free to call it otherwise.
        if command.get_args().next().is_none_or(|first| first != "serve") {
            command.env(env::ENGINE, "embedded");
        }
        command
            .env(env::HOME, self.home())
            .env(env::PORT_OFFSET, self.offset.to_string())
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// Where it cannot be run.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        Self::output(&mut self.command(args))
    }

    /// Runs a command that was prepared by [`Instance::command`] to its end.
    ///
    /// # Panics
    /// Where it cannot be run.
    pub fn output(command: &mut Command) -> Output {
        let output = command.output().expect("the binary can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The same with standard output to a file of the caller's; that of the answer is empty.
    ///
    /// # Panics
    /// Where it cannot be run.
    pub fn output_to(command: &mut Command, stdout: std::fs::File) -> Output {
        let child = command
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let output = child.wait_with_output().expect("the command ends");
        Output {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts it.
    ///
    /// # Panics
    /// Where it does not become ready.
    #[track_caller]
    pub fn up(&self) -> ProcessFile {
        let _ = self.run(["up"]).expect_code(0);
        self.process().expect("a process runs after `up`")
    }

    /// Ends its process at once, as a crash would. None where none runs.
    ///
    /// # Panics
    /// Where the system refuses.
    pub fn kill(&self) -> Option<u32> {
        let process = self.process()?;
        platform::kill(process.pid).expect("own processes can be killed");
        wait_until(PATIENCE, "the end of a killed process", || {
            (!process.is_alive()).then_some(())
        });
        Some(process.pid)
    }

    fn show_log(&self) {
        let log = odd_engine::embedded::tail(&self.engine().log_file(), SHOWN).unwrap_or_default();
        eprintln!("--- last lines of the log of the instance under test ---");
        for line in log {
            eprintln!("{line}");
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_log();
        }
        for name in Home::at(self.home()).instance_names() {
            let instance = odd_engine::Instance {
                name,
                ..self.engine()
            };
            let file = ProcessFile::read(&instance.process_file()).ok().flatten();
            if let Some(process) = file.filter(ProcessFile::is_alive) {
                // The directory goes either way; a process that belongs to somebody else cannot be there.
                let _ = platform::kill(process.pid);
            }
        }
    }
}
