//! Engines that cannot be spoken to.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use odd_engine::EngineError;
use odd_engine::docker::{self, DockerError, Surroundings, connect_in, up_in};

use crate::bed::{Bed, LONG};

/// A process of another user runs one test of this binary with the socket in here.
const SOCKET: &str = "ODD_TEST_SOCKET";

fn at(path: &Path) -> Surroundings {
    Surroundings {
        host: Some(format!("unix://{}", path.display())),
        ..Surroundings::default()
    }
}

async fn error_at(path: &Path) -> DockerError {
    let begin = Instant::now();
    let error = connect_in(&at(path)).await.expect_err("nobody can be spoken to");
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    error
}

#[tokio::test]
async fn a_socket_that_is_not_there_or_that_nobody_listens_at_says_how_to_start_the_engine() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let error = error_at(&path).await;
    assert!(matches!(error, DockerError::NotRunning { .. }), "{error:?}");
    drop(UnixListener::bind(&path).unwrap());
    let error = error_at(&path).await;
    assert!(matches!(error, DockerError::NotRunning { .. }), "{error:?}");
    assert!(error.remedy().contains("start"), "{}", error.remedy());
}

#[tokio::test]
async fn an_engine_that_says_nothing_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let error = error_at(&path).await;
    assert!(matches!(error, DockerError::NoAnswer { .. }), "{error:?}");
}

#[tokio::test]
async fn something_else_at_the_address_is_no_engine() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, "404 Not Found", "nothing here");
        }
    });
    let error = error_at(&path).await;
    assert!(matches!(error, DockerError::WrongApi { .. }), "{error:?}");
}

#[tokio::test]
async fn an_engine_that_is_too_old_says_which_one_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, "200 OK", r#"{"ApiVersion":"1.24","Version":"1.12"}"#);
        }
    });
    let error = error_at(&path).await;
    assert!(
        matches!(&error, DockerError::WrongApi { reason, .. } if reason.contains("1.24")),
        "{error:?}"
    );
}

fn answer(mut stream: UnixStream, status: &str, body: &str) {
    let mut request = [0; 1_024];
    let _ = stream.read(&mut request);
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

#[test]
fn a_socket_of_others_says_which_group_to_join() {
    if let Ok(path) = std::env::var(SOCKET) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let error = runtime.block_on(error_at(Path::new(&path)));
        assert!(matches!(error, DockerError::PermissionDenied { .. }), "{error:?}");
        assert!(
            error.remedy().contains("usermod -aG docker"),
            "{}",
            error.remedy()
        );
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let path = directory.path().join("docker.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    // Root may use every socket, and the owner could change its mode: what is seen by somebody else is tried by somebody else.
    let program = directory.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    command
        .args([
            "--exact",
            "unreachable::a_socket_of_others_says_which_group_to_join",
        ])
        .env(SOCKET, &path);
    #[cfg(unix)]
    if std::fs::metadata(directory.path()).is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
        use std::os::unix::process::CommandExt;
        command.uid(65_534).gid(65_534);
    } else {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Hands bytes on between `path` and the real engine until it is dropped.
struct Relay {
    path: std::path::PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    fn start(path: &Path) -> Self {
        let listener = tokio::net::UnixListener::bind(path).expect("a socket");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (mut here, _) = listener.accept().await.expect("a connection");
                connections.spawn(async move {
                    let mut there = tokio::net::UnixStream::connect("/var/run/docker.sock")
                        .await
                        .expect("the engine");
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                });
            }
        });
        Self {
            path: path.to_owned(),
            task,
        }
    }

    fn end(&self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test]
async fn an_engine_that_goes_away_in_the_middle_is_named_with_what_is_left() {
    let compose = r#"
services:
  db: {image: IMAGE, command: LOOP, healthcheck: {test: ["CMD", "test", "-e", "/tmp/never"], interval: 10s, start_period: 60s}}
  web: {image: IMAGE, command: LOOP, depends_on: {db: {condition: service_healthy}}}
"#;
    let bed = Bed::new(compose).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("docker.sock");
    let relay = Relay::start(&path);
    let options = bed.options();
    let surroundings = at(&path);
    let starting = up_in(&surroundings, &bed.instance, &options, |event| {
        if matches!(event, docker::Event::Container { ref service, state: docker::ContainerState::Starting, .. } if service == "db")
        {
            relay.end();
        }
    });
    let EngineError::Docker(error) = starting.await.unwrap_err() else {
        panic!("another error")
    };
    let DockerError::EngineGone { left, .. } = &*error else {
        panic!("{error:?}")
    };
    assert!(left.contains(&bed.name("db")), "{left:?}");
    assert!(error.remedy().contains("odd up") && error.remedy().contains("odd down"));

    bed.write("compose.yaml", &compose.replace("/tmp/never", "/tmp"));
    bed.up().await;
    assert!(bed.runs("db").await && bed.runs("web").await);
}
