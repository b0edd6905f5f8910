//! Who this process is.

use std::sync::LazyLock;

use odd_contracts::{Producer, Role, VERSION};

static INSTANCE: LazyLock<String> = LazyLock::new(|| {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}-{}", host_name(), std::process::id(), &random[..6])
});

/// Name of this process in events and logs: host name, process id and six random digits (process ids of
/// containers are all alike). The same for the life of the process.
pub fn instance_id() -> &'static str {
    &INSTANCE
}

/// The producer of events that `role` publishes from this process.
pub fn producer(role: Role) -> Producer {
    Producer {
        service: role.name().to_owned(),
        instance_id: instance_id().to_owned(),
        version: VERSION.to_owned(),
    }
}

fn host_name() -> String {
    platform_host_name()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(unix)]
fn platform_host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

#[cfg(not(unix))]
fn platform_host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_is_the_same_for_every_role_of_the_process() {
        let (one, other) = (producer(Role::Gateway), producer(Role::Processor));
        assert_eq!(one.instance_id, other.instance_id);
        assert!(one.instance_id.contains(&std::process::id().to_string()));
        assert_eq!(
            (one.service.as_str(), other.service.as_str()),
            ("gateway", "processor")
        );
    }
}
