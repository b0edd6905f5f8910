//! An API server that knows a recorded conversation and nothing else.
//!
//! What was recorded after a number of changes is not told before those very changes were asked for: so a
//! client sees no state before it has caused it, however quick the answers are.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::Stream;
use tokio::sync::watch;

use super::exchange::{self, Line, Recording, Request, Response};

/// How long an answer that is of a time after some changes waits for them.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server's memory.
pub(crate) struct Replay {
    recording: Recording,
    /// What each exchange is an answer to.
    keys: Vec<String>,
    told: Mutex<Told>,
    /// How many of the changing exchanges, from the first on, have been asked for without a gap.
    changes: watch::Sender<usize>,
    patience: Duration,
}

#[derive(Default)]
struct Told {
    /// Exchanges that were given as an answer.
    used: Vec<bool>,
    /// What was asked for and is not recorded.
    unknown: Vec<String>,
}

/// What is answered.
pub(crate) enum Answer {
    /// At once.
    Whole(Response),
    /// Line by line.
    Lines(Lines),
    /// It is not recorded. The text says so.
    Unknown(String),
}

/// Lines, each of which comes when it is due.
pub(crate) struct Lines {
    pub(crate) content_type: String,
    lines: std::vec::IntoIter<Line>,
    ended: bool,
    changes: watch::Receiver<usize>,
}

impl Replay {
    /// A server that nobody has asked for anything.
    pub(crate) fn of(recording: Recording) -> Self {
        let keys: Vec<_> = recording
            .exchanges
            .iter()
            .map(|exchange| exchange.request.key())
            .collect();
        let told = Told {
            used: vec![false; keys.len()],
            unknown: Vec::new(),
        };
        Self {
            recording,
            keys,
            told: Mutex::new(told),
            changes: watch::channel(0).0,
            patience: PATIENCE,
        }
    }

    /// The same with another patience.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What was answered to this when it was recorded.
    pub(crate) async fn answer(&self, request: Request) -> Answer {
        let key = request.key();
        let of_key: Vec<_> = (0..self.keys.len()).filter(|at| self.keys[*at] == key).collect();
        if of_key.is_empty() {
            return self.unknown(&request, &self.nearest(&request));
        }
        if request.changes() {
            self.change(&request, &of_key)
        } else if request.is_stream() {
            self.stream(&request, &of_key)
        } else {
            self.look(&request, &of_key).await
        }
    }

    /// What was asked for and is not recorded, and which changes are recorded and were not asked for.
    pub(crate) fn problems(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let mut problems = told.unknown.clone();
        for (exchange, used) in self.recording.exchanges.iter().zip(&told.used) {
            if exchange.request.changes() && !used {
                problems.push(format!("it was not asked for: {}", exchange.request));
            }
        }
        problems
    }

    /// Remembers a request that has no answer.
    pub(crate) fn unknown(&self, request: &Request, because: &str) -> Answer {
        let problem = format!("{because}: {request}");
        self.told.lock().unwrap().unknown.push(problem.clone());
        Answer::Unknown(problem)
    }

    /// Why nothing answers a request.
    fn nearest(&self, request: &Request) -> String {
        let key = request.key_without_body();
        let mut bodies = self.recording.exchanges.iter().filter_map(|exchange| {
            let is_near = exchange.request.key_without_body() == key;
            is_near.then_some(exchange.request.body.as_ref()?)
        });
        let near = request.body.as_ref().zip(bodies.next_back());
        match near.and_then(|(asked, recorded)| exchange::difference(recorded, asked)) {
            Some(difference) => format!("it is recorded with another body ({difference})"),
            None => "it is not recorded".to_owned(),
        }
    }

    /// Each recorded change is answered once, in the order in which they were recorded.
    fn change(&self, request: &Request, of_key: &[usize]) -> Answer {
        let mut told = self.told.lock().unwrap();
        let Some(at) = of_key.iter().copied().find(|at| !told.used[*at]) else {
            drop(told);
            let because = format!(
                "it is recorded {} times and was asked for once more",
                of_key.len()
            );
            return self.unknown(request, &because);
        };
        told.used[at] = true;
        let recorded = self.recording.exchanges.iter().zip(&told.used);
        let of_changes = recorded.filter(|(exchange, _)| exchange.request.counts());
        self.changes
            .send_replace(of_changes.take_while(|(_, used)| **used).count());
        Answer::Whole(self.recording.exchanges[at].response.clone())
    }

    /// A look is answered as it was after the same changes: one answer after another, and the last of them
    /// from then on.
    async fn look(&self, request: &Request, of_key: &[usize]) -> Answer {
        let after = |at: &usize| self.recording.exchanges[*at].after;
        let first = of_key.iter().map(after).min().unwrap_or_default();
        let mut changes = self.changes.subscribe();
        // After a change that is not recorded they never come.
        let is_lost = !self.told.lock().unwrap().unknown.is_empty();
        let patience = if is_lost { Duration::ZERO } else { self.patience };
        let due = tokio::time::timeout(patience, changes.wait_for(|changes| *changes >= first)).await;
        let Ok(Ok(changes)) = due.map(|due| due.map(|changes| *changes)) else {
            let because = format!("it is recorded only after {first} changes, and they are not asked for");
            return self.unknown(request, &because);
        };
        let latest = of_key.iter().map(after).filter(|after| *after <= changes).max();
        let of_now: Vec<_> = of_key
            .iter()
            .copied()
            .filter(|at| Some(after(at)) == latest)
            .collect();
        let mut told = self.told.lock().unwrap();
        let next = of_now.iter().copied().find(|at| !told.used[*at]);
        let Some(at) = next.or(of_now.last().copied()) else {
            unreachable!("there is one after the first changes");
        };
        told.used[at] = true;
        Answer::Whole(self.recording.exchanges[at].response.clone())
    }

    /// A watch gets the lines of the one that began at the same version, or of the next one that was
    /// recorded; none when all were given.
    fn stream(&self, request: &Request, of_key: &[usize]) -> Answer {
        let mut told = self.told.lock().unwrap();
        let exchanges = &self.recording.exchanges;
        let unused: Vec<_> = of_key.iter().copied().filter(|at| !told.used[*at]).collect();
        let is_same =
            |at: &usize| request.version().is_some() && exchanges[*at].request.version() == request.version();
        let same = unused.iter().copied().find(is_same);
        let Some(at) = same.or(unused.first().copied()) else {
            let content_type = exchanges[of_key[0]].response.content_type.clone();
            return Answer::Lines(self.lines(content_type, Vec::new(), false));
        };
        told.used[at] = true;
        let response = exchanges[at].response.clone();
        match response.lines {
            Some(lines) => Answer::Lines(self.lines(response.content_type, lines, response.ended)),
            None => Answer::Whole(response),
        }
    }

    fn lines(&self, content_type: String, lines: Vec<Line>, ended: bool) -> Lines {
        Lines {
            content_type,
            lines: lines.into_iter(),
            ended,
            changes: self.changes.subscribe(),
        }
    }
}

impl Lines {
    /// One after another.
    pub(crate) fn stream(self) -> impl Stream<Item = Vec<u8>> + Send {
        futures::stream::unfold(self, async |mut lines: Self| Some((lines.next().await?, lines)))
    }

    /// The next line with its end, as soon as it is due. Nothing when the server ended the lines; otherwise
    /// it never comes to an end. A line is not lost when nobody waits for it any more.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        let Some(due) = self.lines.as_slice().first().map(|line| line.after) else {
            if !self.ended {
                std::future::pending::<()>().await;
            }
            return None;
        };
        // It fails when the server is gone: then there is nobody to tell the line.
        self.changes.wait_for(|changes| *changes >= due).await.ok()?;
        let mut bytes = exchange::bytes(self.lines.next().as_ref().map(|line| &line.line));
        bytes.push(b'\n');
        Some(bytes)
    }
}

/// The object that Kubernetes answers instead of what was asked for.
pub(crate) fn status(code: u16, message: &str) -> Response {
    let status: BTreeMap<_, serde_json::Value> = BTreeMap::from([
        ("apiVersion", "v1".into()),
        ("code", code.into()),
        ("kind", "Status".into()),
        ("message", message.into()),
        ("metadata", serde_json::json!({})),
        ("reason", "NotRecorded".into()),
        ("status", "Failure".into()),
    ]);
    Response {
        body: Some(serde_json::json!(status)),
        content_type: "application/json".to_owned(),
        ended: false,
        lines: None,
        status: code,
    }
}
