//! The servers that roles run on: which role needs which, and where they are.

use std::time::Duration;

use odd_contracts::Role;
use odd_contracts::names::env;
use odd_runtime::config::{ConfigError, Reader, Secret};

use super::address::Address;

/// A server behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// RabbitMQ: the event spine.
    RabbitMq,
    /// PostgreSQL: the job store.
    Postgres,
    /// MongoDB: the event log.
    MongoDb,
    /// Redis: the counters.
    Redis,
}

impl Server {
    /// Every server.
    pub(crate) const ALL: [Self; 4] = [Self::RabbitMq, Self::Postgres, Self::MongoDb, Self::Redis];

    /// Variable of its address.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::RabbitMq => env::AMQP_URL,
            Self::Postgres => env::POSTGRES_URL,
            Self::MongoDb => env::MONGO_URL,
            Self::Redis => env::REDIS_URL,
        }
    }

    /// An address of its kind.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::RabbitMq => "amqp://user:password@host:5672/vhost",
            Self::Postgres => "postgres://user:password@host:5432/odd",
            Self::MongoDb => "mongodb://user:password@host:27017/odd?authSource=admin",
            Self::Redis => "redis://:password@host:6379/0",
        }
    }

    const fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::RabbitMq => &["amqp"],
            Self::Postgres => &["postgres", "postgresql"],
            Self::MongoDb => &["mongodb"],
            Self::Redis => &["redis"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::RabbitMq => "RabbitMQ",
            Self::Postgres => "PostgreSQL",
            Self::MongoDb => "MongoDB",
            Self::Redis => "Redis",
        }
    }

    /// What is behind it for roles.
    pub(crate) const fn part(self) -> &'static str {
        match self {
            Self::RabbitMq => "the event spine",
            Self::Postgres => "the job store",
            Self::MongoDb => "the event log",
            Self::Redis => "the counters",
        }
    }

    /// Whether a role works with it.
    pub(crate) const fn is_needed_by(self, role: Role) -> bool {
        match (self, role) {
            // It asks other roles only.
            (_, Role::Web) => false,
            (Self::RabbitMq, _) | (_, Role::ReadModel) => true,
            (Self::Postgres, role) => matches!(role, Role::Processor),
            (Self::MongoDb | Self::Redis, role) => matches!(role, Role::MetricsEngine),
        }
    }
}

/// Where the servers are that the roles of this process need.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers {
    pub(super) amqp: Option<Address>,
    /// RabbitMQ's management interface, which tells more of its queues.
    pub(super) amqp_management: Option<Address>,
    pub(super) postgres: Option<Address>,
    pub(super) mongo: Option<Address>,
    pub(super) redis: Option<Address>,
    /// What the names of all keys in Redis begin with, where that is set.
    pub(super) redis_prefix: Option<String>,
    /// How long events are kept; for ever where none.
    pub(super) retention: Option<Duration>,
}

/// Longest retention of events, in days: a hundred years.
const MAX_RETENTION_DAYS: u32 = 36_500;

/// Whether the environment has an address of a server, so that roles run on servers.
pub(crate) fn are_set() -> bool {
    let is_set = |server: Server| std::env::var_os(server.variable()).is_some_and(|text| !text.is_empty());
    Server::ALL.into_iter().any(is_set)
}

/// The addresses that `roles` need, where any address is set or none is needed; none where roles run on SQLite. What is
/// wrong is noted.
pub(super) fn read(
    reader: &mut Reader<'_>,
    roles: &[Role],
    errors: &mut Vec<ConfigError>,
) -> Option<Servers> {
    let need = |role: &Role| Server::ALL.into_iter().any(|server| server.is_needed_by(*role));
    if !roles.iter().any(need) {
        return Some(Servers::default());
    }
    let texts = Server::ALL.map(|server| reader.optional_secret::<String>(server.variable()));
    let set: Vec<_> = Server::ALL
        .into_iter()
        .zip(&texts)
        .filter(|(_, text)| text.is_some())
        .map(|(server, _)| server.variable())
        .collect();
    if set.is_empty() {
        return None;
    }
    refuse_mixture(reader, &set, errors);
    let [amqp, postgres, mongo, redis] = {
        let mut texts = texts.into_iter();
        Server::ALL.map(|server| needed(server, texts.next().flatten(), roles, errors))
    };
    // Read before anything is given up, so that everything wrong is told at once.
    let (amqp_management, retention) = (management(reader, errors), retention(reader, roles));
    Some(Servers {
        amqp,
        amqp_management,
        postgres,
        mongo,
        redis,
        redis_prefix: reader.optional(env::REDIS_PREFIX),
        retention,
    })
}

/// The address of a server that one of the roles needs. Others are not even looked at.
fn needed(
    server: Server,
    text: Option<Secret<String>>,
    roles: &[Role],
    errors: &mut Vec<ConfigError>,
) -> Option<Address> {
    let by: Vec<_> = roles.iter().filter(|role| server.is_needed_by(**role)).collect();
    if by.is_empty() {
        return None;
    }
    let Some(text) = text else {
        let by: Vec<_> = by.into_iter().map(|role| format!("the {role}")).collect();
        let need = if by.len() == 1 { "needs" } else { "need" };
        let problem = format!(
            "not set, and {} {need} {}; expected {}",
            by.join(" and "),
            server.name(),
            server.example()
        );
        note(errors, server.variable(), problem);
        return None;
    };
    parsed(
        server.variable(),
        &text,
        server.schemes(),
        server.example(),
        errors,
    )
}

fn management(reader: &mut Reader<'_>, errors: &mut Vec<ConfigError>) -> Option<Address> {
    let name = env::AMQP_MANAGEMENT_URL;
    let text = reader.optional_secret::<String>(name)?;
    parsed(name, &text, &["http"], "http://user:password@host:15672", errors)
}

fn parsed(
    name: &str,
    text: &Secret<String>,
    schemes: &[&str],
    example: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<Address> {
    match Address::parse(text.expose(), schemes) {
        Ok(address) => Some(address),
        Err(problem) => {
            note(errors, name, format!("{problem}; expected {example}"));
            None
        }
    }
}

/// Settings of SQLite beside those of servers: whoever wrote them expects something that will not be.
fn refuse_mixture(reader: &mut Reader<'_>, set: &[&str], errors: &mut Vec<ConfigError>) {
    let (names, are) = (set.join(" and "), if set.len() == 1 { "is" } else { "are" });
    for name in [env::SQLITE_PATH, env::SQLITE_SYNCHRONOUS] {
        if reader.optional::<String>(name).is_some() {
            let problem = format!(
                "roles run on servers, as {names} {are} set, and a mixture with SQLite is not possible; unset this or {names}"
            );
            note(errors, name, problem);
        }
    }
}

fn retention(reader: &mut Reader<'_>, roles: &[Role]) -> Option<Duration> {
    let concerns = roles.iter().any(|role| Server::MongoDb.is_needed_by(*role));
    reader
        .optional::<String>(env::EVENT_RETENTION_DAYS)
        .filter(|_| concerns)?;
    let days = reader.within(env::EVENT_RETENTION_DAYS, 1, 1..=MAX_RETENTION_DAYS);
    Some(Duration::from_secs(u64::from(days) * 86_400))
}

fn note(errors: &mut Vec<ConfigError>, name: &str, problem: String) {
    errors.push(ConfigError {
        name: name.to_owned(),
        value: None,
        problem,
    });
}

/// An address as `odd config show` tells it: whatever it is, never with its password.
pub(crate) fn shown(server: Server, text: &str) -> String {
    show(text, server.schemes())
}

/// The same of the management interface.
pub(crate) fn management_shown(text: &str) -> String {
    show(text, &["http"])
}

fn show(text: &str, schemes: &[&str]) -> String {
    Address::parse(text.trim(), schemes).map_or_else(
        |problem| format!("(no valid address: {problem})"),
        |address| address.shown().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use odd_runtime::config::{ConfigErrors, Source};

    use super::*;

    fn servers(values: &[(&str, &str)], roles: &[Role]) -> Result<Option<Servers>, String> {
        let source = Source::from_map(values.iter().copied());
        let (mut reader, mut errors) = (Reader::new(&source), Vec::new());
        let servers = read(&mut reader, roles, &mut errors);
        if let Err(ConfigErrors(more)) = reader.finish() {
            errors.extend(more);
        }
        if errors.is_empty() {
            Ok(servers)
        } else {
            Err(ConfigErrors(errors).to_string())
        }
    }

    #[test]
    fn without_an_address_roles_run_on_sqlite() {
        let values = [
            (env::SQLITE_PATH, "/tmp/odd.db"),
            (env::REDIS_PREFIX, "odd"),
            (env::AMQP_URL, " "),
        ];
        assert!(servers(&values, &Role::ALL).unwrap().is_none());
    }

    #[test]
    fn each_role_needs_its_own() {
        let every: Vec<_> = Server::ALL
            .map(|server| (server.variable(), server.example()))
            .into();
        let needed = |role: Role| {
            let missing = servers(&[(env::REDIS_URL, "redis://cache")], &[role]).err();
            Server::ALL
                .into_iter()
                .filter(|server| {
                    missing
                        .as_ref()
                        .is_some_and(|text| text.contains(&format!("{}: not set", server.variable())))
                })
                .collect::<Vec<_>>()
        };
        assert!(needed(Role::Web).is_empty());
        assert_eq!(needed(Role::Gateway), [Server::RabbitMq]);
        assert_eq!(needed(Role::Processor), [Server::RabbitMq, Server::Postgres]);
        assert_eq!(needed(Role::MetricsEngine), [Server::RabbitMq, Server::MongoDb]);
        assert_eq!(
            needed(Role::ReadModel),
            [Server::RabbitMq, Server::Postgres, Server::MongoDb]
        );
        let all = servers(&every, &Role::ALL).unwrap().unwrap();
        assert!(all.postgres.is_some() && all.mongo.is_some() && all.redis.is_some());
        let gateway = servers(&every, &[Role::Gateway]).unwrap().unwrap();
        assert!(gateway.postgres.is_none() && gateway.mongo.is_none() && gateway.redis.is_none());
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_no_password() {
        let values = [
            (env::AMQP_URL, "amqps://odd:hunter2@broker"),
            (env::AMQP_MANAGEMENT_URL, "ftp://odd:hunter2@broker"),
            (env::MONGO_URL, "mongodb://odd:hunter2@"),
            (env::SQLITE_PATH, "/tmp/odd.db"),
            (env::EVENT_RETENTION_DAYS, "0"),
        ];
        let text = servers(&values[..1], &[Role::Processor, Role::ReadModel]).unwrap_err();
        assert!(
            text.contains("the processor and the read-model need PostgreSQL"),
            "{text}"
        );
        assert!(text.contains("the read-model needs Redis"), "{text}");
        let values = [
            &values[..],
            &[(env::REDIS_URL, "hunter2"), (env::AMQP_URL, "amqp://broker")],
        ]
        .concat();
        let text = servers(&values, &[Role::MetricsEngine]).unwrap_err();
        for name in [
            env::AMQP_MANAGEMENT_URL,
            env::MONGO_URL,
            env::REDIS_URL,
            env::SQLITE_PATH,
            env::EVENT_RETENTION_DAYS,
        ] {
            assert!(text.contains(name), "{name}: {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}
