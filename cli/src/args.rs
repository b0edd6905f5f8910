//! The command line, as clap reads it. Each command's own arguments stand beside the command.

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::settings::EngineUse;

/// Runs, shows, breaks and proves a distributed job system on your own machine.
#[derive(Debug, Parser)]
#[command(
    name = "odd",
    version,
    max_term_width = 100,
    propagate_version = false,
    after_help = "Start with `odd up`, then `odd submit hello --wait`.",
    after_long_help = long_help()
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do; where absent, the dashboard on a terminal, else help.
    #[command(subcommand)]
    pub command: Option<Command>,
}

fn long_help() -> String {
    format!(
        "{}\nA setting comes from a flag, else the environment, else odd.toml in this directory or above,\n\
         else config.toml in ODD_HOME, else its default; `odd config show --origin` tells which.\n\n\
         Start with `odd up`, then `odd submit hello --wait`.",
        ExitCode::table()
    )
}

/// Flags that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Instance to speak to [env: ODD_INSTANCE] [default: observatory]
    #[arg(long, global = true, value_name = "NAME")]
    pub instance: Option<String>,
    /// Added to every port [env: ODD_PORT_OFFSET] [default: 0]
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub port_offset: Option<u16>,
    /// Form of the answer on standard output [env: ODD_OUTPUT] [default: text]
    #[arg(long, short = 'o', global = true, value_name = "FORM")]
    pub output: Option<OutputForm>,
    /// Address of the gateway [env: ODD_GATEWAY_URL]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub gateway_url: Option<String>,
    /// Address of the read-model [env: ODD_READ_MODEL_URL]
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub read_model_url: Option<String>,
    /// No colours [env: NO_COLOR]
    #[arg(long, global = true, hide_short_help = true)]
    pub no_color: bool,
    /// No messages, only answers and errors
    #[arg(long, short = 'q', global = true, hide_short_help = true)]
    pub quiet: bool,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON document a line, as things happen.
    Ndjson,
}

impl OutputForm {
    /// The form as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
        }
    }
}

/// What to do. Each command is described where its arguments are.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "clap would show it in place of what the command says of itself"
)]
pub enum Command {
    Up(Box<commands::up::Args>),
    Down(commands::down::Args),
    Status(commands::status::Args),
    Doctor(commands::doctor::Args),
    Submit(Box<commands::submit::Args>),
    Jobs(commands::jobs::Args),
    DeadLetters(commands::dead_letters::Args),
    Events(commands::events::Args),
    Watch(commands::watch::Args),
    Urls(commands::urls::Args),
    Test(Box<commands::test::Args>),
    Verify(commands::verify::Args),
    Bench(commands::bench::Args),
    Logs(commands::logs::Args),
    Open(commands::open::Args),
    Restart(commands::restart::Args),
    Serve(commands::serve::Args),
    Healthcheck(commands::healthcheck::Args),
    Export(commands::export::Args),
    #[command(hide = true)]
    Forward(commands::forward::Args),
    Contracts(commands::contracts::Args),
    Completions(commands::completions::Args),
    Config(commands::config::Args),
    Man(commands::man::Args),
    Version(commands::version::Args),
}

impl Command {
    /// Runs a command that needs no runtime; gives any other back.
    pub fn run_plain(self, context: &Context) -> Result<Result<ExitCode, Error>, Self> {
        match self {
            Self::Completions(args) => Ok(commands::completions::run(context, &args)),
            Self::Config(args) => Ok(commands::config::run(context, &args)),
            Self::Contracts(args) => Ok(commands::contracts::run(context, &args)),
            Self::Open(args) => Ok(commands::open::run(context, &args)),
            Self::Urls(args) => Ok(commands::urls::run(context, &args)),
            Self::Man(args) => Ok(commands::man::run(context, &args)),
            Self::Version(args) => Ok(commands::version::run(context, &args)),
            other => Err(other),
        }
    }

    /// Whether the command deals with Ctrl-C itself. Any other is dropped where it stands.
    pub const fn ends_itself(&self) -> bool {
        matches!(
            self,
            Self::Serve(_) | Self::Up(_) | Self::Test(_) | Self::Watch(_) | Self::Submit(_)
        )
    }

    /// The flags that every command takes, with what flags of this one stand for.
    pub fn flags(&self, global: Global) -> Global {
        match self {
            Self::Up(args) => args.flags(global),
            _ => global,
        }
    }

    /// What the command does with the name of the engine.
    pub const fn engine_use(&self) -> EngineUse {
        match self {
            Self::Serve(_) => EngineUse::Show,
            _ => EngineUse::Choose,
        }
    }

    /// Runs any other command.
    pub async fn run(self, context: &Context) -> Result<ExitCode, Error> {
        match self {
            Self::Up(args) => commands::up::run(context, *args).await,
            Self::Down(args) => commands::down::run(context, args).await,
            Self::Status(args) => commands::status::run(context, args).await,
            Self::Doctor(args) => commands::doctor::run(context, args).await,
            Self::Submit(args) => commands::submit::run(context, *args).await,
            Self::Jobs(args) => commands::jobs::run(context, args).await,
            Self::DeadLetters(args) => commands::dead_letters::run(context, args).await,
            Self::Events(args) => commands::events::run(context, args).await,
            Self::Bench(args) => commands::bench::run(context, args).await,
            Self::Test(args) => commands::test::run(context, *args).await,
            Self::Verify(args) => commands::verify::run(context, args).await,
            Self::Export(args) => commands::export::run(context, args).await,
            Self::Forward(args) => commands::forward::run(context, &args).await,
            Self::Logs(args) => commands::logs::run(context, args).await,
            Self::Restart(args) => commands::restart::run(context, args).await,
            Self::Serve(args) => commands::serve::run(context, args).await,
            Self::Watch(args) => commands::watch::run(context, args).await,
            Self::Completions(_)
            | Self::Config(_)
            | Self::Contracts(_)
            | Self::Healthcheck(_)
            | Self::Man(_)
            | Self::Open(_)
            | Self::Urls(_)
            | Self::Version(_) => unreachable!("these need no runtime"),
        }
    }
}

/// The whole command, for help, completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
