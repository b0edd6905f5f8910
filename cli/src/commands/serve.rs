//! `odd serve`

use std::net::IpAddr;
use std::str::FromStr;

use odd_contracts::Role;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::serve::{self, Plan, ServeError};

/// Run roles in the foreground, on the embedded stores and spine of the instance.
///
/// Logs to standard error. The first Ctrl-C or SIGTERM finishes the work in hand, the second ends at once.
/// Further settings are environment variables: ODD_LOG, ODD_LISTEN_ADDRESS, ODD_SQLITE_PATH, ODD_SQLITE_SYNCHRONOUS,
/// ODD_SHUTDOWN_SECONDS, ODD_PROCESSOR_SLOTS, ODD_CORS_ORIGINS.
#[derive(Debug, clap::Args)]
#[command(after_help = roles())]
pub struct Args {
    /// Roles to run, or `all`
    #[arg(required = true, value_name = "ROLE")]
    roles: Vec<RoleOrAll>,
    /// Address to listen on [env: ODD_LISTEN_ADDRESS] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    listen_address: Option<IpAddr>,
    /// Port of one role, instead of its default and the offset; 0 takes any free one. May be repeated
    #[arg(long, value_name = "ROLE=PORT", value_parser = role_port)]
    port: Vec<(Role, u16)>,
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
            .map_err(|e: odd_contracts::role::UnknownRole| format!("{e}, or all"))
    }
}

fn role_port(text: &str) -> Result<(Role, u16), String> {
    let (role, port) = text
        .split_once('=')
        .ok_or("expected ROLE=PORT, such as gateway=3000")?;
    let role = role
        .parse()
        .map_err(|e: odd_contracts::role::UnknownRole| e.to_string())?;
    let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
    Ok((role, port))
}

fn roles() -> String {
    let mut text = String::from("Roles:\n");
    for role in Role::ALL {
        text.push_str(&format!("  {role:<15} {}\n", role.summary()));
    }
    text
}

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
    let port = |role: Role| {
        let given = args.port.iter().rev().find(|(of, _)| *of == role);
        given.map_or_else(|| context.instance.port(role), |(_, port)| *port)
    };
    let plan = Plan {
        instance: context.instance.clone(),
        address: args.listen_address,
        ports: Role::ALL
            .into_iter()
            .filter(|r| wanted(*r))
            .map(|r| (r, port(r)))
            .collect(),
    };
    match serve::serve(plan).await {
        Ok(()) => Ok(ExitCode::Ok),
        Err(error) => Err(explain(context, error)),
    }
}

fn explain(context: &Context, error: ServeError) -> Error {
    let of = of_instance(context.instance_name());
    let (code, hint) = match &error {
        ServeError::Settings(_) => (ExitCode::Usage, "odd serve --help".to_owned()),
        ServeError::Telemetry(_) => (ExitCode::Usage, "ODD_LOG=info odd serve all".to_owned()),
        ServeError::Bind { .. } => (ExitCode::Prerequisite, format!("odd doctor{of}")),
        ServeError::Open(_) => (ExitCode::Prerequisite, format!("odd status{of}")),
        ServeError::Io { .. } => (ExitCode::Prerequisite, "odd doctor".to_owned()),
        ServeError::Spine(_)
        | ServeError::Store(_)
        | ServeError::Role { .. }
        | ServeError::Died { .. }
        | ServeError::Stuck(_) => (ExitCode::Failed, format!("odd logs{of} --tail 50")),
    };
    Error::new(format!("serve the instance {}", context.instance_name()), error)
        .code(code)
        .hint(hint)
}
