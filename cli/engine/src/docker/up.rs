//! Starting a stack.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_contracts::names::env;
use odd_contracts::{Role, Timestamp, VERSION};

use super::apply::Stage;
use super::apply::published;
use super::credentials::secrets::{self, Places};
use super::event::Event;
use super::event::report;
use super::event::reporter::{Progress, Reporter};
use super::host::{self, Engine, Surroundings};
use super::image::{self, RoleImage, RoleRequest};
use super::plan::planner;
use super::plan::present::{self, Present};
use super::plan::wanted::{Wanted, wanted};
use super::plan::{ImageStep, Plan};
use super::{Credentials, DockerError, NAME, StackFile, StartupReport, UpOptions, project_name};
use crate::compose::{self, Project, Source};
use crate::error::EngineError;
use crate::instance::Instance;
use crate::lock::InstanceLock;
use crate::web_token;

/// Shortest time that another command may take that starts or stops the same instance.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// What starting came to.
#[derive(Clone, Debug)]
pub struct Up {
    /// What had to be done.
    pub plan: Plan,
    /// What took how long.
    pub report: StartupReport,
    /// What was started. With `dry_run` it is what would be written.
    pub stack: StackFile,
    /// Whether anything had to be done.
    pub changed: bool,
}

/// Makes the stack as the compose files say, and waits until every container is healthy. What is there as it shall be is kept.
///
/// Dropping the future (because of Ctrl-C) leaves what was made so far: `up` completes it, `down` removes it.
///
/// # Errors
/// [`EngineError::Docker`], [`EngineError::Busy`] and [`EngineError::Io`]. What was made stays, and another `up` goes on from there.
pub async fn up(
    instance: &Instance,
    options: &UpOptions,
    progress: impl FnMut(Event) + Send,
) -> Result<Up, EngineError> {
    up_in(&Surroundings::of_process(), instance, options, progress).await
}

/// The same, on the Docker engine that these surroundings lead to.
///
/// # Errors
/// Those of [`up`].
pub async fn up_in(
    surroundings: &Surroundings,
    instance: &Instance,
    options: &UpOptions,
    mut progress: impl FnMut(Event) + Send,
) -> Result<Up, EngineError> {
    let begin = Instant::now();
    let patience = LOCK_PATIENCE.max(options.wait_timeout * 2);
    let lock = InstanceLock::take(instance, patience, || progress(Event::WaitingForOther)).await?;
    let lock = Arc::new(lock);
    let engine = host::connect_in(surroundings).await?;
    let progress = Progress::new(progress);
    let reporter = Reporter::new(&progress);
    let start = Start {
        instance,
        options,
        engine: &engine,
        reporter,
        begin,
        lock: &lock,
    };
    start.run().await
}

/// One call of [`up`].
struct Start<'a> {
    instance: &'a Instance,
    options: &'a UpOptions,
    engine: &'a Engine,
    reporter: Reporter<'a>,
    begin: Instant,
    lock: &'a Arc<InstanceLock>,
}

/// What was found out before anything is changed.
struct Prepared {
    source: Source,
    request: RoleRequest,
    role: RoleImage,
    project: Project,
    credentials: Credentials,
    /// Whether the credentials are to be written.
    fresh: bool,
    images: Vec<ImageStep>,
    /// Containers that an earlier `up` made.
    made: Vec<String>,
    started_at: Option<Timestamp>,
}

impl Start<'_> {
    async fn run(&self) -> Result<Up, EngineError> {
        self.tell_engine();
        let present = present::everything(&self.engine.client, &project_name(self.instance)).await?;
        let mut prepared = self.prepare(&present).await?;
        let (wanted, plan) = self.plan(&prepared, &present).await?;
        self.reporter.tell(Event::Planned { plan: plan.clone() });
        self.tell_orphans(&plan);
        published::check(&self.stage(&wanted, &plan, &present))?;
        if self.options.dry_run {
            return Ok(self.result(plan, StartupReport::default(), self.stack(&prepared)));
        }
        // Where images are not to be had, nothing came of it: the instance is not bound to this engine.
        self.ensure_images(&prepared).await?;
        self.write_before(&mut prepared)?;
        let images_done = Instant::now();
        // Now the ids of all images are known: what differs by its image is known too.
        let (wanted, applied) = self.plan(&prepared, &present).await?;
        let stage = self.stage(&wanted, &applied, &present);
        let timings = stage.apply(self.options.wait_timeout).await?;
        let stack = self.stack(&prepared);
        stack.save(self.instance)?;
        let report = report::report(self.begin, images_done, &timings);
        Ok(self.result(applied, report, stack))
    }

    fn tell_engine(&self) {
        let info = &self.engine.info;
        self.reporter.tell(Event::Connected {
            host: info.host.clone(),
            engine: format!("{} {}", info.name, info.version),
            api: info.api.clone(),
        });
    }

    fn tell_orphans(&self, plan: &Plan) {
        if !plan.orphans.is_empty() {
            let names = plan.orphans.join(", ");
            self.reporter.notice(format!(
                "not of these compose files, and left alone: {names} (odd down removes them too)"
            ));
        }
    }

    /// Reads the compose files with the variables of the instance, and finds out which images they need.
    async fn prepare(&self, present: &Present) -> Result<Prepared, EngineError> {
        let (instance, options, client) = (self.instance, self.options, &self.engine.client);
        let source = options.source();
        let stack = StackFile::of(instance)?;
        self.tell_other_host(stack.as_ref());
        let request = options.role_request(instance, &self.engine.info.address);
        let defaults = compose::variables(&source).map_err(DockerError::from)?;
        let role = image::role(client, &request).await.map_err(DockerError::from)?;
        let mut load = options.load_options(instance, &role);
        let secrets = secrets_of(defaults);
        let places = Places {
            source: &source,
            options: &load,
            variables: &secrets,
        };
        let (credentials, fresh) = secrets::credentials(client, instance, present, &places).await?;
        load.variables.extend(
            credentials
                .iter()
                .map(|(name, secret)| (name.to_owned(), secret.to_owned())),
        );
        let project = compose::load(&source, &load).map_err(DockerError::from)?;
        let images = image::resolve(client, &project, &role)
            .await
            .map_err(DockerError::from)?;
        Ok(Prepared {
            images,
            project,
            role,
            request,
            credentials,
            fresh: fresh && !secrets.is_empty(),
            started_at: stack.as_ref().map(|stack| stack.started_at),
            made: stack.map(|stack| stack.containers).unwrap_or_default(),
            source,
        })
    }

    fn tell_other_host(&self, stack: Option<&StackFile>) {
        let here = &self.engine.info.address;
        if let Some(stack) = stack.filter(|stack| stack.host != *here) {
            let there = &stack.host;
            self.reporter.notice(format!(
                "this instance was started at {there} before; what is there is left alone"
            ));
        }
    }

    /// What is wanted, and what that takes, with the images that are there now.
    async fn plan(&self, prepared: &Prepared, present: &Present) -> Result<(Wanted, Plan), DockerError> {
        let mut ids = BTreeMap::new();
        for step in &prepared.images {
            if let Some(id) = image::id(&self.engine.client, &step.reference).await? {
                ids.insert(step.reference.clone(), id);
            }
        }
        let wanted = wanted(&prepared.project, self.instance, &ids, VERSION)?;
        let plan = planner::plan(&wanted, present, prepared.images.clone(), &prepared.made)?;
        Ok((wanted, plan))
    }

    fn stage<'s>(&'s self, wanted: &'s Wanted, plan: &'s Plan, present: &'s Present) -> Stage<'s> {
        Stage {
            instance: self.instance,
            engine: self.engine,
            wanted,
            plan,
            present,
            reporter: self.reporter,
            lock: self.lock,
        }
    }

    /// What has to be known even when this command does not come to its end.
    fn write_before(&self, prepared: &mut Prepared) -> Result<(), EngineError> {
        if prepared.fresh {
            prepared.credentials.save(self.instance)?;
        } else {
            Credentials::touch(self.instance)?;
        }
        web_token::remember(self.instance, web_token_of(&prepared.project))?;
        let mut stack = self.stack(prepared);
        // Only what an earlier command made can be missed.
        stack.containers.clone_from(&prepared.made);
        stack.save(self.instance)
    }

    async fn ensure_images(&self, prepared: &Prepared) -> Result<(), DockerError> {
        let tell = |event| self.reporter.tell(event);
        let (client, source) = (&self.engine.client, &prepared.source);
        image::ensure(
            client,
            source,
            &prepared.request,
            &prepared.role,
            &prepared.images,
            tell,
        )
        .await?;
        Ok(())
    }

    fn stack(&self, prepared: &Prepared) -> StackFile {
        let project = &prepared.project;
        let port = |service: &compose::Service| {
            let first = service.ports.iter().find_map(|port| port.published)?;
            Some((service.name.clone(), first))
        };
        let names = |service: &compose::Service| {
            let name = service.name.clone();
            let project = project.name.clone();
            (1..=service.replicas).map(move |number| format!("{project}-{name}-{number}"))
        };
        StackFile {
            version: StackFile::VERSION,
            engine: NAME.to_owned(),
            project: project.name.clone(),
            host: self.engine.info.address.clone(),
            release: VERSION.to_owned(),
            started_at: prepared.started_at.unwrap_or_else(Timestamp::now),
            offline: self.options.offline,
            profiles: self.options.profiles.clone(),
            scale: self.options.scale.clone(),
            ports: project.services.values().filter_map(port).collect(),
            containers: project.services.values().flat_map(names).collect(),
        }
    }

    fn result(&self, plan: Plan, report: StartupReport, stack: StackFile) -> Up {
        Up {
            changed: !plan.is_empty(),
            plan,
            report,
            stack,
        }
    }
}

/// The token that the web role is given; an empty one is none.
fn web_token_of(project: &compose::Project) -> Option<&str> {
    let web = project.services.get(Role::Web.name())?;
    let token = web.environment.get(env::WEB_TOKEN)?;
    Some(token.as_str()).filter(|token| !token.is_empty())
}

/// Variables for which a secret is made. One that is empty as it is documented is not asked for, as long as nobody sets it.
fn secrets_of(defaults: BTreeMap<String, String>) -> Vec<String> {
    defaults
        .into_iter()
        .filter(|(name, default)| Credentials::is_secret(name) && !default.is_empty())
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever starts an instance has a terminal in the browser without a token, unless one is set.
    #[test]
    fn a_secret_is_made_where_one_is_needed() {
        let secrets = secrets_of(compose::variables(&Source::Embedded).unwrap());
        assert!(secrets.contains(&"POSTGRES_PASSWORD".to_owned()), "{secrets:?}");
        assert!(secrets.contains(&"ALERT_WEBHOOK_TOKEN".to_owned()), "{secrets:?}");
        assert!(!secrets.contains(&env::WEB_TOKEN.to_owned()), "{secrets:?}");
        let set = [(env::WEB_TOKEN, "something"), ("ODD_LOG", "info")];
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(secrets_of(set.into()), [env::WEB_TOKEN]);
    }
}
