//! Giving back what a dropped consumer had, before the next one consumes.

use std::sync::Arc;
use std::time::Duration;

use lapin::{Channel, Consumer};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

/// Consumers that are being closed.
///
/// The broker gives back what a closed channel had unacknowledged, but in its own time: a consumer that comes
/// meanwhile gets what was behind it first.
#[derive(Clone)]
pub(super) struct GivingBack {
    pending: Arc<watch::Sender<usize>>,
    limit: Duration,
}

impl GivingBack {
    /// Nothing yet. The broker has until `limit` to take back what one consumer had.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            pending: Arc::new(watch::Sender::new(0)),
            limit,
        }
    }

    /// Closes a consumer's channel in the background. The consumer is not cancelled before, as the library does when
    /// it is dropped: what is on its way then comes back apart from the rest.
    pub(super) fn close(&self, channel: Channel, consumer: Consumer) {
        // Without a runtime the channel is closed by being dropped.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let pending = Pending::new(&self.pending);
        let limit = self.limit;
        runtime.spawn(async move {
            let closing = timeout(limit, channel.close(200, "closed".into())).await;
            if !matches!(closing, Ok(Ok(()))) {
                tracing::debug!("a consumer was not closed in good form; the broker gives back what it had");
            }
            drop((channel, consumer, pending));
        });
    }

    /// Waits until every consumer that was dropped before has given back what it had.
    pub(super) async fn finished(&self) {
        let mut pending = self.pending.subscribe();
        // Where it takes too long, they are given back all the same, if not in order.
        let _ = timeout(self.limit, pending.wait_for(|pending| *pending == 0)).await;
    }
}

/// Counts one while it lives.
struct Pending(Arc<watch::Sender<usize>>);

impl Pending {
    fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
