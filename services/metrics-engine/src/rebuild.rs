//! Building the counters anew from the event log.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use odd_contracts::EventHead;
use odd_store::{CounterEvent, EventFilter, Generation, Position};

use crate::bisect;
use crate::recorder::{Interruption, Recorder};

/// Events read at a time.
const PAGE: usize = 2_000;
/// How often progress is logged.
const LOG_EVERY: Duration = Duration::from_secs(2);

impl Recorder {
    /// Rebuilds the counters unless they can be trusted. Readers see the old ones until the new ones are whole.
    pub(crate) async fn ensure_intact(&self) -> Result<(), Interruption> {
        let intact = self.ports.counters.is_intact().await;
        let intact = intact.map_err(Interruption::of("counters"))?;
        if intact && !self.must_rebuild.load(Ordering::Acquire) {
            return Ok(());
        }
        tracing::warn!("the counters cannot be trusted; rebuilding them from the event log");
        let started = Instant::now();
        let counters = &self.ports.counters;
        let generation = counters
            .begin_rebuild()
            .await
            .map_err(Interruption::of("counters"))?;
        let (last, mut events) = self.copy(Some(generation), None).await?;
        counters
            .activate(generation)
            .await
            .map_err(Interruption::of("counters"))?;
        self.must_rebuild.store(false, Ordering::Release);
        // What another replica recorded since the last page may have been counted into the old generation only.
        events += self.copy(None, last).await?.1;
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(events, seconds, "the counters are rebuilt");
        Ok(())
    }

    /// Counts everything behind `after`; tells the last place and the number of events.
    async fn copy(
        &self,
        into: Option<Generation>,
        mut after: Option<Position>,
    ) -> Result<(Option<Position>, usize), Interruption> {
        let everything = EventFilter::default();
        let (mut copied, mut logged) = (0, Instant::now());
        loop {
            if self.shutdown.is_signalled() {
                return Err(Interruption::Shutdown);
            }
            let page = self.ports.event_log.since(&everything, after, PAGE).await;
            let page = page.map_err(Interruption::of("event log"))?;
            let Some(last) = page.last() else {
                return Ok((after, copied));
            };
            after = Some(last.position);
            copied += page.len();
            let events: Vec<_> = page
                .iter()
                .filter_map(|event| CounterEvent::of(&EventHead::of(&event.event)))
                .collect();
            self.count_again(into, &events).await?;
            self.recording
                .failed(format!("rebuilding the counters: {copied} events so far"));
            if logged.elapsed() >= LOG_EVERY {
                logged = Instant::now();
                tracing::info!(events = copied, "rebuilding the counters");
            }
        }
    }

    /// An event that the counters refuse was put aside when it was recorded; it is left out again.
    async fn count_again(
        &self,
        into: Option<Generation>,
        events: &[CounterEvent],
    ) -> Result<(), Interruption> {
        let counters = self.ports.counters.clone();
        let written = bisect::write(events, PAGE, |events| {
            let counters = counters.clone();
            Box::pin(async move { counters.apply(into, events).await })
        });
        let refused = written.await.map_err(Interruption::of("counters"))?.refused;
        for (index, error) in refused {
            tracing::warn!(key = %events[index].key, %error, "the counters refuse an event");
        }
        Ok(())
    }
}
