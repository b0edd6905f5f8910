//! Ports that lead to pods.
//!
//! The API server here is one of the test's own, since the way to a pod is a WebSocket that no recording can hold: it knows a Service and its
//! pods, and carries what comes for a pod to a real server on this machine, as a kubelet does.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use odd_engine::kubernetes::cluster::{Cluster, ClusterError, Forwards, Target, connect};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Port of the Service, and the one that it means in its pods.
const PORT: u16 = 80;
const POD_PORT: u16 = 8081;
/// Longest wait for anything.
const LONG: Duration = Duration::from_secs(30);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[derive(Clone)]
struct Pod {
    name: String,
    ready: bool,
    /// Whether the way to it breaks off as soon as something is sent.
    breaks: bool,
    address: SocketAddr,
}

type Pods = Arc<Mutex<Vec<Pod>>>;

/// An API server with the Service `web-balanced`, and servers in the place of its pods.
struct Bed {
    pods: Pods,
    cluster: Cluster,
    tasks: JoinSet<()>,
    _home: tempfile::TempDir,
}

impl Bed {
    async fn start() -> Self {
        let pods = Pods::default();
        let router = Router::new()
            .route("/version", get(version))
            .route("/api/v1/namespaces/odd/services/{name}", get(service))
            .route("/api/v1/namespaces/odd/pods", get(list))
            .route("/api/v1/namespaces/odd/pods/{name}/portforward", get(forward))
            .with_state(Arc::clone(&pods));
        let listener = TcpListener::bind(ANY).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = home.path().join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "test", "user": {}}],
        });
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let cluster = connect(Some(&kubeconfig), None).await.unwrap();
        Self {
            pods,
            cluster,
            tasks,
            _home: home,
        }
    }

    /// A pod whose server says its name, then says again what it hears.
    async fn pod(&mut self, name: &str, ready: bool) {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let address = listener.local_addr().unwrap();
        let said = name.to_owned();
        self.tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let said = said.clone();
                connections.spawn(async move {
                    let (mut read, mut write) = socket.split();
                    let _ = write.write_all(format!("{said}\n").as_bytes()).await;
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let pod = Pod {
            name: name.to_owned(),
            ready,
            breaks: false,
            address,
        };
        self.pods.lock().unwrap().push(pod);
    }

    /// A port that leads to this Service, and what goes wrong with its connections.
    async fn forward(&mut self, service: &str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
        let forwards = Forwards::listen(&self.cluster, "odd", &[target(service, ANY)])
            .await
            .unwrap();
        let address = forwards.addresses()[0].local;
        let (sender, errors) = mpsc::unbounded_channel();
        self.tasks
            .spawn(forwards.run(move |forward, error: &ClusterError| {
                let _ = sender.send(format!("{}: {error}", forward.service));
            }));
        (address, errors)
    }
}

fn target(service: &str, local: SocketAddr) -> Target {
    Target {
        local,
        service: service.to_owned(),
        port: PORT,
    }
}

async fn version() -> Json<Value> {
    Json(json!({
        "major": "1", "minor": "37", "gitVersion": "v1.37.0", "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    }))
}

async fn service(Path(name): Path<String>) -> Response {
    if name != "web-balanced" {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
            "message": format!("services \"{name}\" not found"),
        });
        return (StatusCode::NOT_FOUND, Json(status)).into_response();
    }
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "odd"},
        "spec": {"selector": {"app.kubernetes.io/name": "web"}, "ports": [{"port": PORT, "targetPort": "http"}]},
    });
    Json(service).into_response()
}

async fn list(State(pods): State<Pods>) -> Json<Value> {
    let item = |pod: &Pod| {
        let ready = if pod.ready { "True" } else { "False" };
        json!({
            "metadata": {"name": pod.name, "namespace": "odd"},
            "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": POD_PORT}]}]},
            "status": {"conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}]},
        })
    };
    let items: Vec<Value> = pods.lock().unwrap().iter().map(item).collect();
    Json(json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": items}))
}

async fn forward(State(pods): State<Pods>, Path(name): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    let found = pods.lock().unwrap().iter().find(|pod| pod.name == name).cloned();
    let Some(pod) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let upgrade = upgrade.protocols(["v5.channel.k8s.io", "v4.channel.k8s.io"]);
    upgrade.on_upgrade(async move |socket| carry(socket, &pod).await)
}

/// Channel 0 carries bytes, channel 1 an error; the first message of each is the port.
async fn carry(mut socket: WebSocket, pod: &Pod) {
    let [low, high] = POD_PORT.to_le_bytes();
    for channel in [0, 1] {
        let _ = socket
            .send(Message::Binary(vec![channel, low, high].into()))
            .await;
    }
    let mut stream = match TcpStream::connect(pod.address).await {
        Ok(stream) => stream,
        Err(error) => {
            let text = format!("\u{1}{error}");
            let _ = socket.send(Message::Binary(text.into_bytes().into())).await;
            let _ = socket.send(Message::Close(None)).await;
            return;
        }
    };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer[1..]) => match read {
                Ok(length) if length > 0 => {
                    buffer[0] = 0;
                    let bytes = buffer[..=length].to_vec();
                    if socket.send(Message::Binary(bytes.into())).await.is_err() {
                        return;
                    }
                }
                _ => break,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(_))) if pod.breaks => return,
                Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&0) => {
                    if stream.write_all(&bytes[1..]).await.is_err() {
                        break;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

/// The name of the pod that a connection leads to, and the connection.
async fn connection(address: SocketAddr) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut name = Vec::new();
    let read = async {
        loop {
            match stream.read_u8().await.unwrap() {
                b'\n' => return,
                byte => name.push(byte),
            }
        }
    };
    tokio::time::timeout(LONG, read).await.unwrap();
    (String::from_utf8(name).unwrap(), stream)
}

#[tokio::test]
async fn connections_are_spread_over_the_pods_that_are_ready_and_carry_what_is_sent() {
    let mut bed = Bed::start().await;
    bed.pod("web-1", true).await;
    bed.pod("web-2", true).await;
    bed.pod("web-3", false).await;
    let (address, _errors) = bed.forward("web-balanced").await;
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(connection(address).await.0);
    }
    names.sort();
    assert_eq!(names, ["web-1", "web-1", "web-2", "web-2"]);

    let (_, mut stream) = connection(address).await;
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut read, mut write) = stream.split();
    let mut heard = vec![0; sent.len()];
    let both = async { tokio::try_join!(write.write_all(&sent), read.read_exact(&mut heard)) };
    tokio::time::timeout(LONG, both).await.unwrap().unwrap();
    assert!(heard == sent, "what was sent came back as something else");
}

#[tokio::test]
async fn a_connection_waits_for_the_pod_that_takes_the_place_of_one_that_is_gone() {
    let mut bed = Bed::start().await;
    bed.pod("web-old", true).await;
    let (address, _errors) = bed.forward("web-balanced").await;
    assert_eq!(connection(address).await.0, "web-old");
    bed.pods.lock().unwrap().clear();
    bed.pod("web-new", false).await;
    let waiting = tokio::spawn(connection(address));
    let pods = Arc::clone(&bed.pods);
    // It becomes ready after the connection was made: nothing else could take it.
    let mut probe = TcpStream::connect(address).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(300), probe.read_u8())
            .await
            .is_err(),
        "nobody answers while no pod is ready, and nobody hangs up"
    );
    pods.lock().unwrap()[0].ready = true;
    assert_eq!(waiting.await.unwrap().0, "web-new");
}

#[tokio::test]
async fn a_pod_that_refuses_and_a_service_that_is_not_there_end_that_connection_and_are_told() {
    let mut bed = Bed::start().await;
    bed.pod("web-1", true).await;
    // Nobody listens there any more.
    let gone = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    bed.pods.lock().unwrap()[0].address = gone;
    let (address, mut errors) = bed.forward("web-balanced").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let error = tokio::time::timeout(LONG, errors.recv()).await.unwrap().unwrap();
    assert!(
        error.contains("web-balanced cannot be forwarded to") && error.contains("refused"),
        "{error}"
    );
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap_or(0),
        0,
        "the connection ended"
    );
    // The port itself goes on.
    bed.pods.lock().unwrap().clear();
    bed.pod("web-2", true).await;
    assert_eq!(connection(address).await.0, "web-2");

    let (address, mut errors) = bed.forward("none").await;
    let _stream = TcpStream::connect(address).await.unwrap();
    let error = tokio::time::timeout(LONG, errors.recv()).await.unwrap().unwrap();
    assert!(error.contains("services \"none\" not found"), "{error}");
}

#[tokio::test]
async fn a_way_that_breaks_off_ends_its_connection_and_is_told() {
    let mut bed = Bed::start().await;
    bed.pod("web-1", true).await;
    bed.pods.lock().unwrap()[0].breaks = true;
    let (address, mut errors) = bed.forward("web-balanced").await;
    let (name, mut stream) = connection(address).await;
    assert_eq!(name, "web-1");
    stream.write_all(b"something").await.unwrap();
    let error = tokio::time::timeout(LONG, errors.recv()).await.unwrap().unwrap();
    assert!(error.contains("web-balanced cannot be forwarded to"), "{error}");
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap_or(0),
        0,
        "the connection ended"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_it_was_for() {
    let bed = Bed::start().await;
    let taken = TcpListener::bind(ANY).await.unwrap();
    let local = taken.local_addr().unwrap();
    let error = Forwards::listen(&bed.cluster, "odd", &[target("web-balanced", local)]).await;
    let error = error.err().unwrap().to_string();
    assert_eq!(error, format!("cannot listen at {local} for web-balanced"));
}
