//! The logs of a stack's containers.

use futures::StreamExt;
use odd_contracts::Timestamp;
use odd_engine::docker::{self, LogLine, LogOptions};
use odd_engine::error::EngineError;
use serde_json::{Map, Value};

use super::{Args, line};
use crate::context::Context;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::output::Printer;

/// Lines of each container to begin with.
pub(super) const TAIL: usize = 20;

/// Prints what the containers wrote, interleaved, and follows them.
pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let failed =
        |e: EngineError| Error::from_engine(format!("show the logs of the instance {name}"), e, name);
    let options = LogOptions {
        services: args.services,
        tail: Some(args.tail.unwrap_or(TAIL)),
        follow: args.follow,
    };
    let lines = docker::logs(&context.instance, &options).await.map_err(failed)?;
    let mut lines = std::pin::pin!(lines);
    while let Some(written) = lines.next().await {
        let LogLine {
            service,
            number,
            at,
            line,
            ..
        } = written.map_err(failed)?;
        print(
            printer,
            &Written {
                service: &service,
                number,
                at,
                line: &line,
            },
        );
        if printer.is_closed() {
            break;
        }
    }
    Ok(ExitCode::Ok)
}

/// A line of one replica of a service.
pub(super) struct Written<'a> {
    pub(super) service: &'a str,
    /// Number of the replica, from 1.
    pub(super) number: u32,
    /// When it was received.
    pub(super) at: Option<Timestamp>,
    pub(super) line: &'a str,
}

pub(super) fn print(printer: &Printer, written: &Written<'_>) {
    let document = serde_json::from_str::<Map<String, Value>>(written.line).ok();
    // What a server writes as JSON has other fields than a role.
    let of_role =
        document.filter(|document| document.contains_key("message") && document.contains_key("level"));
    let at = written.at.map(|at| at.to_string()).unwrap_or_default();
    if printer.is_json() {
        printer.line(&for_programs(written, of_role, at).to_string());
        return;
    }
    let service = match written.number {
        1 => written.service.to_owned(),
        number => format!("{} {number}", written.service),
    };
    printer.line(&match of_role {
        Some(document) => line::pretty(printer, &document, Some(&service)),
        None => line::plain(printer, &at, &service, written.line),
    });
}

/// A line of a role as it is, one of a server with the same fields; each with its service and the number of its container.
fn for_programs(written: &Written<'_>, of_role: Option<Map<String, Value>>, at: String) -> Value {
    let mut document = of_role.unwrap_or_else(|| {
        Map::from_iter([
            ("timestamp".to_owned(), at.into()),
            ("message".to_owned(), written.line.into()),
        ])
    });
    // What a library writes does not say which role it works for.
    document
        .entry("service")
        .or_insert_with(|| written.service.into());
    document.insert("replica".to_owned(), written.number.into());
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_document_for_programs() {
        let written = |line| Written {
            service: "redis",
            number: 2,
            at: Some("2026-01-31T12:04:31Z".parse().unwrap()),
            line,
        };
        let plain = for_programs(&written("Ready"), None, "then".to_owned());
        assert_eq!(
            (&plain["message"], &plain["service"], &plain["replica"]),
            (&"Ready".into(), &"redis".into(), &2.into())
        );
        let document = Map::from_iter([("message".to_owned(), "x".into())]);
        let own = for_programs(&written("{}"), Some(document), String::new());
        assert_eq!((&own["message"], &own["service"]), (&"x".into(), &"redis".into()));
        let named = Map::from_iter([("service".to_owned(), "gateway".into())]);
        assert_eq!(
            for_programs(&written("{}"), Some(named), String::new())["service"],
            "gateway"
        );
    }
}
