//! A start under way, as `odd up --output ndjson` tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use odd_contracts::Timestamp;
use odd_look::sign::{Glyph, Tone};
use serde_json::Value;

use super::told::{Failed, Told, list, text, texts};
use crate::effect::Printed;

/// Most containers, images, layers of an image, troubles and notices that are kept.
const MOST: usize = 512;

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Planned,
    Waiting,
    Creating,
    Starting,
    Healthy,
    Stopping,
    Removed,
    Failed,
}

impl State {
    fn read(word: &str) -> Self {
        match word {
            "waiting" => Self::Waiting,
            "creating" => Self::Creating,
            "starting" => Self::Starting,
            "healthy" => Self::Healthy,
            "stopping" => Self::Stopping,
            "removed" => Self::Removed,
            "failed" => Self::Failed,
            _ => Self::Planned,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Waiting => "waiting",
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Stopping => "stopping",
            Self::Removed => "removed",
            Self::Failed => "failed",
        }
    }

    pub(super) const fn sign(self) -> (Glyph, Tone) {
        match self {
            Self::Planned | Self::Waiting => (Glyph::Waiting, Tone::Waiting),
            Self::Creating | Self::Starting | Self::Stopping => (Glyph::Working, Tone::Working),
            Self::Healthy => (Glyph::Ok, Tone::Ok),
            Self::Removed => (Glyph::Cancelled, Tone::Muted),
            Self::Failed => (Glyph::Bad, Tone::Bad),
        }
    }

    /// Whether time goes by in it.
    pub(super) const fn is_moving(self) -> bool {
        matches!(self, Self::Creating | Self::Starting | Self::Stopping)
    }
}

/// One container.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) service: String,
    /// Number of the replica, from 1.
    pub(super) number: u64,
    /// What the plan does to it: `keep`, `create`, `recreate`…
    pub(super) action: String,
    /// Why, in words.
    pub(super) reason: Option<String>,
    pub(super) state: State,
    /// Since when it is in this state.
    pub(super) since: Timestamp,
    /// What it took.
    pub(super) after: Option<Duration>,
}

/// One image that has to be got.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    /// `pulling`, `building` or `ready`.
    pub(super) state: String,
    layers: BTreeMap<String, (u64, u64)>,
    /// What happens to it now, in words.
    pub(super) detail: Option<String>,
}

impl Image {
    /// Bytes that are there and bytes in all, of the layers that are known.
    pub(super) fn bytes(&self) -> Option<(u64, u64)> {
        let sum = |each: fn(&(u64, u64)) -> u64| self.layers.values().map(each).sum::<u64>();
        (!self.layers.is_empty()).then(|| (sum(|layer| layer.0), sum(|layer| layer.1)))
    }
}

/// A container that did not become healthy.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) service: String,
    pub(super) reason: String,
    pub(super) likely_cause: Option<String>,
    pub(super) log: Vec<String>,
}

/// What the command answered in the end.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) engine: String,
    pub(super) already_running: bool,
    pub(super) took: Duration,
    /// Services that waited for one another and took longest.
    pub(super) critical_path: Vec<String>,
    /// How long each service waited for others, and took itself.
    pub(super) services: BTreeMap<String, (Duration, Duration)>,
}

/// The whole of a start.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) started: Timestamp,
    /// The engine and where it is.
    pub(super) engine: Option<String>,
    pub(super) containers: BTreeMap<String, Container>,
    /// Names of the containers in the order of the plan.
    pub(super) order: Vec<String>,
    pub(super) images: BTreeMap<String, Image>,
    /// How many images the plan needs.
    pub(super) planned_images: usize,
    pub(super) networks: usize,
    pub(super) volumes: usize,
    pub(super) troubles: Vec<Trouble>,
    /// What else is to be known.
    pub(super) notices: Vec<String>,
    pub(super) left_out: Vec<(String, String)>,
    pub(super) told: Told,
    pub(super) answer: Option<Answer>,
}

impl Launch {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            started: now,
            engine: None,
            containers: BTreeMap::new(),
            order: Vec::new(),
            images: BTreeMap::new(),
            planned_images: 0,
            networks: 0,
            volumes: 0,
            troubles: Vec::new(),
            notices: Vec::new(),
            left_out: Vec::new(),
            told: Told::default(),
            answer: None,
        }
    }

    /// Takes what the command prints. A line that is no event is kept as it was said.
    pub(super) fn take(&mut self, lines: &[Printed], now: Timestamp) {
        for line in lines {
            match serde_json::from_str::<Value>(&line.text) {
                Ok(event) if !line.to_stderr => self.event(&event, now),
                _ => self.told.say(line.text.clone()),
            }
        }
    }

    pub(super) fn failure(&self, ended: &Result<i32, String>) -> Failed {
        self.told.failure(ended)
    }

    /// Whether something beside the answer should be read before it is gone.
    pub(super) fn is_remarkable(&self) -> bool {
        !self.troubles.is_empty() || !self.notices.is_empty()
    }

    /// Containers that are to run, and how many of them do.
    pub(super) fn healthy(&self) -> (usize, usize) {
        let wanted = || self.containers.values().filter(|c| c.action != "remove");
        (
            wanted().filter(|c| c.state == State::Healthy).count(),
            wanted().count(),
        )
    }

    fn event(&mut self, event: &Value, now: Timestamp) {
        match event.get("event").and_then(Value::as_str) {
            Some("waitingForOther") => {
                self.notice("another command is starting or stopping it: waiting".to_owned());
            }
            Some("connected") => {
                let (engine, host) = (text(event, "engine"), text(event, "host"));
                self.engine = engine.map(|engine| format!("{engine} ({})", host.unwrap_or_default()));
            }
            Some("planned") => self.planned(event.get("plan").unwrap_or(&Value::Null), now),
            Some("image") => self.image(event),
            Some("network") => self.networks += 1,
            Some("volume") => self.volumes += 1,
            Some("container") => self.container(event, now),
            Some("trouble") if self.troubles.len() < MOST => self.trouble(event),
            Some("notice") => self.notice(text(event, "text").unwrap_or_default()),
            // The embedded engine answers without events before.
            Some("answer") | None => self.answer = answer(event).or(self.answer.take()),
            // What a later version tells as well.
            Some(_) => {}
        }
    }

    fn notice(&mut self, text: String) {
        if self.notices.len() < MOST {
            self.notices.push(text);
        }
    }

    fn planned(&mut self, plan: &Value, now: Timestamp) {
        self.planned_images = list(plan, "images").count();
        for left in list(plan, "leftOut").take(MOST) {
            let of = |name| text(left, name).unwrap_or_default();
            self.left_out.push((of("service"), of("reason")));
        }
        for step in list(plan, "containers").take(MOST) {
            let Some(name) = text(step, "name") else { continue };
            let action = text(step, "action").unwrap_or_default();
            let kept = action == "keep";
            self.order.push(name.clone());
            self.containers.insert(
                name,
                Container {
                    service: text(step, "service").unwrap_or_default(),
                    number: step.get("number").and_then(Value::as_u64).unwrap_or(1),
                    action,
                    reason: text(step, "reason"),
                    // Nothing more is told of what is left as it is.
                    state: if kept { State::Healthy } else { State::Planned },
                    since: now,
                    after: None,
                },
            );
        }
    }

    fn image(&mut self, event: &Value) {
        let Some(reference) = text(event, "reference") else {
            return;
        };
        if self.images.len() >= MOST && !self.images.contains_key(&reference) {
            return;
        }
        let image = self.images.entry(reference).or_default();
        image.state = text(event, "state").unwrap_or_default();
        image.detail = text(event, "detail");
        let number = |name| event.get(name).and_then(Value::as_u64);
        if let (Some(layer), Some(current), Some(total)) =
            (text(event, "layer"), number("current"), number("total"))
            && (image.layers.len() < MOST || image.layers.contains_key(&layer))
        {
            image.layers.insert(layer, (current, total));
        }
    }

    fn container(&mut self, event: &Value, now: Timestamp) {
        let name = text(event, "container").unwrap_or_default();
        let Some(container) = self.containers.get_mut(&name) else {
            return;
        };
        let state = State::read(&text(event, "state").unwrap_or_default());
        if state != container.state {
            container.state = state;
            container.since = now;
        }
        let after = event.get("afterMs").and_then(Value::as_u64);
        container.after = after.map(Duration::from_millis);
    }

    fn trouble(&mut self, event: &Value) {
        self.troubles.push(Trouble {
            service: text(event, "service").unwrap_or_default(),
            reason: text(event, "reason").unwrap_or_default(),
            likely_cause: text(event, "likelyCause"),
            log: texts(event, "log"),
        });
    }
}

fn answer(event: &Value) -> Option<Answer> {
    let millis = |of: &Value, name: &str| {
        let millis = of.get(name).and_then(Value::as_f64).unwrap_or_default();
        Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
    };
    let report = event.get("report").unwrap_or(&Value::Null);
    let services = list(report, "services").filter_map(|service| {
        let times = (millis(service, "waitedMs"), millis(service, "tookMs"));
        Some((text(service, "service")?, times))
    });
    Some(Answer {
        engine: text(event, "engine")?,
        already_running: event
            .get("alreadyRunning")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        took: millis(event, "tookMs"),
        critical_path: texts(report, "criticalPath"),
        services: services.take(MOST).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bed;

    fn launch(recorded: &str) -> Launch {
        let mut launch = Launch::new(bed::now());
        for text in recorded.lines() {
            let line = Printed {
                to_stderr: text.contains("\"error\"") || !text.starts_with('{'),
                text: text.to_owned(),
            };
            launch.take(&[line], bed::now());
        }
        launch
    }

    #[test]
    fn a_start_on_docker_is_followed_to_its_report() {
        let launch = launch(include_str!("recorded/up-docker.ndjson"));
        assert_eq!(launch.healthy(), (11, 11));
        assert_eq!(
            (launch.planned_images, launch.networks, launch.volumes),
            (7, 1, 6)
        );
        assert_eq!(launch.left_out[0].0, "grafana");
        let answer = launch.answer.unwrap();
        assert_eq!(answer.critical_path, ["rabbitmq", "gateway"]);
        assert_eq!(answer.took, Duration::from_millis(14_040));
        assert_eq!(answer.services["web"].1, Duration::from_millis(1_250));
    }

    #[test]
    fn what_is_kept_counts_as_healthy() {
        let launch = launch(include_str!("recorded/up-docker-again.ndjson"));
        assert_eq!(launch.healthy(), (11, 11));
        assert!(launch.answer.unwrap().already_running);
    }

    #[test]
    fn the_embedded_engine_tells_in_words() {
        let launch = launch(include_str!("recorded/up-embedded.ndjson"));
        assert_eq!(launch.told.said.len(), 6);
        let answer = launch.answer.unwrap();
        assert_eq!(
            (answer.engine.as_str(), answer.took.as_millis()),
            ("embedded", 84)
        );
    }

    #[test]
    fn trouble_is_told_with_the_end_of_the_log() {
        let launch = launch(include_str!("recorded/up-trouble.ndjson"));
        let trouble = &launch.troubles[0];
        assert_eq!((trouble.service.as_str(), trouble.log.len()), ("postgres", 3));
        assert!(launch.failure(&Ok(1)).why.contains("max_connections"));
        assert!(launch.is_remarkable() && launch.answer.is_none());
    }

    /// The bytes of an image are those of its layers together.
    #[test]
    fn bytes_of_layers_add_up() {
        let mut launch = Launch::new(bed::now());
        for (layer, current) in [("a", 10), ("b", 5), ("a", 20)] {
            let event = serde_json::json!({
                "event": "image", "reference": "redis:8", "state": "pulling", "detail": "Downloading",
                "layer": layer, "current": current, "total": 100,
            });
            launch.event(&event, bed::now());
        }
        assert_eq!(launch.images["redis:8"].bytes(), Some((25, 200)));
    }
}
