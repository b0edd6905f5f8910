//! Small projects: compose files of a test's own, on the base image, which starts at once.

use std::process::Command;

use odd_testkit::Output;
use serde_json::Value;

use super::Stack;

/// The image that every offline image stands on.
pub(crate) const BASE: &str = "odd-offline/base:latest";

/// A service that waits until it is asked to end.
pub(crate) const WAITS: &str = "exec sleep infinity";

/// A stack of a test's own compose files.
pub(crate) struct Small {
    pub(crate) stack: Stack,
}

impl Small {
    /// With this compose file; nothing is started.
    pub(crate) fn new(compose: &str) -> Self {
        let small = Self { stack: Stack::new() };
        small.write(compose);
        small
    }

    /// Replaces the compose file.
    pub(crate) fn write(&self, compose: &str) {
        let folder = self.stack.home().join("project");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("compose.yaml"), compose).unwrap();
    }

    /// `odd up` for it, with further flags.
    pub(crate) fn up_command(&self, flags: &[&str]) -> Command {
        let args = ["up", "--engine", "docker", "--project-dir", "project"];
        self.stack.command(args.iter().chain(flags))
    }

    /// Runs `odd up` for it.
    pub(crate) fn up(&self, flags: &[&str]) -> Output {
        odd_testkit::Instance::output(&mut self.up_command(flags))
    }

    /// Starts it and returns the answer.
    #[track_caller]
    pub(crate) fn started(&self) -> Value {
        self.up(&["--output", "json"]).expect_code(0).json()
    }

    /// Ids of its containers by service, in order of their names.
    pub(crate) fn ids(&self) -> Vec<(String, String)> {
        let containers = self.stack.project().containers().into_iter();
        containers
            .map(|container| (container.service, container.id))
            .collect()
    }
}

/// A compose file with these services, each of which runs a line of shell.
pub(crate) fn services(services: &[(&str, &str)]) -> String {
    let mut text = String::from("services:\n");
    for (name, script) in services {
        let command = serde_json::to_string(&["bash", "-c", script]).unwrap();
        text.push_str(&format!(
            "  {name}:\n    image: {BASE}\n    init: true\n    command: {command}\n"
        ));
    }
    text
}
