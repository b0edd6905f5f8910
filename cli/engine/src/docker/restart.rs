//! Starting services anew.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bollard::query_parameters::StartContainerOptions;
use tokio::sync::watch;

use super::apply::Timing;
use super::apply::teardown::{self, Leave};
use super::apply::watch::{Stop, Watch};
use super::error::call::Asked;
use super::error::{DockerError, Trouble};
use super::event::ContainerState;
use super::event::report;
use super::event::reporter::{Progress, Reporter};
use super::host::{self, Engine};
use super::labels;
use super::plan::present::{self, Container};
use super::stop::choose;
use super::{Event, StartupReport, project_name};
use crate::error::EngineError;
use crate::instance::Instance;
use crate::lock::InstanceLock;

/// Stops the containers of these services and starts them again, in the order of their dependencies, and waits until they are healthy.
/// Without services: all of the stack. `deadline` is for all of it.
///
/// # Errors
/// [`EngineError::Docker`] and [`EngineError::Busy`].
pub async fn restart(
    instance: &Instance,
    services: &[String],
    deadline: Duration,
    mut progress: impl FnMut(Event) + Send,
) -> Result<StartupReport, EngineError> {
    let begin = Instant::now();
    let _lock = InstanceLock::take(instance, deadline, || progress(Event::WaitingForOther)).await?;
    let progress = Progress::new(progress);
    let reporter = Reporter::new(&progress);
    let engine = host::connect_for(instance).await?;
    let containers = present::containers(&engine.client, &project_name(instance)).await?;
    let chosen = choose(instance, &containers, services)?;
    let all = Restart {
        engine: &engine,
        reporter,
        well: watch::Sender::new(BTreeMap::new()),
        containers: &chosen,
        all: &containers,
    };
    match tokio::time::timeout(deadline, all.run()).await {
        Ok(Ok(timings)) => Ok(report::report(begin, begin, &timings)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(all.too_late(deadline).into()),
    }
}

struct Restart<'a> {
    engine: &'a Engine,
    reporter: Reporter<'a>,
    /// Containers that have come to an end of it, and whether they are well.
    well: watch::Sender<BTreeMap<String, bool>>,
    containers: &'a [&'a Container],
    /// Every container of the stack.
    all: &'a [Container],
}

impl Restart<'_> {
    async fn run(&self) -> Result<Vec<Timing>, DockerError> {
        teardown::take_down(
            &self.engine.client,
            self.containers,
            None,
            Leave::Stopped,
            self.reporter,
        )
        .await?;
        let all =
            futures::future::join_all(self.containers.iter().map(|container| self.one(container))).await;
        let (mut timings, mut troubles, mut not_started) = (Vec::new(), Vec::new(), Vec::new());
        for (container, result) in self.containers.iter().zip(all) {
            match result {
                Ok(Some(timing)) => timings.push(timing),
                Ok(None) => not_started.push(container.service().to_owned()),
                Err(Stop::Trouble(trouble)) => troubles.push(*trouble),
                Err(Stop::Engine(error)) => return Err(error),
            }
        }
        if troubles.is_empty() {
            Ok(timings)
        } else {
            Err(DockerError::Failed {
                troubles,
                not_started,
            })
        }
    }

    /// Starts one container when those that it depends on are well; none where they are not.
    async fn one(&self, container: &Container) -> Result<Option<Timing>, Stop> {
        let before = self.before(container);
        let mut changes = self.well.subscribe();
        // The sender lives as long as this does.
        let _ = changes
            .wait_for(|well| before.iter().all(|name| well.contains_key(name)))
            .await;
        let ready = {
            let well = changes.borrow();
            before.iter().all(|name| well.get(name) == Some(&true))
        };
        let result = if ready {
            self.start(container).await.map(Some)
        } else {
            Ok(None)
        };
        let is_well = matches!(result, Ok(Some(_)));
        self.well.send_modify(|well| {
            well.insert(container.name.clone(), is_well);
        });
        if let Err(Stop::Trouble(trouble)) = &result {
            self.tell(trouble);
        }
        result
    }

    /// Containers among those that are started anew that this one waits for.
    fn before(&self, container: &Container) -> Vec<String> {
        let dependencies = container.dependencies();
        let is_before = |other: &&&Container| {
            dependencies.iter().any(|name| name == other.service())
                && !other
                    .dependencies()
                    .iter()
                    .any(|name| name == container.service())
        };
        self.containers
            .iter()
            .filter(is_before)
            .map(|other| other.name.clone())
            .collect()
    }

    async fn start(&self, container: &Container) -> Result<Timing, Stop> {
        let (service, name) = (container.service(), container.name.as_str());
        let client = &self.engine.client;
        let begin = Instant::now();
        let started = client
            .start_container(&container.id, None::<StartContainerOptions>)
            .await;
        started.asked(format!("start {name}")).map_err(Stop::Engine)?;
        self.reporter
            .container(service, name, ContainerState::Starting, None);
        let watch = Watch {
            client,
            service,
            container: name,
            one_shot: self.is_one_shot(service),
            kept: false,
            let_go: false,
            engine_asks_early: self.engine.info.speaks(1, 44),
        };
        watch.until_well(|_| {}).await?;
        self.reporter
            .container(service, name, ContainerState::Healthy, Some(begin.elapsed()));
        Ok(Timing {
            service: service.to_owned(),
            depends_on: container.dependencies(),
            kept: false,
            allowed: begin,
            well: Instant::now(),
        })
    }

    /// Whether another service waits for the end of this one.
    fn is_one_shot(&self, service: &str) -> bool {
        let mut labels = self.all.iter().map(|other| other.label(labels::DEPENDS_ON));
        labels.any(|label| labels::waits_for_end(label, service))
    }

    fn tell(&self, trouble: &Trouble) {
        self.reporter
            .container(&trouble.service, &trouble.container, ContainerState::Failed, None);
        self.reporter.tell(trouble.event());
    }

    fn too_late(&self, limit: Duration) -> DockerError {
        let well = self.well.borrow();
        let late = self
            .containers
            .iter()
            .filter(|container| well.get(&container.name) != Some(&true));
        DockerError::TimedOut {
            limit,
            waiting_for: late.map(|container| container.name.clone()).collect(),
            log: Vec::new(),
        }
    }
}
