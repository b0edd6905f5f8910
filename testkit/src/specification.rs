//! How each server is started and how it is asked whether it is ready.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::container::Container;
use crate::docker::{Result, Trouble};
use crate::images::Service;
use crate::servers::wire::{mongo, postgres, redis};

/// Name of the user of all servers.
pub(crate) const USER: &str = "odd";
/// Port of PostgreSQL within its container.
pub(crate) const POSTGRES: u16 = 5432;
/// Port of AMQP.
pub(crate) const AMQP: u16 = 5672;
/// Port of RabbitMQ's management interface.
pub(crate) const MANAGEMENT: u16 = 15672;
/// Port of Redis.
pub(crate) const REDIS: u16 = 6379;
/// Port of MongoDB.
pub(crate) const MONGO: u16 = 27017;
/// Port of Prometheus.
pub(crate) const PROMETHEUS: u16 = 9090;
/// Port of Alertmanager.
pub(crate) const ALERTMANAGER: u16 = 9093;

const GIB: i64 = 1 << 30;

/// What a container is made from. The variables are those of the official images.
pub(crate) struct Specification {
    pub(crate) env: Vec<(&'static str, String)>,
    pub(crate) command: Vec<String>,
    pub(crate) ports: &'static [u16],
    /// Where its configuration is to lie, of a server that is given one.
    pub(crate) configuration: Option<&'static str>,
    /// Bytes.
    pub(crate) memory: i64,
}

/// `shared` servers serve many tests at once and are never killed.
pub(crate) fn of(service: Service, password: &str, shared: bool) -> Specification {
    let user = USER.to_owned();
    let password = password.to_owned();
    match service {
        Service::Postgres => Specification {
            env: vec![
                ("POSTGRES_USER", user.clone()),
                ("POSTGRES_PASSWORD", password),
                ("POSTGRES_DB", user),
            ],
            command: postgres_command(shared),
            ports: &[POSTGRES],
            configuration: None,
            memory: 2 * GIB,
        },
        Service::Rabbitmq => Specification {
            env: vec![
                ("RABBITMQ_DEFAULT_USER", user),
                ("RABBITMQ_DEFAULT_PASS", password),
                // Otherwise memory grows with the limit of open files.
                ("ERL_MAX_PORTS", "65536".to_owned()),
                ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", statistics()),
            ],
            command: Vec::new(),
            ports: &[AMQP, MANAGEMENT],
            configuration: None,
            memory: GIB,
        },
        Service::Redis => Specification {
            env: Vec::new(),
            command: words(&["redis-server", "--requirepass", &password]),
            ports: &[REDIS],
            configuration: None,
            memory: GIB,
        },
        Service::Mongo => Specification {
            env: vec![
                ("MONGO_INITDB_ROOT_USERNAME", user),
                ("MONGO_INITDB_ROOT_PASSWORD", password),
            ],
            command: Vec::new(),
            ports: &[MONGO],
            configuration: None,
            memory: 2 * GIB,
        },
        Service::Prometheus => Specification {
            env: Vec::new(),
            command: Vec::new(),
            ports: &[PROMETHEUS],
            configuration: Some("/etc/prometheus/prometheus.yml"),
            memory: GIB,
        },
        Service::Alertmanager => Specification {
            env: Vec::new(),
            command: Vec::new(),
            ports: &[ALERTMANAGER],
            configuration: Some("/etc/alertmanager/alertmanager.yml"),
            memory: GIB,
        },
    }
}

/// How full queues are is told after at most a second instead of five: queues tell the collector twice a second, and the
/// collector tells the management interface as often as its finest samples are apart, which are whole seconds.
fn statistics() -> String {
    let samples = ["global", "basic", "detailed"].map(|kind| format!("{{{kind},[{{605,1}}]}}"));
    format!(
        "-rabbit collect_statistics_interval 500 -rabbit quorum_tick_interval 500 \
         -rabbitmq_management_agent sample_retention_policies [{}]",
        samples.join(",")
    )
}

fn postgres_command(shared: bool) -> Vec<String> {
    let mut command = words(&["postgres", "-c", "max_connections=300"]);
    if shared {
        // Nothing but a power cut tells the difference, and no test makes one.
        command.extend(words(&["-c", "fsync=off"]));
    }
    command
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Whether a server answers as one that has finished starting.
pub(crate) async fn probe(container: &Container) -> Result<()> {
    match container.service() {
        Service::Postgres => postgres::execute(container, "SELECT 1").await,
        Service::Rabbitmq => {
            management(container, reqwest::Method::GET, "whoami", None).await?;
            amqp_answers(container.port(AMQP)).await
        }
        Service::Redis => redis::ping(container).await,
        Service::Mongo => mongo::ping(container).await,
        Service::Prometheus => says_ready(container, PROMETHEUS).await,
        Service::Alertmanager => says_ready(container, ALERTMANAGER).await,
    }
}

/// What Prometheus and Alertmanager say of themselves.
async fn says_ready(container: &Container, port: u16) -> Result<()> {
    let url = format!("http://{}:{}/-/ready", Ipv4Addr::LOCALHOST, container.port(port));
    let failed = |error: reqwest::Error| Trouble::of(container.service().name(), &error);
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
        .map_err(failed)?;
    let answer = client.get(url).send().await;
    answer
        .and_then(reqwest::Response::error_for_status)
        .map(drop)
        .map_err(failed)
}

/// One request to RabbitMQ's management interface, and its answer.
pub(crate) async fn management(
    container: &Container,
    method: reqwest::Method,
    path: &str,
    body: Option<serde_json::Value>,
) -> Result<String> {
    let url = format!(
        "http://{}:{}/api/{path}",
        Ipv4Addr::LOCALHOST,
        container.port(MANAGEMENT)
    );
    let failed = |error: reqwest::Error| Trouble::of("RabbitMQ's management interface", &error);
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
        .map_err(failed)?;
    let mut request = client
        .request(method, url)
        .basic_auth(USER, Some(container.password()));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.and_then(reqwest::Response::error_for_status);
    answer.map_err(failed)?.text().await.map_err(failed)
}

/// The broker opens the conversation after the client's greeting.
async fn amqp_answers(port: u16) -> Result<()> {
    let failed = |error: std::io::Error| Trouble::of("AMQP", &error);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(failed)?;
    stream.write_all(b"AMQP\0\0\x09\x01").await.map_err(failed)?;
    // Frame type 1 (method) on channel 0.
    let mut frame = [0; 3];
    stream.read_exact(&mut frame).await.map_err(failed)?;
    match frame {
        [1, 0, 0] => Ok(()),
        other => Err(Trouble::new(format!("AMQP answers {other:?}"))),
    }
}
