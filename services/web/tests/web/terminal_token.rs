//! Who is asked for a token, and how often somebody may be wrong.

use odd_contracts::ProblemCode;
use odd_contracts::terminal::ErrorCode;
use odd_web::{Config, Program, TerminalConfig};
use serde_json::json;

use crate::harness::{Web, problem};
use crate::terminal_bed::{Browser, TOKEN, ask_for_ticket, refused_upgrade, request, token, web};

/// A web role with a token.
async fn guarded(attempts: u32) -> Web {
    named(TerminalConfig {
        token: token(),
        attempts,
        ..TerminalConfig::default()
    })
    .await
}

/// A web role that answers to a name of its own.
async fn named(terminal: TerminalConfig) -> Web {
    Web::set_up(Config {
        gateway_url: "http://127.0.0.1:1".to_owned(),
        read_model_url: "http://127.0.0.1:1".to_owned(),
        allowed_hosts: vec!["odd.example".parse().unwrap()],
        terminal: TerminalConfig {
            program: Some(Program {
                path: "/bin/cat".into(),
                arguments: Vec::new(),
            }),
            ..terminal
        },
        ..Config::default()
    })
    .await
}

/// Asks for a ticket by a name of ours, showing this.
async fn ask_showing(web: &Web, host: &str, shown: Option<&str>) -> reqwest::Response {
    let request = web.http.post(web.url("/terminal/ticket"));
    let mut request = request
        .header("host", host)
        .header("origin", format!("http://{host}"));
    if let Some(shown) = shown {
        request = request.header("authorization", shown);
    }
    request.send().await.unwrap()
}

/// Whoever gets there could be anybody.
#[tokio::test]
async fn without_a_token_there_is_no_terminal_for_others() {
    let web = named(TerminalConfig::default()).await;
    for host in ["odd.example", "localhost"] {
        let refusal = problem(ask_showing(&web, host, None).await, ProblemCode::NotConfigured).await;
        assert!(refusal.detail.unwrap().contains("ODD_WEB_TOKEN"), "{host}");
    }
    let (status, body) = refused_upgrade(request(web.address, &format!("http://{}", web.address))).await;
    assert!(
        status == 404 && body.contains("not_configured"),
        "{status}: {body}"
    );
}

/// By the loopback, too: behind a proxy on the same machine everybody comes from there.
#[tokio::test]
async fn a_token_is_asked_of_everybody() {
    let web = guarded(60).await;
    for host in ["odd.example", "localhost", "127.0.0.1:8081"] {
        let refusal = problem(ask_showing(&web, host, None).await, ProblemCode::Unauthorized).await;
        assert!(refusal.detail.unwrap().contains("ODD_WEB_TOKEN"));
        let wrong = ask_showing(&web, host, Some("Bearer a wrong one")).await;
        problem(wrong, ProblemCode::Unauthorized).await;
        let right = ask_showing(&web, host, Some(&format!("Bearer {TOKEN}"))).await;
        assert_eq!(right.status(), 200, "{host}");
        let ticket: serde_json::Value = right.json().await.unwrap();
        let opened = Browser::enter(&web, json!({ "ticket": ticket["ticket"] })).await;
        assert!(opened.is_ok());
    }
    assert!(Browser::enter(&web, json!({ "token": TOKEN })).await.is_ok());
    let wrong = Browser::enter(&web, json!({ "token": "a-wrong-one-of-sixteen" })).await;
    assert_eq!(wrong.err(), Some(ErrorCode::Unauthorized));
}

/// Many may share one address: behind Docker's proxy everybody does.
#[tokio::test]
async fn guesses_are_limited_and_who_is_right_gets_in_beside_them() {
    let web = guarded(5).await;
    let right = format!("Bearer {TOKEN}");
    // What is right is not counted, however often it is shown.
    for _ in 0..10 {
        assert_eq!(ask_showing(&web, "localhost", Some(&right)).await.status(), 200);
    }
    let browser = Browser::enter(&web, json!({ "token": TOKEN })).await.unwrap();
    let guesses = futures::future::join_all((0..60).map(|n| {
        let web = &web;
        async move {
            let guess = format!("Bearer guess number {n}");
            ask_showing(web, "localhost", Some(&guess))
                .await
                .status()
                .as_u16()
        }
    }));
    let guesses = guesses.await;
    assert!(
        guesses.iter().all(|status| matches!(status, 401 | 429)),
        "{guesses:?}"
    );
    assert!(
        guesses.iter().filter(|status| **status == 429).count() > 30,
        "{guesses:?}"
    );
    let keys = futures::future::join_all((0..20).map(|_| Browser::resume(&web, "guessed")));
    let keys: Vec<ErrorCode> = keys.await.into_iter().map(|guess| guess.err().unwrap()).collect();
    assert!(keys.contains(&ErrorCode::TooManyAttempts), "{keys:?}");
    assert_eq!(ask_showing(&web, "localhost", Some(&right)).await.status(), 200);
    assert!(Browser::resume(&web, &browser.reconnect).await.is_ok());
    assert!(Browser::enter(&web, json!({ "token": TOKEN })).await.is_ok());
}

/// Nobody can have so many that others get none.
#[tokio::test]
async fn tickets_of_one_address_are_limited() {
    let web = web("cat", TerminalConfig::default()).await;
    let mut given = 0;
    loop {
        let answer = ask_for_ticket(&web).await;
        if answer.status() != 200 {
            problem(answer, ProblemCode::Overloaded).await;
            break;
        }
        given += 1;
        assert!(given < 700, "there is no end");
    }
    assert!(given >= 240, "{given}");
}
