//! What containers write.
//!
//! One task per container reads its log. Without `follow` the logs end, and their lines are merged by the time at which the engine received
//! each. With it, lines are put in order as far as they arrive within a short time. A log ends when its container stops, so it is looked again
//! and again which containers there are, and reading goes on behind the last line that was seen.

mod assembly;
mod merge;
mod reader;

use futures::{Stream, stream};
use odd_contracts::Timestamp;

use self::merge::{Ended, Live};
use self::reader::Reader;
use super::plan::present;
use super::stop::choose;
use super::{host, project_name};
use crate::error::EngineError;
use crate::instance::Instance;

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Services; all where empty.
    pub services: Vec<String>,
    /// Only the last lines of each container.
    pub tail: Option<usize>,
    /// Go on with what they write from now on, until the stack is gone.
    pub follow: bool,
}

/// One line of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its service.
    pub service: String,
    /// Number of the replica, from 1.
    pub number: u32,
    /// When the engine received it.
    pub at: Option<Timestamp>,
    /// Whether it was written to standard error.
    pub stderr: bool,
    /// The line without its end.
    pub line: String,
}

/// What the containers of a stack wrote, interleaved in the order in which the engine received it.
///
/// # Errors
/// [`EngineError::Docker`] where the engine does not answer, or there is no such stack or service.
pub async fn logs(
    instance: &Instance,
    options: &LogOptions,
) -> Result<impl Stream<Item = Result<LogLine, EngineError>> + Send + use<>, EngineError> {
    let engine = host::connect_for(instance).await?;
    let project = project_name(instance);
    let containers = present::containers(&engine.client, &project).await?;
    choose(instance, &containers, &options.services)?;
    let reader = Reader {
        client: engine.client,
        project,
        options: options.clone(),
    };
    let merger = match options.follow {
        true => Merger::Live(Live::of(reader)),
        false => Merger::Ended(Ended::of(&reader, &containers)),
    };
    Ok(stream::unfold(merger, |mut merger| async move {
        let item = match &mut merger {
            Merger::Live(live) => live.next().await,
            Merger::Ended(ended) => ended.next().await,
        };
        Some((item?.map_err(EngineError::from), merger))
    }))
}

enum Merger {
    Live(Live),
    Ended(Ended),
}
