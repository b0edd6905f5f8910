//! An instance in a Kubernetes cluster: its parts as the cluster sees them.

use odd_engine::embedded::InstanceState;
use odd_engine::kubernetes::cluster::{Part, PodStage, PodState};
use odd_engine::kubernetes::{self, ClusterFile, ClusterStatus};
use serde::Serialize;

use super::embedded::shown;
use crate::context::Context;
use crate::error::{Error, of_instance};
use crate::exit::ExitCode;
use crate::output::{Glyph, Printer, Tone};

/// Version 1 of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: u32,
    instance: &'a str,
    engine: &'static str,
    state: InstanceState,
    release: &'a str,
    started_at: odd_contracts::Timestamp,
    /// Whether ports of this machine lead to it.
    forwarded: bool,
    #[serde(flatten)]
    cluster: &'a ClusterStatus,
}

/// Asks and prints. Tells whether every part works.
pub(super) async fn run(context: &Context) -> Result<bool, Error> {
    let (printer, name) = (&context.printer, context.instance_name());
    let of = of_instance(name);
    let action = format!("examine the instance {name}");
    let Some(file) = context.cluster() else {
        return Err(Error::because(action, "it was put into no cluster from here")
            .code(ExitCode::Prerequisite)
            .hint(format!("odd up{of}")));
    };
    let status = kubernetes::status(&context.instance, file)
        .await
        .map_err(|error| Error::from_engine(action, error, name))?;
    let state = state_of(&status);
    let forwarded = context.present().forward.is_some();
    if printer.is_json() {
        printer.json(&Answer {
            version: 1,
            instance: name,
            engine: kubernetes::NAME,
            state,
            release: &file.release,
            started_at: file.started_at,
            forwarded,
            cluster: &status,
        })?;
        return Ok(state == InstanceState::Running);
    }
    printer.line(&headline(printer, name, state, &status));
    printer.table(&[], status.parts.iter().map(|part| row(printer, part)));
    advise(context, state, file, forwarded);
    Ok(state == InstanceState::Running)
}

fn state_of(status: &ClusterStatus) -> InstanceState {
    if status.parts.is_empty() {
        return InstanceState::Stopped;
    }
    match status.parts.iter().all(|part| part.waiting.is_none()) {
        true => InstanceState::Running,
        false => InstanceState::Degraded,
    }
}

fn headline(printer: &Printer, name: &str, state: InstanceState, status: &ClusterStatus) -> String {
    let (glyph, tone, word) = shown(state);
    format!(
        "{} {name} {}   kubernetes {} (context {}, namespace {})",
        printer.mark(glyph, tone),
        printer.paint(tone, word),
        status.version,
        status.context,
        status.namespace,
    )
}

fn row(printer: &Printer, part: &Part) -> Vec<String> {
    let (glyph, tone) = match &part.waiting {
        None => (Glyph::Ok, Tone::Ok),
        Some(_) if part.pods.iter().any(|pod| pod.stage == PodStage::Failed) => (Glyph::Bad, Tone::Bad),
        Some(_) => (Glyph::Warn, Tone::Attention),
    };
    vec![
        format!("  {} {}", printer.mark(glyph, tone), part.object.name),
        printer.paint(tone, &format!("{}/{}", part.ready, part.wanted)),
        detail(part),
    ]
}

/// What keeps the part from being as it shall be, in a line.
fn detail(part: &Part) -> String {
    let stuck = part
        .pods
        .iter()
        .find_map(|pod| Some((pod, pod.symptom.as_ref()?)));
    let mut detail = match (stuck, &part.waiting) {
        (Some((pod, symptom)), _) if symptom.message.is_empty() => {
            format!("{}: {}", pod.name, symptom.reason)
        }
        (Some((pod, symptom)), _) => format!("{}: {}: {}", pod.name, symptom.reason, symptom.message),
        (None, Some(waiting)) => waiting.clone(),
        (None, None) => String::new(),
    };
    let restarts: i32 = part.pods.iter().map(|pod: &PodState| pod.restarts).sum();
    if restarts > 0 {
        detail = format!("{detail}   restarted {restarts} times");
    }
    detail.trim().to_owned()
}

fn advise(context: &Context, state: InstanceState, file: &ClusterFile, forwarded: bool) {
    let (printer, of) = (&context.printer, of_instance(context.instance_name()));
    if file.release != odd_contracts::VERSION {
        printer.warn(&format!(
            "this is version {}, it was started by {}: `odd up{of}` brings it to this one",
            odd_contracts::VERSION,
            file.release
        ));
    }
    match state {
        InstanceState::Stopped => printer.note(&format!("next: odd up{of}")),
        InstanceState::Degraded => printer.note(&format!("next: odd logs{of} --tail 50")),
        InstanceState::Running if !forwarded => {
            printer.warn(&format!(
                "no ports of this machine lead to it: `odd up{of}` forwards them again"
            ));
        }
        InstanceState::Running => {}
    }
}

#[cfg(test)]
mod tests {
    use odd_engine::kubernetes::cluster::{ObjectRef, Symptom};

    use super::*;

    fn part(waiting: Option<&str>, pods: Vec<PodState>) -> Part {
        Part {
            object: ObjectRef {
                api_version: "apps/v1".to_owned(),
                kind: "Deployment".to_owned(),
                namespace: None,
                name: "gateway".to_owned(),
            },
            ready: 0,
            wanted: 1,
            waiting: waiting.map(str::to_owned),
            pods,
        }
    }

    fn status(parts: Vec<Part>) -> ClusterStatus {
        ClusterStatus {
            context: "x".to_owned(),
            server: "https://x".to_owned(),
            version: "v1.37.0".to_owned(),
            namespace: "odd-x".to_owned(),
            parts,
        }
    }

    #[test]
    fn an_instance_is_as_well_as_its_worst_part() {
        assert_eq!(state_of(&status(Vec::new())), InstanceState::Stopped);
        let well = part(None, Vec::new());
        assert_eq!(state_of(&status(vec![well.clone()])), InstanceState::Running);
        let unwell = part(Some("0 of 1 pods ready"), Vec::new());
        assert_eq!(state_of(&status(vec![well, unwell])), InstanceState::Degraded);
    }

    #[test]
    fn a_pod_that_is_stuck_says_more_than_that_it_is_waited_for() {
        let symptom = Symptom {
            reason: "Unschedulable".to_owned(),
            message: "no node".to_owned(),
            container: None,
            ended_before: false,
        };
        let pod = PodState {
            name: "gateway-1".to_owned(),
            stage: PodStage::Failed,
            restarts: 2,
            symptom: Some(symptom),
        };
        let text = detail(&part(Some("0 of 1 pods ready"), vec![pod]));
        assert_eq!(text, "gateway-1: Unschedulable: no node   restarted 2 times");
        assert_eq!(
            detail(&part(Some("0 of 1 pods ready"), Vec::new())),
            "0 of 1 pods ready"
        );
    }
}
