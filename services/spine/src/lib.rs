//! The event spine: publishing with confirmation, consuming with acknowledgement, dead-lettering.
//!
//! One port ([`Spine`]) with one conformance suite that every adapter passes. Work travels one envelope a message;
//! lifecycle events travel in batches of one type ([`codec`]).

pub mod amqp;
pub mod codec;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod dead_letter;
pub mod embedded;
pub mod port;

pub use port::{
    Acknowledger, Consumer, Delivery, DeliveryTag, LiveFeed, Message, PublishError, Queue, Route, Spine,
    SpineError,
};
