//! `odd test` on the Docker engine: passes where all is well, on an instance of its own as well as beside one that runs; fails
//! where something is broken, and keeps what tells why; and leaves nothing behind.

mod broken;
mod isolated;

use std::path::Path;

use odd_testkit::gate::{all_pass, has};

use crate::bed;

/// A file of a folder that was kept.
fn read(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A stack that others use at the same time: nothing of it is stopped, and no alert rings.
#[test]
fn a_stack_that_runs_passes() {
    let odd = bed::shared();
    let output = odd.run(["test", "--timeout", "60s", "-o", "json"]);
    let answer = output.json();
    all_pass(&answer, &output.stderr);
    assert_eq!(output.code, Some(0), "{output:?}");
    for part in [
        "metrics in Prometheus agree with the counters",
        "every target of Prometheus is up",
        "Prometheus knows Alertmanager",
        "processor: ready",
        "metrics-engine: metrics are well-formed",
        "web: alive",
    ] {
        assert!(has(&answer, part), "no check of {part}: {answer:#}");
    }
    for part in ["ServiceDown", "restarted", "processor: OpenAPI"] {
        assert!(!has(&answer, part), "a check of {part}: {answer:#}");
    }
}
