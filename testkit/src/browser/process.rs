//! A driver and its browser as processes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::programs::Programs;
use crate::wait::wait_until;

/// Time for a driver to come up, and for processes that were killed to be gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the driver says before the port that it took.
const STARTED: &str = "started successfully on port ";
/// Bytes of its log that are shown.
const SHOWN: usize = 4_000;
/// Runs a program until nobody has its own standard input open any more, as when the test process was killed; then it and
/// everything in its process group is killed.
const WATCH: &str = r#""$@" & read -r _; kill -KILL 0"#;
/// Set to 1 where systems keep programs without a profile of their own from making sandboxes.
const RESTRICTED: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

/// A driver, and the browser that it starts, in a process group and a folder of their own.
#[derive(Debug)]
pub(super) struct Driver {
    /// The shell that watches over it.
    child: Child,
    port: u16,
    folder: TempDir,
    ended: bool,
}

impl Driver {
    /// Starts one.
    pub(super) async fn start(programs: &Programs) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("odd-browser-").tempdir();
        let folder = folder.map_err(|error| format!("there is no temporary directory: {error}"))?;
        let mut child = spawn(programs, folder.path())
            .map_err(|error| format!("{} cannot be run: {error}", programs.driver.display()))?;
        let port = port(&mut child);
        let mut driver = Self {
            child,
            port: 0,
            folder,
            ended: false,
        };
        match tokio::time::timeout(PATIENCE, port).await {
            Ok(Ok(port)) => driver.port = port,
            Ok(Err(_)) => return Err(format!("the driver ended at once\n{}", driver.log())),
            Err(_) => return Err(format!("the driver does not come up\n{}", driver.log())),
        }
        Ok(driver)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The end of what driver and browser said.
    pub(super) fn log(&self) -> String {
        let log = std::fs::read(self.folder().join(LOG)).unwrap_or_default();
        let from = log.len().saturating_sub(SHOWN);
        String::from_utf8_lossy(&log[from..]).into_owned()
    }

    /// Kills it with everything that it started, and waits until all of that is gone.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // One that has just ended is as good.
        let _ = killpg(pid(self.child.id()), Signal::SIGKILL);
        let _ = self.child.wait();
        let end = Instant::now() + PATIENCE;
        wait_until(2 * PATIENCE, "the end of what a browser started", || {
            // The crash handler leads a session of its own; it goes with the browser, or now.
            let left = users(self.folder.path());
            for process in &left {
                let _ = kill(*process, Signal::SIGKILL);
            }
            // A test that fails already is not to panic once more.
            (left.is_empty() || (std::thread::panicking() && Instant::now() > end)).then_some(())
        });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
    }
}

const LOG: &str = "driver.log";

fn spawn(programs: &Programs, folder: &Path) -> std::io::Result<Child> {
    let log = File::create(folder.join(LOG))?;
    let mut command = Command::new("sh");
    command
        .args(["-c", WATCH, "sh"])
        .arg(&programs.driver)
        .arg("--port=0")
        // What browsers keep beside their profile goes with it.
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_CACHE_HOME")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0);
    command.spawn()
}

/// The port that the driver took. Its output is read to the end, so that it never waits for a reader.
fn port(child: &mut Child) -> oneshot::Receiver<u16> {
    let (sender, receiver) = oneshot::channel();
    let stdout = child.stdout.take().expect("it is a pipe");
    std::thread::spawn(move || {
        let mut sender = Some(sender);
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let said = line.split_once(STARTED);
            if let Some(Ok(port)) = said.map(|(_, port)| port.trim_end_matches('.').parse())
                && let Some(sender) = sender.take()
            {
                // Nobody waits any more where the deadline has passed.
                let _ = sender.send(port);
            }
        }
    });
    receiver
}

/// What the browser is asked to be.
pub(super) fn capabilities(programs: &Programs, folder: &Path) -> Value {
    json!({
        "browserName": "chrome",
        "timeouts": { "script": 60_000, "pageLoad": 60_000 },
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        "goog:chromeOptions": {
            "binary": programs.browser,
            "args": arguments(folder),
            "perfLoggingPrefs": { "enableNetwork": true, "enablePage": false },
        },
    })
}

fn arguments(folder: &Path) -> Vec<String> {
    let mut arguments = vec![format!("--user-data-dir={}", folder.join("profile").display())];
    let fixed = [
        "--headless",
        // Pictures and layout are made by the same code on every machine.
        "--disable-gpu",
        "--force-device-scale-factor=1",
        "--force-color-profile=srgb",
        "--font-render-hinting=none",
        "--hide-scrollbars",
        "--lang=en",
        // Nothing is asked of anybody but the page under test.
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
        "--no-proxy-server",
        "--no-first-run",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
        "--disable-features=Translate,MediaRouter,OptimizationHints",
        "--password-store=basic",
        "--use-mock-keychain",
        // Machines of continuous integration have little of it.
        "--disable-dev-shm-usage",
        // A tab that is covered by another goes on.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
    ];
    arguments.extend(fixed.map(str::to_owned));
    let restricted = std::fs::read_to_string(RESTRICTED).is_ok_and(|set| set.trim() == "1");
    if geteuid().is_root() || restricted {
        arguments.push("--no-sandbox".to_owned());
    }
    arguments
}

/// Processes whose arguments name the folder, as far as the system tells.
pub(super) fn users(folder: &Path) -> Vec<Pid> {
    let folder = folder.to_string_lossy().into_owned();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let of_folder = |process: std::fs::DirEntry| {
        let number: i32 = process.file_name().to_str()?.parse().ok()?;
        let arguments = std::fs::read(process.path().join("cmdline")).ok()?;
        let names = String::from_utf8_lossy(&arguments).contains(&folder);
        names.then(|| Pid::from_raw(number))
    };
    processes.flatten().filter_map(of_folder).collect()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).expect("numbers of processes are small"))
}
