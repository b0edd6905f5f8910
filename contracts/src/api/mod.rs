//! What the read-model answers, and the gateway beyond a single acceptance.

mod alerts;
mod counters;
mod dead_letters;
mod events;
mod export;
mod jobs;
mod overview;
mod timeline;

pub use alerts::{
    AlertHistory, AlertList, AlertSource, NotificationTaken, ScrapeTarget, TargetHealth, TargetList,
};
pub use counters::{Counters, LatencySummary, Stats, TypeCounters};
pub use dead_letters::{DeadLetter, DeadLetterPage};
pub use events::EventPage;
pub use export::{ExportedHistory, ExportedJob};
pub use jobs::{
    BatchResponse, BatchResult, CancelAccepted, JobDetail, JobPage, JobState, JobSummary, LookupRequest,
    LookupResponse, RetryRequest,
};
pub use overview::{DependencyHealth, Health, HealthState, Overview, QueueDepth, Replicas, RoleHealth};
pub use timeline::{SpanKind, Timeline, TimelineSpan};

/// Whether a count is left out of a document.
fn is_zero(number: &u64) -> bool {
    *number == 0
}
