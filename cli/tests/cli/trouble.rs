//! What goes wrong is explained: what failed, why, and what to try.

use std::net::{Ipv4Addr, TcpListener};

use odd_contracts::Role;
use odd_testkit::Instance;

use crate::instance;

#[test]
fn a_taken_port_names_who_has_it() {
    let odd = instance();
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, odd.port(Role::ReadModel))).unwrap();
    let output = odd.run(["up"]).expect_code(3);
    let me = std::process::id();
    let expected = format!(
        "port {} of the read-model is taken by ",
        odd.port(Role::ReadModel)
    );
    assert!(output.stderr.contains(&expected), "{output:?}");
    assert!(output.stderr.contains(&format!("(process {me})")), "{output:?}");
    assert!(output.stderr.contains("try: odd up --port-offset"), "{output:?}");
    assert!(odd.process().is_none());
    let doctor = odd.run(["doctor", "-o", "json"]).expect_code(3).json();
    let check = doctor["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["name"] == "port of read-model")
        .unwrap();
    assert_eq!(check["state"], "failed");
    assert!(
        check["detail"].as_str().unwrap().contains(&me.to_string()),
        "{check}"
    );
}

#[test]
fn ports_taken_by_another_instance_name_the_instance() {
    let odd = instance();
    odd.up();
    let output = odd.run(["up", "--instance", "other"]).expect_code(3);
    assert!(
        output.stderr.contains("is taken by the instance observatory"),
        "{output:?}"
    );
    assert!(
        output
            .stderr
            .contains("try: odd up --instance other --port-offset"),
        "{output:?}"
    );
}

#[test]
fn a_crash_while_starting_is_explained() {
    let odd = instance();
    std::fs::create_dir_all(odd.engine().directory()).unwrap();
    std::fs::write(odd.engine().database(), "this was never a database\n".repeat(100)).unwrap();
    let output = odd.run(["up"]).expect_code(1);
    assert!(
        output
            .stderr
            .contains("error: failed to start the instance observatory"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("the process ended while it started"),
        "{output:?}"
    );
    assert!(output.stderr.contains("file is not a database"), "{output:?}");
    assert!(output.stderr.contains("try: odd doctor"), "{output:?}");
    assert!(odd.process().is_none());
}

#[test]
fn a_wrong_setting_of_the_roles_is_explained_by_up() {
    let odd = instance();
    let mut command = odd.command(["up"]);
    command
        .env("ODD_PROCESSOR_SLOTS", "none")
        .env("ODD_LOG", "odd=loud");
    let output = Instance::output(&mut command).expect_code(1);
    assert!(output.stderr.contains("ODD_PROCESSOR_SLOTS"), "{output:?}");
}

#[test]
fn a_home_that_cannot_be_written_is_explained() {
    let odd = instance();
    let file = odd.home().join("file");
    std::fs::write(&file, "").unwrap();
    let run = |args: &[&str]| Instance::output(odd.command(args).env("ODD_HOME", &file));
    let up = run(&["up"]).expect_code(3);
    assert!(up.stderr.contains("cannot create the directory"), "{up:?}");
    assert!(up.stderr.contains("try: odd doctor"), "{up:?}");
    let doctor = run(&["doctor"]).expect_code(3);
    assert!(doctor.stdout.contains("✗ home"), "{doctor:?}");
    assert!(doctor.stdout.contains("try: ODD_HOME="), "{doctor:?}");
}

#[test]
fn errors_are_documents_for_programs() {
    let odd = instance();
    let output = odd.run(["logs", "-o", "json"]).expect_code(3);
    assert!(output.stdout.is_empty(), "{output:?}");
    let error: serde_json::Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["version"], 1);
    assert_eq!(error["error"]["message"], "failed to show the log");
    assert_eq!(error["error"]["try"], "odd up");
    assert_eq!(error["error"]["exitCode"], 3);
}
