//! What every test needs: an instance of its own, compose files, and the engine's own view of what is there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
};
use odd_engine::docker::{
    self, Action, DockerError, Down, DownOptions, Engine, Event, Plan, Trouble, Up, UpOptions, project_name,
};
use odd_engine::{EngineError, Home, Instance};

/// The image that every container of these tests runs.
pub(crate) const IMAGE: &str = "odd-offline/base:latest";
/// Longer than anything may take.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Longest that starting again may take where nothing has to be done, with what a busy machine adds: less than until a health check is due.
pub(crate) const QUICK: Duration = Duration::from_secs(9);
/// A loop that ends at once when it is asked to.
pub(crate) const LOOP: &str = r#"["bash", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]"#;

/// An instance with its files. Dropping it removes everything from the engine.
pub(crate) struct Bed {
    home: tempfile::TempDir,
    files: tempfile::TempDir,
    pub(crate) instance: Instance,
    pub(crate) docker: Docker,
}

/// A port offset that no other test of this process has.
fn next_offset() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(21_000);
    NEXT.fetch_add(20, Ordering::Relaxed)
}

impl Bed {
    /// With this `compose.yaml`; `IMAGE` and `LOOP` stand for those of this module.
    pub(crate) async fn new(compose: &str) -> Self {
        let port_offset = next_offset();
        let home = tempfile::tempdir().expect("a directory");
        let instance = Instance {
            name: format!("t-a-{}-{port_offset}", std::process::id())
                .parse()
                .expect("a name"),
            home: Home::at(home.path()),
            port_offset,
        };
        let Engine { client, .. } = docker::connect().await.expect("a Docker engine");
        let bed = Self {
            home,
            files: tempfile::tempdir().expect("a directory"),
            instance,
            docker: client,
        };
        bed.write("compose.yaml", compose);
        // The tag of an offline image is a hash of its recipe.
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/images");
        std::os::unix::fs::symlink(recipes, bed.files.path().join("images")).expect("a link");
        bed
    }

    /// Writes one of the files of the project.
    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.files.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        let content = content.replace("IMAGE", IMAGE).replace("LOOP", LOOP);
        std::fs::write(path, content).expect("a file");
    }

    pub(crate) fn options(&self) -> UpOptions {
        UpOptions {
            // No service of these projects runs the image of the roles, so that any file will do.
            program: self.files.path().join("compose.yaml"),
            project_dir: Some(self.files.path().to_owned()),
            offline: false,
            build: false,
            profiles: Vec::new(),
            scale: BTreeMap::new(),
            wait_timeout: LONG,
            dry_run: false,
        }
    }

    /// Starts the project, which must not fail.
    pub(crate) async fn up(&self) -> Up {
        self.try_up(&self.options()).await.0.expect("it starts")
    }

    /// Starts the project and tells everything that happened.
    pub(crate) async fn try_up(&self, options: &UpOptions) -> (Result<Up, EngineError>, Vec<Event>) {
        let mut events = Vec::new();
        let result = docker::up(&self.instance, options, |event| events.push(event)).await;
        (result, events)
    }

    /// Starts the project, which must fail, and tells why and everything that happened.
    pub(crate) async fn fails(&self) -> (DockerError, Vec<Event>) {
        let (result, events) = self.try_up(&self.options()).await;
        (docker_error(result.expect_err("it does not start")), events)
    }

    pub(crate) async fn down(&self, volumes: bool) -> Down {
        let options = DownOptions {
            deadline: Duration::from_secs(5),
            volumes,
        };
        docker::down(&self.instance, &options, |_| {})
            .await
            .expect("it is removed")
    }

    /// Name of the first container of a service.
    pub(crate) fn name(&self, service: &str) -> String {
        format!("{}-{service}-1", project_name(&self.instance))
    }

    pub(crate) async fn inspect(&self, container: &str) -> ContainerInspectResponse {
        let seen = self
            .docker
            .inspect_container(container, None::<InspectContainerOptions>)
            .await;
        seen.expect("the container is there")
    }

    /// Id of the first container of a service.
    pub(crate) async fn id(&self, service: &str) -> String {
        self.inspect(&self.name(service)).await.id.expect("an id")
    }

    /// Whether the first container of a service runs.
    pub(crate) async fn runs(&self, service: &str) -> bool {
        let seen = self
            .docker
            .inspect_container(&self.name(service), None::<InspectContainerOptions>)
            .await;
        seen.is_ok_and(|seen| seen.state.and_then(|state| state.running) == Some(true))
    }

    /// Everything in the engine that carries the project's label: containers, networks and volumes by name.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let label = format!("com.docker.compose.project={}", project_name(&self.instance));
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let containers = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let volumes = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let containers = self
            .docker
            .list_containers(Some(containers))
            .await
            .expect("containers");
        let networks = self.docker.list_networks(Some(networks)).await.expect("networks");
        let volumes = self.docker.list_volumes(Some(volumes)).await.expect("volumes");
        let mut names: Vec<String> = containers.into_iter().filter_map(|c| c.names).flatten().collect();
        names.extend(networks.into_iter().filter_map(|network| network.name));
        names.extend(
            volumes
                .volumes
                .unwrap_or_default()
                .into_iter()
                .map(|volume| volume.name),
        );
        names.sort();
        names
    }

    /// Removes a container as somebody would by hand.
    pub(crate) async fn remove_by_hand(&self, container: &str) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        self.docker
            .remove_container(container, Some(options))
            .await
            .expect("it is removed");
    }

    /// What a command in a container writes.
    pub(crate) async fn run(&self, container: &str, command: &[&str]) -> String {
        use bollard::exec::{CreateExecOptions, StartExecResults};
        use futures::StreamExt;
        let options = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = self
            .docker
            .create_exec(container, options)
            .await
            .expect("a command");
        let mut text = String::new();
        if let StartExecResults::Attached { mut output, .. } =
            self.docker.start_exec(&exec.id, None).await.expect("it runs")
        {
            while let Some(Ok(piece)) = output.next().await {
                text.push_str(&String::from_utf8_lossy(&piece.into_bytes()));
            }
        }
        text
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let instance = self.instance.clone();
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let options = DownOptions {
                deadline: Duration::from_secs(1),
                volumes: true,
            };
            runtime.block_on(async { docker::down(&instance, &options, |_| {}).await.map(drop) })
        });
        let removed = removing.join().expect("the thread ends");
        if !std::thread::panicking() {
            removed.expect("everything is removed");
        }
        let _ = &self.home;
    }
}

/// Actions of a plan by service, in order.
pub(crate) fn actions(plan: &Plan) -> Vec<(&str, Action)> {
    plan.containers
        .iter()
        .map(|container| (container.service.as_str(), container.step.action))
        .collect()
}

/// The reason for the first container of a service.
pub(crate) fn reason<'p>(plan: &'p Plan, service: &str) -> Option<&'p str> {
    let step = plan
        .containers
        .iter()
        .find(|container| container.service == service)?;
    step.step.reason.as_deref()
}

/// The error of the engine that this is.
pub(crate) fn docker_error(error: EngineError) -> DockerError {
    match error {
        EngineError::Docker(error) => *error,
        other => panic!("another error: {other:?}"),
    }
}

/// The containers that did not become what they should, and those that were not started because of them.
pub(crate) fn troubles(error: &DockerError) -> (&[Trouble], &[String]) {
    match error {
        DockerError::Failed {
            troubles,
            not_started,
        } => (troubles, not_started),
        other => panic!("another error: {other:?}"),
    }
}

/// Waits until something holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + LONG;
    while !holds().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
