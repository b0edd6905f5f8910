//! Published ports, in the short and in the long form.

use std::net::IpAddr;

use super::Item;
use crate::compose::ComposeError;
use crate::compose::model::{Port, Protocol};

/// The ports of a service; the same one twice is one.
pub(super) fn ports(item: &Item<'_>) -> Result<Vec<Port>, ComposeError> {
    let mut all: Vec<Port> = Vec::new();
    for item in item.items()? {
        let port = match item.is_mapping() {
            true => long(&item)?,
            false => item.parsed(short)?,
        };
        if !all.contains(&port) {
            all.push(port);
        }
    }
    Ok(all)
}

/// Ports that are told but not published: `80`, `53/udp`.
pub(super) fn expose(item: &Item<'_>) -> Result<Vec<(u16, Protocol)>, ComposeError> {
    let mut all = Vec::new();
    for item in item.items()? {
        let exposed = item.parsed(|text| {
            let (port, protocol) = with_protocol(text)?;
            Ok((number(port)?, protocol))
        })?;
        if !all.contains(&exposed) {
            all.push(exposed);
        }
    }
    Ok(all)
}

fn long(item: &Item<'_>) -> Result<Port, ComposeError> {
    let mut fields = item.fields()?;
    let port = Port {
        target: fields
            .read("target", |item| item.parsed(number))?
            .ok_or_else(|| item.invalid("a port needs a target"))?,
        published: fields.read("published", |item| item.parsed(number))?,
        host_ip: fields.read("host_ip", |item| item.parsed(address))?,
        protocol: fields.read_or_default("protocol", |item| item.parsed(protocol))?,
    };
    fields.finish()?;
    Ok(port)
}

/// `[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]`, with an IPv6 address in brackets.
fn short(text: &str) -> Result<Port, String> {
    let (text, protocol) = with_protocol(text)?;
    let (head, target) = match text.rsplit_once(':') {
        Some((head, target)) => (Some(head), target),
        None => (None, text),
    };
    let (host_ip, published) = match head {
        None => (None, None),
        Some(head) => match head.rsplit_once(':') {
            // An address without a port ends in its bracket.
            _ if head.ends_with(']') => (Some(head), None),
            Some((host, published)) => (Some(host), Some(published)),
            None => (None, Some(head)),
        },
    };
    Ok(Port {
        host_ip: host_ip.map(address).transpose()?,
        published: published
            .filter(|port| !port.is_empty())
            .map(number)
            .transpose()?,
        target: number(target)?,
        protocol,
    })
}

fn with_protocol(text: &str) -> Result<(&str, Protocol), String> {
    match text.split_once('/') {
        Some((rest, name)) => Ok((rest, protocol(name)?)),
        None => Ok((text, Protocol::Tcp)),
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        _ => Err(format!("{text:?} is no protocol; there are tcp and udp")),
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().map_err(|_| format!("{text:?} is no IP address"))
}

fn number(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && !text.starts_with('+') => Ok(port),
        _ if text.contains('-') => Err(format!("{text:?}: ranges of ports are not supported")),
        _ => Err(format!("{text:?} is no port: it is a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_forms() {
        let port = |host_ip: Option<&str>, published, target, protocol| Port {
            host_ip: host_ip.map(|ip| ip.parse().unwrap()),
            published,
            target,
            protocol,
        };
        for (text, expected) in [
            ("80", port(None, None, 80, Protocol::Tcp)),
            ("8080:80", port(None, Some(8080), 80, Protocol::Tcp)),
            (
                "127.0.0.1:8080:80",
                port(Some("127.0.0.1"), Some(8080), 80, Protocol::Tcp),
            ),
            ("127.0.0.1::80", port(Some("127.0.0.1"), None, 80, Protocol::Tcp)),
            (
                "[::1]:8080:80/udp",
                port(Some("::1"), Some(8080), 80, Protocol::Udp),
            ),
            ("[::1]:80", port(Some("::1"), None, 80, Protocol::Tcp)),
            ("53:53/udp", port(None, Some(53), 53, Protocol::Udp)),
        ] {
            assert_eq!(short(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "0",
            "65536",
            "a",
            "80/sctp",
            "1-2:3-4",
            "localhost:80:80",
            "1.2.3:80:80",
            "80:",
            ":80:80:80",
            "+80",
        ] {
            assert!(short(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in any::<String>(), near in "[0-9:./\\[\\]a-f]{0,24}") {
            let _ = (short(&text), short(&near));
        }
    }
}
