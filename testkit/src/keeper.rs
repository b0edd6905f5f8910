//! The keeper of a run: a process that removes the run's containers when its last user has gone, however that came
//! about. It is the test binary itself, started once more in a session of its own, so that a Ctrl-C does not reach it.
//! It waits a while after the last user, because `cargo test` runs one test binary after another.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime};

use crate::docker::{self, Result, Trouble};
use crate::run::{self, Folder, LABEL_FOLDER, LABEL_RUN};

/// Environment variable with the folder, which makes a test binary a keeper.
const VARIABLE: &str = "ODD_TEST_KEEPER";
/// Environment variable with the id of the run.
const RUN: &str = "ODD_TEST_KEEPER_RUN";
/// Environment variable with the grace, in milliseconds.
pub(crate) const GRACE: &str = "ODD_TEST_KEEPER_GRACE_MS";
/// How long servers stay after the last user.
const DEFAULT_GRACE: Duration = Duration::from_secs(15);
/// What it says when nothing that ends the tests ends it any more.
const READY: &str = "ready";
/// How often it tries to remove what the engine does not let go.
const ATTEMPTS: u32 = 10;

/// Starts a keeper for `folder`, which holds `lock` for its life. Returns when it is on its own.
pub(crate) fn start(folder: &Folder, run: &str, lock: File) -> Result<()> {
    let failed = |error: &dyn std::error::Error| {
        Trouble::of(
            "the process that removes the containers of the tests cannot be started",
            error,
        )
    };
    let binary = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut child = Command::new(binary)
        .env(VARIABLE, folder.path())
        .env(RUN, run)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::from(lock))
        .stdout(Stdio::piped())
        .stderr(Stdio::from(folder.open("keeper.log")?))
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        let read = BufReader::new(stdout).read_line(&mut said);
        read.map_err(|error| failed(&error))?;
    }
    if said.trim() != READY {
        let ended = child.wait().map_err(|error| failed(&error))?;
        return Err(failed(&Trouble::new(format!("it ended with {ended}"))));
    }
    // Takes its exit status where it ends before this process.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Before `main`, because what `main` does in a test binary is not ours.
#[ctor::ctor(unsafe)]
fn become_keeper() {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        let code = keep(&folder);
        #[expect(clippy::disallowed_methods, reason = "there is no `main` to return to")]
        std::process::exit(i32::from(code != ExitCode::SUCCESS));
    }
}

fn keep(folder: &OsStr) -> ExitCode {
    stand_alone();
    let folder = Folder::at(folder);
    // For people; the lock on the file says whether it lives.
    let _ = std::fs::write(folder.path().join(run::KEEPER), std::process::id().to_string());
    // A parent that died meanwhile does not want to know.
    let _ = writeln!(std::io::stdout(), "{READY}").and_then(|()| std::io::stdout().flush());
    match serve(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A session of its own, and no death by writing to an engine that has closed the connection: `main` would have seen
/// to that.
#[cfg(unix)]
fn stand_alone() {
    use nix::sys::signal::{SigSet, Signal};
    let mut ignored = SigSet::empty();
    ignored.add(Signal::SIGPIPE);
    ignored.add(Signal::SIGHUP);
    ignored.add(Signal::SIGINT);
    let alone = nix::unistd::setsid()
        .map(drop)
        .and_then(|()| ignored.thread_block());
    if let Err(error) = alone {
        eprintln!("{error}");
    }
}

#[cfg(not(unix))]
fn stand_alone() {}

fn serve(folder: &Folder) -> Result<()> {
    let grace = std::env::var(GRACE).ok().and_then(|grace| grace.parse().ok());
    let grace = grace.map_or(DEFAULT_GRACE, Duration::from_millis);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::of("no runtime", &error))?;
    runtime.block_on(async {
        let poll = (grace / 20).clamp(Duration::from_millis(10), Duration::from_millis(500));
        let mut left = None;
        loop {
            tokio::time::sleep(poll).await;
            if !folder.path().exists() {
                return remove_containers(folder).await;
            }
            let lock = folder.clone().lock().await?;
            let now = SystemTime::now();
            // Whoever came and went between two looks counts too.
            left = folder.is_unused()?.map(|joined| joined.max(left.unwrap_or(now)));
            let waited = left.and_then(|left| now.duration_since(left).ok());
            if waited.is_some_and(|waited| waited >= grace) {
                remove_containers(folder).await?;
                let removed = folder.remove();
                drop(lock);
                return removed;
            }
        }
    })
}

async fn remove_containers(folder: &Folder) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match remove_once(folder).await {
            Err(error) if attempt < ATTEMPTS => {
                eprintln!("{error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            result => return result,
        }
    }
}

async fn remove_once(folder: &Folder) -> Result<()> {
    let run = std::env::var(RUN).unwrap_or_default();
    let labels = vec![
        format!("{LABEL_FOLDER}={}", folder.label()),
        format!("{LABEL_RUN}={run}"),
    ];
    let containers = docker::labelled(labels).await?;
    let ids = containers.into_iter().filter_map(|container| container.id);
    futures::future::try_join_all(ids.map(|id| async move { docker::remove(&id).await })).await?;
    Ok(())
}
