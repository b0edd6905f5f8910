//! Addresses at which a Docker engine may listen.

use std::path::{Path, PathBuf};

use super::context::{self, Context};
use crate::docker::error::DockerError;

/// What of the environment of a process decides which Docker engine it speaks to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_CONFIG`: the directory of the `docker` command's own settings.
    pub config: Option<PathBuf>,
    /// `DOCKER_CERT_PATH`: the directory with `ca.pem`, `cert.pem` and `key.pem`.
    pub certificates: Option<PathBuf>,
    /// Whether `DOCKER_TLS_VERIFY` or `DOCKER_TLS` is set.
    pub tls: bool,
    /// Home of the user.
    pub home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// Sockets that belong to the whole machine.
    pub machine: Vec<String>,
}

/// An address, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// As `DOCKER_HOST` names it.
    pub(super) url: String,
    /// The context that names it.
    pub(super) context: Option<String>,
    /// Directory with `ca.pem`, `cert.pem` and `key.pem`, where the connection is secured.
    pub(super) tls: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            host: variable("DOCKER_HOST"),
            context: variable("DOCKER_CONTEXT"),
            config: variable("DOCKER_CONFIG").map(PathBuf::from),
            certificates: variable("DOCKER_CERT_PATH").map(PathBuf::from),
            tls: variable("DOCKER_TLS_VERIFY")
                .or_else(|| variable("DOCKER_TLS"))
                .is_some(),
            home: directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned()),
            runtime: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            machine: of_machine(),
        }
    }

    /// The same, with this address only.
    pub(super) fn with_host(&self, host: &str) -> Self {
        Self {
            host: Some(host.to_owned()),
            ..self.clone()
        }
    }

    /// Addresses to try, the one that counts most first. `DOCKER_HOST` and a context that is asked for leave no choice.
    pub(super) fn addresses(&self) -> Result<Vec<Address>, DockerError> {
        if let Some(host) = &self.host {
            return Ok(vec![self.given(host)]);
        }
        let directory = self.config_directory();
        let asked = self.context.clone();
        let current = || directory.as_deref().and_then(context::current);
        if let Some(name) = asked.or_else(current).filter(|name| name != context::DEFAULT) {
            let Context { host, tls } = context::read(directory.as_deref(), &name)?;
            return Ok(vec![Address {
                url: host,
                context: Some(name),
                tls,
            }]);
        }
        let usual = self.usual();
        let there = usual.iter().filter(|url| is_there(url));
        Ok(there
            .map(|url| Address {
                url: url.clone(),
                context: None,
                tls: None,
            })
            .collect())
    }

    /// Where it was looked for, in words.
    pub(super) fn looked(&self) -> Vec<String> {
        self.usual()
    }

    fn given(&self, host: &str) -> Address {
        let remote = host.starts_with("tcp://") || host.starts_with("https://");
        let secured = remote && (self.tls || host.starts_with("https://"));
        let certificates = || self.certificates.clone().or_else(|| self.config_directory());
        Address {
            url: host.to_owned(),
            context: None,
            tls: if secured { certificates() } else { None },
        }
    }

    fn config_directory(&self) -> Option<PathBuf> {
        let usual = || self.home.as_ref().map(|home| home.join(".docker"));
        self.config.clone().or_else(usual)
    }

    /// Docker's own places first, then those of Docker Desktop, rootless Docker, Colima, OrbStack, Rancher Desktop and Podman.
    fn usual(&self) -> Vec<String> {
        let socket = |path: PathBuf| format!("unix://{}", path.display());
        let mut found = self.machine.clone();
        if cfg!(windows) {
            return found;
        }
        if let Some(runtime) = &self.runtime {
            found.push(socket(runtime.join("docker.sock")));
        }
        if let Some(home) = &self.home {
            let below = [
                ".docker/run/docker.sock",
                ".docker/desktop/docker.sock",
                ".colima/default/docker.sock",
                ".orbstack/run/docker.sock",
                ".rd/docker.sock",
                ".local/share/containers/podman/machine/podman.sock",
            ];
            found.extend(below.map(|path| socket(home.join(path))));
        }
        if let Some(runtime) = &self.runtime {
            found.push(socket(runtime.join("podman/podman.sock")));
        }
        if !self.machine.is_empty() {
            found.push("unix:///run/podman/podman.sock".to_owned());
        }
        found
    }
}

fn of_machine() -> Vec<String> {
    let places: &[&str] = if cfg!(windows) {
        &[
            "npipe:////./pipe/docker_engine",
            "npipe:////./pipe/dockerDesktopLinuxEngine",
            "npipe:////./pipe/podman-machine-default",
        ]
    } else {
        &["unix:///var/run/docker.sock"]
    };
    places.iter().map(|place| (*place).to_owned()).collect()
}

/// Sockets that are not there need not be tried. Named pipes can only be tried.
fn is_there(url: &str) -> bool {
    match url.strip_prefix("unix://") {
        Some(path) => Path::new(path).symlink_metadata().is_ok(),
        None => true,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn urls(surroundings: &Surroundings) -> Vec<String> {
        let addresses = surroundings.addresses().expect("the surroundings make sense");
        addresses.into_iter().map(|address| address.url).collect()
    }

    #[test]
    fn docker_host_leaves_no_choice() {
        let surroundings = Surroundings {
            host: Some("tcp://10.0.0.1:2376".to_owned()),
            context: Some("ignored".to_owned()),
            tls: true,
            certificates: Some("/certs".into()),
            machine: of_machine(),
            ..Surroundings::default()
        };
        let addresses = surroundings.addresses().unwrap();
        assert_eq!(addresses.len(), 1);
        assert_eq!(addresses[0].url, "tcp://10.0.0.1:2376");
        assert_eq!(addresses[0].tls.as_deref(), Some(Path::new("/certs")));
        let plain = surroundings.with_host("unix:///x.sock").addresses().unwrap();
        assert_eq!((plain[0].url.as_str(), &plain[0].tls), ("unix:///x.sock", &None));
    }

    #[test]
    fn sockets_that_are_there_are_tried_in_order() {
        let home = tempfile::tempdir().unwrap();
        let runtime = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            home: Some(home.path().to_owned()),
            runtime: Some(runtime.path().to_owned()),
            ..Surroundings::default()
        };
        assert!(urls(&surroundings).is_empty());
        for path in [".colima/default/docker.sock", ".docker/run/docker.sock"] {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::write(runtime.path().join("docker.sock"), "").unwrap();
        let found = urls(&surroundings);
        let expected = [
            runtime.path().join("docker.sock"),
            home.path().join(".docker/run/docker.sock"),
            home.path().join(".colima/default/docker.sock"),
        ];
        let expected = expected.map(|path| format!("unix://{}", path.display()));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_current_context_of_the_docker_command_counts() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".docker");
        context::tests::write(
            &directory,
            "colima",
            "unix:///home/me/.colima/default/docker.sock",
        );
        let mut surroundings = Surroundings {
            home: Some(home.path().to_owned()),
            machine: of_machine(),
            ..Surroundings::default()
        };
        std::fs::write(directory.join("config.json"), r#"{"currentContext":"colima"}"#).unwrap();
        let addresses = surroundings.addresses().unwrap();
        assert_eq!(addresses[0].url, "unix:///home/me/.colima/default/docker.sock");
        assert_eq!(addresses[0].context.as_deref(), Some("colima"));
        surroundings.context = Some("default".to_owned());
        assert!(
            surroundings
                .addresses()
                .unwrap()
                .iter()
                .all(|a| a.context.is_none())
        );
        surroundings.context = Some("gone".to_owned());
        let error = surroundings.addresses().unwrap_err();
        assert!(matches!(error, DockerError::Context { .. }), "{error:?}");
    }
}
