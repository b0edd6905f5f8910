//! What a person sees while an instance starts in a cluster: what is done, how many parts are ready, and trouble at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use indicatif::ProgressBar;
use odd_engine::kubernetes::Prepared;
use odd_engine::kubernetes::cluster::{Action, Event, FieldChange, ObjectRef, PodTrouble, Step, Waiting};
use serde_json::Value;

use crate::output::{Printer, Tone};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);
/// Longest value of a field that is shown whole, in characters.
const LONGEST: usize = 60;
/// Parts that are named while they are waited for.
const NAMED: usize = 3;

/// The state of a start, as far as it is shown.
pub(super) struct Board {
    printer: Printer,
    bar: ProgressBar,
    why: Option<String>,
    ready: BTreeSet<ObjectRef>,
    waiting: BTreeMap<ObjectRef, Waiting>,
    /// Whether anything was changed in the cluster.
    pub(super) touched: bool,
}

impl Board {
    /// Nothing has happened yet. `why` tells why this engine was chosen.
    pub(super) fn new(printer: &Printer, why: Option<String>) -> Self {
        Self {
            printer: printer.clone(),
            bar: spinner(printer, "asking the cluster"),
            why,
            ready: BTreeSet::new(),
            waiting: BTreeMap::new(),
            touched: false,
        }
    }

    /// Shows what happened.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Connected {
                context,
                server,
                version,
            } => {
                self.note(&format!(
                    "  engine    kubernetes {version} (context {context}, {server})"
                ));
                if let Some(why) = self.why.take() {
                    self.note(&format!("            because {why}"));
                }
            }
            Event::Planned { steps } => self.note(&format!("  plan      {}", summary(steps))),
            Event::Applied { object, changed, .. } => {
                self.touched |= changed;
                self.bar.set_message(format!("applied {object}"));
            }
            Event::Removed { object } => {
                self.touched = true;
                self.bar.set_message(format!("removed {object}"));
            }
            Event::Rollout { waiting, object } => self.rollout(waiting.as_ref(), object),
            Event::Trouble(trouble) => self.trouble(trouble),
            Event::Notice { text } => self.note(&format!("  {text}")),
            Event::Pod { .. } => {}
        }
    }

    /// Clears the bar.
    pub(super) fn finish(&mut self) {
        self.bar.finish_and_clear();
    }

    /// Goes on after it was finished.
    pub(super) fn resume(&mut self) {
        self.bar = spinner(&self.printer, "applying");
    }

    fn note(&self, line: &str) {
        self.bar.suspend(|| self.printer.note(line));
    }

    fn rollout(&mut self, waiting: Option<&Waiting>, object: &ObjectRef) {
        if let Some(waiting) = waiting {
            self.ready.remove(object);
            self.waiting.insert(object.clone(), waiting.clone());
        } else {
            self.waiting.remove(object);
            self.ready.insert(object.clone());
        }
        let all = self.ready.len() + self.waiting.len();
        let named = self.waiting.values().take(NAMED);
        let named: Vec<String> = named
            .map(|it| format!("{} ({})", it.object.name, it.reason))
            .collect();
        self.bar.set_message(format!(
            "{} of {all} ready; waiting for {}",
            self.ready.len(),
            named.join(", ")
        ));
    }

    fn trouble(&self, trouble: &PodTrouble) {
        let symptom = &trouble.symptom;
        let message = if symptom.message.is_empty() {
            String::new()
        } else {
            format!(": {}", symptom.message)
        };
        self.bar.suspend(|| {
            self.printer
                .warn(&format!("{}: {}{message}", trouble.pod, symptom.reason));
            for warning in &trouble.warnings {
                self.printer.note(&format!("    {warning}"));
            }
            for line in &trouble.log {
                self.printer.note(&format!("    | {line}"));
            }
        });
    }
}

fn spinner(printer: &Printer, what: &'static str) -> ProgressBar {
    let bar = printer.progress(0, what);
    bar.enable_steady_tick(TICK);
    bar
}

/// `58 to create, 2 to change, 10 as they shall be`.
fn summary(steps: &[Step]) -> String {
    let count = |wanted: fn(&Action) -> bool| steps.iter().filter(|step| wanted(&step.action)).count();
    let counts = [
        (count(|action| *action == Action::Create), "to create"),
        (
            count(|action| matches!(action, Action::Change { .. })),
            "to change",
        ),
        (count(|action| *action == Action::Keep), "as they shall be"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    counts.join(", ")
}

/// What would be done, object by object and field by field.
pub(super) fn show_plan(printer: &Printer, prepared: &Prepared) {
    for step in &prepared.steps {
        let object = &step.object;
        match &step.action {
            Action::Create => printer.line(&printer.paint(Tone::Ok, &format!("+ {object}"))),
            Action::Change { fields } => {
                printer.line(&printer.paint(Tone::Attention, &format!("~ {object}")));
                for field in fields {
                    printer.line(&format!("    {}", of_field(field)));
                }
            }
            Action::Keep => {}
        }
    }
    for object in &prepared.leftovers {
        printer.line(&printer.paint(Tone::Bad, &format!("- {object}")));
    }
    if !prepared.changes_anything() {
        printer.line("everything is there as it shall be");
    }
}

fn of_field(field: &FieldChange) -> String {
    let path = &field.path;
    match (&field.from, &field.to) {
        (Some(from), Some(to)) => format!("{path}: {} → {}", short(from), short(to)),
        (None, Some(to)) => format!("{path}: {} (new)", short(to)),
        (Some(from), None) => format!("{path}: {} (goes)", short(from)),
        (None, None) => path.clone(),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= LONGEST && line.len() == text.len() {
        return text;
    }
    let beginning: String = line.chars().take(LONGEST).collect();
    format!("{beginning}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_told_in_one_line() {
        let change = |from: Option<Value>, to: Option<Value>| {
            of_field(&FieldChange {
                path: "spec.replicas".to_owned(),
                from,
                to,
            })
        };
        assert_eq!(change(Some(json!(1)), Some(json!(2))), "spec.replicas: 1 → 2");
        assert_eq!(change(None, Some(json!("a"))), "spec.replicas: a (new)");
        let long = "x".repeat(100);
        assert_eq!(
            change(Some(json!(long)), None),
            format!("spec.replicas: {}… (goes)", "x".repeat(60))
        );
        assert_eq!(change(Some(json!("a\nb")), None), "spec.replicas: a… (goes)");
    }
}
