//! What must hold after every fault, read from the stores themselves and not through the roles.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use odd_contracts::api::{ExportedHistory, ExportedJob};
use odd_contracts::history::status_at;
use odd_contracts::{JobId, JobStatus};
use odd_store::{Counters, EventLog, JobStore};

/// Jobs and histories read at a time.
const PAGE: usize = 1_000;
/// Longest wait for work in hand after a fault.
const SETTLE: Duration = Duration::from_secs(120);
/// Time between two readings.
const PAUSE: Duration = Duration::from_millis(300);

/// The three stores of a bed, opened beside its roles.
pub(crate) struct Stores {
    pub(crate) jobs: Box<dyn JobStore>,
    pub(crate) log: Box<dyn EventLog>,
    pub(crate) counters: Box<dyn Counters>,
}

/// Everything that the stores know.
struct Seen {
    jobs: BTreeMap<JobId, ExportedJob>,
    histories: BTreeMap<JobId, ExportedHistory>,
    counters: odd_contracts::api::Counters,
}

impl Stores {
    /// Waits until every accepted job ended and nobody owes any job anything, its events included; then checks
    /// that each ended exactly once, with a complete history without doubles, and that the counters say the same.
    /// Returns how many jobs there are.
    ///
    /// # Panics
    /// Where it does not settle, or where something is wrong.
    pub(crate) async fn prove(&self, accepted: &[JobId]) -> usize {
        let begun = tokio::time::Instant::now();
        loop {
            let waits = match tokio::time::timeout(SETTLE, self.read()).await {
                Ok(Ok(seen)) => match seen.unsettled(accepted) {
                    None => {
                        seen.check();
                        return seen.jobs.len();
                    }
                    Some(waits) => waits,
                },
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the stores do not answer".to_owned(),
            };
            assert!(begun.elapsed() < SETTLE, "not settled: {waits}");
            // Reading everything is dear; the roles shall get on meanwhile.
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(&self) -> Result<Seen, odd_store::StoreError> {
        let mut jobs = BTreeMap::new();
        loop {
            let after = jobs.last_key_value().map(|(id, _)| *id);
            let page = self.jobs.export(after, PAGE).await?;
            let full = page.len() == PAGE;
            jobs.extend(page.into_iter().map(|job| (job.id, job)));
            if !full {
                break;
            }
        }
        let mut histories = BTreeMap::new();
        loop {
            let after = histories.last_key_value().map(|(id, _)| *id);
            let page = self.log.export(after, PAGE).await?;
            let full = page.len() == PAGE;
            histories.extend(page.into_iter().map(|history| (history.id, history)));
            if !full {
                break;
            }
        }
        let counters = self.counters.snapshot().await?;
        Ok(Seen {
            jobs,
            histories,
            counters,
        })
    }
}

impl Seen {
    /// What is still to come; none where everything is settled.
    fn unsettled(&self, accepted: &[JobId]) -> Option<String> {
        for id in accepted {
            match self.jobs.get(id) {
                None => return Some(format!("{id} was answered with 202 and is not in the job store")),
                Some(job) if !job.status.is_terminal() => return Some(format!("{id} is {}", job.status)),
                Some(_) => {}
            }
        }
        for job in self.jobs.values() {
            if !job.status.is_terminal() || job.due_at.is_some() {
                return Some(format!(
                    "{} is {} and due at {:?}",
                    job.id, job.status, job.due_at
                ));
            }
            let logged = self.histories.get(&job.id).map_or(0, |h| h.sequences.len());
            if logged < job.sequences.len() {
                let implied = job.sequences.len();
                return Some(format!("the log has {logged} of {implied} events of {}", job.id));
            }
        }
        let (counted, jobs) = (self.counters.total, self.jobs.len() as u64);
        let ended = self
            .counters
            .by_status
            .iter()
            .filter(|(status, _)| status.is_terminal());
        let ended: u64 = ended.map(|(_, count)| count).sum();
        (counted < jobs || ended < jobs)
            .then(|| format!("{counted} jobs are counted, {ended} ended, of {jobs}"))
    }

    /// What waiting cannot mend.
    fn check(&self) {
        let mut by_status: BTreeMap<JobStatus, u64> = BTreeMap::new();
        for job in self.jobs.values() {
            *by_status.entry(job.status).or_default() += 1;
            let history = &self.histories[&job.id].sequences;
            assert_eq!(
                history, &job.sequences,
                "{}: the log's sequences and those that its state implies",
                job.id
            );
            let distinct: BTreeSet<_> = history.iter().collect();
            assert_eq!(
                distinct.len(),
                history.len(),
                "{}: {history:?} has doubles",
                job.id
            );
            let ends = history
                .iter()
                .filter(|sequence| status_at(**sequence).is_some_and(|(status, _)| status.is_terminal()));
            assert_eq!(ends.count(), 1, "{}: {history:?} has one end", job.id);
        }
        let foreign: Vec<_> = self
            .histories
            .keys()
            .filter(|id| !self.jobs.contains_key(id))
            .collect();
        assert!(foreign.is_empty(), "histories of unknown jobs: {foreign:?}");
        let counted: BTreeMap<_, _> = self
            .counters
            .by_status
            .iter()
            .filter(|(_, n)| **n > 0)
            .map(|(s, n)| (*s, *n))
            .collect();
        assert_eq!(counted, by_status, "the counters say what the job store says");
        assert_eq!(self.counters.total, self.jobs.len() as u64);
    }
}

/// `odd verify` says the same.
pub(crate) fn verify(
    home: &std::path::Path,
    gateway: &str,
    read_model: &str,
    ledger: &std::path::Path,
) -> serde_json::Value {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_odd"));
    command
        .args([
            "verify",
            "--settle",
            "60s",
            "--output",
            "json",
            "--gateway-url",
            gateway,
            "--read-model-url",
            read_model,
        ])
        .arg("--ledger")
        .arg(ledger)
        .env("ODD_HOME", home)
        .current_dir(home);
    let output = odd_testkit::Instance::output(&mut command).expect_code(0);
    output.json()
}
