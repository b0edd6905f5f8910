//! `odd forward`

use odd_engine::kubernetes::cluster::{ClusterError, Forward};
use odd_engine::kubernetes::forwarding;
use odd_engine::platform;

use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::pages;

/// Forward ports of this machine to an instance in a cluster, until Ctrl-C. `odd up` does this in the background.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Lead a session of its own; `odd up` does this
    #[arg(long, hide = true)]
    background: bool,
}

/// Forwards them.
pub async fn run(context: &Context, args: &Args) -> Result<ExitCode, Error> {
    let name = context.instance_name();
    let action = format!("forward ports to the instance {name}");
    let Some(file) = context.cluster() else {
        return Err(Error::because(action, "it is in no cluster")
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{}", of_instance(name))));
    };
    if args.background {
        // That it leads one already is as well.
        let _ = platform::enter_own_session();
    }
    let printer = context.printer.clone();
    let further = pages::further_services(file.tools);
    let tell = move |forward: &Forward, error: &ClusterError| {
        printer.warn(&format!(
            "{}: {}",
            forward.service,
            odd_engine::error::chain(error)
        ));
    };
    forwarding::forward(&context.instance, &further, tell)
        .await
        .map_err(|error| Error::from_engine(action, error, name))?;
    Ok(ExitCode::Ok)
}
