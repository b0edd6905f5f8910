//! Waiting until a container is well.
//!
//! It is looked at again and again, at short and growing intervals. Engines ask a container for its health at the interval of its health check,
//! mostly seconds; before API 1.44 there is no shorter one for the start. So its check is run here as well, by the same command, until it
//! passes or the engine says so.

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthConfig, HealthStatusEnum};
use bollard::query_parameters::InspectContainerOptions;

use super::check;
use crate::docker::error::call::{refused, status};
use crate::docker::error::diagnosis::{self, End};
use crate::docker::error::{DockerError, Trouble};

/// First and longest distance between two looks.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_millis(250);
/// A container without health check is well when it has run this long.
const SETTLED: Duration = Duration::from_millis(700);
/// The same where the engine started it again meanwhile: it waits longer before each start of one that keeps ending.
const SETTLED_AGAIN: Duration = Duration::from_secs(3);
/// A container that the engine started again as often as this will not become well.
const RESTARTS: i64 = 3;

/// What is waited for.
#[derive(Clone, Debug)]
pub(in crate::docker) struct Watch<'a> {
    pub(in crate::docker) client: &'a Docker,
    pub(in crate::docker) service: &'a str,
    /// Its name.
    pub(in crate::docker) container: &'a str,
    /// Whether its end is waited for, not its health.
    pub(in crate::docker) one_shot: bool,
    /// Whether it ran before: then it is trusted to run on, and its earlier restarts do not count.
    pub(in crate::docker) kept: bool,
    /// Whether it was paused: what the engine said of its health then does not count.
    pub(in crate::docker) let_go: bool,
    /// Whether the engine itself asks often while a container starts (API 1.44 and newer).
    pub(in crate::docker) engine_asks_early: bool,
}

/// Why it is not waited any longer.
#[derive(Debug)]
pub(in crate::docker) enum Stop {
    /// The container will not become well.
    Trouble(Box<Trouble>),
    /// The engine does not answer.
    Engine(DockerError),
}

impl Watch<'_> {
    /// Waits until the container is well, or has ended well where that is what it is for. `says` takes what its health check says meanwhile.
    /// Not bounded: whoever calls has a deadline.
    pub(in crate::docker) async fn until_well(&self, says: impl Fn(String)) -> Result<(), Stop> {
        let begin = Instant::now();
        let mut pause = FIRST_LOOK;
        let mut own = check::Rhythm::new(begin);
        let mut restarts_before = None;
        let (mut last_restarts, mut since) = (0, begin);
        loop {
            let seen = self.inspect().await?;
            let restarts = seen.restart_count.unwrap_or_default();
            let before = *restarts_before.get_or_insert(if self.kept { restarts } else { 0 });
            if restarts - before != last_restarts {
                (last_restarts, since) = (restarts - before, Instant::now());
            }
            match self.judge(&seen, last_restarts, since.elapsed()) {
                Judgement::Well => return Ok(()),
                Judgement::Lost(reason) => return Err(self.lost(reason, &seen).await),
                Judgement::NotYet(check) => {
                    if let Some(output) = last_output(&seen) {
                        says(output);
                    }
                    if let Some(command) = check.filter(|_| own.is_due()) {
                        match own.run(self.client, self.container, &command).await {
                            check::Outcome::Passed => return Ok(()),
                            check::Outcome::Failed(output) => says(output),
                        }
                        continue;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 7 / 5).min(LONGEST_LOOK);
        }
    }

    async fn inspect(&self) -> Result<ContainerInspectResponse, Stop> {
        let seen = self
            .client
            .inspect_container(self.container, None::<InspectContainerOptions>)
            .await;
        match seen {
            Ok(seen) => Ok(seen),
            Err(error) if status(&error) == Some(404) => Err(Stop::Trouble(Box::new(Trouble {
                service: self.service.to_owned(),
                container: self.container.to_owned(),
                reason: "was removed while it started".to_owned(),
                likely_cause: None,
                log: Vec::new(),
            }))),
            Err(error) => Err(Stop::Engine(refused(
                format!("look at {}", self.container),
                &error,
            ))),
        }
    }

    /// `quiet` is the time since the begin, or since the engine last started it again.
    fn judge(&self, seen: &ContainerInspectResponse, restarts: i64, quiet: Duration) -> Judgement {
        let state = seen.state.clone().unwrap_or_default();
        let code = state.exit_code.unwrap_or_default();
        let status = state.status.unwrap_or(ContainerStateStatusEnum::EMPTY);
        if restarts >= RESTARTS {
            return Judgement::Lost(format!("keeps restarting (exit code {code})"));
        }
        match status {
            ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD => {
                return match self.one_shot && code == 0 {
                    true => Judgement::Well,
                    false => Judgement::Lost(format!("ended with exit code {code}")),
                };
            }
            ContainerStateStatusEnum::REMOVING => return Judgement::Lost("is being removed".to_owned()),
            ContainerStateStatusEnum::RUNNING if !self.one_shot => {}
            _ => return Judgement::NotYet(None),
        }
        let health = state.health.and_then(|health| health.status);
        match health {
            Some(HealthStatusEnum::HEALTHY) => Judgement::Well,
            Some(HealthStatusEnum::UNHEALTHY) if !self.let_go => Judgement::Lost("is unhealthy".to_owned()),
            Some(HealthStatusEnum::STARTING | HealthStatusEnum::UNHEALTHY) => {
                let config = seen
                    .config
                    .as_ref()
                    .and_then(|config| config.healthcheck.as_ref());
                Judgement::NotYet(
                    config
                        .filter(|config| !self.asks_early(config))
                        .and_then(check::Command::of),
                )
            }
            _ if self.kept && restarts == 0 => Judgement::Well,
            _ if quiet >= if restarts == 0 { SETTLED } else { SETTLED_AGAIN } => Judgement::Well,
            _ => Judgement::NotYet(None),
        }
    }

    /// Whether the engine will ask at least every second while the container starts.
    fn asks_early(&self, config: &HealthConfig) -> bool {
        const SECOND: i64 = 1_000_000_000;
        let often = |nanos: Option<i64>| nanos.is_some_and(|nanos| (1..=SECOND).contains(&nanos));
        let early = self.engine_asks_early && config.start_period.unwrap_or_default() > 0;
        often(config.interval) || early && often(config.start_interval)
    }

    async fn lost(&self, reason: String, seen: &ContainerInspectResponse) -> Stop {
        let state = seen.state.clone().unwrap_or_default();
        let end = End {
            exit_code: state.exit_code.filter(|_| reason != "is unhealthy"),
            out_of_memory: state.oom_killed.unwrap_or_default(),
            error: state.error,
        };
        let mut trouble = diagnosis::trouble(self.client, self.service, self.container, reason, &end).await;
        if trouble.reason == "is unhealthy"
            && let Some(output) = last_output(seen)
        {
            trouble.likely_cause = Some(format!("its health check says: {output}"));
        }
        Stop::Trouble(Box::new(trouble))
    }
}

enum Judgement {
    Well,
    /// Not yet, and how its health can be asked for here.
    NotYet(Option<check::Command>),
    /// Never, and why.
    Lost(String),
}

/// What the engine's last health check wrote.
fn last_output(seen: &ContainerInspectResponse) -> Option<String> {
    let log = seen.state.as_ref()?.health.as_ref()?.log.as_ref()?;
    let last = log.iter().rev().find(|result| result.exit_code != Some(0))?;
    check::shown(last.output.as_deref()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(one_shot: bool, kept: bool, restarts: i64, state: serde_json::Value) -> Judgement {
        judged_after(Duration::ZERO, one_shot, kept, restarts, state)
    }

    fn judged_after(
        quiet: Duration,
        one_shot: bool,
        kept: bool,
        restarts: i64,
        state: serde_json::Value,
    ) -> Judgement {
        let client =
            Docker::connect_with_http("http://127.0.0.1:1", 1, bollard::API_DEFAULT_VERSION).unwrap();
        let watch = Watch {
            client: &client,
            service: "web",
            container: "odd-t-web-1",
            one_shot,
            kept,
            let_go: false,
            engine_asks_early: false,
        };
        let json = serde_json::json!({
            "State": state, "RestartCount": restarts,
            "Config": {"Healthcheck": {"Test": ["CMD", "/odd", "healthcheck"], "Interval": 10_000_000_000_i64}},
        });
        watch.judge(&serde_json::from_value(json).unwrap(), restarts, quiet)
    }

    #[test]
    fn the_end_of_what_shall_end_is_well() {
        let ended = |code: i64| serde_json::json!({"Status": "exited", "ExitCode": code});
        assert!(matches!(judged(true, false, 0, ended(0)), Judgement::Well));
        assert!(
            matches!(judged(true, false, 0, ended(2)), Judgement::Lost(why) if why.contains("exit code 2"))
        );
        assert!(matches!(judged(false, false, 0, ended(0)), Judgement::Lost(_)));
        assert!(matches!(
            judged(true, false, 0, serde_json::json!({"Status": "running"})),
            Judgement::NotYet(None)
        ));
    }

    #[test]
    fn health_is_what_the_engine_says_or_is_asked_for_here() {
        let health = |status: &str| serde_json::json!({"Status": "running", "Health": {"Status": status}});
        assert!(matches!(
            judged(false, false, 0, health("healthy")),
            Judgement::Well
        ));
        assert!(matches!(
            judged(false, false, 0, health("unhealthy")),
            Judgement::Lost(_)
        ));
        assert!(matches!(
            judged(false, false, 0, health("starting")),
            Judgement::NotYet(Some(_))
        ));
    }

    #[test]
    fn a_container_without_health_check_has_to_run_a_while() {
        let running = || serde_json::json!({"Status": "running"});
        assert!(matches!(
            judged(false, false, 0, running()),
            Judgement::NotYet(None)
        ));
        assert!(
            matches!(judged(false, true, 0, running()), Judgement::Well),
            "it ran before"
        );
        let after = |quiet, restarts| judged_after(quiet, false, false, restarts, running());
        assert!(matches!(after(SETTLED, 0), Judgement::Well));
        assert!(
            matches!(after(SETTLED, 1), Judgement::NotYet(None)),
            "it ended once, and may do so again"
        );
        assert!(matches!(after(SETTLED_AGAIN, 1), Judgement::Well));
    }

    #[test]
    fn a_crash_loop_is_not_waited_out() {
        let restarting = || serde_json::json!({"Status": "restarting", "ExitCode": 3});
        assert!(matches!(
            judged(false, false, 1, restarting()),
            Judgement::NotYet(None)
        ));
        let lost = judged(false, false, RESTARTS, restarting());
        assert!(matches!(lost, Judgement::Lost(why) if why == "keeps restarting (exit code 3)"));
    }
}
