//! The image of the roles. Where the binary at hand is a Linux program of the engine's architecture it is built from that, so that what runs in
//! containers is what runs here; else the image of the same version is pulled.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::{
    BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use sha2::{Digest, Sha256};

use super::builder::{self, Entry};
use super::elf::{self, Program};
use super::fingerprint::{self, Fingerprint};
use super::{ImageError, ImageSource, RoleImage, RoleRequest, Tell, id};
use crate::compose::files::Files;
use crate::compose::model::hex;
use crate::compose::{Source, recipe};

/// Repository of images that are built here.
const LOCAL: &str = "odd-roles";
/// Repository of images that are pulled.
const PUBLISHED: &str = "ghcr.io/oddessentials/odd";
/// What a program that needs shared libraries runs on, where it can be pulled.
const DEBIAN: &str = "debian:trixie-slim";
/// The C library of either base is `2.` and this. Programs that name a newer one do not start there.
const BASE_LIBRARY: u32 = 41;
/// How often it is asked whether the build of another is done.
const TURN_POLL: std::time::Duration = std::time::Duration::from_millis(50);
/// Hexadecimal digits of a tag.
const DIGITS: usize = 12;
/// Label with the tag.
const LABEL_HASH: &str = "odd.role-image";
/// Label with the path of the program, which tells whose earlier image this is.
const LABEL_PROGRAM: &str = "odd.role-image.program";
/// An image that is younger than this stays, since another command may be about to make containers of it. Seconds.
const KEPT: i64 = 120;
/// Where the Dockerfile stands that builds the image from source.
const DOCKERFILE: &str = "compose/odd/Dockerfile";

/// How the image of the roles is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// From the program alone.
    Scratch(String),
    /// From the program, on a base image.
    Base {
        /// Tag of the image.
        hash: String,
        /// Reference of the base.
        base: String,
    },
    /// It is pulled. Where that fails and this is a checkout, it is built from source.
    Pull {
        /// Why it is not built from the program.
        because: String,
    },
}

impl Make {
    fn dockerfile(base: Option<&str>) -> String {
        // No COPY --chmod: the classic builder does not know it. The archive carries the permissions.
        let base = base.unwrap_or("scratch");
        format!("FROM {base}\nCOPY odd /odd\nUSER 65532:65532\nENTRYPOINT [\"/odd\"]\n")
    }

    fn on(fingerprint: &Fingerprint, base: Option<String>) -> Self {
        let mut hash = Sha256::new();
        hash.update(&fingerprint.sha256);
        hash.update(Self::dockerfile(base.as_deref()));
        let mut hash = hex(&hash.finalize());
        hash.truncate(DIGITS);
        match base {
            None => Self::Scratch(hash),
            Some(base) => Self::Base { hash, base },
        }
    }

    fn reference(&self, version: &str) -> String {
        match self {
            Self::Scratch(hash) | Self::Base { hash, .. } => format!("{LOCAL}:{hash}"),
            Self::Pull { .. } => format!("{PUBLISHED}:{version}"),
        }
    }

    /// The offline base that has to be there first.
    pub(super) fn offline_base(&self) -> Option<&str> {
        match self {
            Self::Base { base, .. } => Some(base.as_str()).filter(|base| base.starts_with(recipe::PREFIX)),
            _ => None,
        }
    }
}

/// Finds out which image it is.
pub(super) async fn choose(docker: &Docker, request: &RoleRequest) -> Result<RoleImage, ImageError> {
    let architecture = architecture(docker).await?;
    let path = request.program.clone();
    let program = blocking(move || elf::inspect(&path))
        .await
        .map_err(|error| unreadable(&request.program, error))?;
    let because = match program {
        None => format!("{} is no Linux program", request.program.display()),
        Some(program) if program.architecture != architecture => {
            format!(
                "{} is for {}, and the engine's containers are for {architecture}",
                request.program.display(),
                program.architecture
            )
        }
        Some(program) => match build(docker, request, program).await? {
            Ok(image) => return Ok(image),
            Err(because) => because,
        },
    };
    let make = Make::Pull { because };
    let reference = make.reference(&request.version);
    let source = match id(docker, &reference).await? {
        Some(_) if !request.build => ImageSource::Present,
        _ if request.build && checkout(request).is_some() => ImageSource::Build,
        _ => ImageSource::Pull,
    };
    Ok(RoleImage {
        reference,
        source,
        make,
    })
}

/// The image from the program at hand, or why it cannot be.
async fn build(
    docker: &Docker,
    request: &RoleRequest,
    program: Program,
) -> Result<Result<RoleImage, String>, ImageError> {
    let (home, path) = (request.home.clone(), request.program.clone());
    let fingerprint = blocking(move || fingerprint::of(&home, &path))
        .await
        .map_err(|error| unreadable(&request.program, error))?;
    if program.dynamic && fingerprint.library > BASE_LIBRARY {
        let needs = fingerprint.library;
        return Ok(Err(format!(
            "{} needs the C library 2.{needs}, newer than that of the base image (2.{BASE_LIBRARY})",
            request.program.display()
        )));
    }
    let bases = if program.dynamic {
        bases(request)?
    } else {
        vec![None]
    };
    let makes: Vec<Make> = bases
        .into_iter()
        .map(|base| Make::on(&fingerprint, base))
        .collect();
    let image = |make: Make, source| RoleImage {
        reference: make.reference(&request.version),
        source,
        make,
    };
    if !request.build {
        for make in &makes {
            if id(docker, &make.reference(&request.version)).await?.is_some() {
                return Ok(Ok(image(make.clone(), ImageSource::Present)));
            }
        }
    }
    for make in &makes {
        if let Make::Base { base, .. } = make
            && id(docker, base).await?.is_some()
        {
            return Ok(Ok(image(make.clone(), ImageSource::Build)));
        }
    }
    // Neither base is there: offline the one that can be built, else the one that can be pulled.
    let chosen = makes.into_iter().last();
    Ok(chosen
        .map(|make| image(make, ImageSource::Build))
        .ok_or_else(|| "there is no base image".to_owned()))
}

/// What a program that needs shared libraries can run on, the preferred one first.
fn bases(request: &RoleRequest) -> Result<Vec<Option<String>>, ImageError> {
    let source = request
        .project_dir
        .clone()
        .map_or(Source::Embedded, Source::Directory);
    let offline = Files::of(&source)
        .and_then(|files| recipe::reference(&files, recipe::BASE))
        .map_err(ImageError::recipe)?;
    Ok(match request.offline {
        true => vec![Some(offline)],
        false => vec![Some(offline), Some(DEBIAN.to_owned())],
    })
}

/// Builds the image. A base that is not there is pulled; the offline base has to be there.
pub(super) async fn make(
    docker: &Docker,
    request: &RoleRequest,
    image: &RoleImage,
    tell: &Tell,
) -> Result<(), ImageError> {
    let (hash, base) = match &image.make {
        Make::Scratch(hash) => (hash, None),
        Make::Base { hash, base } => (hash, Some(base.as_str())),
        Make::Pull { because } => return from_source(docker, request, image, because, None, tell).await,
    };
    let _turn = Turn::of(hash).await;
    if !request.build && id(docker, &image.reference).await?.is_some() {
        return Ok(());
    }
    if let Some(base) = base
        && id(docker, base).await?.is_none()
    {
        super::pull::pull(docker, base, None, tell).await?;
    }
    let entries = vec![
        Entry::text("Dockerfile", Make::dockerfile(base)),
        Entry::file("odd", request.program.clone(), 0o755),
    ];
    let options = BuildImageOptionsBuilder::new()
        .t(&image.reference)
        .labels(&labels(request, hash))
        .nocache(request.build)
        .rm(true)
        .forcerm(true)
        .build();
    builder::build(docker, options, entries, &image.reference, builder::LIMIT, tell).await?;
    remove_earlier(docker, request, &image.reference).await;
    Ok(())
}

/// The right to build one image. Of two instances that are started at the same time from the same binary one builds and the other
/// waits: a second build would take the name from the first, whose containers would then seem to run another image.
struct Turn(Option<std::fs::File>);

impl Turn {
    /// Waits for whoever builds the image of this hash, as long as a build may take. Where no file can be locked there is nobody to
    /// wait for.
    async fn of(hash: &str) -> Self {
        let path = std::env::temp_dir().join(format!("odd-role-image-{hash}.lock"));
        let Ok(file) = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
        else {
            return Self(None);
        };
        let deadline = tokio::time::Instant::now() + builder::LIMIT;
        while file.try_lock().is_err() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(TURN_POLL).await;
        }
        Self(Some(file))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // It is given back with the file at the latest.
            let _ = file.unlock();
        }
    }
}

/// Pulls the image; where that fails and there is a checkout, builds it from source.
pub(super) async fn pull(
    docker: &Docker,
    request: &RoleRequest,
    image: &RoleImage,
    tell: &Tell,
) -> Result<(), ImageError> {
    let Err(error) = super::pull::pull(docker, &image.reference, None, tell).await else {
        return Ok(());
    };
    let because = match &image.make {
        Make::Pull { because } => because.as_str(),
        _ => "",
    };
    from_source(docker, request, image, because, Some(error), tell).await
}

async fn from_source(
    docker: &Docker,
    request: &RoleRequest,
    image: &RoleImage,
    because: &str,
    pulled: Option<ImageError>,
    tell: &Tell,
) -> Result<(), ImageError> {
    let Some(checkout) = checkout(request) else {
        return Err(ImageError::NoRoleImage {
            reason: because.to_owned(),
            source: pulled.map(Box::new),
        });
    };
    let entries = blocking(move || builder::folder(&checkout))
        .await
        .map_err(|error| unreadable(&request.program, error))?;
    let mut arguments = HashMap::from([("VERSION".to_owned(), request.version.clone())]);
    if let Some(commit) = &request.commit {
        arguments.insert("COMMIT".to_owned(), commit.clone());
    }
    let options = BuildImageOptionsBuilder::new()
        .t(&image.reference)
        .dockerfile(DOCKERFILE)
        .buildargs(&arguments)
        .rm(true)
        .forcerm(true)
        .build();
    builder::build(
        docker,
        options,
        entries,
        &image.reference,
        builder::SOURCE_LIMIT,
        tell,
    )
    .await
}

/// The checkout that the compose files are taken from, where it can build the image.
fn checkout(request: &RoleRequest) -> Option<PathBuf> {
    let directory = request.project_dir.as_ref()?;
    [directory.clone(), directory.join("..")]
        .into_iter()
        .find(|root| root.join("Cargo.toml").is_file() && root.join(DOCKERFILE).is_file())
}

fn labels(request: &RoleRequest, hash: &str) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> = [
        ("org.opencontainers.image.title", "odd"),
        (
            "org.opencontainers.image.description",
            "Every role of the Distributed Task Observatory",
        ),
        ("org.opencontainers.image.source", env!("CARGO_PKG_REPOSITORY")),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE")),
        ("org.opencontainers.image.version", &request.version),
        (LABEL_HASH, hash),
        (LABEL_PROGRAM, &program_label(request)),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if let Some(commit) = &request.commit {
        labels.insert("org.opencontainers.image.revision".to_owned(), commit.clone());
    }
    labels
}

fn program_label(request: &RoleRequest) -> String {
    request.program.display().to_string()
}

/// Removes images that were built from an earlier state of the same program. One that a container uses the engine keeps.
async fn remove_earlier(docker: &Docker, request: &RoleRequest, current: &str) {
    let filters = HashMap::from([(
        "label".to_owned(),
        vec![format!("{LABEL_PROGRAM}={}", program_label(request))],
    )]);
    let list = ListImagesOptionsBuilder::new().filters(&filters).build();
    let Ok(images) = docker.list_images(Some(list)).await else {
        return;
    };
    let now = now();
    let old = images
        .into_iter()
        .filter(|image| now - image.created > KEPT)
        .flat_map(|image| image.repo_tags);
    for tag in old.filter(|tag| tag != current && tag.starts_with(&format!("{LOCAL}:"))) {
        // Without force: whatever a container uses, running or not, stays.
        let options = RemoveImageOptionsBuilder::new().force(false).build();
        let _ = docker.remove_image(&tag, Some(options), None).await;
    }
}

async fn architecture(docker: &Docker) -> Result<String, ImageError> {
    let version = docker
        .version()
        .await
        .map_err(|error| ImageError::engine("tell its architecture for", LOCAL, error))?;
    let name = version.arch.unwrap_or_default();
    Ok(match name.as_str() {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        _ => name,
    })
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn unreadable(path: &Path, source: std::io::Error) -> ImageError {
    ImageError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    }
}

/// Does what takes a while with files elsewhere than where the answers of the engine are waited for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(sha256: &str) -> Fingerprint {
        Fingerprint {
            sha256: sha256.to_owned(),
            library: 0,
        }
    }

    #[test]
    fn the_tag_follows_the_program_and_what_it_stands_on() {
        let reference = |make: Make| make.reference("1.2.3");
        let scratch = reference(Make::on(&fingerprint("a"), None));
        assert!(
            scratch.starts_with("odd-roles:") && scratch.len() == "odd-roles:".len() + DIGITS,
            "{scratch}"
        );
        assert_eq!(scratch, reference(Make::on(&fingerprint("a"), None)));
        assert_ne!(scratch, reference(Make::on(&fingerprint("b"), None)));
        assert_ne!(
            scratch,
            reference(Make::on(&fingerprint("a"), Some(DEBIAN.to_owned())))
        );
        let pull = Make::Pull {
            because: String::new(),
        };
        assert_eq!(reference(pull), "ghcr.io/oddessentials/odd:1.2.3");
    }

    #[test]
    fn only_an_offline_base_has_to_be_there_first() {
        let on = |base: &str| Make::on(&fingerprint("a"), Some(base.to_owned()));
        assert_eq!(
            on("odd-offline/base:1").offline_base(),
            Some("odd-offline/base:1")
        );
        assert_eq!(on(DEBIAN).offline_base(), None);
        assert_eq!(Make::on(&fingerprint("a"), None).offline_base(), None);
    }
}
