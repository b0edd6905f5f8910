//! Speaking to one address.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{SystemInfo, SystemVersion};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::address::Address;
use super::{Engine, HostInfo};
use crate::docker::error::DockerError;
use crate::docker::error::call::{io_kind, reason, status};

/// Oldest version of the API that will do: that of Docker 20.10 and of Podman.
const OLDEST_API: (u32, u32) = (1, 41);
/// Seconds that the engine may take for one request, such as stopping a container. Callers that want an answer earlier see to it.
const REQUEST_SECONDS: u64 = 120;

/// Speaks to an address and asks who is there.
pub(super) async fn connect(address: &Address, limit: Duration) -> Result<Engine, DockerError> {
    let url = &address.url;
    let opened = open(address)?;
    let asking = async {
        let client = opened.negotiate_version().await?;
        let (version, info) = futures::try_join!(client.version(), client.info())?;
        Ok::<_, Error>((client, version, info))
    };
    let answer = tokio::time::timeout(limit, asking).await;
    let (client, version, info) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(unusable(url, &error)),
        Err(_) => {
            return Err(DockerError::NoAnswer {
                host: url.clone(),
                limit,
            });
        }
    };
    let info = describe(address, version, info);
    match api_version(&info.api) {
        Some(api) if api >= OLDEST_API => Ok(Engine { client, info }),
        _ => Err(DockerError::WrongApi {
            host: url.clone(),
            reason: format!("it speaks version {} of the Docker API, 1.41 is needed", info.api),
        }),
    }
}

fn open(address: &Address) -> Result<Docker, DockerError> {
    let url = address.url.as_str();
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let opened = match (scheme, &address.tls) {
        (Some("unix"), _) => return open_socket(url),
        (Some("npipe"), _) => return open_pipe(url),
        (Some("tcp" | "http" | "https"), Some(directory)) => return open_secured(url, directory),
        (Some("tcp" | "http"), None) => Docker::connect_with_http(url, REQUEST_SECONDS, API_DEFAULT_VERSION),
        (Some("ssh"), _) => return Err(unsupported(url, "SSH is not spoken here")),
        _ => return Err(unsupported(url, "it is no unix://, tcp:// or npipe:// address")),
    };
    opened.map_err(|error| unusable(url, &error))
}

fn unsupported(url: &str, reason: &str) -> DockerError {
    DockerError::UnsupportedHost {
        host: url.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(unix)]
fn open_socket(url: &str) -> Result<Docker, DockerError> {
    Docker::connect_with_unix(url, REQUEST_SECONDS, API_DEFAULT_VERSION).map_err(|error| match error {
        // Also where a directory on the way to it may not be entered.
        Error::SocketNotFoundError(path) => match std::fs::metadata(&path).map_err(|error| error.kind()) {
            Err(ErrorKind::PermissionDenied) => DockerError::PermissionDenied { host: url.to_owned() },
            _ => DockerError::NotRunning {
                host: url.to_owned(),
                reason: "there is no such socket".to_owned(),
            },
        },
        other => unusable(url, &other),
    })
}

#[cfg(not(unix))]
fn open_socket(url: &str) -> Result<Docker, DockerError> {
    Err(unsupported(url, "this system has no such sockets"))
}

#[cfg(windows)]
fn open_pipe(url: &str) -> Result<Docker, DockerError> {
    Docker::connect_with_named_pipe(url, REQUEST_SECONDS, API_DEFAULT_VERSION)
        .map_err(|error| unusable(url, &error))
}

#[cfg(not(windows))]
fn open_pipe(url: &str) -> Result<Docker, DockerError> {
    Err(unsupported(url, "only Windows has named pipes"))
}

fn open_secured(url: &str, directory: &Path) -> Result<Docker, DockerError> {
    let file = |name: &str| directory.join(name);
    let missing = ["key.pem", "cert.pem", "ca.pem"]
        .into_iter()
        .find(|name| !file(name).is_file());
    if let Some(name) = missing {
        return Err(DockerError::Tls {
            host: url.to_owned(),
            reason: format!("there is no {}", file(name).display()),
        });
    }
    Docker::connect_with_ssl(
        url,
        &file("key.pem"),
        &file("cert.pem"),
        &file("ca.pem"),
        REQUEST_SECONDS,
        API_DEFAULT_VERSION,
    )
    .map_err(|error| DockerError::Tls {
        host: url.to_owned(),
        reason: reason(&error),
    })
}

/// Why nobody could be spoken to.
fn unusable(url: &str, error: &Error) -> DockerError {
    let (host, reason) = (url.to_owned(), reason(error));
    match io_kind(error) {
        Some(ErrorKind::PermissionDenied) => return DockerError::PermissionDenied { host },
        Some(ErrorKind::InvalidData) if url.starts_with("tcp") || url.starts_with("https") => {
            return DockerError::Tls { host, reason };
        }
        Some(ErrorKind::NotFound) if url.starts_with("npipe") => {
            let reason = "there is no such pipe".to_owned();
            return DockerError::NotRunning { host, reason };
        }
        Some(_) => return DockerError::NotRunning { host, reason },
        None => {}
    }
    match error {
        Error::HyperLegacyError { err } if err.is_connect() => DockerError::NotRunning { host, reason },
        _ if status(error) == Some(400) && reason.contains("HTTPS") => DockerError::Tls { host, reason },
        _ => DockerError::WrongApi { host, reason },
    }
}

fn describe(address: &Address, version: SystemVersion, info: SystemInfo) -> HostInfo {
    let podman = version
        .components
        .unwrap_or_default()
        .into_iter()
        .find(|component| component.name == "Podman Engine");
    let number = |value: Option<i64>| u64::try_from(value.unwrap_or_default()).unwrap_or_default();
    let options = info.security_options.unwrap_or_default();
    HostInfo {
        host: in_words(address),
        address: address.url.clone(),
        name: if podman.is_some() {
            "podman"
        } else {
            super::super::NAME
        }
        .to_owned(),
        version: podman.map_or_else(|| version.version.unwrap_or_default(), |podman| podman.version),
        api: version.api_version.unwrap_or_default(),
        os: version.os.unwrap_or_default(),
        arch: version.arch.unwrap_or_default(),
        cpus: number(info.ncpu),
        memory: number(info.mem_total),
        rootless: options.iter().any(|option| option.contains("rootless")),
        data: info.docker_root_dir.unwrap_or_default(),
        local: is_local(&address.url),
    }
}

fn in_words(address: &Address) -> String {
    if let Some(context) = &address.context {
        return format!("context {context}");
    }
    match address.url.split_once("://") {
        Some(("unix", path)) => format!("unix socket {path}"),
        Some(("npipe", path)) => format!("named pipe {path}"),
        _ => address.url.clone(),
    }
}

fn is_local(url: &str) -> bool {
    match url.split_once("://") {
        Some(("unix" | "npipe", _)) => true,
        Some((_, rest)) => ["localhost", "127.", "[::1]"]
            .iter()
            .any(|here| rest.starts_with(here)),
        None => false,
    }
}

/// Major and minor number of a version of the API.
pub(super) fn api_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Address {
        Address {
            url: url.to_owned(),
            context: None,
            tls: None,
        }
    }

    #[test]
    fn a_pipe_that_is_not_there_is_told_as_such() {
        let err = std::io::Error::from(ErrorKind::NotFound);
        let told = unusable("npipe:////./pipe/docker_engine", &Error::IOError { err });
        assert!(
            matches!(&told, DockerError::NotRunning { reason, .. } if reason == "there is no such pipe"),
            "{told:?}"
        );
    }

    #[test]
    fn addresses_are_told_in_words() {
        assert_eq!(
            in_words(&at("unix:///var/run/docker.sock")),
            "unix socket /var/run/docker.sock"
        );
        assert_eq!(in_words(&at("tcp://10.0.0.1:2375")), "tcp://10.0.0.1:2375");
        let context = Address {
            context: Some("colima".to_owned()),
            ..at("unix:///x")
        };
        assert_eq!(in_words(&context), "context colima");
    }

    #[test]
    fn ports_of_this_machine_are_those_of_an_engine_here() {
        assert!(
            is_local("unix:///x") && is_local("tcp://127.0.0.1:2375") && is_local("tcp://localhost:2375")
        );
        assert!(!is_local("tcp://10.0.0.1:2375"));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(api_version("1.9") < api_version("1.41"));
        assert_eq!(api_version("x"), None);
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_spoken_to_says_what_can() {
        let error = connect(&at("ssh://me@host"), Duration::from_secs(1))
            .await
            .unwrap_err();
        assert!(matches!(error, DockerError::UnsupportedHost { .. }), "{error:?}");
        assert!(error.remedy().contains("ssh -nNT -L"), "{}", error.remedy());
        let error = connect(&at("fd://x"), Duration::from_secs(1)).await.unwrap_err();
        assert!(error.remedy().contains("DOCKER_HOST"), "{}", error.remedy());
    }
}
