//! What runs already, and of which version.

use std::time::Duration;

use futures::future::join_all;
use odd_client::{HttpOptions, RoleClient};

use super::{Check, CheckState};
use crate::docker::StackFile;
use crate::instance::Instance;
use crate::kubernetes::ClusterFile;
use crate::state::ProcessFile;

/// Time that a role may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process of the instance, and its stack where it has one.
pub(super) async fn running(instance: &Instance, process: Option<&ProcessFile>) -> Vec<Check> {
    let stack = StackFile::read(&instance.stack_file()).ok().flatten();
    match (process, stack) {
        (None, Some(stack)) => vec![of_stack(instance, &stack).await],
        (Some(process), Some(stack)) => {
            vec![
                of_process(instance, Some(process)),
                of_stack(instance, &stack).await,
            ]
        }
        (Some(process), None) => vec![of_process(instance, Some(process))],
        (None, None) => match ClusterFile::of(instance).ok().flatten().filter(|file| file.up) {
            Some(file) => vec![of_cluster(instance, &file)],
            None => vec![of_process(instance, None)],
        },
    }
}

fn of_process(instance: &Instance, process: Option<&ProcessFile>) -> Check {
    let name = format!("instance {}", instance.name);
    let Some(process) = process else {
        return Check::ok(name, "does not run");
    };
    if !process.is_alive() {
        let detail = format!("process {} ended without clearing up", process.pid);
        return Check::ok(name, detail).wrong(
            CheckState::Warning,
            "nothing is lost: the next start takes over where it stopped",
            format!("odd up --instance {}", instance.name),
        );
    }
    let check = Check::ok(
        name,
        format!("runs as process {}, version {}", process.pid, process.release),
    );
    if process.release == odd_contracts::VERSION {
        return check;
    }
    check.wrong(
        CheckState::Warning,
        format!("this is version {}", odd_contracts::VERSION),
        format!("odd down --instance {0} && odd up --instance {0}", instance.name),
    )
}

/// What a cluster runs it tells itself, when it is asked for the state of the instance.
fn of_cluster(instance: &Instance, file: &ClusterFile) -> Check {
    let (context, release) = (&file.context, &file.release);
    let check = Check::ok(
        format!("instance {}", instance.name),
        format!("runs in the cluster of context {context}, started by version {release}"),
    );
    if release == odd_contracts::VERSION {
        return check;
    }
    check.wrong(
        CheckState::Warning,
        format!("this is version {}", odd_contracts::VERSION),
        format!("odd up --instance {}", instance.name),
    )
}

/// The stack was started by one version and may run another: what its roles say counts.
async fn of_stack(instance: &Instance, stack: &StackFile) -> Check {
    let roles = odd_contracts::Role::ALL.into_iter();
    let published = roles.filter_map(|role| Some((role, *stack.ports.get(role.name())?)));
    let asked = published.map(|(role, port)| async move { (role, version(port).await) });
    let answers = join_all(asked).await;
    let silent: Vec<&str> = answers
        .iter()
        .filter(|(_, version)| version.is_none())
        .map(|(role, _)| role.name())
        .collect();
    let differing: Vec<String> = answers
        .iter()
        .filter_map(|(role, version)| Some((role, version.as_deref()?)))
        .filter(|(_, version)| *version != odd_contracts::VERSION)
        .map(|(role, version)| format!("{role} {version}"))
        .collect();
    let check = Check::ok(
        format!("instance {}", instance.name),
        format!(
            "runs on Docker as {}, started by version {}",
            stack.project, stack.release
        ),
    );
    let again = format!("odd up --instance {}", instance.name);
    if !silent.is_empty() {
        let consequence = format!("no answer from {}", silent.join(", "));
        return check.wrong(CheckState::Warning, consequence, again);
    }
    if !differing.is_empty() {
        let consequence = format!(
            "this is version {}, it runs {}",
            odd_contracts::VERSION,
            differing.join(", ")
        );
        return check.wrong(CheckState::Warning, consequence, again);
    }
    check
}

/// The version that a role says it runs; none where it does not answer.
async fn version(port: u16) -> Option<String> {
    let options = HttpOptions {
        timeout: PATIENCE,
        ..HttpOptions::default()
    };
    let client = RoleClient::new(&format!("http://127.0.0.1:{port}"), options).ok()?;
    Some(client.healthz().await.ok()?.version)
}
