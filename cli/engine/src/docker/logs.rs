//! What containers write.
//!
//! One task per container reads its log. Without `follow` the logs end, and their lines are merged by the time at which the engine received
//! each. With it, lines are put in order as far as they arrive within a short time. A log ends when its container stops, so it is looked again
//! and again which containers there are, and reading goes on behind the last line that was seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::{LogsOptions, LogsOptionsBuilder};
use futures::{Stream, StreamExt, stream};
use odd_contracts::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::call::{refused, status};
use super::present::{self, Container};
use super::stop::choose;
use super::{DockerError, host, project_name};
use crate::error::EngineError;
use crate::instance::Instance;

/// Lines that wait to be taken.
const BUFFER: usize = 4_096;
/// Time in which lines of different containers are put in order.
const REORDER: Duration = Duration::from_millis(100);
/// How often it is looked which containers there are.
const DISCOVERY: Duration = Duration::from_millis(300);
/// A stack without containers for this long is gone.
const GONE: Duration = Duration::from_secs(2);

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Services; all where empty.
    pub services: Vec<String>,
    /// Only the last lines of each container.
    pub tail: Option<usize>,
    /// Go on with what they write from now on, until the stack is gone.
    pub follow: bool,
}

/// One line of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its service.
    pub service: String,
    /// Number of the replica, from 1.
    pub number: u32,
    /// When the engine received it.
    pub at: Option<Timestamp>,
    /// Whether it was written to standard error.
    pub stderr: bool,
    /// The line without its end.
    pub line: String,
}

/// What the containers of a stack wrote, interleaved in the order in which the engine received it.
///
/// # Errors
/// [`EngineError::Docker`] where the engine does not answer, or there is no such stack or service.
pub async fn logs(
    instance: &Instance,
    options: &LogOptions,
) -> Result<impl Stream<Item = Result<LogLine, EngineError>> + Send + use<>, EngineError> {
    let engine = host::connect_for(instance).await?;
    let project = project_name(instance);
    let containers = present::containers(&engine.client, &project).await?;
    choose(instance, &containers, &options.services)?;
    let reader = Reader {
        client: engine.client,
        project,
        options: options.clone(),
    };
    let merger = match options.follow {
        true => Merger::Live(Live::of(reader)),
        false => Merger::Ended(Ended::of(&reader, &containers)),
    };
    Ok(stream::unfold(merger, |mut merger| async move {
        let item = match &mut merger {
            Merger::Live(live) => live.next().await,
            Merger::Ended(ended) => ended.next().await,
        };
        Some((item?.map_err(EngineError::from), merger))
    }))
}

enum Merger {
    Live(Live),
    Ended(Ended),
}

type Item = Result<Line, DockerError>;

/// A line, and what orders it.
#[derive(Debug)]
struct Line {
    /// The engine's time, as it writes it: texts of one length that sort like times.
    at: String,
    line: LogLine,
}

struct Reader {
    client: Docker,
    project: String,
    options: LogOptions,
}

impl Reader {
    fn is_asked(&self, container: &Container) -> bool {
        self.options.services.is_empty() || self.options.services.iter().any(|s| s == container.service())
    }

    fn source(&self, container: &Container, since: Option<String>, lines: mpsc::Sender<Item>) -> Source {
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
    async fn follow(self, lines: mpsc::Sender<Item>) {
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
struct Source {
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
    async fn read(self) -> (String, Option<String>) {
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

/// Makes lines of pieces: the engine cuts long lines, and puts the time before each piece.
#[derive(Default)]
struct Assembly {
    /// The begin of a line, by whether it is of standard error, with its time.
    begun: BTreeMap<bool, (String, String)>,
}

impl Assembly {
    fn add(&mut self, piece: LogOutput) -> Vec<(String, bool, String)> {
        let stderr = matches!(piece, LogOutput::StdErr { .. });
        let bytes = piece.into_bytes();
        let text = String::from_utf8_lossy(&bytes);
        let mut complete = Vec::new();
        for part in text.split_inclusive('\n') {
            let (at, rest) = match part.split_once(' ') {
                Some((at, rest)) if is_time(at) => (at, rest),
                _ => ("", part),
            };
            let begun = self
                .begun
                .entry(stderr)
                .or_insert_with(|| (at.to_owned(), String::new()));
            begun.1.push_str(rest.strip_suffix('\n').unwrap_or(rest));
            if part.ends_with('\n')
                && let Some((at, line)) = self.begun.remove(&stderr)
            {
                complete.push((at, stderr, line.trim_end_matches('\r').to_owned()));
            }
        }
        complete
    }

    /// What had no end of line.
    fn rest(&mut self) -> Vec<(String, bool, String)> {
        let begun = std::mem::take(&mut self.begun);
        begun
            .into_iter()
            .map(|(stderr, (at, line))| (at, stderr, line))
            .collect()
    }
}

fn is_time(text: &str) -> bool {
    text.len() >= 20
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.as_bytes().get(10) == Some(&b'T')
}

/// Merges logs that end: the earliest of their next lines is next.
struct Ended {
    sources: Vec<mpsc::Receiver<Item>>,
    /// The next line of each; absent until it was asked for.
    heads: Vec<Option<Line>>,
    /// Ended with the stream.
    _tasks: JoinSet<()>,
}

impl Ended {
    fn of(reader: &Reader, containers: &[Container]) -> Self {
        let mut tasks = JoinSet::new();
        let asked = containers.iter().filter(|container| reader.is_asked(container));
        let sources = asked.map(|container| {
            let (sender, receiver) = mpsc::channel(BUFFER);
            let source = reader.source(container, None, sender);
            tasks.spawn(async move { drop(source.read().await) });
            receiver
        });
        let sources: Vec<_> = sources.collect();
        Self {
            heads: sources.iter().map(|_| None).collect(),
            sources,
            _tasks: tasks,
        }
    }

    async fn next(&mut self) -> Option<Result<LogLine, DockerError>> {
        for (source, head) in self.sources.iter_mut().zip(&mut self.heads) {
            if head.is_none() {
                match source.recv().await {
                    Some(Ok(line)) => *head = Some(line),
                    Some(Err(error)) => return Some(Err(error)),
                    None => {}
                }
            }
        }
        let there = self
            .heads
            .iter()
            .enumerate()
            .filter_map(|(at, head)| Some((at, &head.as_ref()?.at)));
        let (first, _) = there.min_by_key(|(_, time)| *time)?;
        self.heads[first].take().map(|line| Ok(line.line))
    }
}

/// Puts lines in order that keep coming.
struct Live {
    receiver: mpsc::Receiver<Item>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    arrived: u64,
    ended: bool,
    /// Ended with the stream.
    _tasks: JoinSet<()>,
}

struct Waiting {
    at: String,
    /// Keeps lines of one time in the order in which they came.
    arrived: u64,
    since: Instant,
    line: LogLine,
}

impl Waiting {
    fn key(&self) -> (&str, u64) {
        (&self.at, self.arrived)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Live {
    fn of(reader: Reader) -> Self {
        let (sender, receiver) = mpsc::channel(BUFFER);
        let mut tasks = JoinSet::new();
        tasks.spawn(reader.follow(sender));
        Self {
            receiver,
            waiting: BinaryHeap::new(),
            arrived: 0,
            ended: false,
            _tasks: tasks,
        }
    }

    async fn next(&mut self) -> Option<Result<LogLine, DockerError>> {
        loop {
            let due = match self.waiting.peek() {
                _ if self.ended => Some(Duration::ZERO),
                Some(Reverse(first)) => Some(REORDER.saturating_sub(first.since.elapsed())),
                None => None,
            };
            if due == Some(Duration::ZERO) {
                return self.waiting.pop().map(|Reverse(waiting)| Ok(waiting.line));
            }
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.receiver.recv() => match received {
                    Some(Ok(line)) => self.put(line),
                    Some(Err(error)) => return Some(Err(error)),
                    None => self.ended = true,
                },
                () = wait => {}
            }
        }
    }

    fn put(&mut self, line: Line) {
        self.arrived += 1;
        self.waiting.push(Reverse(Waiting {
            at: line.at,
            arrived: self.arrived,
            since: Instant::now(),
            line: line.line,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &str) -> LogOutput {
        LogOutput::StdOut {
            message: text.to_owned().into(),
        }
    }

    #[test]
    fn pieces_become_lines_with_the_time_of_their_begin() {
        let mut assembly = Assembly::default();
        assert!(
            assembly
                .add(out("2026-01-31T12:00:00.000000001Z first, "))
                .is_empty()
        );
        let error = LogOutput::StdErr {
            message: "2026-01-31T12:00:00.000000002Z other\r\n".into(),
        };
        let other = (
            "2026-01-31T12:00:00.000000002Z".to_owned(),
            true,
            "other".to_owned(),
        );
        assert_eq!(assembly.add(error), [other]);
        let first = (
            "2026-01-31T12:00:00.000000001Z".to_owned(),
            false,
            "first, second".to_owned(),
        );
        assert_eq!(
            assembly.add(out("2026-01-31T12:00:00.000000003Z second\n")),
            [first]
        );
        assert!(assembly.add(out("2026-01-31T12:00:00.000000004Z cut")).is_empty());
        assert_eq!(assembly.rest()[0].2, "cut");
    }

    fn line(at: &str, text: &str) -> Item {
        Ok(Line {
            at: at.to_owned(),
            line: LogLine {
                service: "web".to_owned(),
                number: 1,
                at: None,
                stderr: false,
                line: text.to_owned(),
            },
        })
    }

    #[tokio::test]
    async fn lines_that_arrive_late_are_put_in_order_and_keep_it_within_one_time() {
        let (sender, receiver) = mpsc::channel(8);
        let mut live = Live {
            receiver,
            waiting: BinaryHeap::new(),
            arrived: 0,
            ended: false,
            _tasks: JoinSet::new(),
        };
        for (at, text) in [("2", "b"), ("3", "d"), ("1", "a"), ("2", "c")] {
            sender.send(line(at, text)).await.unwrap();
        }
        drop(sender);
        let mut found = Vec::new();
        while let Some(line) = live.next().await {
            found.push(line.unwrap().line);
        }
        assert_eq!(found, ["a", "b", "c", "d"]);
    }

    #[tokio::test]
    async fn logs_that_end_are_merged_by_time() {
        let mut sources = Vec::new();
        for lines in [
            &[("1", "a"), ("4", "d")][..],
            &[("2", "b"), ("3", "c"), ("5", "e")],
            &[],
        ] {
            let (sender, receiver) = mpsc::channel(8);
            for (at, text) in lines {
                sender.send(line(at, text)).await.unwrap();
            }
            sources.push(receiver);
        }
        let mut ended = Ended {
            heads: vec![None, None, None],
            sources,
            _tasks: JoinSet::new(),
        };
        let mut found = Vec::new();
        while let Some(line) = ended.next().await {
            found.push(line.unwrap().line);
        }
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
    }
}
