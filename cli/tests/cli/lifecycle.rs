//! Up, status, logs, down.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use odd_contracts::Role;
use odd_testkit::{Instance, wait_for, wait_until};
use serde_json::json;

use crate::instance;

const LONG: Duration = Duration::from_secs(30);

#[test]
fn up_and_down_again_change_nothing() {
    let odd = instance();
    let first = odd.run(["up", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&first["version"], &first["state"]),
        (&json!(1), &json!("running"))
    );
    assert_eq!(first["alreadyRunning"], false);
    let again = odd.run(["up", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&again["alreadyRunning"], &again["pid"]),
        (&json!(true), &first["pid"])
    );

    let status = odd.run(["status", "--check", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["state"], "running");
    let roles: Vec<_> = status["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (&r["role"], &r["state"]))
        .collect();
    assert_eq!(roles.len(), Role::ALL.len());
    assert!(
        roles.iter().all(|(_, state)| **state == json!("ready")),
        "{roles:?}"
    );
    assert_eq!(status["roles"][0]["url"], odd.url(Role::Gateway));

    let down = odd.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&down["wasRunning"], &down["killed"]),
        (&json!(true), &json!(false))
    );
    assert!(odd.process().is_none());
    assert!(!odd.engine().process_file().exists());
    let down = odd.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(down["wasRunning"], false);
    assert_eq!(
        odd.run(["status", "-o", "json"]).expect_code(0).json()["state"],
        "stopped"
    );
    let _ = odd.run(["status", "--check"]).expect_code(1);
}

#[test]
fn data_survives_down_and_goes_with_its_volumes() {
    let odd = instance();
    odd.up();
    let _ = odd.run(["down"]).expect_code(0);
    assert!(odd.engine().database().is_file());
    let unasked = odd.run(["down", "--volumes"]).expect_code(2);
    assert!(
        unasked.stderr.contains("try: odd down --volumes --yes"),
        "{unasked:?}"
    );
    assert!(odd.engine().database().is_file(), "nothing goes without a yes");
    odd.up();
    let _ = odd.run(["down", "--volumes", "--yes"]).expect_code(0);
    let again = odd.run(["down"]).expect_code(0);
    assert!(again.stderr.contains("there is nothing of it"), "{again:?}");
    assert!(!again.stderr.contains("is kept"), "{again:?}");
    assert!(!odd.engine().directory().exists());
    assert!(odd.process().is_none());
}

#[test]
fn a_restart_is_of_the_whole_process() {
    let odd = instance();
    let _ = odd.run(["restart"]).expect_code(3);
    let first = odd.up();
    let one = odd.run(["restart", "gateway"]).expect_code(2);
    assert!(one.stderr.contains("every role is in one process"), "{one:?}");
    let answer = odd.run(["restart", "-o", "json"]).expect_code(0).json();
    assert_eq!(answer["services"].as_array().unwrap().len(), Role::ALL.len());
    let second = odd.process().unwrap();
    assert_ne!(first.pid, second.pid);
    assert_eq!(first.ports, second.ports, "it is where it was");
}

#[test]
fn an_instance_keeps_its_engine_and_flags_of_another_are_refused() {
    let odd = instance();
    let flag = odd.run(["up", "--scale", "processor=2"]).expect_code(2);
    assert!(
        flag.stderr.contains("--scale is for the Docker engine"),
        "{flag:?}"
    );
    odd.up();
    let other = odd.run(["up", "--engine", "docker"]).expect_code(3);
    assert!(
        other.stderr.contains("it runs on the embedded engine"),
        "{other:?}"
    );
    assert!(
        other.stderr.contains("odd down && odd up --engine docker"),
        "{other:?}"
    );
    let urls = odd
        .run(["urls", "--show-secrets", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(urls["secrets"], json!([]));
    let urls = urls["urls"].as_array().unwrap().clone();
    assert!(urls.iter().all(|url| url["reachable"] == true), "{urls:?}");
}

#[test]
fn the_dashboard_is_the_page_of_the_web_role() {
    let odd = instance();
    let started = odd.run(["up"]).expect_code(0);
    let (dashboard, gateway) = (odd.url(Role::Web), format!("{}/docs", odd.url(Role::Gateway)));
    assert_eq!(
        started.stdout.trim(),
        format!("dashboard  {dashboard}      gateway  {gateway}")
    );
    let up = odd.run(["up", "-o", "json"]).expect_code(0).json();
    assert_eq!(up["urls"][0]["id"], "dashboard");
    assert_eq!(up["urls"][0]["url"], dashboard);

    let urls = odd.run(["urls", "-o", "json"]).expect_code(0).json();
    let urls = urls["urls"].as_array().unwrap();
    let of_web: Vec<_> = urls
        .iter()
        .filter(|place| place["url"].as_str().unwrap().starts_with(&dashboard))
        .map(|place| (place["name"].as_str().unwrap(), place["url"].as_str().unwrap()))
        .collect();
    let docs = format!("{dashboard}/docs");
    assert_eq!(of_web, [("Dashboard", dashboard.as_str()), ("Web API", &docs)]);

    for (name, address) in [
        ("gateway", &gateway),
        ("web", &dashboard),
        ("dashboard", &dashboard),
        ("web-docs", &docs),
        // As `odd urls` calls it.
        ("web api", &docs),
    ] {
        let mut open = odd.command(["open", name]);
        let opened = Instance::output(open.env("SSH_TTY", "there")).expect_code(0);
        assert_eq!(opened.stdout.trim(), address, "{name}");
    }
}

/// Whoever opens the page has the token, whatever the shell knows by then; the fragment is sent to nobody.
#[test]
fn the_dashboard_is_opened_with_the_token_that_it_asks_for() {
    let odd = instance();
    let token = "a+b#c&d/e?f=g%20-123";
    let up = Instance::output(odd.command(["up"]).env("ODD_WEB_TOKEN", token)).expect_code(0);
    assert!(!up.stdout.contains(token) && !up.stderr.contains(token));
    let opened = |name: &str| {
        let mut open = odd.command(["open", name, "-o", "json"]);
        let answer = Instance::output(open.env("SSH_TTY", "there"))
            .expect_code(0)
            .json();
        answer["url"].as_str().unwrap().to_owned()
    };
    let dashboard = odd.url(Role::Web);
    let encoded = "a%2Bb%23c%26d%2Fe%3Ff%3Dg%2520%2D123";
    assert_eq!(opened("web"), format!("{dashboard}/#token={encoded}"));
    assert_eq!(opened("web-docs"), format!("{dashboard}/docs"));
    let _ = odd.run(["down"]).expect_code(0);
    odd.up();
    assert_eq!(opened("web"), dashboard, "it was started without");
}

#[cfg(unix)]
#[test]
fn the_process_leads_a_session_of_its_own() {
    let odd = instance();
    let process = odd.up();
    let stat = std::process::Command::new("ps")
        .args(["-o", "sid=", "-p", &process.pid.to_string()])
        .output();
    let Ok(output) = stat else {
        return; // no ps on this machine
    };
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        process.pid.to_string()
    );
}

#[test]
fn two_at_once_start_one_process() {
    let odd = instance();
    let start = || {
        odd.command(["up", "-o", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    let answers: Vec<serde_json::Value> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let fresh = answers.iter().filter(|a| a["alreadyRunning"] == false).count();
    assert_eq!(fresh, 1, "{answers:?}");
    assert!(
        answers.iter().all(|a| a["pid"] == answers[0]["pid"]),
        "{answers:?}"
    );
}

#[test]
fn a_second_instance_runs_beside_the_first() {
    let odd = instance();
    odd.up();
    let other = odd_testkit::free_port_offset().to_string();
    let named = |command: &str| {
        odd.run([
            command,
            "--instance",
            "other",
            "--port-offset",
            &other,
            "-o",
            "json",
        ])
        .expect_code(0)
        .json()
    };
    let second = named("up");
    assert_eq!(second["alreadyRunning"], false);
    // Its ports are known from its process, without the offset.
    let urls = odd
        .run(["urls", "--instance", "other", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(urls["running"], true);
    assert_eq!(urls["urls"][0]["url"], second["roles"][0]["url"]);
    named("down");
    assert!(odd.process().is_some(), "the first one still runs");
}

#[test]
fn doctor_leads_on_from_where_things_are() {
    let odd = instance();
    let next = || odd.run(["doctor", "--engine", "embedded"]).expect_code(0).stderr;
    assert!(next().contains("next: odd up"), "{}", next());
    odd.up();
    assert!(next().contains("next: odd status"), "{}", next());
}

#[test]
fn nothing_is_asked_of_an_instance_that_only_has_the_same_ports() {
    let odd = instance();
    odd.up();
    let id = "018f2a52-7c7b-7d3e-8f5e-6c2f0f6d9a10";
    let asked: [&[&str]; 5] = [
        &["jobs", "list"],
        &["jobs", "cancel", id],
        &["submit", "hello"],
        &["verify"],
        &["test", "--only", "alive"],
    ];
    for args in asked {
        let output = odd
            .run(args.iter().chain(&["--instance", "other"]))
            .expect_code(3);
        let told =
            output.stderr.contains("it does not run") && output.stderr.contains("--instance observatory");
        assert!(told, "{args:?}: {}", output.stderr);
    }
    assert_eq!(
        odd.run(["jobs", "list", "-o", "json"]).json()["jobs"],
        serde_json::json!([])
    );
    // Who says where to ask is taken at their word.
    let url = odd.url(Role::ReadModel);
    let args = [
        "jobs",
        "list",
        "--instance",
        "other",
        "--read-model-url",
        url.as_str(),
    ];
    let _ = odd.run(args).expect_code(0);
}

#[test]
fn a_killed_process_is_recognised_and_taken_over() {
    let odd = instance();
    odd.up();
    let pid = odd.kill().unwrap();
    assert!(odd.engine().process_file().exists());
    let status = odd.run(["status"]).expect_code(0);
    assert!(status.stdout.contains("stopped"), "{status:?}");
    assert!(
        status
            .stderr
            .contains(&format!("process {pid} ended without clearing up")),
        "{status:?}"
    );
    let doctor = odd.run(["doctor"]);
    assert!(doctor.stdout.contains("ended without clearing up"), "{doctor:?}");
    let up = odd.run(["up"]).expect_code(0);
    assert!(up.stderr.contains("taking over its data"), "{up:?}");
    assert_ne!(odd.process().unwrap().pid, pid);
}

#[test]
fn a_process_that_is_still_ending_is_taken_over_as_well() {
    let odd = instance();
    odd.up();
    let payload = r#"{"simulate": {"durationMs": 1000}}"#;
    for _ in 0..3 {
        let _ = odd
            .run(["submit", "slow", "--count", "5000", "--payload", payload])
            .expect_code(0);
        // Not waited for, as a script does it: with work in hand it takes the system a moment to end it.
        let killed = odd.process().unwrap().pid;
        odd_engine::platform::kill(killed).unwrap();
        let _ = odd.run(["up"]).expect_code(0);
        assert_ne!(odd.process().unwrap().pid, killed);
    }
}

#[test]
fn a_process_file_of_a_reused_number_is_no_running_instance() {
    let odd = instance();
    let process = odd.up();
    odd.kill();
    // This very test process has the number now, as far as the file can tell.
    let stale = odd_engine::ProcessFile {
        pid: std::process::id(),
        ..process
    };
    stale.write(&odd.engine().process_file()).unwrap();
    let down = odd.run(["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(down["wasRunning"], false, "a stranger must not be stopped");
    odd.up();
}

#[test]
fn the_log_is_readable_and_filtered_by_role() {
    let odd = instance();
    let none = odd.run(["logs"]).expect_code(3);
    assert!(none.stderr.contains("never started"), "{none:?}");
    odd.up();
    let all = odd.run(["logs"]).expect_code(0).stdout;
    assert!(all.contains("INFO") && all.contains("listening"), "{all}");
    let gateway = odd.run(["logs", "gateway"]).expect_code(0).stdout;
    assert!(
        !gateway.is_empty() && gateway.lines().all(|line| line.contains("gateway")),
        "{gateway}"
    );
    let last = odd
        .run(["logs", "--tail", "1", "-o", "ndjson"])
        .expect_code(0)
        .json();
    assert!(last["message"].is_string(), "{last}");
}

#[tokio::test]
async fn following_the_log_shows_what_comes_later() {
    let odd = instance();
    odd.up();
    let shown = odd.home().join("shown");
    let mut follower = odd
        .command(["logs", "--follow", "--tail", "0"])
        .stdout(std::fs::File::create(&shown).unwrap())
        .spawn()
        .unwrap();
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    // Whatever is logged after the follower has begun; it begins at an unknown moment, so something is logged until it shows.
    wait_for(LONG, "a line in the followed log", || {
        let _ = odd.run(["down"]).expect_code(0);
        odd.up();
        let text = lines(&shown);
        std::future::ready(text.contains("listening").then_some(()))
    })
    .await;
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[tokio::test]
async fn roles_in_the_foreground_take_any_free_port_and_end_with_a_signal() {
    let odd = instance();
    let ports = Role::ALL.map(|role| format!("--port={role}=0"));
    let mut args = vec!["serve".to_owned(), "all".to_owned()];
    args.extend(ports);
    std::fs::create_dir_all(odd.engine().directory()).unwrap();
    let log = std::fs::File::create(odd.engine().log_file()).unwrap();
    let mut child = odd.command(args).stderr(log).spawn().unwrap();
    let process = wait_for(LONG, "the process file", || std::future::ready(odd.process())).await;
    assert_eq!(process.pid, child.id());
    assert!(process.ports.values().all(|port| *port != 0), "{process:?}");
    let url = process.url(Role::Gateway).unwrap();
    let ready = wait_for(LONG, "the gateway to be ready", || async {
        let response = reqwest::get(format!("{url}/readyz")).await.ok()?;
        response.status().is_success().then_some(())
    });
    ready.await;
    let second = odd
        .run(["serve", "gateway", "--port", "gateway=0"])
        .expect_code(3);
    assert!(
        second.stderr.contains("another process has the database"),
        "{second:?}"
    );
    assert!(
        odd.process().is_some(),
        "the process file of the first is left alone"
    );
    odd_engine::platform::request_stop(child.id(), &odd.engine().stop_file()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!odd.engine().process_file().exists());
}

/// Ctrl-C while another command has the instance: nothing is started, and the exit code says interrupted.
#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_up_with_130() {
    let odd = instance();
    std::fs::create_dir_all(odd.engine().lock_file().parent().unwrap()).unwrap();
    let lock = std::fs::File::create(odd.engine().lock_file()).unwrap();
    lock.lock().unwrap();
    let said = odd.home().join("said");
    let mut child = odd
        .command(["up"])
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    wait_for(LONG, "up to wait for the lock", || {
        let text = std::fs::read_to_string(&said).unwrap_or_default();
        std::future::ready(text.contains("waiting").then_some(()))
    })
    .await;
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(odd.process().is_none());
}

#[test]
fn a_guard_leaves_nothing_behind() {
    let odd = instance();
    let process = odd.up();
    let home = odd.home().to_owned();
    drop::<Instance>(odd);
    assert!(!home.exists());
    wait_until(LONG, "the end of its process", || {
        (!process.is_alive()).then_some(())
    });
}
