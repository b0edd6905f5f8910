//! Builds through the Docker API: sends a folder as an archive while it is made, and follows what the builder says.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::BuildImageOptions;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{ImageError, ImageState, Tell};

/// Time in which a builder says something when all it does is copying.
pub(super) const LIMIT: Duration = Duration::from_secs(10 * 60);
/// The same when it compiles.
pub(super) const SOURCE_LIMIT: Duration = Duration::from_secs(60 * 60);
/// Bytes of a piece of the archive.
const PIECE: usize = 256 * 1024;
/// Pieces that may wait for the engine to take them.
const WAITING: usize = 8;
/// Lines of the builder that are kept for an error.
const LOG: usize = 40;
/// Folders of a checkout that no build needs.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// One file of the folder that is sent.
#[derive(Debug)]
pub(super) struct Entry {
    path: String,
    mode: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    File(PathBuf),
}

impl Entry {
    /// A text.
    pub(super) fn text(path: &str, text: String) -> Self {
        Self {
            path: path.to_owned(),
            mode: 0o644,
            content: Content::Text(text),
        }
    }

    /// A file of this machine.
    pub(super) fn file(path: &str, file: PathBuf, mode: u32) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            content: Content::File(file),
        }
    }

    /// Everything of it is the same for the same content, so that the builder finds what it built before.
    fn append(&self, archive: &mut tar::Builder<impl Write>) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(self.mode);
        header.set_entry_type(tar::EntryType::Regular);
        match &self.content {
            Content::Text(text) => {
                header.set_size(text.len() as u64);
                archive.append_data(&mut header, &self.path, text.as_bytes())
            }
            Content::File(path) => {
                let file = std::fs::File::open(path)?;
                header.set_size(file.metadata()?.len());
                archive.append_data(&mut header, &self.path, file)
            }
        }
    }
}

/// The files of a checkout, for a build from source.
pub(super) fn folder(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let Ok(relative) = path.strip_prefix(root) else {
                continue;
            };
            let name = relative.to_string_lossy().replace('\\', "/");
            if kind.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() {
                entries.push(Entry::file(&name, path.clone(), 0o644));
            }
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Builds. `limit` is the longest time in which the builder may say nothing.
pub(super) async fn build(
    docker: &Docker,
    options: BuildImageOptions,
    entries: Vec<Entry>,
    reference: &str,
    limit: Duration,
    tell: &Tell,
) -> Result<(), ImageError> {
    tell.state(reference, ImageState::Building);
    let docker = docker.clone().with_timeout(limit);
    let (pieces, sender) = archive(entries);
    let mut said = docker.build_image(options, None, Some(bollard::body_try_stream(pieces)));
    let mut log = VecDeque::new();
    let failed = |reason: String, log: VecDeque<String>| ImageError::BuildFailed {
        reference: reference.to_owned(),
        reason,
        log: log.into(),
    };
    loop {
        let info = match tokio::time::timeout(limit, said.next()).await {
            Err(_) => {
                return Err(failed(
                    format!(
                        "the builder has said nothing for {} minutes",
                        limit.as_secs() / 60
                    ),
                    log,
                ));
            }
            Ok(None) => break,
            Ok(Some(Ok(info))) => info,
            Ok(Some(Err(error))) => {
                // What cannot be read here is a better reason than the upload that broke because of it.
                let reason = sender.await.ok().and_then(Result::err);
                return Err(
                    match reason.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
                        Some(error) => failed(format!("what it is built from cannot be read: {error}"), log),
                        None => ImageError::of_build(reference, error, log.into()),
                    },
                );
            }
        };
        let text = info.stream.or(info.status).unwrap_or_default();
        for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            tell.line(reference, line);
            if log.len() == LOG {
                log.pop_front();
            }
            log.push_back(line.to_owned());
        }
    }
    tell.state(reference, ImageState::Ready);
    Ok(())
}

type Sender = tokio::task::JoinHandle<io::Result<()>>;

/// The archive, made while it is sent: only a few pieces are in memory.
fn archive(entries: Vec<Entry>) -> (ReceiverStream<io::Result<Bytes>>, Sender) {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    let task = tokio::task::spawn_blocking(move || {
        let pieces = BufWriter::with_capacity(PIECE, Pieces(sender.clone()));
        let written = write(entries, pieces);
        if let Err(error) = &written {
            // A body that breaks off would be taken for whole.
            let _ = sender.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
        }
        written
    });
    (ReceiverStream::new(receiver), task)
}

fn write(entries: Vec<Entry>, pieces: BufWriter<Pieces>) -> io::Result<()> {
    let mut archive = tar::Builder::new(pieces);
    for entry in entries {
        entry.append(&mut archive)?;
    }
    archive.into_inner()?.flush()
}

/// Hands what is written on, and waits while the engine is slower.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine takes no more");
        self.0.blocking_send(Ok(piece)).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_sent_without_what_was_built_of_it() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "Cargo.toml",
            "cli/src/main.rs",
            "target/debug/odd",
            ".git/HEAD",
            "cli/target/kept",
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let paths: Vec<String> = folder(root.path())
            .unwrap()
            .into_iter()
            .map(|entry| entry.path)
            .collect();
        assert_eq!(paths, ["Cargo.toml", "cli/src/main.rs", "cli/target/kept"]);
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; 100_000]).unwrap();
        let bytes = || {
            let mut archive = tar::Builder::new(Vec::new());
            let entries = [
                Entry::text("Dockerfile", "FROM scratch\n".to_owned()),
                Entry::file("odd", file.path().to_owned(), 0o755),
            ];
            entries
                .iter()
                .try_for_each(|entry| entry.append(&mut archive))
                .unwrap();
            archive.into_inner().unwrap()
        };
        let first = bytes();
        assert_eq!(first, bytes());
        let mut archive = tar::Archive::new(first.as_slice());
        let modes: Vec<u32> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().header().mode().unwrap())
            .collect();
        assert_eq!(modes, [0o644, 0o755]);
    }

    #[tokio::test]
    async fn a_file_that_vanished_is_told_and_not_sent_as_empty() {
        let (mut pieces, task) = archive(vec![Entry::file("odd", PathBuf::from("/nowhere/odd"), 0o755)]);
        assert_eq!(task.await.unwrap().unwrap_err().kind(), io::ErrorKind::NotFound);
        let mut last = None;
        while let Some(piece) = pieces.next().await {
            last = Some(piece);
        }
        assert!(
            matches!(last, Some(Err(_))),
            "the archive ends as if it were whole"
        );
    }
}
