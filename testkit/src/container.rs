//! The container of a server: starting it, knowing when it is ready, and breaking it.

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testcontainers::bollard::models::{HostConfig, PortBinding};
use testcontainers::core::{ContainerPort, Host};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, Healthcheck, ImageExt, ReuseDirective};
use tokio::sync::Mutex;

use crate::docker::{self, Result, Trouble};
use crate::images::{self, Service};
use crate::run::{self, Run};
use crate::runtime;
use crate::specification::{self, Specification};

/// How long a server may take until it answers. RabbitMQ takes ten seconds with two cores to itself.
const START: Duration = Duration::from_secs(150);
/// How often a starting server is asked.
const POLL: Duration = Duration::from_millis(100);
/// How long a single question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long removing may take where a test waits for it in a destructor.
const REMOVAL: Duration = Duration::from_secs(30);
/// Lines of a server's log that a failing test shows.
const SHOWN: usize = 40;
/// Label of a container that all tests of a run share, with the name of its server.
const LABEL_SHARED: &str = "odd.testkit.shared";
/// Ports of containers that are stopped and started again: below those of outgoing connections and of
/// [`crate::free_port_offset`].
const FIXED_PORTS: std::ops::Range<u16> = 11_000..13_000;

/// Name of this machine within a container that was given a configuration.
pub const HOST: &str = "host.docker.internal";

/// A server in a container. The faults are for containers of a test's own (`servers::dedicated`).
pub struct Container {
    service: Service,
    pub(crate) id: String,
    pub(crate) name: String,
    password: String,
    pub(crate) dedicated: bool,
    ports: HashMap<u16, u16>,
    /// Guards of places on it.
    guards: AtomicUsize,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("name", &self.name)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

/// The container of `service` that all tests of this run share.
pub(crate) async fn shared(service: Service) -> Result<Arc<Container>> {
    static SHARED: [Mutex<Option<Arc<Container>>>; Service::ALL.len()] =
        [const { Mutex::const_new(None) }; Service::ALL.len()];
    let mut known = SHARED[service as usize].lock().await;
    if let Some(container) = &*known
        && docker::is_running(&container.id).await?
    {
        return Ok(Arc::clone(container));
    }
    let run = run::current().await?;
    let _starting = run.folder.lock_server(service.name()).await?;
    let name = format!("odd-test-{}-{service}", run.id);
    // An existing one is found by its labels, started where it was stopped, else made.
    let container = start(service, run, name, (Purpose::Shared, None)).await?;
    Ok(Arc::clone(known.insert(container)))
}

/// A container of `service` for one test.
pub(crate) async fn dedicated(service: Service) -> Result<Arc<Container>> {
    configured(service, None).await
}

/// The same, with a configuration where its image takes one.
pub(crate) async fn configured(service: Service, configuration: Option<&str>) -> Result<Arc<Container>> {
    let run = run::current().await?;
    let mut attempts = 0;
    loop {
        let name = format!("odd-test-{}-{service}-{:08x}", run.id, rand::random::<u32>());
        match start(service, run, name.clone(), (Purpose::Dedicated, configuration)).await {
            Ok(container) => return Ok(container),
            // A port may have been taken since it was found free.
            Err(error) if attempts < 3 && error.to_string().contains("port is already allocated") => {
                attempts += 1;
                docker::remove(&name).await?;
            }
            Err(error) => {
                docker::remove(&name).await?;
                return Err(error);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Shared,
    Dedicated,
}

async fn start(
    service: Service,
    run: &Run,
    name: String,
    (purpose, configuration): (Purpose, Option<&str>),
) -> Result<Arc<Container>> {
    let specification = specification::of(service, &run.password, purpose == Purpose::Shared);
    let image = images::choose(service).await?;
    let started = create(
        specification,
        &image,
        run,
        &name,
        (service, purpose, configuration),
    )
    .await;
    let started =
        started.map_err(|error| Trouble::of(&format!("{service} cannot be started from {image}"), &error))?;
    let id = started.id().to_owned();
    drop(started);
    let container = Container {
        service,
        ports: docker::ports(&id).await?,
        id,
        name,
        password: run.password.clone(),
        dedicated: purpose == Purpose::Dedicated,
        guards: AtomicUsize::new(0),
    };
    container.until_ready().await?;
    Ok(Arc::new(container))
}

/// Makes and starts a container that stays when the handle is dropped: its end is up to the keeper or the guard.
async fn create(
    specification: Specification,
    image: &str,
    run: &Run,
    name: &str,
    (service, purpose, configuration): (Service, Purpose, Option<&str>),
) -> std::result::Result<ContainerAsync<GenericImage>, testcontainers::TestcontainersError> {
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let mut request = GenericImage::new(repository, tag)
        .with_container_name(name)
        .with_labels(run.labels())
        .with_reuse(ReuseDirective::Always)
        // The engine's own checks would cost more than the servers themselves.
        .with_health_check(Healthcheck::none())
        .with_startup_timeout(START);
    if purpose == Purpose::Shared {
        request = request.with_label(LABEL_SHARED, service.name());
    } else {
        request = request.with_label("odd.testkit.dedicated", name);
    }
    if let (Some(path), Some(text)) = (specification.configuration, configuration) {
        request = request
            .with_copy_to(path, text.as_bytes().to_vec())
            // Such a server may call roles, which tests run on this machine.
            .with_host(HOST, Host::HostGateway);
    }
    for (variable, value) in specification.env {
        request = request.with_env_var(variable, value);
    }
    for &port in specification.ports {
        request = request.with_mapped_port(0, ContainerPort::Tcp(port));
    }
    let published: HashMap<String, Option<Vec<PortBinding>>> = specification
        .ports
        .iter()
        .map(|port| (format!("{port}/tcp"), Some(vec![binding(purpose)])))
        .collect();
    let memory = specification.memory;
    request
        .with_cmd(specification.command)
        .with_host_config_modifier(move |host: &mut HostConfig| {
            host.port_bindings = Some(published.clone());
            host.memory = Some(memory);
            host.memory_swap = Some(memory);
        })
        .start()
        .await
}

/// On this machine only. A container of a test's own keeps its ports over restarts.
fn binding(purpose: Purpose) -> PortBinding {
    PortBinding {
        host_ip: Some(Ipv4Addr::LOCALHOST.to_string()),
        host_port: match purpose {
            Purpose::Shared => None,
            Purpose::Dedicated => Some(fixed_port().to_string()),
        },
    }
}

/// A port that was free a moment ago and that nothing takes by chance.
fn fixed_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = FIXED_PORTS.end - FIXED_PORTS.start;
    // Below `count`.
    let begin = u16::try_from(u32::from(rand::random::<u16>()) % u32::from(count)).unwrap_or_default();
    let tried = NEXT.fetch_add(1, Ordering::Relaxed);
    (0..count)
        .map(|step| FIXED_PORTS.start + (begin + tried % count + step) % count)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("one of 2,000 ports is free")
}

impl Container {
    /// Name, by which `docker logs` and `docker exec` know it too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which server it runs.
    pub fn service(&self) -> Service {
        self.service
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Port on this machine for one within the container.
    pub(crate) fn port(&self, inner: u16) -> u16 {
        self.ports.get(&inner).copied().unwrap_or_default()
    }

    /// Waits until the server answers.
    ///
    /// # Panics
    /// Where it does not within two and a half minutes, with the end of its log.
    pub async fn ready(self: &Arc<Self>) {
        let container = Arc::clone(self);
        let ready = runtime::run(async move { container.until_ready().await }).await;
        ready.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The last `lines` lines of its log.
    ///
    /// # Panics
    /// Where the engine does not tell.
    pub async fn logs(&self, lines: usize) -> String {
        let id = self.id.clone();
        let logs = runtime::run(async move { docker::logs(&id, lines).await }).await;
        logs.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command of the image in the container and returns what it wrote, both streams together.
    ///
    /// # Panics
    /// Where it cannot be run, or ends with another code than 0.
    pub async fn exec(&self, command: &[&str]) -> String {
        let id = self.id.clone();
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let done = runtime::run(async move { docker::exec(&id, command).await }).await;
        done.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn until_ready(&self) -> Result<()> {
        let end = Instant::now() + START;
        loop {
            let asked = tokio::time::timeout(ANSWER, specification::probe(self)).await;
            let last = match asked {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {ANSWER:?}"),
            };
            let running = docker::is_running(&self.id).await?;
            if !running || Instant::now() >= end {
                let state = if running { "does not answer" } else { "has ended" };
                let log = docker::logs(&self.id, SHOWN).await?;
                return Err(Trouble::new(format!(
                    "{} {state}: {last}\n--- the end of its log ---\n{log}",
                    self.name
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What a guard does when it comes.
    pub(crate) fn enter(self: Arc<Self>) -> Arc<Self> {
        self.guards.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// What a guard does when it goes: shows the log if the test fails, then undoes what the test made. A container of
    /// the test's own is removed instead with the last guard.
    pub(crate) fn leave(self: &Arc<Self>, undo: impl Future<Output = Result<()>> + Send + 'static) {
        let failing = std::thread::panicking();
        if failing {
            self.show_log();
        }
        let last = self.guards.fetch_sub(1, Ordering::Relaxed) == 1;
        let (id, remove) = (self.id.clone(), self.dedicated && last);
        let done = runtime::block(REMOVAL, async move {
            match remove {
                true => docker::remove(&id).await,
                false => undo.await,
            }
        });
        match done {
            Some(Ok(())) => {}
            // A second panic would hide the first. What stays goes with the container.
            Some(Err(error)) => eprintln!("{}: cannot clear up: {error}", self.name),
            None => eprintln!("{}: cannot clear up within {REMOVAL:?}", self.name),
        }
    }

    fn show_log(&self) {
        let id = self.id.clone();
        let log = runtime::block(ANSWER, async move { docker::logs(&id, SHOWN).await });
        let log = log.and_then(Result::ok).unwrap_or_default();
        eprintln!(
            "--- last lines of the log of {} ---\n{}",
            self.name,
            log.trim_end()
        );
    }
}
