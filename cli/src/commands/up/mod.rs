//! `odd up`

mod board;
mod choose;
mod docker;
mod embedded;
mod kubernetes;
mod pods;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use odd_contracts::Role;
use odd_engine::kubernetes::Image;
use serde::Serialize;

use crate::args::Global;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::Tone;
use crate::pages::{DASHBOARD, Page};
use crate::settings::EngineChoice;

/// Start the observatory and wait until it is ready
///
/// What runs already as it shall is left as it is. An instance keeps its engine. A new one takes Docker where an engine answers and its images are there or to be had,
/// else the embedded engine, and says why. On Docker, `up` again changes what differs from what is asked for, keeps
/// everything else, and completes what another `up` left unfinished.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What it shall be made of [env: ODD_ENGINE] [default: auto]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<EngineChoice>,
    /// Seconds that it may take to become ready, images not counted [default: 30, on Docker 120, on Kubernetes 300]
    #[arg(long, visible_alias = "wait-timeout", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: Option<u64>,
    /// A second observatory beside the first: --instance demo --port-offset 13000
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    docker: DockerArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

const EXAMPLES: &str = "\
Examples:
  odd up
  odd up --engine docker --scale processor=4 --profile tools
  odd up --offline --dry-run
  odd up --engine kind
  odd up --context staging --dry-run";

/// Flags that only Docker has a use for. They choose it where nothing else is chosen.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options on Docker")]
struct DockerArgs {
    /// Take images built from Debian packages, for machines that reach no registry, and leave out what those lack
    #[arg(long)]
    offline: bool,
    /// Build the image of the roles anew
    #[arg(long)]
    build: bool,
    /// Also start the services of this profile, such as tools. May be repeated
    #[arg(long, value_name = "NAME")]
    profile: Vec<String>,
    /// Run so many containers of a service. May be repeated
    #[arg(long, value_name = "SERVICE=N", value_parser = scale)]
    scale: Vec<(String, u32)>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Directory with the compose files, instead of those that this program carries
    #[arg(long, value_name = "DIRECTORY")]
    project_dir: Option<PathBuf>,
    /// Show how long each service took
    #[arg(long, short = 'v')]
    report: bool,
}

/// Flags that only a cluster has a use for. They choose it where nothing else is chosen.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options on Kubernetes")]
struct ClusterArgs {
    /// Put it into the cluster of this context of the kubeconfig, which is there and stays. Takes --scale, --profile tools and --dry-run too
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Image of the roles, with its tag, in the place of the released one
    #[arg(long, value_name = "IMAGE:TAG", value_parser = image)]
    image: Option<Image>,
    /// Take over fields that others own
    #[arg(long)]
    force_conflicts: bool,
    /// Do not ask before the first change of a cluster
    #[arg(long, short = 'y')]
    yes: bool,
}

impl ClusterArgs {
    /// The first flag that is given, which no other engine has a use for.
    fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--context", self.context.is_some()),
            ("--image", self.image.is_some()),
            ("--force-conflicts", self.force_conflicts),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }
}

fn image(text: &str) -> Result<Image, String> {
    Image::parse(text).ok_or_else(|| format!("{text:?} is no image with a tag, such as odd:0.1.0"))
}

/// Instance and port offset of `--demo`.
const DEMO: (&str, u16) = ("demo", 13_000);
/// Most containers of one service.
const MOST_REPLICAS: u32 = 64;

impl Args {
    /// What `--demo` stands for, where the flags themselves say nothing else.
    pub fn flags(&self, mut global: Global) -> Global {
        if self.demo {
            global.instance.get_or_insert_with(|| DEMO.0.to_owned());
            global.port_offset.get_or_insert(DEMO.1);
        }
        global
    }
}

impl DockerArgs {
    /// The first flag that is given, which the embedded engine has no use for.
    fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--offline", self.offline),
            ("--build", self.build),
            ("--profile", !self.profile.is_empty()),
            ("--scale", !self.scale.is_empty()),
            ("--dry-run", self.dry_run),
            ("--project-dir", self.project_dir.is_some()),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// The same of those that a cluster has no use for either.
    fn only_here(&self) -> Option<&'static str> {
        let flags = [("--offline", self.offline), ("--build", self.build)];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }
}

fn scale(text: &str) -> Result<(String, u32), String> {
    let invalid =
        || format!("{text:?} is no SERVICE=N with a number from 1 to {MOST_REPLICAS}, such as processor=4");
    let (service, number) = text.split_once('=').ok_or_else(invalid)?;
    let number = number
        .parse()
        .ok()
        .filter(|number| (1..=MOST_REPLICAS).contains(number));
    match (service, number) {
        ("", _) | (_, None) => Err(invalid()),
        (service, Some(number)) => Ok((service.to_owned(), number)),
    }
}

/// Where a role is, for programs.
#[derive(Debug, Serialize)]
struct RoleUrl {
    role: Role,
    url: String,
}

/// Starts it and prints where everything is.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let choosing = choose::choose(context, &args);
    let chosen = tokio::select! {
        chosen = choosing => chosen?,
        () = odd_engine::platform::interrupted() => return Ok(ExitCode::Interrupted),
    };
    let Some(choice) = chosen else {
        return Ok(ExitCode::Interrupted);
    };
    let limit = |default| Duration::from_secs(args.timeout.unwrap_or(default));
    match choice.engine {
        Engine::Embedded => embedded::run(context, &choice, limit(30)).await,
        Engine::Docker => docker::run(context, &choice, &args.docker, limit(120)).await,
        Engine::Kubernetes => kubernetes::run(context, &choice, &args, limit(300)).await,
    }
}

pub(super) use kubernetes::kind_program;

/// The program that roles shall run.
fn program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|e| Error::new("find the odd binary", e))
}

/// The pages that people open first, in one line, and what to do next.
fn places(context: &Context, pages: &[Page]) {
    const FIRST: [(&str, &str); 3] = [
        (DASHBOARD, "dashboard"),
        ("gateway-docs", "gateway"),
        ("grafana", "grafana"),
    ];
    let printer = &context.printer;
    let shown: Vec<String> = FIRST
        .into_iter()
        .filter_map(|(id, word)| {
            let page = pages.iter().find(|page| page.id == id)?;
            Some(format!("{word}  {}", printer.paint(Tone::Accent, &page.url)))
        })
        .collect();
    printer.note("");
    if !shown.is_empty() {
        printer.line(&format!("  {}", shown.join("      ")));
    }
    let of = of_instance(context.instance_name());
    let next = format!("odd submit hello --count 100 --wait{of}");
    printer.note(&format!(
        "  next       {}",
        printer.paint_err(Tone::Accent, &next)
    ));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn a_demo_is_an_instance_of_its_own_beside_the_first() {
        let of = |line: &str| {
            let cli = Cli::try_parse_from(line.split(' ')).expect("it is a command");
            let flags = cli
                .command
                .as_ref()
                .map(|command: &Command| command.flags(cli.global.clone()));
            flags.map(|flags| (flags.instance, flags.port_offset))
        };
        assert_eq!(of("odd up --demo"), Some((Some("demo".to_owned()), Some(13_000))));
        assert_eq!(
            of("odd up --demo --port-offset 7"),
            Some((Some("demo".to_owned()), Some(7)))
        );
        assert_eq!(of("odd up"), Some((None, None)));
    }

    #[test]
    fn a_scale_is_a_service_and_a_number() {
        assert_eq!(scale("processor=4"), Ok(("processor".to_owned(), 4)));
        for bad in [
            "processor",
            "=4",
            "processor=",
            "processor=0",
            "processor=65",
            "processor=-1",
        ] {
            assert!(scale(bad).is_err(), "{bad}");
        }
    }
}
