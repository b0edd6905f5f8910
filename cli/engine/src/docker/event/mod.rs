//! What happens while a stack is started or stopped, as it happens.

pub(super) mod report;
pub(super) mod reporter;

use serde::Serialize;

use super::plan::Plan;

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// It waits for the services that it depends on.
    Waiting,
    /// It is being created.
    Creating,
    /// It runs, and its health is not known yet.
    Starting,
    /// It runs and its health check passes (or it has none).
    Healthy,
    /// It is being stopped.
    Stopping,
    /// It is gone.
    Removed,
    /// It ended or became unhealthy.
    Failed,
}

/// How far an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageState {
    /// It is being pulled.
    Pulling,
    /// It is being built.
    Building,
    /// It is there.
    Ready,
}

/// One thing that happened. With `--output ndjson` each is one line: `event` names it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Another command starts or stops the instance: it is waited for.
    WaitingForOther,
    /// The Docker engine that is spoken to.
    Connected {
        /// Where it listens, such as `unix socket /var/run/docker.sock` or `context desktop-linux`.
        host: String,
        /// Name and version, such as `docker 27.1`.
        engine: String,
        /// Version of the API that is spoken.
        api: String,
    },
    /// The plan stands.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// An image is on its way. Sent again and again while it is.
    Image {
        /// Its reference.
        reference: String,
        /// How far it is.
        state: ImageState,
        /// The layer or step that this is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        layer: Option<String>,
        /// What happens to it, in words.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// Bytes of the layer that are done.
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<u64>,
        /// Bytes of the layer.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// A network was made or removed.
    Network {
        /// Its name.
        name: String,
        /// Whether it is gone.
        removed: bool,
    },
    /// A volume was made or removed.
    Volume {
        /// Its name.
        name: String,
        /// Whether it is gone.
        removed: bool,
    },
    /// A container came further.
    Container {
        /// Its service.
        service: String,
        /// Its name.
        container: String,
        /// How far it is.
        state: ContainerState,
        /// Milliseconds since its own start (`starting`, `healthy`, `failed`) or stop (`removed`).
        #[serde(skip_serializing_if = "Option::is_none")]
        after_ms: Option<u64>,
    },
    /// A container did not become healthy. It is told at once, before the command ends.
    Trouble {
        /// Its service.
        service: String,
        /// Its name.
        container: String,
        /// What is the matter, such as `ended with exit code 1`.
        reason: String,
        /// What probably went wrong, where its log tells.
        #[serde(skip_serializing_if = "Option::is_none")]
        likely_cause: Option<String>,
        /// The end of its log.
        log: Vec<String>,
    },
    /// Something that the user should know, such as an orphan.
    Notice {
        /// In words.
        text: String,
    },
}

/// How long one service took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTiming {
    /// The service.
    pub service: String,
    /// Milliseconds from the begin of the start until it was allowed to start, because what it depends on was healthy.
    pub waited_ms: u64,
    /// Milliseconds from there until it was healthy.
    pub took_ms: u64,
    /// Whether it ran before and was left alone.
    pub kept: bool,
}

/// What took how long.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StartupReport {
    /// Milliseconds in all.
    pub took_ms: u64,
    /// Milliseconds until every image was there.
    pub images_ms: u64,
    /// Each service.
    pub services: Vec<ServiceTiming>,
    /// The chain of services, each of which waited for the one before, that took longest.
    pub critical_path: Vec<String>,
}
