//! A service of the merged tree, before it is known what else is started.

use std::collections::BTreeMap;

use super::mounts::{self, Placed};
use super::{Fields, Item, ports, scalar, words};
use crate::compose::ComposeError;
use crate::compose::model::{
    Build, Condition, Dependency, Environment, Healthcheck, Logging, Mount, NetworkAttachment, Resources,
    RestartPolicy, Service, Ulimit,
};

/// A service whose references to others are not followed yet.
pub(crate) struct Draft<'a> {
    /// Everything that stands in itself.
    pub(crate) service: Service,
    /// Where it stands.
    pub(crate) item: Item<'a>,
    /// Why the stack does without it (`x-odd-left-out`).
    pub(crate) left_out: Option<String>,
    /// Where it waits for which service.
    pub(crate) depends_on: Vec<(String, Item<'a>)>,
    /// Configuration files without their content.
    pub(crate) configs: Vec<ConfigReference<'a>>,
    /// Where it mounts which volume.
    pub(crate) volumes: Vec<(String, Item<'a>)>,
    /// Where it is attached to which network; none: to the default one.
    pub(crate) networks: Vec<(String, Item<'a>)>,
}

/// A configuration file that a service mounts.
pub(crate) struct ConfigReference<'a> {
    pub(crate) item: Item<'a>,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
}

/// Reads a service.
pub(crate) fn service<'a>(
    name: &str,
    item: &Item<'a>,
    variables: &BTreeMap<String, String>,
) -> Result<Draft<'a>, ComposeError> {
    let mut fields = item.fields()?;
    let left_out = fields.read("x-odd-left-out", Item::string)?;
    let (depends_on, depends_at) = placed(depends_on(&mut fields)?);
    let (networks, networks_at) = placed(networks(&mut fields)?);
    let mounts = mounts(&mut fields)?;
    let configs = fields.read_or_default("configs", configs)?;
    let (replicas, resources) = sizes(item, &mut fields)?;
    let service = Service {
        name: name.to_owned(),
        replicas,
        image: fields
            .read("image", Item::string)?
            .ok_or_else(|| item.invalid("a service needs an image"))?,
        build: fields.read("build", |item| build(item, variables))?,
        platform: fields.read("platform", Item::string)?,
        command: fields.read("command", command)?,
        entrypoint: fields.read("entrypoint", command)?,
        environment: Environment(fields.read_or_default("environment", |item| item.variables(variables))?),
        ports: fields.read_or_default("ports", ports::ports)?,
        expose: fields.read_or_default("expose", ports::expose)?,
        mounts: mounts.iter().map(|placed| placed.mount.clone()).collect(),
        configs: Vec::new(),
        depends_on,
        healthcheck: fields.read("healthcheck", healthcheck)?,
        resources,
        user: fields.read("user", Item::string)?,
        working_dir: fields.read("working_dir", Item::string)?,
        read_only: fields.read_or_default("read_only", Item::boolean)?,
        cap_add: fields.read_or_default("cap_add", Item::set)?,
        cap_drop: fields.read_or_default("cap_drop", Item::set)?,
        security_opt: fields.read_or_default("security_opt", Item::set)?,
        group_add: fields.read_or_default("group_add", Item::set)?,
        init: fields.read("init", Item::boolean)?,
        restart: fields.read_or_default("restart", |item| item.parsed(restart))?,
        stop_signal: fields.read("stop_signal", Item::string)?,
        stop_grace_period: fields.read("stop_grace_period", Item::duration)?,
        ulimits: fields.read_or_default("ulimits", ulimits)?,
        sysctls: fields.read_or_default("sysctls", Item::texts)?,
        hostname: fields.read("hostname", Item::string)?,
        extra_hosts: fields.read_or_default("extra_hosts", extra_hosts)?,
        labels: fields.read_or_default("labels", Item::texts)?,
        profiles: fields.read_or_default("profiles", Item::set)?,
        networks,
        shm_size: fields.read("shm_size", Item::bytes)?,
        logging: fields.read("logging", logging)?,
    };
    fields.finish()?;
    Ok(Draft {
        service,
        item: item.clone(),
        left_out,
        depends_on: depends_at,
        configs,
        volumes: mounts.into_iter().filter_map(volume_name).collect(),
        networks: networks_at,
    })
}

/// Splits named things into the things and their places.
fn placed<'a, T>(all: Vec<(String, Item<'a>, T)>) -> (BTreeMap<String, T>, Vec<(String, Item<'a>)>) {
    let mut things = BTreeMap::new();
    let mut places = Vec::new();
    for (name, item, thing) in all {
        things.insert(name.clone(), thing);
        places.push((name, item));
    }
    (things, places)
}

fn volume_name(placed: Placed<'_>) -> Option<(String, Item<'_>)> {
    match placed.mount {
        Mount::Volume {
            source: Some(name), ..
        } => Some((name, placed.item)),
        _ => None,
    }
}

fn mounts<'a>(fields: &mut Fields<'a>) -> Result<Vec<Placed<'a>>, ComposeError> {
    let mut all = Vec::new();
    if let Some(item) = fields.take("volumes") {
        mounts::volumes(&item, &mut all)?;
    }
    if let Some(item) = fields.take("tmpfs") {
        mounts::tmpfs(&item, &mut all)?;
    }
    Ok(all)
}

fn depends_on<'a>(fields: &mut Fields<'a>) -> Result<Vec<(String, Item<'a>, Dependency)>, ComposeError> {
    let Some(item) = fields.take("depends_on") else {
        return Ok(Vec::new());
    };
    item.entries()?
        .into_iter()
        .map(|(name, item)| Ok((name.to_owned(), item.clone(), dependency(&item)?)))
        .collect()
}

fn dependency(item: &Item<'_>) -> Result<Dependency, ComposeError> {
    let mut dependency = Dependency {
        condition: Condition::ServiceStarted,
        restart: false,
        required: true,
    };
    if item.is_null() {
        return Ok(dependency);
    }
    let mut fields = item.fields()?;
    if let Some(condition) = fields.read("condition", |item| item.parsed(condition))? {
        dependency.condition = condition;
    }
    dependency.restart = fields.read_or_default("restart", Item::boolean)?;
    dependency.required = fields.read("required", Item::boolean)?.unwrap_or(true);
    fields.finish()?;
    Ok(dependency)
}

fn condition(text: &str) -> Result<Condition, String> {
    [Condition::ServiceStarted, Condition::ServiceHealthy, Condition::ServiceCompletedSuccessfully]
        .into_iter()
        .find(|condition| condition.as_str() == text)
        .ok_or_else(|| format!("{text:?} is no condition; there are service_started, service_healthy and service_completed_successfully"))
}

fn networks<'a>(fields: &mut Fields<'a>) -> Result<Vec<(String, Item<'a>, NetworkAttachment)>, ComposeError> {
    let Some(item) = fields.take("networks") else {
        return Ok(Vec::new());
    };
    item.entries()?
        .into_iter()
        .map(|(name, item)| Ok((name.to_owned(), item.clone(), attachment(&item)?)))
        .collect()
}

fn attachment(item: &Item<'_>) -> Result<NetworkAttachment, ComposeError> {
    if item.is_null() {
        return Ok(NetworkAttachment::default());
    }
    let mut fields = item.fields()?;
    let aliases = fields.read_or_default("aliases", Item::set)?;
    fields.finish()?;
    Ok(NetworkAttachment { aliases })
}

/// What stands below `deploy`.
#[derive(Default)]
struct Deploy {
    replicas: Option<u32>,
    resources: Resources,
}

fn deploy(item: &Item<'_>) -> Result<Deploy, ComposeError> {
    let mut fields = item.fields()?;
    let deploy = Deploy {
        replicas: fields.read("replicas", Item::number)?,
        resources: fields.read_or_default("resources", deploy_resources)?,
    };
    fields.finish()?;
    Ok(deploy)
}

fn deploy_resources(item: &Item<'_>) -> Result<Resources, ComposeError> {
    let mut fields = item.fields()?;
    let mut resources = fields.read_or_default("limits", |item| {
        let mut fields = item.fields()?;
        let limits = Resources {
            memory: fields.read("memory", Item::bytes)?,
            memory_reservation: None,
            nano_cpus: fields.read("cpus", |item| item.parsed(scalar::nano_cpus))?,
            pids: fields.read("pids", Item::number)?,
        };
        fields.finish()?;
        Ok(limits)
    })?;
    resources.memory_reservation = fields.read_or_default("reservations", |item| {
        let mut fields = item.fields()?;
        let memory = fields.read("memory", Item::bytes)?;
        fields.finish()?;
        Ok(memory)
    })?;
    fields.finish()?;
    Ok(resources)
}

/// Number of containers and their limits, which may stand at the service or below `deploy`. Where both do they have to agree, as
/// `docker compose` demands.
fn sizes(item: &Item<'_>, fields: &mut Fields<'_>) -> Result<(u32, Resources), ComposeError> {
    let deploy = fields.read_or_default("deploy", deploy)?;
    let scale = fields.read("scale", Item::number)?;
    let own = Resources {
        memory: fields.read("mem_limit", Item::bytes)?,
        memory_reservation: fields.read("mem_reservation", Item::bytes)?,
        nano_cpus: fields.read("cpus", |item| item.parsed(scalar::nano_cpus))?,
        pids: fields.read("pids_limit", Item::number)?,
    };
    let below = deploy.resources;
    let resources = Resources {
        memory: agreed(item, "mem_limit", own.memory, below.memory)?,
        memory_reservation: agreed(
            item,
            "mem_reservation",
            own.memory_reservation,
            below.memory_reservation,
        )?,
        nano_cpus: agreed(item, "cpus", own.nano_cpus, below.nano_cpus)?,
        pids: agreed(item, "pids_limit", own.pids, below.pids)?,
    };
    Ok((
        agreed(item, "scale", scale, deploy.replicas)?.unwrap_or(1),
        resources,
    ))
}

fn agreed<T: PartialEq>(
    item: &Item<'_>,
    key: &str,
    own: Option<T>,
    below: Option<T>,
) -> Result<Option<T>, ComposeError> {
    match (own, below) {
        (Some(own), Some(below)) if own != below => {
            Err(item.invalid(format!("{key} and what deploy says of the same differ")))
        }
        (own, below) => Ok(own.or(below)),
    }
}

fn build(item: &Item<'_>, variables: &BTreeMap<String, String>) -> Result<Build, ComposeError> {
    let mut fields = item.fields()?;
    let build = Build {
        context: fields
            .read("context", Item::string)?
            .unwrap_or_else(|| ".".to_owned()),
        dockerfile: fields.read("dockerfile", Item::string)?,
        args: fields.read_or_default("args", |item| item.variables(variables))?,
        target: fields.read("target", Item::string)?,
    };
    fields.finish()?;
    Ok(build)
}

fn command(item: &Item<'_>) -> Result<Vec<String>, ComposeError> {
    match item.is_scalar() {
        true => item.parsed(words::split),
        false => item.strings(),
    }
}

fn healthcheck(item: &Item<'_>) -> Result<Healthcheck, ComposeError> {
    let mut fields = item.fields()?;
    let disable = fields.read_or_default("disable", Item::boolean)?;
    let test = fields.read("test", health_test)?;
    let check = Healthcheck {
        test: if disable {
            Some(vec!["NONE".to_owned()])
        } else {
            test
        },
        interval: fields.read("interval", Item::duration)?,
        timeout: fields.read("timeout", Item::duration)?,
        retries: fields.read("retries", Item::number)?,
        start_period: fields.read("start_period", Item::duration)?,
        start_interval: fields.read("start_interval", Item::duration)?,
    };
    fields.finish()?;
    Ok(check)
}

fn health_test(item: &Item<'_>) -> Result<Vec<String>, ComposeError> {
    if item.is_scalar() {
        return Ok(vec!["CMD-SHELL".to_owned(), item.string()?]);
    }
    let test = item.strings()?;
    match (test.first().map(String::as_str), test.len()) {
        (Some("NONE"), 1) | (Some("CMD"), 2..) | (Some("CMD-SHELL"), 2) => Ok(test),
        _ => Err(item
            .invalid("a test is a text, or a list of NONE, of CMD and words, or of CMD-SHELL and one text")),
    }
}

fn configs<'a>(item: &Item<'a>) -> Result<Vec<ConfigReference<'a>>, ComposeError> {
    let mut all: Vec<ConfigReference<'a>> = Vec::new();
    for item in item.items()? {
        let reference = config_reference(item)?;
        match all.iter_mut().find(|other| other.target == reference.target) {
            Some(other) => *other = reference,
            None => all.push(reference),
        }
    }
    Ok(all)
}

fn config_reference(item: Item<'_>) -> Result<ConfigReference<'_>, ComposeError> {
    if item.is_scalar() {
        let source = item.string()?;
        return Ok(ConfigReference {
            target: format!("/{source}"),
            source,
            uid: 0,
            gid: 0,
            mode: 0o444,
            item,
        });
    }
    let mut fields = item.fields()?;
    let source = fields
        .read("source", Item::string)?
        .ok_or_else(|| item.invalid("a configuration file needs a source"))?;
    let target = fields
        .read("target", Item::string)?
        .unwrap_or_else(|| format!("/{source}"));
    let uid = fields.read_or_default("uid", Item::number)?;
    let gid = fields.read_or_default("gid", Item::number)?;
    let mode = fields
        .read("mode", |item| item.parsed(scalar::mode))?
        .unwrap_or(0o444);
    fields.finish()?;
    let plain = target.starts_with('/')
        && target
            .split('/')
            .skip(1)
            .all(|part| !matches!(part, "" | "." | ".."));
    if !plain {
        return Err(item.invalid(format!(
            "{target:?} is no absolute path of a file in the container"
        )));
    }
    Ok(ConfigReference {
        item,
        source,
        target,
        uid,
        gid,
        mode,
    })
}

fn restart(text: &str) -> Result<RestartPolicy, String> {
    match text.split_once(':') {
        None => match text {
            "no" => Ok(RestartPolicy::No),
            "always" => Ok(RestartPolicy::Always),
            "on-failure" => Ok(RestartPolicy::OnFailure(None)),
            "unless-stopped" => Ok(RestartPolicy::UnlessStopped),
            _ => Err(format!(
                "{text:?} is no restart policy; there are no, always, on-failure[:times] and unless-stopped"
            )),
        },
        Some(("on-failure", times)) => times
            .parse()
            .map(|times| RestartPolicy::OnFailure(Some(times)))
            .map_err(|_| format!("{times:?} is no number of times")),
        Some(_) => Err(format!("{text:?} is no restart policy")),
    }
}

fn ulimits(item: &Item<'_>) -> Result<BTreeMap<String, Ulimit>, ComposeError> {
    let mut all = BTreeMap::new();
    for (name, item) in item.entries()? {
        all.insert(name.to_owned(), ulimit(&item)?);
    }
    Ok(all)
}

fn ulimit(item: &Item<'_>) -> Result<Ulimit, ComposeError> {
    if !item.is_mapping() {
        let both = item.number()?;
        return Ok(Ulimit {
            soft: both,
            hard: both,
        });
    }
    let mut fields = item.fields()?;
    let soft = fields
        .read("soft", Item::number)?
        .ok_or_else(|| item.invalid("a limit needs soft and hard"))?;
    let hard = fields
        .read("hard", Item::number)?
        .ok_or_else(|| item.invalid("a limit needs soft and hard"))?;
    fields.finish()?;
    Ok(Ulimit { soft, hard })
}

/// `name:address` or `name=address`; in the form that Docker takes.
fn extra_hosts(item: &Item<'_>) -> Result<Vec<String>, ComposeError> {
    let host = |item: &Item<'_>| {
        let text = item.string()?;
        let (name, address) = text
            .split_once('=')
            .or_else(|| text.split_once(':'))
            .filter(|(name, address)| !name.is_empty() && !address.is_empty())
            .ok_or_else(|| item.invalid(format!("{text:?} is no name:address")))?;
        Ok(format!(
            "{name}:{}",
            address.trim_start_matches('[').trim_end_matches(']')
        ))
    };
    item.items()?.iter().map(host).collect()
}

fn logging(item: &Item<'_>) -> Result<Logging, ComposeError> {
    let mut fields = item.fields()?;
    let logging = Logging {
        driver: fields.read("driver", Item::string)?,
        options: fields.read_or_default("options", Item::texts)?,
    };
    fields.finish()?;
    Ok(logging)
}
