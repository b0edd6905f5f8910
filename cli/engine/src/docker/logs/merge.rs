//! Lines of several containers in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::LogLine;
use super::reader::{Item, Line, Reader};
use crate::docker::DockerError;
use crate::docker::plan::present::Container;

/// Lines of a container that wait to be taken.
const BUFFER: usize = 4_096;
/// Time in which lines of different containers are put in order.
const REORDER: Duration = Duration::from_millis(100);

/// Merges logs that end: the earliest of their next lines is next.
pub(super) struct Ended {
    sources: Vec<mpsc::Receiver<Item>>,
    /// The next line of each; absent until it was asked for.
    heads: Vec<Option<Line>>,
    /// Ended with the stream.
    _tasks: JoinSet<()>,
}

impl Ended {
    pub(super) fn of(reader: &Reader, containers: &[Container]) -> Self {
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

    pub(super) async fn next(&mut self) -> Option<Result<LogLine, DockerError>> {
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
pub(super) struct Live {
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
    pub(super) fn of(reader: Reader) -> Self {
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

    pub(super) async fn next(&mut self) -> Option<Result<LogLine, DockerError>> {
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
