//! Telling what happens, from several futures at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{ContainerState, Event};

/// Takes events, one after the other.
pub(in crate::docker) struct Progress<F>(Mutex<F>);

impl<F: FnMut(Event) + Send> Progress<F> {
    pub(in crate::docker) fn new(progress: F) -> Self {
        Self(Mutex::new(progress))
    }
}

trait Sink: Sync {
    fn take(&self, event: Event);
}

impl<F: FnMut(Event) + Send> Sink for Progress<F> {
    fn take(&self, event: Event) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress(event);
    }
}

/// Hands events on; futures that run side by side share it.
#[derive(Clone, Copy)]
pub(in crate::docker) struct Reporter<'a>(&'a (dyn Sink + 'a));

impl<'a> Reporter<'a> {
    pub(in crate::docker) fn new<F: FnMut(Event) + Send + 'a>(progress: &'a Progress<F>) -> Self {
        Self(progress)
    }

    pub(in crate::docker) fn tell(self, event: Event) {
        self.0.take(event);
    }

    pub(in crate::docker) fn notice(self, text: String) {
        self.tell(Event::Notice { text });
    }

    pub(in crate::docker) fn container(
        self,
        service: &str,
        name: &str,
        state: ContainerState,
        after: Option<Duration>,
    ) {
        self.tell(Event::Container {
            service: service.to_owned(),
            container: name.to_owned(),
            state,
            after_ms: after.map(millis),
        });
    }
}

/// Whole milliseconds.
pub(in crate::docker) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
