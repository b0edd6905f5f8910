//! What the web terminal takes: the time from a key to its echo while twenty sessions are at work, and the memory of fifty.
//!
//! Everything is a process of the binary: the roles on SQLite, which are given jobs meanwhile, the web role beside them, and
//! `odd watch --server` in each session. Time is taken where a page would: from the key that is sent to the screen that shows
//! what it does.
//!
//! `cargo build -p odd && cargo bench -p odd-web --profile dev --bench terminal`; `ODD_BENCH_BINARY` names another binary.
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to clear up"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use odd_contracts::terminal::{PROTOCOL, ServerMessage, Ticket};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Sessions at work while keys are pressed.
const BUSY: usize = 20;
/// Keys of each of them.
const KEYS: usize = 60;
/// Time between two keys of a session.
const PAUSE: Duration = Duration::from_millis(150);
/// Sessions whose memory is counted.
const OPEN: usize = 50;
/// Jobs that are submitted in a second meanwhile.
const JOBS: u64 = 20;
/// Longest wait for anything.
const LONG: Duration = Duration::from_secs(60);
/// Goals: seconds from a key to its echo, and bytes of fifty sessions with their role.
const ECHO: f64 = 0.030;
const MEMORY: u64 = 400_000_000;
/// Columns and rows of a window.
const SIZE: (u16, u16) = (120, 40);
/// What the list of keys shows, and nothing else.
const SHOWN: &str = "Everywhere";

/// A process of the binary, killed with this.
struct Process(Child);

impl Process {
    fn start(binary: &Path, home: &Path, offset: u16, roles: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command
            .arg("serve")
            .args(roles)
            .env_clear()
            .env("ODD_HOME", home)
            .env("ODD_LOG", "warn")
            .env("MIMALLOC_ALLOW_THP", "0")
            .env("ODD_PORT_OFFSET", offset.to_string())
            .env("ODD_WEB_TERMINAL", "on")
            .env("ODD_WEB_TERMINAL_SESSIONS_PER_ADDRESS", OPEN.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A page with a terminal.
struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    screen: vt100::Parser,
}

impl Page {
    async fn open(http: &reqwest::Client, address: &str) -> Self {
        let origin = format!("http://{address}");
        let asked = http.post(format!("{origin}/terminal/ticket"));
        let answer = asked.header("origin", &origin).send().await.unwrap();
        let ticket: Ticket = answer.error_for_status().unwrap().json().await.unwrap();
        let request = ClientRequestBuilder::new(format!("ws://{address}/ws").parse().unwrap())
            .with_header("Origin", origin)
            .with_sub_protocol(PROTOCOL);
        let (socket, _) = connect_async(request).await.unwrap();
        let mut page = Self {
            socket,
            screen: vt100::Parser::new(SIZE.1, SIZE.0, 0),
        };
        let (columns, rows) = SIZE;
        let hello = json!({ "type": "hello", "ticket": ticket.ticket, "columns": columns, "rows": rows });
        page.say(&hello).await;
        page.until(|screen| screen.contains("quit")).await;
        page
    }

    async fn say(&mut self, message: &Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// Takes what comes until the screen is like this.
    async fn until(&mut self, is_there: impl Fn(&str) -> bool) {
        let taking = async {
            while !is_there(&self.screen.screen().contents()) {
                self.take().await;
            }
        };
        tokio::time::timeout(LONG, taking)
            .await
            .expect("what is waited for is drawn");
    }

    async fn take(&mut self) {
        match self.socket.next().await.unwrap().unwrap() {
            Message::Binary(bytes) => self.screen.process(&bytes),
            Message::Text(text) => {
                let said: ServerMessage = serde_json::from_str(&text).unwrap();
                assert!(
                    matches!(said, ServerMessage::Ready { .. } | ServerMessage::Notice { .. }),
                    "{said:?}"
                );
            }
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }

    /// Takes what comes for so long.
    async fn rest(&mut self, pause: Duration) {
        let _ = tokio::time::timeout(pause, async {
            loop {
                self.take().await;
            }
        })
        .await;
    }

    /// Opens and closes the list of keys, and returns how long each took to be seen.
    async fn press(mut self, first: Duration) -> Vec<f64> {
        self.rest(first).await;
        let mut times = Vec::with_capacity(KEYS);
        for n in 0..KEYS {
            let opens = n % 2 == 0;
            let pressed = Instant::now();
            self.say(&json!({ "type": "input", "data": "?" })).await;
            self.until(|screen| screen.contains(SHOWN) == opens).await;
            times.push(pressed.elapsed().as_secs_f64());
            self.rest(PAUSE).await;
        }
        times
    }
}

/// The binary that is built beside this.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("ODD_BENCH_BINARY") {
        return named.into();
    }
    let own = std::env::current_exe().unwrap();
    let beside = own.ancestors().nth(2).unwrap().join("odd");
    assert!(
        beside.is_file(),
        "{} is missing: cargo build -p odd",
        beside.display()
    );
    beside
}

/// What is added to every port: the first with which nobody listens where we want to.
fn free_offset() -> u16 {
    let is_free = |offset: &u16| {
        let ports = [3000, 3010, 3020, 8080, 8081].map(|port| port + offset);
        ports
            .iter()
            .all(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
    };
    (20_000..50_000).step_by(100).find(is_free).unwrap()
}

async fn ready(http: &reqwest::Client, address: &str) {
    let asking = async {
        loop {
            let answer = http.get(format!("http://{address}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, asking)
        .await
        .expect("it is ready in time");
}

/// Submits jobs without an end.
async fn submit(http: reqwest::Client, gateway: String) {
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / JOBS));
    loop {
        tick.tick().await;
        let job = json!({ "type": "hello", "payload": { "text": "measured" } });
        let _ = http
            .post(format!("http://{gateway}/jobs"))
            .json(&job)
            .send()
            .await;
    }
}

/// Process ids of a process and of all that it started.
fn family(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task");
    let tasks = std::fs::read_dir(path).into_iter().flatten().flatten();
    let children = tasks.flat_map(|task| {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let ids: Vec<u32> = children
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect();
        ids
    });
    let mut all = vec![process];
    all.extend(children.flat_map(family));
    all
}

/// Bytes of a process: what it shares with others in equal parts.
fn memory(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

async fn measure_echo(http: &reqwest::Client, web: &str) {
    let mut pressing = Vec::new();
    for n in 0..BUSY {
        let page = Page::open(http, web).await;
        // Not all in the same moment.
        let first = PAUSE * u32::try_from(n).unwrap() / u32::try_from(BUSY).unwrap();
        pressing.push(tokio::spawn(page.press(Duration::from_secs(2) + first)));
    }
    let mut times = Vec::new();
    for page in pressing {
        times.extend(page.await.unwrap());
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    let verdict = if at(99) <= ECHO { "within" } else { "beyond" };
    println!(
        "key to echo, {BUSY} sessions: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms of {} keys; {verdict} {:.0} ms at load {}",
        at(50) * 1e3,
        at(99) * 1e3,
        at(100) * 1e3,
        times.len(),
        ECHO * 1e3,
        load()
    );
}

async fn measure_memory(http: &reqwest::Client, web: &str, role: u32) {
    let before = memory(role);
    let mut pages = Vec::new();
    for _ in 0..OPEN {
        pages.push(Page::open(http, web).await);
    }
    // Each takes what its program draws meanwhile.
    let taking = pages.iter_mut().map(|page| page.rest(Duration::from_secs(5)));
    futures::future::join_all(taking).await;
    let all: Vec<u64> = family(role).into_iter().map(memory).collect();
    let (sum, own) = (all.iter().sum::<u64>(), all[0]);
    let verdict = if sum <= MEMORY { "within" } else { "beyond" };
    println!(
        "memory of {OPEN} sessions: {:.0} MB in {} processes, {verdict} {:.0} MB; the role {:.0} MB (before {:.0} MB), each session {:.1} MB",
        sum as f64 / 1e6,
        all.len(),
        MEMORY as f64 / 1e6,
        own as f64 / 1e6,
        before as f64 / 1e6,
        (sum - own) as f64 / 1e6 / (all.len() - 1) as f64,
    );
}

#[tokio::main]
async fn main() {
    let (binary, home, offset) = (binary(), tempfile::tempdir().unwrap(), free_offset());
    let (roles, page) = (home.path().join("roles"), home.path().join("web"));
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(LONG)
        .build()
        .unwrap();
    let at = |port: u16| format!("127.0.0.1:{}", port + offset);
    let behind = ["gateway", "processor", "metrics-engine", "read-model"];
    let _behind = Process::start(&binary, &roles, offset, &behind);
    let web = Process::start(&binary, &page, offset, &["web"]);
    for port in [3000, 8080, 8081] {
        ready(&http, &at(port)).await;
    }
    let submitting = tokio::spawn(submit(http.clone(), at(3000)));
    println!("{} at load {}", binary.display(), load());
    measure_echo(&http, &at(8081)).await;
    // Until those are over there is no room for more.
    let none = "web_terminal_sessions{service=\"web\"} 0";
    let ending = async {
        while !http
            .get(format!("http://{}/metrics", at(8081)))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(none)
        {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(LONG * 3, ending)
        .await
        .expect("sessions end after their grace");
    measure_memory(&http, &at(8081), web.0.id()).await;
    submitting.abort();
}
