//! Runs commands of `odd` for screens: what belongs to this machine has one implementation, and it is the command that a person
//! would type. Each runs in a process of its own, ended with its screen.

use std::process::Stdio;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::app::ScreenId;
use crate::effect::{Printed, Reply, Run};
use crate::options::Options;
use crate::runner::Message;

/// Most lines that are handed over together.
const TOGETHER: usize = 256;
/// Longest line that is kept; what lies beyond is dropped.
const LONGEST_LINE: usize = 64 * 1024;

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
}

impl Running {
    /// Asks it to end, as Ctrl-C does. It may take its time to put things in order.
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

/// Starts a command. What it prints and how it ends goes to the screen.
pub(crate) fn start(options: &Options, run: &Run, to: ScreenId, sender: mpsc::Sender<Message>) -> Running {
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
    let (stop, stopped) = oneshot::channel();
    let name = run.name;
    tokio::spawn(async move {
        let ended = match command.spawn() {
            Ok(child) => follow(child, name, to, &sender, stopped).await,
            Err(error) => Err(format!("odd cannot be run: {error}")),
        };
        // Nobody listens when the dashboard ends.
        let _ = sender.send(Message::Reply(to, Reply::Ended(name, ended))).await;
    });
    Running { stop: Some(stop) }
}

async fn follow(
    mut child: Child,
    name: &'static str,
    to: ScreenId,
    sender: &mpsc::Sender<Message>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<i32, String> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let printing = async {
        tokio::join!(
            print(out, false, name, to, sender),
            print(err, true, name, to, sender)
        );
    };
    tokio::pin!(printing);
    let mut printed = false;
    loop {
        tokio::select! {
            () = &mut printing, if !printed => printed = true,
            status = child.wait(), if printed => {
                let status = status.map_err(|error| format!("how odd ended is not known: {error}"))?;
                return Ok(status.code().unwrap_or(-1));
            }
            _ = &mut stopped, if !stopped.is_terminated() => interrupt(&mut child),
        }
    }
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

/// Hands lines over, together what was printed together.
async fn print<R: AsyncRead + Unpin>(
    pipe: Option<R>,
    to_stderr: bool,
    name: &'static str,
    to: ScreenId,
    sender: &mpsc::Sender<Message>,
) {
    let Some(pipe) = pipe else { return };
    let mut reader = BufReader::new(pipe);
    loop {
        let mut lines = Vec::new();
        loop {
            match line(&mut reader).await {
                Some(text) => lines.push(Printed { to_stderr, text }),
                None => {
                    hand_over(lines, name, to, sender).await;
                    return;
                }
            }
            if lines.len() >= TOGETHER || !reader.buffer().contains(&b'\n') {
                break;
            }
        }
        hand_over(lines, name, to, sender).await;
    }
}

async fn hand_over(lines: Vec<Printed>, name: &'static str, to: ScreenId, sender: &mpsc::Sender<Message>) {
    if !lines.is_empty() {
        // Nobody listens when the dashboard ends.
        let _ = sender.send(Message::Reply(to, Reply::Printed(name, lines))).await;
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
