//! What happens in a cluster while an observatory is started or removed there, as it happens.

use serde::Serialize;

use super::{ObjectRef, PodTrouble, Step, Waiting};

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PodStage {
    /// No node has taken it yet.
    Scheduling,
    /// A node pulls its images and makes its containers.
    Creating,
    /// Its containers run and are not ready yet.
    Starting,
    /// It takes requests.
    Ready,
    /// It is being ended.
    Ending,
    /// It ended, or does not get further by itself.
    Failed,
}

/// One thing that happened. With `--output ndjson` each is one line: `event` names it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// The cluster that is spoken to.
    Connected {
        /// Its context.
        context: String,
        /// Address of its server.
        server: String,
        /// Version of its server.
        version: String,
    },
    /// The plan stands.
    Planned {
        /// What is done with each object.
        steps: Vec<Step>,
    },
    /// An object was applied.
    Applied {
        /// The object.
        object: ObjectRef,
        /// Whether it was not there before.
        created: bool,
        /// Whether anything was changed.
        changed: bool,
    },
    /// A pod came further.
    Pod {
        /// Its name.
        pod: String,
        /// The value of its label `app.kubernetes.io/name`.
        #[serde(skip_serializing_if = "Option::is_none")]
        app: Option<String>,
        /// How far it is.
        stage: PodStage,
    },
    /// A Deployment or StatefulSet came further.
    Rollout {
        /// What it still waits for; none where it is done.
        waiting: Option<Waiting>,
        /// The object.
        object: ObjectRef,
    },
    /// A pod does not get further by itself. It is told at once, before the command ends.
    Trouble(PodTrouble),
    /// An object was removed.
    Removed {
        /// The object.
        object: ObjectRef,
    },
    /// Something that the user should know.
    Notice {
        /// In words.
        text: String,
    },
}
