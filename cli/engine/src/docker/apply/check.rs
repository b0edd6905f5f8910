//! A container's own health check, run from here.

use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::HealthConfig;
use futures::StreamExt;

use crate::docker::error::call::reason;

/// A check that was not yet due when a container was started.
const FIRST: Duration = Duration::from_millis(150);
/// Shortest and longest distance between two checks.
const SHORTEST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(3);
/// Parts of the time that checks may take: one in so many.
const SHARE: u32 = 4;
/// Time that a check may take where nothing is said.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a check's output that are shown.
const SHOWN: usize = 300;

/// How health is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::docker) struct Command {
    arguments: Vec<String>,
    limit: Duration,
}

impl Command {
    /// Out of a container's settings; none where it has no check.
    pub(in crate::docker) fn of(config: &HealthConfig) -> Option<Self> {
        let test = config.test.as_deref()?;
        let arguments = match test.split_first()? {
            (kind, arguments) if kind == "CMD" => arguments.to_vec(),
            (kind, [line]) if kind == "CMD-SHELL" => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]
            }
            _ => return None,
        };
        let limit = config
            .timeout
            .and_then(|nanos| u64::try_from(nanos).ok())
            .filter(|nanos| *nanos > 0);
        (!arguments.is_empty()).then(|| Self {
            arguments,
            limit: limit.map_or(PATIENCE, Duration::from_nanos),
        })
    }

    /// Runs it in a container.
    pub(in crate::docker) async fn run(&self, client: &Docker, container: &str) -> Outcome {
        match tokio::time::timeout(self.limit, self.execute(client, container)).await {
            Ok(Ok((0, _))) => Outcome::Passed,
            Ok(Ok((code, output))) => {
                Outcome::Failed(shown(&output).unwrap_or_else(|| format!("exit code {code}")))
            }
            // It is about to stop, or the engine is: whoever looks at it next will tell.
            Ok(Err(error)) => Outcome::Failed(reason(&error)),
            Err(_) => Outcome::Failed(format!("it takes longer than {} s", self.limit.as_secs_f32())),
        }
    }

    async fn execute(&self, client: &Docker, container: &str) -> Result<(i64, String), Error> {
        let options = CreateExecOptions {
            cmd: Some(self.arguments.clone()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = client.create_exec(container, options).await?.id;
        let mut text = String::new();
        if let StartExecResults::Attached { mut output, .. } = client.start_exec(&exec, None).await? {
            while let Some(piece) = output.next().await {
                text.push_str(&String::from_utf8_lossy(&piece?.into_bytes()));
            }
        }
        loop {
            let seen = client.inspect_exec(&exec).await?;
            match seen.exit_code {
                Some(code) if seen.running != Some(true) => return Ok((code, text)),
                // Its output ended before the engine took note of its end.
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::docker) enum Outcome {
    /// The container is healthy.
    Passed,
    /// It is not, and what the check wrote.
    Failed(String),
}

/// When the next check is due. One that is costly runs less often.
pub(in crate::docker) struct Rhythm {
    next: Instant,
}

impl Rhythm {
    pub(in crate::docker) fn new(begin: Instant) -> Self {
        Self { next: begin + FIRST }
    }

    pub(in crate::docker) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Runs a check and sets the time of the next.
    pub(in crate::docker) async fn run(
        &mut self,
        client: &Docker,
        container: &str,
        command: &Command,
    ) -> Outcome {
        let begin = Instant::now();
        let outcome = command.run(client, container).await;
        self.next = Instant::now() + (begin.elapsed() * SHARE).clamp(SHORTEST, LONGEST);
        outcome
    }
}

/// What is shown of a check's output: one line; none where there is nothing.
pub(in crate::docker) fn shown(output: &str) -> Option<String> {
    let line = output.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(test: &[&str]) -> Option<Vec<String>> {
        let config = HealthConfig {
            test: Some(test.iter().map(|part| (*part).to_owned()).collect()),
            ..HealthConfig::default()
        };
        Command::of(&config).map(|command| command.arguments)
    }

    #[test]
    fn every_form_of_a_check_is_understood() {
        assert_eq!(
            command(&["CMD", "/odd", "healthcheck"]).unwrap(),
            ["/odd", "healthcheck"]
        );
        assert_eq!(
            command(&["CMD-SHELL", "true && true"]).unwrap(),
            ["/bin/sh", "-c", "true && true"]
        );
        for none in [&["NONE"][..], &[], &["CMD"]] {
            assert_eq!(command(none), None, "{none:?}");
        }
    }

    #[test]
    fn output_is_shown_as_one_line() {
        assert_eq!(shown(" a\n\tb \n").as_deref(), Some("a b"));
        assert_eq!(shown(" \n"), None);
        assert_eq!(shown(&"x".repeat(1_000)).unwrap().len(), SHOWN);
    }
}
