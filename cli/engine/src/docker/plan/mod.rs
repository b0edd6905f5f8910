//! What would have to be done: the difference between what is wanted and what is there.

pub(super) mod body;
pub(super) mod planner;
pub(super) mod present;
pub(super) mod upload;
pub(super) mod wanted;

use serde::Serialize;

/// What happens to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is there as it shall be.
    Keep,
    /// It is there as it shall be, but does not run.
    Start,
    /// It is not there.
    Create,
    /// It is there, but not as it shall be: removed and made anew.
    Recreate,
    /// It is there and shall not be.
    Remove,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name of the network, volume or container in the Docker engine.
    pub name: String,
    /// What happens to it.
    pub action: Action,
    /// Why, in words; absent where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One container of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStep {
    /// The compose service.
    pub service: String,
    /// Number of the replica, from 1.
    pub number: u32,
    /// What happens to it.
    #[serde(flatten)]
    pub step: Step,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageSource {
    /// It is in the Docker engine.
    Present,
    /// It is pulled from its registry.
    Pull,
    /// It is built here.
    Build,
}

/// One image of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStep {
    /// Its reference.
    pub reference: String,
    /// Where it comes from.
    pub source: ImageSource,
    /// Services that run it.
    pub services: Vec<String>,
}

/// A service of the compose files that this stack does without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The compose service.
    pub service: String,
    /// Why.
    pub reason: String,
}

/// Everything that has to be done, in the order in which it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Name of the compose project.
    pub project: String,
    /// Images.
    pub images: Vec<ImageStep>,
    /// Networks.
    pub networks: Vec<Step>,
    /// Volumes. They are never removed by a plan.
    pub volumes: Vec<Step>,
    /// Containers, dependencies first.
    pub containers: Vec<ContainerStep>,
    /// Containers of the project that belong to none of its services. They are reported and left alone.
    pub orphans: Vec<String>,
    /// Services that are left out, and why.
    pub left_out: Vec<LeftOut>,
}

impl Plan {
    /// Whether everything is as it shall be.
    pub fn is_empty(&self) -> bool {
        let kept = |step: &Step| step.action == Action::Keep;
        self.images
            .iter()
            .all(|image| image.source == ImageSource::Present)
            && self.networks.iter().all(kept)
            && self.volumes.iter().all(kept)
            && self.containers.iter().all(|container| kept(&container.step))
    }
}
