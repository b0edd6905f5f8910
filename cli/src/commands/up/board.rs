//! What a person sees while a stack starts: a line for each group of services once it is healthy, bars for what is under
//! way, and trouble at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use odd_contracts::Role;
use odd_engine::docker::{Action, ContainerState, Event, ImageSource, ImageState, Plan};

use crate::format;
use crate::output::{Glyph, Printer, Tone};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);
/// The servers that roles stand on: they make a line of their own.
const SERVERS: [&str; 4] = ["rabbitmq", "postgres", "redis", "mongo"];

/// The state of a start, as far as it is shown.
pub(super) struct Board {
    printer: Printer,
    bars: MultiProgress,
    engine: String,
    why: Option<String>,
    containers: BTreeMap<String, Shown>,
    groups: Vec<Vec<String>>,
    layers: BTreeMap<(String, String), ProgressBar>,
    fetched: BTreeSet<String>,
    networks: usize,
    volumes: usize,
    /// Whether anything was made that a later command has to know of.
    pub(super) touched: bool,
    /// Whether the trouble that ends the start was told.
    pub(super) told: bool,
}

/// One container of the plan.
struct Shown {
    service: String,
    state: ContainerState,
    kept: bool,
    after: Option<Duration>,
    bar: Option<ProgressBar>,
}

impl Board {
    /// Nothing has happened yet. `why` tells why Docker was chosen.
    pub(super) fn new(printer: &Printer, why: Option<String>) -> Self {
        Self {
            printer: printer.clone(),
            bars: printer.board(),
            engine: String::new(),
            why,
            containers: BTreeMap::new(),
            groups: Vec::new(),
            layers: BTreeMap::new(),
            fetched: BTreeSet::new(),
            networks: 0,
            volumes: 0,
            touched: false,
            told: false,
        }
    }

    /// Shows what happened.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::WaitingForOther => self.note("  another command is starting or stopping it: waiting"),
            Event::Connected { host, engine, .. } => self.engine = format!("{engine} ({host})"),
            Event::Planned { plan } => self.planned(plan),
            Event::Image { .. } => self.image(event),
            Event::Network { removed, .. } => {
                self.touched = true;
                self.networks += usize::from(!removed);
            }
            Event::Volume { removed, .. } => {
                self.touched = true;
                self.volumes += usize::from(!removed);
            }
            Event::Container {
                service,
                container,
                state,
                after_ms,
            } => self.container(service, container, *state, *after_ms),
            Event::Trouble { .. } => self.trouble(event),
            Event::Notice { text } => self.warn(text),
        }
    }

    /// Clears the bars. Of a group that did not become healthy as a whole, tells which of it did.
    pub(super) fn finish(&mut self) {
        let unfinished = std::mem::take(&mut self.groups);
        for group in unfinished {
            let line = self.line(&group);
            if !line.is_empty() {
                self.note(&line);
            }
        }
        for bar in self.layers.values() {
            bar.finish_and_clear();
        }
        for shown in self.containers.values_mut() {
            if let Some(bar) = shown.bar.take() {
                bar.finish_and_clear();
            }
        }
        // A terminal that is gone has no bars to clear.
        let _ = self.bars.clear();
    }

    fn planned(&mut self, plan: &Plan) {
        let count = |source| plan.images.iter().filter(|image| image.source == source).count();
        let images = [
            (count(ImageSource::Present), "present"),
            (count(ImageSource::Pull), "to pull"),
            (count(ImageSource::Build), "to build"),
        ];
        let images: Vec<String> = images
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let engine = std::mem::take(&mut self.engine);
        self.note(&format!(
            "  engine    {engine}          images  {}",
            images.join(", ")
        ));
        if let Some(why) = self.why.take() {
            self.note(&format!("            because {why}"));
        }
        for left in &plan.left_out {
            self.warn(&format!("without {}: {}", left.service, left.reason));
        }
        for step in &plan.containers {
            let shown = Shown {
                service: step.service.clone(),
                state: ContainerState::Waiting,
                kept: step.step.action == Action::Keep,
                after: None,
                bar: None,
            };
            if step.step.action != Action::Remove {
                self.containers.insert(step.step.name.clone(), shown);
            }
        }
        self.groups = groups(plan);
    }

    fn image(&mut self, event: &Event) {
        let Event::Image {
            reference,
            state,
            layer,
            detail,
            current,
            total,
        } = event
        else {
            return;
        };
        if *state == ImageState::Ready {
            self.image_ready(reference);
            return;
        }
        let verb = match state {
            ImageState::Building => "building",
            _ => "pulling",
        };
        self.fetched.insert(reference.clone());
        let key = (reference.clone(), layer.clone().unwrap_or_default());
        let bars = &self.bars;
        let ascii = !self.printer.is_unicode();
        let bar = self.layers.entry(key).or_insert_with(|| {
            let shape = match total {
                Some(_) => "  {spinner} {prefix} [{bar:24}] {bytes}/{total_bytes} {wide_msg}",
                None => "  {spinner} {prefix} {elapsed} {wide_msg}",
            };
            let bar = bars.add(ProgressBar::new(total.unwrap_or_default()));
            if let Ok(style) = ProgressStyle::with_template(shape) {
                bar.set_style(style.progress_chars(if ascii { "=> " } else { "█▉▊▋▌▍▎▏ " }));
            }
            bar.set_prefix(format!("{verb} {reference}"));
            bar.enable_steady_tick(TICK);
            bar
        });
        let words = [layer.as_deref(), detail.as_deref()];
        bar.set_message(words.into_iter().flatten().collect::<Vec<_>>().join(" "));
        if let Some(total) = total {
            bar.set_length(*total);
        }
        if let Some(current) = current {
            bar.set_position(*current);
        }
    }

    fn image_ready(&mut self, reference: &str) {
        self.layers.retain(|(of, _), bar| {
            if of == reference {
                bar.finish_and_clear();
            }
            of != reference
        });
        if self.fetched.remove(reference) {
            self.touched = true;
            let mark = self.printer.mark_err(Glyph::Ok, Tone::Ok);
            self.note(&format!("  {mark} image {reference}"));
        }
    }

    fn container(&mut self, service: &str, container: &str, state: ContainerState, after_ms: Option<u64>) {
        let kept = self.containers.get(container).is_some_and(|shown| shown.kept);
        if kept && state == ContainerState::Healthy {
            return;
        }
        self.touched = true;
        self.made();
        if let Some(shown) = self.containers.get_mut(container) {
            shown.state = state;
            shown.after = after_ms.map(Duration::from_millis).or(shown.after);
            let word = match state {
                ContainerState::Creating => Some("creating"),
                ContainerState::Starting => Some("starting"),
                ContainerState::Stopping => Some("stopping"),
                _ => None,
            };
            match (word, &shown.bar) {
                (Some(word), Some(bar)) => bar.set_message(word),
                (Some(word), None) => shown.bar = Some(spinner(&self.bars, service, word)),
                (None, Some(bar)) => {
                    bar.finish_and_clear();
                    shown.bar = None;
                }
                (None, None) => {}
            }
        }
        self.settled();
    }

    /// Tells of the network and the volumes that were made, once the first container is on its way.
    fn made(&mut self) {
        let (networks, volumes) = (
            std::mem::take(&mut self.networks),
            std::mem::take(&mut self.volumes),
        );
        let mark = self.printer.mark_err(Glyph::Ok, Tone::Ok);
        let mut parts = Vec::new();
        if networks > 0 {
            parts.push(format!("{mark} network"));
        }
        if volumes > 0 {
            parts.push(format!("{mark} {volumes} volumes"));
        }
        if !parts.is_empty() {
            self.note(&format!("  {}", parts.join("  ")));
        }
    }

    /// Prints the groups that are healthy as a whole, in their order.
    fn settled(&mut self) {
        while let Some(group) = self.groups.first() {
            let of_group = |shown: &&Shown| group.contains(&shown.service);
            let healthy = |shown: &Shown| shown.kept || shown.state == ContainerState::Healthy;
            if !self.containers.values().filter(of_group).all(healthy) {
                return;
            }
            let line = self.line(group);
            self.groups.remove(0);
            if !line.is_empty() {
                self.note(&line);
            }
        }
    }

    /// `✓ rabbitmq 9.1 s  ✓ postgres 2.8 s`: what of a group was started or failed.
    fn line(&self, group: &[String]) -> String {
        let parts: Vec<String> = group.iter().filter_map(|service| self.part(service)).collect();
        if parts.is_empty() {
            return String::new();
        }
        format!("  {}", parts.join("  "))
    }

    fn part(&self, service: &str) -> Option<String> {
        let of_service = self.containers.values().filter(|shown| shown.service == service);
        let changed: Vec<&Shown> = of_service
            .filter(|shown| shown.state != ContainerState::Waiting)
            .collect();
        let slowest = changed.iter().filter_map(|shown| shown.after).max();
        let (glyph, tone) = match changed.iter().map(|shown| shown.state).max()? {
            ContainerState::Healthy => (Glyph::Ok, Tone::Ok),
            ContainerState::Failed => (Glyph::Bad, Tone::Bad),
            _ => (Glyph::Waiting, Tone::Waiting),
        };
        let times = match changed.len() {
            1 => String::new(),
            many => format!(" ({many})"),
        };
        let took = slowest.map(|time| format!(" {}", format::duration(time)));
        let mark = self.printer.mark_err(glyph, tone);
        Some(format!("{mark} {service}{times}{}", took.unwrap_or_default()))
    }

    fn trouble(&mut self, event: &Event) {
        let Event::Trouble {
            service,
            container,
            reason,
            likely_cause,
            log,
        } = event
        else {
            return;
        };
        self.told = true;
        let printer = self.printer.clone();
        self.bars.suspend(|| {
            let mark = printer.mark_err(Glyph::Bad, Tone::Bad);
            printer.say(&format!("  {mark} {service} {reason}   ({container})"));
            if let Some(cause) = likely_cause {
                printer.say(&format!("    likely cause: {cause}"));
            }
            for line in log {
                printer.say(&format!("    {} {line}", printer.paint_err(Tone::Muted, "|")));
            }
        });
    }

    fn note(&self, text: &str) {
        self.bars.suspend(|| self.printer.note(text));
    }

    fn warn(&self, text: &str) {
        self.bars.suspend(|| self.printer.warn(text));
    }
}

fn spinner(bars: &MultiProgress, service: &str, word: &'static str) -> ProgressBar {
    let bar = bars.add(ProgressBar::no_length());
    if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_prefix(service.to_owned());
    bar.set_message(word);
    bar.enable_steady_tick(TICK);
    bar
}

/// Services in the groups that are shown together: servers, roles, and what observes them.
fn groups(plan: &Plan) -> Vec<Vec<String>> {
    let mut groups = vec![Vec::new(), Vec::new(), Vec::new()];
    for step in &plan.containers {
        let group = if SERVERS.contains(&step.service.as_str()) {
            0
        } else if step.service.parse::<Role>().is_ok() {
            1
        } else {
            2
        };
        if step.step.action != Action::Remove && !groups[group].contains(&step.service) {
            groups[group].push(step.service.clone());
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use odd_engine::docker::{ContainerStep, Step};

    use super::*;
    use crate::args::Global;

    fn board(services: &[&str]) -> Board {
        let printer = Printer::new(&Global {
            no_color: true,
            quiet: true,
            ..Global::default()
        });
        let step = |service: &&str| ContainerStep {
            service: (*service).to_owned(),
            number: 1,
            step: Step {
                name: format!("x-{service}-1"),
                action: Action::Create,
                reason: None,
            },
        };
        let plan = Plan {
            containers: services.iter().map(step).collect(),
            ..Plan::default()
        };
        let mut board = Board::new(&printer, None);
        board.event(&Event::Planned { plan });
        board
    }

    fn healthy(service: &str, after_ms: u64) -> Event {
        Event::Container {
            service: service.to_owned(),
            container: format!("x-{service}-1"),
            state: ContainerState::Healthy,
            after_ms: Some(after_ms),
        }
    }

    #[test]
    fn a_group_is_told_once_all_of_it_is_healthy() {
        let mut board = board(&["postgres", "prometheus", "redis", "gateway"]);
        assert_eq!(
            board.groups,
            [vec!["postgres", "redis"], vec!["gateway"], vec!["prometheus"]]
        );
        board.event(&healthy("gateway", 400));
        board.event(&healthy("postgres", 2_800));
        assert_eq!(board.groups.len(), 3, "redis is still on its way");
        board.event(&healthy("redis", 1_600));
        assert_eq!(board.groups, [vec!["prometheus"]]);
        let servers = ["postgres".to_owned(), "redis".to_owned()];
        let line = board.line(&servers);
        assert!(
            line.contains("postgres 2.8 s") && line.contains("redis 1.6 s"),
            "{line}"
        );
    }
}
