//! Who we are for a registry: what `docker login` left in Docker's configuration, itself or in the keeper of secrets that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What Docker Hub is called in the configuration.
const HUB: &str = "https://index.docker.io/v1/";
/// Time that a keeper of secrets has to answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The user name that stands for a token.
const TOKEN: &str = "<token>";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Configuration {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// Credentials for the registry of an image. Nobody in particular, where there are none or they cannot be read: most images are public.
pub(super) async fn credentials(reference: &str) -> Option<DockerCredentials> {
    credentials_in(&directory()?, registry(reference)).await
}

fn directory() -> Option<PathBuf> {
    let given = std::env::var_os("DOCKER_CONFIG")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    given.or_else(|| directories::BaseDirs::new().map(|dirs| dirs.home_dir().join(".docker")))
}

/// The registry of an image, as the configuration names it.
pub(super) fn registry(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

async fn credentials_in(directory: &Path, registry: &str) -> Option<DockerCredentials> {
    let bytes = tokio::fs::read(directory.join("config.json")).await.ok()?;
    let configuration: Configuration = serde_json::from_slice(&bytes).ok()?;
    let keeper = configuration
        .cred_helpers
        .get(registry)
        .or(configuration.creds_store.as_ref());
    let kept = match keeper {
        Some(keeper) => ask(keeper, registry).await,
        None => None,
    };
    let (username, secret) = match kept {
        Some(kept) => kept,
        None => written(configuration.auths.get(registry)?)?,
    };
    let serveraddress = Some(registry.to_owned());
    Some(match username.as_str() {
        TOKEN => DockerCredentials {
            identitytoken: Some(secret),
            serveraddress,
            ..DockerCredentials::default()
        },
        _ => DockerCredentials {
            username: Some(username),
            password: Some(secret),
            serveraddress,
            ..DockerCredentials::default()
        },
    })
}

/// What stands in the configuration itself.
fn written(entry: &Entry) -> Option<(String, String)> {
    if let Some(token) = entry.identitytoken.clone().filter(|token| !token.is_empty()) {
        return Some((TOKEN.to_owned(), token));
    }
    let decoded = STANDARD.decode(entry.auth.as_ref()?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    username: String,
    secret: String,
}

/// Asks the program `docker-credential-KEEPER`, as Docker's own client does.
async fn ask(keeper: &str, registry: &str) -> Option<(String, String)> {
    if !keeper
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    {
        return None;
    }
    let asking = async {
        let mut child = Command::new(format!("docker-credential-{keeper}"))
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let mut input = child.stdin.take()?;
        input.write_all(registry.as_bytes()).await.ok()?;
        drop(input);
        let output = child.wait_with_output().await.ok()?;
        let kept: Kept = serde_json::from_slice(&output.stdout).ok()?;
        Some((kept.username, kept.secret))
    };
    tokio::time::timeout(LIMIT, asking).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_references() {
        for (reference, expected) in [
            ("redis:8", HUB),
            ("prom/prometheus:v3", HUB),
            ("ghcr.io/oddessentials/odd:0.1.0", "ghcr.io"),
            ("localhost/x", "localhost"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000"),
        ] {
            assert_eq!(registry(reference), expected, "{reference}");
        }
    }

    #[tokio::test]
    async fn what_a_login_left_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = serde_json::json!({"auths": {
            "ghcr.io": {"auth": STANDARD.encode("me:pass:word")},
            "token.example": {"identitytoken": "t0"},
            "odd.example": {"auth": "no base64!"},
            "empty.example": {},
        }});
        std::fs::write(folder.path().join("config.json"), configuration.to_string()).unwrap();
        let ghcr = credentials_in(folder.path(), "ghcr.io").await.unwrap();
        assert_eq!(
            (ghcr.username.as_deref(), ghcr.password.as_deref()),
            (Some("me"), Some("pass:word"))
        );
        assert_eq!(ghcr.serveraddress.as_deref(), Some("ghcr.io"));
        let token = credentials_in(folder.path(), "token.example").await.unwrap();
        assert_eq!(
            (token.identitytoken.as_deref(), token.username),
            (Some("t0"), None)
        );
        for other in ["odd.example", "empty.example", "absent.example"] {
            assert!(credentials_in(folder.path(), other).await.is_none(), "{other}");
        }
    }

    #[tokio::test]
    async fn without_configuration_or_with_a_damaged_one_nobody_is_logged_in() {
        let folder = tempfile::tempdir().unwrap();
        assert!(credentials_in(folder.path(), "ghcr.io").await.is_none());
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        assert!(credentials_in(folder.path(), "ghcr.io").await.is_none());
        std::fs::write(
            folder.path().join("config.json"),
            "{\"credsStore\": \"../../bin/sh\"}",
        )
        .unwrap();
        assert!(credentials_in(folder.path(), "ghcr.io").await.is_none());
    }
}
