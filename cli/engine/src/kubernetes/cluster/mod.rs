//! A cluster: what is wanted in it is compared with what is there, applied by the server (server-side apply), watched until it runs, and
//! reached from this machine.
//!
//! Nothing here knows how a cluster was made: one of kind and one that a context names are treated alike.

mod access;
mod apply;
mod diff;
pub mod error;
mod event;
mod forward;
mod kinds;
mod kubeconfig;
mod logs;
mod object;
mod parts;
mod plan;
mod remove;
mod rollout;
mod symptom;
mod trouble;
mod view;

pub use access::{Cluster, connect};
pub use apply::{Applied, ApplyOptions, apply};
pub use diff::FieldChange;
pub use error::ClusterError;
pub use event::{Event, PodStage};
pub use forward::{Forward, Forwards, Target};
pub(super) use kinds::Kinds;
pub use logs::{LogOptions, PodLine, logs};
pub use object::{Object, ObjectRef, objects};
pub use parts::{Part, PodState, parts};
pub use plan::{Action, Step, plan};
pub use remove::{Removed, remove};
pub use rollout::{Waiting, wait};
pub use symptom::Symptom;
pub use trouble::PodTrouble;

/// Whom the server names as the owner of the fields that are applied.
pub const FIELD_MANAGER: &str = "odd";
/// Requests under way at once. Servers limit those of one user; the figure is that of kubectl.
const AT_ONCE: usize = 8;
