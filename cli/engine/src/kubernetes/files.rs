//! The files of `k8s/` and the folders of `compose/` that they refer to: those that this binary carries, or those of a directory.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use tempfile::TempDir;

use super::{KubernetesError, Overlay};
use crate::compose::files::Files;
use crate::compose::{ComposeError, Source};
use crate::export::{self, ExportError, File};

/// The folder of the manifests.
const FOLDER: &str = "k8s";
/// What shows that a directory has it.
const BASE: &str = "k8s/base/kustomization.yaml";
/// The file that makes a folder one of kustomize's.
const KUSTOMIZATION: &str = "kustomization.yaml";

#[derive(RustEmbed)]
#[folder = "../../k8s"]
struct Embedded;

/// Everything that this binary carries for Kubernetes, laid out as in a checkout: `k8s/` and, of `compose/`, the configuration that
/// kustomizations make ConfigMaps of.
///
/// # Errors
/// Never, unless the binary was built of files that do not agree.
pub fn files() -> Result<Vec<File>, ComposeError> {
    let manifest = |path: Cow<'static, str>| {
        let content = Embedded::get(&path).map(|file| file.data).unwrap_or_default();
        File::new(format!("{FOLDER}/{path}"), content)
    };
    let mut all: Vec<File> = Embedded::iter().map(manifest).collect();
    for folder in Files::embedded_folders_with(KUSTOMIZATION) {
        for path in Files::Embedded.below(&folder)? {
            let content = Files::Embedded.read(&path)?;
            all.push(File::new(format!("compose/{path}"), content));
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

/// Manifests in a directory, where kustomize finds them.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    /// Removes what was unpacked.
    _unpacked: Option<TempDir>,
}

impl Tree {
    /// Those of a directory stay where they are; those of this binary are unpacked into one that only this user can read, and that goes
    /// with the value.
    ///
    /// # Errors
    /// A directory without manifests, and whatever the file system refuses.
    pub fn of(source: &Source) -> Result<Self, KubernetesError> {
        match source {
            Source::Directory(directory) if directory.join(BASE).is_file() => Ok(Self {
                root: std::path::absolute(directory).unwrap_or_else(|_| directory.clone()),
                _unpacked: None,
            }),
            Source::Directory(directory) => Err(KubernetesError::NoManifests {
                directory: directory.display().to_string(),
            }),
            Source::Embedded => Self::unpack(),
        }
    }

    fn unpack() -> Result<Self, KubernetesError> {
        let refused = |action, path: &Path, source| KubernetesError::Io {
            action,
            path: path.to_owned(),
            source,
        };
        let temporary = std::env::temp_dir();
        let mut builder = tempfile::Builder::new();
        builder.prefix("odd-k8s-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder
            .tempdir()
            .map_err(|source| refused("make a folder in", &temporary, source))?;
        let files = files()
            .map_err(|error| refused("unpack files into", folder.path(), std::io::Error::other(error)))?;
        export::write(&files, folder.path(), false).map_err(|error| match error {
            ExportError::Io { action, path, source } => refused(action, &path, source),
            other @ ExportError::Exists { .. } => {
                refused("unpack files into", folder.path(), std::io::Error::other(other))
            }
        })?;
        Ok(Self {
            root: folder.path().to_owned(),
            _unpacked: Some(folder),
        })
    }

    /// The directory that holds `k8s/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of an overlay.
    pub fn overlay(&self, overlay: Overlay) -> PathBuf {
        self.root.join(overlay.folder())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Paths of the files below a folder of the checkout.
    fn below(folder: &str) -> BTreeSet<String> {
        let files = Files::Directory(checkout());
        files.below(folder).unwrap().into_iter().collect()
    }

    #[test]
    fn the_binary_carries_what_the_checkout_has() {
        let carried = files().unwrap();
        for file in &carried {
            let there = std::fs::read(checkout().join(&file.path)).unwrap();
            assert!(there == *file.content, "{}", file.path);
        }
        let paths: BTreeSet<String> = carried.iter().map(|file| file.path.clone()).collect();
        assert_eq!(paths.len(), carried.len(), "no path stands here twice");
        let (manifests, configuration): (BTreeSet<_>, BTreeSet<_>) =
            paths.into_iter().partition(|path| path.starts_with("k8s/"));
        assert_eq!(manifests, below("k8s"));
        let folders = ["alertmanager", "grafana", "prometheus", "rabbitmq"];
        let expected = folders.iter().flat_map(|name| below(&format!("compose/{name}")));
        let expected: BTreeSet<String> = expected.filter(|path| !path.contains("/tests/")).collect();
        assert_eq!(configuration, expected);
    }

    #[test]
    fn what_is_unpacked_goes_with_the_value() {
        let tree = Tree::of(&Source::Embedded).unwrap();
        let root = tree.root().to_owned();
        assert!(tree.overlay(Overlay::Kind).join(KUSTOMIZATION).is_file());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&root).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others must not see it: {mode:o}");
        }
        drop(tree);
        assert!(!root.exists());
    }

    #[test]
    fn those_of_a_directory_stay_where_they_are() {
        let tree = Tree::of(&Source::Directory(checkout())).unwrap();
        assert!(tree.overlay(Overlay::Production).is_dir());
        drop(tree);
        assert!(checkout().join(BASE).is_file());
        let empty = tempfile::tempdir().unwrap();
        let error = Tree::of(&Source::Directory(empty.path().to_owned())).unwrap_err();
        assert!(matches!(error, KubernetesError::NoManifests { .. }), "{error}");
    }
}
