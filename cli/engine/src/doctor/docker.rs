//! The Docker engine: whether it answers, what it has, and whether the images are to be had.

use std::path::Path;
use std::time::Duration;

use super::machine::{free_space, mebibytes};
use super::{Check, CheckState, DoctorOptions, Purpose, remedy};
use crate::compose::{self, Project};
use crate::docker::image::{self, Availability};
use crate::docker::{DockerError, Engine, HostInfo, UpOptions, connect};
use crate::error::EngineError;
use crate::instance::Instance;

/// Memory that the whole stack needs, in bytes.
const MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// Processors below which a start takes long.
const CPUS: u64 = 2;
/// Free disk space of the engine that images and data need, in bytes.
const DISK: u64 = 4 * 1024 * 1024 * 1024;
/// Oldest version of the API that is known to do.
const API: (u32, u32) = (1, 41);
/// Time that a registry may take to answer.
const REGISTRY: Duration = Duration::from_secs(5);

/// What was found.
pub(super) struct Found {
    pub(super) checks: Vec<Check>,
    /// Whether a stack could be started.
    pub(super) is_usable: bool,
    /// Ports that the stack publishes on this machine, by service; none where it is another machine's.
    pub(super) ports: Option<Vec<(String, u16)>>,
}

/// Looks at the engine, then at the images.
pub(super) async fn look(instance: &Instance, options: &DoctorOptions) -> Found {
    let engine = match connect().await {
        Ok(engine) => engine,
        Err(error) => {
            return Found {
                checks: vec![absent(&error, options.purpose)],
                is_usable: false,
                ports: None,
            };
        }
    };
    let mut checks = vec![present(&engine.info), resources(&engine.info)];
    checks.extend(data(&engine.info));
    if options.purpose == Purpose::Kind {
        return Found {
            checks,
            is_usable: false,
            ports: None,
        };
    }
    let up = UpOptions {
        program: options.program.clone(),
        project_dir: None,
        offline: options.offline,
        build: false,
        profiles: Vec::new(),
        scale: std::collections::BTreeMap::new(),
        wait_timeout: REGISTRY,
        dry_run: true,
    };
    let looked = with_engine(&engine, instance, &up, REGISTRY).await;
    let (is_usable, ports) = match &looked {
        Ok((project, images)) => (
            images.is_complete(),
            engine.info.local.then(|| published(project)),
        ),
        Err(_) => (false, None),
    };
    checks.extend(of_images(looked.map(|(_, images)| images), options));
    Found {
        checks,
        is_usable,
        ports,
    }
}

/// Whether the images of a stack are there or to be had, in the engine that answers. `limit` is for the registry.
///
/// # Errors
/// Where no engine answers, or the compose files cannot be used.
pub async fn images(
    instance: &Instance,
    options: &UpOptions,
    limit: Duration,
) -> Result<Availability, EngineError> {
    let engine = connect().await?;
    let (_, images) = with_engine(&engine, instance, options, limit).await?;
    Ok(images)
}

async fn with_engine(
    engine: &Engine,
    instance: &Instance,
    options: &UpOptions,
    limit: Duration,
) -> Result<(Project, Availability), DockerError> {
    let request = options.role_request(instance, &engine.info.address);
    let role = image::role(&engine.client, &request).await?;
    // Nothing is started, so that passwords may be those that are documented.
    let project = compose::load(&options.source(), &options.load_options(instance, &role))?;
    let images = image::availability(&engine.client, &project, &role, limit).await?;
    Ok((project, images))
}

fn absent(error: &DockerError, purpose: Purpose) -> Check {
    let consequence = match purpose {
        Purpose::Auto | Purpose::Embedded => "`odd up` takes the embedded engine, which needs no Docker",
        Purpose::Docker => "nothing can be started on Docker",
        Purpose::Kind => "no local cluster can be made",
    };
    Check::ok("docker", error.to_string()).wrong(purpose.missing(), consequence, remedy::engine(error))
}

fn present(info: &HostInfo) -> Check {
    let rootless = if info.rootless { ", rootless" } else { "" };
    let detail = format!(
        "{} {} at {}, API {}, {} {}{rootless}",
        info.name, info.version, info.host, info.api, info.os, info.arch
    );
    let check = Check::ok("docker", detail);
    if info.speaks(API.0, API.1) {
        return check;
    }
    check.wrong(
        CheckState::Warning,
        format!("it is older than what is tested: API {}.{}", API.0, API.1),
        remedy::install(remedy::Tool::Docker),
    )
}

/// What the engine was given, which on Docker Desktop and Colima is less than the machine has.
fn resources(info: &HostInfo) -> Check {
    let detail = format!("{} processors, {}", info.cpus, mebibytes(info.memory));
    let check = Check::ok("docker resources", detail);
    if info.memory < MEMORY {
        return check.wrong(
            CheckState::Warning,
            format!("the stack needs {}: containers may be ended under load", mebibytes(MEMORY)),
            "give the engine more memory (Docker Desktop: Settings, Resources; Colima: colima start --memory 4), or odd up --engine embedded",
        );
    }
    if info.cpus < CPUS {
        return check.wrong(
            CheckState::Warning,
            "a start takes long on one processor",
            "odd up --timeout 300   (or give the engine more processors)",
        );
    }
    check
}

/// Space for images and volumes, where the engine's disk is one of this machine.
fn data(info: &HostInfo) -> Option<Check> {
    let directory = Path::new(&info.data);
    if !info.local || info.data.is_empty() || !directory.exists() {
        return None;
    }
    let free = free_space(directory)?;
    let check = Check::ok(
        "docker disk",
        format!("{} free at {}", mebibytes(free), info.data),
    );
    if free >= DISK {
        return Some(check);
    }
    Some(check.wrong(
        CheckState::Warning,
        "a full disk stops the servers: submissions are then refused with 503, nothing accepted is lost",
        "docker image prune   (`docker system df` shows what takes the space)",
    ))
}

fn of_images(looked: Result<Availability, DockerError>, options: &DoctorOptions) -> Vec<Check> {
    let missing = options.purpose.missing();
    let images = match looked {
        Ok(images) => images,
        Err(error) => {
            let check = Check::ok("images", error.to_string());
            return vec![check.wrong(missing, "nothing can be started on Docker", error.remedy())];
        }
    };
    let counts = [
        (images.present.len(), "present"),
        (images.build.len(), "to build"),
        (images.pull.len(), "to pull"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut checks = vec![Check::ok("images", counts.join(", "))];
    checks.extend(registry(&images, missing));
    checks
}

fn registry(images: &Availability, missing: CheckState) -> Option<Check> {
    let name = "image registry";
    match images.registry.as_ref()? {
        Ok(()) => Some(Check::ok(name, "answers")),
        Err(why) => Some(Check::ok(name, why.clone()).wrong(
            missing,
            format!("{} cannot be pulled", images.pull.join(", ")),
            "odd up --offline   (images built from Debian packages), or odd up --engine embedded",
        )),
    }
}

/// Ports on this machine, by service.
fn published(project: &Project) -> Vec<(String, u16)> {
    let mut ports: Vec<(String, u16)> = project
        .services
        .values()
        .flat_map(|service| {
            let ports = service.ports.iter().filter_map(|port| port.published);
            ports.map(|port| (service.name.clone(), port))
        })
        .collect();
    ports.sort_by_key(|(_, port)| *port);
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> HostInfo {
        HostInfo {
            host: "unix socket /run/docker.sock".to_owned(),
            address: "unix:///run/docker.sock".to_owned(),
            name: "docker".to_owned(),
            version: "27.1".to_owned(),
            api: "1.46".to_owned(),
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            cpus: 4,
            memory: 8 * 1024 * 1024 * 1024,
            rootless: false,
            data: String::new(),
            local: true,
        }
    }

    fn options(purpose: Purpose) -> DoctorOptions {
        DoctorOptions {
            purpose,
            offline: false,
            program: "odd".into(),
        }
    }

    #[test]
    fn an_absent_engine_matters_where_docker_is_wanted() {
        let error = DockerError::NoEngine { looked: Vec::new() };
        let state = |purpose| absent(&error, purpose).state;
        assert_eq!(state(Purpose::Auto), CheckState::Warning);
        assert_eq!(state(Purpose::Docker), CheckState::Failed);
        assert!(absent(&error, Purpose::Docker).remedy.is_some());
    }

    #[test]
    fn a_small_engine_and_an_old_one_are_warned_of() {
        let small = HostInfo {
            memory: 1024 * 1024 * 1024,
            ..info()
        };
        assert_eq!(resources(&info()).state, CheckState::Ok);
        assert_eq!(resources(&small).state, CheckState::Warning);
        let old = HostInfo {
            api: "1.24".to_owned(),
            ..info()
        };
        assert_eq!(present(&info()).state, CheckState::Ok);
        assert_eq!(present(&old).state, CheckState::Warning);
    }

    #[test]
    fn images_that_cannot_be_pulled_name_the_ways_around() {
        let images = Availability {
            present: vec!["redis:8".to_owned()],
            pull: vec!["mongo:8".to_owned()],
            registry: Some(Err("no such host".to_owned())),
            ..Availability::default()
        };
        let checks = of_images(Ok(images), &options(Purpose::Docker));
        assert_eq!(checks[0].detail, "1 present, 1 to pull");
        assert_eq!(checks[1].state, CheckState::Failed);
        let remedy = checks[1].remedy.as_ref().unwrap();
        assert!(
            remedy.contains("--offline") && remedy.contains("embedded"),
            "{remedy}"
        );
    }
}
