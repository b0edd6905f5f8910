//! `odd watch`

use std::io::IsTerminal;

use clap::ValueEnum;
use odd_contracts::Role;
use odd_tui::{Addresses, Depth, Look, Mode, Options, ThemeName};

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;

/// Watch the observatory in the terminal, live.
///
/// Shows counters, throughput, latency, queues, roles, alerts and jobs as they change; opens a job with the whole of its way,
/// dead letters, logs, alerts and user interfaces; submits, cancels, retries and requeues. Where nothing runs, it begins with
/// what is needed and starts a stack. The keys that work stand at the foot of every screen, `?` shows all of them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd watch\n  odd watch --read-only\n  odd watch --instance demo --theme light"
)]
pub struct Args {
    /// Only look: nothing is submitted, cancelled, started or stopped
    #[arg(long)]
    read_only: bool,
    /// As in the web terminal: nothing of this machine can be reached from the screen
    #[arg(long)]
    server: bool,
    /// Colours
    #[arg(long, value_name = "THEME", default_value = "dark")]
    theme: Theme,
    /// Borders and signs in ASCII [default: where the locale has no more]
    #[arg(long)]
    ascii: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Theme {
    Dark,
    Light,
    Contrast,
}

impl Args {
    /// What `odd` alone on a terminal means.
    pub const fn plain() -> Self {
        Self {
            read_only: false,
            server: false,
            theme: Theme::Dark,
            ascii: false,
        }
    }

    /// What may be done. Commands that are run here would speak of the instance of this machine, and not of one `elsewhere`.
    const fn mode(&self, elsewhere: bool) -> Mode {
        match (self.read_only, self.server || elsewhere) {
            (false, false) => Mode::Full,
            (true, false) => Mode::ReadOnly,
            (false, true) => Mode::Server,
            (true, true) => Mode::ServerReadOnly,
        }
    }
}

/// Takes the terminal until the dashboard is left.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(Error::because("watch", "a terminal is needed, and this is none")
            .code(ExitCode::Usage)
            .hint("odd status, odd events --follow, odd jobs list"));
    }
    let options = options(context, &args)?;
    odd_tui::run(options)
        .await
        .map_err(|error| Error::new("watch the instance", error))?;
    Ok(ExitCode::Ok)
}

fn options(context: &Context, args: &Args) -> Result<Options, Error> {
    let program = std::env::current_exe().map_err(|e| Error::new("find the odd binary", e))?;
    let elsewhere =
        context.settings.gateway_url.value.is_some() || context.settings.read_model_url.value.is_some();
    Ok(Options {
        instance: context.instance_name().to_owned(),
        addresses: Addresses {
            gateway: context.own_url(Role::Gateway)?,
            read_model: context.own_url(Role::ReadModel)?,
        },
        program,
        arguments: arguments(context),
        of_instance: of_instance(context.instance_name()),
        mode: args.mode(elsewhere),
        look: Look {
            theme: match args.theme {
                Theme::Dark => ThemeName::Dark,
                Theme::Light => ThemeName::Light,
                Theme::Contrast => ThemeName::Contrast,
            },
            depth: depth(context),
            unicode: !args.ascii && context.printer.is_unicode(),
        },
        // On a server, the browser would open for nobody; of an instance elsewhere, it would open what runs here.
        has_browser: !args.server && !elsewhere && odd_engine::platform::has_display(),
        launcher: !elsewhere && context.present().running().is_none(),
    })
}

/// What makes a command of `odd` speak of the same instance.
fn arguments(context: &Context) -> Vec<String> {
    let mut arguments = vec!["--instance".to_owned(), context.instance_name().to_owned()];
    let offset = context.instance.port_offset;
    if offset > 0 {
        arguments.extend(["--port-offset".to_owned(), offset.to_string()]);
    }
    arguments
}

fn depth(context: &Context) -> Depth {
    if !context.printer.has_colours() {
        return Depth::None;
    }
    let told = std::env::var("COLORTERM").unwrap_or_default();
    if matches!(told.as_str(), "truecolor" | "24bit") {
        Depth::True
    } else {
        Depth::Sixteen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_elsewhere_is_not_started_or_stopped_from_here() {
        let args = Args::plain();
        assert_eq!(args.mode(false), Mode::Full);
        assert_eq!(args.mode(true), Mode::Server);
        let looks = Args {
            read_only: true,
            ..Args::plain()
        };
        assert_eq!(looks.mode(false), Mode::ReadOnly);
        assert!(!looks.mode(true).has_machine());
    }
}
