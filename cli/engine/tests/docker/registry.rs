//! A registry on this machine that has one image, or says why not, and such images as archives. Docker engines speak plain HTTP with
//! registries on 127.0.0.1.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// What the registry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has every image that it is asked for.
    Image,
    /// It has none.
    Unknown,
    /// It wants to know who asks.
    Login,
    /// It was asked too often.
    TooMany,
}

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry. It ends with the test.
pub(crate) struct Registry {
    address: std::net::SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Registry {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new()
            .route("/v2/", get(greet))
            .route("/v2/t-b/{name}/manifests/{tag}", get(manifest))
            .route("/v2/t-b/{name}/blobs/{digest}", get(blob))
            .with_state(answer);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { address, task }
    }

    /// What an image of it is called.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/t-b/{name}:1", self.address)
    }
}

async fn greet(State(answer): State<Answer>) -> Response {
    match answer {
        Answer::Login => refusal(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
        ),
        _ => StatusCode::OK.into_response(),
    }
}

async fn manifest(State(answer): State<Answer>, Path((name, _)): Path<(String, String)>) -> Response {
    match answer {
        Answer::Image => {
            let text = serde_json::json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": part("application/vnd.docker.container.image.v1+json", &configuration(&name)),
                "layers": [part("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer(&name))],
            })
            .to_string();
            let digest = digest(text.as_bytes());
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MANIFEST));
            headers.insert("docker-content-digest", digest.parse().expect("a header"));
            (headers, text).into_response()
        }
        Answer::Unknown => refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
        Answer::Login => refusal(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication required",
        ),
        Answer::TooMany => refusal(
            StatusCode::TOO_MANY_REQUESTS,
            "TOOMANYREQUESTS",
            "You have reached your pull rate limit.",
        ),
    }
}

async fn blob(Path((name, wanted)): Path<(String, String)>) -> Response {
    [configuration(&name), layer(&name)]
        .into_iter()
        .find(|bytes| digest(bytes) == wanted)
        .map_or_else(
            || StatusCode::NOT_FOUND.into_response(),
            IntoResponse::into_response,
        )
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
    let headers = [
        (header::WWW_AUTHENTICATE, "Basic realm=\"test\""),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (status, headers, body).into_response()
}

fn part(kind: &str, bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)})
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// An image with one file, as `docker save` writes it.
pub(crate) fn image_archive(reference: &str, created: &str, labels: &HashMap<String, String>) -> Vec<u8> {
    let mut configuration = description(reference);
    configuration["created"] = created.into();
    configuration["config"]["Labels"] = serde_json::json!(labels);
    let manifest = serde_json::json!([
        {"Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"]}
    ]);
    archive(&[
        ("manifest.json", manifest.to_string().as_bytes()),
        ("config.json", configuration.to_string().as_bytes()),
        ("layer.tar", &layer(reference)),
    ])
}

/// One file, another one for each image, so that no layer is there before.
fn layer(name: &str) -> Vec<u8> {
    let content = format!("{name} {}", std::process::id()).repeat(5_000);
    archive(&[("file", content.as_bytes())])
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, path, *content)
            .expect("an archive");
    }
    archive.into_inner().expect("an archive")
}

fn configuration(name: &str) -> Vec<u8> {
    description(name).to_string().into_bytes()
}

fn description(name: &str) -> serde_json::Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    serde_json::json!({
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["/file"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer(name))]},
    })
}
