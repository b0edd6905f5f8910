//! `odd healthcheck`: what the health checks of containers run.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use odd_contracts::Role;
use odd_testkit::Instance;

use crate::instance;

/// Far beyond the limit of the command, which is two seconds: a busy machine adds to it.
const LIMIT: Duration = Duration::from_secs(30);

/// A listener that reads a request and answers it with `answer`, then keeps the connection open; its port.
fn server(answer: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1_024]).unwrap();
            connection.write_all(answer.as_bytes()).unwrap();
            open.push(connection);
        }
    });
    port
}

#[test]
fn every_role_is_asked_at_its_port() {
    let odd = instance();
    odd.up();
    for role in Role::ALL {
        let output = odd.run(["healthcheck", role.name()]).expect_code(0);
        assert_eq!(output.stdout, format!("the {role} is ready\n"));
        assert_eq!(output.stderr, "");
        let port = odd.port(role).to_string();
        // A port is taken as it is, without the offset; a flag wins over the environment.
        let mut by_port = odd.command(["healthcheck", role.name(), "--port", &port]);
        assert_eq!(Instance::output(&mut by_port).code, Some(0));
        let offset = odd.offset().to_string();
        let mut by_flag = odd.command(["healthcheck", role.name(), "--port-offset", &offset]);
        assert_eq!(
            Instance::output(by_flag.env("ODD_PORT_OFFSET", "1")).code,
            Some(0)
        );
        let by_url = odd.run(["healthcheck", role.name(), "--url", &odd.url(role)]);
        assert_eq!(by_url.code, Some(0), "{by_url:?}");
    }
    let answer = odd
        .run(["healthcheck", "gateway", "-o", "json"])
        .expect_code(0)
        .json();
    let expected = serde_json::json!({ "version": 1, "role": "gateway", "ready": true, "reason": null });
    assert_eq!(answer, expected);
    odd.kill();
    let output = odd.run(["healthcheck", "gateway"]).expect_code(1);
    assert!(
        output.stderr.contains("the gateway is not ready: 127.0.0.1:"),
        "{output:?}"
    );
    assert_eq!(output.stdout, "");
}

#[test]
fn another_role_or_another_program_is_not_the_role() {
    let odd = instance();
    odd.up();
    let port = odd.port(Role::Processor).to_string();
    let output = odd
        .run(["healthcheck", "gateway", "--port", &port])
        .expect_code(1);
    assert!(
        output.stderr.contains("it is the processor that answers there"),
        "{output:?}"
    );
    let port = server("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").to_string();
    let output = odd
        .run(["healthcheck", "gateway", "--port", &port])
        .expect_code(1);
    assert!(output.stderr.contains("not ready"), "{output:?}");
}

#[test]
fn whoever_does_not_answer_is_given_up_within_the_limit() {
    let odd = instance();
    let port = server("HTTP/1.1 200 OK\r\n").to_string();
    let begun = Instant::now();
    let output = odd
        .run(["healthcheck", "gateway", "--port", &port])
        .expect_code(1);
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    assert!(output.stderr.contains("no answer within 2 s"), "{output:?}");
}

#[test]
fn settings_files_do_not_matter_and_wrong_usage_is_told() {
    let odd = instance();
    std::fs::write(odd.home().join("odd.toml"), "no = [settings").unwrap();
    std::fs::write(odd.home().join("config.toml"), "no = [settings").unwrap();
    let _ = odd.run(["status"]).expect_code(2);
    let output = odd.run(["healthcheck", "gateway"]).expect_code(1);
    assert!(output.stderr.contains("not ready"), "{output:?}");
    let wrong: [&[&str]; 6] = [
        &["healthcheck"],
        &["healthcheck", "gatewy"],
        &["healthcheck", "gateway", "--port", "0"],
        &["healthcheck", "gateway", "--url", "https://127.0.0.1"],
        &[
            "healthcheck",
            "gateway",
            "--url",
            "http://127.0.0.1",
            "--port",
            "3000",
        ],
        &["healthcheck", "gateway", "--port-offset", "60000"],
    ];
    for args in wrong {
        let output = odd.run(args).expect_code(2);
        assert!(output.stderr.starts_with("error: "), "{args:?}: {output:?}");
    }
    let mut command = odd.command(["healthcheck", "gateway"]);
    let output = Instance::output(command.env("ODD_PORT_OFFSET", "many"));
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(
        output.stderr.contains("the port offset is no number"),
        "{output:?}"
    );
}
