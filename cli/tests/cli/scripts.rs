//! The scripts of the repository, where they mend something that a test run cannot break.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What an engine 20.10 wrote that had been killed while it made a network.
const CRASH: &str = "\
time=\"2026-11-22T01:09:43Z\" level=info msg=\"Loading containers: start.\"
panic: runtime error: index out of range [0] with length 0

goroutine 1 [running]:
github.com/docker/libnetwork.(*controller).reservePools(0x55d2b8ce3e70?)
\tgithub.com/docker/libnetwork/controller.go:956 +0xb65
github.com/docker/libnetwork.New({0xc00013a200, 0x9, 0x10})
\tgithub.com/docker/libnetwork/controller.go:245 +0x757
";

/// What one wrote that found another one running.
const OTHER: &str = "\
time=\"2026-11-22T01:09:43Z\" level=info msg=\"Starting up\"
failed to start daemon: pid file found, ensure docker is not running or delete /var/run/docker.pid
";

/// An engine's data directory with a store of networks, and a log that says `told`.
fn engine(home: &Path, told: &str) -> (PathBuf, PathBuf) {
    let files = home.join("data/network/files");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("local-kv.db"), "networks").unwrap();
    let log = home.join("dockerd.log");
    std::fs::write(&log, told).unwrap();
    (files, log)
}

fn mend(home: &Path, log: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/docker-networks.sh");
    Command::new("sh")
        .arg(script)
        .arg(log)
        .arg(home.join("data"))
        .output()
        .unwrap()
}

#[test]
fn a_store_of_networks_that_crashes_the_engine_is_moved_aside_and_kept() {
    let home = tempfile::tempdir().unwrap();
    let (files, log) = engine(home.path(), CRASH);
    let output = mend(home.path(), &log);
    assert!(output.status.success(), "{output:?}");
    let left: Vec<String> = std::fs::read_dir(&files)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let [aside] = &left[..] else {
        panic!("one file is left: {left:?}")
    };
    assert!(aside.starts_with("local-kv.db.broken-"), "{aside}");
    assert_eq!(std::fs::read_to_string(files.join(aside)).unwrap(), "networks");
    assert!(String::from_utf8_lossy(&output.stderr).contains(aside.as_str()));
    // Nothing is left that could crash it.
    assert!(!mend(home.path(), &log).status.success());
}

#[test]
fn an_engine_that_does_not_start_for_another_reason_keeps_its_networks() {
    let home = tempfile::tempdir().unwrap();
    let (files, log) = engine(home.path(), OTHER);
    assert!(!mend(home.path(), &log).status.success());
    assert_eq!(
        std::fs::read_to_string(files.join("local-kv.db")).unwrap(),
        "networks"
    );
}

/// A repository with one commit, and the script that names it.
fn repository(home: &Path) {
    std::fs::create_dir(home.join("scripts")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/commit.sh");
    std::fs::copy(script, home.join("scripts/commit.sh")).unwrap();
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &[
            "-c",
            "user.name=Somebody",
            "-c",
            "user.email=somebody@example.org",
            "commit",
            "--quiet",
            "-m",
            "one",
        ],
    ] {
        let git = Command::new("git")
            .args(arguments)
            .current_dir(home)
            // Half past one in a zone that is two hours ahead.
            .env("GIT_COMMITTER_DATE", "2026-03-04T01:30:00+02:00")
            .output()
            .unwrap();
        assert!(git.status.success(), "{git:?}");
    }
}

/// What the script prints in this folder.
fn commit(home: &Path, arguments: &[&str], epoch: Option<&str>) -> String {
    let mut script = Command::new("bash");
    script
        .arg("scripts/commit.sh")
        .args(arguments)
        .current_dir(home)
        .env("GIT_CEILING_DIRECTORIES", home.parent().unwrap())
        .env_remove("SOURCE_DATE_EPOCH");
    if let Some(epoch) = epoch {
        script.env("SOURCE_DATE_EPOCH", epoch);
    }
    let output = script.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_checkout_tells_its_commit_and_the_date_of_that() {
    let home = tempfile::tempdir().unwrap();
    repository(home.path());
    let named = commit(home.path(), &[], None);
    assert!(
        named.len() == 12 && named.chars().all(|c| c.is_ascii_hexdigit()),
        "{named}"
    );
    assert_eq!(commit(home.path(), &["--date"], None), "2026-03-03T23:30:00Z");
    assert_eq!(
        commit(home.path(), &["--date"], Some("86400")),
        "1970-01-02T00:00:00Z"
    );
    let script = home.path().join("scripts/commit.sh");
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, text + "# changed\n").unwrap();
    assert_eq!(commit(home.path(), &[], None), format!("{named}-changed"));
}

#[test]
fn outside_of_a_checkout_commit_and_date_are_unknown() {
    let home = tempfile::tempdir().unwrap();
    repository(home.path());
    std::fs::remove_dir_all(home.path().join(".git")).unwrap();
    assert_eq!(commit(home.path(), &[], None), "unknown");
    assert_eq!(commit(home.path(), &["--date"], None), "unknown");
}

#[test]
fn a_build_tells_the_binary_what_it_was_told_and_nothing_that_was_not() {
    let home = tempfile::tempdir().unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let program = home.path().join("build");
    let compiled = Command::new(&rustc)
        .args(["--edition", "2024", "-o"])
        .arg(&program)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs"))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    let told = |commit: &str, date: &str| -> Vec<String> {
        let output = Command::new(&program)
            .env("RUSTC", &rustc)
            .env("TARGET", "some-target")
            .env("ODD_COMMIT", commit)
            .env("ODD_COMMIT_DATE", date)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines
            .lines()
            .filter_map(|line| line.strip_prefix("cargo:rustc-env="));
        lines.map(str::to_owned).collect()
    };
    let all = told("0123456789ab", "2026-03-03T23:30:00Z");
    let [commit, date, compiler, target] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(
        (commit.as_str(), date.as_str(), target.as_str()),
        (
            "ODD_BUILD_COMMIT=0123456789ab",
            "ODD_BUILD_COMMIT_DATE=2026-03-03T23:30:00Z",
            "ODD_BUILD_TARGET=some-target"
        )
    );
    assert!(compiler.starts_with("ODD_BUILD_RUSTC=1."), "{compiler}");
    assert_eq!(told("unknown", ""), all[2..], "what nobody knows is not set");
}
