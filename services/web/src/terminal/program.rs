//! The program of a session, in a pseudo-terminal of its own.

use std::path::Path;
use std::time::Duration;

use odd_runtime::error::chain;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::config::{Program, TerminalConfig};
use super::copy::Ends;
use super::screen::Size;

/// All that the program's environment has: what the browser's terminal can do, no home to read or write, no shell, little
/// memory for what was freed, and few threads.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("TERM", "xterm-256color"),
    ("COLORTERM", "truecolor"),
    ("LANG", "C.UTF-8"),
    ("ODD_HOME", "/nonexistent"),
    ("SHELL", ""),
    ("MIMALLOC_ALLOW_THP", "0"),
    ("TOKIO_WORKER_THREADS", "2"),
];
/// What the system itself needs of its environment.
const OF_THE_SYSTEM: &[&str] = if cfg!(windows) { &["SystemRoot"] } else { &[] };

/// Longest wait for a terminal, and for a program to be started in it.
pub(super) const START: Duration = Duration::from_secs(10);

/// Where the roles are that the dashboard asks.
pub(super) struct Roles<'a> {
    pub(super) gateway: &'a str,
    pub(super) read_model: &'a str,
}

/// What to run: what the settings name, else this very executable, of the same version even where its file was replaced.
pub(super) fn choose(config: &TerminalConfig, roles: &Roles<'_>) -> std::io::Result<Program> {
    if let Some(program) = &config.program {
        return Ok(program.clone());
    }
    let own = Path::new("/proc/self/exe");
    let path = if own.exists() {
        own.to_owned()
    } else {
        std::env::current_exe()?
    };
    let mut arguments = vec!["watch", "--server"];
    if config.is_read_only() {
        arguments.push("--read-only");
    }
    if let Some(instance) = &config.instance {
        arguments.extend(["--instance", instance]);
    }
    arguments.extend([
        "--gateway-url",
        roles.gateway,
        "--read-model-url",
        roles.read_model,
    ]);
    Ok(Program {
        path,
        arguments: arguments.into_iter().map(str::to_owned).collect(),
    })
}

/// Whether there are pseudo-terminals, and the program.
///
/// # Errors
/// What is missing, and what to do.
pub(super) fn check(program: &Program) -> Result<(), String> {
    if !program.path.is_file() {
        return Err(format!(
            "there is no program at {}; start the role anew from an odd that is there",
            program.path.display()
        ));
    }
    let pair = native_pty_system().openpty(size(Size::within(80, 24)));
    pair.map(drop).map_err(|error| no_terminal(&error))
}

fn no_terminal(error: &impl std::fmt::Display) -> String {
    format!(
        "this system gives no pseudo-terminal ({error}); /dev/ptmx and /dev/pts have to be there and not full"
    )
}

/// What blocks, on a thread for that, at most so long. What comes of it later is dropped there.
///
/// # Errors
/// Its own, or that it took too long.
pub(super) async fn within<T: Send + 'static>(
    limit: Duration,
    blocking: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let blocking = tokio::task::spawn_blocking(blocking);
    match tokio::time::timeout(limit, blocking).await {
        Ok(done) => done.unwrap_or_else(|error| Err(error.to_string())),
        Err(_) => Err(format!(
            "the system gave no terminal within {} s; try again in a moment",
            limit.as_secs_f64()
        )),
    }
}

/// A program at work, with both ends of its terminal.
pub(super) struct Started {
    pub(super) running: Running,
    pub(super) master: Box<dyn MasterPty + Send>,
    pub(super) ends: Ends,
}

/// Starts the program in a terminal of this size. It leads a session of its own; besides the terminal it has no file open.
/// Blocks for some milliseconds.
///
/// # Errors
/// Why there is none, and what to do.
pub(super) fn start(program: &Program, at: Size) -> Result<Started, String> {
    let pair = native_pty_system()
        .openpty(size(at))
        .map_err(|error| no_terminal(&error))?;
    let ends = Ends::of(&*pair.master).map_err(|error| no_terminal(&error))?;
    let child = pair.slave.spawn_command(builder(program));
    let child = child.map_err(|error| {
        format!(
            "the program of the terminal cannot be started: {}",
            chain(error.as_ref())
        )
    })?;
    Ok(Started {
        running: Running { child, ended: false },
        master: pair.master,
        ends,
    })
}

fn builder(program: &Program) -> CommandBuilder {
    let mut builder = CommandBuilder::new(&program.path);
    builder.args(&program.arguments);
    builder.env_clear();
    for (name, value) in ENVIRONMENT {
        builder.env(name, value);
    }
    for name in OF_THE_SYSTEM {
        if let Some(value) = std::env::var_os(name) {
            builder.env(name, value);
        }
    }
    builder.cwd(if cfg!(windows) { "C:\\" } else { "/" });
    builder
}

pub(super) const fn size(size: Size) -> PtySize {
    PtySize {
        rows: size.rows,
        cols: size.columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// How a program ended: its exit code, or none where a signal ended it.
pub(super) type Exit = Option<u32>;

/// A process that is waited for, whatever happens: where nobody did when this is dropped, it is killed.
pub(super) struct Running {
    child: Box<dyn Child + Send + Sync>,
    ended: bool,
}

impl Running {
    /// How it ended, if it has. To be asked until it has, and not again.
    pub(super) fn ended(&mut self) -> Option<Exit> {
        let exit = match self.child.try_wait() {
            Ok(exit) => exit?,
            Err(error) => {
                // Nobody else waits for it, so this does not happen; it is killed when this is dropped.
                tracing::error!(%error, "the state of a terminal's program is unknown");
                return Some(None);
            }
        };
        self.ended = true;
        // What it left behind in its group.
        self.signal(Signal::Kill);
        Some(exit.signal().is_none().then(|| exit.exit_code()))
    }

    /// Sends a signal to its whole group.
    #[cfg(unix)]
    pub(super) fn signal(&self, signal: Signal) {
        use nix::sys::signal::{Signal as System, killpg};
        use nix::unistd::Pid;
        let signal = match signal {
            Signal::HangUp => System::SIGHUP,
            Signal::Kill => System::SIGKILL,
        };
        let pid = self.child.process_id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.filter(|pid| *pid > 1) {
            // A group that is gone needs no signal.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// Ends it; there is but one way.
    #[cfg(not(unix))]
    pub(super) fn signal(&self, _signal: Signal) {
        if !self.ended {
            let _ = self.child.clone_killer().kill();
        }
    }
}

/// What a program is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Its terminal is gone: it ends itself.
    HangUp,
    /// It is ended.
    Kill,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::Kill);
            // What is killed ends.
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::config::TerminalMode;

    const ROLES: Roles<'_> = Roles {
        gateway: "http://gateway:3000",
        read_model: "http://read-model:8080",
    };

    #[test]
    fn the_dashboard_is_told_where_the_roles_are_and_what_it_may() {
        let config = TerminalConfig {
            mode: TerminalMode::ReadOnly,
            instance: Some("demo".to_owned()),
            ..TerminalConfig::default()
        };
        let program = choose(&config, &ROLES).unwrap();
        assert_eq!(
            program.arguments.join(" "),
            "watch --server --read-only --instance demo --gateway-url http://gateway:3000 --read-model-url http://read-model:8080"
        );
        assert!(check(&program).is_ok());
        let plain = choose(&TerminalConfig::default(), &ROLES).unwrap();
        assert!(!plain.arguments.contains(&"--read-only".to_owned()));
    }

    #[test]
    fn a_program_that_is_not_there_is_told_of_before_it_is_started() {
        let missing = Program {
            path: "/nonexistent/odd".into(),
            arguments: Vec::new(),
        };
        let error = check(&missing).unwrap_err();
        assert!(error.contains("/nonexistent/odd"), "{error}");
        assert!(start(&missing, Size::within(80, 24)).is_err());
    }

    /// Whatever comes too late is ended, not forgotten.
    #[tokio::test]
    async fn a_start_that_takes_too_long_is_given_up() {
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let (ended, mut end) = tokio::sync::oneshot::channel::<()>();
        let late = within(Duration::from_millis(20), move || {
            wait.recv().unwrap();
            Ok(ended)
        });
        let error = late.await.err().unwrap();
        assert!(error.contains("within 0.02 s"), "{error}");
        assert!(
            end.try_recv()
                .is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Empty)
        );
        go_on.send(()).unwrap();
        assert!(end.await.is_err(), "what came was dropped");
        assert_eq!(within(START, || Ok(7)).await, Ok(7));
        let panicked = within(START, || -> Result<(), String> { panic!("on purpose") }).await;
        assert!(panicked.is_err());
    }
}
