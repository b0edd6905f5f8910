//! Kubeconfigs, as kubectl finds them: the one that is named, those of `KUBECONFIG`, or the one of the home directory.
//!
//! They are read by the reader of every other YAML here; a second one would be a twentieth of the whole program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use directories::BaseDirs;
use kube::config::{ExecConfig, Kubeconfig};

use super::ClusterError;
use crate::compose::json;
use crate::error::chain;

/// The kubeconfig of a path, else of the places where kubectl looks for it.
///
/// # Errors
/// [`ClusterError::NoKubeconfig`] and [`ClusterError::Kubeconfig`].
pub(super) fn read(path: Option<&Path>) -> Result<Kubeconfig, ClusterError> {
    let (named, home) = (std::env::var_os("KUBECONFIG"), BaseDirs::new());
    let paths = match path {
        Some(path) => vec![path.to_owned()],
        None => places(named, home.as_ref().map(BaseDirs::home_dir)),
    };
    let mut merged = None;
    for path in &paths {
        let Some(file) = read_one(path)? else { continue };
        merged = Some(match merged {
            Some(before) => Kubeconfig::merge(before, file).map_err(|error| unusable(path, chain(&error)))?,
            None => file,
        });
    }
    merged.ok_or_else(|| ClusterError::NoKubeconfig {
        at: paths.into_iter().next(),
    })
}

/// Where to look: `KUBECONFIG` names one or several, of which some may be missing.
fn places(named: Option<OsString>, home: Option<&Path>) -> Vec<PathBuf> {
    let named = named.filter(|named| !named.is_empty());
    match named {
        Some(named) => std::env::split_paths(&named)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => home
            .map(|home| home.join(".kube").join("config"))
            .into_iter()
            .collect(),
    }
}

/// None where there is no such file.
fn read_one(path: &Path) -> Result<Option<Kubeconfig>, ClusterError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, error.to_string())),
    };
    let name = path.display().to_string();
    // The place in the file is told by the error.
    let mut documents = json::documents(&name, &text).map_err(|error| ClusterError::Kubeconfig {
        reason: chain(&error),
    })?;
    if documents.len() > 1 {
        return Err(unusable(path, "it holds several documents"));
    }
    let Some(document) = documents.pop() else {
        return Ok(Some(Kubeconfig::default()));
    };
    let mut file: Kubeconfig =
        serde_json::from_value(document).map_err(|error| unusable(path, error.to_string()))?;
    locate(&mut file, path.parent().unwrap_or(Path::new("")));
    Ok(Some(file))
}

/// Paths in a kubeconfig are seen from where it is.
fn locate(file: &mut Kubeconfig, directory: &Path) {
    for cluster in file
        .clusters
        .iter_mut()
        .filter_map(|named| named.cluster.as_mut())
    {
        absolute(&mut cluster.certificate_authority, directory);
    }
    for user in file
        .auth_infos
        .iter_mut()
        .filter_map(|named| named.auth_info.as_mut())
    {
        absolute(&mut user.client_certificate, directory);
        absolute(&mut user.client_key, directory);
        absolute(&mut user.token_file, directory);
        if let Some(ExecConfig { command, .. }) = &mut user.exec {
            // One without a separator is looked for on the `PATH`.
            let is_path = |command: &String| command.contains(std::path::MAIN_SEPARATOR);
            if command.as_ref().is_some_and(is_path) {
                absolute(command, directory);
            }
        }
    }
}

fn absolute(path: &mut Option<String>, directory: &Path) {
    let Some(relative) = path.as_ref().filter(|path| Path::new(path).is_relative()) else {
        return;
    };
    let joined = directory.join(relative);
    *path = Some(
        std::path::absolute(&joined)
            .unwrap_or(joined)
            .display()
            .to_string(),
    );
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> ClusterError {
    ClusterError::Kubeconfig {
        reason: format!("{}: {reason}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `kubectl config` writes them.
    const FILE: &str = "\
apiVersion: v1
kind: Config
preferences: {}
current-context: one
clusters:
- name: c
  cluster:
    certificate-authority: ca/cert.pem
    server: https://127.0.0.1:6443
contexts:
- name: one
  context:
    cluster: c
    user: u
users:
- name: u
  user:
    token: \"0123\"
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: bin/login
      interactiveMode: Never
- name: plain
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
";

    #[test]
    fn paths_are_seen_from_the_file_and_plain_commands_from_the_path() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config");
        // A command with the separator of the system in it is a path.
        let command = format!("bin{}login", std::path::MAIN_SEPARATOR);
        std::fs::write(&path, FILE.replace("bin/login", &command)).unwrap();
        let file = read(Some(&path)).unwrap();
        let cluster = file.clusters[0].cluster.as_ref().unwrap();
        let seen = |folder: &str, name: &str| Some(home.path().join(folder).join(name).display().to_string());
        assert_eq!(cluster.certificate_authority, seen("ca", "cert.pem"));
        let command = |index: usize| {
            let user = file.auth_infos[index].auth_info.as_ref()?;
            user.exec.as_ref()?.command.clone()
        };
        assert_eq!(command(0), seen("bin", "login"));
        assert_eq!(command(1).as_deref(), Some("aws"));
    }

    #[test]
    fn several_are_one_the_first_counts_and_those_that_are_missing_do_not() {
        let home = tempfile::tempdir().unwrap();
        let first = home.path().join("first");
        let second = home.path().join("second");
        std::fs::write(
            &first,
            FILE.replace("current-context: one", "current-context: two"),
        )
        .unwrap();
        std::fs::write(&second, FILE.replace("name: one", "name: two")).unwrap();
        let listed = std::env::join_paths([home.path().join("none"), first, second]).unwrap();
        let places = places(Some(listed), None);
        assert_eq!(places.len(), 3);
        let read: Vec<Kubeconfig> = places.iter().filter_map(|path| read_one(path).unwrap()).collect();
        let [first, second] = read.try_into().unwrap();
        let merged = Kubeconfig::merge(first, second).unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("two"));
        let contexts: Vec<&str> = merged.contexts.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(contexts, ["one", "two"]);
    }

    #[test]
    fn an_empty_name_is_none_and_the_home_directory_is_the_last_resort() {
        let home = Path::new("/home/ada");
        assert_eq!(
            places(Some(OsString::new()), Some(home)),
            [home.join(".kube/config")]
        );
        assert!(places(None, None).is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config");
        for (text, word) in [
            ("{", "config"),
            ("clusters: 3", "config: invalid type"),
            ("a: 1\n---\nb: 2\n", "several documents"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(Some(&path)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
