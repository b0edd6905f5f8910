//! The page and its parts.

use odd_contracts::ProblemCode;
use serde_json::Value;

use crate::harness::{Behind, Web, problem};

#[tokio::test]
async fn the_page_and_its_parts_are_served_with_what_keeps_them_safe_and_fresh() {
    let behind = Behind::answering(async |_| "{}").await;
    let web = Web::before(&behind).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/page.css", "text/css; charset=utf-8"),
        ("/assets/page.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let answer = web.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let length = answer.bytes().await.unwrap().len();
        assert_eq!(headers["content-length"], length.to_string().as_str());

        let known = web
            .http
            .get(web.url(path))
            .header("if-none-match", &headers["etag"]);
        let known = known.send().await.unwrap();
        assert_eq!(
            (known.status().as_u16(), known.headers()["etag"].clone()),
            (304, headers["etag"].clone())
        );
        assert_eq!(known.bytes().await.unwrap().len(), 0);
        let other = web.http.get(web.url(path)).header("if-none-match", "\"other\"");
        assert_eq!(other.send().await.unwrap().status(), 200);

        let head = web.http.head(web.url(path)).send().await.unwrap();
        assert_eq!(head.headers()["content-length"], headers["content-length"]);
        assert_eq!(head.bytes().await.unwrap().len(), 0);
        problem(
            web.http.post(web.url(path)).send().await.unwrap(),
            ProblemCode::MethodNotAllowed,
        )
        .await;
    }
    problem(web.get("/assets/").await, ProblemCode::NotFound).await;
    problem(web.get("/assets/../page.rs").await, ProblemCode::NotFound).await;
    assert_eq!(behind.seen().len(), 0, "the page needs nobody");
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
