//! Stacks for tests: each with a home, a name and ports of its own, removed with the test however it ends.
//!
//! A stack is removed when it is dropped. What a killed process leaves, and the stack that all tests share, which is never
//! dropped, the keeper removes: see [`keeper`].

mod engine;
mod keeper;
pub(crate) mod small;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use odd_contracts::names::env;
use odd_contracts::{Role, ui};
use odd_testkit::{Instance, Output, Project};
use serde_json::Value;

pub(crate) use engine::Proxy;

/// The binary under test.
pub(crate) const ODD: &str = env!("CARGO_BIN_EXE_odd");
/// First port offset that is tried. Every port of a stack then lies below those that systems take for outgoing
/// connections (32768 on Linux), and none is one of the embedded engine's tests.
const FIRST_OFFSET: u16 = 3_100;
/// Distance between two offsets; no distance between two ports of a stack is a multiple of it.
const STEP: u16 = 53;
/// Number of offsets.
const OFFSETS: u16 = 120;

/// An instance on the Docker engine.
#[derive(Debug)]
pub(crate) struct Stack {
    name: String,
    home: PathBuf,
    offset: u16,
}

impl Stack {
    /// A name, a home and ports. Nothing is started.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t-{}-{number}", std::process::id());
        let home = keeper::home().join(number.to_string());
        std::fs::create_dir_all(&home).unwrap();
        Self {
            name,
            home,
            offset: free_offset(),
        }
    }

    /// The same, started from offline images and healthy.
    #[track_caller]
    pub(crate) fn started() -> Self {
        let stack = Self::new();
        let _ = stack.up(&[]);
        stack
    }

    /// Starts it from offline images, with further flags, and returns the answer.
    #[track_caller]
    pub(crate) fn up(&self, flags: &[&str]) -> Value {
        let args = ["up", "--engine", "docker", "--offline", "--output", "json"];
        self.run(args.iter().chain(flags)).expect_code(0).json()
    }

    /// Name of the instance.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ODD_HOME` of its commands.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Its port offset.
    pub(crate) fn offset(&self) -> u16 {
        self.offset
    }

    /// What the Docker engine has of it.
    pub(crate) fn project(&self) -> Project {
        Project::named(format!("odd-{}", self.name))
    }

    /// Address on this machine of what has this port by default.
    pub(crate) fn address(&self, default_port: u16) -> String {
        format!("http://127.0.0.1:{}", default_port + self.offset)
    }

    /// Base address of a role.
    pub(crate) fn url(&self, role: Role) -> String {
        self.address(role.default_port())
    }

    /// A command of the binary for this instance, in an environment that holds nothing of the caller's settings.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(ODD);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ODD_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .env(env::HOME, &self.home)
            .env(env::INSTANCE, &self.name)
            .env(env::PORT_OFFSET, self.offset.to_string())
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        Instance::output(&mut self.command(args))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} when its test failed ---", self.name);
            for args in [&["status"] as &[&str], &["logs", "--tail", "40"]] {
                let output = self.run(args);
                eprintln!("{}{}", output.stdout, output.stderr);
            }
        }
        let down = self.run(["down", "--volumes", "--yes", "--timeout", "3"]);
        let left = self.project().containers();
        if down.code != Some(0) || !left.is_empty() {
            eprintln!("{} was not removed by `down`: {down:?}, {left:?}", self.name);
            if !std::thread::panicking() {
                self.project().remove();
            }
        }
    }
}

/// The stack that tests share which change nothing but add jobs. Started by whoever asks first.
#[track_caller]
pub(crate) fn shared() -> &'static Stack {
    static SHARED: OnceLock<Result<Stack, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| {
        let stack = Stack::new();
        let up = stack.run(["up", "--engine", "docker", "--offline"]);
        match up.code {
            Some(0) => Ok(stack),
            _ => Err(format!("the stack does not start:\n{}{}", up.stdout, up.stderr)),
        }
    });
    match started {
        Ok(stack) => stack,
        Err(why) => panic!("{why}"),
    }
}

/// A port offset under which every port of a stack was free a moment ago. No two calls return the same.
fn free_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % u32::from(OFFSETS)).unwrap();
    let roles = Role::ALL.into_iter().map(Role::default_port);
    let pages = ui::registry().entries.iter().map(|entry| entry.port);
    let ports: Vec<u16> = roles.chain(pages).chain([9093]).collect();
    for _ in 0..OFFSETS {
        let tried = NEXT.fetch_add(1, Ordering::Relaxed) % OFFSETS;
        let offset = FIRST_OFFSET + (begin + tried) % OFFSETS * STEP;
        let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port + offset)).is_ok();
        if ports.iter().all(free) {
            return offset;
        }
    }
    panic!("no port offset is free");
}
