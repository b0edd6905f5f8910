//! Settings of the gateway.

use std::num::NonZero;
use std::time::Duration;

use odd_contracts::Role;
use odd_contracts::names::env;
use odd_runtime::config::Reader;
use odd_runtime::{Origin, UpstreamUrl};

/// Settings of the gateway. Each has a default.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins whose pages may call the gateway from a browser; none by default.
    pub origins: Vec<Origin>,
    /// Base address of the read-model, which knows the jobs that are to be repeated.
    pub read_model_url: String,
    /// Longest wait for the spine's confirm; 5 s by default.
    pub confirm_timeout: Duration,
    /// Accepted ids that are remembered, to recognise a repetition; 100,000 by default.
    pub window: usize,
    /// Messages that may wait for their confirm, and requests that may be in hand; 4,096 by default.
    pub max_waiting: NonZero<usize>,
    /// Alertmanager, whose alerts `/proxy/alerts` shows; none by default.
    pub alertmanager: Option<UpstreamUrl>,
    /// Prometheus, whose targets `/proxy/targets` shows; none by default.
    pub prometheus: Option<UpstreamUrl>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            read_model_url: format!("http://127.0.0.1:{}", Role::ReadModel.default_port()),
            confirm_timeout: Duration::from_secs(5),
            window: 100_000,
            max_waiting: NonZero::new(4_096).expect("4,096 is not 0"),
            alertmanager: None,
            prometheus: None,
        }
    }
}

impl Config {
    /// Reads the settings; what is wrong with them stays with the reader.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let default = Self::default();
        Self {
            origins: reader.list(env::CORS_ORIGINS),
            read_model_url: read_model_url(reader, default.read_model_url),
            confirm_timeout: reader.duration_seconds(env::GATEWAY_CONFIRM_SECONDS, default.confirm_timeout),
            window: reader.within(env::GATEWAY_WINDOW, default.window, 0..=10_000_000),
            max_waiting: reader.or(env::GATEWAY_MAX_WAITING, default.max_waiting),
            alertmanager: upstream(reader, env::ALERTMANAGER_URL),
            prometheus: upstream(reader, env::PROMETHEUS_URL),
        }
    }
}

/// An address, which may hold a password and so is not shown where it is wrong.
fn upstream(reader: &mut Reader<'_>, name: &str) -> Option<UpstreamUrl> {
    let url = reader.optional_secret::<UpstreamUrl>(name)?;
    Some(url.expose().clone())
}

fn read_model_url(reader: &mut Reader<'_>, default: String) -> String {
    let url = reader.or(env::READ_MODEL_URL, default);
    let plain = reqwest::Url::parse(&url).is_ok_and(|url| url.scheme() == "http" && url.has_host());
    if !plain {
        reader.reject(
            env::READ_MODEL_URL,
            "expected an address such as http://127.0.0.1:8080",
        );
    }
    url
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
        assert_eq!(config.read_model_url, "http://127.0.0.1:8080");
        assert_eq!((config.window, config.max_waiting.get()), (100_000, 4_096));
        assert_eq!(config.confirm_timeout, Duration::from_secs(5));
    }

    #[test]
    fn every_bad_setting_is_reported() {
        let source = Source::from_map([
            (env::CORS_ORIGINS, "*"),
            (env::READ_MODEL_URL, "ftp://there"),
            (env::GATEWAY_CONFIRM_SECONDS, "soon"),
            (env::GATEWAY_WINDOW, "-1"),
            (env::GATEWAY_MAX_WAITING, "0"),
            (env::ALERTMANAGER_URL, "alertmanager:9093"),
            (env::PROMETHEUS_URL, "http://prometheus:9090/?all"),
        ]);
        let mut reader = Reader::new(&source);
        Config::read(&mut reader);
        let errors = reader.finish().unwrap_err();
        assert_eq!(errors.0.len(), 7, "{errors}");
    }
}
