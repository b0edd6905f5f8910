//! `odd urls`

use odd_contracts::Role;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Tone, left};

/// Show where everything is, whether it runs or not.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    running: bool,
    urls: &'a [Place],
}

#[derive(Debug, Serialize)]
struct Place {
    name: &'static str,
    url: String,
    what: &'static str,
}

/// Prints them.
pub fn run(context: &Context, _args: &Args) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let places: Vec<Place> = Role::ALL
        .into_iter()
        .flat_map(|role| places(context, role))
        .collect();
    let running = context.process().is_some();
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: context.instance_name(),
            running,
            urls: &places,
        })?;
        return Ok(ExitCode::Ok);
    }
    let rows = places.iter().map(|place| {
        vec![
            place.name.to_owned(),
            printer.paint(Tone::Accent, &place.url),
            place.what.to_owned(),
        ]
    });
    printer.table(&[left("name"), left("address"), left("what")], rows);
    if !running {
        printer.note(&format!(
            "nothing runs there now; next: odd up{}",
            of_instance(context.instance_name())
        ));
    }
    Ok(ExitCode::Ok)
}

fn places(context: &Context, role: Role) -> Vec<Place> {
    let base = context.url(role);
    let page = match role {
        Role::Gateway => Some((
            "gateway API",
            "every request that changes something, to read and to try",
        )),
        Role::ReadModel => Some(("read-model API", "every question, to read and to try")),
        Role::Processor | Role::MetricsEngine | Role::Web => None,
    };
    let docs = page.map(|(name, what)| Place {
        name,
        url: format!("{base}/docs"),
        what,
    });
    let own = Place {
        name: role.name(),
        url: base,
        what: role.summary(),
    };
    std::iter::once(own).chain(docs).collect()
}
