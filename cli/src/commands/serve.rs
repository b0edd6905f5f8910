//! `odd serve`

use std::net::IpAddr;
use std::str::FromStr;

use odd_contracts::Role;
use odd_contracts::role::UnknownRole;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::serve::servers::Server;
use crate::serve::{self, Plan, ServeError};

/// Run roles in the foreground, on the instance's SQLite file or on servers.
///
/// Without an address of a server in the environment, roles run on the SQLite file of the instance. One process at a time
/// has it: run every role that you want in one command, such as `odd serve all`.
///
/// With an address of a server in the environment, roles run on RabbitMQ, PostgreSQL, MongoDB and Redis, each role on
/// those that it needs (see below; the web role needs none). Such a role is a process like any other, in a container or not: it touches no file of
/// an instance, any number of processes may run the same role, each on ports of its own, and servers may be away when it
/// starts: /readyz tells what it waits for, and why. A mixture of SQLite and servers is not possible.
///
/// Logs to standard error. The first Ctrl-C or SIGTERM finishes the work in hand, the second ends at once.
#[derive(Debug, clap::Args)]
#[command(after_help = roles())]
pub struct Args {
    /// Roles to run, or `all`
    #[arg(required = true, value_name = "ROLE")]
    roles: Vec<RoleOrAll>,
    /// Address to listen on [env: ODD_LISTEN_ADDRESS] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    listen_address: Option<IpAddr>,
    /// Port of a role, instead of its default and the offset; 0 takes any free one, which the log tells. The role may be
    /// left out where there is one only. May be repeated
    #[arg(long, value_name = "[ROLE=]PORT", value_parser = role_port)]
    port: Vec<(Option<Role>, u16)>,
    /// Lead a session of its own; `odd up` does this
    #[arg(long, hide = true)]
    background: bool,
}

#[derive(Clone, Copy, Debug)]
enum RoleOrAll {
    All,
    Role(Role),
}

impl FromStr for RoleOrAll {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse()
            .map(Self::Role)
            .map_err(|e: UnknownRole| format!("{e}, or all"))
    }
}

fn role_port(text: &str) -> Result<(Option<Role>, u16), String> {
    let (role, port) = match text.split_once('=') {
        Some((role, port)) => {
            let role = role.parse();
            (Some(role.map_err(|e: UnknownRole| e.to_string())?), port)
        }
        None => (None, text),
    };
    let port = port
        .parse()
        .map_err(|_| format!("{port:?} is no port; expected PORT or ROLE=PORT, such as gateway=3000"))?;
    Ok((role, port))
}

fn roles() -> String {
    let mut text = String::from("Roles:\n");
    for role in Role::ALL {
        text.push_str(&format!("  {role:<15} {}\n", role.summary()));
    }
    text.push_str("\nServers, and the roles that need them:\n");
    for server in Server::ALL {
        let by: Vec<_> = Role::ALL
            .into_iter()
            .filter(|role| server.is_needed_by(*role))
            .collect();
        let by = if by.len() == Role::ALL.len() {
            "all".to_owned()
        } else {
            by.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
        };
        let (variable, example) = (server.variable(), server.example());
        text.push_str(&format!(
            "  {variable:<17} {}; {by}\n{:20}{example}\n",
            server.part(),
            ""
        ));
    }
    text.push_str(FURTHER);
    text
}

/// Variables of either way, and of one only.
const FURTHER: &str = "
Further settings on servers:
  ODD_AMQP_MANAGEMENT_URL   http://user:password@host:15672, which tells what consumers
                            have in hand
  ODD_REDIS_PREFIX          what the names of all keys begin with
  ODD_EVENT_RETENTION_DAYS  days that events are kept; for ever where absent
  ODD_ENGINE                name of what started the roles, as the read-model shows it
                            [default: servers]
  ODD_ALERTMANAGER_URL, ODD_PROMETHEUS_URL, ODD_ALERT_WEBHOOK_TOKEN
                            where alerts and targets come from, and the token of the webhook
  ODD_GATEWAY_URL, ODD_PROCESSOR_URL, ODD_METRICS_ENGINE_URL, ODD_READ_MODEL_URL,
  ODD_WEB_URL               where roles find those of other processes

Further settings on SQLite:
  ODD_SQLITE_PATH           the file, instead of the instance's own
  ODD_SQLITE_SYNCHRONOUS    normal (survives a killed process) or full (a power cut)

Further settings of both:
  ODD_LOG                   such as info or odd_processor=debug
  ODD_SHUTDOWN_SECONDS      time to finish the work in hand [default: 10]
  ODD_PROCESSOR_SLOTS       jobs executed at the same time [default: 256]
  ODD_PROCESSOR_LEASE_SECONDS
                            time after which the jobs of a processor that was lost are
                            taken by another [default: 30]
  ODD_CORS_ORIGINS          origins of pages that may call the gateway and the read-model
";

/// Serves until it is told to stop.
pub async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    if args.background {
        odd_engine::platform::enter_own_session().map_err(|e| Error::new("enter a session of its own", e))?;
    }
    let wanted = |role: Role| {
        args.roles.iter().any(|wanted| match wanted {
            RoleOrAll::All => true,
            RoleOrAll::Role(one) => *one == role,
        })
    };
    let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| wanted(*role)).collect();
    if roles.len() > 1 && args.port.iter().any(|(of, _)| of.is_none()) {
        let reason = "there are several roles: name the one of each port, such as --port gateway=3000";
        return Err(Error::because("serve", reason)
            .code(ExitCode::Usage)
            .hint("odd serve --help"));
    }
    let port = |role: Role| {
        let is_its = |of: &Option<Role>| of.is_none_or(|of| of == role);
        let given = args.port.iter().rev().find(|(of, _)| is_its(of));
        given.map_or_else(|| context.instance.port(role), |(_, port)| *port)
    };
    // What `odd up` starts is an instance, whatever servers the caller has in the environment.
    let sqlite_only = args.background;
    let plan = Plan {
        instance: context.instance.clone(),
        sqlite_only,
        address: args.listen_address,
        ports: roles.into_iter().map(|role| (role, port(role))).collect(),
    };
    match serve::serve(plan).await {
        Ok(()) => Ok(ExitCode::Ok),
        Err(error) => Err(explain(context, sqlite_only, error)),
    }
}

fn explain(context: &Context, sqlite_only: bool, error: ServeError) -> Error {
    let of = of_instance(context.instance_name());
    let on_servers = !sqlite_only && serve::servers::are_set();
    let (code, hint) = match &error {
        ServeError::Address(..) => (ExitCode::Usage, "odd config show --origin".to_owned()),
        ServeError::Unusable(..) => (ExitCode::Failed, "odd version".to_owned()),
        ServeError::Settings(_) => (ExitCode::Usage, "odd serve --help".to_owned()),
        ServeError::Telemetry(_) => (ExitCode::Usage, "ODD_LOG=info odd serve all".to_owned()),
        ServeError::Bind { .. } => (ExitCode::Prerequisite, format!("odd doctor{of}")),
        ServeError::Open(_) => (ExitCode::Prerequisite, format!("odd status{of}")),
        ServeError::Io { .. } => (ExitCode::Prerequisite, "odd doctor".to_owned()),
        ServeError::Role { .. } | ServeError::Died { .. } | ServeError::Stuck(_) if on_servers => {
            (ExitCode::Failed, "ODD_LOG=debug odd serve ...".to_owned())
        }
        ServeError::Spine(_)
        | ServeError::Store(_)
        | ServeError::Role { .. }
        | ServeError::Died { .. }
        | ServeError::Stuck(_) => (ExitCode::Failed, format!("odd logs{of} --tail 50")),
    };
    let action = if on_servers {
        "serve on servers".to_owned()
    } else {
        format!("serve the instance {}", context.instance_name())
    };
    Error::new(action, error).code(code).hint(hint)
}
