//! The secrets of an instance: those in its file, those that its containers still know, or new ones.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::query_parameters::InspectContainerOptions;

use crate::compose::{self, LoadOptions, Mount, Project, Service, Source};
use crate::docker::error::call::Asked;
use crate::docker::plan::present::{Container, Present};
use crate::docker::{Credentials, DockerError};
use crate::error::EngineError;
use crate::instance::Instance;

/// What the files are read with to find out where secrets go.
pub(in crate::docker) struct Places<'a> {
    pub(in crate::docker) source: &'a Source,
    pub(in crate::docker) options: &'a LoadOptions,
    /// Every variable that is a secret.
    pub(in crate::docker) variables: &'a [String],
}

/// The secrets of an instance, complete. Nothing is written: [`Credentials::save`] is for when something is made with them.
///
/// # Errors
/// [`DockerError::CredentialsLost`] where volumes were made with secrets that nobody knows any more.
pub(in crate::docker) async fn credentials(
    client: &Docker,
    instance: &Instance,
    present: &Present,
    places: &Places<'_>,
) -> Result<(Credentials, bool), EngineError> {
    let (mut credentials, found) = match Credentials::load(instance)? {
        Some(credentials) => (credentials, true),
        None => (from_containers(client, instance, present, places).await?, false),
    };
    let added = credentials.complete(places.variables.iter().map(String::as_str))?;
    Ok((credentials, added || !found))
}

/// What the environment of the instance's containers tells. Secrets that no data depends on need not be found.
async fn from_containers(
    client: &Docker,
    instance: &Instance,
    present: &Present,
    places: &Places<'_>,
) -> Result<Credentials, EngineError> {
    let mut credentials = Credentials::default();
    if places.variables.is_empty()
        || !present
            .volumes
            .iter()
            .any(|volume| volume.is_of(&places.options.project))
    {
        return Ok(credentials);
    }
    let marked = marked(places)?;
    for container in &present.containers {
        let Some(service) = marked.services.get(container.service()) else {
            continue;
        };
        for (variable, secret) in secrets_of(service, &environment(client, container).await?) {
            credentials.put(&variable, &secret);
        }
    }
    let lost = lost(&marked, present, &credentials);
    if lost.is_empty() {
        return Ok(credentials);
    }
    Err(DockerError::CredentialsLost {
        volumes: lost,
        file: Credentials::file(instance),
    }
    .into())
}

fn mark(variable: &str) -> String {
    format!("odd-secret-of-{variable}-")
}

/// The project with a mark in place of each secret.
fn marked(places: &Places<'_>) -> Result<Project, DockerError> {
    let mut options = places.options.clone();
    for variable in places.variables {
        options.variables.insert(variable.clone(), mark(variable));
    }
    Ok(compose::load(places.source, &options)?)
}

/// Variables whose marks stand in a text.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    text.split("odd-secret-of-")
        .skip(1)
        .filter_map(|rest| rest.split('-').next())
}

/// Secrets that stand in a container's environment where the marks stand in its service's.
fn secrets_of(service: &Service, environment: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, marked) in service.environment.iter() {
        let mut variables = marks(marked);
        // Of a value with several secrets it cannot be told where one ends.
        let (Some(variable), None) = (variables.next(), variables.next()) else {
            continue;
        };
        let Some((before, behind)) = marked.split_once(&mark(variable)) else {
            continue;
        };
        let secret = environment
            .get(name)
            .and_then(|value| value.strip_prefix(before))
            .and_then(|value| value.strip_suffix(behind));
        found.extend(secret.map(|secret| (variable.to_owned(), secret.to_owned())));
    }
    found
}

/// Volumes that are there and were made with secrets that are not known.
fn lost(marked: &Project, present: &Present, credentials: &Credentials) -> Vec<String> {
    let mut lost = Vec::new();
    for service in marked.services.values() {
        let arguments = service.command.iter().chain(&service.entrypoint).flatten();
        let texts = service.environment.values().chain(arguments);
        let unknown = texts
            .flat_map(|text| marks(text))
            .any(|variable| credentials.get(variable).is_none());
        if !unknown {
            continue;
        }
        for mount in &service.mounts {
            let Mount::Volume {
                source: Some(source), ..
            } = mount
            else {
                continue;
            };
            let Some(volume) = marked.volumes.get(source) else {
                continue;
            };
            if present.volumes.iter().any(|there| there.name == volume.name) {
                lost.push(volume.name.clone());
            }
        }
    }
    lost.sort();
    lost.dedup();
    lost
}

async fn environment(
    client: &Docker,
    container: &Container,
) -> Result<BTreeMap<String, String>, DockerError> {
    let seen = client
        .inspect_container(&container.id, None::<InspectContainerOptions>)
        .await;
    let seen = seen.asked(format!("look at {}", container.name))?;
    let lines = seen.config.and_then(|config| config.env).unwrap_or_default();
    let pairs = lines.iter().filter_map(|line| line.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::Volume;
    use crate::docker::plan::present::Thing;
    use crate::docker::sample::{project, service};

    fn with_environment(name: &str, pairs: &[(&str, String)]) -> Service {
        let mut service = service(name);
        service.environment.extend(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        service
    }

    #[test]
    fn a_secret_is_found_where_its_mark_stands() {
        let service = with_environment(
            "gateway",
            &[
                (
                    "URL",
                    format!("amqp://odd:{}@rabbitmq:5672", mark("RABBITMQ_PASSWORD")),
                ),
                ("PLAIN", mark("REDIS_PASSWORD")),
                ("NONE", "x".to_owned()),
            ],
        );
        let environment = BTreeMap::from(
            [
                ("URL", "amqp://odd:s3cret@rabbitmq:5672"),
                ("PLAIN", "other"),
                ("NONE", "x"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let found = secrets_of(&service, &environment);
        let pair = |name: &str, secret: &str| (name.to_owned(), secret.to_owned());
        assert_eq!(
            found,
            [
                pair("REDIS_PASSWORD", "other"),
                pair("RABBITMQ_PASSWORD", "s3cret")
            ]
        );
        let changed = BTreeMap::from([("URL".to_owned(), "amqp://me:x@elsewhere".to_owned())]);
        assert!(secrets_of(&service, &changed).is_empty());
    }

    #[test]
    fn only_volumes_that_were_made_with_an_unknown_secret_are_lost() {
        let mut db = with_environment("db", &[("PASSWORD", mark("DB_PASSWORD"))]);
        db.mounts.push(Mount::Volume {
            source: Some("data".to_owned()),
            target: "/data".to_owned(),
            read_only: false,
            no_copy: false,
        });
        let web = with_environment("web", &[("TOKEN", mark("WEB_TOKEN"))]);
        let mut marked = project(vec![db, web]);
        let name = "odd-t_data".to_owned();
        let volume = Volume {
            name: name.clone(),
            ..Volume::default()
        };
        marked.volumes.insert("data".to_owned(), volume);
        let mut present = Present::default();
        let mut credentials = Credentials::default();
        assert!(
            lost(&marked, &present, &credentials).is_empty(),
            "there is no data"
        );
        present.volumes.push(Thing {
            id: name.clone(),
            name: name.clone(),
            ..Thing::default()
        });
        assert_eq!(lost(&marked, &present, &credentials), [name]);
        credentials.put("DB_PASSWORD", "known");
        assert!(
            lost(&marked, &present, &credentials).is_empty(),
            "the token protects no data"
        );
    }
}
