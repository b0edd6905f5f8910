//! The files of the compose folder: those that this binary carries, or those of a directory.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use rust_embed::RustEmbed;

use super::{ComposeError, Source};

/// The name of the first compose file.
const COMPOSE: &str = "compose.yaml";
/// How many bytes a file may have that a container gets.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The compose folder but for what only builds the image of the roles or tests something.
#[derive(RustEmbed)]
#[folder = "../../compose"]
#[exclude = "odd/*"]
#[exclude = "*/tests/*"]
struct Embedded;

/// The script that builds the offline images.
#[derive(RustEmbed)]
#[folder = "../../scripts"]
#[include = "images.sh"]
struct Scripts;

/// Where the files of a [`Source`] are read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// In this binary.
    Embedded,
    /// In the folder with `compose.yaml`.
    Directory(PathBuf),
}

impl Files {
    /// Those of a source.
    pub(crate) fn of(source: &Source) -> Result<Self, ComposeError> {
        let Source::Directory(directory) = source else {
            return Ok(Self::Embedded);
        };
        [directory.clone(), directory.join("compose")]
            .into_iter()
            .find(|folder| folder.join(COMPOSE).is_file())
            .map(Self::Directory)
            .ok_or_else(|| ComposeError::NoComposeFile {
                directory: directory.display().to_string(),
            })
    }

    /// The folder; empty for those of this binary.
    pub(crate) fn directory(&self) -> String {
        match self {
            Self::Embedded => String::new(),
            Self::Directory(folder) => std::path::absolute(folder)
                .unwrap_or_else(|_| folder.clone())
                .display()
                .to_string(),
        }
    }

    /// What a file is called in lists of compose files.
    pub(crate) fn label(&self, path: &str) -> String {
        match self {
            Self::Embedded => format!("builtin:{path}"),
            Self::Directory(_) => Path::new(&self.directory()).join(path).display().to_string(),
        }
    }

    /// The bytes of a file, by its path below the folder with `/` between its parts.
    pub(crate) fn read(&self, path: &str) -> Result<Cow<'static, [u8]>, ComposeError> {
        self.bytes(path).map_err(|source| ComposeError::Unreadable {
            file: self.label(path),
            source,
        })
    }

    /// The same as text.
    pub(crate) fn text(&self, path: &str) -> Result<String, ComposeError> {
        let bytes = self.read(path)?;
        String::from_utf8(bytes.into_owned()).map_err(|_| ComposeError::Unreadable {
            file: self.label(path),
            source: io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8"),
        })
    }

    fn bytes(&self, path: &str) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Self::Embedded => Embedded::get(&normal(path))
                .map(|file| file.data)
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not among the built-in files")),
            Self::Directory(folder) => {
                let path = folder.join(path);
                let size = std::fs::metadata(&path)?.len();
                match size <= MAX_BYTES {
                    true => Ok(Cow::Owned(std::fs::read(path)?)),
                    false => Err(io::Error::new(
                        io::ErrorKind::FileTooLarge,
                        format!("it is larger than {} MiB", MAX_BYTES >> 20),
                    )),
                }
            }
        }
    }

    /// Paths of all files below a folder, in the bytewise order of the whole paths.
    pub(crate) fn below(&self, folder: &str) -> Result<Vec<String>, ComposeError> {
        let mut paths = BTreeSet::new();
        match self {
            Self::Embedded => paths.extend(
                Embedded::iter()
                    .filter(|path| below(path, folder))
                    .map(Cow::into_owned),
            ),
            Self::Directory(top) => {
                collect(top, &top.join(folder), &mut paths).map_err(|source| ComposeError::Unreadable {
                    file: self.label(folder),
                    source,
                })?
            }
        }
        Ok(paths.into_iter().collect())
    }

    /// Folders of this binary that have a file of this name, in their order.
    pub(crate) fn embedded_folders_with(name: &str) -> BTreeSet<String> {
        let folder = |path: Cow<'static, str>| {
            let (folder, file) = path.split_once('/')?;
            (file == name).then(|| folder.to_owned())
        };
        Embedded::iter().filter_map(folder).collect()
    }

    /// The script that builds the offline images, as it was when this binary was built. It belongs to the recipes, wherever these are.
    pub(crate) fn image_script() -> Cow<'static, [u8]> {
        Scripts::get("images.sh")
            .map(|file| file.data)
            .unwrap_or_default()
    }
}

fn below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Without `.` and `..`, as embedded files are called.
fn normal(path: &str) -> String {
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts.join("/")
}

fn collect(top: &Path, folder: &Path, paths: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(top, &path, paths)?;
        } else if let Ok(relative) = path.strip_prefix(top) {
            paths.insert(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> Files {
        Files::of(&Source::Directory(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
        ))
        .unwrap()
    }

    #[test]
    fn the_binary_carries_what_the_checkout_has() {
        let folder = checkout();
        for path in [COMPOSE, "offline.yaml", ".env"] {
            assert_eq!(
                Files::Embedded.read(path).unwrap(),
                folder.read(path).unwrap(),
                "{path}"
            );
        }
        for part in ["images", "prometheus", "grafana", "alertmanager"] {
            let there: Vec<String> = folder
                .below(part)
                .unwrap()
                .into_iter()
                .filter(|path| !path.contains("/tests/"))
                .collect();
            assert_eq!(Files::Embedded.below(part).unwrap(), there);
            for path in there {
                assert_eq!(
                    Files::Embedded.read(&path).unwrap(),
                    folder.read(&path).unwrap(),
                    "{path}"
                );
            }
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/images.sh");
        assert_eq!(Files::image_script(), std::fs::read(script).unwrap());
    }

    #[test]
    fn what_only_builds_the_image_of_the_roles_is_not_carried() {
        assert_eq!(Files::Embedded.below("odd").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_directory_without_compose_files_is_told() {
        let empty = tempfile::tempdir().unwrap();
        let error = Files::of(&Source::Directory(empty.path().to_owned())).unwrap_err();
        assert!(matches!(error, ComposeError::NoComposeFile { .. }), "{error}");
        assert!(error.remedy().contains("--project-dir"));
    }

    #[test]
    fn paths_are_found_however_they_are_written() {
        assert_eq!(
            normal("./prometheus/../prometheus/rules.yml"),
            "prometheus/rules.yml"
        );
        assert!(Files::Embedded.read("./compose.yaml").is_ok());
        assert!(Files::Embedded.read("../Cargo.toml").is_err());
    }
}
