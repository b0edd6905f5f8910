//! The Docker engine: plans a stack from the compose files, applies the plan through the Docker API, watches and removes it.

pub mod credentials;
pub mod down;
pub mod error;
pub mod event;
pub mod host;
pub mod image;
pub mod logs;
pub mod options;
pub mod plan;
mod remedy;
pub mod restart;
pub mod state;
pub mod status;
pub mod up;

pub use credentials::Credentials;
pub use down::{Down, down};
pub use error::{DockerError, Trouble};
pub use event::{ContainerState, Event, ImageState, ServiceTiming, StartupReport};
pub use host::{Engine, HostInfo, connect, probe};
pub use logs::{LogLine, LogOptions, logs};
pub use options::{DownOptions, UpOptions};
pub use plan::{Action, ContainerStep, ImageSource, ImageStep, LeftOut, Plan, Step};
pub use restart::restart;
pub use state::StackFile;
pub use status::{ContainerStatus, StackStatus, status};
pub use up::{Up, up};

/// Name of this engine.
pub const NAME: &str = "docker";
