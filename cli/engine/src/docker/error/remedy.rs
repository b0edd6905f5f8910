//! What mends what can go wrong.

use super::DockerError;

const EMBEDDED: &str = "or do without Docker: odd up --engine embedded";

/// What to try next; the errors of compose files and images speak for themselves.
pub(in crate::docker) fn of(error: &DockerError) -> String {
    match error {
        DockerError::NoEngine { .. } => format!("{}, {EMBEDDED}", install()),
        DockerError::PermissionDenied { host } => permission(host),
        DockerError::NotRunning { host, .. } => format!("{}, {EMBEDDED}", start(host)),
        DockerError::NoAnswer { .. } => format!("restart the Docker engine: {}, {EMBEDDED}", start("")),
        DockerError::WrongApi { .. } => "use Docker 20.10 (API 1.41) or newer, or Podman 4 or newer; DOCKER_HOST and `docker context use` choose the engine".to_owned(),
        DockerError::Tls { .. } => "check ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH or in the Docker context; `docker version` uses the same".to_owned(),
        DockerError::UnsupportedHost { host, .. } if host.starts_with("ssh://") => {
            "forward the engine's socket and name that: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, then DOCKER_HOST=unix:///tmp/docker.sock".to_owned()
        }
        DockerError::UnsupportedHost { .. } => "set DOCKER_HOST to unix://, tcp:// or npipe:// and an address, or unset it".to_owned(),
        DockerError::Context { .. } => "`docker context ls` shows the contexts, `docker context use default` chooses this machine's engine".to_owned(),
        DockerError::DiskFull { .. } => format!("make room: `docker system df` shows what takes it, `docker image prune` removes images without a name; {EMBEDDED}"),
        DockerError::NameTaken { kind, name, .. } => name_taken(kind, name),
        DockerError::PortTaken { free_offset, .. } => match free_offset {
            Some(offset) => format!("end what uses it, or choose other ports: odd up --port-offset {offset}"),
            None => "end what uses it, or choose other ports with --port-offset".to_owned(),
        },
        DockerError::Failed { .. } => "mend the cause and run `odd up` again, which keeps what runs; `odd logs` shows more, `odd down` removes everything but data".to_owned(),
        DockerError::TimedOut { .. } => "run `odd up` again, which keeps what runs, with a longer --wait-timeout; `odd logs` shows what they do".to_owned(),
        DockerError::EngineGone { .. } => "start the Docker engine again; then `odd up` completes the stack and `odd down` removes it".to_owned(),
        DockerError::NewerVolumes { .. } => "use the newer release, or another instance (--instance NAME), or remove the data: odd down --volumes".to_owned(),
        DockerError::CredentialsLost { file, .. } => format!(
            "put {} back from a backup, or remove the data: odd down --volumes, or use another instance (--instance NAME)",
            file.display()
        ),
        DockerError::NetworkInUse { network, .. } => format!("end them, or detach them (docker network disconnect {network} CONTAINER), and run `odd down` again"),
        DockerError::NoStack { .. } => "start it: odd up".to_owned(),
        DockerError::UnknownService { services, .. } => format!("services are: {}", services.join(", ")),
        DockerError::Refused { .. } => "check the Docker engine: odd doctor".to_owned(),
        DockerError::Compose(error) => error.remedy(),
        DockerError::Image(error) => error.remedy(),
    }
}

fn name_taken(kind: &str, name: &str) -> String {
    let command = match kind {
        "container" => format!("docker rm -f {name}"),
        _ => format!("docker {kind} rm {name}"),
    };
    format!("remove it if nobody needs it ({command}), or use another instance: --instance NAME")
}

fn install() -> &'static str {
    if cfg!(target_os = "macos") {
        "install and start Docker Desktop, OrbStack or Colima"
    } else if cfg!(windows) {
        "install and start Docker Desktop"
    } else {
        "install Docker (Debian and Ubuntu: apt-get install docker.io) or set DOCKER_HOST"
    }
}

fn start(host: &str) -> &'static str {
    if host.contains("podman") {
        "start Podman's socket: systemctl --user start podman.socket"
    } else if host.contains("colima") {
        "start it: colima start"
    } else if host.contains("desktop") || cfg!(any(target_os = "macos", windows)) {
        "start Docker Desktop"
    } else if host.starts_with("tcp") || host.contains("://") && !host.starts_with("unix") {
        "check that the engine runs there and DOCKER_HOST names it"
    } else {
        "start it: sudo systemctl start docker (or: sudo service docker start)"
    }
}

fn permission(host: &str) -> String {
    if cfg!(target_os = "linux") && !host.contains("podman") {
        format!("join the group docker and log in anew: sudo usermod -aG docker \"$USER\"; {EMBEDDED}")
    } else {
        format!("make the socket accessible to this user, or set DOCKER_HOST; {EMBEDDED}")
    }
}
