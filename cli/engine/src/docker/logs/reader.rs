//! Reading the logs of containers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{LogsOptions, LogsOptionsBuilder};
use futures::StreamExt;
use odd_contracts::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::assembly::Assembly;
use super::{LogLine, LogOptions};
use crate::docker::DockerError;
use crate::docker::error::call::{refused, status};
use crate::docker::plan::present::{self, Container};

/// How often it is looked which containers there are.
const DISCOVERY: Duration = Duration::from_millis(300);
/// A stack without containers for this long is gone.
const GONE: Duration = Duration::from_secs(2);

/// A line, or why there are no more.
pub(super) type Item = Result<Line, DockerError>;

/// A line, and what orders it.
#[derive(Debug)]
pub(super) struct Line {
    /// The engine's time, as it writes it: texts of one length that sort like times.
    pub(super) at: String,
    pub(super) line: LogLine,
}

/// Reads the logs of a project.
pub(super) struct Reader {
    pub(super) client: Docker,
    pub(super) project: String,
    pub(super) options: LogOptions,
}

impl Reader {
    pub(super) fn is_asked(&self, container: &Container) -> bool {
        self.options.services.is_empty() || self.options.services.iter().any(|s| s == container.service())
    }

    pub(super) fn source(
        &self,
        container: &Container,
        since: Option<String>,
        lines: mpsc::Sender<Item>,
    ) -> Source {
        Source {
            client: self.client.clone(),
            id: container.id.clone(),
            name: container.name.clone(),
            service: container.service().to_owned(),
            number: container.number(),
            tail: self.options.tail.filter(|_| since.is_none()),
            since,
            follow: self.options.follow,
            lines,
        }
    }

    /// Reads on until the stack is gone, or nobody takes the lines any more.
    pub(super) async fn follow(self, lines: mpsc::Sender<Item>) {
        let mut reading: JoinSet<(String, Option<String>)> = JoinSet::new();
        // Containers that are read now, and the last time seen of those that are not.
        let mut active: Vec<String> = Vec::new();
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut alone_since: Option<Instant> = None;
        while !lines.is_closed() {
            match present::containers(&self.client, &self.project).await {
                Ok(containers) => {
                    alone_since = if containers.is_empty() {
                        alone_since.or(Some(Instant::now()))
                    } else {
                        None
                    };
                    for container in containers.iter().filter(|container| self.is_asked(container)) {
                        if !active.contains(&container.name) {
                            active.push(container.name.clone());
                            let since = seen.get(&container.name).cloned();
                            reading.spawn(self.source(container, since, lines.clone()).read());
                        }
                    }
                }
                Err(error) => {
                    // That nobody takes it is as well.
                    let _ = lines.send(Err(error)).await;
                    return;
                }
            }
            if alone_since.is_some_and(|since| since.elapsed() >= GONE) {
                return;
            }
            tokio::time::sleep(DISCOVERY).await;
            while let Some(ended) = reading.try_join_next() {
                let Ok((name, last)) = ended else { continue };
                active.retain(|other| *other != name);
                seen.extend(last.map(|last| (name, last)));
            }
        }
    }
}

/// The log of one container.
pub(super) struct Source {
    client: Docker,
    id: String,
    name: String,
    service: String,
    number: u32,
    tail: Option<usize>,
    /// Time of the last line that was seen.
    since: Option<String>,
    follow: bool,
    lines: mpsc::Sender<Item>,
}

impl Source {
    /// Reads until the log ends. Tells whose it was and the time of the last line.
    pub(super) async fn read(self) -> (String, Option<String>) {
        let mut last = self.since.clone();
        let mut output = std::pin::pin!(self.client.logs(&self.id, Some(self.options())));
        let mut assembly = Assembly::default();
        while let Some(piece) = output.next().await {
            let complete = match piece {
                Ok(piece) => assembly.add(piece),
                // It was removed while it was read.
                Err(error) if matches!(status(&error), Some(404 | 409)) => break,
                Err(error) => {
                    if !self.follow {
                        let error = refused(format!("read the log of {}", self.name), &error);
                        // That nobody takes it is as well.
                        let _ = self.lines.send(Err(error)).await;
                    }
                    break;
                }
            };
            if !self.hand_on(complete, &mut last).await {
                break;
            }
        }
        self.hand_on(assembly.rest(), &mut last).await;
        (self.name.clone(), last)
    }

    /// Hands lines on that were not seen before. Tells whether anybody takes them.
    async fn hand_on(&self, complete: Vec<(String, bool, String)>, last: &mut Option<String>) -> bool {
        for (at, stderr, line) in complete {
            if self.since.as_ref().is_some_and(|since| at <= *since) {
                continue;
            }
            let line = LogLine {
                service: self.service.clone(),
                number: self.number,
                at: at.parse().ok(),
                stderr,
                line,
            };
            *last = Some(at.clone());
            if self.lines.send(Ok(Line { at, line })).await.is_err() {
                return false;
            }
        }
        true
    }

    fn options(&self) -> LogsOptions {
        let since = self.since.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        let seconds = since.map(|at| i32::try_from(at.micros() / 1_000_000).unwrap_or(i32::MAX));
        let tail = self
            .tail
            .map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .follow(self.follow)
            .since(seconds.unwrap_or_default())
            .tail(&tail)
            .build()
    }
}
