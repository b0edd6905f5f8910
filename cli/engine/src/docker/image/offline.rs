//! The offline images: what is missing is built by `scripts/images.sh`, the one implementation of that, from the files that this binary carries or
//! those of a directory.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bollard::Docker;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{ImageError, ImageState, Tell, id};
use crate::compose::Source;
use crate::compose::files::Files;
use crate::compose::recipe;

/// Time that the script may take for everything; it takes about two minutes.
const LIMIT: Duration = Duration::from_secs(45 * 60);
/// Lines that are kept for an error.
const LOG: usize = 60;
/// What the script begins its own lines with.
const SAYS: &str = "images:";

/// Builds images, given by their references.
pub(super) async fn build(
    docker: &Docker,
    address: &str,
    source: &Source,
    references: &[String],
    tell: &Tell,
) -> Result<(), ImageError> {
    let fail = |reason: String, log: Vec<String>| ImageError::OfflineMissing {
        missing: references.to_vec(),
        reason,
        log,
    };
    if let Some(tool) = ["bash", "docker"].into_iter().find(|tool| !is_on_path(tool)) {
        return Err(fail(format!("the program {tool} is not there"), Vec::new()));
    }
    for reference in references {
        tell.state(reference, ImageState::Building);
    }
    let files = Files::of(source).map_err(ImageError::recipe)?;
    let folder = unpacked(recipe::home(&files))?;
    let names: Vec<&str> = references
        .iter()
        .filter_map(|reference| name_of(reference))
        .collect();
    let (status, log) = run(folder.path(), address, &names, references, tell)
        .await
        .map_err(|error| fail(error.to_string(), Vec::new()))?;
    if let Some(status) = status {
        return Err(fail(last_words(&log).unwrap_or(status), log));
    }
    for reference in references {
        if id(docker, reference).await?.is_none() {
            return Err(fail(format!("{reference} is not there after its build"), log));
        }
        tell.state(reference, ImageState::Ready);
    }
    Ok(())
}

/// The name of a recipe in `odd-offline/NAME:HASH`.
pub(super) fn name_of(reference: &str) -> Option<&str> {
    Some(reference.strip_prefix(recipe::PREFIX)?.split_once(':')?.0)
}

/// The recipes and the script, laid out as in a checkout.
fn unpacked(files: &Files) -> Result<tempfile::TempDir, ImageError> {
    let folder = tempfile::tempdir().map_err(|error| unwritable(&std::env::temp_dir(), error))?;
    let mut all: Vec<(PathBuf, std::borrow::Cow<'static, [u8]>)> = Vec::new();
    for path in files.below(recipe::FOLDER).map_err(ImageError::recipe)? {
        let bytes = files.read(&path).map_err(ImageError::recipe)?;
        all.push((folder.path().join("compose").join(path), bytes));
    }
    all.push((folder.path().join("scripts/images.sh"), Files::image_script()));
    for (path, bytes) in all {
        let parent = path.parent().unwrap_or(folder.path());
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|error| unwritable(&path, error))?;
    }
    Ok(folder)
}

fn unwritable(path: &Path, source: io::Error) -> ImageError {
    ImageError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    }
}

/// Runs the script. How it ended, where that was not well, and the end of what it said.
async fn run(
    folder: &Path,
    address: &str,
    names: &[&str],
    references: &[String],
    tell: &Tell,
) -> io::Result<(Option<String>, Vec<String>)> {
    let mut command = Command::new("bash");
    command
        .arg(folder.join("scripts/images.sh"))
        .args(names)
        .env("DOCKER_HOST", address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = Group(command.spawn()?);
    let mut log = VecDeque::new();
    let follow = async {
        if let Some(errors) = child.0.stderr.take() {
            let mut lines = BufReader::new(errors).lines();
            while let Some(line) = lines.next_line().await? {
                for reference in references {
                    tell.line(reference, &line);
                }
                if log.len() == LOG {
                    log.pop_front();
                }
                log.push_back(line);
            }
        }
        child.0.wait().await
    };
    let ended = match tokio::time::timeout(LIMIT, follow).await {
        Ok(status) => Some(status?)
            .filter(|status| !status.success())
            .map(|status| format!("scripts/images.sh ended with {status}")),
        Err(_) => Some(format!(
            "scripts/images.sh has taken more than {} minutes",
            LIMIT.as_secs() / 60
        )),
    };
    Ok((ended, log.into()))
}

/// A child and those that it started. All are told to end when it is dropped: after Ctrl-C, or when it took too long.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It removes what it made in temporary folders, and ends.
            let _ =
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
    }
}

/// What the script itself said last; the lines after that are those of a tool.
fn last_words(log: &[String]) -> Option<String> {
    let line = log.iter().rev().find(|line| line.starts_with(SAYS))?;
    let words = line
        .trim_start_matches(SAYS)
        .trim_start()
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    Some(words.strip_prefix("s ").unwrap_or(words).trim().to_owned())
}

fn is_on_path(tool: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_script_finds_recipes_of_the_same_hashes_where_they_are_unpacked() {
        let folder = unpacked(&Files::Embedded).unwrap();
        let output = std::process::Command::new("bash")
            .args([
                folder.path().join("scripts/images.sh").as_os_str(),
                "--list".as_ref(),
                "redis".as_ref(),
            ])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = recipe::reference(&Files::Embedded, "redis").unwrap();
        assert_eq!(text.split(' ').nth(1), Some(expected.as_str()), "{text}");
    }

    #[test]
    fn names_of_recipes_and_last_words() {
        assert_eq!(name_of("odd-offline/redis:abc"), Some("redis"));
        assert_eq!(name_of("redis:abc"), None);
        let log = [
            "images:   0 s  building x",
            "images:  12 s  x: the build failed:",
            "E: no network",
        ]
        .map(str::to_owned);
        assert_eq!(last_words(&log).as_deref(), Some("x: the build failed:"));
        assert_eq!(last_words(&[]), None);
    }
}
