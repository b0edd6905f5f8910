//! Configuration files on their way into a container.
//!
//! The engine may run on another machine, so nothing is bind-mounted: the files are uploaded before the container is started. Into a container
//! whose root cannot be written they can only be put inside a volume, so their directory is an anonymous one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::compose::{ConfigMount, Service};

/// Files for one directory of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::docker) struct Upload {
    /// The directory, which is a volume.
    pub(in crate::docker) directory: String,
    /// The files as a tar archive.
    pub(in crate::docker) archive: Vec<u8>,
}

/// Directories for which a service needs anonymous volumes.
pub(in crate::docker) fn volumes(service: &Service) -> Vec<String> {
    let covered = |directory: &str| {
        service
            .mounts
            .iter()
            .any(|mount| is_within(directory, mount.target()))
    };
    directories(service)
        .into_keys()
        .filter(|directory| !covered(directory))
        .collect()
}

/// What has to be put into a container of a service before it starts.
pub(in crate::docker) fn uploads(service: &Service) -> io::Result<Vec<Upload>> {
    directories(service)
        .into_iter()
        .map(|(directory, files)| {
            let archive = archive(&directory, &files)?;
            Ok(Upload { directory, archive })
        })
        .collect()
}

/// The files of a service by the directory that becomes a volume: the deepest one that they have in common, unless that is one that
/// belongs to the image, such as `/etc`; then each file's own.
fn directories(service: &Service) -> BTreeMap<String, Vec<&ConfigMount>> {
    let parents = service
        .configs
        .iter()
        .map(|config| parent(&config.target).to_owned());
    let shared = parents.reduce(|a, b| common(&a, &b));
    let one = shared.filter(|directory| directory.matches('/').count() > 1);
    let mut found: BTreeMap<String, Vec<&ConfigMount>> = BTreeMap::new();
    for config in &service.configs {
        let directory = one.clone().unwrap_or_else(|| parent(&config.target).to_owned());
        found.entry(directory).or_default().push(config);
    }
    found
}

// Paths in containers have slashes, whatever the system of this machine has.

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn is_within(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn common(a: &str, b: &str) -> String {
    let parts = a.split('/').zip(b.split('/'));
    let same: Vec<&str> = parts.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    same.join("/")
}

/// Owned by root and without times, so that the same files are the same bytes.
fn archive(directory: &str, files: &[&ConfigMount]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut made = BTreeSet::new();
    for file in files {
        let path = file
            .target
            .strip_prefix(directory)
            .unwrap_or(&file.target)
            .trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            if made.insert(&path[..end]) {
                archive.append_data(
                    &mut header(tar::EntryType::Directory, 0o755, 0),
                    &path[..end],
                    io::empty(),
                )?;
            }
        }
        let content = &file.content.0;
        let mut header = header(tar::EntryType::Regular, file.mode, content.len());
        header.set_uid(u64::from(file.uid));
        header.set_gid(u64::from(file.gid));
        archive.append_data(&mut header, path, &content[..])?;
    }
    archive.into_inner()
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use super::*;
    use crate::compose::{ConfigFile, Mount};
    use crate::docker::sample;

    fn config(target: &str, content: &str) -> ConfigMount {
        ConfigMount {
            source: "x".to_owned(),
            target: target.to_owned(),
            uid: 7,
            gid: 8,
            mode: 0o440,
            content: ConfigFile(Arc::from(content.as_bytes())),
        }
    }

    #[test]
    fn files_below_one_directory_go_into_one_volume() {
        let mut service = sample::service("prometheus");
        assert!(volumes(&service).is_empty());
        service.configs = vec![
            config("/etc/odd/prometheus.yml", "a"),
            config("/etc/odd/rules/deep/x.yml", "bc"),
        ];
        assert_eq!(volumes(&service), ["/etc/odd"]);
        let uploads = uploads(&service).unwrap();
        assert_eq!(uploads.len(), 1);
        let mut archive = tar::Archive::new(&uploads[0].archive[..]);
        let entries: Vec<(String, u32, String)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, entry.header().mode().unwrap(), text)
            })
            .collect();
        let expected = [
            ("prometheus.yml", 0o440, "a"),
            ("rules", 0o755, ""),
            ("rules/deep", 0o755, ""),
            ("rules/deep/x.yml", 0o440, "bc"),
        ];
        assert_eq!(
            entries,
            expected.map(|(path, mode, text)| (path.to_owned(), mode, text.to_owned()))
        );
    }

    #[test]
    fn a_directory_of_the_image_is_not_replaced_as_a_whole() {
        let mut service = sample::service("x");
        service.configs = vec![config("/etc/a/one", "1"), config("/etc/b/two", "2")];
        assert_eq!(volumes(&service), ["/etc/a", "/etc/b"]);
        service.configs = vec![config("/etc/one", "1")];
        assert_eq!(volumes(&service), ["/etc"]);
    }

    #[test]
    fn a_directory_within_a_volume_needs_no_other() {
        let mut service = sample::service("x");
        service.configs = vec![config("/data/conf/one", "1")];
        service.mounts = vec![Mount::Volume {
            source: Some("data".to_owned()),
            target: "/data/".to_owned(),
            read_only: false,
            no_copy: false,
        }];
        assert!(volumes(&service).is_empty());
        assert_eq!(uploads(&service).unwrap()[0].directory, "/data/conf");
        service.configs = vec![config("/database/one", "1")];
        assert_eq!(
            volumes(&service),
            ["/database"],
            "a path that only begins alike is not within"
        );
    }
}
