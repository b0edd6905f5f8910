//! A project as the engine starts it: what the compose files say after merging, interpolation and checks.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::docker::LeftOut;

/// A whole project. Every service in it is to be started; what it does without stands in `left_out`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Project {
    /// Its name: that of the instance, with the prefix `odd-`.
    pub name: String,
    /// The compose files that it was read from, in the order of merging: their paths, or `builtin:` and their names.
    pub files: Vec<String>,
    /// Directory of the compose files; empty where they are in the binary.
    pub directory: String,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Networks by their name in the files; `default` among them where a service is attached to it.
    pub networks: BTreeMap<String, Network>,
    /// Volumes by their name in the files: those that a service uses.
    pub volumes: BTreeMap<String, Volume>,
    /// Services that the stack does without, because of an overlay. Those of a profile that is off are not told.
    pub left_out: Vec<LeftOut>,
}

impl Project {
    /// Services, each after all that it depends on; alphabetical where the order is free.
    pub fn in_start_order(&self) -> Vec<&Service> {
        let mut ordered: Vec<&Service> = Vec::with_capacity(self.services.len());
        let mut placed: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
        while ordered.len() < self.services.len() {
            let before = ordered.len();
            for service in self.services.values() {
                let free = !placed.contains(service.name.as_str())
                    && service
                        .depends_on
                        .keys()
                        .all(|name| placed.contains(name.as_str()) || !self.services.contains_key(name));
                if free {
                    placed.insert(&service.name);
                    ordered.push(service);
                }
            }
            if ordered.len() == before {
                break; // A circle: `load` refuses it.
            }
        }
        ordered
    }
}

/// One service. `None` and empty mean: as the image or the Docker engine has it.
#[derive(Clone, PartialEq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Number of its containers; zero where `--scale` or the file says so.
    pub replicas: u32,
    /// Reference of its image.
    pub image: String,
    /// How the image is built where it is not pulled.
    pub build: Option<Build>,
    /// Operating system and architecture of the image, such as `linux/amd64`.
    pub platform: Option<String>,
    /// Arguments, in place of the image's.
    pub command: Option<Vec<String>>,
    /// Program, in place of the image's.
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables.
    pub environment: Environment,
    /// Ports published on this machine, the offset of the instance added.
    pub ports: Vec<Port>,
    /// Ports that are not published but told to the engine.
    pub expose: Vec<(u16, Protocol)>,
    /// Volumes and memory file systems.
    pub mounts: Vec<Mount>,
    /// Configuration files.
    pub configs: Vec<ConfigMount>,
    /// What it waits for, by service. Services that are left out are not in it.
    pub depends_on: BTreeMap<String, Dependency>,
    /// How its health is found out, where the file says so.
    pub healthcheck: Option<Healthcheck>,
    /// Limits.
    pub resources: Resources,
    /// User and group, such as `65532:65532`.
    pub user: Option<String>,
    /// Directory that its program starts in.
    pub working_dir: Option<String>,
    /// Whether its root file system cannot be written.
    pub read_only: bool,
    /// Capabilities given beside the engine's defaults.
    pub cap_add: Vec<String>,
    /// Capabilities taken; `ALL` takes every one.
    pub cap_drop: Vec<String>,
    /// Security options, such as `no-new-privileges:true`.
    pub security_opt: Vec<String>,
    /// Groups beside that of its user.
    pub group_add: Vec<String>,
    /// Whether a small init process reaps its children.
    pub init: Option<bool>,
    /// When the engine starts it again.
    pub restart: RestartPolicy,
    /// Signal that asks it to stop, such as `SIGINT`.
    pub stop_signal: Option<String>,
    /// Time that it has to end, before it is killed.
    pub stop_grace_period: Option<Duration>,
    /// Limits of its processes by name, such as `nofile`.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Kernel settings of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Further entries of its host table, as `name:address`.
    pub extra_hosts: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Profiles that it belongs to; empty: always.
    pub profiles: Vec<String>,
    /// Networks that it is attached to, by their name in the files. Its own name is always an alias.
    pub networks: BTreeMap<String, NetworkAttachment>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// Where its output goes.
    pub logging: Option<Logging>,
}

impl fmt::Debug for Service {
    /// Without arguments, environment and files: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("replicas", &self.replicas)
            .field("image", &self.image)
            .field("ports", &self.ports)
            .field("mounts", &self.mounts)
            .field("depends_on", &self.depends_on)
            .finish_non_exhaustive()
    }
}

/// Environment variables. Their values may be secrets: `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl Deref for Environment {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Environment {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How an image is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Folder that it is built from, relative to the directory of the compose files.
    pub context: String,
    /// Its Dockerfile, relative to the context; `Dockerfile` where not said.
    pub dockerfile: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Stage to build.
    pub target: Option<String>,
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As Docker writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A port of a container on this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Port {
    /// Address that it listens on; every one where absent.
    pub host_ip: Option<IpAddr>,
    /// Port on this machine, the offset added; one that is free where absent.
    pub published: Option<u16>,
    /// Port in the container.
    pub target: u16,
    /// Protocol.
    pub protocol: Protocol,
}

/// Something mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Mount {
    /// A volume.
    Volume {
        /// Its name in [`Project::volumes`]; without one it is anonymous and goes with the container.
        source: Option<String>,
        /// Directory in the container.
        target: String,
        /// Whether it cannot be written.
        read_only: bool,
        /// Whether what the image has there is not copied into an empty volume.
        no_copy: bool,
    },
    /// A file system in memory.
    Tmpfs {
        /// Directory in the container.
        target: String,
        /// Options of the mount, such as `size=64m,mode=1777`; may be empty.
        options: String,
    },
}

impl Mount {
    /// Directory in the container.
    pub fn target(&self) -> &str {
        match self {
            Self::Volume { target, .. } | Self::Tmpfs { target, .. } => target,
        }
    }
}

/// The bytes of a configuration file. `Debug` shows their number, since they may hold secrets; serialised it is their SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigFile(pub Arc<[u8]>);

impl ConfigFile {
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(&self.0))
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigFile({} bytes)", self.0.len())
    }
}

impl Serialize for ConfigFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digest())
    }
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// A configuration file in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigMount {
    /// Its name in the files.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Numeric owner; 0 where not said.
    pub uid: u32,
    /// Numeric group; 0 where not said.
    pub gid: u32,
    /// Permissions; 0o444 where not said.
    pub mode: u32,
    /// What is in it.
    pub content: ConfigFile,
}

/// What has to hold of a service before one that depends on it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs.
    ServiceStarted,
    /// Its health check passes.
    ServiceHealthy,
    /// It ended with exit code 0.
    ServiceCompletedSuccessfully,
}

impl Condition {
    /// As the compose files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceStarted => "service_started",
            Self::ServiceHealthy => "service_healthy",
            Self::ServiceCompletedSuccessfully => "service_completed_successfully",
        }
    }
}

/// That a service waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// For what.
    pub condition: Condition,
    /// Whether it is started again when the other is made anew.
    pub restart: bool,
    /// Whether it cannot do without.
    pub required: bool,
}

/// How the health of a container is found out. What is absent is as the image or the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// In Docker's form: `["NONE"]` for none, or `CMD` and arguments, or `CMD-SHELL` and a command line.
    pub test: Option<Vec<String>>,
    /// Time between two checks.
    pub interval: Option<Duration>,
    /// Time that one may take.
    pub timeout: Option<Duration>,
    /// How many have to fail in a row.
    pub retries: Option<u32>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<Duration>,
    /// Time between two checks until the first one passes; API 1.44 and newer.
    pub start_interval: Option<Duration>,
}

impl Healthcheck {
    /// Whether there is to be none.
    pub fn is_disabled(&self) -> bool {
        self.test
            .as_deref()
            .is_some_and(|test| test.first().is_some_and(|first| first == "NONE"))
    }
}

/// Limits of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory that are kept for it.
    pub memory_reservation: Option<u64>,
    /// Processor time in billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// Number of processes; -1 for any.
    pub pids: Option<i64>,
}

/// When the engine starts a container again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// Always.
    Always,
    /// When it fails, at most so many times where a number is given.
    OnFailure(Option<u32>),
    /// Unless it was stopped by somebody.
    UnlessStopped,
}

/// A limit of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ulimit {
    /// The limit that holds; -1 for none.
    pub soft: i64,
    /// What a process may raise it to.
    pub hard: i64,
}

/// That a service is attached to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NetworkAttachment {
    /// Further names in it.
    pub aliases: Vec<String>,
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its name in the engine, such as `odd-observatory_default`.
    pub name: String,
    /// Whether it is there already and not made or removed here.
    pub external: bool,
    /// Its driver.
    pub driver: Option<String>,
    /// Whether it has no way out.
    pub internal: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Its name in the engine, such as `odd-observatory_postgres-data`.
    pub name: String,
    /// Whether it is there already and not made or removed here.
    pub external: bool,
    /// Its driver.
    pub driver: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Where the output of a container goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logging {
    /// The driver; the engine's own where absent.
    pub driver: Option<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
}
