//! The Docker engine: plans a stack from the compose files, applies the plan through the Docker API, watches and removes it.

mod apply;
pub mod credentials;
pub mod down;
pub mod error;
pub mod event;
pub mod host;
pub mod image;
mod labels;
pub mod logs;
pub mod options;
pub mod plan;
pub mod restart;
mod role;
#[cfg(test)]
mod sample;
pub mod state;
pub mod status;
pub mod stop;
pub mod up;

pub use apply::settled;
pub use credentials::Credentials;
pub use down::{Down, down};
pub use error::{DockerError, Trouble};
pub use event::{ContainerState, Event, ImageState, ServiceTiming, StartupReport};
pub use host::{Engine, HostInfo, Surroundings, connect, connect_in, probe};
pub use logs::{LogLine, LogOptions, logs};
pub use options::{DownOptions, UpOptions};
pub use plan::{Action, ContainerStep, ImageSource, ImageStep, LeftOut, Plan, Step};
pub use restart::restart;
pub use role::role_image;
pub use state::StackFile;
pub use status::{ContainerStatus, StackStatus, status};
pub use stop::stop;
pub use up::{Up, up, up_in};

/// Name of this engine.
pub const NAME: &str = "docker";

/// Name of the compose project of an instance.
pub fn project_name(instance: &crate::instance::Instance) -> String {
    format!("odd-{}", instance.name)
}
