//! Every role more than once, as in a cluster: claims, counters and the live feed are as right as with one of each.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use odd_client::ReadModel;
use odd_contracts::{EventType, JobId, Role};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::bed::Bed;
use crate::process::RoleProcess;
use crate::seeds;

const PROCESSORS: usize = 4;
/// Jobs between two kills.
const APART: usize = 300;
/// Longest wait for what a feed tells.
const LONG: Duration = Duration::from_secs(120);

/// Four processors, two of every other role.
async fn cluster(seed: u64) -> Bed {
    let mut bed = Bed::without_processors(seed).await;
    for _ in 0..PROCESSORS {
        bed.add_processor(None);
    }
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Processor) {
        bed.add_replica(role);
    }
    bed.ready().await;
    bed
}

fn every_process(bed: &mut Bed) -> Vec<&mut RoleProcess> {
    let first = [
        &mut bed.gateway,
        &mut bed.metrics_engine,
        &mut bed.read_model,
        &mut bed.web,
    ];
    first
        .into_iter()
        .chain(&mut bed.processors)
        .chain(&mut bed.replicas)
        .collect()
}

/// Each process of the cluster is killed once, one after the other, and comes back while the next is killed.
#[tokio::test]
async fn every_process_of_a_cluster_killed_in_turn() {
    for seed in seeds() {
        let mut bed = cluster(seed).await;
        let mut order: Vec<usize> = (0..every_process(&mut bed).len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let load = bed.load_of(APART * (order.len() + 1));
        for (killed, at) in order.into_iter().enumerate() {
            load.reaches(APART * (killed + 1)).await;
            let victim = &mut every_process(&mut bed)[at];
            victim.kill();
            victim.start();
        }
        bed.prove("each of 12 processes of a cluster killed", load).await;
    }
}

/// Whoever follows the one read-model sees what whoever follows the other does: everything.
#[tokio::test]
async fn every_read_model_tells_of_every_job() {
    for seed in seeds() {
        let bed = cluster(seed).await;
        let replica = bed.replicas.iter().find(|role| role.role() == Role::ReadModel);
        let read_models = [&bed.read_model, replica.expect("there are two")];
        let mut feeds = Vec::new();
        for read_model in read_models {
            let client = ReadModel::new(&read_model.url()).unwrap();
            feeds.push(
                client
                    .stream(&[EventType::Completed, EventType::Failed])
                    .await
                    .unwrap(),
            );
        }
        let load = bed.load();
        // Read while they come: a follower that does not is dropped events.
        let followers: Vec<_> = feeds
            .into_iter()
            .map(|mut feed| {
                tokio::spawn(async move {
                    let mut told = BTreeSet::new();
                    while told.len() < crate::bed::JOBS {
                        let event = feed.next().await.expect("the feed goes on").unwrap();
                        told.extend(event.job_id());
                    }
                    told
                })
            })
            .collect();
        bed.prove("a cluster under load", load).await;
        let accepted: BTreeSet<JobId> = bed.ledger.ids().into_iter().collect();
        for follower in followers {
            let told = tokio::time::timeout(LONG, follower).await.expect("all is told");
            assert_eq!(told.unwrap(), accepted);
        }
    }
}
