//! From the drafts of single services to a project: who is started, how often, on which ports, with which files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use super::decode::{self, ConfigSource, Draft, Item};
use super::files::Files;
use super::model::{
    ConfigFile, ConfigMount, Mount, Network, NetworkAttachment, Port, Project, Protocol, Service, Volume,
};
use super::yaml::Node;
use super::{ComposeError, LoadOptions, recipe};
use crate::docker::LeftOut;

/// How many containers a service may have.
const MAX_REPLICAS: u32 = 64;
/// What is said of a `build` that is none of ours.
const ONLY_RECIPES: &str = "it has a build, and odd builds only images of its own recipes, called odd-offline/NAME:latest: give it an image that can be pulled";
/// The network of services that name none.
const DEFAULT_NETWORK: &str = "default";

/// What stands at the top level.
struct Top<'a> {
    name: Option<String>,
    services: Vec<(&'a str, Item<'a>)>,
    networks: BTreeMap<String, (Option<String>, Network)>,
    volumes: BTreeMap<String, (Option<String>, Volume)>,
    configs: BTreeMap<String, (ConfigSource, Item<'a>)>,
}

/// Makes the project. `profiles` are those that services have before any overlay: who asks for one is told what an overlay leaves out of it.
pub(super) fn assemble(
    files: &Files,
    tree: &Node,
    profiles: &BTreeMap<String, Vec<String>>,
    variables: &BTreeMap<String, String>,
    options: &LoadOptions,
) -> Result<Project, ComposeError> {
    let top = top(&Item::top(tree))?;
    let mut drafts: BTreeMap<String, Draft<'_>> = BTreeMap::new();
    for (name, item) in &top.services {
        name_of_service(name, item)?;
        drafts.insert((*name).to_owned(), decode::service(name, item, variables)?);
    }
    known_profiles(&drafts, profiles, options)?;
    let absent = absent(&drafts, options);
    let left_out = told(&absent, profiles, options);
    references(&drafts, &top)?;
    scale(&mut drafts, &absent, options)?;
    drop_absent(&mut drafts, &absent)?;
    cycles(&drafts)?;

    let name = project_name(options, &top)?;
    let mut project = Project {
        networks: used_networks(&name, &drafts, &top),
        volumes: used_volumes(&name, &drafts, &top),
        name,
        files: Vec::new(),
        directory: files.directory(),
        services: BTreeMap::new(),
        left_out,
    };
    for (name, draft) in drafts {
        project
            .services
            .insert(name, finished(files, draft, &top, options)?);
    }
    duplicate_ports(&project)?;
    Ok(project)
}

fn top<'a>(item: &Item<'a>) -> Result<Top<'a>, ComposeError> {
    let mut fields = item.fields()?;
    let name = fields.take("name").map(|item| item.string()).transpose()?;
    let services = fields
        .take("services")
        .map(|item| item.entries())
        .transpose()?
        .unwrap_or_default();
    if services.is_empty() {
        return Err(item.invalid("there are no services"));
    }
    let mut top = Top {
        name,
        services,
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        configs: BTreeMap::new(),
    };
    for (name, item) in entries(fields.take("networks"))? {
        top.networks.insert(name.to_owned(), decode::network(&item)?);
    }
    for (name, item) in entries(fields.take("volumes"))? {
        top.volumes.insert(name.to_owned(), decode::volume(&item)?);
    }
    for (name, item) in entries(fields.take("configs"))? {
        top.configs
            .insert(name.to_owned(), (decode::config(&item)?, item));
    }
    fields.finish()?;
    Ok(top)
}

/// The profiles of each service.
pub(super) fn profiles(tree: &Node) -> Result<BTreeMap<String, Vec<String>>, ComposeError> {
    let mut all = BTreeMap::new();
    for (name, item) in entries(Item::top(tree).get("services"))? {
        let profiles = item.get("profiles").map(|item| item.set()).transpose()?;
        all.insert(name.to_owned(), profiles.unwrap_or_default());
    }
    Ok(all)
}

fn entries(item: Option<Item<'_>>) -> Result<Vec<(&str, Item<'_>)>, ComposeError> {
    item.map_or_else(|| Ok(Vec::new()), |item| item.entries())
}

/// Names become host names and parts of container names.
fn name_of_service(name: &str, item: &Item<'_>) -> Result<(), ComposeError> {
    let fits = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    match fits {
        true => Ok(()),
        false => Err(item.invalid(format!(
            "{name:?} is no name of a service: it is of letters, digits, '-', '_' and '.', 63 at most"
        ))),
    }
}

fn project_name(options: &LoadOptions, top: &Top<'_>) -> Result<String, ComposeError> {
    let name = match &top.name {
        _ if !options.project.is_empty() => options.project.clone(),
        Some(name) => name.clone(),
        None => "odd".to_owned(),
    };
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    match fits {
        true => Ok(name),
        false => Err(ComposeError::InvalidProjectName { name }),
    }
}

fn known_profiles(
    drafts: &BTreeMap<String, Draft<'_>>,
    profiles: &BTreeMap<String, Vec<String>>,
    options: &LoadOptions,
) -> Result<(), ComposeError> {
    let own = drafts.values().flat_map(|draft| &draft.service.profiles);
    let known: BTreeSet<&String> = own.chain(profiles.values().flatten()).collect();
    match options.profiles.iter().find(|profile| !known.contains(profile)) {
        None => Ok(()),
        Some(profile) => Err(ComposeError::UnknownProfile {
            profile: profile.clone(),
            profiles: known.into_iter().cloned().collect(),
        }),
    }
}

/// Why a service is not started.
#[derive(Clone, Debug)]
enum Absence {
    /// An overlay says so, and why.
    LeftOut(String),
    /// None of its profiles is on.
    ProfileOff(Vec<String>),
}

impl Absence {
    fn reason(&self) -> String {
        match self {
            Self::LeftOut(reason) => reason.clone(),
            Self::ProfileOff(profiles) => format!("its profile {} is off", profiles.join(", ")),
        }
    }
}

fn is_on(profiles: &[String], options: &LoadOptions) -> bool {
    profiles.is_empty() || profiles.iter().any(|profile| options.profiles.contains(profile))
}

fn absent(drafts: &BTreeMap<String, Draft<'_>>, options: &LoadOptions) -> BTreeMap<String, Absence> {
    let absence = |draft: &Draft<'_>| match &draft.left_out {
        Some(reason) => Some(Absence::LeftOut(reason.clone())),
        None if is_on(&draft.service.profiles, options) => None,
        None => Some(Absence::ProfileOff(draft.service.profiles.clone())),
    };
    drafts
        .iter()
        .filter_map(|(name, draft)| Some((name.clone(), absence(draft)?)))
        .collect()
}

/// What is left out of that which was asked for.
fn told(
    absent: &BTreeMap<String, Absence>,
    profiles: &BTreeMap<String, Vec<String>>,
    options: &LoadOptions,
) -> Vec<LeftOut> {
    let asked_for = |name: &String| profiles.get(name).is_none_or(|profiles| is_on(profiles, options));
    absent
        .iter()
        .filter(|(name, absence)| matches!(absence, Absence::LeftOut(_)) && asked_for(name))
        .map(|(service, absence)| LeftOut {
            service: service.clone(),
            reason: absence.reason(),
        })
        .collect()
}

/// Every name that a service uses has to be there, whether the service is started or not.
fn references(drafts: &BTreeMap<String, Draft<'_>>, top: &Top<'_>) -> Result<(), ComposeError> {
    for draft in drafts.values() {
        for (name, item) in &draft.depends_on {
            if !drafts.contains_key(name) {
                return Err(item.unknown("service", name));
            }
        }
        for (name, item) in &draft.volumes {
            if !top.volumes.contains_key(name) {
                return Err(item.unknown("volume", name));
            }
        }
        for (name, item) in &draft.networks {
            if name != DEFAULT_NETWORK && !top.networks.contains_key(name) {
                return Err(item.unknown("network", name));
            }
        }
        for config in &draft.configs {
            if !top.configs.contains_key(&config.source) {
                return Err(config.item.unknown("config", &config.source));
            }
        }
    }
    Ok(())
}

fn scale(
    drafts: &mut BTreeMap<String, Draft<'_>>,
    absent: &BTreeMap<String, Absence>,
    options: &LoadOptions,
) -> Result<(), ComposeError> {
    for (name, replicas) in &options.scale {
        if let Some(absence) = absent.get(name) {
            return Err(ComposeError::NotScalable {
                service: name.clone(),
                replicas: *replicas,
                reason: format!("it is left out: {}", absence.reason()),
            });
        }
        match drafts.get_mut(name) {
            Some(draft) => draft.service.replicas = *replicas,
            None => {
                return Err(ComposeError::UnknownScale {
                    service: name.clone(),
                    services: drafts
                        .keys()
                        .filter(|name| !absent.contains_key(*name))
                        .cloned()
                        .collect(),
                });
            }
        }
    }
    drafts
        .iter()
        .filter(|(name, _)| !absent.contains_key(*name))
        .try_for_each(|(_, draft)| scalable(&draft.service))
}

fn scalable(service: &Service) -> Result<(), ComposeError> {
    let port = service.ports.iter().find_map(|port| port.published);
    let volume = service.mounts.iter().find_map(|mount| match mount {
        Mount::Volume { source, .. } => source.as_deref(),
        Mount::Tmpfs { .. } => None,
    });
    let reason = match (service.replicas, port, volume) {
        (0 | 1, _, _) => return Ok(()),
        (_, Some(port), _) => format!("all of them would publish port {port}"),
        (_, _, Some(volume)) => format!("all of them would write the volume {volume}"),
        (replicas, ..) if replicas > MAX_REPLICAS => format!("there may be {MAX_REPLICAS} at most"),
        _ => return Ok(()),
    };
    Err(ComposeError::NotScalable {
        service: service.name.clone(),
        replicas: service.replicas,
        reason,
    })
}

/// Removes services that are not started, and what others wait for of them.
fn drop_absent(
    drafts: &mut BTreeMap<String, Draft<'_>>,
    absent: &BTreeMap<String, Absence>,
) -> Result<(), ComposeError> {
    drafts.retain(|name, _| !absent.contains_key(name));
    for draft in drafts.values_mut() {
        for (name, absence) in absent {
            let Some(dependency) = draft.service.depends_on.remove(name) else {
                continue;
            };
            if dependency.required && matches!(absence, Absence::ProfileOff(_)) {
                return Err(ComposeError::DependencyLeftOut {
                    service: draft.service.name.clone(),
                    dependency: name.clone(),
                    reason: absence.reason(),
                });
            }
        }
    }
    match drafts.is_empty() {
        true => Err(ComposeError::NothingToStart),
        false => Ok(()),
    }
}

fn cycles(drafts: &BTreeMap<String, Draft<'_>>) -> Result<(), ComposeError> {
    // Whoever waits for nobody is taken away, until nobody is left or those that are left wait in a circle, or for one.
    let mut left: BTreeMap<&str, BTreeSet<&str>> = drafts
        .iter()
        .map(|(name, draft)| {
            (
                name.as_str(),
                draft.service.depends_on.keys().map(String::as_str).collect(),
            )
        })
        .collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, waits)| waits.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        for name in &free {
            left.remove(name);
        }
        for waits in left.values_mut() {
            waits.retain(|name| !free.contains(name));
        }
    }
    let Some(mut at) = left.keys().next().copied() else {
        return Ok(());
    };
    let mut walked: Vec<&str> = Vec::new();
    loop {
        if let Some(begin) = walked.iter().position(|name| *name == at) {
            let mut services: Vec<String> = walked[begin..].iter().map(|name| (*name).to_owned()).collect();
            services.push(at.to_owned());
            return Err(ComposeError::Cycle { services });
        }
        walked.push(at);
        match left.get(at).and_then(|waits| waits.first()) {
            Some(next) => at = next,
            None => return Ok(()),
        }
    }
}

fn used_networks(
    project: &str,
    drafts: &BTreeMap<String, Draft<'_>>,
    top: &Top<'_>,
) -> BTreeMap<String, Network> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for draft in drafts.values() {
        match draft.service.networks.is_empty() {
            true => names.insert(DEFAULT_NETWORK),
            false => {
                names.extend(draft.service.networks.keys().map(String::as_str));
                true
            }
        };
    }
    let network = |name: &str| {
        let (own, network) = top.networks.get(name).cloned().unwrap_or_default();
        Network {
            name: engine_name(project, name, own, network.external),
            ..network
        }
    };
    names
        .into_iter()
        .map(|name| (name.to_owned(), network(name)))
        .collect()
}

fn used_volumes(
    project: &str,
    drafts: &BTreeMap<String, Draft<'_>>,
    top: &Top<'_>,
) -> BTreeMap<String, Volume> {
    let names: BTreeSet<&String> = drafts
        .values()
        .flat_map(|draft| draft.volumes.iter().map(|(name, _)| name))
        .collect();
    let volume = |name: &str| {
        let (own, volume) = top.volumes.get(name).cloned().unwrap_or_default();
        Volume {
            name: engine_name(project, name, own, volume.external),
            ..volume
        }
    };
    names
        .into_iter()
        .map(|name| (name.clone(), volume(name)))
        .collect()
}

fn engine_name(project: &str, name: &str, own: Option<String>, external: bool) -> String {
    own.unwrap_or_else(|| match external {
        true => name.to_owned(),
        false => format!("{project}_{name}"),
    })
}

fn finished(
    files: &Files,
    draft: Draft<'_>,
    top: &Top<'_>,
    options: &LoadOptions,
) -> Result<Service, ComposeError> {
    let mut service = draft.service;
    for reference in draft.configs {
        let Some((source, item)) = top.configs.get(&reference.source) else {
            continue;
        };
        service.configs.push(ConfigMount {
            content: content(files, source, item)?,
            source: reference.source,
            target: reference.target,
            uid: reference.uid,
            gid: reference.gid,
            mode: reference.mode,
        });
    }
    for port in &mut service.ports {
        port.published = port
            .published
            .map(|published| shifted(&service.name, published, options.port_offset))
            .transpose()?;
    }
    if service.networks.is_empty() {
        service
            .networks
            .insert(DEFAULT_NETWORK.to_owned(), NetworkAttachment::default());
    }
    match recipe::name_of(&service.image) {
        Some(name) => service.image = recipe::reference(files, name)?,
        None if service.build.is_some() => return Err(draft.item.invalid(ONLY_RECIPES)),
        None => {}
    }
    if service.image.is_empty() {
        return Err(draft.item.invalid("its image is an empty text"));
    }
    Ok(service)
}

fn content(files: &Files, source: &ConfigSource, item: &Item<'_>) -> Result<ConfigFile, ComposeError> {
    let bytes = match source {
        ConfigSource::Content(text) => text.as_bytes().into(),
        ConfigSource::File(path) => files
            .read(path)
            .map_err(|error| match error {
                // A compose file may name a directory by mistake, or one that only `docker compose` can reach.
                ComposeError::Unreadable { file, source } if source.kind() == io::ErrorKind::NotFound => {
                    item.invalid(format!("{file} is not there"))
                }
                other => other,
            })?
            .into(),
    };
    Ok(ConfigFile(bytes))
}

fn shifted(service: &str, port: u16, offset: u16) -> Result<u16, ComposeError> {
    port.checked_add(offset)
        .ok_or_else(|| ComposeError::PortOutOfRange {
            service: service.to_owned(),
            port,
            offset,
        })
}

fn duplicate_ports(project: &Project) -> Result<(), ComposeError> {
    let mut seen: Vec<(&str, u16, Protocol, Option<IpAddr>)> = Vec::new();
    for service in project.services.values().filter(|service| service.replicas > 0) {
        for Port {
            host_ip,
            published,
            protocol,
            ..
        } in &service.ports
        {
            let Some(port) = *published else { continue };
            let clash = seen.iter().find(|(_, other, other_protocol, ip)| {
                *other == port && other_protocol == protocol && overlap(*ip, *host_ip)
            });
            if let Some((first, ..)) = clash {
                return Err(ComposeError::DuplicatePort {
                    first: (*first).to_owned(),
                    second: service.name.clone(),
                    port,
                });
            }
            seen.push((&service.name, port, *protocol, *host_ip));
        }
    }
    Ok(())
}

/// Whether two addresses cannot both listen on the same port.
fn overlap(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other || one.is_unspecified() || other.is_unspecified(),
        _ => true,
    }
}
