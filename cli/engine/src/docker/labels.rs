//! The labels by which containers, networks and volumes are found again.

use crate::compose::Condition;

/// Name of the compose project.
pub(super) const PROJECT: &str = "com.docker.compose.project";
/// Name of the compose service.
pub(super) const SERVICE: &str = "com.docker.compose.service";
/// Number of the replica, from 1.
pub(super) const NUMBER: &str = "com.docker.compose.container-number";
/// `True` for containers of `docker compose run`.
pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";
/// Hash of the configuration, where docker compose looks for one.
pub(super) const COMPOSE_HASH: &str = "com.docker.compose.config-hash";
/// The compose files.
pub(super) const FILES: &str = "com.docker.compose.project.config_files";
/// Directory of the compose files.
pub(super) const DIRECTORY: &str = "com.docker.compose.project.working_dir";
/// Version of whoever made it.
pub(super) const COMPOSE_VERSION: &str = "com.docker.compose.version";
/// What the service waits for: `name:condition:restart`, joined by commas.
pub(super) const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Id of the image.
pub(super) const IMAGE: &str = "com.docker.compose.image";
/// Name of a network in the compose files.
pub(super) const NETWORK: &str = "com.docker.compose.network";
/// Name of a volume in the compose files.
pub(super) const VOLUME: &str = "com.docker.compose.volume";
/// Hash of the configuration.
pub(super) const HASH: &str = "odd.config-hash";
/// The instance.
pub(super) const INSTANCE: &str = "odd.instance";
/// The release that made it.
pub(super) const RELEASE: &str = "odd.release";
/// Layout of the data in a volume.
pub(super) const LAYOUT: &str = "odd.layout";
/// On the anonymous volumes that carry configuration files.
pub(super) const CONFIGS: &str = "odd.configs";

/// Services that one waits for, out of its label [`DEPENDS_ON`].
pub(super) fn dependencies(label: &str) -> Vec<String> {
    let name = |entry: &str| entry.split(':').next().unwrap_or_default().trim().to_owned();
    label
        .split(',')
        .map(name)
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether a container with this label [`DEPENDS_ON`] waits for the end of the service, not for its health.
pub(super) fn waits_for_end(label: &str, service: &str) -> bool {
    label.split(',').any(|entry| {
        let mut parts = entry.split(':').map(str::trim);
        parts.next() == Some(service)
            && parts.next() == Some(Condition::ServiceCompletedSuccessfully.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wait_for_the_end_of_is_known() {
        let label = "migration:service_completed_successfully:false,rabbitmq:service_healthy:true";
        assert!(waits_for_end(label, "migration"));
        assert!(!waits_for_end(label, "rabbitmq") && !waits_for_end(label, "postgres"));
        assert!(!waits_for_end("", ""));
    }

    #[test]
    fn dependencies_are_read_as_docker_compose_writes_them() {
        assert_eq!(
            dependencies("postgres:service_healthy:false,rabbitmq:service_healthy:true"),
            ["postgres", "rabbitmq"]
        );
        assert!(dependencies("").is_empty());
    }
}
