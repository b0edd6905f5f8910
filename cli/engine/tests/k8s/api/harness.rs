//! Conversations themselves: what is answered when, what is told at the end, and what is kept.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http;
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::Conversation;
use super::exchange::{Recording, Request};
use super::proxy::{Proxy, Source, client};
use super::record::Recorder;
use super::replay::{Answer, Lines, Replay};

const MAP: &str = "/api/v1/namespaces/odd/configmaps/map";
const OTHER: &str = "/api/v1/namespaces/odd/configmaps/other";
const WATCH: &str = "/api/v1/namespaces/odd/configmaps?watch=true";
const SECRET: &str = "/api/v1/namespaces/odd/secrets/secret";

/// The file of some exchanges.
fn text(exchanges: &[Value]) -> String {
    let header = json!({ "server": { "gitVersion": "v1.2.3" } });
    let lines = [&header].into_iter().chain(exchanges);
    lines.map(|line| format!("{line}\n")).collect()
}

fn recording(exchanges: &[Value]) -> Recording {
    Recording::parse(&text(exchanges))
}

fn request(what: &str, body: Option<&Value>) -> Value {
    let (method, uri) = what.split_once(' ').unwrap();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut request = json!({ "method": method, "path": path, "query": query });
    if let Some(body) = body {
        request["body"] = body.clone();
    }
    if method == "PATCH" {
        request["contentType"] = json!("application/apply-patch+yaml");
    }
    request
}

/// An exchange with a whole answer.
fn whole(after: usize, what: &str, body: Option<&Value>, answer: &Value) -> Value {
    let response = json!({ "body": answer, "contentType": "application/json", "status": 200 });
    json!({ "after": after, "request": request(what, body), "response": response })
}

/// A watch with these lines, each after so many changes.
fn lines(after: usize, what: &str, lines: &[(usize, Value)]) -> Value {
    let lines: Vec<_> = lines
        .iter()
        .map(|(after, line)| json!({ "after": after, "line": line }))
        .collect();
    let response = json!({ "contentType": "application/json", "lines": lines, "status": 200 });
    json!({ "after": after, "request": request(what, None), "response": response })
}

/// What a server says of itself.
fn version() -> Value {
    let mut version = json!({ "gitVersion": "v1.2.3" });
    for field in [
        "major",
        "minor",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ] {
        version[field] = json!("");
    }
    version
}

fn asked(what: &str, body: Option<&Value>) -> Request {
    serde_json::from_value(request(what, body)).unwrap()
}

fn onward(what: &str, body: Option<&Value>) -> http::Request<kube::client::Body> {
    let (method, uri) = what.split_once(' ').unwrap();
    let request = http::Request::builder().method(method).uri(uri);
    let request = match method {
        "PATCH" => request.header("content-type", "application/apply-patch+yaml"),
        _ => request,
    };
    let body = body.map(|body| body.to_string().into_bytes());
    request.body(body.unwrap_or_default().into()).unwrap()
}

/// Asks a server; gives the status and the body.
async fn ask(client: &Client, what: &str, body: Option<&Value>) -> (u16, Value) {
    let answered = client.send(onward(what, body)).await.unwrap();
    let status = answered.status().as_u16();
    let body = axum::body::to_bytes(Body::new(answered.into_body()), usize::MAX)
        .await
        .unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn watch(client: &Client, what: &str) -> BodyDataStream {
    let answered = client.send(onward(what, None)).await.unwrap();
    assert_eq!(answered.status(), 200);
    Body::new(answered.into_body()).into_data_stream()
}

async fn line(stream: &mut BodyDataStream) -> Value {
    serde_json::from_slice(&stream.next().await.unwrap().unwrap()).unwrap()
}

/// The lines of a watch, of a server that is asked directly.
async fn lines_of(replay: &Replay, what: &str) -> Lines {
    match replay.answer(asked(what, None)).await {
        Answer::Lines(lines) => lines,
        Answer::Whole(_) => panic!("{what} is answered as a whole"),
        Answer::Unknown(why) => panic!("{why}"),
    }
}

/// The line that is due; nothing while none is.
fn due(lines: &mut Lines) -> Option<Value> {
    let line = lines.next().now_or_never()?;
    Some(serde_json::from_slice(&line.unwrap()).unwrap())
}

/// The body that a server answers without waiting.
fn at_once(replay: &Replay, what: &str, body: Option<&Value>) -> Option<Value> {
    match replay.answer(asked(what, body)).now_or_never()? {
        Answer::Whole(response) => response.body,
        Answer::Lines(_) => panic!("{what} is answered line by line"),
        Answer::Unknown(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn looks_are_answered_as_they_were_between_the_same_changes() {
    let recording = recording(&[
        whole(0, &format!("GET {MAP}"), None, &json!({ "is": 1 })),
        whole(0, &format!("GET {MAP}"), None, &json!({ "is": 2 })),
        whole(
            0,
            &format!("PATCH {MAP}?force=true&fieldManager=odd"),
            Some(&json!({ "a": 1 })),
            &json!({}),
        ),
        whole(1, &format!("GET {MAP}"), None, &json!({ "is": 3 })),
    ]);
    let look = async |client: &Client| {
        let (status, body) = ask(client, &format!("GET {MAP}?resourceVersion=7"), None).await;
        assert_eq!(status, 200);
        body["is"].clone()
    };
    let change = format!("PATCH {MAP}?fieldManager=odd&force=true");

    let conversation = Conversation::replay("looks", recording.clone()).await;
    let client = conversation.client().await;
    assert_eq!(
        [look(&client).await, look(&client).await, look(&client).await],
        [1, 2, 2]
    );
    ask(&client, &change, Some(&json!({ "a": 1 }))).await;
    assert_eq!([look(&client).await, look(&client).await], [3, 3]);
    conversation.finish().await;

    // A client that looks less often does not see what was before the change.
    let conversation = Conversation::replay("looks", recording).await;
    let client = conversation.client().await;
    assert_eq!(look(&client).await, 1);
    ask(&client, &change, Some(&json!({ "a": 1 }))).await;
    assert_eq!(look(&client).await, 3);
    conversation.finish().await;
}

#[tokio::test]
async fn a_line_waits_for_all_changes_before_it() {
    let replay = Replay::of(recording(&[
        lines(
            0,
            &format!("GET {WATCH}&resourceVersion=5"),
            &[
                (0, json!({ "line": 1 })),
                (1, json!({ "line": 2 })),
                (2, json!({ "line": 3 })),
            ],
        ),
        whole(0, &format!("DELETE {MAP}"), None, &json!({})),
        whole(1, &format!("DELETE {OTHER}"), None, &json!({})),
    ]));
    let mut lines = lines_of(&replay, &format!("GET {WATCH}&resourceVersion=5")).await;
    assert_eq!(due(&mut lines), Some(json!({ "line": 1 })));
    assert_eq!(due(&mut lines), None);
    // One change was asked for, but not the first one.
    at_once(&replay, &format!("DELETE {OTHER}"), None);
    assert_eq!(due(&mut lines), None);
    at_once(&replay, &format!("DELETE {MAP}"), None);
    assert_eq!(due(&mut lines), Some(json!({ "line": 2 })));
    assert_eq!(due(&mut lines), Some(json!({ "line": 3 })));
    assert_eq!(
        due(&mut lines),
        None,
        "the lines end though the client had ended them"
    );
}

#[tokio::test]
async fn a_look_waits_for_the_changes_before_it_but_not_for_ever() {
    let exchanges = [
        whole(0, &format!("DELETE {MAP}"), None, &json!({})),
        whole(1, &format!("GET {MAP}"), None, &json!({ "is": "gone" })),
    ];
    let replay = Replay::of(recording(&exchanges));
    let look = format!("GET {MAP}");
    let looking = replay.answer(asked(&look, None));
    tokio::pin!(looking);
    assert!(
        looking.as_mut().now_or_never().is_none(),
        "it is gone before it is removed"
    );
    at_once(&replay, &format!("DELETE {MAP}"), None);
    let Answer::Whole(gone) = looking.await else {
        panic!("it is not answered after the change");
    };
    assert_eq!(gone.body, Some(json!({ "is": "gone" })));

    let replay = Replay::of(recording(&exchanges)).with_patience(Duration::ZERO);
    let answer = replay.answer(asked(&look, None)).await;
    assert!(
        matches!(answer, Answer::Unknown(why) if why.contains("only after 1 changes") && why.contains(&look))
    );
}

#[tokio::test]
async fn a_watch_is_given_once_and_by_the_version_it_begins_at() {
    let replay = Replay::of(recording(&[
        lines(
            0,
            &format!("GET {WATCH}&resourceVersion=5"),
            &[(0, json!({ "of": 5 }))],
        ),
        lines(
            0,
            &format!("GET {WATCH}&resourceVersion=9"),
            &[(0, json!({ "of": 9 }))],
        ),
    ]));
    for (version, expected) in [(9, Some(9)), (7, Some(5)), (9, None)] {
        let what = format!("GET {WATCH}&resourceVersion={version}&timeoutSeconds={version}");
        let mut lines = lines_of(&replay, &what).await;
        let expected = expected.map(|version| json!({ "of": version }));
        assert_eq!(due(&mut lines), expected, "{version}");
        assert_eq!(due(&mut lines), None, "{version}");
    }
}

#[tokio::test]
async fn lines_that_the_server_ended_end() {
    let mut ended = lines(0, &format!("GET {WATCH}"), &[(0, json!({ "line": 1 }))]);
    ended["response"]["ended"] = json!(true);
    let conversation = Conversation::replay("ended", recording(&[ended])).await;
    let mut stream = watch(&conversation.client().await, &format!("GET {WATCH}")).await;
    assert_eq!(line(&mut stream).await, json!({ "line": 1 }));
    assert!(stream.next().await.is_none());
    // The next one has no lines and lasts as long as the conversation.
    let mut stream = watch(&conversation.client().await, &format!("GET {WATCH}")).await;
    assert!(stream.next().now_or_never().is_none());
    conversation.finish().await;
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn what_is_another_conversation_is_refused_and_told() {
    let conversation = Conversation::replay(
        "refused",
        recording(&[
            whole(
                0,
                &format!("PATCH {MAP}"),
                Some(&json!({ "data": { "a": "1" } })),
                &json!({}),
            ),
            whole(1, &format!("DELETE {MAP}"), None, &json!({})),
            whole(2, &format!("DELETE {OTHER}"), None, &json!({})),
        ]),
    )
    .await;
    let client = conversation.client().await;
    let body = json!({ "data": { "a": "2" } });
    let (status, answer) = ask(&client, &format!("PATCH {MAP}"), Some(&body)).await;
    assert_eq!((status, &answer["kind"]), (501, &json!("Status")));
    let expected = format!(
        "it is recorded with another body ({}): PATCH {MAP} with {body}",
        "/data/a: \"1\" was recorded, \"2\" is asked for"
    );
    assert_eq!(answer["message"], expected);
    // A client reads it as an error of the server.
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "odd");
    let error = maps.get("none").await.unwrap_err();
    assert!(
        matches!(&error, kube::Error::Api(status) if status.code == 501),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("it is not recorded: GET /api/v1/namespaces/odd/configmaps/none"),
        "{error}"
    );
    let removal = format!("DELETE {MAP}");
    assert_eq!(ask(&client, &removal, None).await.0, 200);
    assert_eq!(ask(&client, &removal, None).await.0, 501);
    drop(client);
    assert_eq!(
        conversation.end().await,
        [
            expected,
            "it is not recorded: GET /api/v1/namespaces/odd/configmaps/none".to_owned(),
            format!("it is recorded 1 times and was asked for once more: {removal}"),
            format!("it was not asked for: PATCH {MAP} with {{\"data\":{{\"a\":\"1\"}}}}"),
            format!("it was not asked for: DELETE {OTHER}"),
        ]
    );
}

#[tokio::test]
#[should_panic(expected = "conversation unfinished is not the recorded one")]
async fn a_conversation_that_is_not_held_to_its_end_fails() {
    let recording = recording(&[whole(0, &format!("DELETE {MAP}"), None, &json!({}))]);
    Conversation::replay("unfinished", recording).await.finish().await;
}

#[tokio::test]
async fn data_of_secrets_is_not_compared() {
    let apply =
        |password: &str| json!({ "apiVersion": "v1", "kind": "Secret", "data": { "password": password } });
    let merge = |password: &str| json!({ "stringData": { "password": password } });
    let conversation = Conversation::replay(
        "secrets",
        recording(&[
            whole(
                0,
                &format!("PATCH {SECRET}"),
                Some(&apply("b25l")),
                &apply("b25l"),
            ),
            whole(1, &format!("PATCH {SECRET}"), Some(&merge("one")), &apply("b25l")),
        ]),
    )
    .await;
    let client = conversation.client().await;
    for body in [apply("dHdv"), merge("two")] {
        let (status, answer) = ask(&client, &format!("PATCH {SECRET}"), Some(&body)).await;
        assert_eq!((status, answer), (200, apply("cmVjb3JkZWQ=")));
    }
    conversation.finish().await;
    // Which data there are is compared.
    let replay = Replay::of(recording(&[whole(
        0,
        &format!("PATCH {SECRET}"),
        Some(&apply("b25l")),
        &json!({}),
    )]));
    let other = json!({ "apiVersion": "v1", "kind": "Secret", "data": { "token": "cmVjb3JkZWQ=" } });
    let answer = replay
        .answer(asked(&format!("PATCH {SECRET}"), Some(&other)))
        .await;
    assert!(matches!(answer, Answer::Unknown(why) if why.contains("/data/password")));
}

#[test]
fn nothing_secret_is_kept_and_little_that_is_long() {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "hunter2", "kept": "yes" },
            "managedFields": [{ "manager": "hunter" }],
            "name": "secret",
        },
        "data": { "password": "aHVudGVyMg==" },
        "stringData": { "password": "hunter2" },
    });
    let mut item = secret.clone();
    item.as_object_mut().unwrap().remove("kind");
    let list = json!({ "apiVersion": "v1", "kind": "SecretList", "items": [item] });
    let mixed = json!({ "apiVersion": "v1", "kind": "List", "items": [secret] });
    let event = json!({ "type": "ADDED", "object": secret });
    let step = json!([{ "op": "add", "path": "/data/password", "value": "aHVudGVyMg==" }, {
        "op": "add", "path": "/stringData", "value": { "password": "hunter2" },
    }]);
    let token = json!({ "kind": "TokenRequest", "status": { "token": "hunter2" } });
    let all = "/api/v1/secrets";
    let text = recording(&[
        whole(0, &format!("GET {all}"), None, &list),
        whole(0, "GET /api/v1/everything", None, &mixed),
        lines(0, &format!("GET {all}?watch=true"), &[(0, event)]),
        whole(0, &format!("PATCH {SECRET}"), Some(&step), &secret),
        whole(1, &format!("PUT {SECRET}"), Some(&secret), &secret),
        whole(
            2,
            "POST /api/v1/namespaces/odd/serviceaccounts/odd/token",
            Some(&json!({})),
            &token,
        ),
    ])
    .text();
    for never in ["hunter2", "aHVudGVyMg=="] {
        assert!(!text.contains(never), "{text}");
    }
    assert!(text.matches("\"kept\":\"yes\"").count() == 6, "{text}");
    let with_managers: Vec<_> = text.lines().filter(|line| line.contains("\"manager\"")).collect();
    assert_eq!(with_managers.len(), 2, "{text}");
    assert!(
        with_managers[0].contains("PATCH") && with_managers[1].contains("PUT"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_recorded_is_what_was_said() {
    let applied = |a: &str| json!({ "kind": "ConfigMap", "data": { "a": a } });
    let event = |a: &str| json!({ "type": "MODIFIED", "object": applied(a) });
    let secret = |data: &str| json!({ "apiVersion": "v1", "kind": "Secret", "data": { "password": data } });
    let [look, change] = ["GET", "PATCH"].map(|method| format!("{method} {MAP}"));
    let watching = format!("GET {WATCH}&resourceVersion=5");
    let said = [
        whole(0, &look, None, &applied("0")),
        whole(
            0,
            &format!("PATCH {SECRET}"),
            Some(&secret("cmVjb3JkZWQ=")),
            &secret("cmVjb3JkZWQ="),
        ),
        lines(1, &watching, &[(1, event("0")), (2, event("1"))]),
        whole(1, &change, Some(&applied("1")), &applied("1")),
        whole(2, &look, None, &applied("1")),
    ];
    let version = whole(0, "GET /version", None, &version());
    let server: Vec<_> = [version].into_iter().chain(said.clone()).collect();
    let server = Conversation::replay("server", recording(&server)).await;
    let recorder = Arc::new(Recorder::of(server.client().await).await.unwrap());
    let proxy = Proxy::start(Source::Record(Arc::clone(&recorder))).await;
    let client = client(&proxy.kubeconfig(), None).await;

    assert_eq!(ask(&client, &look, None).await, (200, applied("0")));
    // The same again is kept once.
    assert_eq!(ask(&client, &look, None).await, (200, applied("0")));
    ask(&client, &format!("PATCH {SECRET}"), Some(&secret("aHVudGVyMg=="))).await;
    let mut stream = watch(&client, &watching).await;
    assert_eq!(line(&mut stream).await, event("0"));
    ask(&client, &change, Some(&applied("1"))).await;
    assert_eq!(line(&mut stream).await, event("1"));
    drop(stream);
    ask(&client, &look, None).await;
    drop(client);
    proxy.stop().await;
    let Ok(recording) = recorder.recording() else {
        panic!("it is not recorded");
    };
    assert_eq!(recording.text(), text(&said));
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_told_without_its_secrets() {
    let server =
        Conversation::replay("server", recording(&[whole(0, "GET /version", None, &version())])).await;
    let recorder = Arc::new(Recorder::of(server.client().await).await.unwrap());
    server.finish().await;
    let proxy = Proxy::start(Source::Record(Arc::clone(&recorder))).await;
    let client = client(&proxy.kubeconfig(), None).await;
    let secret = json!({ "stringData": { "password": "hunter2" } });
    let (status, answer) = ask(&client, &format!("PATCH {SECRET}"), Some(&secret)).await;
    let expected = format!("it cannot be recorded: PATCH {SECRET}");
    assert_eq!(status, 501, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().starts_with(&expected),
        "{answer}"
    );
    drop(client);
    proxy.stop().await;
    let Err(problems) = recorder.recording() else {
        panic!("it is recorded");
    };
    assert!(
        problems[0].starts_with(&expected) && !problems[0].contains("hunter2"),
        "{problems:?}"
    );
}

/// The least that every server can do, on whatever server there is.
#[tokio::test]
async fn a_config_map_is_applied_seen_and_removed() {
    let namespace = "odd-test-config-map";
    let conversation = Conversation::start("config_map", &[namespace]).await;
    let client = conversation.client().await;
    let apply = PatchParams::apply("odd-test").force();
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .patch(namespace, &apply, &Patch::Apply(object))
        .await
        .unwrap();

    let maps: Api<ConfigMap> = Api::namespaced(client, namespace);
    let map = |value: &str| {
        let metadata = json!({ "name": "map", "namespace": namespace });
        Patch::Apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "key": value },
        }))
    };
    let value = |map: &ConfigMap| map.data.as_ref().unwrap()["key"].clone();
    maps.patch("map", &apply, &map("one")).await.unwrap();
    assert_eq!(value(&maps.get("map").await.unwrap()), "one");

    let only = "metadata.name=map";
    let list = maps.list(&ListParams::default().fields(only)).await.unwrap();
    assert_eq!(list.items.iter().map(value).collect::<Vec<_>>(), ["one"]);
    let version = list.metadata.resource_version.unwrap();
    let events = maps
        .watch(&WatchParams::default().fields(only), &version)
        .await
        .unwrap();
    tokio::pin!(events);
    maps.patch("map", &apply, &map("two")).await.unwrap();
    let event = events.try_next().await.unwrap();
    assert!(
        matches!(&event, Some(WatchEvent::Modified(map)) if value(map) == "two"),
        "{event:?}"
    );
    assert_eq!(value(&maps.get("map").await.unwrap()), "two");

    maps.delete("map", &DeleteParams::default()).await.unwrap();
    let event = events.try_next().await.unwrap();
    assert!(matches!(&event, Some(WatchEvent::Deleted(_))), "{event:?}");
    assert!(maps.get_opt("map").await.unwrap().is_none());
    conversation.finish().await;
}
