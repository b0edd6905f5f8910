//! `odd urls`

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use odd_contracts::{Role, ui};
use odd_engine::compose::{self, Source};
use odd_engine::docker::Credentials;
use serde::Serialize;

use crate::context::Context;
use crate::engine::Engine;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Glyph, Printer, Tone, left};
use crate::pages;

/// Show where everything is, and whether it answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also show the users and passwords of the instance's servers and pages
    #[arg(long)]
    show_secrets: bool,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    engine: &'static str,
    running: bool,
    urls: &'a [Place],
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<&'a [Secret]>,
}

#[derive(Debug, Serialize)]
struct Place {
    name: String,
    url: String,
    what: String,
    /// Whether somebody listens there.
    reachable: bool,
}

/// What a person or a program signs in with.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Secret {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    secret: String,
}

/// Time that a listener on this machine may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Prints them.
pub fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let printer = &context.printer;
    let places = places(context);
    let running = context.present().running().is_some();
    let secrets = args.show_secrets.then(|| secrets(context)).transpose()?;
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: context.instance_name(),
            engine: context.engine().name(),
            running,
            urls: &places,
            secrets: secrets.as_deref(),
        })?;
        return Ok(ExitCode::Ok);
    }
    let rows = places.iter().map(|place| row(printer, place));
    printer.table(&[left("  name"), left("address"), left("what")], rows);
    if let Some(secrets) = &secrets {
        show(context, secrets);
    }
    if !running {
        printer.note(&format!(
            "nothing runs there now; next: odd up{}",
            of_instance(context.instance_name())
        ));
    } else if secrets.is_none() && context.engine() == Engine::Docker {
        printer.note("users and passwords: odd urls --show-secrets");
    }
    Ok(ExitCode::Ok)
}

fn row(printer: &Printer, place: &Place) -> Vec<String> {
    let (glyph, tone) = match place.reachable {
        true => (Glyph::Ok, Tone::Ok),
        false => (Glyph::Waiting, Tone::Waiting),
    };
    vec![
        format!("{} {}", printer.mark(glyph, tone), place.name),
        printer.paint(Tone::Accent, &place.url),
        place.what.clone(),
    ]
}

fn show(context: &Context, secrets: &[Secret]) {
    let printer = &context.printer;
    if secrets.is_empty() {
        printer.note("the embedded engine needs no passwords: it listens on this machine only");
        return;
    }
    printer.line("");
    let rows = secrets.iter().map(|secret| {
        let user = secret.user.clone().unwrap_or_default();
        vec![format!("  {}", secret.name), user, secret.secret.clone()]
    });
    printer.table(&[left("  of"), left("user"), left("password")], rows);
}

/// Each role that can be called from this machine with its pages, then every other page, then whatever else is published. A page that is at
/// the very address of its role stands for it.
fn places(context: &Context) -> Vec<Place> {
    let mut places = Vec::new();
    let mut pages = pages::of(context);
    let mut published: BTreeMap<String, u16> = context
        .stack()
        .map(|stack| stack.ports.clone())
        .unwrap_or_default();
    for role in Role::ALL {
        published.remove(role.name());
        let Some(base) = base(context, role) else { continue };
        let (own, others): (Vec<_>, Vec<_>) = pages.into_iter().partition(|page| page.url.starts_with(&base));
        pages = others;
        if own.iter().all(|page| page.url != base) {
            places.push(place(role.name(), base, role.summary()));
        }
        places.extend(own.into_iter().map(|page| place(page.name, page.url, page.what)));
    }
    for page in pages {
        published.remove(page.id);
        places.push(place(page.name, page.url, page.what));
    }
    let rest = published.into_iter();
    places.extend(rest.map(|(service, port)| {
        let url = format!("http://127.0.0.1:{port}");
        place(&service, url, "A service of the stack that has no page")
    }));
    places
}

/// Base address of a role; none where its stack publishes none.
fn base(context: &Context, role: Role) -> Option<String> {
    match (context.engine(), context.stack()) {
        (Engine::Docker, Some(stack)) => stack.ports.get(role.name()).map(|_| context.url(role)),
        (Engine::Docker, None) => role.is_public().then(|| context.url(role)),
        (Engine::Embedded, _) => Some(context.url(role)),
        (Engine::Kubernetes, _) => role.is_public().then(|| context.url(role)),
    }
}

fn place(name: &str, url: String, what: &str) -> Place {
    Place {
        name: name.to_owned(),
        reachable: is_reachable(&url),
        url,
        what: what.to_owned(),
    }
}

/// Whether somebody listens at an address of this machine. What is elsewhere is not asked.
fn is_reachable(url: &str) -> bool {
    let authority = url.trim_start_matches("http://").split('/').next();
    let address: Option<SocketAddr> = authority.and_then(|authority| authority.parse().ok());
    address.is_some_and(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

fn secrets(context: &Context) -> Result<Vec<Secret>, Error> {
    let name = context.instance_name();
    if context.engine() == Engine::Kubernetes
        && let Some(file) = context.cluster()
    {
        let action = format!("show the passwords of the instance {name}");
        return Err(Error::because(action, "they are in its cluster")
            .code(ExitCode::Usage)
            .hint(format!(
                "kubectl{} --context {} --namespace {} get secret odd-secrets --output yaml",
                file.kubeconfig
                    .as_ref()
                    .map_or_else(String::new, |path| format!(" --kubeconfig {}", path.display())),
                file.context,
                file.namespace
            )));
    }
    let failed = |e| Error::from_engine(format!("read the credentials of the instance {name}"), e, name);
    let Some(credentials) = Credentials::load(&context.instance).map_err(failed)? else {
        return Ok(Vec::new());
    };
    let variables = compose::variables(&Source::Embedded)
        .map_err(|e| Error::new("read the variables of the compose files", e))?;
    let mut secrets = pairs(credentials.iter(), &variables);
    if let Some(stack) = context.stack() {
        secrets.retain(|secret| is_of_use(&secret.name, &stack.ports));
    }
    Ok(secrets)
}

/// Every secret is made once for all; one of a page is of use only where the stack has the page.
fn is_of_use(of: &str, published: &BTreeMap<String, u16>) -> bool {
    ui::registry().entry(of).is_none() || published.contains_key(of)
}

/// Joins each secret with the user that goes with it.
fn pairs<'a>(
    secrets: impl Iterator<Item = (&'a str, &'a str)>,
    variables: &BTreeMap<String, String>,
) -> Vec<Secret> {
    secrets
        .map(|(variable, secret)| {
            let of = variable.trim_end_matches("_PASSWORD").trim_end_matches("_TOKEN");
            let user = ["USER", "EMAIL"]
                .iter()
                .find_map(|kind| variables.get(&format!("{of}_{kind}")));
            Secret {
                name: of.to_lowercase().replace('_', "-"),
                user: user.cloned(),
                secret: secret.to_owned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_with_its_user() {
        let variables = BTreeMap::from([
            ("GRAFANA_USER".to_owned(), "admin".to_owned()),
            ("PGADMIN_EMAIL".to_owned(), "odd@example.com".to_owned()),
        ]);
        let secrets = [
            ("GRAFANA_PASSWORD", "a"),
            ("PGADMIN_PASSWORD", "b"),
            ("ALERT_WEBHOOK_TOKEN", "c"),
        ];
        let shown = pairs(secrets.into_iter(), &variables);
        let row = |secret: &Secret| (secret.name.clone(), secret.user.clone());
        assert_eq!(
            shown.iter().map(row).collect::<Vec<_>>(),
            [
                ("grafana".to_owned(), Some("admin".to_owned())),
                ("pgadmin".to_owned(), Some("odd@example.com".to_owned())),
                ("alert-webhook".to_owned(), None),
            ]
        );
    }

    #[test]
    fn a_secret_of_a_page_that_is_not_there_is_left_out() {
        let published = BTreeMap::from([("rabbitmq".to_owned(), 15_672)]);
        for (of, expected) in [
            ("rabbitmq", true),
            ("postgres", true),
            ("alert-webhook", true),
            ("grafana", false),
            ("pgadmin", false),
            ("mongo-express", false),
        ] {
            assert_eq!(is_of_use(of, &published), expected, "{of}");
        }
    }
}
