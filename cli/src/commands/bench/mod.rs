//! `odd bench`

mod load;
mod report;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use odd_contracts::{JobType, JsonObject};

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use load::{Load, Pace};
use report::Report;
use watch::Watch;

/// Measure how fast jobs travel from submission to their end.
///
/// Submits jobs at a fixed rate, whatever the system answers (open loop), and measures each from the instant at which it was
/// due to be submitted to the instant at which its end was seen on the live stream: a system that falls behind cannot hide it.
/// With --max as many as the given concurrency are always under way. Every accepted id goes to the ledger, so `odd verify` can
/// check afterwards that nothing was lost.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd bench --jobs 50000 --max\n  odd bench --jobs 3000 --rate 100 --output json"
)]
pub struct Args {
    /// Jobs to submit
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    jobs: u64,
    /// Jobs a second
    #[arg(long, value_name = "R", conflicts_with = "max", value_parser = rate)]
    rate: Option<f64>,
    /// As fast as the gateway takes them (the default)
    #[arg(long)]
    max: bool,
    /// Requests under way at the same time
    #[arg(long, value_name = "C", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=4096))]
    concurrency: u64,
    /// Jobs in one request; more than 1 uses POST /jobs/batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    batch: u64,
    /// Type of the jobs
    #[arg(long = "type", value_name = "TYPE", default_value = "bench")]
    job_type: JobType,
    /// Payload of the jobs, a JSON object; nothing to do where absent
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
    payload: JsonObject,
    /// Longest time to wait for the last job's end after the last submission
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = crate::duration::parse)]
    timeout: Duration,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.trim_end_matches("/s").parse() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of jobs a second between 0.001 and 1,000,000".to_owned()),
    }
}

fn object(text: &str) -> Result<JsonObject, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))
}

/// Submits, measures and prints.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let failed = |e| context.client_error("bench the instance", e);
    let overview = context.read_model()?.overview().await.map_err(failed)?;
    let jobs = usize::try_from(args.jobs).map_err(|e| Error::new("bench the instance", e))?;
    let watch = Arc::new(Watch::new(jobs));
    let seen = watch::follow(context.read_model()?, watch.clone())
        .await
        .map_err(failed)?;
    let load = Load {
        job_type: args.job_type,
        payload: args.payload,
        pace: args.rate.map_or(Pace::Max, Pace::Rate),
        concurrency: args.concurrency as usize,
        batch: args.batch as usize,
    };
    let progress = context.printer.progress(args.jobs, "jobs");
    let drawing = tokio::spawn(watch::draw(watch.clone(), progress.clone()));
    let begun = Instant::now();
    let submitted = load.run(context, &watch, args.jobs).await;
    let waited = match &submitted {
        Ok(_) => watch.wait(context, args.timeout).await.map_err(failed),
        Err(_) => Ok(()),
    };
    drawing.abort();
    progress.finish_and_clear();
    seen.abort();
    let submission = submitted?;
    waited?;
    let report = Report::new(&overview.engine, &load, begun, &submission, &watch);
    report.print(&context.printer)?;
    if report.unfinished() > 0 {
        let of = of_instance(context.instance_name());
        return Err(Error::because(
            "bench the instance",
            format!("{} jobs did not end in time", report.unfinished()),
        )
        .code(ExitCode::TimedOut)
        .hint(format!("odd verify{of}   (or a longer --timeout)")));
    }
    Ok(ExitCode::Ok)
}
