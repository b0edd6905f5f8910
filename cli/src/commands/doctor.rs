//! `odd doctor`

use clap::ValueEnum;
use odd_engine::doctor::{self, Check, CheckState, DoctorOptions, Purpose};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Glyph, Tone};
use crate::settings::EngineChoice;

/// Check whether this machine can run an observatory, and what mends it where not.
///
/// Exits with 3 where something is missing; a warning alone exits with 0. What is missing for Docker is a warning unless
/// Docker is asked for.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it shall be made of [env: ODD_ENGINE] [default: auto]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<For>,
    /// Look for images built from Debian packages, as `odd up --offline` takes them
    #[arg(long)]
    offline: bool,
}

/// What an observatory can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// Docker where it can be had, else embedded.
    Auto,
    /// Containers of a Docker engine.
    Docker,
    /// One background process with every role and SQLite.
    Embedded,
    /// A local Kubernetes cluster.
    Kind,
}

impl For {
    fn purpose(self) -> Purpose {
        match self {
            Self::Auto => Purpose::Auto,
            Self::Docker => Purpose::Docker,
            Self::Embedded => Purpose::Embedded,
            Self::Kind => Purpose::Kind,
        }
    }
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    ok: bool,
    checks: &'a [Check],
}

/// Checks and prints.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let set = match context.settings.engine.value {
        EngineChoice::Auto => Purpose::Auto,
        EngineChoice::Docker => Purpose::Docker,
        EngineChoice::Kind => Purpose::Kind,
        // What a cluster needs of this machine is what the roles would: a home, and ports.
        EngineChoice::Embedded | EngineChoice::Kubernetes => Purpose::Embedded,
    };
    let options = DoctorOptions {
        purpose: args.engine.map_or(set, For::purpose),
        offline: args.offline || context.stack().is_some_and(|stack| stack.offline),
        program: std::env::current_exe().map_err(|e| Error::new("find the odd binary", e))?,
    };
    let looking = printer.progress(0, "looking");
    let checks = doctor::check(&context.instance, &options).await;
    looking.finish_and_clear();
    let failed = checks.iter().filter(|c| c.state == CheckState::Failed).count();
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: context.instance_name(),
            ok: failed == 0,
            checks: &checks,
        })?;
    } else {
        let width = checks.iter().map(|c| c.name.len()).max().unwrap_or_default();
        for check in &checks {
            print(context, check, width);
        }
        let of = of_instance(context.instance_name());
        let next = if failed > 0 {
            "what `try` says, then odd doctor".to_owned()
        } else if context.present().running().is_some() {
            format!("odd status{of}")
        } else {
            format!("odd up{of}")
        };
        printer.note(&format!("next: {next}"));
    }
    Ok(if failed == 0 {
        ExitCode::Ok
    } else {
        ExitCode::Prerequisite
    })
}

fn print(context: &Context, check: &Check, width: usize) {
    let printer = &context.printer;
    let (glyph, tone) = match check.state {
        CheckState::Ok => (Glyph::Ok, Tone::Ok),
        CheckState::Warning => (Glyph::Warn, Tone::Attention),
        CheckState::Failed => (Glyph::Bad, Tone::Bad),
    };
    printer.line(&format!(
        "{} {:<width$}  {}",
        printer.mark(glyph, tone),
        check.name,
        check.detail
    ));
    let indent = " ".repeat(width + 4);
    if let Some(consequence) = &check.consequence {
        printer.line(&format!("{indent}{}", printer.paint(Tone::Muted, consequence)));
    }
    if let Some(remedy) = &check.remedy {
        printer.line(&format!(
            "{indent}{} {remedy}",
            printer.paint(Tone::Accent, "try:")
        ));
    }
}
