//! The page and its parts.

use odd_contracts::ProblemCode;
use serde_json::Value;

use crate::harness::{Behind, Web, problem};

/// The page and what it names, by their paths.
async fn page_and_parts(web: &Web) -> Vec<String> {
    let html = web.get("/").await.text().await.unwrap();
    let named = html.split('"').filter(|text| text.starts_with('/'));
    let paths: Vec<String> = std::iter::once("/").chain(named).map(str::to_owned).collect();
    assert!(paths.len() >= 4, "{html}");
    paths
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        None => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        Some(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_page_and_its_parts_are_served_with_what_keeps_them_safe_and_fresh() {
    let behind = Behind::answering(async |_| "{}").await;
    let web = Web::before(&behind).await;
    for path in page_and_parts(&web).await {
        let answer = web.get(&path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], content_type(&path));
        let cache = headers["cache-control"].to_str().unwrap();
        let changes_its_name = path.starts_with("/assets/") && path.contains('-');
        assert_eq!(cache.contains("immutable"), changes_its_name, "{path}: {cache}");
        assert_eq!(cache == "no-cache", !changes_its_name, "{path}: {cache}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let length = answer.bytes().await.unwrap().len();
        assert_eq!(headers["content-length"], length.to_string().as_str());

        let known = web
            .http
            .get(web.url(&path))
            .header("if-none-match", &headers["etag"]);
        let known = known.send().await.unwrap();
        assert_eq!(
            (known.status().as_u16(), known.headers()["etag"].clone()),
            (304, headers["etag"].clone())
        );
        assert_eq!(known.bytes().await.unwrap().len(), 0);
        let other = web.http.get(web.url(&path)).header("if-none-match", "\"other\"");
        assert_eq!(other.send().await.unwrap().status(), 200);

        let head = web.http.head(web.url(&path)).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], headers["content-length"]);
        assert_eq!(head.bytes().await.unwrap().len(), 0);
        problem(
            web.http.post(web.url(&path)).send().await.unwrap(),
            ProblemCode::MethodNotAllowed,
        )
        .await;
    }
    problem(web.get("/assets/").await, ProblemCode::NotFound).await;
    problem(web.get("/assets/../page.rs").await, ProblemCode::NotFound).await;
    assert_eq!(behind.seen().len(), 0, "the page needs nobody");
}

#[tokio::test]
async fn large_parts_go_out_compressed_to_those_who_take_that() {
    let behind = Behind::answering(async |_| "{}").await;
    let web = Web::before(&behind).await;
    let parts = page_and_parts(&web).await;
    let script = parts
        .iter()
        .find(|path| path.starts_with("/assets/") && path.ends_with(".js"))
        .unwrap();
    let plain = web.get(script).await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let tag = plain.headers()["etag"].clone();
    let plain = plain.bytes().await.unwrap();

    let asked = web
        .http
        .get(web.url(script))
        .header("accept-encoding", "br, gzip");
    let packed = asked.send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["vary"], "accept-encoding");
    assert_ne!(packed.headers()["etag"], tag);
    let packed = packed.bytes().await.unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() * 2 < plain.len());
}

#[tokio::test]
async fn it_tells_where_other_pages_are() {
    let behind = Behind::answering(async |_| "{}").await;
    let web = Web::before(&behind).await;
    let interfaces: Value = web.get("/interfaces").await.json().await.unwrap();
    assert_eq!(interfaces["version"], 1);
    assert_eq!(interfaces["port"], web.address.port());
    assert_eq!(interfaces["portOffset"], 0);
    let entries = interfaces["entries"].as_array().unwrap();
    assert!(
        entries.iter().any(|entry| entry["id"] == "grafana"),
        "{entries:?}"
    );
}
