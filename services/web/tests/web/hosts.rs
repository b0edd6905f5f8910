//! Names that the role answers to, and names that it does not.

use odd_contracts::ProblemCode;
use odd_web::Config;

use crate::harness::{Behind, Web, problem};

async fn ask(web: &Web, method: &str, path: &str, host: &str) -> reqwest::Response {
    let request = web.http.request(method.parse().unwrap(), web.url(path));
    request.header("host", host).send().await.unwrap()
}

/// What a page does whose site has its own name point at the loopback.
#[tokio::test]
async fn nothing_is_told_to_a_foreign_name_but_health_and_metrics() {
    let behind = Behind::answering(async |_| "secret").await;
    let web = Web::before(&behind).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/interfaces"),
        ("GET", "/api/stats"),
        ("GET", "/api/stream"),
        ("POST", "/gateway/jobs"),
        ("POST", "/terminal/ticket"),
        ("GET", "/ws"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/"),
        ("GET", "/nowhere"),
        // Methods that there are not.
        ("DELETE", "/"),
        ("PUT", "/api/stats"),
        ("GET", "/terminal/ticket"),
    ] {
        for host in [
            "elsewhere",
            "elsewhere:8081",
            "localhost.elsewhere:8081",
            "10.0.0.7",
        ] {
            let answer = ask(&web, method, path, host).await;
            let problem = problem(answer, ProblemCode::ForeignOrigin).await;
            assert!(
                problem.detail.unwrap().contains("ODD_WEB_ALLOWED_HOSTS"),
                "{path}"
            );
        }
    }
    assert_eq!(behind.seen().len(), 0);
    // Monitoring knows it by the name of its container.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&web, "GET", path, "web:8081").await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn the_loopback_and_names_that_were_set_up_are_answered() {
    let behind = Behind::answering(async |_| "here").await;
    let web = Web::set_up(Config {
        gateway_url: behind.url.clone(),
        read_model_url: behind.url.clone(),
        allowed_hosts: vec!["odd.example".parse().unwrap(), "10.0.0.7:8081".parse().unwrap()],
        ..Config::default()
    })
    .await;
    for host in [
        "localhost",
        "localhost:21081",
        "127.0.0.1:8081",
        "[::1]:8081",
        "[::ffff:127.0.0.1]:8081",
        "odd.example",
        "ODD.example:443",
        "10.0.0.7:8081",
    ] {
        let answer = ask(&web, "GET", "/api/stats", host).await;
        assert_eq!(answer.status(), 200, "{host}");
    }
    problem(
        ask(&web, "GET", "/api/stats", "10.0.0.7:8082").await,
        ProblemCode::ForeignOrigin,
    )
    .await;
    let answer = web.raw("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 403"), "no host at all: {answer}");
}

/// A proxy that asks by the name that it knows, while the page came from the name that browsers know.
#[tokio::test]
async fn pages_of_names_that_were_set_up_may_change_something_through_a_proxy() {
    let behind = Behind::answering(async |_| "done").await;
    let web = Web::set_up(Config {
        gateway_url: behind.url.clone(),
        read_model_url: behind.url.clone(),
        allowed_hosts: vec!["odd.example".parse().unwrap()],
        ..Config::default()
    })
    .await;
    let ask = async |origin: &str| {
        let request = web.http.post(web.url("/gateway/jobs"));
        request.header("origin", origin).send().await.unwrap()
    };
    assert_eq!(ask("https://odd.example").await.status(), 200);
    for origin in [
        "https://elsewhere",
        "https://odd.example:9000",
        "http://localhost",
    ] {
        problem(ask(origin).await, ProblemCode::ForeignOrigin).await;
    }
    assert_eq!(behind.seen().len(), 1);
}

#[tokio::test]
async fn methods_that_there_are_not_are_told_of_by_name() {
    let behind = Behind::answering(async |_| "here").await;
    let web = Web::before(&behind).await;
    for path in ["/", "/api/stats", "/healthz", "/metrics"] {
        let answer = ask(&web, "DELETE", path, "localhost").await;
        problem(answer, ProblemCode::MethodNotAllowed).await;
    }
}
