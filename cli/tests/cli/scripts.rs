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
