//! What runs already, and of which version.

use odd_contracts::Role;

use super::builds::{Build, Told};
use super::{Check, CheckState};
use crate::docker::{self, StackFile, StackStatus};
use crate::instance::Instance;
use crate::kubernetes::ClusterFile;
use crate::platform::THEN;
use crate::state::ProcessFile;

/// The process of the instance, and its stack where it has one.
pub(super) async fn running(instance: &Instance, process: Option<&ProcessFile>) -> Vec<Check> {
    let stack = StackFile::read(&instance.stack_file()).ok().flatten();
    match (process, stack) {
        (None, Some(stack)) => vec![of_stack(instance, &stack).await],
        (Some(process), Some(stack)) => {
            vec![
                of_process(instance, Some(process)).await,
                of_stack(instance, &stack).await,
            ]
        }
        (Some(process), None) => vec![of_process(instance, Some(process)).await],
        (None, None) => match ClusterFile::of(instance).ok().flatten().filter(|file| file.up) {
            Some(file) => vec![of_cluster(instance, &file)],
            None => vec![of_process(instance, None).await],
        },
    }
}

async fn of_process(instance: &Instance, process: Option<&ProcessFile>) -> Check {
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
    let again = format!(
        "odd down --instance {0}{THEN}odd up --instance {0}",
        instance.name
    );
    if process.release != odd_contracts::VERSION {
        let consequence = format!("this is version {}", odd_contracts::VERSION);
        return check.wrong(CheckState::Warning, consequence, again);
    }
    // Every role is in the one process, and that may listen on an address where this does not ask: an answer counts, silence does not.
    let own = Build::own();
    let any = process.ports.iter().next().map(|(role, port)| (*role, *port));
    match Told::by(any, &own).await.differing.first() {
        Some(differing) => check.wrong(
            CheckState::Warning,
            format!("this is version {own}, it runs {differing}"),
            again,
        ),
        None => check,
    }
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
    let roles = Role::ALL.into_iter();
    let published = roles.filter_map(|role| Some((role, *stack.ports.get(role.name())?)));
    let check = Check::ok(
        format!("instance {}", instance.name),
        format!(
            "runs on Docker as {}, started by version {}",
            stack.project, stack.release
        ),
    );
    let again = format!("odd up --instance {}", instance.name);
    // Where the engine does not answer, the check of the engine says so.
    let status = docker::status(instance).await.unwrap_or_default();
    let ill = ailing(&status);
    if !ill.is_empty() {
        return check.wrong(CheckState::Warning, ill.join(", "), again);
    }
    compared(check, published, again).await
}

/// Which containers of a stack do not do what they shall, in words.
fn ailing(status: &StackStatus) -> Vec<String> {
    let ill = status.containers.iter().filter(|container| !container.is_well());
    let told = ill.map(|container| match container.state.as_str() {
        "running" => format!("{} is not healthy", container.name),
        state => format!("{} is {state}", container.name),
    });
    told.chain(status.missing().map(|name| format!("{name} is not there")))
        .collect()
}

/// A warning where a role does not answer, or runs another build than this one.
async fn compared(check: Check, roles: impl IntoIterator<Item = (Role, u16)>, remedy: String) -> Check {
    let own = Build::own();
    let told = Told::by(roles, &own).await;
    if !told.silent.is_empty() {
        let consequence = format!("no answer from {}", told.silent.join(", "));
        return check.wrong(CheckState::Warning, consequence, remedy);
    }
    if !told.differing.is_empty() {
        let consequence = format!("this is version {own}, it runs {}", told.differing.join(", "));
        return check.wrong(CheckState::Warning, consequence, remedy);
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::ContainerStatus;

    fn container(name: &str, state: &str, health: Option<&str>, exit_code: Option<i64>) -> ContainerStatus {
        ContainerStatus {
            service: name.to_owned(),
            number: 1,
            name: name.to_owned(),
            image: String::new(),
            state: state.to_owned(),
            health: health.map(str::to_owned),
            restarts: 0,
            exit_code,
            started_at: None,
            ports: Vec::new(),
            detail: None,
        }
    }

    #[test]
    fn what_does_not_do_what_it_shall_is_named() {
        let status = StackStatus {
            containers: vec![
                container("gateway", "running", Some("healthy"), None),
                container("mongo", "running", Some("unhealthy"), None),
                container("redis", "paused", None, None),
                // Somebody stopped it in good order: it is missed all the same.
                container("processor", "exited", None, Some(0)),
            ],
            ..StackStatus::default()
        };
        let told = ["mongo is not healthy", "redis is paused", "processor is exited"];
        assert_eq!(ailing(&status), told);
    }
}
