//! Which image each server runs from: one table, and the choice between the official images and those that are built
//! from `compose/images/` where no registry can be reached.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;

use crate::docker::{self, Result, Trouble};

/// Environment variable that chooses: `official`, `offline` or `auto` (the default).
pub(crate) const CHOICE: &str = "ODD_TEST_IMAGES";
/// Hexadecimal digits of an offline image's tag.
const DIGITS: usize = 12;

/// The servers that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Keeps the jobs.
    Postgres,
    /// Carries the messages.
    Rabbitmq,
    /// Keeps the counters.
    Redis,
    /// Keeps the events.
    Mongo,
    /// Watches all others.
    Prometheus,
    /// Tells of alerts.
    Alertmanager,
}

impl Service {
    /// Every server.
    pub const ALL: [Self; 6] = [
        Self::Postgres,
        Self::Rabbitmq,
        Self::Redis,
        Self::Mongo,
        Self::Prometheus,
        Self::Alertmanager,
    ];

    /// Name of the folder under `compose/images/`, and part of the names of containers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Rabbitmq => "rabbitmq",
            Self::Redis => "redis",
            Self::Mongo => "mongo",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
        }
    }

    /// Reference of the image that users get: the one in `compose/compose.yaml`.
    pub fn official(self) -> &'static str {
        match self {
            Self::Postgres => "postgres:17.11",
            Self::Rabbitmq => "rabbitmq:4.2.9-management",
            Self::Redis => "redis:8.2.9",
            Self::Mongo => "mongo:8.0.29",
            Self::Prometheus => "prom/prometheus:v3.13.2",
            Self::Alertmanager => "prom/alertmanager:v0.33.1",
        }
    }

    /// Name of the image that is built from the recipes of this checkout. The tag is made from all that the recipe
    /// consists of, so that an image of an older recipe is not taken.
    ///
    /// # Errors
    /// Where the recipe cannot be read.
    pub fn offline(self) -> std::io::Result<String> {
        offline(&repository().join("compose/images"), self.name())
    }

    /// Environment variable that replaces the reference, whatever else is chosen.
    fn variable(self) -> String {
        format!("ODD_TEST_{}_IMAGE", self.name().to_uppercase())
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Root of this checkout.
pub(crate) fn repository() -> PathBuf {
    let testkit = Path::new(env!("CARGO_MANIFEST_DIR"));
    testkit.parent().unwrap_or(testkit).to_path_buf()
}

/// The image to run `service` from, which is in the engine afterwards.
pub(crate) async fn choose(service: Service) -> Result<String> {
    if let Ok(reference) = std::env::var(service.variable()) {
        return present_or_pulled(&reference).await;
    }
    let choice = std::env::var(CHOICE).unwrap_or_else(|_| "auto".to_owned());
    match choice.as_str() {
        "official" => present_or_pulled(service.official()).await,
        "offline" => {
            let offline = offline_of(service)?;
            match is_present(&offline).await? {
                true => Ok(offline),
                false => Err(Trouble::new(format!("there is no image {offline}; {MEND}"))),
            }
        }
        "auto" => automatic(service).await,
        other => Err(Trouble::new(format!(
            "{CHOICE} is {other}; it can be official, offline or auto"
        ))),
    }
}

/// What to do where there is no image.
pub(crate) const MEND: &str = "`make images` builds the images of this checkout without a registry";

async fn automatic(service: Service) -> Result<String> {
    let (official, offline) = (service.official(), offline_of(service)?);
    if is_present(official).await? {
        return Ok(official.to_owned());
    }
    if is_present(&offline).await? {
        return Ok(offline);
    }
    pull(official).await.map_err(|error| {
        Trouble::new(format!(
            "there is neither {official} nor {offline} in the engine, and the first cannot be pulled ({error}); {MEND}"
        ))
    })?;
    Ok(official.to_owned())
}

fn offline_of(service: Service) -> Result<String> {
    service
        .offline()
        .map_err(|error| Trouble::new(format!("the recipe of {service} cannot be read: {error}")))
}

async fn present_or_pulled(reference: &str) -> Result<String> {
    if !is_present(reference).await? {
        pull(reference).await.map_err(|error| {
            Trouble::new(format!(
                "{reference} is not in the engine and cannot be pulled ({error}); {MEND}, which tests take where {CHOICE} is auto"
            ))
        })?;
    }
    Ok(reference.to_owned())
}

/// Whether the engine has an image.
pub(crate) async fn is_present(reference: &str) -> Result<bool> {
    match docker::client().await?.inspect_image(reference).await {
        Ok(_) => Ok(true),
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(Trouble::of(
            &format!("the engine cannot look for {reference}"),
            &error,
        )),
    }
}

async fn pull(reference: &str) -> std::result::Result<(), String> {
    let client = docker::client().await.map_err(|error| error.to_string())?;
    let options = CreateImageOptionsBuilder::new().from_image(reference).build();
    let pulled = client.create_image(Some(options), None, None);
    // A failure may arrive as the answer or inside the stream; the client makes an error of both.
    pulled
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
        .map_err(|error| error.to_string())
}

/// `odd-offline/NAME:HASH` with the hash over the files of `base/` and of the image's own folder: of each its path, a
/// line feed and its content, in the order of the paths' bytes.
pub(crate) fn offline(images: &Path, name: &str) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for folder in ["base", name] {
        let mut files = Vec::new();
        collect(images, &images.join(folder), &mut files)?;
        files.sort();
        for path in files {
            hash.update(path.as_bytes());
            hash.update(b"\n");
            hash.update(std::fs::read(images.join(&path))?);
        }
    }
    let mut tag = String::new();
    for byte in hash.finalize().iter().take(DIGITS / 2) {
        let _ = write!(tag, "{byte:02x}");
    }
    Ok(format!("odd-offline/{name}:{tag}"))
}

/// Paths, relative to `images`, of all files under `folder`.
fn collect(images: &Path, folder: &Path, files: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(images, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(images) {
            files.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    #[test]
    fn the_tag_is_made_from_paths_and_contents_in_the_order_of_bytes() {
        let folder = recipe(&[
            ("base/Dockerfile", "base\n"),
            ("redis/a", "2"),
            ("redis/Z", "1"),
            ("redis/sub/a", "3"),
            ("other/file", "none of it"),
        ]);
        let text = "base/Dockerfile\nbase\nredis/Z\n1redis/a\n2redis/sub/a\n3";
        let mut expected = String::new();
        for byte in &Sha256::digest(text)[..6] {
            write!(expected, "{byte:02x}").unwrap();
        }
        assert_eq!(
            offline(folder.path(), "redis").unwrap(),
            format!("odd-offline/redis:{expected}")
        );
    }

    #[test]
    fn a_changed_recipe_is_another_image() {
        let before = recipe(&[("base/file", "1"), ("redis/file", "1")]);
        let tag = offline(before.path(), "redis").unwrap();
        std::fs::write(before.path().join("base/file"), "2").unwrap();
        assert_ne!(offline(before.path(), "redis").unwrap(), tag);
    }

    #[test]
    fn a_missing_recipe_is_an_error() {
        let folder = recipe(&[("base/file", "1")]);
        assert!(offline(folder.path(), "redis").is_err());
    }
}
