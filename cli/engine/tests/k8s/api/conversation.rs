//! A conversation of a test with an API server.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};

use super::exchange::Recording;
use super::proxy::{self, CONTEXT, Proxy, Source};
use super::record::Recorder;
use super::replay::Replay;

/// Names the kubeconfig of a real API server.
const KUBECONFIG: &str = "ODD_TEST_KUBECONFIG";

/// Asks for new recordings.
const RECORD: &str = "ODD_TEST_RECORD";

/// How long a namespace may take to go, with everything in it.
const REMOVAL: Duration = Duration::from_secs(180);

/// An API server for one test. Ends with [`Conversation::finish`]: without that nothing is written, and
/// nothing is compared.
pub(crate) struct Conversation {
    name: String,
    kubeconfig: PathBuf,
    context: String,
    with: With,
}

enum With {
    Real(Cluster),
    Recorder(Proxy, Arc<Recorder>, Cluster),
    Recording(Proxy, Arc<Replay>),
}

/// A real cluster, and what a test makes there.
struct Cluster {
    client: Client,
    namespaces: Vec<String>,
}

impl Conversation {
    /// Begins the conversation of this name. Everything that the test makes is in these namespaces, which are
    /// named after the test (`odd-test-apply`): on a real cluster they are removed before and afterwards,
    /// with all that is in them.
    pub(crate) async fn start(name: &str, namespaces: &[&str]) -> Self {
        let records = std::env::var_os(RECORD).is_some_and(|value| value == "1");
        let Some(real) = std::env::var_os(KUBECONFIG) else {
            assert!(!records, "{RECORD} is set: {KUBECONFIG} has to name a kubeconfig");
            let file = file(name);
            let text = std::fs::read_to_string(&file);
            let text = text.unwrap_or_else(|error| {
                let file = file.display();
                panic!("{file}: {error}. {KUBECONFIG} and {RECORD}=1 record it")
            });
            let recording = Recording::parse(&text);
            say(&format!(
                "recorded conversation {name} (Kubernetes {})",
                recording.version
            ));
            return Self::replay(name, recording).await;
        };
        let real = PathBuf::from(real);
        let cluster = Cluster {
            client: proxy::client(&real, None).await,
            namespaces: namespaces.iter().map(|&namespace| namespace.to_owned()).collect(),
        };
        cluster.clear().await;
        if records {
            Self::record(name, cluster).await
        } else {
            Self::real(name, real, cluster).await
        }
    }

    /// The same on this recording, whatever the environment says.
    pub(crate) async fn replay(name: &str, recording: Recording) -> Self {
        let replay = Arc::new(Replay::of(recording));
        let proxy = Proxy::start(Source::Replay(Arc::clone(&replay))).await;
        Self::through(name, proxy, |proxy| With::Recording(proxy, replay))
    }

    /// The kubeconfig of the server.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The context in the kubeconfig that means the server. It is the current one.
    pub(crate) fn context(&self) -> &str {
        &self.context
    }

    /// A client of the server, for what a test wants to see or to do besides. That is part of the
    /// conversation too.
    pub(crate) async fn client(&self) -> Client {
        proxy::client(self.kubeconfig(), Some(self.context())).await
    }

    /// Ends it. When it is recorded the file is written. When a recording was used, nothing else may have
    /// been asked for, and every change in it must have been.
    pub(crate) async fn finish(self) {
        let name = self.name.clone();
        let problems = self.end().await;
        assert!(
            problems.is_empty(),
            "conversation {name} is not the recorded one. {KUBECONFIG} and {RECORD}=1 record it:\n{}",
            problems.join("\n")
        );
    }

    /// The same, telling what [`Conversation::finish`] would fail with.
    pub(crate) async fn end(self) -> Vec<String> {
        match self.with {
            With::Real(cluster) => cluster.remove().await,
            With::Recording(proxy, replay) => {
                proxy.stop().await;
                return replay.problems();
            }
            With::Recorder(proxy, recorder, cluster) => {
                proxy.stop().await;
                cluster.remove().await;
                match recorder.recording() {
                    Ok(recording) => std::fs::write(file(&self.name), recording.text()).unwrap(),
                    Err(problems) => return problems,
                }
            }
        }
        Vec::new()
    }

    async fn real(name: &str, kubeconfig: PathBuf, cluster: Cluster) -> Self {
        let version = cluster.client.apiserver_version().await.unwrap().git_version;
        say(&format!("real API server for {name} (Kubernetes {version})"));
        let file = kube::config::Kubeconfig::read_from(&kubeconfig).unwrap();
        Self {
            name: name.to_owned(),
            kubeconfig,
            context: file
                .current_context
                .expect("the kubeconfig has a current context"),
            with: With::Real(cluster),
        }
    }

    async fn record(name: &str, cluster: Cluster) -> Self {
        let recorder = Arc::new(Recorder::of(cluster.client.clone()).await.unwrap());
        say(&format!(
            "recording conversation {name} (Kubernetes {})",
            recorder.version()
        ));
        let proxy = Proxy::start(Source::Record(Arc::clone(&recorder))).await;
        Self::through(name, proxy, |proxy| With::Recorder(proxy, recorder, cluster))
    }

    fn through(name: &str, proxy: Proxy, with: impl FnOnce(Proxy) -> With) -> Self {
        Self {
            name: name.to_owned(),
            kubeconfig: proxy.kubeconfig(),
            context: CONTEXT.to_owned(),
            with: with(proxy),
        }
    }
}

impl Cluster {
    /// Removes what an earlier run left, and waits until it is gone.
    async fn clear(&self) {
        let all: Api<Namespace> = Api::all(self.client.clone());
        self.remove().await;
        for name in &self.namespaces {
            let Some(left) = all.get_opt(name).await.unwrap() else {
                continue;
            };
            let uid = left.metadata.uid.expect("what a server has has a uid");
            let gone = await_condition(all.clone(), name, conditions::is_deleted(&uid));
            let gone = tokio::time::timeout(REMOVAL, gone).await;
            gone.unwrap_or_else(|_| panic!("namespace {name} is not gone within {REMOVAL:?}"))
                .unwrap();
        }
    }

    async fn remove(&self) {
        let all: Api<Namespace> = Api::all(self.client.clone());
        for name in &self.namespaces {
            match all.delete(name, &kube::api::DeleteParams::default()).await {
                Ok(_) => {}
                // It is not there, or going already.
                Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
                Err(error) => panic!("namespace {name}: {error}"),
            }
        }
    }
}

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/k8s/api/recorded");
    folder.join(format!("{name}.ndjson"))
}

/// Says it even of a test that passes, whose `println!` nobody sees.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "k8s api: {what}");
}
