//! The compose files for somebody who starts them with Docker Compose.

use std::collections::BTreeSet;

use super::files::Files;
use super::yaml::{self, Value};
use super::{COMPOSE, ComposeError, ENV, OFFLINE, Source, recipe};
use crate::InstanceName;
use crate::export::{Access, File};

/// An overlay for old engines, which the compose file tells of.
const OLD_ENGINE: &str = "old-engine.yaml";
/// The script that builds the offline images, where it expects to be.
const SCRIPT: &str = "scripts/images.sh";
/// What makes Docker Compose take the overlay without being told.
const TAKE_OFFLINE: &str = "
# Docker Compose takes the overlay, too. Its images are built by scripts/images.sh, which has to run first.
COMPOSE_PATH_SEPARATOR=:
COMPOSE_FILE=compose.yaml:offline.yaml
";

/// What is to be exported.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Name of the instance.
    pub instance: InstanceName,
    /// Added to every published port.
    pub port_offset: u16,
    /// With `offline.yaml`, and with what builds its images.
    pub offline: bool,
}

/// Everything that `docker compose up` needs in a directory: compose files, variables, and the configuration that they refer to. Name and ports
/// are those of the instance; passwords are those of `.env`, which everybody knows.
///
/// # Errors
/// Files that cannot be read, and a port that would be none.
pub fn export(source: &Source, options: &ExportOptions) -> Result<Vec<File>, ComposeError> {
    let files = Files::of(source)?;
    let mut all = vec![File::new(COMPOSE, files.read(COMPOSE)?)];
    all.push(variables(&files, options)?);
    if let Ok(content) = files.read(OLD_ENGINE) {
        all.push(File::new(OLD_ENGINE, content));
    }
    for path in configuration(&files)? {
        let content = files.read(&path)?;
        all.push(File::new(path, content));
    }
    if options.offline {
        all.push(File::new(OFFLINE, files.read(OFFLINE)?));
        let recipes = recipe::home(&files);
        for path in recipes.below(recipe::FOLDER)? {
            let content = recipes.read(&path)?;
            all.push(File::new(path, content));
        }
        all.push(File::new(SCRIPT, Files::image_script()).of(Access::Program));
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

/// Paths of the files in the section `configs`.
fn configuration(files: &Files) -> Result<BTreeSet<String>, ComposeError> {
    let tree = yaml::parse(COMPOSE, &files.text(COMPOSE)?)?;
    let Some(Value::Mapping(entries)) = tree.get("configs").map(|node| &node.value) else {
        return Ok(BTreeSet::new());
    };
    let paths = entries.iter().filter_map(|entry| {
        let Value::Scalar { text, .. } = &entry.node.get("file")?.value else {
            return None;
        };
        Some(text.trim_start_matches("./").to_owned())
    });
    Ok(paths.collect())
}

/// `.env` of the instance: every line as it is but for the name and the ports.
fn variables(files: &Files, options: &ExportOptions) -> Result<File, ComposeError> {
    let mut text = String::new();
    for line in files.text(ENV)?.lines() {
        text.push_str(&of_instance(line, options)?);
        text.push('\n');
    }
    if options.offline {
        text.push_str(TAKE_OFFLINE);
    }
    Ok(File::new(ENV, text.into_bytes()).of(Access::Private))
}

fn of_instance(line: &str, options: &ExportOptions) -> Result<String, ComposeError> {
    let (name, value) = line.split_once('=').unwrap_or_default();
    if name == "ODD_INSTANCE" {
        return Ok(format!("{name}={}", options.instance));
    }
    let Some((of, port)) = name.strip_suffix("_PORT").zip(value.parse::<u16>().ok()) else {
        return Ok(line.to_owned());
    };
    let offset = options.port_offset;
    let moved = port
        .checked_add(offset)
        .ok_or_else(|| ComposeError::PortOutOfRange {
            service: of.trim_start_matches("ODD_").to_lowercase().replace('_', "-"),
            port,
            offset,
        })?;
    Ok(format!("{name}={moved}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{LoadOptions, load};
    use crate::export;

    fn options(instance: &str, port_offset: u16, offline: bool) -> ExportOptions {
        ExportOptions {
            instance: instance.parse().unwrap(),
            port_offset,
            offline,
        }
    }

    /// What is exported is what is carried: loaded from there it is the same project.
    #[test]
    fn a_directory_that_was_exported_to_holds_the_same_project() {
        for offline in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let options = options("demo", 100, offline);
            let files = export(&Source::Embedded, &options).unwrap();
            export::write(&files, directory.path(), false).unwrap();
            let of = |source: &Source, port_offset| {
                let mut project = load(
                    source,
                    &LoadOptions {
                        offline,
                        profiles: vec!["tools".to_owned()],
                        variables: [("ODD_INSTANCE".to_owned(), "demo".to_owned())].into(),
                        port_offset,
                        ..LoadOptions::default()
                    },
                )
                .unwrap();
                project.files.clear();
                project.directory.clear();
                project
            };
            let there = of(&Source::Directory(directory.path().to_owned()), 0);
            assert_eq!(there, of(&Source::Embedded, 100));
            assert_eq!(there.name, "odd-demo");
        }
    }

    #[test]
    fn without_an_instance_of_ones_own_the_variables_stay_as_they_are() {
        let plain = options(InstanceName::DEFAULT, 0, false);
        let files = export(&Source::Embedded, &plain).unwrap();
        let env = files.iter().find(|file| file.path == ENV).unwrap();
        assert_eq!(env.content, Files::Embedded.read(ENV).unwrap());
        assert_eq!(env.access, Access::Private);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert!(paths.contains(&"grafana/dashboards/overview.json"), "{paths:?}");
        for other in [OFFLINE, SCRIPT, "grafana/kustomization.yaml"] {
            assert!(!paths.contains(&other), "{other} is of no use here");
        }
    }

    #[test]
    fn the_overlay_comes_with_what_builds_its_images() {
        let files = export(&Source::Embedded, &options("demo", 0, true)).unwrap();
        let find = |path: &str| files.iter().find(|file| file.path == path).unwrap();
        assert_eq!(find(SCRIPT).access, Access::Program);
        assert!(!find("images/base/rootfs.sh").content.is_empty());
        let env = String::from_utf8(find(ENV).content.to_vec()).unwrap();
        assert!(
            env.contains("\nCOMPOSE_FILE=compose.yaml:offline.yaml\n"),
            "{env}"
        );
    }

    #[test]
    fn a_port_beyond_the_last_one_is_refused() {
        let error = export(&Source::Embedded, &options("demo", 50_000, false)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "port 15672 of rabbitmq plus the offset 50000 is beyond 65535"
        );
    }
}
