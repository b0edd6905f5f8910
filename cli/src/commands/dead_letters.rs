//! `odd dead-letters`

use std::time::Duration;

use odd_client::{ClientError, Gateway};
use odd_contracts::Timestamp;
use odd_contracts::api::DeadLetter;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::args::OutputForm;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::format;
use crate::ident::{self, Ident};
use crate::output::{Glyph, Printer, Tone, left, right};
use crate::patience::Patience;

/// Most dead letters of one page.
const PAGE: usize = 500;
/// Time for which a request that the system could not take just now is repeated.
const PATIENCE: Duration = Duration::from_secs(10);

/// Look at messages that no consumer could take, and put them back on their queue.
///
/// A message becomes a dead letter where it is no job, or where its id belongs to another job. It is kept byte by byte, with
/// the reason, until it is put back.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  odd dead-letters list
  odd dead-letters get 7c9e6679
  odd dead-letters requeue 7c9e6679
  odd dead-letters requeue --all";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List dead letters, newest first
    List {
        /// Most dead letters to list
        #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
    },
    /// Show one dead letter: reason, headers and bytes
    Get {
        /// The dead letter: its id, or the first characters of it
        #[arg(value_name = "ID")]
        id: Ident,
    },
    /// Put dead letters back on the queue they were taken from, bytes unchanged
    ///
    /// What made them dead letters should be mended before, or they are back soon.
    Requeue {
        /// The dead letters: their ids, or the first characters of them
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<Ident>,
        /// Every dead letter
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

/// Runs what was asked for.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    match args.command {
        Command::List { limit } => list(context, usize::try_from(limit).unwrap_or(usize::MAX)).await,
        Command::Get { id } => get(context, &id).await,
        Command::Requeue { ids, all: false } => {
            let ids = ident::dead_letters(context, &ids).await?;
            requeue(context, &ids, false).await
        }
        Command::Requeue { all: true, .. } => {
            let (letters, _) = fetch(context, usize::MAX).await?;
            let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
            requeue(context, &ids, true).await
        }
    }
}

/// Version 1 of the answer of `list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListAnswer<'a> {
    version: u32,
    dead_letters: &'a [DeadLetter],
    /// Whether there are more than were asked for.
    more: bool,
}

/// Up to `limit` dead letters, and whether there are more.
async fn fetch(context: &Context, limit: usize) -> Result<(Vec<DeadLetter>, bool), Error> {
    let read_model = context.read_model()?;
    let mut letters: Vec<DeadLetter> = Vec::new();
    let mut cursor = None;
    loop {
        let some = (limit - letters.len()).min(PAGE);
        let page = read_model
            .dead_letters(cursor.as_deref(), Some(some))
            .await
            .map_err(|e| context.client_error("list dead letters", e))?;
        letters.extend(page.dead_letters);
        cursor = page.next_cursor;
        if cursor.is_none() || letters.len() >= limit {
            return Ok((letters, cursor.is_some()));
        }
    }
}

async fn list(context: &Context, limit: usize) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let (letters, more) = fetch(context, limit).await?;
    match printer.form() {
        OutputForm::Ndjson => letters.iter().try_for_each(|letter| printer.json_line(letter))?,
        OutputForm::Json => printer.json(&ListAnswer {
            version: 1,
            dead_letters: &letters,
            more,
        })?,
        OutputForm::Text if letters.is_empty() => {
            printer.note("no dead letters: every message could be taken")
        }
        OutputForm::Text => {
            let columns = [
                left("id"),
                left("reason"),
                left("job"),
                right("size"),
                right("since"),
                left("detail"),
            ];
            let now = Timestamp::now();
            printer.table(&columns, letters.iter().map(|letter| row(printer, letter, now)));
            if more {
                printer.note("there are more: --limit");
            }
            let of = of_instance(context.instance_name());
            let first = format::short_id(letters[0].id);
            printer.note(&format!("next: odd dead-letters get {first}{of}"));
        }
    }
    Ok(ExitCode::Ok)
}

fn row(printer: &Printer, letter: &DeadLetter, now: Timestamp) -> Vec<String> {
    vec![
        printer.paint(Tone::Accent, &format::short_id(letter.id)),
        printer.paint(Tone::Bad, &letter.reason),
        letter.job_id.map(format::short_id).unwrap_or_default(),
        format::bytes(letter.size),
        format::age(letter.dead_lettered_at, now),
        letter.detail.lines().next().unwrap_or_default().to_owned(),
    ]
}

/// Version 1 of the answer of `get`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GetAnswer<'a> {
    version: u32,
    dead_letter: &'a DeadLetter,
}

async fn get(context: &Context, ident: &Ident) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let of = of_instance(context.instance_name());
    let id = ident::dead_letters(context, std::slice::from_ref(ident)).await?[0];
    let letter = context.read_model()?.dead_letter(id).await.map_err(|e| {
        let unknown = e.is_not_found();
        let error = context.client_error(format!("get the dead letter {id}"), e);
        if unknown {
            error.hint(format!("odd dead-letters list{of}"))
        } else {
            error
        }
    })?;
    if printer.is_json() {
        printer.json(&GetAnswer {
            version: 1,
            dead_letter: &letter,
        })?;
        return Ok(ExitCode::Ok);
    }
    let rows = facts(printer, &letter)
        .into_iter()
        .map(|(name, value)| vec![printer.paint(Tone::Muted, name), value]);
    printer.table(&[], rows);
    printer.line("");
    match &letter.body_text {
        Some(text) => printer.line(text.trim_end()),
        None => {
            printer.line(&letter.body_base64);
            printer.note("the bytes are no text; shown in base64");
        }
    }
    printer.note(&format!(
        "next: odd dead-letters requeue {}{of}",
        format::short_id(id)
    ));
    Ok(ExitCode::Ok)
}

fn facts(printer: &Printer, letter: &DeadLetter) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("id", letter.id.to_string()),
        ("reason", printer.paint(Tone::Bad, &letter.reason)),
        ("detail", letter.detail.clone()),
        ("queue", letter.queue.clone()),
        ("since", format::date_and_clock(letter.dead_lettered_at)),
    ];
    if let Some(job) = letter.job_id {
        facts.push(("job", job.to_string()));
    }
    if let Some(content_type) = &letter.content_type {
        facts.push(("content type", content_type.clone()));
    }
    if !letter.headers.is_empty() {
        facts.push(("headers", Value::Object(letter.headers.clone()).to_string()));
    }
    facts.push(("size", format::bytes(letter.size)));
    facts
}

/// Version 1 of the answer of `requeue`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequeueAnswer {
    version: u32,
    /// Dead letters that are on their queue again.
    requeued: Vec<Uuid>,
    /// Dead letters that were put back before.
    gone: Vec<Uuid>,
}

/// Puts each back. The list comes from the event log and still names those that were put back before: where all are
/// meant, these are passed over.
async fn requeue(context: &Context, ids: &[Uuid], all: bool) -> Result<ExitCode, Error> {
    let (printer, gateway) = (&context.printer, context.gateway()?);
    let mut answer = RequeueAnswer {
        version: 1,
        ..RequeueAnswer::default()
    };
    let mut refusal = None;
    for id in ids {
        match request(gateway, *id).await {
            Ok(()) => answer.requeued.push(*id),
            Err(error) if error.is_not_found() && all => answer.gone.push(*id),
            Err(error) => {
                // What was put back before is reported all the same.
                refusal = Some(context.client_error(format!("put the dead letter {id} back"), error));
                break;
            }
        }
    }
    if refusal.is_none() || !answer.requeued.is_empty() {
        report(printer, &answer)?;
    }
    refusal.map_or(Ok(ExitCode::Ok), Err)
}

fn report(printer: &Printer, answer: &RequeueAnswer) -> Result<(), Error> {
    if printer.is_json() {
        return printer.json(answer);
    }
    let mark = printer.mark(Glyph::Ok, Tone::Ok);
    for id in &answer.requeued {
        printer.line(&format!("{mark} {}  on its queue again", format::short_id(*id)));
    }
    if answer.requeued.is_empty() {
        printer.note("there is no dead letter to put back");
    }
    Ok(())
}

async fn request(gateway: &Gateway, id: Uuid) -> Result<(), ClientError> {
    let mut patience = Patience::new(PATIENCE);
    loop {
        match gateway.requeue_dead_letter(id).await {
            Err(error) if patience.wait(&error).await => {}
            result => return result,
        }
    }
}
