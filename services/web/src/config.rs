//! Settings of the web role.

use std::time::Duration;

use axum::http::Uri;
use odd_contracts::Role;
use odd_contracts::names::env;
use odd_runtime::config::Reader;

use crate::hosts::AllowedHost;
use crate::terminal::config::TerminalConfig;

/// Settings of the web role. Each has a default.
#[derive(Clone, Debug)]
pub struct Config {
    /// Base address of the gateway, such as `http://127.0.0.1:3000`.
    pub gateway_url: String,
    /// Base address of the read-model, such as `http://127.0.0.1:8080`.
    pub read_model_url: String,
    /// What was added to every published port, so that links lead to the pages of this instance; 0 by default.
    pub port_offset: u16,
    /// Longest wait for a role to begin its answer; 20 s by default. Roles give up on their own requests earlier.
    pub answer_timeout: Duration,
    /// Hosts, besides those of the loopback, that it answers to, and whose pages are its own; none by default. Health and metrics
    /// have no such limit.
    pub allowed_hosts: Vec<AllowedHost>,
    /// The web terminal.
    pub terminal: TerminalConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gateway_url: default_url(Role::Gateway, 0),
            read_model_url: default_url(Role::ReadModel, 0),
            port_offset: 0,
            answer_timeout: Duration::from_secs(20),
            allowed_hosts: Vec::new(),
            terminal: TerminalConfig::default(),
        }
    }
}

impl Config {
    /// Reads the settings; what is wrong with them stays with the reader.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let port_offset = reader.or(env::PORT_OFFSET, 0_u16);
        Self {
            gateway_url: role_url(reader, env::GATEWAY_URL, Role::Gateway, port_offset),
            read_model_url: role_url(reader, env::READ_MODEL_URL, Role::ReadModel, port_offset),
            port_offset,
            allowed_hosts: reader.list(env::WEB_ALLOWED_HOSTS),
            terminal: TerminalConfig::read(reader),
            ..Self::default()
        }
    }
}

fn default_url(role: Role, offset: u16) -> String {
    let port = u32::from(role.default_port()) + u32::from(offset);
    format!("http://127.0.0.1:{port}")
}

fn role_url(reader: &mut Reader<'_>, name: &str, role: Role, offset: u16) -> String {
    let Some(url) = reader.optional::<String>(name) else {
        return default_url(role, offset);
    };
    let plain = url.parse::<Uri>().is_ok_and(|url| {
        let host = url.authority().is_some_and(|host| !host.as_str().contains('@'));
        url.scheme_str() == Some("http") && host && url.query().is_none()
    });
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
    use crate::terminal::config::TerminalMode;

    fn read(values: &[(&str, &str)]) -> Result<Config, usize> {
        let source = Source::from_map(values.iter().copied());
        let mut reader = Reader::new(&source);
        let config = Config::read(&mut reader);
        reader.finish().map_err(|errors| errors.0.len())?;
        Ok(config)
    }

    #[test]
    fn everything_has_a_default() {
        let config = read(&[]).unwrap();
        assert_eq!(config.gateway_url, "http://127.0.0.1:3000");
        assert_eq!(config.read_model_url, "http://127.0.0.1:8080");
        assert_eq!(config.port_offset, 0);
        assert_eq!(config.terminal.mode, TerminalMode::On);
        assert!(config.terminal.token.is_none());
    }

    #[test]
    fn addresses_are_given_or_follow_the_port_offset() {
        let values = [
            (env::PORT_OFFSET, "13000"),
            (env::GATEWAY_URL, "http://gateway:3000/"),
        ];
        let config = read(&values).unwrap();
        assert_eq!(config.gateway_url, "http://gateway:3000");
        assert_eq!(config.read_model_url, "http://127.0.0.1:21080");
        assert_eq!(config.port_offset, 13_000);
    }

    #[test]
    fn every_bad_setting_is_reported() {
        let values = [
            (env::PORT_OFFSET, "-1"),
            (env::GATEWAY_URL, "ftp://there"),
            (env::READ_MODEL_URL, "http://user@there"),
            (env::WEB_ALLOWED_HOSTS, "*"),
            (env::WEB_TOKEN, "too short"),
            (env::WEB_TERMINAL, "perhaps"),
            (env::WEB_TERMINAL_SESSIONS, "0"),
            (env::WEB_TERMINAL_IDLE_SECONDS, "0"),
        ];
        assert_eq!(read(&values).unwrap_err(), 8);
    }

    #[test]
    fn the_terminal_is_set_up_and_its_token_never_shown() {
        let values = [
            (env::INSTANCE, "demo"),
            (env::WEB_ALLOWED_HOSTS, "odd.example, 10.0.0.7:8081"),
            (env::WEB_TOKEN, "hunter2-hunter2-hunter2"),
            (env::WEB_TERMINAL, "read-only"),
            (env::WEB_TERMINAL_SESSIONS_PER_ADDRESS, "50"),
            (env::WEB_TERMINAL_GRACE_SECONDS, "2.5"),
        ];
        let config = read(&values).unwrap();
        assert_eq!(config.allowed_hosts.len(), 2);
        assert_eq!(config.terminal.mode, TerminalMode::ReadOnly);
        assert_eq!(config.terminal.sessions_per_address, 50);
        assert_eq!(config.terminal.grace, Duration::from_millis(2_500));
        assert_eq!(config.terminal.instance.as_deref(), Some("demo"));
        assert!(!format!("{config:?}").contains("hunter2"));

        let source = Source::from_map([(env::WEB_TOKEN, "hunter2")]);
        let mut reader = Reader::new(&source);
        Config::read(&mut reader);
        let errors = reader.finish().unwrap_err().to_string();
        assert!(errors.contains("16 to 256 visible"), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}
