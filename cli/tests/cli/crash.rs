//! The promise under crashes: whatever moment the process is killed at, nothing that was answered with 202 is lost,
//! nothing ends twice, and every history is complete.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use odd_contracts::{Role, Timestamp};
use odd_testkit::{Instance, wait_for};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::instance;

/// Longer than anything may take.
const LONG: Duration = Duration::from_secs(120);

/// Moments at which the process is killed.
const MOMENTS: u64 = 20;
/// Requests under way at the same time.
const CLIENTS: u64 = 8;

/// Every failpoint between taking, executing, committing, publishing, confirming and acknowledging.
const FAILPOINTS: [&str; 12] = [
    "gateway.before_publish",
    "gateway.after_confirm",
    "processor.after_take",
    "processor.after_execute",
    "processor.after_commit",
    "processor.after_publish",
    "processor.after_settle",
    "processor.after_acknowledge",
    "metrics_engine.before_append",
    "metrics_engine.after_append",
    "metrics_engine.after_counters",
    "metrics_engine.after_ack",
];

/// Ids that were answered with 202, as `odd verify --ledger` reads them. Kept beside the instance, by the client.
struct Ledger {
    path: PathBuf,
}

impl Ledger {
    fn of(instance: &Instance) -> Self {
        Self {
            path: instance.home().join("accepted.txt"),
        }
    }

    fn add(&self, ids: &[Uuid]) {
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .unwrap();
        for id in ids {
            writeln!(file, "{id} {}", Timestamp::now().micros()).unwrap();
        }
    }

    fn len(&self) -> usize {
        std::fs::read_to_string(&self.path).map_or(0, |text| text.lines().count())
    }
}

/// A job of one of the kinds that end differently. All end within a second or two.
fn any_job(random: &mut StdRng) -> Value {
    let payload = match random.random_range(0..10) {
        0 => json!({ "simulate": { "failTimes": 1 } }),
        1 => json!({ "simulate": { "error": "no" } }),
        2 | 3 => json!({ "simulate": { "durationMs": 5, "jitterMs": 40 } }),
        _ => json!({}),
    };
    let delay = if random.random_range(0..10) == 0 { 50 } else { 0 };
    json!({ "type": "crash", "payload": payload, "options": { "backoffMs": 20, "maxAttempts": 2, "delayMs": delay } })
}

/// Submits jobs from several clients until the gateway is gone, and returns the ids that were accepted.
async fn submit_until_gone(url: String, seed: u64) -> Vec<Uuid> {
    let clients = (0..CLIENTS).map(|client| {
        let url = url.clone();
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed * CLIENTS + client);
            let http = reqwest::Client::new();
            let mut accepted: Vec<Uuid> = Vec::new();
            loop {
                let request = http.post(format!("{url}/jobs")).json(&any_job(&mut random));
                let Ok(response) = request.send().await else {
                    return accepted;
                };
                if response.status() != 202 {
                    continue;
                }
                let Ok(answer) = response.json::<Value>().await else {
                    return accepted;
                };
                accepted.push(answer["jobId"].as_str().unwrap().parse().unwrap());
            }
        })
    });
    let mut all = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        all.extend(client.await.unwrap());
    }
    all
}

fn verify(instance: &Instance, ledger: &Ledger, what: &str) -> Value {
    let path = ledger.path.to_str().unwrap();
    let args = ["verify", "--ledger", path, "--settle", "60s", "--output", "json"];
    let output = instance.run(args);
    assert_eq!(output.code, Some(0), "{what}: {}{}", output.stdout, output.stderr);
    let answer = output.json();
    assert_eq!(answer["inFlight"], 0, "{what}: {answer}");
    assert_eq!(answer["countersCompared"], true, "{what}: {answer}");
    assert_eq!(answer["accepted"], answer["terminal"], "{what}: {answer}");
    assert!(
        answer["accepted"].as_u64().unwrap() >= ledger.len() as u64,
        "{what}: {answer}"
    );
    answer
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn killed_at_twenty_moments_under_load_nothing_is_lost() {
    let instance = instance();
    let ledger = Ledger::of(&instance);
    let runtime = runtime();
    let mut random = StdRng::seed_from_u64(20_260_101);
    for moment in 0..MOMENTS {
        instance.up();
        let load = runtime.spawn(submit_until_gone(instance.url(Role::Gateway), moment));
        let wait = Duration::from_millis(random.random_range(20..400));
        let begun = Instant::now();
        runtime.block_on(async { tokio::time::sleep_until((begun + wait).into()).await });
        instance.kill().expect("it runs until it is killed");
        let accepted = runtime.block_on(load).unwrap();
        ledger.add(&accepted);
        instance.up();
        verify(
            &instance,
            &ledger,
            &format!("after kill {moment}, {wait:?} into the load"),
        );
    }
    assert!(ledger.len() > 100, "there was load: {} jobs", ledger.len());
}

#[test]
fn killed_in_every_window_nothing_is_lost() {
    let instance = instance();
    let ledger = Ledger::of(&instance);
    let runtime = runtime();
    for (round, failpoint) in FAILPOINTS.into_iter().enumerate() {
        // Passed a few times first, so that there is work on every side of the window.
        let armed = format!("{failpoint}=20*off->return");
        let output = Instance::output(instance.command(["up"]).env("FAILPOINTS", &armed));
        let _ = output.expect_code(0);
        let load = runtime.spawn(submit_until_gone(
            instance.url(Role::Gateway),
            1_000 + round as u64,
        ));
        let accepted = runtime.block_on(async { tokio::time::timeout(LONG, load).await });
        let accepted = accepted
            .unwrap_or_else(|_| panic!("{failpoint} was never passed"))
            .unwrap();
        // Its sockets close a moment before it is gone.
        let gone = wait_for(LONG, failpoint, || async {
            instance.process().is_none().then_some(())
        });
        runtime.block_on(gone);
        ledger.add(&accepted);
        instance.up();
        verify(&instance, &ledger, failpoint);
        let _ = instance.run(["down"]).expect_code(0);
    }
}

#[test]
fn every_failpoint_of_the_sources_is_tried() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for role in ["gateway", "processor", "metrics-engine"] {
        for file in std::fs::read_dir(root.join("services").join(role).join("src")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
            let points = text
                .split("fail_point!(\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next());
            found.extend(points.map(str::to_owned));
        }
    }
    // Needs garbage on the spine, which only a test inside the processor can put there.
    found.retain(|point| point != "processor.after_dead_letter");
    found.sort_unstable();
    let mut tried: Vec<_> = FAILPOINTS.map(str::to_owned).into();
    tried.sort_unstable();
    assert_eq!(found, tried);
}
