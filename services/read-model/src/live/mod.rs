//! The live side: one feed from the spine, unpacked once, shared by every stream and by the statistics.

mod feed;
mod frame;
mod hub;
mod recent;
mod window;

pub(crate) use feed::{Live, follow, subscribe};
pub(crate) use hub::{Pending, StreamFilter, Subscription};
pub(crate) use window::Outcomes;
