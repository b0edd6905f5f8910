//! The cluster file: where an instance runs that was put into a cluster from this machine, and what was asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use odd_contracts::Timestamp;
use serde::{Deserialize, Serialize};

use super::Image;
use super::cluster::{Cluster, ClusterError, connect};
use crate::error::{EngineError, IoContext};
use crate::instance::Instance;
use crate::platform;
use crate::state::{read_if_there, remove_if_there, write_atomically};

/// What other commands need to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFile {
    /// Version of this shape.
    pub version: u32,
    /// Whether it was started and not taken out since. One that was taken out has its data there still.
    pub up: bool,
    /// Context of the kubeconfig.
    pub context: String,
    /// The kubeconfig, where it is not the user's usual one.
    pub kubeconfig: Option<PathBuf>,
    /// The cluster of kind that it is, where it is one.
    #[serde(default)]
    pub kind: Option<String>,
    /// Address of the server.
    pub server: String,
    /// What tells the cluster from every other one, where it was told.
    pub cluster_uid: Option<String>,
    /// Added to every port that is forwarded.
    pub port_offset: u16,
    /// Namespace of the instance.
    pub namespace: String,
    /// Version of the build that started it.
    pub release: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// Whether administrative pages were asked for.
    pub tools: bool,
    /// Numbers of pods that were asked for.
    pub scale: BTreeMap<String, u32>,
    /// The image of the roles that was asked for.
    pub image: Option<Image>,
}

impl ClusterFile {
    /// Version of the shape that this build writes.
    pub const VERSION: u32 = 1;

    /// That of an instance; none where there is none, or none that makes sense: what is in the cluster is found by its labels.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn of(instance: &Instance) -> Result<Option<Self>, EngineError> {
        let path = instance.cluster_file();
        read_if_there(&path).context("read the cluster file", &path)
    }

    /// The cluster of this file, where its context still means that one.
    ///
    /// # Errors
    /// Those of [`connect`], and [`ClusterError::AnotherCluster`].
    pub async fn connect(&self) -> Result<Cluster, ClusterError> {
        let cluster = connect(self.kubeconfig.as_deref(), Some(&self.context)).await?;
        match self.is_of(&cluster) {
            true => Ok(cluster),
            false => Err(ClusterError::AnotherCluster {
                context: self.context.clone(),
                before: self.server.clone(),
                now: cluster.server,
            }),
        }
    }

    /// Whether it speaks of this cluster. One that was given another address is still the same.
    pub fn is_of(&self, cluster: &Cluster) -> bool {
        match (&self.cluster_uid, &cluster.uid) {
            (Some(before), Some(now)) => before == now,
            _ => self.server == cluster.server,
        }
    }

    /// Makes this the one of an instance.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn save(&self, instance: &Instance) -> Result<(), EngineError> {
        let (directory, path) = (instance.directory(), instance.cluster_file());
        std::fs::create_dir_all(&directory).context("create the directory", &directory)?;
        platform::make_private(&directory).context("restrict the directory", &directory)?;
        let written = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        written
            .and_then(|bytes| write_atomically(&path, &bytes))
            .context("write the cluster file", &path)
    }

    /// Removes the file of an instance.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub fn remove(instance: &Instance) -> Result<(), EngineError> {
        let path = instance.cluster_file();
        remove_if_there(&path).context("remove the cluster file", &path)
    }
}
