//! An instance in a Kubernetes cluster, as far as none is needed: what goes wrong on the way to one. What is done in one is tested beside the
//! engine, on conversations with a real API server.

use std::path::PathBuf;

use odd_testkit::{Instance, Output};

use crate::instance;

/// A kubeconfig with the context `nowhere`, the server of which does not run.
#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
fn kubeconfig(odd: &Instance) -> PathBuf {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", free.local_addr().unwrap());
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: nowhere\n\
         contexts:\n- name: nowhere\n  context: {{cluster: nowhere, user: nobody}}\n\
         clusters:\n- name: nowhere\n  cluster: {{server: '{server}'}}\n\
         users:\n- name: nobody\n  user: {{}}\n"
    );
    let path = odd.home().join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    path
}

fn run(odd: &Instance, arguments: &[&str]) -> Output {
    let mut command = odd.command(arguments);
    command.env("KUBECONFIG", kubeconfig(odd));
    Instance::output(&mut command)
}

#[test]
fn a_context_that_is_not_there_is_told_with_those_that_are() {
    let odd = instance();
    let output = run(&odd, &["up", "--engine", "kubernetes", "--context", "staging"]).expect_code(2);
    assert!(
        output
            .stderr
            .contains(r#"the kubeconfig has no context "staging"; it has nowhere"#),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("kubectl config get-contexts"),
        "{output:?}"
    );
}

#[test]
fn a_cluster_that_does_not_answer_is_told_with_its_address_and_nothing_is_left() {
    let odd = instance();
    let output = run(&odd, &["up", "--engine", "kubernetes", "--yes"]).expect_code(3);
    assert!(
        output
            .stderr
            .contains("the cluster of context nowhere does not answer at http://127.0.0.1:"),
        "{output:?}"
    );
    let status = run(&odd, &["status", "-o", "json"]).expect_code(0).json();
    assert_eq!(status["state"], "stopped");
    let down = run(&odd, &["down", "-o", "json"]).expect_code(0).json();
    assert_eq!(down["wasRunning"], false);
}

#[test]
fn flags_of_a_cluster_are_refused_elsewhere_and_choose_it_where_nothing_is_chosen() {
    let odd = instance();
    let output = run(&odd, &["up", "--engine", "embedded", "--context", "nowhere"]).expect_code(2);
    assert!(
        output
            .stderr
            .contains("--context is for the Kubernetes engine, and this instance is an embedded one"),
        "{output:?}"
    );
    let mut command = odd.command(["up", "--context", "staging"]);
    command
        .env("KUBECONFIG", kubeconfig(&odd))
        .env_remove("ODD_ENGINE");
    let output = Instance::output(&mut command).expect_code(2);
    assert!(
        output.stderr.contains("the kubeconfig has no context"),
        "{output:?}"
    );
    let output = run(&odd, &["up", "--engine", "kubernetes", "--build"]).expect_code(2);
    assert!(
        output
            .stderr
            .contains("--build is for the Docker engine, and this instance is on Kubernetes"),
        "{output:?}"
    );
    let output = run(&odd, &["up", "--engine", "kubernetes", "--profile", "none"]).expect_code(2);
    assert!(
        output.stderr.contains("there is no profile none; there is tools"),
        "{output:?}"
    );
    let output = run(&odd, &["up", "--engine", "kubernetes", "--image", "odd"]).expect_code(2);
    assert!(output.stderr.contains("no image with a tag"), "{output:?}");
}

/// A folder with programs that answer so.
#[cfg(unix)]
#[expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
fn programs(odd: &Instance, answers: &[(&str, &str)]) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = odd.home().join("programs");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, script) in answers {
        // Written under another name first: a program that is open for writing does not start.
        let made = folder.join("new");
        std::fs::write(&made, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&made, folder.join(name)).unwrap();
    }
    folder
}

#[cfg(unix)]
#[test]
fn a_cluster_of_kind_is_not_made_by_looking_and_needs_kind() {
    let odd = instance();
    let run = |path: &std::path::Path, arguments: &[&str]| {
        let mut command = odd.command(arguments);
        command.env("PATH", path).env_remove("ODD_ENGINE");
        Instance::output(&mut command)
    };
    let kustomize = ("kustomize", "echo v5.4.3");
    let path = programs(&odd, &[kustomize]);
    let output = run(&path, &["up", "--engine", "kind"]).expect_code(3);
    assert!(output.stderr.contains("kind is not installed"), "{output:?}");
    assert!(output.stderr.contains("0.23.0 or later"), "{output:?}");
    let answers = "case $1 in version) echo kind v0.33.0 go1.27.2 linux/amd64;; get) ;; *) exit 1;; esac";
    let there = programs(&odd, &[kustomize, ("kind", answers)]);
    let planned = run(&there, &["up", "--engine", "kind", "--dry-run", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(
        (&planned["state"], &planned["makesCluster"]),
        (&"planned".into(), &"task-observatory".into())
    );
    let output = run(&there, &["up", "--engine", "kind", "--context", "staging"]).expect_code(2);
    assert!(
        output.stderr.contains("--engine kind makes a cluster of its own"),
        "{output:?}"
    );
    let answers = "case $1 in version) echo kind v0.33.0 go1.27.2 linux/amd64;; get) ;; \
        *) echo 'ERROR: failed to create cluster: no space' >&2; exit 1;; esac";
    let refusing = programs(&odd, &[kustomize, ("kind", answers)]);
    let output = run(&refusing, &["up", "--engine", "kind"]).expect_code(3);
    assert!(
        output
            .stderr
            .contains("kind cannot make the cluster: failed to create cluster: no space"),
        "{output:?}"
    );
    assert!(!odd.home().join("kind.json").exists(), "nothing is left");
}

#[test]
fn what_was_put_into_no_cluster_is_said_to_be_in_none() {
    let odd = instance();
    for arguments in [&["status"][..], &["logs"], &["restart"], &["forward"]] {
        let mut command = odd.command(arguments);
        command.env("ODD_ENGINE", "kubernetes");
        let output = Instance::output(&mut command).expect_code(3);
        assert!(output.stderr.contains("cluster"), "{output:?}");
        assert!(output.stderr.contains("odd up"), "{output:?}");
    }
}

#[test]
fn a_test_of_its_own_is_made_on_this_machine() {
    let odd = instance();
    let output = odd
        .run(["test", "--isolated", "--engine", "kubernetes"])
        .expect_code(2);
    assert!(output.stderr.contains("not in a cluster"), "{output:?}");
}

#[test]
fn an_instance_that_was_taken_out_of_a_cluster_goes_on_there() {
    let odd = instance();
    let directory = odd.engine().directory();
    std::fs::create_dir_all(&directory).unwrap();
    let file = serde_json::json!({
        "version": 1, "up": false, "context": "nowhere", "kubeconfig": null, "namespace": "odd-observatory",
        "server": "http://127.0.0.1:1", "clusterUid": null, "portOffset": 0,
        "release": "0.1.0", "startedAt": "2026-11-22T00:00:00Z", "tools": false, "scale": {}, "image": null,
    });
    std::fs::write(directory.join("cluster.json"), file.to_string()).unwrap();
    for arguments in [
        &["up"][..],
        &["up", "--dry-run"],
        &["up", "--scale", "processor=2"],
    ] {
        let mut command = odd.command(arguments);
        command
            .env("KUBECONFIG", kubeconfig(&odd))
            .env_remove("ODD_ENGINE");
        let output = Instance::output(&mut command).expect_code(3);
        assert!(
            output
                .stderr
                .contains("the cluster of context nowhere does not answer"),
            "{output:?}"
        );
    }
    // The cluster is gone for good.
    let down = run(&odd, &["down"]).expect_code(3);
    assert!(down.stderr.contains("odd down --forget"), "{down:?}");
    let urls = odd.run(["urls", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&urls["engine"], &urls["running"]),
        (&"kubernetes".into(), &false.into())
    );
    let _ = run(&odd, &["down", "--forget"]).expect_code(0);
    assert!(!directory.join("cluster.json").exists());
}
