//! `odd config`

use odd_contracts::names::env;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::output::Tone;
use crate::serve::servers::{Server, management_shown, shown};
use crate::settings::Origin;

/// Show settings and where each comes from.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the settings of the command line and the servers; docs/configuration.md has those of single roles too
    Show {
        /// Also tell where each came from
        #[arg(long)]
        origin: bool,
    },
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer {
    version: u32,
    settings: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    /// What stands for a value that is not there, for people.
    #[serde(skip)]
    absent: &'static str,
}

/// Settings of `odd serve` on servers, which come from the environment alone. Addresses are shown without passwords.
fn of_servers() -> Vec<(&'static str, Option<String>, Origin, &'static str)> {
    let plain = |text: &str| text.to_owned();
    let setting = |variable: &'static str, show: &dyn Fn(&str) -> String, absent| {
        let text = std::env::var_os(variable).map(|text| text.to_string_lossy().into_owned());
        let text = text.filter(|text| !text.trim().is_empty());
        let origin = match text {
            Some(_) => Origin::Environment(variable),
            None => Origin::Default,
        };
        (key_of(variable), text.map(|text| show(&text)), origin, absent)
    };
    let mut settings: Vec<_> = Server::ALL
        .into_iter()
        .map(|server| setting(server.variable(), &|text| shown(server, text), "(none: SQLite)"))
        .collect();
    settings.insert(1, setting(env::AMQP_MANAGEMENT_URL, &management_shown, "(none)"));
    settings.push(setting(env::REDIS_PREFIX, &plain, "odd"));
    settings.push(setting(env::EVENT_RETENTION_DAYS, &plain, "(for ever)"));
    settings
}

/// Name of a setting that has a variable only.
fn key_of(variable: &'static str) -> &'static str {
    match variable {
        env::AMQP_URL => "amqp-url",
        env::AMQP_MANAGEMENT_URL => "amqp-management-url",
        env::POSTGRES_URL => "postgres-url",
        env::MONGO_URL => "mongo-url",
        env::REDIS_URL => "redis-url",
        env::REDIS_PREFIX => "redis-prefix",
        env::EVENT_RETENTION_DAYS => "event-retention-days",
        other => other,
    }
}

/// Prints the settings.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let Command::Show { origin } = args.command;
    let entry = |(name, value, from, absent): (_, _, Origin, _)| Entry {
        name,
        value,
        origin: origin.then(|| from.to_string()),
        absent,
    };
    let own = "(the instance's own)";
    let of_clients = context.settings.list().into_iter();
    let settings: Vec<Entry> = of_clients
        .map(|(name, value, from)| (name, value, from.clone(), own))
        .chain(of_servers())
        .map(entry)
        .collect();
    let printer = &context.printer;
    if printer.is_json() {
        printer.json(&Answer { version: 1, settings })?;
        return Ok(ExitCode::Ok);
    }
    let rows = settings.iter().map(|entry| {
        let value = entry.value.clone().unwrap_or_else(|| entry.absent.to_owned());
        let mut row = vec![entry.name.to_owned(), value];
        row.extend(entry.origin.as_ref().map(|text| printer.paint(Tone::Muted, text)));
        row
    });
    printer.table(&[], rows);
    Ok(ExitCode::Ok)
}
