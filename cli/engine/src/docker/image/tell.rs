//! Progress of several images at a time, through one channel.

use tokio::sync::mpsc::UnboundedSender;

use super::{Event, ImageState};

/// Where progress goes.
#[derive(Clone, Debug)]
pub(super) struct Tell(pub(super) UnboundedSender<Event>);

impl Tell {
    /// An image came further.
    pub(super) fn state(&self, reference: &str, state: ImageState) {
        self.send(reference, state, None, None, None, None);
    }

    /// A builder said something.
    pub(super) fn line(&self, reference: &str, line: &str) {
        self.send(
            reference,
            ImageState::Building,
            None,
            Some(line.to_owned()),
            None,
            None,
        );
    }

    /// A layer came further; without a layer, the whole image.
    pub(super) fn layer(
        &self,
        reference: &str,
        layer: Option<String>,
        detail: Option<String>,
        current: Option<i64>,
        total: Option<i64>,
    ) {
        self.send(reference, ImageState::Pulling, layer, detail, current, total);
    }

    fn send(
        &self,
        reference: &str,
        state: ImageState,
        layer: Option<String>,
        detail: Option<String>,
        current: Option<i64>,
        total: Option<i64>,
    ) {
        let bytes = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        let event = Event::Image {
            reference: reference.to_owned(),
            state,
            layer,
            detail,
            current: bytes(current),
            total: bytes(total),
        };
        // Nobody listens any more when the command was interrupted.
        let _ = self.0.send(event);
    }
}
