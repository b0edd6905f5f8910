//! A program of others, run within bounds of time and size.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::KubernetesError;

/// Bytes of standard error that are kept.
const MAX_ERRORS: u64 = 16 * 1024;

/// What a program said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: ExitStatus,
    /// Standard output.
    pub(super) answer: Vec<u8>,
    /// The beginning of standard error, in one line.
    pub(super) errors: String,
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How long it may take.
    pub(super) time: Duration,
    /// How many bytes it may answer.
    pub(super) bytes: usize,
}

/// Runs a command to its end. It is killed when it passes a bound, and when the future is dropped.
pub(super) async fn run(name: &str, command: &mut Command, bounds: Bounds) -> Result<Said, KubernetesError> {
    run_telling(name, command, bounds, &|_| {}).await
}

/// The same, and tells each line of standard error as it comes.
pub(super) async fn run_telling(
    name: &str,
    command: &mut Command,
    bounds: Bounds,
    tell: &(impl Fn(&str) + Sync),
) -> Result<Said, KubernetesError> {
    let unusable = |source| KubernetesError::Program {
        program: name.to_owned(),
        source,
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(unusable)?;
    let mut group = Group::of(&child);
    let streams = (child.stdout.take(), child.stderr.take());
    let (Some(answer), Some(errors)) = streams else {
        return Err(unusable(io::Error::other("its output cannot be read")));
    };
    let work = async {
        let read = async { tokio::try_join!(whole(answer, bounds.bytes), beginning(errors, tell)) };
        let (answer, errors) = read.await.map_err(unusable)?;
        let answer = answer.ok_or_else(|| KubernetesError::TooMuch {
            program: name.to_owned(),
            limit: bounds.bytes,
        })?;
        let status = child.wait().await.map_err(unusable)?;
        group.ended();
        Ok(Said {
            status,
            answer,
            errors,
        })
    };
    let in_time = tokio::time::timeout(bounds.time, work).await;
    in_time.unwrap_or_else(|_| {
        Err(KubernetesError::TimedOut {
            program: name.to_owned(),
            limit: bounds.time,
        })
    })
}

/// A program with the programs that it started. They are killed together when this is dropped before it ended, so that none goes on alone;
/// a key pressed in the terminal reaches none of them.
struct Group(Option<u32>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id())
    }

    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // That it ended by itself meanwhile is as well.
            let _ =
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// Everything, or none where it is more than `limit` bytes.
async fn whole(stream: impl AsyncRead + Unpin, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    stream.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// The beginning, in one line; the rest is read and dropped, so that the program does not wait for somebody to read it.
async fn beginning(mut stream: impl AsyncRead + Unpin, tell: &(impl Fn(&str) + Sync)) -> io::Result<String> {
    let mut first = BufReader::new((&mut stream).take(MAX_ERRORS));
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    while first.read_until(b'\n', &mut bytes).await? > 0 {
        let line = String::from_utf8_lossy(&bytes).trim().to_owned();
        if !line.is_empty() {
            tell(&line);
            lines.push(line);
        }
        bytes.clear();
    }
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(lines.join(" "))
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        time: Duration::from_secs(60),
        bytes: 1_000,
    };

    async fn shell(script: &str, bounds: Bounds) -> Result<Said, KubernetesError> {
        run("sh", Command::new("sh").args(["-c", script]), bounds).await
    }

    /// The process that wrote its id there has ended, or ends soon.
    #[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
    async fn assert_ends(file: &Path) {
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let pid = nix::unistd::Pid::from_raw(pid);
        let gone = async {
            while nix::sys::signal::kill(pid, None).is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone)
            .await
            .expect("it was killed");
    }

    #[tokio::test]
    async fn both_outputs_are_taken_whatever_the_program_writes_first() {
        let script =
            "i=0; while [ $i -lt 20000 ]; do echo error $i; i=$((i+1)); done >&2; echo answer; exit 3";
        let said = shell(script, BOUNDS).await.unwrap();
        assert_eq!(
            (&said.answer[..], said.status.code()),
            (&b"answer\n"[..], Some(3))
        );
        assert!(said.errors.starts_with("error 0 error 1 ") && said.errors.len() <= 16 * 1024);
    }

    #[tokio::test]
    async fn one_that_takes_too_long_is_killed() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("pid");
        let script = format!(
            "echo $$ >{0}.new; mv {0}.new {0}; exec tail -f /dev/null",
            file.display()
        );
        let written = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            said = shell(&script, BOUNDS) => panic!("it does not end: {said:?}"),
            () = written => {}
        }
        assert_ends(&file).await;
        let short = Bounds {
            time: Duration::from_millis(200),
            ..BOUNDS
        };
        let error = shell("exec tail -f /dev/null", short).await.unwrap_err();
        assert!(matches!(error, KubernetesError::TimedOut { .. }), "{error}");
    }

    #[tokio::test]
    async fn one_that_says_too_much_is_ended() {
        let error = shell("while :; do echo more; done", BOUNDS).await.unwrap_err();
        assert!(
            matches!(error, KubernetesError::TooMuch { limit: 1_000, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_told() {
        let error = run("none", &mut Command::new("odd-no-such-program"), BOUNDS).await;
        assert!(matches!(error, Err(KubernetesError::Program { .. })), "{error:?}");
    }
}
