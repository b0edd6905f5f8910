//! What is kept where a check fails: everything that tells why, in one folder.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use odd_client::{EventQuery, HttpOptions, JobQuery, RawRequest, RoleClient};
use odd_contracts::{Role, Timestamp};
use odd_engine::docker::{self, LogOptions};
use odd_engine::kubernetes::{self, ClusterFile};
use odd_engine::{Instance, embedded, platform};
use serde::Serialize;

use super::gate::{Shared, text};
use super::report;
use super::stack::chain;
use super::{Args, Gated};
use crate::context::Context;
use crate::engine::Engine;
use crate::error::Error;

/// Longest time that one part may take to be read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of each log, newest.
const LINES: usize = 20_000;
/// Events, newest.
const EVENTS: usize = 5_000;
/// Jobs, newest.
const JOBS: usize = 1_000;
/// Events and jobs of one page.
const PAGE: usize = 200;
/// What the folder has instead of what could not be read.
const MISSING: &str = "missing.txt";

/// Documents of the read-model.
const READ_MODEL: [(&str, &str); 5] = [
    ("overview.json", "/overview"),
    ("stats.json", "/stats"),
    ("alerts.json", "/alerts"),
    ("alert-history.json", "/alerts/history"),
    ("dead-letters.json", "/dead-letters?limit=100"),
];
/// Documents of the servers of a stack.
const SERVERS: [(&str, &str, &str); 5] = [
    ("prometheus", "targets.json", "/api/v1/targets"),
    ("prometheus", "alerts.json", "/api/v1/alerts"),
    ("prometheus", "rules.json", "/api/v1/rules"),
    ("alertmanager", "alerts.json", "/api/v2/alerts"),
    ("alertmanager", "status.json", "/api/v2/status"),
];

/// A folder that is being filled.
struct Folder {
    path: PathBuf,
    /// What could not be read or written, and why.
    missing: Mutex<BTreeMap<String, String>>,
}

/// Keeps everything that tells why checks failed. None where nothing can be written, which is told.
pub(super) async fn keep(context: &Context, shared: &Shared, gated: &Gated, args: &Args) -> Option<PathBuf> {
    let folder = Folder::make(context, args.keep.as_deref())?;
    folder.put("report.json", json(&report::answer(gated)));
    folder.put(
        "report.xml",
        report::junit(&gated.results, gated.took).to_string(),
    );
    let progress = context.printer.progress(0, "keeping what tells why");
    progress.enable_steady_tick(Duration::from_millis(100));
    tokio::join!(
        folder.documents(context),
        folder.jobs(context),
        folder.events(context),
        folder.metrics(shared, context),
        folder.servers(shared),
        folder.plan(shared, args),
        folder.of_engine(shared.stack().instance(), shared.stack().engine()),
    );
    progress.finish_and_clear();
    Some(folder.close())
}

/// The same of an instance that did not come up: there is nobody to ask but its engine.
pub(super) async fn keep_of_start(
    context: &Context,
    engine: Engine,
    error: &Error,
    wanted: Option<&Path>,
) -> Option<PathBuf> {
    let folder = Folder::make(context, wanted)?;
    let causes = error.cause.chain().map(ToString::to_string);
    let lines: Vec<String> = std::iter::once(format!("failed to {}", error.action))
        .chain(causes)
        .chain(error.details.iter().cloned())
        .collect();
    folder.put("error.txt", Ok::<_, String>(lines.join("\n")));
    folder.of_engine(&context.instance, engine).await;
    Some(folder.close())
}

impl Folder {
    fn make(context: &Context, wanted: Option<&Path>) -> Option<Self> {
        let path = wanted.map_or_else(|| default(&context.instance), Path::to_path_buf);
        let made = std::fs::create_dir_all(&path).and_then(|()| platform::make_private(&path));
        if let Err(error) = made {
            let path = path.display();
            context
                .printer
                .warn(&format!("nothing is kept: {path} cannot be made: {error}"));
            return None;
        }
        Some(Self {
            path: std::path::absolute(&path).unwrap_or(path),
            missing: Mutex::default(),
        })
    }

    fn put(&self, name: &str, content: Result<impl AsRef<[u8]>, impl Display>) {
        let path = self.path.join(name);
        let written = content.map_err(|error| error.to_string()).and_then(|content| {
            path.parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, content))
                .map_err(|error| error.to_string())
        });
        if let Err(why) = written {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            missing.insert(name.to_owned(), why);
        }
    }

    async fn fetch(&self, name: &str, content: impl Future<Output = Result<Vec<u8>, String>>) {
        let content = tokio::time::timeout(PATIENCE, content).await;
        self.put(
            name,
            content.unwrap_or_else(|_| Err("no answer in time".to_owned())),
        );
    }

    /// Tells what is missing.
    fn close(self) -> PathBuf {
        let missing = self.missing.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !missing.is_empty() {
            let lines: Vec<String> = missing
                .iter()
                .map(|(name, why)| format!("{name}: {why}\n"))
                .collect();
            // Where this cannot be written either, the folder says enough by what it lacks.
            let _ = std::fs::write(self.path.join(MISSING), lines.concat());
        }
        self.path
    }

    async fn documents(&self, context: &Context) {
        let base = context.url(Role::ReadModel);
        for (name, path) in READ_MODEL {
            self.fetch(name, document(&base, path)).await;
        }
    }

    async fn jobs(&self, context: &Context) {
        let jobs = async {
            let read_model = context.read_model().map_err(|error| error.cause.to_string())?;
            let (mut lines, mut cursor) = (Vec::new(), None);
            loop {
                let query = JobQuery {
                    cursor,
                    limit: Some(PAGE),
                    ..JobQuery::default()
                };
                let page = read_model.jobs(&query).await.map_err(text)?;
                lines.extend(page.jobs.iter().map(line));
                cursor = page.next_cursor;
                if cursor.is_none() || lines.len() >= JOBS {
                    return Ok(lines.concat().into_bytes());
                }
            }
        };
        self.fetch("jobs.ndjson", jobs).await;
    }

    async fn events(&self, context: &Context) {
        let events = async {
            let read_model = context.read_model().map_err(|error| error.cause.to_string())?;
            let (mut lines, mut cursor) = (Vec::new(), None);
            loop {
                let query = EventQuery {
                    cursor,
                    limit: Some(PAGE),
                    ..EventQuery::default()
                };
                let page = read_model.events(&query).await.map_err(text)?;
                lines.extend(page.events.iter().map(line));
                cursor = page.next_cursor;
                if cursor.is_none() || lines.len() >= EVENTS {
                    return Ok(lines.concat().into_bytes());
                }
            }
        };
        self.fetch("events.ndjson", events).await;
    }

    /// What each role exposes; of those that cannot be called from here, what Prometheus scraped last.
    async fn metrics(&self, shared: &Shared, context: &Context) {
        for role in Role::ALL {
            if shared.stack().publishes(role) {
                let base = context.url(role);
                self.fetch(&format!("metrics/{role}.txt"), document(&base, "/metrics"))
                    .await;
            } else {
                let scraped = async {
                    let points = shared
                        .stack()
                        .prometheus()?
                        .points_of_service(role.name())
                        .await?;
                    json(&points)
                };
                self.fetch(&format!("metrics/{role}.json"), scraped).await;
            }
        }
    }

    async fn servers(&self, shared: &Shared) {
        for (server, name, path) in SERVERS {
            if let Some(port) = shared.stack().port(server) {
                let base = format!("http://127.0.0.1:{port}");
                self.fetch(&format!("{server}/{name}"), document(&base, path))
                    .await;
            }
        }
    }

    /// What differs from what was asked for.
    async fn plan(&self, shared: &Shared, args: &Args) {
        let planning = shared.stack().plan(args.own.project_dir.clone());
        match tokio::time::timeout(PATIENCE, planning).await {
            Ok(Some(plan)) => self.put("plan.json", plan.and_then(|plan| json(&plan))),
            Ok(None) => {}
            Err(_) => self.put("plan.json", Err::<&[u8], _>("no answer in time")),
        }
    }

    /// State and logs, as the engine has them.
    async fn of_engine(&self, instance: &Instance, engine: Engine) {
        match engine {
            Engine::Embedded => self.of_process(instance).await,
            Engine::Docker => self.of_containers(instance).await,
            Engine::Kubernetes => self.of_cluster(instance).await,
        }
    }

    async fn of_process(&self, instance: &Instance) {
        let status = async {
            let status = embedded::status(instance).await.map_err(chain)?;
            json(&status.roles)
        };
        self.fetch("status.json", status).await;
        let log = embedded::tail(&instance.log_file(), LINES);
        self.put("logs/odd.log", log.map(|lines| lines.join("\n")));
    }

    async fn of_cluster(&self, instance: &Instance) {
        let status = async {
            let file = ClusterFile::of(instance).map_err(chain)?;
            let file = file.ok_or_else(|| "it is in no cluster".to_owned())?;
            json(&kubernetes::status(instance, &file).await.map_err(chain)?)
        };
        self.fetch("status.json", status).await;
    }

    async fn of_containers(&self, instance: &Instance) {
        let status = async { json(&docker::status(instance).await.map_err(chain)?) };
        self.fetch("status.json", status).await;
        let logs = tokio::time::timeout(PATIENCE, logs(instance)).await;
        match logs.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(logs) => logs.into_iter().for_each(|(container, log)| {
                self.put(&format!("logs/{container}.log"), Ok::<_, String>(log));
            }),
            Err(why) => self.put("logs", Err::<&[u8], _>(why)),
        }
    }
}

/// The log of each container.
async fn logs(instance: &Instance) -> Result<BTreeMap<String, String>, String> {
    let options = LogOptions {
        tail: Some(LINES),
        ..LogOptions::default()
    };
    let lines = docker::logs(instance, &options).await.map_err(chain)?;
    let mut logs: BTreeMap<String, String> = BTreeMap::new();
    let mut lines = lines.boxed();
    while let Some(line) = lines.try_next().await.map_err(chain)? {
        let log = logs
            .entry(format!("{}-{}", line.service, line.number))
            .or_default();
        log.push_str(&line.line);
        log.push('\n');
    }
    Ok(logs)
}

/// The body of a document, whatever its status says of it.
async fn document(base: &str, path: &str) -> Result<Vec<u8>, String> {
    let options = HttpOptions {
        timeout: PATIENCE,
        ..HttpOptions::default()
    };
    let client = RoleClient::new(base, options).map_err(text)?;
    let answer = client.exchange(RawRequest::get(path)).await.map_err(text)?;
    if answer.status == 200 {
        Ok(answer.body.to_vec())
    } else {
        Err(format!(
            "HTTP {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        ))
    }
}

fn json(document: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(document).map_err(|error| error.to_string())
}

fn line(document: &impl Serialize) -> String {
    let text = serde_json::to_string(document);
    text.map(|text| text + "\n").unwrap_or_default()
}

/// `failures/INSTANCE-TIME`, with a time that sorts.
fn default(instance: &Instance) -> PathBuf {
    let time: String = Timestamp::now()
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .take("20260131T120000".len())
        .collect();
    let failures = instance.home.path().join("failures");
    failures.join(format!("{}-{time}", instance.name))
}
