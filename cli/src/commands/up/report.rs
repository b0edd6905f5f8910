//! What a start took.

use std::time::Duration;

use odd_engine::docker::{Action, Plan, StartupReport};

use crate::format;
use crate::output::{Printer, Tone, left, right};

/// `ready in 11.2 s (critical path: rabbitmq → processor)`
pub(super) fn line(printer: &Printer, report: &StartupReport) -> String {
    let took = time(report.took_ms);
    if report.critical_path.is_empty() {
        return format!("ready in {took}");
    }
    let arrow = if printer.is_unicode() { " → " } else { " > " };
    format!(
        "ready in {took} (critical path: {})",
        report.critical_path.join(arrow)
    )
}

/// How long each service waited for others and took itself.
pub(super) fn table(printer: &Printer, report: &StartupReport) {
    let rows = report.services.iter().map(|service| {
        let critical = report.critical_path.contains(&service.service);
        let note = match (service.kept, critical) {
            (true, _) => "kept",
            (false, true) => "critical path",
            (false, false) => "",
        };
        vec![
            format!("  {}", service.service),
            time(service.waited_ms),
            time(service.took_ms),
            printer.paint(Tone::Muted, note),
        ]
    });
    let columns = [left("  service"), right("waited"), right("took"), left("")];
    printer.table(&columns, rows);
    if report.images_ms > 0 {
        printer.line(&format!("  images were there after {}", time(report.images_ms)));
    }
}

/// What would be done, and why.
pub(super) fn plan(printer: &Printer, plan: &Plan) {
    let mut rows = Vec::new();
    for image in plan.images.iter() {
        let source = match image.source {
            odd_engine::docker::ImageSource::Present => continue,
            odd_engine::docker::ImageSource::Pull => "pull",
            odd_engine::docker::ImageSource::Build => "build",
        };
        let why = format!("for {}", image.services.join(", "));
        rows.push(row(
            printer,
            source,
            Tone::Working,
            "image",
            &image.reference,
            &why,
        ));
    }
    let steps = (plan.networks.iter().map(|step| ("network", step)))
        .chain(plan.volumes.iter().map(|step| ("volume", step)))
        .chain(
            plan.containers
                .iter()
                .map(|container| ("container", &container.step)),
        );
    for (kind, step) in steps {
        let (word, tone) = match step.action {
            Action::Keep => ("keep", Tone::Muted),
            Action::Start => ("start", Tone::Ok),
            Action::Create => ("create", Tone::Ok),
            Action::Recreate => ("recreate", Tone::Attention),
            Action::Remove => ("remove", Tone::Bad),
        };
        let why = step.reason.as_deref().unwrap_or_default();
        rows.push(row(printer, word, tone, kind, &step.name, why));
    }
    printer.table(&[left("  do"), left("what"), left("name"), left("why")], rows);
}

fn row(printer: &Printer, word: &str, tone: Tone, kind: &str, name: &str, why: &str) -> Vec<String> {
    vec![
        format!("  {}", printer.paint(tone, word)),
        kind.to_owned(),
        name.to_owned(),
        printer.paint(Tone::Muted, why),
    ]
}

fn time(milliseconds: u64) -> String {
    format::duration(Duration::from_millis(milliseconds))
}
