//! How far each container is, for those that wait for it and for the report.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use tokio::sync::watch;

use crate::compose::{Condition, Dependency};
use crate::docker::plan::wanted::{Wanted, WantedContainer};
use crate::docker::plan::{Action, Plan};

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::docker) enum Phase {
    /// Not made yet.
    Absent,
    /// Made, and waiting for what it depends on.
    Made,
    /// Running, and its health not known.
    Started,
    /// Well, or ended well where that is what it is for.
    Well,
    /// Not well, or never started because of another that is not.
    Lost,
}

#[derive(Clone, Debug)]
struct Entry {
    service: String,
    phase: Phase,
    one_shot: bool,
    kept: bool,
    depends_on: Vec<String>,
    allowed: Option<Instant>,
    well: Option<Instant>,
    /// What its health check said last.
    says: Option<String>,
}

/// How long a container took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::docker) struct Timing {
    pub(in crate::docker) service: String,
    pub(in crate::docker) depends_on: Vec<String>,
    /// Whether it ran before and was left alone.
    pub(in crate::docker) kept: bool,
    /// When what it depends on was ready.
    pub(in crate::docker) allowed: Instant,
    /// When it was well.
    pub(in crate::docker) well: Instant,
}

/// A container that is not well when time is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub(super) service: String,
    /// Its name, where it runs.
    pub(super) running: Option<String>,
    /// What its health check said last.
    pub(super) says: Option<String>,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.running.as_deref().unwrap_or(&self.service);
        match (&self.running, &self.says) {
            (None, _) => write!(f, "{name} (not started)"),
            (Some(_), Some(says)) => write!(f, "{name} ({says})"),
            (Some(_), None) => f.write_str(name),
        }
    }
}

/// How far every container of a project is, by name.
pub(in crate::docker) struct Board {
    entries: watch::Sender<BTreeMap<String, Entry>>,
}

/// What came of waiting for dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dependencies {
    Ready,
    Lost,
}

impl Board {
    pub(in crate::docker) fn new(wanted: &Wanted, plan: &Plan) -> Self {
        let kept = |name: &str| {
            let step = plan
                .containers
                .iter()
                .find(|container| container.step.name == name);
            step.is_some_and(|container| container.step.action == Action::Keep)
        };
        let entry = |container: &WantedContainer| Entry {
            service: container.service.clone(),
            phase: Phase::Absent,
            one_shot: container.one_shot,
            kept: kept(&container.name),
            depends_on: container.depends_on.keys().cloned().collect(),
            allowed: None,
            well: None,
            says: None,
        };
        let entries = wanted
            .containers
            .iter()
            .map(|container| (container.name.clone(), entry(container)));
        Self {
            entries: watch::Sender::new(entries.collect()),
        }
    }

    /// Notes how far a container is.
    pub(super) fn is_now(&self, container: &str, phase: Phase) {
        self.entries.send_modify(|entries| {
            if let Some(entry) = entries.get_mut(container) {
                entry.phase = phase;
                if phase == Phase::Well {
                    entry.well = Some(Instant::now());
                }
            }
        });
    }

    /// Notes that a container may start now.
    pub(super) fn may_start(&self, container: &str) {
        self.change(container, |entry| entry.allowed = Some(Instant::now()));
    }

    /// Notes what a container's health check says.
    pub(super) fn says(&self, container: &str, text: String) {
        self.change(container, |entry| entry.says = Some(text));
    }

    /// Changes what nobody waits for.
    fn change(&self, container: &str, change: impl FnOnce(&mut Entry)) {
        self.entries.send_if_modified(|entries| {
            if let Some(entry) = entries.get_mut(container) {
                change(entry);
            }
            false
        });
    }

    /// Waits until everything that a container depends on is as it shall be, or never will.
    pub(super) async fn dependencies(&self, depends_on: &BTreeMap<String, Dependency>) -> Dependencies {
        let mut changes = self.entries.subscribe();
        loop {
            let states: Vec<Option<bool>> = {
                let entries = changes.borrow_and_update();
                depends_on
                    .iter()
                    .map(|(name, dependency)| satisfied(&entries, name, *dependency))
                    .collect()
            };
            if states.contains(&None) {
                return Dependencies::Lost;
            }
            if states.iter().all(|state| *state == Some(true)) {
                return Dependencies::Ready;
            }
            if changes.changed().await.is_err() {
                return Dependencies::Lost;
            }
        }
    }

    /// How long each container took that is well.
    pub(in crate::docker) fn timings(&self) -> Vec<Timing> {
        let entries = self.entries.borrow();
        let timing = |entry: &Entry| {
            Some(Timing {
                service: entry.service.clone(),
                depends_on: entry.depends_on.clone(),
                kept: entry.kept,
                allowed: entry.allowed?,
                well: entry.well?,
            })
        };
        entries.values().filter_map(timing).collect()
    }

    /// Containers that are there by now.
    pub(super) fn made(&self) -> Vec<String> {
        let entries = self.entries.borrow();
        let there = entries.iter().filter(|(_, entry)| entry.phase != Phase::Absent);
        there.map(|(name, _)| name.clone()).collect()
    }

    /// Services of which a container was not started.
    pub(super) fn not_started(&self) -> Vec<String> {
        let entries = self.entries.borrow();
        let waiting = entries.values().filter(|entry| entry.allowed.is_none());
        let mut services: Vec<String> = waiting.map(|entry| entry.service.clone()).collect();
        services.sort();
        services.dedup();
        services
    }

    /// Containers that are not well.
    pub(super) fn late(&self) -> Vec<Late> {
        let entries = self.entries.borrow();
        let late = entries.iter().filter(|(_, entry)| entry.phase != Phase::Well);
        late.map(|(name, entry)| Late {
            service: entry.service.clone(),
            running: (entry.phase == Phase::Started).then(|| name.clone()),
            says: entry.says.clone(),
        })
        .collect()
    }
}

/// Whether a dependency is as it shall be; none where it never will.
fn satisfied(entries: &BTreeMap<String, Entry>, service: &str, dependency: Dependency) -> Option<bool> {
    let of_service = || entries.values().filter(|entry| entry.service == service);
    if of_service().any(|entry| entry.phase == Phase::Lost) {
        return if dependency.required { None } else { Some(true) };
    }
    let enough = |entry: &Entry| match dependency.condition {
        Condition::ServiceStarted => entry.phase >= Phase::Started,
        Condition::ServiceHealthy => entry.phase == Phase::Well,
        Condition::ServiceCompletedSuccessfully => entry.phase == Phase::Well && entry.one_shot,
    };
    Some(of_service().all(enough))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::docker::plan::wanted::wanted;
    use crate::docker::sample::{dependency, project, service};
    use crate::instance::{Home, Instance};

    fn board() -> Board {
        let instance = Instance {
            name: "t".parse().unwrap(),
            home: Home::at("/nowhere"),
            port_offset: 0,
        };
        let mut db = service("db");
        db.replicas = 2;
        let mut web = service("web");
        web.depends_on
            .insert("db".to_owned(), dependency(Condition::ServiceHealthy));
        let wanted = wanted(&project(vec![db, web]), &instance, &BTreeMap::new(), "1").unwrap();
        Board::new(&wanted, &Plan::default())
    }

    fn on_db(condition: Condition) -> BTreeMap<String, Dependency> {
        BTreeMap::from([("db".to_owned(), dependency(condition))])
    }

    async fn is_waiting(board: &Board, condition: Condition) -> bool {
        let depends_on = on_db(condition);
        let waiting = board.dependencies(&depends_on);
        tokio::time::timeout(Duration::from_millis(5), waiting)
            .await
            .is_err()
    }

    #[tokio::test]
    async fn every_replica_counts_for_a_dependency() {
        let board = board();
        board.is_now("odd-t-db-1", Phase::Started);
        assert!(is_waiting(&board, Condition::ServiceStarted).await);
        board.is_now("odd-t-db-2", Phase::Started);
        assert!(!is_waiting(&board, Condition::ServiceStarted).await);
        assert!(is_waiting(&board, Condition::ServiceHealthy).await);
        board.is_now("odd-t-db-1", Phase::Well);
        board.is_now("odd-t-db-2", Phase::Well);
        let ready = board.dependencies(&on_db(Condition::ServiceHealthy)).await;
        assert_eq!(ready, Dependencies::Ready);
    }

    #[tokio::test]
    async fn what_never_comes_is_not_waited_for() {
        let board = board();
        board.is_now("odd-t-db-2", Phase::Lost);
        let mut depends_on = on_db(Condition::ServiceStarted);
        assert_eq!(board.dependencies(&depends_on).await, Dependencies::Lost);
        depends_on.get_mut("db").unwrap().required = false;
        assert_eq!(board.dependencies(&depends_on).await, Dependencies::Ready);
        assert_eq!(board.not_started(), ["db", "web"]);
    }

    #[test]
    fn who_is_late_says_why() {
        let board = board();
        board.is_now("odd-t-db-1", Phase::Started);
        board.says("odd-t-db-1", "connection refused".to_owned());
        let late: Vec<String> = board.late().iter().map(ToString::to_string).collect();
        assert_eq!(
            late,
            [
                "odd-t-db-1 (connection refused)",
                "db (not started)",
                "web (not started)"
            ]
        );
        assert_eq!(board.made(), ["odd-t-db-1"]);
    }
}
