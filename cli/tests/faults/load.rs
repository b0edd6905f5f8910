//! A load of jobs, each repeated under its id until it is answered with 202, and the ledger of those that were.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use odd_contracts::Timestamp;
use odd_testkit::wait_for;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Requests under way at the same time.
const CLIENTS: usize = 16;
/// Longest that one job may be refused.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause before a refused job is submitted again.
const PAUSE: Duration = Duration::from_millis(50);

/// Ids that were answered with 202, as `odd verify --ledger` reads them.
#[derive(Clone)]
pub(crate) struct Ledger {
    path: PathBuf,
    ids: Arc<Mutex<Vec<Uuid>>>,
}

impl Ledger {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self {
            path,
            ids: Arc::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.ids.lock().unwrap().clone()
    }

    pub(crate) fn add(&self, id: Uuid) {
        let mut ids = self.ids.lock().unwrap();
        let mut options = std::fs::File::options();
        let mut file = options.create(true).append(true).open(&self.path).unwrap();
        writeln!(file, "{id} {}", Timestamp::now().micros()).unwrap();
        ids.push(id);
    }
}

/// Jobs on their way to the gateway.
pub(crate) struct Load {
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    total: usize,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins to submit `total` jobs to gateways. Who is refused by one asks the next, as behind a load balancer.
    pub(crate) fn start(gateways: &[String], total: usize, seed: u64, ledger: &Ledger) -> Self {
        let (accepted, refused, next) = (Arc::default(), Arc::default(), Arc::new(AtomicUsize::new(0)));
        let clients = (0..CLIENTS).map(|client| {
            let submitter = Submitter {
                urls: gateways.iter().map(|url| format!("{url}/jobs")).collect(),
                first: client,
                http: client_of_its_own(),
                ledger: ledger.clone(),
                accepted: Arc::clone(&accepted),
                refused: Arc::clone(&refused),
                random: StdRng::seed_from_u64(seed.wrapping_mul(1_000) + client as u64),
            };
            tokio::spawn(submitter.submit(total, Arc::clone(&next)))
        });
        Self {
            clients: clients.collect(),
            accepted,
            refused,
            total,
        }
    }

    /// Waits until so many jobs were accepted: the moment of a fault.
    pub(crate) async fn reaches(&self, count: usize) {
        let what = format!("{count} jobs to be accepted");
        wait_for(PATIENCE, &what, || async {
            (self.accepted.load(Ordering::Relaxed) >= count).then_some(())
        })
        .await;
    }

    /// Answers other than 202 so far.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until every job was accepted. Returns how many answers were no 202.
    pub(crate) async fn finish(self) -> usize {
        for client in self.clients {
            client.await.expect("every job is accepted in the end");
        }
        assert_eq!(self.accepted.load(Ordering::Relaxed), self.total);
        self.refused.load(Ordering::Relaxed)
    }
}

fn client_of_its_own() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(15));
    client.build().unwrap()
}

struct Submitter {
    urls: Vec<String>,
    /// Index of the address that is asked first, beyond their number.
    first: usize,
    http: reqwest::Client,
    ledger: Ledger,
    accepted: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    random: StdRng,
}

impl Submitter {
    async fn submit(mut self, total: usize, next: Arc<AtomicUsize>) {
        while next.fetch_add(1, Ordering::Relaxed) < total {
            let mut bytes = [0; 16];
            self.random.fill_bytes(&mut bytes);
            let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
            let mut job = any_job(&mut self.random);
            job["id"] = json!(id);
            self.until_accepted(id, &job).await;
        }
    }

    /// A repetition under the same id is no second job, whatever became of the first.
    async fn until_accepted(&self, id: Uuid, job: &Value) {
        let begun = Instant::now();
        let mut urls = self.urls.iter().cycle().skip(self.first);
        loop {
            let url = urls.next().expect("there is a gateway");
            let answer = self.http.post(url).json(job).send().await;
            let said = match answer {
                Ok(answer) if answer.status() == 202 => break,
                Ok(answer) => {
                    let status = answer.status();
                    assert!(
                        status == 429 || status == 503,
                        "a healthy job is refused with {status}: {:?}",
                        answer.text().await
                    );
                    assert!(
                        answer.headers().contains_key("retry-after"),
                        "{status} says when to try again"
                    );
                    status.to_string()
                }
                Err(error) => error.to_string(),
            };
            self.refused.fetch_add(1, Ordering::Relaxed);
            assert!(begun.elapsed() < PATIENCE, "{id} is still refused: {said}");
            tokio::time::sleep(PAUSE).await;
        }
        self.ledger.add(id);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }
}

/// A job of one of the kinds that end differently. All end within a second or two.
fn any_job(random: &mut StdRng) -> Value {
    let payload = match random.random_range(0..20) {
        0 => json!({ "simulate": { "failTimes": 1 } }),
        1 => json!({ "simulate": { "error": "no" } }),
        2..=4 => json!({ "simulate": { "durationMs": 5, "jitterMs": 100 } }),
        _ => json!({ "text": "x".repeat(random.random_range(0..400)) }),
    };
    let delay = if random.random_range(0..20) == 0 { 200 } else { 0 };
    json!({
        "type": "fault",
        "payload": payload,
        "options": { "backoffMs": 50, "maxAttempts": 3, "delayMs": delay },
    })
}
