//! The logs of an instance's pods.

use std::collections::BTreeMap;

use futures::StreamExt;
use odd_engine::EngineError;
use odd_engine::kubernetes::{self, cluster};

use super::Args;
use super::containers::{TAIL, Written, print};
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;

/// Prints what the pods wrote, interleaved, and follows them.
pub(super) async fn run(context: &Context, args: Args) -> Result<ExitCode, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let action = format!("show the logs of the instance {name}");
    let Some(file) = context.cluster() else {
        return Err(Error::because(action, "it was put into no cluster from here")
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{}", of_instance(name))));
    };
    let failed = |error| Error::from_engine(action.clone(), EngineError::Cluster(Box::new(error)), name);
    let cluster = file.connect().await.map_err(failed)?;
    let tail = i64::try_from(args.tail.unwrap_or(TAIL)).unwrap_or(i64::MAX);
    let options = kubernetes::log_options(args.services, Some(tail), args.follow);
    let mut lines = cluster::logs(&cluster, &file.namespace, &options)
        .await
        .map_err(failed)?;
    let mut numbers = Numbers::default();
    while let Some(line) = lines.next().await {
        let number = numbers.of(&line.app, &line.pod);
        print(
            printer,
            &Written {
                service: &line.app,
                number,
                at: line.at,
                line: &line.line,
            },
        );
        if printer.is_closed() {
            break;
        }
    }
    Ok(ExitCode::Ok)
}

/// Numbers pods of one name in the order in which they are seen: their own names are long, and say nothing to people.
#[derive(Default)]
struct Numbers(BTreeMap<String, Vec<String>>);

impl Numbers {
    fn of(&mut self, app: &str, pod: &str) -> u32 {
        let pods = self.0.entry(app.to_owned()).or_default();
        let place = pods.iter().position(|known| known == pod).unwrap_or_else(|| {
            pods.push(pod.to_owned());
            pods.len() - 1
        });
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_numbered_for_each_part() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.of("gateway", "gateway-x"), 1);
        assert_eq!(numbers.of("gateway", "gateway-y"), 2);
        assert_eq!(numbers.of("web", "web-x"), 1);
        assert_eq!(numbers.of("gateway", "gateway-x"), 1);
    }
}
