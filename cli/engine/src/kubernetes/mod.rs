//! The manifests in `k8s/`: carried by this binary, rendered by the kustomize of whoever runs it.
//!
//! There is no renderer of our own: what is shown, applied and exported is what `kubectl apply -k` would make of the same files.

pub mod cluster;
pub mod down;
pub mod error;
mod files;
pub mod forwarding;
pub mod kind;
mod members;
mod program;
mod render;
mod secret;
mod state;
mod status;
pub mod up;
pub mod variant;

use std::fmt;
use std::str::FromStr;

pub use down::{Down, DownOptions, down};
pub use error::KubernetesError;
pub use files::{Tree, files};
pub use render::{Rendered, Renderer};
pub use state::ClusterFile;
pub use status::{ClusterStatus, log_options, restart, status};
pub use up::{Prepared, Up, UpOptions, prepare};
pub use variant::{Image, Variant};

/// Name of this engine.
pub const NAME: &str = "kubernetes";

/// A set of manifests that is whole: it can be applied as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    /// Everything within one cluster, as on Docker.
    #[default]
    Kind,
    /// The same with administrative pages.
    KindTools,
    /// Roles in any number beside data services elsewhere.
    Production,
}

impl Overlay {
    /// Every overlay.
    pub const ALL: [Self; 3] = [Self::Kind, Self::KindTools, Self::Production];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::KindTools => "kind-tools",
            Self::Production => "production",
        }
    }

    /// Its folder below the root of a [`Tree`].
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Kind => "k8s/overlays/kind",
            Self::KindTools => "k8s/overlays/kind-tools",
            Self::Production => "k8s/overlays/production",
        }
    }
}

impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no overlay of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no overlay {0:?}; there are kind, kind-tools and production")]
pub struct UnknownOverlay(String);

impl FromStr for Overlay {
    type Err = UnknownOverlay;

    fn from_str(text: &str) -> Result<Self, UnknownOverlay> {
        let mut all = Self::ALL.into_iter();
        all.find(|overlay| overlay.name() == text)
            .ok_or_else(|| UnknownOverlay(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_is_known_by_its_name_and_is_in_the_folder_of_that_name() {
        for overlay in Overlay::ALL {
            assert_eq!(overlay.name().parse(), Ok(overlay));
            assert_eq!(overlay.folder(), format!("k8s/overlays/{overlay}"));
        }
        let error = "staging".parse::<Overlay>().unwrap_err().to_string();
        assert!(
            Overlay::ALL.iter().all(|overlay| error.contains(overlay.name())),
            "{error}"
        );
    }
}
