//! Every command of the README and of the documents for readers is run, here or by the test that is named.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use odd_contracts::Role;
use odd_testkit::Instance;
use odd_testkit::document::{self, Block, Rules, plain};

use crate::instance;
use crate::workspace::{read, root};

/// What is run in one go, in this order.
const DOCUMENTS: [&str; 3] = ["README.md", "docs/http.md", "docs/beginners.md"];

/// Lines that a test machine cannot run as they are, the file with the test of the same, and its name.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "git clone https://github.com/oddessentials/distributed-task-observatory",
        ".ci/run",
        "from a fresh clone",
    ),
    ("cd distributed-task-observatory", ".ci/run", "from a fresh clone"),
    (
        "make install",
        "cli/tests/cli/readme.rs",
        "make_has_the_targets_that_are_named",
    ),
    (
        "make up",
        "cli/tests/cli/readme.rs",
        "make_has_the_targets_that_are_named",
    ),
    ("make test", ".ci/run", "make test"),
    (
        "curl -fsSL https://raw.githubusercontent.com/oddessentials/distributed-task-observatory/main/install.sh | sh",
        "scripts/tests/install.test.mjs",
        "installs the latest from nothing, again without change, and removes exactly that",
    ),
    (
        "npm install --global @oddessentials/odd",
        "scripts/tests/npm.test.mjs",
        "installed globally, it is on the PATH",
    ),
    (
        "odd watch",
        "cli/tests/cli/watch/journeys.rs",
        "odd_alone_on_a_terminal_opens_it",
    ),
    (
        "odd watch --read-only",
        "cli/tests/cli/watch/journeys.rs",
        "read_only_offers_nothing_that_changes_anything",
    ),
    (
        "odd watch --theme light --instance demo",
        "cli/tui/src/frame/tests.rs",
        "themes_differ_in_colours_and_in_nothing_else",
    ),
    // What installs compilers is what the machines of CI come with, or do.
    (
        "sudo apt-get install --yes build-essential git curl",
        "scripts/setup.sh",
        "apt-get",
    ),
    (
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y",
        ".github/workflows/ci.yml",
        "rustup toolchain install",
    ),
    (
        "xcode-select --install",
        ".github/workflows/ci.yml",
        "macos-latest",
    ),
    (
        "winget install Git.Git",
        ".github/workflows/ci.yml",
        "windows-latest",
    ),
    (
        "winget install Rustlang.Rustup",
        ".github/workflows/ci.yml",
        "windows-latest",
    ),
    (
        "winget install Microsoft.VisualStudio.2022.BuildTools --override \"--passive --wait --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended\"",
        ".github/workflows/ci.yml",
        "windows-latest",
    ),
    (
        "cargo install --path cli --locked",
        "cli/tests/cli/readme.rs",
        "make_has_the_targets_that_are_named",
    ),
    (
        "irm https://raw.githubusercontent.com/oddessentials/distributed-task-observatory/main/install.ps1 | iex",
        "scripts/tests/install.test.mjs",
        "install.ps1 knows the same codes, addresses and names",
    ),
    (
        "odd events --follow --output ndjson",
        "cli/tests/cli/jobs.rs",
        "[\"events\", \"--follow\", \"-o\", \"ndjson\"]",
    ),
    (
        "cargo test -p odd --features odd/failpoints --test cli -- example",
        "cli/tests/cli/main.rs",
        "mod example;",
    ),
    (
        "curl -sN http://127.0.0.1:8080/stream",
        "services/read-model/tests",
        "/stream",
    ),
];

/// Sections whose commands are run by another test, and that test.
const SECTIONS: &[(&str, &str)] = &[
    ("On Docker", "cli/tests/docker/readme.rs"),
    ("On Kubernetes", "cli/tests/cli/export.rs"),
];

/// The commands on a cluster: none runs here, so each names the test on a recorded or a real one.
const ON_A_CLUSTER: &[(&str, &str, &str)] = &[
    (
        "odd up --engine kind",
        "cli/engine/tests/k8s/kind.rs",
        "it_is_made_once_and_the_image_is_carried_into_it",
    ),
    (
        "odd down --volumes",
        "cli/engine/tests/k8s/cluster/life.rs",
        "an_instance_is_started_changed_restarted_taken_out_and_started_again_with_its_data",
    ),
    (
        "odd up --context staging --dry-run",
        "cli/engine/tests/k8s/cluster/apply.rs",
        "what_is_there_as_it_shall_be_is_kept_and_what_differs_is_told_and_changed",
    ),
    (
        "odd up --context staging",
        "cli/engine/tests/k8s/cluster/life.rs",
        "an_instance_is_started_changed_restarted_taken_out_and_started_again_with_its_data",
    ),
    (
        "odd status",
        "cli/engine/tests/k8s/cluster/life.rs",
        "an_instance_is_started_changed_restarted_taken_out_and_started_again_with_its_data",
    ),
    (
        "odd restart processor",
        "cli/engine/tests/k8s/cluster/life.rs",
        "an_instance_is_started_changed_restarted_taken_out_and_started_again_with_its_data",
    ),
    (
        "odd down",
        "cli/engine/tests/k8s/cluster/life.rs",
        "an_instance_is_started_changed_restarted_taken_out_and_started_again_with_its_data",
    ),
    (
        "odd export k8s",
        "cli/tests/cli/export.rs",
        "rendered_manifests_go_to_standard_output",
    ),
    (
        "odd export k8s --overlay production -o json",
        "cli/tests/cli/export.rs",
        "rendered_manifests_go_to_standard_output",
    ),
    (
        "odd export k8s --to manifests",
        "cli/tests/cli/export.rs",
        "manifests_are_those_of_the_checkout",
    ),
    (
        "odd export compose --to stack",
        "cli/tests/cli/export.rs",
        "compose_files_are_those_of_the_instance",
    ),
    (
        "odd export compose --offline | tar x -C stack",
        "cli/tests/cli/export.rs",
        "compose_files_on_standard_output_are_an_archive",
    ),
];

/// What a reader takes out of what was printed before.
const FILLED: &[(&str, &str)] = &[
    (
        "JOB=e3678d0d ",
        r#"JOB=$(odd jobs list --type flaky --limit 1 --output json | sed -n 's/.*"id": "\(.\{8\}\).*/\1/p') "#,
    ),
    (
        "JOB=e3678d0d-9366-4686-911b-f2527ff822b7",
        r#"JOB=$(odd jobs list --type flaky --limit 1 --output json | sed -n 's/.*"id": "\([^"]*\)".*/\1/p')"#,
    ),
    (
        "PID=12345",
        r#"PID=$(odd status --output json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')"#,
    ),
];

/// Blocks of all documents that are not those of another test.
fn scenes() -> Vec<Block> {
    let of_another = |block: &Block| SECTIONS.iter().any(|(section, _)| *section == block.section);
    let texts = DOCUMENTS.map(read);
    let blocks = texts.iter().flat_map(|text| document::blocks(text));
    blocks.filter(|block| !of_another(block)).collect()
}

/// A folder that looks like a checkout, so that what commands write stays in it.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for name in ["contracts", "examples"] {
        symlink(root().join(name), folder.path().join(name)).expect("a link can be made");
    }
    folder
}

/// Runs the script in bash as somebody who has installed the binary; the text is what it says when it fails.
fn run(odd: &Instance, script: &str, folder: &Path, shown: &Path) -> Result<(), String> {
    let program = Path::new(env!("CARGO_BIN_EXE_odd"))
        .parent()
        .expect("it is in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    // What `odd` is given by the instance's own commands.
    let command = odd.command(["version"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell
        .args(["-c", script])
        .env("PATH", format!("{}:{path}", program.display()))
        .env("SHOWN", shown)
        // Addresses are printed, no browser is opened.
        .env("SSH_TTY", "there")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("bash is there");
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

#[test]
fn commands_of_the_documents_do_what_they_say() {
    let odd = instance();
    let (folder, shown) = (checkout(), tempfile::tempdir().expect("a temporary directory"));
    let ports: Vec<(String, String)> = Role::ALL
        .into_iter()
        .map(|role| {
            (
                format!("127.0.0.1:{}", role.default_port()),
                format!("127.0.0.1:{}", odd.port(role)),
            )
        })
        .collect();
    let mut filled = FILLED.to_vec();
    filled.extend(ports.iter().map(|(from, to)| (from.as_str(), to.as_str())));
    let elsewhere: Vec<&str> = ELSEWHERE.iter().map(|(line, ..)| *line).collect();
    let rules = Rules {
        elsewhere: &elsewhere,
        filled: &filled,
    };
    let (script, examples) = document::script(&scenes(), &rules);
    if let Err(said) = run(&odd, &script, folder.path(), shown.path()) {
        panic!("{said}\nof the script\n{script}");
    }
    assert!(script.lines().count() > 40, "{script}");
    assert!(examples.len() > 4, "{examples:?}");
    for (n, example) in examples.iter().enumerate() {
        let printed = std::fs::read_to_string(shown.path().join(n.to_string())).expect("it was printed");
        let differing = example.differing(&printed);
        assert!(
            differing.is_empty(),
            "`{}` prints nothing like\n{}\nbut\n{printed}",
            example.command,
            differing.join("\n")
        );
    }
}

#[test]
fn what_is_not_run_here_is_in_the_documents_and_run_elsewhere() {
    let all: Vec<Block> = DOCUMENTS
        .iter()
        .flat_map(|path| document::blocks(&read(path)))
        .collect();
    let lines: BTreeSet<&str> = all
        .iter()
        .flat_map(|block| &block.lines)
        .map(|line| plain(line))
        .collect();
    let powershell = all.iter().filter(|block| block.language == "powershell");
    for line in powershell.flat_map(|block| &block.lines).map(|line| plain(line)) {
        let named = ELSEWHERE.iter().any(|(other, ..)| *other == line);
        assert!(named, "`{line}` is run nowhere: no test here has PowerShell");
    }
    let sections: BTreeSet<&str> = all.iter().map(|block| block.section.as_str()).collect();
    for (line, place, name) in ELSEWHERE {
        assert!(lines.contains(line), "no document has the line `{line}`");
        assert!(
            text_of(place).contains(name),
            "{place} has no {name}, which runs `{line}`"
        );
    }
    for (section, place) in SECTIONS {
        assert!(sections.contains(section), "no section {section} has commands");
        assert!(root().join(place).exists(), "there is no {place}");
    }
    let texts = DOCUMENTS.map(read).concat();
    for (from, _) in FILLED {
        assert!(texts.contains(from), "no document has `{from}`");
    }
}

#[test]
fn every_command_on_a_cluster_is_run_by_a_test_of_the_engine() {
    let blocks = document::blocks(&read("README.md"));
    let on_a_cluster = blocks.iter().filter(|block| block.section == "On Kubernetes");
    let lines: BTreeSet<&str> = on_a_cluster
        .flat_map(|block| &block.lines)
        .map(|line| plain(line))
        .collect();
    let known: BTreeSet<&str> = ON_A_CLUSTER.iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, known);
    for (line, place, name) in ON_A_CLUSTER {
        assert!(
            read(place).contains(name),
            "{place} has no {name}, which runs `{line}`"
        );
    }
}

/// What a file holds, or all files of a folder.
fn text_of(place: &str) -> String {
    let path = root().join(place);
    if !path.is_dir() {
        return read(place);
    }
    let entries = std::fs::read_dir(path).expect("it is a folder");
    entries
        .map(|entry| {
            let name = entry.expect("it can be read").file_name();
            text_of(&format!("{place}/{}", name.to_string_lossy()))
        })
        .collect()
}

#[test]
fn make_has_the_targets_that_are_named() {
    for (target, expected) in [
        ("up", "/debug/odd up"),
        ("install", "cargo install --path cli --locked"),
        ("test", "cargo test"),
    ] {
        let output = Command::new("make")
            .args(["--dry-run", target])
            .current_dir(root())
            .output()
            .expect("make is there");
        let commands = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && commands.contains(expected),
            "make {target}: {output:?}"
        );
    }
}

#[test]
fn the_example_of_the_readme_is_a_test_that_runs() {
    let example = read("cli/tests/cli/example.rs");
    let (_, code) = example
        .split_once("\n\n")
        .expect("a line of documentation comes first");
    let readme = document::blocks(&read("README.md"));
    let shown = readme
        .iter()
        .find(|block| block.language == "rust")
        .expect("it shows one");
    let lines: Vec<&str> = code.trim_end().lines().map(str::trim_start).collect();
    assert_eq!(shown.lines, lines);
}
