//! Whether a role is ready: each dependency it requires answered lately, damped against flapping.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use odd_contracts::api::Health;
use odd_contracts::names::metric;
use odd_contracts::{Role, VERSION};
use prometheus::{HistogramOpts, HistogramVec};
use tokio::time::Instant;

use crate::metrics::SECONDS;
use crate::tasks::Tasks;

/// A check whose last answer is older has failed.
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// Failures in a row that make a ready check unready.
pub const FAILURES_TO_UNREADY: u32 = 2;

/// Longest wait for one answer of a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// Readiness of a role: the conjunction of its checks. Clones are the same readiness.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    role: Role,
    draining: AtomicBool,
    checks: RwLock<BTreeMap<String, Check>>,
    /// How quickly the probed dependencies answer.
    answer_seconds: HistogramVec,
}

/// One dependency of a role. Clones are the same check.
#[derive(Clone, Debug)]
pub struct Check(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    ready: bool,
    failures: u32,
    reason: String,
    answered: Option<Instant>,
    /// Whether the role is of no use without it.
    required: bool,
}

impl Readiness {
    /// What `/readyz` says of a role, and of a dependency, that is well.
    pub(crate) const OK: &str = "ok";

    /// Ready, until a check is required.
    pub fn new(role: Role) -> Self {
        Self(Arc::new(Inner {
            role,
            draining: AtomicBool::new(false),
            checks: RwLock::default(),
            answer_seconds: answer_seconds(),
        }))
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// Requires a dependency. It is not ready until it answered for the first time. A name required twice is one check.
    pub fn require(&self, name: &str) -> Check {
        self.check(name, true)
    }

    /// Tells of a dependency without which the role is of use all the same: `/readyz` shows what it says, and is 200.
    pub fn observe(&self, name: &str) -> Check {
        self.check(name, false)
    }

    fn check(&self, name: &str, required: bool) -> Check {
        let mut checks = self.0.checks.write().unwrap_or_else(PoisonError::into_inner);
        let check = checks.entry(name.to_owned());
        check.or_insert_with(|| Check::new(required)).clone()
    }

    /// Requires a dependency and asks it every `interval` (at least every [`STALE_AFTER`] / 3) until the
    /// shutdown, waiting at most three seconds for an answer. Why it does not answer is logged once, and again when the
    /// reason changes.
    pub fn probe<F, Fut, E>(&self, tasks: &Tasks, name: &str, interval: Duration, ask: F) -> Check
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send,
    {
        self.ask_again_and_again(self.require(name), tasks, name, interval, ask)
    }

    /// The same of a dependency that is only observed.
    pub fn probe_observed<F, Fut, E>(&self, tasks: &Tasks, name: &str, interval: Duration, ask: F) -> Check
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send,
    {
        self.ask_again_and_again(self.observe(name), tasks, name, interval, ask)
    }

    fn ask_again_and_again<F, Fut, E>(
        &self,
        check: Check,
        tasks: &Tasks,
        name: &str,
        interval: Duration,
        mut ask: F,
    ) -> Check
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send,
    {
        let answers = check.clone();
        let interval = interval.min(STALE_AFTER / 3);
        let shutdown = tasks.shutdown().clone();
        let mut story = Story::of(name);
        let seconds = self.answer_seconds().with_label_values(&[name]);
        tasks.spawn(format!("probe of {name}"), async move {
            let probing = async move {
                loop {
                    let asked = Instant::now();
                    let answer = match tokio::time::timeout(PROBE_LIMIT, ask()).await {
                        Ok(answer) => answer.map_err(|error| error.to_string()),
                        Err(_) => Err("no answer in time".to_owned()),
                    };
                    story.tell(&answer);
                    match answer {
                        Ok(()) => {
                            seconds.observe(asked.elapsed().as_secs_f64());
                            answers.ok();
                        }
                        Err(reason) => answers.failed(reason),
                    }
                    tokio::time::sleep(interval).await;
                }
            };
            tokio::select! {
                () = probing => {}
                () = shutdown.signalled() => {}
            }
        });
        check
    }

    /// Seconds that each probed dependency took to answer well.
    pub(crate) fn answer_seconds(&self) -> &HistogramVec {
        &self.0.answer_seconds
    }

    /// The role is about to stop: not ready from now on, whatever its checks say.
    pub fn set_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the role is about to stop.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Whether the role is ready.
    pub fn is_ready(&self) -> bool {
        !self.is_draining() && self.failing().is_empty()
    }

    /// Answer of `/healthz`: the process lives.
    pub fn liveness(&self) -> Health {
        self.answer(Self::OK.to_owned(), BTreeMap::new())
    }

    /// Answer of `/readyz`, and whether it is ready.
    pub fn report(&self) -> (bool, Health) {
        let failing = self.failing();
        let checks: BTreeMap<_, _> = self
            .checks()
            .into_iter()
            .map(|(name, check)| (name, check.verdict().err().unwrap_or_else(|| Self::OK.to_owned())))
            .collect();
        let status = if self.is_draining() {
            "draining".to_owned()
        } else if failing.is_empty() {
            Self::OK.to_owned()
        } else {
            format!("not ready: {}", failing.join(", "))
        };
        (status == Self::OK, self.answer(status, checks))
    }

    fn answer(&self, status: String, checks: BTreeMap<String, String>) -> Health {
        Health {
            status,
            service: self.0.role.name().to_owned(),
            version: VERSION.to_owned(),
            commit: odd_contracts::build::commit().map(str::to_owned),
            checks,
        }
    }

    fn failing(&self) -> Vec<String> {
        let failing = |check: &Check| check.is_required() && !check.is_ready();
        let checks = self.checks().into_iter();
        checks
            .filter(|(_, check)| failing(check))
            .map(|(name, _)| name)
            .collect()
    }

    fn checks(&self) -> BTreeMap<String, Check> {
        self.0
            .checks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn answer_seconds() -> HistogramVec {
    let help = "Seconds that a dependency took to answer whether it is well.";
    let options = HistogramOpts::new(metric::DEPENDENCY_SECONDS, help).buckets(SECONDS.to_vec());
    HistogramVec::new(options, &["dependency"]).expect("its name, label and buckets are valid")
}

/// What the log says of a dependency: each change, not each answer.
#[derive(Debug)]
pub struct Story {
    name: String,
    trouble: Option<String>,
}

impl Story {
    /// Of a dependency that is well as far as anybody knows.
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            trouble: None,
        }
    }

    /// It answered, or did not, for this reason. Tells whether that was worth a line.
    pub fn tell(&mut self, answer: &Result<(), String>) -> bool {
        let (dependency, trouble) = (&self.name, answer.as_ref().err());
        if self.trouble.as_ref() == trouble {
            return false;
        }
        match trouble {
            Some(reason) => tracing::warn!(dependency, reason, "a dependency does not answer"),
            None => tracing::info!(dependency, "a dependency answers again"),
        }
        self.trouble = trouble.cloned();
        true
    }
}

impl Check {
    fn new(required: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            ready: false,
            failures: 0,
            reason: "has not answered yet".to_owned(),
            answered: None,
            required,
        })))
    }

    /// The dependency answered.
    pub fn ok(&self) {
        let mut state = self.state();
        state.ready = true;
        state.failures = 0;
        state.answered = Some(Instant::now());
    }

    /// The dependency did not answer, or badly. Twice in a row makes the check unready.
    pub fn failed(&self, reason: impl Display) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        state.reason = reason.to_string();
        state.answered = Some(Instant::now());
        if state.failures >= FAILURES_TO_UNREADY {
            state.ready = false;
        }
    }

    /// Whether the dependency counts as ready.
    pub fn is_ready(&self) -> bool {
        self.verdict().is_ok()
    }

    /// Why the dependency does not count as ready, where it does not.
    pub fn reason(&self) -> Option<String> {
        self.verdict().err()
    }

    fn is_required(&self) -> bool {
        self.state().required
    }

    fn verdict(&self) -> Result<(), String> {
        let state = self.state();
        let silent = state.answered.map(|at| at.elapsed());
        match silent {
            Some(silent) if silent >= STALE_AFTER => {
                Err(format!("has not answered for {} s", silent.as_secs()))
            }
            _ if state.ready => Ok(()),
            _ => Err(state.reason.clone()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::Shutdown;

    #[tokio::test(start_paused = true)]
    async fn one_failure_is_damped_and_one_success_heals() {
        let readiness = Readiness::new(Role::Gateway);
        assert!(readiness.is_ready(), "nothing is required yet");
        let check = readiness.require("spine");
        assert!(!readiness.is_ready(), "it has not answered yet");
        check.ok();
        check.failed("refused");
        assert!(readiness.is_ready(), "one failure is none");
        check.failed("refused");
        let (ready, health) = readiness.report();
        assert!(!ready);
        assert_eq!(health.status, "not ready: spine");
        assert_eq!(health.checks["spine"], "refused");
        check.ok();
        assert!(readiness.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_only_observed_is_told_and_makes_nothing_unready() {
        let readiness = Readiness::new(Role::Web);
        let (needed, other) = (readiness.require("spine"), readiness.observe("gateway"));
        needed.ok();
        assert!(!other.is_ready());
        let (ready, health) = readiness.report();
        assert!(ready && readiness.is_ready());
        assert_eq!(health.status, "ok");
        assert_eq!(health.checks["gateway"], "has not answered yet");
        needed.failed("refused");
        needed.failed("refused");
        assert_eq!(readiness.report().1.status, "not ready: spine");
    }

    #[test]
    fn the_log_tells_of_changes_only() {
        let mut story = Story::of("spine");
        let answers = ["", "", "refused", "refused", "wrong password", "", ""];
        let told = answers.map(|text| {
            let answer = if text.is_empty() {
                Ok(())
            } else {
                Err(text.to_owned())
            };
            story.tell(&answer)
        });
        assert_eq!(told, [false, false, true, false, true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_falls_silent_has_failed() {
        let check = Readiness::new(Role::Gateway).require("spine");
        check.ok();
        tokio::time::advance(STALE_AFTER - Duration::from_millis(1)).await;
        assert!(check.is_ready());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(check.reason().unwrap(), "has not answered for 10 s");
    }

    #[tokio::test(start_paused = true)]
    async fn draining_is_not_ready_but_alive() {
        let readiness = Readiness::new(Role::Processor);
        readiness.require("spine").ok();
        readiness.set_draining();
        let (ready, health) = readiness.report();
        assert!(!ready && health.status == "draining");
        assert_eq!(readiness.liveness().status, "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_follows_its_dependency_and_ends_with_the_role() {
        let (shutdown, readiness) = (Shutdown::default(), Readiness::new(Role::Gateway));
        let tasks = Tasks::new(shutdown.clone());
        let up = Arc::new(AtomicBool::new(true));
        let asked = up.clone();
        let check = readiness.probe(&tasks, "spine", Duration::from_secs(1), move || {
            let up = asked.load(Ordering::SeqCst);
            async move { if up { Ok(()) } else { Err("down") } }
        });
        for state in [true, false, true] {
            up.store(state, Ordering::SeqCst);
            let reached = async {
                while check.is_ready() != state {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), reached)
                .await
                .unwrap();
        }
        shutdown.trigger();
        tasks.join(Duration::from_secs(1)).await.unwrap();
    }
}
