//! The Docker engine: plans a stack from the compose files, applies the plan through the Docker API, watches and removes it.

pub mod event;
pub mod image;
pub mod options;
pub mod plan;
pub mod state;

pub use event::{ContainerState, Event, ImageState, ServiceTiming, StartupReport};
pub use options::{DownOptions, UpOptions};
pub use plan::{Action, ContainerStep, ImageSource, ImageStep, LeftOut, Plan, Step};
pub use state::StackFile;

/// Name of this engine.
pub const NAME: &str = "docker";
