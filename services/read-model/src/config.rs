//! Settings of the read-model.

use odd_contracts::Role;
use odd_contracts::names::env;
use odd_runtime::config::{Reader, Secret};
use odd_runtime::{Origin, UpstreamUrl};

/// Settings of the read-model. Each has a default.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the instance, as `/overview` shows it; `observatory` by default.
    pub instance: String,
    /// Engine that the instance runs on, as `/overview` shows it; `embedded` by default.
    pub engine: String,
    /// Origins whose pages may call the read-model from a browser; none by default.
    pub origins: Vec<Origin>,
    /// Roles whose health is watched, and their base addresses such as `http://127.0.0.1:3000`; by default
    /// all roles at their default ports.
    pub roles: Vec<(Role, String)>,
    /// Events that are kept for each slow client of `/stream`; older ones are dropped. 8,192 by default.
    pub stream_events: usize,
    /// Alertmanager, which tells of alerts; by default there is none, and the read-model evaluates them itself.
    pub alertmanager: Option<UpstreamUrl>,
    /// Prometheus, without which Alertmanager learns nothing; by default nobody asks whether it is there.
    pub prometheus: Option<UpstreamUrl>,
    /// What Alertmanager shows with its notifications; by default there is none, and they are refused.
    pub webhook_token: Option<Secret<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instance: "observatory".to_owned(),
            engine: "embedded".to_owned(),
            origins: Vec::new(),
            roles: Role::ALL
                .into_iter()
                .map(|role| (role, default_url(role, 0)))
                .collect(),
            stream_events: 8_192,
            alertmanager: None,
            prometheus: None,
            webhook_token: None,
        }
    }
}

impl Config {
    /// Reads the settings; what is wrong with them stays with the reader.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        let offset = reader.or(env::PORT_OFFSET, 0_u16);
        Self {
            instance: reader.or(env::INSTANCE, default.instance),
            engine: reader.or(env::ENGINE, default.engine),
            origins: reader.list(env::CORS_ORIGINS),
            roles: Role::ALL
                .into_iter()
                .map(|role| (role, role_url(reader, role, offset)))
                .collect(),
            stream_events: reader.within(
                env::READ_MODEL_STREAM_EVENTS,
                default.stream_events,
                1..=1_000_000,
            ),
            // Addresses may hold a password.
            alertmanager: upstream(reader, env::ALERTMANAGER_URL),
            prometheus: upstream(reader, env::PROMETHEUS_URL),
            webhook_token: reader.optional_secret(env::ALERT_WEBHOOK_TOKEN),
        }
    }
}

fn upstream(reader: &mut Reader<'_>, name: &str) -> Option<UpstreamUrl> {
    let url = reader.optional_secret::<UpstreamUrl>(name)?;
    Some(url.expose().clone())
}

fn default_url(role: Role, offset: u16) -> String {
    format!(
        "http://127.0.0.1:{}",
        u32::from(role.default_port()) + u32::from(offset)
    )
}

fn role_url(reader: &mut Reader<'_>, role: Role, offset: u16) -> String {
    let name = match role {
        Role::Gateway => env::GATEWAY_URL,
        Role::Processor => env::PROCESSOR_URL,
        Role::MetricsEngine => env::METRICS_ENGINE_URL,
        Role::ReadModel => env::READ_MODEL_URL,
        Role::Web => env::WEB_URL,
    };
    let Some(url) = reader.optional::<String>(name) else {
        return default_url(role, offset);
    };
    let plain = reqwest::Url::parse(&url).is_ok_and(|url| url.scheme() == "http" && url.has_host());
    if !plain {
        reader.reject(
            name,
            format!("expected an address such as {}", default_url(role, offset)),
        );
    }
    url.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use odd_runtime::config::Source;

    use super::*;

    #[test]
    fn everything_has_a_default() {
        let source = Source::from_map::<&str, &str>([]);
        let mut reader = Reader::new(&source);
        let config = Config::read(&mut reader);
        reader.finish().unwrap();
        assert_eq!(
            (config.instance.as_str(), config.engine.as_str()),
            ("observatory", "embedded")
        );
        assert_eq!(
            config.roles[3],
            (Role::ReadModel, "http://127.0.0.1:8080".to_owned())
        );
        assert_eq!(config.stream_events, 8_192);
        assert!(config.alertmanager.is_none() && config.webhook_token.is_none());
    }

    #[test]
    fn addresses_are_given_or_follow_the_port_offset() {
        let source = Source::from_map([
            (env::PORT_OFFSET, "13000"),
            (env::GATEWAY_URL, "http://gateway:3000/"),
            (env::CORS_ORIGINS, "http://127.0.0.1:8081"),
            (env::ALERTMANAGER_URL, "http://odd:hunter2@alertmanager:9093"),
            (env::ALERT_WEBHOOK_TOKEN, "hunter3"),
        ]);
        let mut reader = Reader::new(&source);
        let config = Config::read(&mut reader);
        reader.finish().unwrap();
        let urls: Vec<&str> = config.roles.iter().map(|(_, url)| url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "http://gateway:3000",
                "http://127.0.0.1:16010",
                "http://127.0.0.1:16020",
                "http://127.0.0.1:21080",
                "http://127.0.0.1:21081"
            ]
        );
        assert_eq!(config.origins.len(), 1);
        let shown = format!("{config:?}");
        assert!(shown.contains("http://alertmanager:9093"), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn every_bad_setting_is_reported() {
        let source = Source::from_map([
            (env::CORS_ORIGINS, "*"),
            (env::PROCESSOR_URL, "ftp://there"),
            (env::METRICS_ENGINE_URL, "there"),
            (env::READ_MODEL_STREAM_EVENTS, "0"),
            (env::PORT_OFFSET, "-1"),
            (env::ALERTMANAGER_URL, "https://odd:hunter2@alertmanager"),
            (env::PROMETHEUS_URL, "prometheus:9090"),
        ]);
        let mut reader = Reader::new(&source);
        Config::read(&mut reader);
        let errors = reader.finish().unwrap_err();
        assert_eq!(errors.0.len(), 7, "{errors}");
        assert!(!errors.to_string().contains("hunter2"), "{errors}");
    }
}
