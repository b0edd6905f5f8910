//! The loop that records, counts and acknowledges.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use odd_contracts::{EventType, Producer, Role};
use odd_runtime::{Check, Shutdown};
use odd_spine::dead_letter::{self, DeadLetterRequest};
use odd_spine::{Acknowledger, Consumer, Delivery, DeliveryTag, Queue};
use odd_store::StoreError;
use tokio::time::sleep;

use crate::batch::Batch;
use crate::instruments::Instruments;
use crate::pulse::Pulse;
use crate::{Config, Ports, bisect};

/// How often a recorder without work says that it is well.
const IDLE_SIGN: Duration = Duration::from_secs(2);

/// How often the counters are asked whether they can be trusted.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// Records every event of the queue `jobs.events`.
pub(crate) struct Recorder {
    config: Config,
    pub(crate) ports: Ports,
    instruments: Instruments,
    producer: Producer,
    pub(crate) recording: Check,
    pub(crate) shutdown: Shutdown,
    /// Whether the counters said that they must be rebuilt, which they need not know afterwards: an event that is older
    /// than all they remember changes nothing about them.
    pub(crate) must_rebuild: AtomicBool,
}

/// Why the recording stopped.
pub(crate) enum Interruption {
    /// The role ends.
    Shutdown,
    /// Something does not answer, or is damaged. Nothing was acknowledged that is not recorded and counted.
    Outage {
        /// What it is.
        what: &'static str,
        /// What it said.
        reason: String,
    },
}

impl Interruption {
    /// An outage of `what`; fits `map_err`.
    pub(crate) fn of<E: Error>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Outage {
            what,
            reason: chain(&error),
        }
    }
}

/// A batch that is being counted and acknowledged.
type Settling<'a> = BoxFuture<'a, Result<(), Interruption>>;

/// Events in the log that are to be counted, and the deliveries they came with.
struct Recorded {
    batch: Batch,
    /// Of each event whether the log refused it.
    refused: Vec<bool>,
    /// Those that it refused, to be put aside.
    aside: Vec<DeadLetterRequest>,
}

impl Recorder {
    pub(crate) fn new(
        config: Config,
        ports: Ports,
        instruments: Instruments,
        recording: Check,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            config,
            ports,
            instruments,
            producer: odd_runtime::producer(Role::MetricsEngine),
            recording,
            shutdown,
            must_rebuild: AtomicBool::new(false),
        }
    }

    /// Records until the shutdown, through every outage.
    pub(crate) async fn run(self) {
        let mut pulse = Pulse::new(self.recording.clone());
        while let Err(Interruption::Outage { what, reason }) = self.consume(&mut pulse).await {
            let wait = pulse.failed(&format!("{what}: {reason}"), rand::random());
            if !self.recovered(&mut pulse, wait).await {
                return;
            }
        }
    }

    /// Waits, and then until everything answers; false when the role ends before.
    async fn recovered(&self, pulse: &mut Pulse, mut wait: Duration) -> bool {
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                () = self.shutdown.signalled() => return false,
            }
            let answered = tokio::select! {
                answered = self.ping() => answered,
                () = self.shutdown.signalled() => return false,
            };
            match answered {
                Ok(()) => return true,
                Err(reason) => wait = pulse.failed(&reason, rand::random()),
            }
        }
    }

    async fn ping(&self) -> Result<(), String> {
        let ports = &self.ports;
        let told = |what, error: &dyn Error| format!("{what}: {}", chain(error));
        let answer = ports.spine.ping().await;
        answer.map_err(|error| told("spine", &error))?;
        let answer = ports.event_log.ping().await;
        answer.map_err(|error| told("event log", &error))?;
        let answer = ports.counters.ping().await;
        answer.map_err(|error| told("counters", &error))
    }

    /// Consumes until the role ends or something interrupts it. What is not acknowledged then goes back to
    /// the queue with the consumer.
    async fn consume(&self, pulse: &mut Pulse) -> Result<(), Interruption> {
        self.ensure_intact().await?;
        let prefetch = self.config.batch.get().saturating_mul(2);
        let consumer = self.ports.spine.consume(Queue::Events, prefetch).await;
        let mut consumer = consumer.map_err(Interruption::of("spine"))?;
        let acknowledger = consumer.acknowledger();
        pulse.consuming();
        // While a batch is recorded, the one before is counted and acknowledged: on one database they share a commit.
        let mut settling = None;
        let mut checked = Instant::now();
        while let Some(deliveries) = self
            .next(consumer.as_mut(), &mut settling, pulse, &mut checked)
            .await?
        {
            let recording = self.record(Batch::unpack(deliveries));
            let recorded = match settling.take() {
                None => recording.await?,
                Some(before) => {
                    let (settled, recorded) = futures::future::join(before, recording).await;
                    settled?;
                    pulse.well();
                    recorded?
                }
            };
            settling = Some(self.settle(recorded, Arc::clone(&acknowledger)).boxed());
        }
        match settling {
            Some(settling) => settling.await,
            None => Ok(()),
        }
    }

    /// The next deliveries; none when the role ends. Meanwhile what settles goes on.
    async fn next(
        &self,
        consumer: &mut dyn Consumer,
        settling: &mut Option<Settling<'_>>,
        pulse: &mut Pulse,
        checked: &mut Instant,
    ) -> Result<Option<Vec<Delivery>>, Interruption> {
        loop {
            if checked.elapsed() >= CHECK_EVERY {
                self.check_counters().await?;
                *checked = Instant::now();
            }
            tokio::select! {
                biased;
                () = self.shutdown.signalled() => return Ok(None),
                deliveries = consumer.next(self.config.batch.get()) => {
                    return deliveries.map(Some).map_err(Interruption::of("spine"));
                }
                settled = async { settling.as_mut().expect("guarded by the condition").await },
                    if settling.is_some() =>
                {
                    *settling = None;
                    settled?;
                    pulse.well();
                }
                () = sleep(IDLE_SIGN), if settling.is_none() => pulse.well(),
            }
        }
    }

    /// Finds counters that were emptied or set back without anybody having to count: then they are built anew.
    async fn check_counters(&self) -> Result<(), Interruption> {
        let intact = self.ports.counters.is_intact().await;
        if intact.map_err(Interruption::of("counters"))? {
            return Ok(());
        }
        Err(Interruption::Outage {
            what: "counters",
            reason: "they were emptied or set back".to_owned(),
        })
    }

    /// Appends the events to the log.
    async fn record(&self, batch: Batch) -> Result<Recorded, Interruption> {
        fail::fail_point!("metrics_engine.before_append", |_| std::process::abort());
        let event_log = Arc::clone(&self.ports.event_log);
        let appended = bisect::write(&batch.events, self.config.events.get(), |events| {
            let event_log = Arc::clone(&event_log);
            Box::pin(async move { event_log.append(events).await })
        });
        let appended = appended.await.map_err(Interruption::of("event log"))?;
        fail::fail_point!("metrics_engine.after_append", |_| std::process::abort());
        for (stretch, new) in appended.taken {
            self.instruments.appended(stretch.len(), &new);
        }
        let mut refused = vec![false; batch.events.len()];
        for (index, _) in &appended.refused {
            refused[*index] = true;
        }
        let aside = Self::dead_letters(&batch, "event log", appended.refused);
        Ok(Recorded {
            batch,
            refused,
            aside,
        })
    }

    /// Counts recorded events, puts aside what is no event or what a store refuses, and acknowledges the deliveries.
    /// In this order: what is interrupted comes again, and must not be put aside once more at each try.
    async fn settle(
        &self,
        recorded: Recorded,
        acknowledger: Arc<dyn Acknowledger>,
    ) -> Result<(), Interruption> {
        let Recorded {
            mut batch,
            refused,
            mut aside,
        } = recorded;
        // Also those that were in the log before: whoever recorded them may have ended before it counted them.
        let (places, events) = batch.take_counted(|index| !refused[index]);
        let counters = Arc::clone(&self.ports.counters);
        let counted = bisect::write(&events, self.config.events.get(), |events| {
            let counters = Arc::clone(&counters);
            Box::pin(async move { counters.apply(None, events).await })
        });
        let counted = counted.await.map_err(|error| {
            if matches!(error, StoreError::Damaged(_)) {
                self.must_rebuild.store(true, Ordering::Release);
            }
            Interruption::of("counters")(error)
        })?;
        fail::fail_point!("metrics_engine.after_counters", |_| std::process::abort());
        let refused = counted
            .refused
            .into_iter()
            .map(|(index, error)| (places[index], error))
            .collect();
        aside.extend(Self::dead_letters(&batch, "counters", refused));
        aside.append(&mut batch.bad);
        self.put_aside(aside).await?;
        self.acknowledge(&*acknowledger, &batch.tags()).await
    }

    async fn acknowledge(
        &self,
        acknowledger: &dyn Acknowledger,
        tags: &[DeliveryTag],
    ) -> Result<(), Interruption> {
        acknowledger.ack(tags).await.map_err(Interruption::of("spine"))?;
        fail::fail_point!("metrics_engine.after_ack", |_| std::process::abort());
        Ok(())
    }

    fn dead_letters(
        batch: &Batch,
        store: &'static str,
        refused: Vec<(usize, StoreError)>,
    ) -> Vec<DeadLetterRequest> {
        let mut requests = Vec::with_capacity(refused.len());
        for (index, error) in refused {
            let event = &batch.events[index];
            let reason = chain(&error);
            tracing::warn!(event_id = %event.event_id, store, reason, "a store refuses an event");
            // A report of a dead letter that cannot be kept must not lead to a report about itself, and so on:
            // what it reports is safe on the dead-letter queue.
            if event.event_type != EventType::DeadLettered {
                requests.push(batch.refused(index, format!("the {store} refuses it: {reason}")));
            }
        }
        requests
    }

    async fn put_aside(&self, requests: Vec<DeadLetterRequest>) -> Result<(), Interruption> {
        if requests.is_empty() {
            return Ok(());
        }
        for request in &requests {
            let (id, reason) = (request.id(), request.reason);
            tracing::warn!(%id, reason, detail = request.detail, "a message is put aside");
        }
        let kept = requests.clone();
        dead_letter::put_aside(&*self.ports.spine, &self.producer, requests)
            .await
            .map_err(Interruption::of("spine"))?;
        self.instruments.put_aside(&kept);
        Ok(())
    }
}

/// An error with its sources on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
