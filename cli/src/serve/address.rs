//! Addresses of servers: checked when they are read, and shown without what is secret in them.
//!
//! No message of this module repeats any part of an address but its scheme: where a password is not encoded, any part may
//! belong to it.

use odd_runtime::config::Secret;

/// An address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    url: Secret<String>,
    shown: String,
}

impl Address {
    /// Checks scheme, host and port.
    ///
    /// # Errors
    /// What is wrong, without any part of the address but its scheme.
    pub(crate) fn parse(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| "it has no scheme".to_owned())?;
        if !schemes.contains(&scheme) {
            return Err(wrong_scheme(scheme, schemes));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        if behind.contains('@') || behind.contains('#') {
            return Err(
                "it has an @ or # behind its host: in a user name or password write / as %2F, ? as %3F, # as %23 and @ as %40"
                    .to_owned(),
            );
        }
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (user.split(':').next().unwrap_or_default(), hosts),
            None => ("", authority),
        };
        hosts.split(',').try_for_each(check_host)?;
        let path = behind.split('?').next().unwrap_or_default();
        let user = if user.is_empty() {
            String::new()
        } else {
            format!("{user}@")
        };
        Ok(Self {
            url: Secret::new(text.to_owned()),
            shown: format!("{scheme}://{user}{hosts}{path}"),
        })
    }

    /// The address with its password, to use it and not to print it.
    pub(crate) fn expose(&self) -> &str {
        self.url.expose()
    }

    /// The address without password and parameters.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

fn wrong_scheme(scheme: &str, schemes: &[&str]) -> String {
    let allowed = schemes.join(":// or ");
    let secure = ["amqps", "rediss", "https"].contains(&scheme);
    if secure {
        format!("its scheme is {scheme}, and TLS is not built in; it has to be {allowed}://")
    } else if scheme.len() <= 12
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'+')
    {
        format!("its scheme is {scheme}, and has to be {allowed}://")
    } else {
        format!("its scheme has to be {allowed}://")
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, "")) => (name, None),
            Some((name, port)) => (name, Some(port.strip_prefix(':').unwrap_or_default())),
            None => return Err("a bracket of its host is not closed".to_owned()),
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    if name.is_empty() {
        return Err("it has no host".to_owned());
    }
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if port.is_some_and(|port| !is_port(port)) {
        return Err(
            "what is behind the : of its host is no port; in a user name or password write : as %3A, / as %2F and @ as %40"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: [&str; 2] = ["postgres", "postgresql"];

    fn shown(text: &str, schemes: &[&str]) -> String {
        Address::parse(text, schemes).unwrap().shown().to_owned()
    }

    #[test]
    fn addresses_are_shown_without_their_passwords() {
        let cases = [
            ("postgres://odd:hunter2@db:5432/odd", "postgres://odd@db:5432/odd"),
            ("postgresql://db/odd?password=hunter2", "postgresql://db/odd"),
            (
                "postgres://odd:hun@ter2@[::1]:5432/odd",
                "postgres://odd@[::1]:5432/odd",
            ),
            ("postgres://[::1]", "postgres://[::1]"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text, &POSTGRES), expected);
            let address = Address::parse(text, &POSTGRES).unwrap();
            assert_eq!(address.expose(), text);
            assert!(!format!("{address:?}").contains("ter2"));
        }
        assert_eq!(
            shown("redis://:hunter2@cache:6379/0", &["redis"]),
            "redis://cache:6379/0"
        );
        assert_eq!(
            shown(
                "mongodb://odd:hunter2@a:1,b:2/odd?replicaSet=rs&authSource=admin",
                &["mongodb"]
            ),
            "mongodb://odd@a:1,b:2/odd"
        );
    }

    #[test]
    fn what_is_wrong_is_told_without_the_address() {
        let cases = [
            ("hunter2", "no scheme"),
            ("hunter2@db:5432", "no scheme"),
            ("mysql://odd:hunter2@db/odd", "its scheme is mysql"),
            ("amqps://odd:hunter2@db", "TLS is not built in"),
            (
                "Hunter2://db",
                "its scheme has to be postgres:// or postgresql://",
            ),
            ("postgres://odd:hunter2@/odd", "no host"),
            ("postgres://", "no host"),
            ("postgres://odd:hunter2@:5432/odd", "no host"),
            ("postgres://odd:hunter2@db:/odd", "no port"),
            ("postgres://odd:hunter2@db:0/odd", "no port"),
            ("postgres://odd:hunter2@db:65536/odd", "no port"),
            ("postgres://odd:hunter/2@db:5432/odd", "%2F"),
            ("postgres://odd:12/hunter2@db:5432/odd", "%2F"),
            ("postgres://odd:12#hunter2@db:5432/odd", "%23"),
            ("postgres://odd:12?hunter2@db:5432/odd", "%3F"),
            ("postgres://[::1/odd", "bracket"),
        ];
        for (text, expected) in cases {
            let problem = Address::parse(text, &POSTGRES).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
            assert!(!problem.to_lowercase().contains("hunter"), "{problem}");
        }
    }
}
