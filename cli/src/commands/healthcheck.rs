//! `odd healthcheck`
//!
//! Container engines run it every few seconds in every container of a role, so it starts neither a runtime nor an HTTP
//! client and reads no settings file.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use odd_contracts::api::Health;
use odd_contracts::names::env;
use odd_contracts::{Role, VERSION};
use odd_engine::Instance;
use serde::Serialize;

use crate::args::Global;
use crate::error::Error;
use crate::exit::ExitCode;
use crate::output::Printer;

/// Ask a role whether it takes work, and exit with 0 if it does.
///
/// Asks /readyz of the role on this machine, and takes no longer than 2 s. Exits with 1 where the role is not ready, and says why. Made for the health checks of containers: it reads
/// no settings file, only flags and the environment.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odd healthcheck gateway\n  odd healthcheck processor --url http://10.0.0.7:3010"
)]
pub struct Args {
    /// The role that is asked, and that must answer
    #[arg(value_name = "ROLE")]
    role: Role,
    /// Its port, instead of its default and the offset
    #[arg(long, value_name = "PORT", conflicts_with = "url", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Its address, instead of this machine's
    #[arg(long, value_name = "URL", value_parser = target)]
    url: Option<Target>,
}

/// Longest time that the whole command takes.
const LIMIT: Duration = Duration::from_secs(2);
/// Longest answer that is read: that of a role has some hundred bytes.
const LONGEST: u64 = 64 * 1024;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// `host:port`
    authority: String,
    /// What stands before `/readyz`; empty, or without a slash at its end.
    path: String,
}

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    version: u32,
    role: Role,
    ready: bool,
    reason: Option<&'a str>,
}

/// Asks and prints.
pub fn run(flags: &Global, args: &Args, printer: &Printer) -> Result<ExitCode, Error> {
    let target = match &args.url {
        Some(target) => target.clone(),
        None => here(args.port.map_or_else(|| port(flags, args.role), Ok)?),
    };
    let (tell, told) = mpsc::channel();
    let role = args.role;
    // On a thread of its own, because a name is looked up without a time limit. The end of the process ends it.
    std::thread::spawn(move || tell.send(ask(&target, role)));
    let reason = told
        .recv_timeout(LIMIT)
        .unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())))
        .err();
    answer(printer, role, reason.as_deref())
}

fn answer(printer: &Printer, role: Role, reason: Option<&str>) -> Result<ExitCode, Error> {
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            role,
            ready: reason.is_none(),
            reason,
        })?;
    } else {
        match reason {
            None => printer.line(&format!("the {role} is ready")),
            Some(reason) => printer.warn(&format!("the {role} is not ready: {reason}")),
        }
    }
    Ok(if reason.is_none() {
        ExitCode::Ok
    } else {
        ExitCode::Failed
    })
}

/// The role's port on this machine: its default and the offset of the flag, else of the environment.
fn port(flags: &Global, role: Role) -> Result<u16, Error> {
    let given = std::env::var(env::PORT_OFFSET)
        .ok()
        .filter(|text| !text.is_empty());
    let offset = match (flags.port_offset, given) {
        (Some(offset), _) => Some(offset),
        (None, Some(text)) => text.parse().ok(),
        (None, None) => Some(0),
    };
    let offset = offset.filter(|offset| *offset <= Instance::MAX_PORT_OFFSET);
    offset.map(|offset| role.default_port() + offset).ok_or_else(|| {
        let reason = format!(
            "the port offset is no number from 0 to {}",
            Instance::MAX_PORT_OFFSET
        );
        Error::because(format!("ask the {role}"), reason)
            .code(ExitCode::Usage)
            .hint(format!("odd healthcheck {role} --port {}", role.default_port()))
    })
}

fn here(port: u16) -> Target {
    Target {
        authority: SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
        path: String::new(),
    }
}

/// Reads `http://host[:port][/path]`.
fn target(url: &str) -> Result<Target, String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("expected an address such as http://127.0.0.1:3000")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let unfit = |c: char| c.is_whitespace() || c.is_control() || "@?#\\".contains(c);
    if authority.is_empty() || url.contains(unfit) {
        return Err("expected an address such as http://127.0.0.1:3000".to_owned());
    }
    // The colons of an IPv6 address stand in brackets.
    let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    Ok(Target {
        authority: if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        },
        path: path.trim_end_matches('/').to_owned(),
    })
}

/// Why the role is not ready.
fn ask(target: &Target, role: Role) -> Result<(), String> {
    let Target { authority, path } = target;
    let told = |error: std::io::Error| format!("{authority}: {error}");
    let mut connection = TcpStream::connect(authority.as_str()).map_err(told)?;
    let request = format!(
        "GET {path}/readyz HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: odd/{VERSION}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).map_err(told)?;
    let mut bytes = Vec::new();
    connection.take(LONGEST).read_to_end(&mut bytes).map_err(told)?;
    judge(&bytes, role).map_err(|reason| format!("{authority}: {reason}"))
}

/// Why this answer does not say that the role is ready.
fn judge(answer: &[u8], role: Role) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|line| line.split_ascii_whitespace().nth(1));
    let status = status.ok_or("what answers does not speak HTTP")?;
    // From brace to brace, whether the body comes in chunks or not.
    let document = body
        .find('{')
        .zip(body.rfind('}'))
        .map(|(from, to)| &body[from..=to]);
    let health: Option<Health> = document.and_then(|document| serde_json::from_str(document).ok());
    let health = health.ok_or_else(|| format!("what answers is no role (HTTP {status})"))?;
    if health.service != role.name() {
        return Err(format!("it is the {} that answers there", health.service));
    }
    if status == "200" {
        return Ok(());
    }
    let missing: Vec<String> = health
        .checks
        .iter()
        .filter(|(_, state)| *state != "ok")
        .map(|(name, state)| format!("{name}: {state}"))
        .collect();
    Err(if missing.is_empty() {
        health.status
    } else {
        missing.join(", ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: &str, body: &str) -> Result<(), String> {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\r\n{body}");
        judge(answer.as_bytes(), Role::Gateway)
    }

    #[test]
    fn only_the_role_itself_is_ready() {
        let ok = r#"{"status":"ok","service":"gateway","version":"1","checks":{"spine":"ok"}}"#;
        assert_eq!(judged("200 OK", ok), Ok(()));
        assert_eq!(
            judged("200 OK", &format!("4b\r\n{ok}\r\n0\r\n\r\n")),
            Ok(()),
            "in chunks"
        );
        let other = ok.replace("gateway", "processor");
        assert!(judged("200 OK", &other).unwrap_err().contains("processor"));
        assert!(judged("200 OK", "<html>").unwrap_err().contains("no role"));
        assert!(judge(b"SSH-2.0-OpenSSH\r\n", Role::Gateway).is_err());
        assert!(judge(b"", Role::Gateway).is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let body = r#"{"status":"unavailable","service":"gateway","version":"1","checks":{"a":"ok","spine":"no answer"}}"#;
        let status = "503 Service Unavailable";
        assert_eq!(judged(status, body), Err("spine: no answer".to_owned()));
        let plain = r#"{"status":"draining","service":"gateway","version":"1"}"#;
        assert_eq!(judged(status, plain), Err("draining".to_owned()));
    }

    #[test]
    fn addresses_are_read() {
        let read = |url: &str| target(url).map(|target| (target.authority, target.path));
        let is = |authority: &str, path: &str| Ok((authority.to_owned(), path.to_owned()));
        assert_eq!(read("http://gateway:3000"), is("gateway:3000", ""));
        assert_eq!(read("http://gateway:3000/"), is("gateway:3000", ""));
        assert_eq!(read("http://gateway/behind/"), is("gateway:80", "/behind"));
        assert_eq!(read("http://[::1]"), is("[::1]:80", ""));
        assert_eq!(read("http://[::1]:3000"), is("[::1]:3000", ""));
        for bad in [
            "",
            "gateway:3000",
            "https://gateway",
            "http://",
            "http:///x",
            "http://a b",
            "http://a\r\nX: y",
            "http://user@host",
            "http://host?x",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
