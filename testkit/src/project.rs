//! What the Docker engine has of a compose project, for tests of stacks. Found by the labels that compose gives, so that
//! what is looked at is not what the code under test says of itself.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use testcontainers::bollard::query_parameters::{
    ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions,
};

use crate::docker::{self, Result, Trouble};
use crate::runtime;

/// Label with the name of the project.
const PROJECT: &str = "com.docker.compose.project";
/// Longest time that the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A compose project in the Docker engine.
#[derive(Clone, Debug)]
pub struct Project {
    name: String,
}

/// A container of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectContainer {
    /// Its id.
    pub id: String,
    /// Its name, without the slash before it.
    pub name: String,
    /// Its compose service.
    pub service: String,
    /// Such as `running` or `exited`.
    pub state: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

impl Project {
    /// The project of this name, whether there is anything of it or not.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn label(&self) -> String {
        format!("{PROJECT}={}", self.name)
    }

    fn filters(&self) -> HashMap<String, Vec<String>> {
        HashMap::from([("label".to_owned(), vec![self.label()])])
    }

    /// Its containers, running or not, sorted by name.
    ///
    /// # Panics
    /// Where the engine does not answer.
    pub fn containers(&self) -> Vec<ProjectContainer> {
        let label = self.label();
        let listed = wait(async move { docker::labelled(vec![label]).await });
        let mut containers: Vec<ProjectContainer> = listed
            .into_iter()
            .map(|container| {
                let labels: BTreeMap<_, _> = container.labels.unwrap_or_default().into_iter().collect();
                let name = container.names.unwrap_or_default().into_iter().next();
                ProjectContainer {
                    id: container.id.unwrap_or_default(),
                    name: name.unwrap_or_default().trim_start_matches('/').to_owned(),
                    service: labels
                        .get("com.docker.compose.service")
                        .cloned()
                        .unwrap_or_default(),
                    state: container.state.map(|state| state.to_string()).unwrap_or_default(),
                    labels,
                }
            })
            .collect();
        containers.sort_by(|one, other| one.name.cmp(&other.name));
        containers
    }

    /// Names of its networks, sorted.
    ///
    /// # Panics
    /// Where the engine does not answer.
    pub fn networks(&self) -> Vec<String> {
        let filters = self.filters();
        wait(async move { networks(filters).await })
    }

    /// Names of its volumes, sorted.
    ///
    /// # Panics
    /// Where the engine does not answer.
    pub fn volumes(&self) -> Vec<String> {
        let filters = self.filters();
        wait(async move { volumes(filters).await })
    }

    /// Removes one of its containers by force, behind the back of whoever started it.
    ///
    /// # Panics
    /// Where the engine does not answer or refuses.
    pub fn remove_container(&self, id: &str) {
        let id = id.to_owned();
        wait(async move { docker::remove(&id).await });
    }

    /// Removes everything of it.
    ///
    /// # Panics
    /// Where the engine does not answer or refuses.
    pub fn remove(&self) {
        for container in self.containers() {
            self.remove_container(&container.id);
        }
        let (of_networks, of_volumes) = (self.networks(), self.volumes());
        wait(async move {
            let client = docker::client().await?;
            let failed = |error| Trouble::of("what a project left cannot be removed", &error);
            for network in of_networks {
                client.remove_network(&network).await.map_err(failed)?;
            }
            for volume in of_volumes {
                let options = None::<RemoveVolumeOptions>;
                client.remove_volume(&volume, options).await.map_err(failed)?;
            }
            Ok(())
        });
    }
}

async fn networks(filters: HashMap<String, Vec<String>>) -> Result<Vec<String>> {
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let listed = docker::client().await?.list_networks(Some(options)).await;
    let listed = listed.map_err(|error| Trouble::of("networks cannot be listed", &error))?;
    let mut names: Vec<String> = listed.into_iter().filter_map(|network| network.name).collect();
    names.sort();
    Ok(names)
}

async fn volumes(filters: HashMap<String, Vec<String>>) -> Result<Vec<String>> {
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let listed = docker::client().await?.list_volumes(Some(options)).await;
    let listed = listed.map_err(|error| Trouble::of("volumes cannot be listed", &error))?;
    let volumes = listed.volumes.unwrap_or_default().into_iter();
    let mut names: Vec<String> = volumes.map(|volume| volume.name).collect();
    names.sort();
    Ok(names)
}

/// Asks the engine from a test, which is not asynchronous.
#[track_caller]
fn wait<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> T {
    match runtime::block(PATIENCE, work) {
        Some(Ok(done)) => done,
        Some(Err(error)) => panic!("{error}"),
        None => panic!("the Docker engine does not answer within {PATIENCE:?}"),
    }
}
