//! The processor: executes jobs with retries and keeps their authoritative state.
//!
//! A work message is taken ([`intake`]), its job executed ([`executor`]), the outcome committed, the events
//! published and the message acknowledged ([`outbox`]), in this order, so that a crash between any two of
//! them repeats work and loses none. What is due without a message (retries, delayed jobs, what a
//! lost processor left) is claimed from the store ([`due`]). Handlers are found in [`handlers`].

mod backoff;
mod conclude;
mod config;
mod control;
mod due;
mod executor;
mod hand;
pub mod handlers;
mod intake;
mod leases;
mod meters;
mod outbox;
mod patience;
mod prefetch;
mod room;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;
use std::time::Duration;

use odd_contracts::Role;
use odd_runtime::error::chain;
use odd_runtime::{Metrics, Readiness, RoleError, Server, Shutdown, Tasks};
use odd_spine::Spine;
use odd_store::JobStore;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

pub use config::Config;
use control::Control;
use due::{Claimer, WakeUp};
use executor::Executor;
use hand::InHand;
use intake::Intake;
use leases::Leases;
use meters::Meters;
use outbox::{BATCH, Committer, Publisher};
use room::{CAPACITY, Room};

/// Time between two looks for what was started too late to be given back with the rest.
const LATE: Duration = Duration::from_millis(100);
/// Time before the deadline of a shutdown at which running handlers are abandoned and their jobs given back.
const RESERVE: Duration = Duration::from_secs(2);

/// What a processor works with.
#[derive(Clone)]
pub struct Ports {
    /// Where work comes from and events go.
    pub spine: Arc<dyn Spine>,
    /// The authority on the state of jobs.
    pub job_store: Arc<dyn JobStore>,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Distributed Task Observatory: processor",
    description = "Health and metrics of the processor."
))]
struct Api;

/// Runs a processor until `shutdown` is signalled and its work in hand is finished or given back.
///
/// # Errors
/// [`RoleError`] where one of its parts failed or did not end in time.
pub async fn run(
    config: Config,
    ports: Ports,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), RoleError> {
    let metrics = Metrics::new(Role::Processor)?;
    let readiness = Readiness::new(Role::Processor);
    let tasks = Tasks::new(shutdown.clone());
    start(&config, &ports, &metrics, &readiness, &tasks)?;
    let served = Server::new(Role::Processor, &metrics, &readiness)
        .api(axum::Router::new(), Api::openapi())
        .serve(listener, shutdown.clone())
        .await;
    shutdown.trigger();
    tasks.join(shutdown.remaining()).await?;
    Ok(served?)
}

/// Starts the tasks that a processor consists of. Each ends when those that feed it have ended.
fn start(
    config: &Config,
    ports: &Ports,
    metrics: &Metrics,
    readiness: &Readiness,
    tasks: &Tasks,
) -> Result<(), RoleError> {
    let Ports {
        spine,
        job_store: store,
    } = ports.clone();
    let shutdown = tasks.shutdown().clone();
    let by = odd_runtime::producer(Role::Processor);
    let lease = config.lease;
    let meters = Arc::new(Meters::register(metrics, config.slots)?);
    let in_hand = Arc::new(InHand::default());
    let wake_up = Arc::new(WakeUp::default());
    let room = Room::new(CAPACITY);
    let slots = Arc::new(Semaphore::new(config.slots));
    let (finished, to_commit) = mpsc::channel(2 * BATCH);
    let (publications, to_publish) = mpsc::channel(2 * BATCH);
    let (alive, executing) = mpsc::channel(1);
    let executor = Executor::new(
        handlers::registry(),
        in_hand.clone(),
        meters.clone(),
        room.clone(),
        finished,
        publications.clone(),
        alive,
    );

    let probed = spine.clone();
    readiness.probe(tasks, "spine", Duration::from_secs(1), move || {
        ping_spine(probed.clone())
    });
    let probed = store.clone();
    let store_check = readiness.probe(tasks, "job-store", Duration::from_secs(1), move || {
        ping_store(probed.clone())
    });

    let drained = CancellationToken::new();
    let intake = Intake {
        spine: spine.clone(),
        store: store.clone(),
        executor: executor.clone(),
        slots: slots.clone(),
        slot_count: config.slots,
        publications: publications.clone(),
        wake_up: wake_up.clone(),
        room: room.clone(),
        meters: meters.clone(),
        by: by.clone(),
        lease,
        store_check,
        shutdown: shutdown.clone(),
    };
    tasks.spawn("intake", intake.run(drained.clone()));
    let control = Control {
        spine: spine.clone(),
        store: store.clone(),
        in_hand: in_hand.clone(),
        publications: publications.clone(),
        room: room.clone(),
        meters: meters.clone(),
        by: by.clone(),
        lease,
        shutdown: shutdown.clone(),
    };
    tasks.spawn("control", control.run(drained.clone()));
    let claimer = Claimer {
        store: store.clone(),
        executor,
        slots,
        publications: publications.clone(),
        wake_up: wake_up.clone(),
        room,
        meters: meters.clone(),
        by,
        lease,
        shutdown: shutdown.clone(),
    };
    tasks.spawn("claimer", claimer.run());
    let committer = Committer {
        store: store.clone(),
        in_hand: in_hand.clone(),
        meters,
        wake_up,
        publications,
        lease,
        shutdown: shutdown.clone(),
    };
    tasks.spawn("committer", committer.run(to_commit));
    let publisher = Publisher {
        spine,
        store: store.clone(),
        shutdown: shutdown.clone(),
    };
    tasks.spawn("publisher", async move {
        publisher.run(to_publish).await;
        drained.cancel();
    });
    tasks.spawn(
        "leases",
        keep_leases(
            Leases {
                store,
                in_hand,
                lease,
            },
            executing,
            shutdown,
        ),
    );
    Ok(())
}

async fn ping_spine(spine: Arc<dyn Spine>) -> Result<(), odd_spine::SpineError> {
    spine.ping().await
}

async fn ping_store(store: Arc<dyn JobStore>) -> Result<(), String> {
    store.ping().await.map_err(|error| chain(&error).to_string())
}

/// Keeps the claims of what is in hand; after the shutdown's signal until nothing is and nothing can come any more
/// (every executor is gone, so that `executing` ends), or until time runs out: then what still runs is abandoned and
/// given back, to be taken by others or after the next start.
async fn keep_leases(leases: Leases, mut executing: mpsc::Receiver<()>, shutdown: Shutdown) {
    let in_hand = &leases.in_hand;
    let all_ended = async {
        // Nobody sends: it ends when the last sender is dropped.
        while executing.recv().await.is_some() {}
        in_hand.empty().await;
    };
    let time_is_up = async {
        shutdown.signalled().await;
        tokio::time::sleep(shutdown.remaining().saturating_sub(RESERVE)).await;
    };
    tokio::select! {
        () = leases.run() => return,
        () = all_ended => return,
        () = time_is_up => {}
    }
    give_back(&leases).await;
    // A take that was in flight may start further jobs.
    while tokio::time::timeout(LATE, executing.recv()).await.is_err() {
        give_back(&leases).await;
    }
}

/// Abandons what is in hand.
async fn give_back(leases: &Leases) {
    let abandoned = leases.in_hand.abandon();
    if abandoned.is_empty() {
        return;
    }
    tracing::warn!(jobs = abandoned.len(), "jobs were given back unfinished");
    if let Err(error) = leases.store.release(&abandoned).await {
        let error = chain(&error).to_string();
        tracing::warn!(
            error,
            "jobs were not given back; they will come due when their claims run out"
        );
    }
}
