//! Programs of others that an engine calls.

use std::time::Duration;

use tokio::process::Command;

use super::remedy::{self, Tool};
use super::{Check, CheckState};
use crate::kubernetes::{KubernetesError, Renderer, kind};

/// Time that a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a local cluster needs beside Docker.
pub(super) async fn of_kind() -> Vec<Check> {
    let (kind, renderer, kubectl) = tokio::join!(
        kind::found(),
        Renderer::find(None),
        version("kubectl", &["version", "--client"])
    );
    vec![
        needed("kind", kind, "no local cluster can be made"),
        needed(
            "kustomize",
            renderer.map(|renderer| renderer.to_string()),
            "the manifests cannot be rendered",
        ),
        tool(
            "kubectl",
            kubectl,
            CheckState::Warning,
            "you will want to look into the cluster with it",
            Tool::Kubectl,
        ),
    ]
}

/// Of what `odd up` needs itself, which looks for it in the same way.
fn needed(name: &str, found: Result<String, KubernetesError>, consequence: &str) -> Check {
    match found {
        Ok(version) => Check::ok(name, version),
        Err(error) => {
            Check::ok(name, error.to_string()).wrong(CheckState::Failed, consequence, error.remedy())
        }
    }
}

fn tool(name: &str, version: Option<String>, missing: CheckState, consequence: &str, tool: Tool) -> Check {
    match version {
        Some(version) => Check::ok(name, version),
        None => Check::ok(name, "is not installed").wrong(missing, consequence, remedy::install(tool)),
    }
}

/// The first line that a program says of its version; none where it cannot be run.
async fn version(program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .ok()?
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next().filter(|_| output.status.success())?;
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version("odd-no-such-program", &[]).await, None);
        let cargo = version("cargo", &["--version"]).await.unwrap();
        assert!(cargo.starts_with("cargo "), "{cargo}");
    }
}
