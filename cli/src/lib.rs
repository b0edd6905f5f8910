//! `odd`: runs, shows, breaks and proves a distributed job system on your own machine.
//!
//! The binary is [`main`] alone. Each command is one file in [`commands`]; everything printed goes through
//! [`output::Printer`]; [`exit::ExitCode`] says what an exit code means.

pub mod args;
pub mod build;
pub mod commands;
pub mod context;
pub mod engine;
pub mod error;
pub mod exit;
pub mod ident;
pub mod output;
pub mod pages;
pub mod parse;
pub mod patience;
pub mod prompt;
pub mod serve;
pub mod settings;
pub mod waiter;

pub use odd_look::{duration, format};

use std::io::IsTerminal;

use args::{Cli, Command};
use clap::Parser;
use context::Context;
use error::Error;
use exit::ExitCode;
use output::Printer;

/// The life of a command: parse, resolve settings, run, report, exit.
pub fn main() -> std::process::ExitCode {
    build::tell_commit();
    // In test builds, the variable FAILPOINTS arms failpoints for the life of the process.
    let _armed = fail::has_failpoints().then(fail::FailScenario::setup);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error).into(),
    };
    let printer = Printer::new(&cli.global);
    let code = match run(cli, &printer) {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error.code
        }
    };
    printer.finish(code).into()
}

fn run(cli: Cli, printer: &Printer) -> Result<ExitCode, Error> {
    let Some(command) = cli.command.or_else(on_a_terminal) else {
        printer.help(&args::command())?;
        return Ok(ExitCode::Ok);
    };
    if let Command::Healthcheck(args) = &command {
        return commands::healthcheck::run(&cli.global, args, printer);
    }
    let flags = command.flags(cli.global);
    let context = Context::new(&flags, command.engine_use(), printer.clone())?;
    // A runtime costs threads: what needs none starts without.
    match command.run_plain(&context) {
        Ok(result) => result,
        Err(command) => run_async(command, &context),
    }
}

/// `odd` alone opens the dashboard where there is a terminal to show it on.
fn on_a_terminal() -> Option<Command> {
    let is_one = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    is_one.then(|| Command::Watch(commands::watch::Args::plain()))
}

fn run_async(command: Command, context: &Context) -> Result<ExitCode, Error> {
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|e| Error::new("start the runtime", e))?;
    let result = runtime.block_on(async {
        if command.ends_itself() {
            return command.run(context).await;
        }
        tokio::select! {
            result = command.run(context) => result,
            () = odd_engine::platform::interrupted() => Ok(ExitCode::Interrupted),
        }
    });
    // A blocking read of standard input cannot be ended; it must not hold up the exit.
    runtime.shutdown_background();
    result
}
