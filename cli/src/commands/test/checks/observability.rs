//! What watches the system: it sees every part, and its figures are those of the system.

use std::collections::BTreeMap;

use odd_contracts::api::{Counters, TargetHealth, TargetList};
use odd_contracts::names::metric;
use odd_contracts::{JobStatus, Role};
use serde_json::{Value, json};

use super::super::gate::{Gate, ensure, same, text};
use super::super::run::Outcome;
use super::{plain, submission};

/// Scrape jobs beside those of the roles.
const SERVERS: [&str; 3] = ["rabbitmq", "prometheus", "alertmanager"];
/// Jobs of the load that complete, and of those that are retried before, and that fail. So few fail that no alert fires.
const COMPLETING: usize = 97;
const RETRIED: usize = 5;
const FAILING: usize = 3;
/// Share of the time of a check that a system is given to stand still before a load is put on it.
const STANDSTILL: f64 = 0.25;

/// Every replica of every role is scraped, and every scrape succeeds.
pub(super) async fn targets(gate: Gate) -> Outcome {
    gate.wait("every target to be up", || async {
        let running = gate.stack().running().await?;
        let list = gate.gateway().targets().await.map_err(text)?;
        judge(&list, &running)
    })
    .await
}

fn judge(list: &TargetList, running: &BTreeMap<String, usize>) -> Outcome {
    let mut up: BTreeMap<&str, usize> = BTreeMap::new();
    for target in &list.targets {
        let (job, instance) = (&target.job, &target.instance);
        ensure(target.health == TargetHealth::Up, || {
            let why = target.last_error.as_deref().unwrap_or("it was not scraped yet");
            format!("{job} at {instance} is {:?}: {why}", target.health)
        })?;
        *up.entry(job).or_default() += 1;
    }
    for role in Role::ALL {
        let (scraped, runs) = (up.get(role.name()), running.get(role.name()));
        same(
            &format!("targets of the {role}"),
            scraped.copied().unwrap_or_default(),
            runs.copied().unwrap_or_default(),
        )?;
        ensure(runs.is_some(), || format!("no container of the {role} runs"))?;
    }
    for server in SERVERS {
        ensure(up.contains_key(server), || format!("{server} is not scraped"))?;
    }
    Ok(format!("{} targets, replicas counted", list.targets.len()))
}

/// Prometheus knows where its alerts go.
pub(super) async fn alertmanager(gate: Gate) -> Outcome {
    let prometheus = gate.stack().prometheus()?;
    let known = gate.wait("Prometheus to find Alertmanager", || async {
        let known = prometheus.alertmanagers().await?;
        ensure(known > 0, || "it sends alerts to nobody".to_owned())?;
        Ok(known)
    });
    known.await.map(|known| format!("{known} known"))
}

/// A figure that the counters and Prometheus both have.
struct Figure {
    name: &'static str,
    metric: &'static str,
    counter: fn(&Counters) -> u64,
    /// By how much the load raises it.
    load: usize,
}

const FIGURES: [Figure; 4] = [
    Figure {
        name: "accepted",
        metric: metric::GATEWAY_ACCEPTED,
        counter: |counters| counters.total,
        load: COMPLETING + FAILING,
    },
    Figure {
        name: "completed",
        metric: metric::PROCESSOR_COMPLETED,
        counter: |counters| counters.in_status(JobStatus::Completed),
        load: COMPLETING,
    },
    Figure {
        name: "failed",
        metric: metric::PROCESSOR_FAILED,
        counter: |counters| counters.in_status(JobStatus::Failed),
        load: FAILING,
    },
    Figure {
        name: "retries",
        metric: metric::PROCESSOR_RETRIED,
        counter: |counters| counters.retries,
        load: RETRIED,
    },
];

/// One look at both: the counters before and after Prometheus scraped every role anew.
#[derive(Clone, Debug)]
struct Look {
    before: Vec<u64>,
    scraped: Vec<f64>,
    after: Vec<u64>,
}

impl Look {
    async fn take(gate: &Gate) -> Result<Self, String> {
        let before = counters(gate).await?;
        let scraped = scraped(gate).await?;
        let after = counters(gate).await?;
        Ok(Self {
            before,
            scraped,
            after,
        })
    }

    /// Whether nothing moved meanwhile.
    fn stands_still(&self) -> bool {
        self.before == self.after
    }
}

/// The metrics in Prometheus rise by as much as the counters, and both by a known load at least. Where nobody else uses the
/// system, that is exact; while somebody does, what Prometheus saw lies between the counters before and after.
pub(super) async fn agree(gate: Gate) -> Outcome {
    let still = gate.within(STANDSTILL);
    let begin = still
        .wait("the counters to stand still", || async {
            let look = Look::take(&still).await?;
            if look.stands_still() {
                Ok(look)
            } else {
                Err("they move".to_owned())
            }
        })
        .await;
    let begin = match begin {
        Ok(begin) => begin,
        Err(_) => Look::take(&gate).await?,
    };
    load(&gate).await?;
    gate.wait("Prometheus to agree with the counters", || async {
        let end = Look::take(&gate).await?;
        compare(&begin, &end)
    })
    .await
}

async fn counters(gate: &Gate) -> Result<Vec<u64>, String> {
    let counters = gate.read_model().stats().await.map_err(text)?.counters;
    Ok(FIGURES.iter().map(|figure| (figure.counter)(&counters)).collect())
}

/// The figures in Prometheus, of samples that are younger than this call.
async fn scraped(gate: &Gate) -> Result<Vec<f64>, String> {
    let prometheus = gate.stack().prometheus()?;
    let asked = prometheus.now().await?;
    let names: Vec<&str> = FIGURES.iter().map(|figure| figure.metric).collect();
    // Not by a pattern over names: what is left of two metrics without their names would be the same.
    let stamps: Vec<String> = names.iter().map(|name| format!("timestamp({name})")).collect();
    let oldest = format!("min({})", stamps.join(" or "));
    gate.wait("a new scrape of every role", || async {
        let oldest = prometheus.query(&oldest).await?;
        let at = oldest.first().map_or(0.0, |point| point.value);
        ensure(at > asked, || format!("the oldest is {:.1} s older", asked - at))
    })
    .await?;
    let mut values = Vec::new();
    for name in names {
        let sum = prometheus.query(&format!("sum({name})")).await?;
        let sum = sum.first().ok_or_else(|| format!("Prometheus has no {name}"))?;
        values.push(sum.value);
    }
    Ok(values)
}

/// Submits the load in one batch and waits for its end.
async fn load(gate: &Gate) -> Result<(), String> {
    let completing = |index: usize| match index < RETRIED {
        true => submission(
            json!({ "simulate": { "failTimes": 1 } }),
            json!({ "backoffMs": 1 }),
        ),
        false => plain(),
    };
    let failing = || {
        submission(
            json!({ "simulate": { "error": "on purpose" } }),
            json!({ "maxAttempts": 1 }),
        )
    };
    let completing: Vec<Value> = (0..COMPLETING).map(completing).collect();
    let completing = gate.submit_all(completing).await?;
    let failing = gate.submit_all((0..FAILING).map(|_| failing()).collect()).await?;
    gate.all_are(&completing, JobStatus::Completed).await?;
    gate.all_are(&failing, JobStatus::Failed).await
}

fn compare(begin: &Look, end: &Look) -> Outcome {
    let mut told = Vec::new();
    for (index, figure) in FIGURES.iter().enumerate() {
        let name = figure.name;
        let rise = end.scraped[index] - begin.scraped[index];
        let least = end.before[index].saturating_sub(begin.after[index]);
        let most = end.after[index].saturating_sub(begin.before[index]);
        ensure((least as f64..=most as f64).contains(&rise), || {
            let counted = if least == most {
                least.to_string()
            } else {
                format!("{least} to {most}")
            };
            format!("{name} rose by {rise} in Prometheus and by {counted} in the counters")
        })?;
        ensure(rise >= figure.load as f64, || {
            format!("{name} rose by {rise}, not by {} at least", figure.load)
        })?;
        told.push(format!("{name} +{rise}"));
    }
    Ok(told.join(", "))
}

#[cfg(test)]
mod tests {
    use odd_contracts::api::ScrapeTarget;

    use super::*;

    fn look(before: u64, scraped: f64, after: u64) -> Look {
        let figures = FIGURES.len();
        Look {
            before: vec![before; figures],
            scraped: vec![scraped; figures],
            after: vec![after; figures],
        }
    }

    #[test]
    fn where_nothing_else_moves_the_comparison_is_exact() {
        let begin = look(100, 7.0, 100);
        let load = (COMPLETING + FAILING) as u64;
        let end = |rise: u64, scraped: f64| look(100 + rise, 7.0 + scraped, 100 + rise);
        assert!(compare(&begin, &end(load, load as f64)).is_ok());
        for wrong in [load as f64 - 1.0, load as f64 + 1.0] {
            let told = compare(&begin, &end(load, wrong)).unwrap_err();
            assert!(told.contains("in the counters"), "{told}");
        }
        let told = compare(&begin, &end(1, 1.0)).unwrap_err();
        assert!(told.contains("at least"), "{told}");
    }

    #[test]
    fn under_load_prometheus_lies_between_the_counters() {
        let begin = look(100, 7.0, 110);
        let end = look(400, 300.0, 420);
        assert!(compare(&begin, &end).is_ok());
        assert!(compare(&begin, &look(400, 328.0, 420)).is_err());
        assert!(compare(&begin, &look(400, 296.0, 420)).is_err());
    }

    fn target(job: &str, health: TargetHealth) -> ScrapeTarget {
        ScrapeTarget {
            job: job.to_owned(),
            instance: format!("10.0.0.2/{job}"),
            health,
            last_error: None,
            last_scrape: None,
        }
    }

    fn list(jobs: &[&str]) -> TargetList {
        TargetList {
            targets: jobs.iter().map(|job| target(job, TargetHealth::Up)).collect(),
            omitted: 0,
        }
    }

    #[test]
    fn every_replica_has_to_be_a_target_that_is_up() {
        let running: BTreeMap<String, usize> = Role::ALL
            .into_iter()
            .map(|role| {
                (
                    role.name().to_owned(),
                    if role == Role::Processor { 2 } else { 1 },
                )
            })
            .collect();
        let mut jobs: Vec<&str> = Role::ALL.into_iter().map(Role::name).chain(SERVERS).collect();
        let told = judge(&list(&jobs), &running).unwrap_err();
        assert!(
            told.contains("targets of the processor: 1 instead of 2"),
            "{told}"
        );
        jobs.push("processor");
        assert!(judge(&list(&jobs), &running).is_ok());
        let mut one_down = list(&jobs);
        one_down.targets[0].health = TargetHealth::Down;
        assert!(judge(&one_down, &running).unwrap_err().contains("is Down"));
        let without: Vec<&str> = jobs.iter().copied().filter(|job| *job != "rabbitmq").collect();
        assert!(
            judge(&list(&without), &running)
                .unwrap_err()
                .contains("rabbitmq is not scraped")
        );
        let mut gone = running;
        gone.remove("web");
        assert!(judge(&list(&jobs), &gone).is_err());
    }
}
