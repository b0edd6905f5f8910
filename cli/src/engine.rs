//! Which engine an instance runs on.

use odd_contracts::Role;
use odd_contracts::ui::UiEngine;
use odd_engine::docker::{self, Credentials, StackFile};
use odd_engine::kubernetes::{self, ClusterFile, forwarding};
use odd_engine::{Instance, InstanceName, ProcessFile, embedded};

/// An engine of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One process with every role, and SQLite.
    Embedded,
    /// Containers of a Docker engine.
    Docker,
    /// Pods of a Kubernetes cluster.
    Kubernetes,
}

impl Engine {
    /// Its name in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => embedded::NAME,
            Self::Docker => docker::NAME,
            Self::Kubernetes => kubernetes::NAME,
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Docker => "Docker",
            Self::Kubernetes => "Kubernetes",
        }
    }

    /// Its name in the registry of user interfaces.
    pub const fn of_ui(self) -> UiEngine {
        match self {
            Self::Embedded => UiEngine::Embedded,
            Self::Docker => UiEngine::Docker,
            Self::Kubernetes => UiEngine::Kind,
        }
    }
}

/// What is known of an instance without asking an engine: what its directory holds.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// The process that runs it, where one lives.
    pub process: Option<ProcessFile>,
    /// The stack that was started for it.
    pub stack: Option<StackFile>,
    /// The cluster that it was put into last.
    pub cluster: Option<ClusterFile>,
    /// The process that forwards ports to that, where one lives.
    pub forward: Option<ProcessFile>,
    /// Engines that it has data of, the one that was used last first.
    pub data: Vec<Engine>,
}

impl Present {
    /// Looks into the instance's directory. What cannot be read counts as not there: the commands that need it say so.
    pub fn of(instance: &Instance) -> Self {
        let process = ProcessFile::read(&instance.process_file()).ok().flatten();
        Self {
            process: process.filter(ProcessFile::is_alive),
            stack: StackFile::read(&instance.stack_file()).ok().flatten(),
            cluster: ClusterFile::of(instance).ok().flatten(),
            forward: forwarding::forwarding(instance).ok().flatten(),
            data: data(instance),
        }
    }

    /// The engine that it runs on now.
    pub fn running(&self) -> Option<Engine> {
        let process = self.process.as_ref().map(|_| Engine::Embedded);
        let stack = self.stack.as_ref().map(|_| Engine::Docker);
        let cluster = self
            .cluster
            .as_ref()
            .filter(|file| file.up)
            .map(|_| Engine::Kubernetes);
        process.or(stack).or(cluster)
    }

    /// The engine that it runs on, or ran on last.
    pub fn engine(&self) -> Option<Engine> {
        self.running().or(self.data.first().copied())
    }

    /// Base address of a role, where it runs and can be called from this machine.
    pub fn url(&self, role: Role) -> Option<String> {
        match (&self.process, &self.stack) {
            (Some(process), _) => process.url(role),
            (None, Some(stack)) => {
                let port = stack.ports.get(role.name())?;
                Some(format!("http://127.0.0.1:{port}"))
            }
            (None, None) => self.forward.as_ref()?.url(role),
        }
    }
}

/// Of the instances of the same home, the one that runs and has a role where `instance`, which does not run, would have it.
pub fn neighbour(instance: &Instance, role: Role) -> Option<InstanceName> {
    let end = format!(":{}", instance.port(role));
    let others = instance.home.instance_names().into_iter();
    others.filter(|name| *name != instance.name).find(|name| {
        let other = Instance {
            name: name.clone(),
            ..instance.clone()
        };
        let present = Present::of(&other);
        present.running().is_some() && present.url(role).is_some_and(|url| url.ends_with(&end))
    })
}

fn data(instance: &Instance) -> Vec<Engine> {
    let files = [
        (Engine::Embedded, instance.database()),
        (Engine::Docker, Credentials::file(instance)),
        (Engine::Kubernetes, instance.cluster_file()),
    ];
    let mut found: Vec<_> = files
        .into_iter()
        .filter_map(|(engine, path)| Some((std::fs::metadata(path).ok()?.modified().ok(), engine)))
        .collect();
    found.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
    found.into_iter().map(|(_, engine)| engine).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use odd_engine::Home;

    use super::*;

    fn instance(home: &std::path::Path) -> Instance {
        let instance = Instance {
            name: "x".parse().unwrap(),
            home: Home::at(home),
            port_offset: 0,
        };
        std::fs::create_dir_all(instance.directory()).unwrap();
        instance
    }

    #[test]
    fn data_tell_the_engine_of_an_instance_that_does_not_run() {
        let home = tempfile::tempdir().unwrap();
        let instance = instance(home.path());
        assert_eq!(Present::of(&instance).engine(), None);
        std::fs::write(instance.database(), "").unwrap();
        assert_eq!(Present::of(&instance).engine(), Some(Engine::Embedded));
        std::fs::remove_file(instance.database()).unwrap();
        std::fs::write(Credentials::file(&instance), "{}").unwrap();
        assert_eq!(Present::of(&instance).engine(), Some(Engine::Docker));
    }

    #[test]
    fn a_process_that_lives_tells_the_engine_and_the_addresses() {
        let home = tempfile::tempdir().unwrap();
        let instance = instance(home.path());
        std::fs::write(Credentials::file(&instance), "{}").unwrap();
        let ports = [(Role::Gateway, 3_000)].into();
        let process = ProcessFile::of_this_process("embedded", Ipv4Addr::LOCALHOST.into(), ports);
        process.write(&instance.process_file()).unwrap();
        let present = Present::of(&instance);
        assert_eq!(present.running(), Some(Engine::Embedded));
        assert_eq!(
            present.url(Role::Gateway).as_deref(),
            Some("http://127.0.0.1:3000")
        );
        let ended = ProcessFile {
            pid: u32::MAX - 1,
            ..process
        };
        ended.write(&instance.process_file()).unwrap();
        assert_eq!(Present::of(&instance).running(), None);
    }

    #[test]
    fn who_has_the_ports_of_an_instance_that_does_not_run_is_known() {
        let home = tempfile::tempdir().unwrap();
        let runs = instance(home.path());
        let ports = [(Role::Gateway, 3_000)].into();
        let process = ProcessFile::of_this_process("embedded", Ipv4Addr::LOCALHOST.into(), ports);
        process.write(&runs.process_file()).unwrap();
        let other = Instance {
            name: "y".parse().unwrap(),
            ..runs.clone()
        };
        assert_eq!(neighbour(&other, Role::Gateway), Some(runs.name.clone()));
        assert_eq!(neighbour(&other, Role::ReadModel), None);
        assert_eq!(neighbour(&runs, Role::Gateway), None, "it is no other");
        let beside = Instance {
            port_offset: 100,
            ..other
        };
        assert_eq!(neighbour(&beside, Role::Gateway), None);
    }
}
