//! An instance of its own for the gate: brought up on free ports, examined, removed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use odd_engine::docker::{self, ContainerState, DockerError, Event};
use odd_engine::{EngineError, Instance, InstanceName, doctor, embedded, platform, ports};
use uuid::Uuid;

use super::{Args, Gated, evidence, examine, shared};
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::settings::{EngineChoice, Origin};

/// What the names of such instances begin with.
const PREFIX: &str = "test-";
/// Offset that the search for free ports begins at where none is set; beyond those of instances for people.
const FIRST_OFFSET: u16 = 15_000;
/// Steps over which commands that begin at the same time are spread.
const SPREAD: u16 = 40;
const STEP: u16 = 100;
/// How often other ports are tried, should somebody else take those that were free.
const TRIES: usize = 3;
/// Time for the instance to become ready, images not counted.
const START: Duration = Duration::from_secs(120);
/// Time that its parts have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
/// Time to find out which images there are.
const LOOK: Duration = Duration::from_secs(5);

/// The engine of an instance that is made on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Embedded,
    Docker {
        /// With images built from Debian packages.
        offline: bool,
    },
}

impl On {
    const fn engine(self) -> Engine {
        match self {
            Self::Embedded => Engine::Embedded,
            Self::Docker { .. } => Engine::Docker,
        }
    }
}

/// What the instance is made of.
#[derive(Clone, Debug)]
struct Make {
    /// What its roles run.
    program: PathBuf,
    on: On,
    project_dir: Option<PathBuf>,
}

/// The gate on an instance of its own. None where it was interrupted. Whatever comes of it, the instance is removed.
pub(super) async fn run(context: &Context, args: &Args) -> Result<Option<Gated>, Error> {
    refuse_names(context)?;
    let begun = Instant::now();
    let make = tokio::select! {
        make = Make::choose(context, args) => make?,
        () = platform::interrupted() => return Ok(None),
    };
    let mut own = context.of(Instance {
        name: name()?,
        port_offset: first_offset(&context.instance),
        ..context.instance.clone()
    });
    let gated = tokio::select! {
        gated = up_and_examine(&mut own, &make, args) => gated.map(Some),
        () = platform::interrupted() => Ok(None),
    };
    let removed = remove(&own, &make).await;
    let gated = gated?;
    removed?;
    if gated.is_some() {
        let took = format::duration(begun.elapsed());
        context
            .printer
            .note(&format!("  {} is removed; {took} in all", own.instance_name()));
    }
    Ok(gated)
}

async fn up_and_examine(own: &mut Context, make: &Make, args: &Args) -> Result<Gated, Error> {
    if let Err(mut error) = up(own, make).await {
        // Where something is missing there is nothing to look into, and the error tells what mends it.
        if error.code != ExitCode::Prerequisite {
            let folder = evidence::keep_of_start(own, make.on.engine(), &error, args.keep.as_deref()).await;
            error.hint = folder.map(|folder| format!("look into {}", folder.display()));
        }
        return Err(error);
    }
    // What is known of the instance was looked up before it was there.
    *own = own.of(own.instance.clone());
    examine(own, args, &shared(own)?).await
}

/// The instance is not the one that is set: a name that was asked for would be ignored.
fn refuse_names(context: &Context) -> Result<(), Error> {
    let name = &context.settings.instance_name;
    if name.origin != Origin::Flag("instance") {
        return Ok(());
    }
    let reason = "--isolated makes an instance of its own, so that none that exists can be meant";
    Err(Error::because("test", reason).code(ExitCode::Usage).hint(format!(
        "odd test{}   (or leave out --instance)",
        of_instance(name.value.as_str())
    )))
}

fn name() -> Result<InstanceName, Error> {
    let random = Uuid::new_v4().simple().to_string();
    let name = format!("{PREFIX}{}", &random[..8]);
    name.parse().map_err(|e| Error::new("name an instance", e))
}

fn first_offset(instance: &Instance) -> u16 {
    // Below `SPREAD`, and thus of u16.
    let spread = u16::try_from(std::process::id() % u32::from(SPREAD)).unwrap_or_default() * STEP;
    match instance.port_offset {
        0 => FIRST_OFFSET + spread,
        set => set,
    }
}

impl Make {
    /// What was asked for; else Docker where its images are there, or those built from Debian packages are; else embedded.
    async fn choose(context: &Context, args: &Args) -> Result<Self, Error> {
        let own = &args.own;
        let asked = own.engine.unwrap_or(context.settings.engine.value);
        let program = std::env::current_exe().map_err(|e| Error::new("find the odd binary", e))?;
        let make = |on| Self {
            program: program.clone(),
            on,
            project_dir: own.project_dir.clone(),
        };
        let for_docker = own.offline || own.project_dir.is_some();
        match asked {
            EngineChoice::Embedded if for_docker => Err(Error::because(
                "test",
                "--offline and --project-dir are for the Docker engine",
            )
            .code(ExitCode::Usage)
            .hint("odd test --isolated --engine docker --offline")),
            EngineChoice::Embedded => Ok(make(On::Embedded)),
            EngineChoice::Kubernetes | EngineChoice::Kind => Err(Error::because(
                "test",
                "--isolated makes an instance on this machine, not in a cluster",
            )
            .code(ExitCode::Usage)
            .hint("odd test   (it examines the instance that runs)")),
            EngineChoice::Docker | EngineChoice::Auto if own.offline => {
                Ok(make(On::Docker { offline: true }))
            }
            EngineChoice::Docker => {
                let offline = !has_images(context, &make(On::Docker { offline: false })).await
                    && has_images(context, &make(On::Docker { offline: true })).await;
                Ok(make(On::Docker { offline }))
            }
            EngineChoice::Auto => {
                for offline in [false, true] {
                    let make = make(On::Docker { offline });
                    if has_images(context, &make).await {
                        return Ok(make);
                    }
                }
                Ok(make(On::Embedded))
            }
        }
    }

    fn up_options(&self) -> docker::UpOptions {
        docker::UpOptions {
            program: self.program.clone(),
            project_dir: self.project_dir.clone(),
            offline: self.on == On::Docker { offline: true },
            build: false,
            profiles: Vec::new(),
            scale: BTreeMap::new(),
            wait_timeout: START,
            dry_run: false,
        }
    }

    fn told(&self) -> &'static str {
        match self.on {
            On::Embedded => "embedded: one process, SQLite",
            On::Docker { offline: false } => "docker",
            On::Docker { offline: true } => "docker, with images built from Debian packages",
        }
    }
}

/// Whether an engine answers that has every image, or can pull or build it.
async fn has_images(context: &Context, make: &Make) -> bool {
    let options = make.up_options();
    let looking = doctor::images(&context.instance, &options, LOOK / 2);
    let found = tokio::time::timeout(LOOK, looking).await;
    found.is_ok_and(|found| found.is_ok_and(|found| found.is_complete()))
}

/// Starts the instance; on other ports where somebody has one of those that were chosen.
async fn up(own: &mut Context, make: &Make) -> Result<(), Error> {
    let printer = own.printer.clone();
    own.instance.port_offset = ports::free_offset(&own.instance).ok_or_else(|| {
        Error::because("find free ports", "every offset is taken").code(ExitCode::Prerequisite)
    })?;
    let mut tries = 1..TRIES;
    loop {
        printer.note(&format!(
            "  {} comes up at port offset {} ({})",
            own.instance_name(),
            own.instance.port_offset,
            make.told()
        ));
        let spinner = printer.progress(0, "starting");
        spinner.enable_steady_tick(Duration::from_millis(100));
        let begun = Instant::now();
        let started = start(own, make, &spinner).await;
        spinner.finish_and_clear();
        let error = match started {
            Ok(()) => {
                printer.note(&format!("  ready in {}", format::duration(begun.elapsed())));
                return Ok(());
            }
            Err(error) => error,
        };
        match free_offset(&error) {
            Some(offset) if tries.next().is_some() => own.instance.port_offset = offset,
            _ => {
                let name = own.instance_name();
                return Err(Error::from_engine(
                    format!("start the instance {name}"),
                    error,
                    name,
                ));
            }
        }
    }
}

/// Where ports are free, should one have been taken.
fn free_offset(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::PortTaken { free_offset, .. } => *free_offset,
        EngineError::Docker(error) => match error.as_ref() {
            DockerError::PortTaken { free_offset, .. } => *free_offset,
            _ => None,
        },
        _ => None,
    }
}

async fn start(own: &Context, make: &Make, spinner: &indicatif::ProgressBar) -> Result<(), EngineError> {
    match make.on {
        On::Embedded => {
            let options = embedded::UpOptions {
                program: make.program.clone(),
                deadline: START,
            };
            embedded::up(&own.instance, &options, |_| {}).await.map(drop)
        }
        On::Docker { .. } => {
            let printer = &own.printer;
            docker::up(&own.instance, &make.up_options(), |event| match event {
                Event::Container {
                    service,
                    state: ContainerState::Healthy,
                    ..
                } => {
                    spinner.set_message(format!("starting: {service} is healthy"));
                }
                Event::Image { reference, .. } => spinner.set_message(format!("image {reference}")),
                Event::Trouble { service, reason, .. } => {
                    spinner.suspend(|| printer.warn(&format!("{service}: {reason}")));
                }
                Event::Notice { text } => spinner.suspend(|| printer.note(&format!("  {text}"))),
                _ => {}
            })
            .await
            .map(drop)
        }
    }
}

/// Removes everything of the instance. A second Ctrl-C leaves it, and tells how to remove it.
async fn remove(own: &Context, make: &Make) -> Result<(), Error> {
    let name = own.instance_name();
    let by_hand = format!("odd down --instance {name} --volumes --yes");
    let spinner = own.printer.progress(0, "removing");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let removed = tokio::select! {
        removed = down(own, make.on) => removed,
        () = platform::interrupted() => {
            spinner.finish_and_clear();
            own.printer.warn(&format!("{name} is left behind"));
            own.printer.note(&format!("next: {by_hand}"));
            return Ok(());
        }
    };
    spinner.finish_and_clear();
    removed.map_err(|error| {
        Error::from_engine(format!("remove the instance {name}"), error, name).hint(by_hand)
    })?;
    // Nobody else knows the name: nobody waits for the lock.
    match std::fs::remove_file(own.instance.lock_file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let path = own.instance.lock_file();
            Err(Error::new(format!("remove {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

async fn down(own: &Context, on: On) -> Result<(), EngineError> {
    match on {
        On::Embedded => {
            let options = embedded::DownOptions {
                deadline: GRACE,
                volumes: true,
            };
            embedded::down(&own.instance, &options, |_| {}).await.map(drop)
        }
        On::Docker { .. } => {
            let options = docker::DownOptions {
                deadline: GRACE,
                volumes: true,
            };
            docker::down(&own.instance, &options, |_| {}).await.map(drop)
        }
    }
}
