//! `odd submit`

mod board;
mod form;
mod plan;
mod report;
mod run;
mod scenario;
mod send;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use odd_contracts::{JobOptions, JobSubmission, JsonObject, Timestamp};
use odd_engine::platform;
use uuid::Uuid;

use crate::context::Context;
use crate::duration;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::parse;
use plan::Group;
use run::Manner;

/// Most jobs of one command.
const MOST_JOBS: u64 = 1_000_000;

/// Submit jobs, and wait for them if asked to.
///
/// A job has a type, which chooses what executes it, and a payload, its input. `hash` works the processor; every other
/// type is simulated work, done at once unless the payload says how long it takes and how it fails:
///
///   {"simulate": {"durationMs": 200, "jitterMs": 50, "failTimes": 1, "error": "no answer"}}
///
/// `failTimes` lets the first attempts fail, `failRate` (0 to 1) any of them, and an `error` alone every one.
///
/// Each job gets its id here, so that a submission that the system could not take just now is repeated without making a
/// second job. Every accepted id is kept in the instance's ledger, which `odd verify` compares with the system.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Type of the job: 1 to 50 of A-Z a-z 0-9 . _ -   (asked for at a terminal where absent)
    #[arg(value_name = "TYPE")]
    job_type: Option<String>,
    /// Input of the job: a JSON object, @FILE that holds one, or - for standard input
    #[arg(long, short = 'p', value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Annotations of the job: a JSON object that no part of the system reads
    #[arg(long, value_name = "JSON|@FILE")]
    metadata: Option<String>,
    /// How many jobs
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=MOST_JOBS))]
    count: u64,
    /// Jobs a second, whether or not the system keeps up; as fast as it takes them where absent
    #[arg(long, value_name = "N[/s]", value_parser = parse::rate)]
    rate: Option<f64>,
    /// Scenario to run: a submission a line, which may carry `at`, `repeat` and `expect`; - for standard input
    #[arg(
        long, short = 'f', value_name = "FILE|-",
        conflicts_with_all = ["job_type", "payload", "metadata", "count", "rate", "id", "delay", "at", "max_attempts", "backoff", "job_timeout"]
    )]
    file: Option<String>,
    /// Id of the job, a UUID: submitting again under the same id makes no second job
    #[arg(long, value_name = "UUID", conflicts_with = "count")]
    id: Option<Uuid>,
    /// Wait so long before the first attempt, e.g. 5s
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    delay: Option<Duration>,
    /// Do not start before this instant, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "delay")]
    at: Option<Timestamp>,
    /// Attempts before the job ends FAILED: 1 to 25 [default: 3]
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// Wait before the second attempt, doubled for each further one [default: 500ms]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    backoff: Option<Duration>,
    /// Longest time that one attempt may take [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse::positive_duration)]
    job_timeout: Option<Duration>,
    /// Wait until every job has ended; the exit code tells how
    #[arg(long, short = 'w')]
    wait: bool,
    /// Give up waiting so long after the last job was accepted
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse::positive_duration)]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  odd submit hello --wait
  odd submit resize --payload '{\"simulate\":{\"durationMs\":300,\"failTimes\":1}}' --wait
  odd submit hash --payload '{\"rounds\":100000}' --count 100 --rate 20/s
  odd submit report --payload @report.json --delay 10s --max-attempts 5 --backoff 1s
  odd submit --file examples/scenarios/first-steps.ndjson

A line of a scenario:
  {\"type\":\"resize\",\"options\":{\"maxAttempts\":2},\"at\":\"1.5s\",\"repeat\":10,\"expect\":\"COMPLETED\"}
  `at` is when to submit it, from the start. `expect` is the status it should end with; such
  jobs are waited for. Lines that begin with # are comments.

With --wait the exit code is 0 where every job COMPLETED, 4 where one FAILED or was CANCELLED,
5 where one did not end in time, 6 where one ended otherwise than its `expect`. A refused job
makes it 1, Ctrl-C 130: what was accepted goes on after that.";

/// Submits, waits and reports.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let manner = Manner {
        wait: args.wait,
        timeout: args.timeout,
    };
    let prepared = tokio::select! {
        // First: while standard input is read, Ctrl-C does what it does to any program, which nobody heeds once it is listened for.
        biased;
        prepared = prepared(context, args, manner) => prepared?,
        () = platform::interrupted() => None,
    };
    let Some((groups, manner)) = prepared else {
        return Ok(ExitCode::Interrupted);
    };
    let (board, times) = run::run(context, &groups, &manner).await?;
    report::summarise(context, &board, times)?;
    Ok(if times.interrupted {
        ExitCode::Interrupted
    } else {
        board.exit_code()
    })
}

/// What is to be submitted, and how; none where a person who was asked gave up.
async fn prepared(
    context: &Context,
    args: Args,
    manner: Manner,
) -> Result<Option<(Vec<Group>, Manner)>, Error> {
    if let Some(file) = &args.file {
        return Ok(Some((scenario(file)?, manner)));
    }
    if args.job_type.is_some() {
        return Ok(Some((vec![group(args)?], manner)));
    }
    let asked = asked(context, args).await?;
    Ok(asked.map(|(group, wait)| (vec![group], Manner { wait, ..manner })))
}

/// What a person at the terminal says; a wrong command line where there is none.
async fn asked(context: &Context, mut args: Args) -> Result<Option<(Group, bool)>, Error> {
    if !context.printer.is_interactive() || context.printer.is_json() {
        return Err(usage("neither a TYPE nor --file was given")
            .hint("odd submit hello --wait   (or odd submit --help)"));
    }
    let Some(form) = form::ask().await? else {
        return Ok(None);
    };
    let wait = args.wait || form.wait;
    args.job_type = Some(form.job_type);
    args.count = form.count;
    let payload = form.payload;
    let mut group = group(args)?;
    if let Some(payload) = payload {
        group = with_payload(group, payload)?;
    }
    Ok(Some((group, wait)))
}

fn with_payload(mut group: Group, payload: JsonObject) -> Result<Group, Error> {
    let mut document: JsonObject =
        serde_json::from_str(&group.document).map_err(|e| Error::new("write the submission", e))?;
    document.insert("payload".to_owned(), payload.into());
    group.document = serde_json::Value::Object(document).to_string();
    Ok(group)
}

/// Reads a whole scenario before anything of it is submitted.
fn scenario(file: &str) -> Result<Vec<Group>, Error> {
    let text = read(file)?;
    scenario::parse(&text).map_err(|faults| {
        let shown = if file == "-" { "standard input" } else { file };
        let mut error = usage("the scenario is wrong; nothing was submitted")
            .hint("odd submit --help   (what a line may hold)");
        let lines = faults
            .iter()
            .map(|fault| format!("{shown}:{}: {}", fault.line, fault.message));
        error.details = lines.take(MOST_FAULTS).collect();
        if faults.len() > MOST_FAULTS {
            error
                .details
                .push(format!("and {} more", faults.len() - MOST_FAULTS));
        }
        error
    })
}

/// Most faults of a scenario that are written out.
const MOST_FAULTS: usize = 20;

fn group(args: Args) -> Result<Group, Error> {
    let job_type = args.job_type.unwrap_or_default();
    let object = |name, text: Option<String>| text.map(|text| object(name, &text)).transpose();
    let options = JobOptions {
        max_attempts: args.max_attempts,
        backoff_ms: args.backoff.map(millis),
        timeout_ms: args.job_timeout.map(millis),
        delay_ms: args.delay.map(millis),
        run_at: args.at,
    };
    let submission = JobSubmission {
        job_type: job_type.clone(),
        payload: object("--payload", args.payload)?,
        metadata: object("--metadata", args.metadata)?,
        options: (options != JobOptions::default()).then_some(options),
        ..JobSubmission::default()
    };
    Ok(Group {
        at: Duration::ZERO,
        every: args.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
        count: args.count,
        document: serde_json::to_string(&submission).map_err(|e| Error::new("write the submission", e))?,
        job_type,
        id: args.id,
        expect: None,
        line: None,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A JSON object that was given as it is, as `@FILE`, or as `-`.
fn object(name: &str, given: &str) -> Result<JsonObject, Error> {
    let text = match given.strip_prefix('@') {
        Some(file) => read(file)?,
        None if given == "-" => read("-")?,
        None => given.to_owned(),
    };
    form::object(&text).map_err(|fault| usage(format!("{name} {fault}")))
}

/// Text of a file; `-` is standard input.
fn read(file: &str) -> Result<String, Error> {
    let read = if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(Path::new(file))
    };
    let shown = if file == "-" { "standard input" } else { file };
    read.map_err(|e| Error::new(format!("read {shown}"), e).code(ExitCode::Usage))
}

fn usage(reason: impl Into<String>) -> Error {
    Error::because("submit", reason).code(ExitCode::Usage)
}
