//! `odd doctor`

use odd_engine::doctor::{self, Check, CheckState};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Glyph, Tone};

/// Check whether this machine can run an observatory, and what mends it where not.
///
/// Exits with 3 where something is missing; a warning alone exits with 0.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    ok: bool,
    checks: &'a [Check],
}

/// Checks and prints.
pub async fn run(context: &Context, _args: Args) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let instance = context.instance.clone();
    let checks = tokio::task::spawn_blocking(move || doctor::check(&instance))
        .await
        .map_err(|e| Error::new("examine this machine", e))?;
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
        let next = if failed == 0 {
            format!("odd up{}", of_instance(context.instance_name()))
        } else {
            "what `try` says, then odd doctor".to_owned()
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
