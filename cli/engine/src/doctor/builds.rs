//! Which build the roles that run are of, beside this one.

use std::time::Duration;

use futures::future::join_all;
use odd_client::{HttpOptions, RoleClient};
use odd_contracts::api::Health;
use odd_contracts::{Role, build};

/// Time that a role may take to tell what it runs.
const PATIENCE: Duration = Duration::from_secs(2);

/// A build of the product, by what it tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Build {
    version: String,
    /// None where it was built without being told.
    commit: Option<String>,
}

impl Build {
    /// That of this process.
    pub(super) fn own() -> Self {
        Self {
            version: odd_contracts::VERSION.to_owned(),
            commit: build::commit().map(str::to_owned),
        }
    }

    /// Whether it is certainly another one: of another version, or of another commit where both know theirs.
    fn differs(&self, other: &Self) -> bool {
        let commits = self.commit.as_ref().zip(other.commit.as_ref());
        self.version != other.version || commits.is_some_and(|(one, two)| one != two)
    }
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.version)?;
        match &self.commit {
            Some(commit) => write!(f, " of commit {commit}"),
            None => Ok(()),
        }
    }
}

/// What the roles told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Those that did not answer.
    pub(super) silent: Vec<&'static str>,
    /// Those that run another build than `own`, with that build.
    pub(super) differing: Vec<String>,
}

impl Told {
    /// Asks each of these roles, at its port of this machine.
    pub(super) async fn by(roles: impl IntoIterator<Item = (Role, u16)>, own: &Build) -> Self {
        let asked = roles
            .into_iter()
            .map(|(role, port)| async move { (role, ask(port).await) });
        let mut told = Self::default();
        for (role, build) in join_all(asked).await {
            match build {
                None => told.silent.push(role.name()),
                Some(build) if build.differs(own) => told.differing.push(format!("{role} {build}")),
                Some(_) => {}
            }
        }
        told
    }
}

async fn ask(port: u16) -> Option<Build> {
    let options = HttpOptions {
        timeout: PATIENCE,
        ..HttpOptions::default()
    };
    let client = RoleClient::new(&format!("http://127.0.0.1:{port}"), options).ok()?;
    let Health { version, commit, .. } = client.healthz().await.ok()?;
    Some(Build { version, commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, commit: Option<&str>) -> Build {
        Build {
            version: version.to_owned(),
            commit: commit.map(str::to_owned),
        }
    }

    #[test]
    fn a_build_differs_by_its_version_or_by_a_commit_that_both_know() {
        let own = of("1.0.0", Some("aaa"));
        for (other, differs) in [
            (of("1.0.0", Some("aaa")), false),
            (of("1.0.0", Some("bbb")), true),
            (of("1.0.0", None), false),
            (of("1.0.1", None), true),
            (of("1.0.1", Some("aaa")), true),
        ] {
            assert_eq!(own.differs(&other), differs, "{other}");
            assert_eq!(other.differs(&own), differs, "{other}");
        }
    }

    /// A listener that answers as a role of this build does.
    async fn role_of(build: Build) -> u16 {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let health = Health {
            status: "ok".to_owned(),
            service: "gateway".to_owned(),
            version: build.version,
            commit: build.commit,
            checks: Default::default(),
        };
        let answer = serde_json::to_string(&health).expect("it is JSON");
        let routes = axum::Router::new().route(
            "/healthz",
            axum::routing::get(|| async move { ([("content-type", "application/json")], answer) }),
        );
        tokio::spawn(async move { axum::serve(listener, routes).await });
        port
    }

    #[tokio::test]
    async fn roles_that_run_another_build_are_named_with_it() {
        let own = of("1.0.0", Some("aaa"));
        let gone = {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
            listener.local_addr().expect("its address").port()
        };
        let roles = [
            (Role::Gateway, role_of(own.clone()).await),
            (Role::Processor, role_of(of("1.0.0", Some("bbb"))).await),
            (Role::ReadModel, role_of(of("0.9.0", None)).await),
            (Role::Web, gone),
        ];
        let told = Told::by(roles, &own).await;
        assert_eq!(
            told.differing,
            ["processor 1.0.0 of commit bbb", "read-model 0.9.0"]
        );
        assert_eq!(told.silent, ["web"]);
    }
}
