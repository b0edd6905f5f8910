//! What the stack shall run on.

/// An engine to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Engine {
    #[default]
    Auto,
    Docker,
    Embedded,
}

impl Engine {
    pub(super) const ALL: [Self; 3] = [Self::Auto, Self::Docker, Self::Embedded];

    /// As it is called in commands.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Embedded => "embedded",
        }
    }

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Auto => {
                "Docker where it answers and its images are to be had, else embedded. An instance stays where its data is."
            }
            Self::Docker => {
                "RabbitMQ, PostgreSQL, MongoDB, Redis, Prometheus and Grafana, every role in a container."
            }
            Self::Embedded => "One background process with every role, and SQLite. Nothing else is needed.",
        }
    }
}

/// What is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) engine: Engine,
    offline: bool,
}

impl Choice {
    /// The next engine, or the one before.
    pub(super) fn step(&mut self, by: isize) {
        let engines = Engine::ALL;
        let at = engines.iter().position(|engine| *engine == self.engine);
        let to = at.unwrap_or_default().saturating_add_signed(by);
        self.engine = engines[to.min(engines.len() - 1)];
    }

    /// Whether the images can be chosen: only Docker has any.
    pub(super) fn has_offline(self) -> bool {
        self.engine == Engine::Docker
    }

    pub(super) const fn toggle_offline(&mut self) {
        self.offline = !self.offline;
    }

    pub(super) fn is_offline(self) -> bool {
        self.offline && self.has_offline()
    }

    /// Arguments of `odd up`.
    pub(super) fn arguments(self) -> Vec<String> {
        let mut arguments = vec!["--engine".to_owned(), self.engine.name().to_owned()];
        if self.is_offline() {
            arguments.push("--offline".to_owned());
        }
        arguments
    }

    /// The whole command.
    pub(super) fn command(self) -> String {
        format!("odd up {}", self.arguments().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_images_are_for_docker() {
        let mut choice = Choice::default();
        assert_eq!(choice.command(), "odd up --engine auto");
        choice.toggle_offline();
        assert_eq!(choice.arguments(), ["--engine", "auto"]);
        choice.step(1);
        assert_eq!(choice.command(), "odd up --engine docker --offline");
        choice.step(1);
        choice.step(1);
        assert_eq!(choice.command(), "odd up --engine embedded");
        choice.step(-5);
        assert_eq!(choice.engine, Engine::Auto);
    }
}
