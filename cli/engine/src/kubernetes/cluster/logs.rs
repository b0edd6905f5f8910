//! What pods write, interleaved.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;

use futures::{AsyncBufReadExt, Stream, StreamExt, TryStreamExt, future, stream};
use k8s_openapi::api::core::v1 as whole;
use kube::api::{ListParams, LogParams};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{WatchStreamExt, watcher::Config};
use kube::{Api, ResourceExt};
use odd_contracts::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::view::{self, Pod};
use super::{Cluster, ClusterError, trouble};

/// Lines that wait to be shown; who writes more waits.
const WAITING: usize = 256;

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Labels of the pods.
    pub labels: String,
    /// Values of the label `app.kubernetes.io/name`; all where empty.
    pub apps: Vec<String>,
    /// Only the last lines of each pod.
    pub tail: Option<i64>,
    /// Go on with what they write from now on.
    pub follow: bool,
}

impl LogOptions {
    fn has(&self, pod: &Pod) -> bool {
        self.apps.is_empty() || trouble::app(pod).is_some_and(|app| self.apps.contains(&app))
    }
}

/// One line of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLine {
    /// The value of its label `app.kubernetes.io/name`, else its name.
    pub app: String,
    /// Its name.
    pub pod: String,
    /// When its node received the line.
    pub at: Option<Timestamp>,
    /// The line without its end.
    pub line: String,
}

/// What the pods of a namespace wrote. Without `follow` it ends, and lines stand in the order in which they were written; with it, as they
/// come, those of pods that are made later too.
///
/// # Errors
/// Where the cluster does not tell which pods there are.
pub async fn logs(
    cluster: &Cluster,
    namespace: &str,
    options: &LogOptions,
) -> Result<stream::BoxStream<'static, PodLine>, ClusterError> {
    let pods = view::pods(cluster, namespace);
    let listed = pods.list(&ListParams::default().labels(&options.labels)).await;
    let listed = listed.map_err(|error| ClusterError::of(format!("list the pods of {namespace}"), &error))?;
    let apps: BTreeSet<String> = listed.items.iter().filter_map(trouble::app).collect();
    if let Some(name) = options.apps.iter().find(|name| !apps.contains(*name)) {
        return Err(ClusterError::NoSuchPart {
            name: name.clone(),
            known: apps.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    let logs: Api<whole::Pod> = Api::namespaced(cluster.client.clone(), namespace);
    if options.follow {
        return Ok(followed(pods, logs, options.clone()).boxed());
    }
    let wanted: Vec<Pod> = listed.items.into_iter().filter(|pod| options.has(pod)).collect();
    let logs = wanted.iter().map(|pod| written(&logs, pod, options));
    let written = future::try_join_all(logs).await?;
    let mut lines: Vec<PodLine> = written.into_iter().flatten().collect();
    // Stable: lines of one pod that were received at once stay in their order.
    lines.sort_by_key(|line| line.at);
    Ok(stream::iter(lines).boxed())
}

fn params(options: &LogOptions) -> LogParams {
    LogParams {
        follow: options.follow,
        tail_lines: options.tail,
        timestamps: true,
        ..LogParams::default()
    }
}

/// What one pod wrote. One that has not begun has written nothing, and one that is gone is gone.
async fn written(
    logs: &Api<whole::Pod>,
    pod: &Pod,
    options: &LogOptions,
) -> Result<Vec<PodLine>, ClusterError> {
    let name = pod.name_any();
    match logs.logs(&name, &params(options)).await {
        Ok(text) => Ok(text.lines().map(|line| parsed(pod, line)).collect()),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => Ok(Vec::new()),
        Err(error) => Err(ClusterError::of(
            format!("read the log of the pod {name}"),
            &error,
        )),
    }
}

/// The node writes `2026-11-22T00:00:00.123456789Z the line`.
fn parsed(pod: &Pod, text: &str) -> PodLine {
    let (at, line) = match text.split_once(' ') {
        Some((time, line)) => (time.parse().ok(), line),
        None => (text.parse().ok(), ""),
    };
    let line = if at.is_some() { line } else { text };
    let name = pod.name_any();
    PodLine {
        app: trouble::app(pod).unwrap_or_else(|| name.clone()),
        pod: name,
        at,
        line: line.to_owned(),
    }
}

/// Lines as they come. What reads them ends with the stream.
fn followed(
    pods: Api<Pod>,
    logs: Api<whole::Pod>,
    options: LogOptions,
) -> impl Stream<Item = PodLine> + Send {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut tasks = JoinSet::new();
    tasks.spawn(follow_all(pods, logs, options, sender));
    stream::unfold((receiver, tasks), |(mut receiver, tasks)| async move {
        let line = receiver.recv().await?;
        Some((line, (receiver, tasks)))
    })
}

async fn follow_all(
    pods: Api<Pod>,
    logs: Api<whole::Pod>,
    options: LogOptions,
    sender: mpsc::Sender<PodLine>,
) {
    let mut readers = JoinSet::new();
    let mut known = HashSet::new();
    let config = Config::default().labels(&options.labels);
    let mut changes = pin!(watcher(pods, config).default_backoff());
    while let Some(change) = changes.next().await {
        match change {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) if options.has(&pod) => {
                let Some(run) = run_of(&pod) else { continue };
                if known.insert(run) {
                    readers.spawn(follow(logs.clone(), pod, options.clone(), sender.clone()));
                }
            }
            // Who may not be asked, and who is away, is asked again by the watcher.
            _ => {}
        }
        // What has ended is of no more interest.
        while readers.try_join_next().is_some() {}
    }
}

/// One run of a pod's containers; none where it has not begun. A container that is started again writes another log.
fn run_of(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let first = status.container_statuses.as_ref()?.first()?;
    let runs = first.state.as_ref()?.running.is_some();
    runs.then(|| format!("{} {}", pod.uid().unwrap_or_default(), first.restart_count))
}

async fn follow(logs: Api<whole::Pod>, pod: Pod, options: LogOptions, sender: mpsc::Sender<PodLine>) {
    let Ok(log) = logs.log_stream(&pod.name_any(), &params(&options)).await else {
        return;
    };
    let mut lines = pin!(log.lines());
    // A log that breaks off is read anew with the next run of the pod.
    while let Ok(Some(line)) = lines.try_next().await {
        if sender.send(parsed(&pod, &line)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "gateway-x", "uid": "1", "labels": {"app.kubernetes.io/name": "gateway"}},
            "spec": {},
            "status": {"containerStatuses": [{
                "name": "gateway", "image": "", "imageID": "", "ready": true, "restartCount": 2, "state": {"running": {}},
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn a_line_is_told_from_the_time_before_it() {
        let line = parsed(&pod(), "2026-11-22T00:00:00.5Z a line");
        assert_eq!(
            (line.app.as_str(), line.pod.as_str(), line.line.as_str()),
            ("gateway", "gateway-x", "a line")
        );
        assert!(line.at.is_some());
        assert_eq!(parsed(&pod(), "2026-11-22T00:00:00.5Z ").line, "");
        let plain = parsed(&pod(), "no time");
        assert_eq!((plain.line.as_str(), plain.at), ("no time", None));
    }

    #[test]
    fn each_run_of_a_container_is_one_log() {
        assert_eq!(run_of(&pod()).as_deref(), Some("1 2"));
    }
}
