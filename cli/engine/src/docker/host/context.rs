//! Docker contexts, as the `docker` command keeps them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::compose::model::hex;
use crate::docker::error::DockerError;

/// The context that stands for no context.
pub(super) const DEFAULT: &str = "default";

/// What a context says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The engine's address.
    pub(super) host: String,
    /// Directory with `ca.pem`, `cert.pem` and `key.pem`, where there is one.
    pub(super) tls: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext")]
    current: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host")]
    host: Option<String>,
}

/// The context that the `docker` command uses by itself; none where it has no settings.
pub(super) fn current(directory: &Path) -> Option<String> {
    let bytes = std::fs::read(directory.join("config.json")).ok()?;
    let config: Config = serde_json::from_slice(&bytes).ok()?;
    config.current.filter(|name| !name.is_empty())
}

/// Reads a context. It stands in a folder that is named by the SHA-256 of its name.
pub(super) fn read(directory: Option<&Path>, name: &str) -> Result<Context, DockerError> {
    let unusable = |reason: String| DockerError::Context {
        name: name.to_owned(),
        reason,
    };
    let directory = directory.ok_or_else(|| unusable("this user has no home directory".to_owned()))?;
    let contexts = directory.join("contexts");
    let id = hex(&Sha256::digest(name.as_bytes()));
    let file = contexts.join("meta").join(&id).join("meta.json");
    let bytes = std::fs::read(&file).map_err(|error| unusable(format!("{}: {error}", file.display())))?;
    let meta: Meta =
        serde_json::from_slice(&bytes).map_err(|error| unusable(format!("{}: {error}", file.display())))?;
    let host = meta.endpoints.docker.and_then(|endpoint| endpoint.host);
    let host = host.ok_or_else(|| unusable("it names no Docker engine".to_owned()))?;
    let tls = contexts.join("tls").join(&id).join("docker");
    Ok(Context {
        host,
        tls: tls.is_dir().then_some(tls),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn write(directory: &Path, name: &str, host: &str) {
        let folder = directory.join("contexts/meta").join(hex(&Sha256::digest(name)));
        std::fs::create_dir_all(&folder).unwrap();
        let meta = serde_json::json!({
            "Name": name,
            "Metadata": {},
            "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": false}},
        });
        std::fs::write(folder.join("meta.json"), meta.to_string()).unwrap();
    }

    #[test]
    fn a_context_is_found_under_the_hash_of_its_name() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "build-host", "tcp://10.0.0.1:2376");
        let mut expected = Context {
            host: "tcp://10.0.0.1:2376".to_owned(),
            tls: None,
        };
        assert_eq!(read(Some(directory.path()), "build-host").unwrap(), expected);
        let id = hex(&Sha256::digest("build-host"));
        let tls = directory.path().join("contexts/tls").join(id).join("docker");
        std::fs::create_dir_all(&tls).unwrap();
        expected.tls = Some(tls);
        assert_eq!(read(Some(directory.path()), "build-host").unwrap(), expected);
    }

    #[test]
    fn settings_that_make_no_sense_name_no_context() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(current(directory.path()), None);
        for (text, expected) in [
            (r#"{"auths":{}}"#, None),
            (r#"{"currentContext":""}"#, None),
            ("garbage", None),
            (r#"{"currentContext":"x"}"#, Some("x")),
        ] {
            std::fs::write(directory.path().join("config.json"), text).unwrap();
            assert_eq!(current(directory.path()).as_deref(), expected, "{text}");
        }
    }
}
