//! Roles on servers: their settings, and what a role does whose servers are away. No server is needed for it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use odd_testkit::{Instance, Output, wait_for};

use crate::instance;

const AMQP: &str = "ODD_AMQP_URL";
const POSTGRES: &str = "ODD_POSTGRES_URL";
/// Longest wait for a state.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs `odd serve` with these roles and variables; it must end by itself.
fn serve(odd: &Instance, roles: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = odd.command([&["serve"], roles].concat());
    command.envs(variables.iter().copied());
    Instance::output(&mut command)
}

/// Everything under a directory.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn every_missing_server_is_named_with_the_roles_that_need_it() {
    let odd = instance();
    let output = serve(&odd, &["processor", "read-model"], &[(AMQP, "amqp://broker")]).expect_code(2);
    insta::assert_snapshot!(output.stderr, @r"
    error: failed to serve on servers
      because: the configuration is invalid
                 ODD_POSTGRES_URL: not set, and the processor and the read-model need PostgreSQL; expected postgres://user:password@host:5432/odd
                 ODD_MONGO_URL: not set, and the read-model needs MongoDB; expected mongodb://user:password@host:27017/odd?authSource=admin
                 ODD_REDIS_URL: not set, and the read-model needs Redis; expected redis://:password@host:6379/0
      try: odd serve --help
    ");
    let output = serve(&odd, &["gateway"], &[(POSTGRES, "postgres://store/odd")]).expect_code(2);
    assert!(
        output
            .stderr
            .contains("ODD_AMQP_URL: not set, and the gateway needs RabbitMQ"),
        "{output:?}"
    );
}

#[test]
fn a_mixture_with_sqlite_is_refused() {
    let odd = instance();
    let variables = [(AMQP, "amqp://broker"), ("ODD_SQLITE_PATH", "/tmp/odd.db")];
    let output = serve(&odd, &["gateway"], &variables).expect_code(2);
    assert!(
        output.stderr.contains(
            "ODD_SQLITE_PATH: roles run on servers, as ODD_AMQP_URL is set, and a mixture with SQLite"
        ),
        "{output:?}"
    );
}

#[test]
fn bad_addresses_are_all_told_and_never_their_passwords() {
    let odd = instance();
    let variables = [
        (AMQP, "amqps://odd:hunter2@broker"),
        ("ODD_AMQP_MANAGEMENT_URL", "broker:hunter2"),
        (POSTGRES, "postgres://odd:hunter/2@store:5432/odd"),
        ("ODD_MONGO_URL", "mongodb://odd:hunter2@"),
        ("ODD_REDIS_URL", "hunter2"),
        ("ODD_EVENT_RETENTION_DAYS", "0"),
    ];
    let output = serve(&odd, &["all"], &variables).expect_code(2);
    for (name, _) in variables {
        assert!(output.stderr.contains(name), "{name}: {output:?}");
    }
    assert!(!output.stderr.contains("hunter"), "{output:?}");
    // One that passes the first look, and that the client of the server refuses.
    let variables = [
        (AMQP, "amqp://broker"),
        ("ODD_MONGO_URL", "mongodb://odd:hunter2@log:27017"),
        ("ODD_REDIS_URL", "redis://:hunter2@counters"),
    ];
    let output = serve(&odd, &["metrics-engine", "--port", "0"], &variables).expect_code(2);
    assert!(
        output.stderr.contains("ODD_MONGO_URL cannot be used") && output.stderr.contains("names no database"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("hunter"), "{output:?}");
}

#[test]
fn settings_tell_the_servers_without_their_passwords() {
    let odd = instance();
    let mut command = odd.command(["config", "show", "--origin"]);
    command
        .env(AMQP, "amqp://odd:hunter2@broker:5672/jobs")
        .env(POSTGRES, "postgres://store/odd?password=hunter2")
        .env("ODD_MONGO_URL", "mongodb:hunter2");
    let text = Instance::output(&mut command).expect_code(0).stdout;
    let line = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("amqp-url"),
        "amqp://odd@broker:5672/jobs environment ODD_AMQP_URL"
    );
    assert_eq!(
        line("postgres-url"),
        "postgres://store/odd environment ODD_POSTGRES_URL"
    );
    assert!(
        line("mongo-url").starts_with("(no valid address: it has no scheme)"),
        "{text}"
    );
    assert_eq!(line("redis-url"), "(none: SQLite) default");
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn a_port_without_its_role_is_for_one_role() {
    let odd = instance();
    let output = serve(&odd, &["all", "--port", "3000"], &[]).expect_code(2);
    assert!(output.stderr.contains("name the one of each port"), "{output:?}");
    let output = serve(&odd, &["gateway", "--port", "many"], &[]).expect_code(2);
    assert!(output.stderr.contains("ROLE=PORT"), "{output:?}");
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on. It may be taken by somebody else before it is used, but not by this process.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address of its own").port()
}

async fn answer(port: u16, path: &str) -> Option<(u16, String)> {
    let response = reqwest::get(format!("http://127.0.0.1:{port}{path}"))
        .await
        .ok()?;
    Some((response.status().as_u16(), response.text().await.ok()?))
}

/// Two replicas of a role run side by side, whatever their servers do, and touch nothing of an instance.
#[cfg(unix)]
#[tokio::test]
async fn replicas_start_without_their_servers_say_what_they_wait_for_and_end_by_a_signal() {
    let odd = instance();
    let (broker, store) = (closed_port(), closed_port());
    let before = files(odd.home());
    let logs = tempfile::tempdir().unwrap();
    let log_of = |port: u16| logs.path().join(port.to_string());
    let start = |port: u16| {
        let log = std::fs::File::create(log_of(port)).unwrap();
        let mut command: Command = odd.command(["serve", "processor", "--port", &port.to_string()]);
        command
            .env(AMQP, format!("amqp://odd:hunter2@127.0.0.1:{broker}/jobs"))
            .env(POSTGRES, format!("postgres://odd:hunter2@127.0.0.1:{store}/odd"))
            .stderr(log)
            .stdout(Stdio::null());
        Running(command.spawn().unwrap())
    };
    let ports = [closed_port(), closed_port()];
    let replicas = ports.map(start);
    for port in ports {
        wait_for(DEADLINE, "the role to live", || async move {
            let (status, _) = answer(port, "/healthz").await?;
            (status == 200).then_some(())
        })
        .await;
        wait_for(DEADLINE, "the role to tell of its servers", || async move {
            let (status, text) = answer(port, "/readyz").await?;
            let told = text.contains(&format!("127.0.0.1:{store}")) && !text.contains("has not answered yet");
            (status == 503 && told).then_some(())
        })
        .await;
    }
    assert_eq!(files(odd.home()), before, "nothing of an instance is made");
    for (port, mut replica) in ports.into_iter().zip(replicas) {
        odd_engine::platform::request_stop(replica.0.id(), Path::new("unused")).unwrap();
        assert!(replica.0.wait().unwrap().success(), "a clean end without servers");
        let log = std::fs::read_to_string(log_of(port)).unwrap();
        assert!(!log.contains("hunter2"), "{log}");
        let warnings = log
            .lines()
            .filter(|line| line.contains("a dependency does not answer"));
        assert!(warnings.count() <= 6, "once a change: {log}");
    }
}

/// Whatever started the roles calls itself as it likes; only commands that make or find an instance choose by the name.
#[tokio::test]
async fn an_engine_that_this_program_does_not_know_is_shown_by_its_name() {
    let odd = instance();
    let engine = ("ODD_ENGINE", "paper");
    let mut status = odd.command(["status"]);
    let refused = Instance::output(status.envs([engine])).expect_code(2);
    assert!(refused.stderr.contains("environment ODD_ENGINE"), "{refused:?}");

    let (port, away) = (closed_port(), closed_port());
    let mut command: Command = odd.command(["serve", "read-model", "--port", &port.to_string()]);
    command.envs([engine]).envs([
        (AMQP, format!("amqp://127.0.0.1:{away}")),
        (POSTGRES, format!("postgres://127.0.0.1:{away}/odd")),
        ("ODD_MONGO_URL", format!("mongodb://127.0.0.1:{away}/odd")),
        ("ODD_REDIS_URL", format!("redis://127.0.0.1:{away}/0")),
    ]);
    let _role = Running(command.stderr(Stdio::null()).spawn().unwrap());
    let overview = wait_for(DEADLINE, "the read-model to answer", || async move {
        let (status, text) = answer(port, "/overview").await?;
        (status == 200).then_some(text)
    })
    .await;
    assert!(overview.contains(r#""engine":"paper""#), "{overview}");
}
