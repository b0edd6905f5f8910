//! `odd open`

use odd_engine::{platform, web_token};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::Tone;
use crate::pages::{self, DASHBOARD, Page};

/// Open a page of the observatory in the browser
///
/// Over SSH or without a display it prints the address instead. Where the web terminal asks for a token, the dashboard is opened with it:
/// the page takes it from the address at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The page, as `odd urls` names it, such as dashboard, gateway or grafana
    #[arg(value_name = "NAME", default_value = DASHBOARD)]
    name: String,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    name: &'a str,
    url: &'a str,
    opened: bool,
}

/// Opens it.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let pages = pages::of(context);
    let page = find(&pages, &args.name).ok_or_else(|| unknown(context, &pages, &args.name))?;
    if context.present().running().is_none() {
        let of = of_instance(context.instance_name());
        return Err(
            Error::because(format!("open {}", page.url), "the instance does not run")
                .code(ExitCode::Prerequisite)
                .hint(format!("odd up{of}")),
        );
    }
    let printer = &context.printer;
    let url = with_token(context, page)?;
    let opened = platform::has_display() && opened(context, &url);
    // What was opened need not be told with its token.
    let told = if opened { &page.url } else { &url };
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: context.instance_name(),
            name: page.id,
            url: told,
            opened,
        })?;
    } else {
        printer.line(&printer.paint(Tone::Accent, told));
    }
    Ok(ExitCode::Ok)
}

/// The address of a page. The fragment with the token stays in the browser: it is sent to nobody, and no server logs it.
fn with_token(context: &Context, page: &Page) -> Result<String, Error> {
    if page.id != DASHBOARD {
        return Ok(page.url.clone());
    }
    let name = context.instance_name();
    let token = web_token::recall(&context.instance)
        .map_err(|e| Error::from_engine("read the token of the web terminal", e, name))?;
    let encoded = |token: String| utf8_percent_encode(&token, NON_ALPHANUMERIC).to_string();
    Ok(match token {
        Some(token) => format!("{}/#token={}", page.url, encoded(token)),
        None => page.url.clone(),
    })
}

/// Whether a browser was started. That there is none is no error: the address is printed either way.
fn opened(context: &Context, url: &str) -> bool {
    match open::that_detached(url) {
        Ok(()) => true,
        Err(error) => {
            context
                .printer
                .warn(&format!("no browser could be started: {error}"));
            false
        }
    }
}

/// By its id, by the service that it belongs to, of which a person wants the page before the description, or by its name for people.
fn find<'a>(pages: &'a [Page], name: &str) -> Option<&'a Page> {
    let name = if name == "web" { DASHBOARD } else { name };
    let of_role = format!("{name}-docs");
    let named = |id: &str| pages.iter().find(|page| page.id == id);
    let called = || pages.iter().find(|page| page.name.eq_ignore_ascii_case(name));
    named(name).or_else(|| named(&of_role)).or_else(called)
}

fn unknown(context: &Context, pages: &[Page], name: &str) -> Error {
    let names: Vec<&str> = pages.iter().map(|page| page.id).collect();
    let reason = format!("the instance has no such page; it has {}", names.join(", "));
    Error::because(format!("open {name}"), reason)
        .code(ExitCode::Usage)
        .hint(format!("odd urls{}", of_instance(context.instance_name())))
}
