//! What a test does to a server of its own.

use std::time::Duration;

use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{NetworkConnectRequest, NetworkDisconnectRequest};
use testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, RestartContainerOptionsBuilder, StartContainerOptions,
    StopContainerOptionsBuilder,
};

use crate::container::Container;
use crate::docker::{self, Result, Trouble};
use crate::runtime;

/// Seconds that a server has to stop by itself.
const STOP: i32 = 30;
/// Tries to freeze the processes of a container.
const FREEZES: u32 = 10;
/// The network that containers are in unless told otherwise.
const NETWORK: &str = "bridge";

impl Container {
    /// Stops its processes where they are, as a machine that hangs.
    ///
    /// # Panics
    /// Like all faults: for a shared container, or where the engine refuses.
    pub async fn pause(&self) {
        self.fault("paused", |id| async move {
            let client = docker::client().await?;
            let mut tries = 0;
            loop {
                let paused = client.pause_container(&id).await;
                tries += 1;
                match paused {
                    // runc gives up where processes are born faster than it freezes them, which a busy machine makes likely.
                    Err(error) if tries < FREEZES && error.to_string().contains("unable to freeze") => {}
                    paused => return paused.map_err(refused),
                }
            }
        })
        .await;
    }

    /// Lets paused processes go on.
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn unpause(&self) {
        self.fault("unpaused", |id| async move {
            docker::client()
                .await?
                .unpause_container(&id)
                .await
                .map_err(refused)
        })
        .await;
    }

    /// Ends its processes at once, as `kill -9` and a crash do. [`Container::start`] starts it again.
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn kill(&self) {
        self.fault("killed", |id| async move {
            let options = KillContainerOptionsBuilder::new().signal("KILL").build();
            let client = docker::client().await?;
            client.kill_container(&id, Some(options)).await.map_err(refused)?;
            while docker::is_running(&id).await? {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        })
        .await;
    }

    /// Lets it stop in order, at most for half a minute.
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn stop(&self) {
        self.fault("stopped", |id| async move {
            let options = StopContainerOptionsBuilder::new().t(STOP).build();
            let client = docker::client().await?;
            client.stop_container(&id, Some(options)).await.map_err(refused)
        })
        .await;
    }

    /// Starts it after a stop or a kill, without waiting until it answers ([`Container::ready`] does).
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn start(&self) {
        self.fault("started", |id| async move {
            let client = docker::client().await?;
            let started = client.start_container(&id, None::<StartContainerOptions>).await;
            started.map_err(refused)
        })
        .await;
    }

    /// Stops it in order and starts it, without waiting until it answers ([`Container::ready`] does).
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn restart(&self) {
        self.fault("restarted", |id| async move {
            let options = RestartContainerOptionsBuilder::new().t(STOP).build();
            let client = docker::client().await?;
            client
                .restart_container(&id, Some(options))
                .await
                .map_err(refused)
        })
        .await;
    }

    /// Takes it from the network: packets vanish, connections hang or break.
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn disconnect(&self) {
        self.fault("disconnected", |container| async move {
            let request = NetworkDisconnectRequest {
                container,
                force: Some(true),
            };
            let client = docker::client().await?;
            client.disconnect_network(NETWORK, request).await.map_err(refused)
        })
        .await;
    }

    /// Gives it the network back.
    ///
    /// # Panics
    /// As [`Container::pause`].
    pub async fn connect(&self) {
        self.fault("connected", |container| async move {
            let request = NetworkConnectRequest {
                container,
                endpoint_config: None,
            };
            let client = docker::client().await?;
            client.connect_network(NETWORK, request).await.map_err(refused)
        })
        .await;
    }

    async fn fault<F>(&self, what: &str, work: impl FnOnce(String) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        assert!(
            self.dedicated,
            "{} is shared with other tests and is not to be {what}: take one of `servers::dedicated`",
            self.name
        );
        if let Err(error) = runtime::run(work(self.id.clone())).await {
            panic!("{} could not be {what}: {error}", self.name);
        }
    }
}

fn refused(error: Error) -> Trouble {
    Trouble::of("the engine refuses", &error)
}
