//! Commands of `odd` that screens run: what belongs to this machine is done by the same commands, with the same words, that a person
//! would type. Each runs in a process of its own, ended with its screen.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::app::ScreenId;
use crate::effect::{Printed, Reply, Run};
use crate::options::Options;
use crate::runner::Message;

/// Most lines that are handed over together.
const TOGETHER: usize = 256;
/// Most bytes of lines that are handed over together.
const TOGETHER_BYTES: usize = 64 * 1024;
/// Longest line that is kept; what lies beyond is dropped.
const LONGEST_LINE: usize = 64 * 1024;
/// Time that a command has to put things in order once it was interrupted, before it is killed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Time for what a command printed last to be read, once it has ended. Only a process that it left behind can hold its outputs
/// open for longer, and what that prints is not the command's.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One run of a command, told from every other.
pub(crate) type RunId = u64;

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// Which run it is.
    pub(crate) id: RunId,
    stop: Option<oneshot::Sender<()>>,
}

impl Running {
    /// Asks it to end, as Ctrl-C does. It has [`PATIENCE`] to put things in order.
    pub(crate) fn interrupt(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens where it has ended meanwhile.
            let _ = stop.send(());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.interrupt();
    }
}

/// Where a run's lines go, and how long it is waited for.
struct Outlet {
    patience: Duration,
    run: RunId,
    name: &'static str,
    to: ScreenId,
    sender: mpsc::Sender<Message>,
}

impl Outlet {
    async fn send(&self, reply: Reply) {
        // Nobody listens when the dashboard ends.
        let _ = self.sender.send(Message::OfRun(self.run, self.to, reply)).await;
    }

    async fn lines(&self, lines: Vec<Printed>) {
        if !lines.is_empty() {
            self.send(Reply::Printed(self.name, lines)).await;
        }
    }
}

/// Starts a command among `children`. What it prints and how it ends goes to the screen.
pub(crate) fn start(
    options: &Options,
    run: &Run,
    (id, to): (RunId, ScreenId),
    sender: mpsc::Sender<Message>,
    children: &mut JoinSet<()>,
) -> Running {
    let outlet = Outlet {
        patience: PATIENCE,
        run: id,
        name: run.name,
        to,
        sender,
    };
    start_with(options, run, outlet, children)
}

fn start_with(options: &Options, run: &Run, outlet: Outlet, children: &mut JoinSet<()>) -> Running {
    let mut command = Command::new(&options.program);
    command
        .args(&run.arguments)
        .args(&options.arguments)
        // Nothing is asked for on a terminal that is ours.
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("NO_COLOR", "1")
        .kill_on_drop(true);
    // A terminal that is closed ends the processes in its foreground at once; this one shall be asked to end by us.
    #[cfg(unix)]
    command.process_group(0);
    let (stop, stopped) = oneshot::channel();
    let id = outlet.run;
    children.spawn(async move {
        let ended = match command.spawn() {
            Ok(child) => follow(child, &outlet, stopped).await,
            Err(error) => Err(format!("odd cannot be run: {error}")),
        };
        outlet.send(Reply::Ended(outlet.name, ended)).await;
    });
    Running { id, stop: Some(stop) }
}

/// Hands over what the command prints until it has ended. It is always waited for, so that nothing of it is left.
async fn follow(
    mut child: Child,
    outlet: &Outlet,
    mut stopped: oneshot::Receiver<()>,
) -> Result<i32, String> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let printing = async {
        tokio::join!(print(out, false, outlet), print(err, true, outlet));
    };
    tokio::pin!(printing);
    let (mut printed, mut deadline) = (false, None::<Instant>);
    let status = loop {
        tokio::select! {
            () = &mut printing, if !printed => printed = true,
            status = child.wait() => break status,
            _ = &mut stopped, if deadline.is_none() => {
                interrupt(&mut child);
                deadline = Some(Instant::now() + outlet.patience);
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                // Waited for in the next turn; one that has just ended is as good.
                let _ = child.start_kill();
                deadline = Some(Instant::now() + outlet.patience);
            }
        }
    };
    if !printed {
        // What is not read by then belongs to a process that it left behind.
        let _ = timeout(LAST_WORDS, &mut printing).await;
    }
    let status = status.map_err(|error| format!("how odd ended is not known: {error}"))?;
    Ok(status.code().unwrap_or(-1))
}

/// As Ctrl-C on a terminal.
#[cfg(unix)]
fn interrupt(child: &mut Child) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid {
        // One that has just ended is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
    }
}

/// Windows has no signal for a process without a console of its own.
#[cfg(not(unix))]
fn interrupt(child: &mut Child) {
    // One that has just ended is as good.
    let _ = child.start_kill();
}

/// Hands lines over, together what was printed together. Whoever prints faster than is read waits.
async fn print<R: AsyncRead + Unpin>(pipe: Option<R>, to_stderr: bool, outlet: &Outlet) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    loop {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        loop {
            let Some(text) = line(&mut reader).await else {
                outlet.lines(lines).await;
                return;
            };
            bytes += text.len();
            lines.push(Printed { to_stderr, text });
            let many = lines.len() >= TOGETHER || bytes >= TOGETHER_BYTES;
            if many || !reader.buffer().contains(&b'\n') {
                break;
            }
        }
        outlet.lines(lines).await;
    }
}

/// The next line, without what ends it. None at the end, and where reading fails.
async fn line<R: AsyncBufRead + Unpin>(reader: &mut R) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let available = reader.fill_buf().await.ok()?;
        if available.is_empty() {
            break;
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |at| at + 1);
        let room = LONGEST_LINE.saturating_sub(bytes.len());
        bytes.extend_from_slice(&available[..taken.min(room)]);
        reader.consume(taken);
        if end.is_some() {
            let text = String::from_utf8_lossy(&bytes);
            return Some(text.trim_end_matches(['\n', '\r']).to_owned());
        }
    }
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

// The command `env` that the scripts need is that of GNU.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod process_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_and_never_held_without_bound() {
        let long = "x".repeat(LONGEST_LINE * 3);
        let text = format!("a\r\n{long}\n\nb");
        let mut reader = BufReader::new(text.as_bytes());
        assert_eq!(line(&mut reader).await.as_deref(), Some("a"));
        assert_eq!(line(&mut reader).await.map(|line| line.len()), Some(LONGEST_LINE));
        assert_eq!(line(&mut reader).await.as_deref(), Some(""));
        assert_eq!(line(&mut reader).await.as_deref(), Some("b"));
        assert_eq!(line(&mut reader).await, None);
    }
}
