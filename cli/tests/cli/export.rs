//! `odd export`: what stacks are made of, for those who start them otherwise.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeMap;
use std::path::Path;

use odd_engine::compose::{self, LoadOptions, Source};
use odd_testkit::{Instance, Output};

use crate::instance;

/// A folder with programs of these names, each a shell script.
#[cfg(unix)]
fn programs(folder: &Path, scripts: &[(&str, &str)]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).unwrap();
    for (name, script) in scripts {
        let (beside, path) = (folder.join("new"), folder.join(name));
        std::fs::write(&beside, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o755)).unwrap();
        // A process that is started at the same time must not hold it open for writing: it could not be run.
        let copied = std::process::Command::new("cp")
            .arg("-p")
            .args([&beside, &path])
            .status();
        assert!(copied.unwrap().success());
    }
}

/// `odd export k8s` with these programs as all that there are.
#[cfg(unix)]
fn export(odd: &Instance, scripts: &[(&str, &str)], args: &[&str]) -> Output {
    let folder = odd.home().join("programs");
    programs(&folder, scripts);
    let mut command = odd.command(["export", "k8s"]);
    Instance::output(command.args(args).env("PATH", &folder))
}

/// Every file below a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn manifests_are_those_of_the_checkout() {
    let odd = instance();
    let output = odd.run(["export", "k8s", "--to", "mine"]).expect_code(0);
    assert_eq!(output.stdout, "");
    assert!(
        output.stderr.contains("next: make the Secret odd-secrets"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("-k mine/k8s/overlays/kind\n"),
        "{output:?}"
    );
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = contents(&odd.home().join("mine"));
    for (path, content) in &files {
        assert!(std::fs::read(checkout.join(path)).unwrap() == *content, "{path}");
    }
    for (path, content) in contents(&checkout.join("k8s")) {
        assert!(files[&format!("k8s/{path}")] == content, "{path}");
    }
}

#[test]
fn nothing_of_somebodys_own_is_lost() {
    let odd = instance();
    let mine = odd.home().join("mine/k8s/base/settings.env");
    std::fs::create_dir_all(mine.parent().unwrap()).unwrap();
    std::fs::write(&mine, "ODD_LOG=debug\n").unwrap();
    let output = odd.run(["export", "k8s", "--to", "mine"]).expect_code(3);
    insta::assert_snapshot!(output.stderr, @r"
    error: failed to export to mine
      because: a file is there already, with other content: k8s/base/settings.env
      try: take another directory, or --force, which replaces them
    ");
    assert_eq!(contents(&odd.home().join("mine")).len(), 1);
    let force = ["export", "k8s", "--to", "mine", "--force", "-o", "json"];
    let answer = odd.run(force).expect_code(0).json();
    assert_eq!(
        (&answer["version"], &answer["directory"]),
        (&1.into(), &"mine".into())
    );
    let states = |answer: &serde_json::Value, state: &str| {
        let files = answer["files"].as_array().unwrap().iter();
        let of_state = files.filter(|file| file["state"] == state);
        of_state
            .map(|file| file["path"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&answer, "replaced"), ["k8s/base/settings.env"]);
    let created = states(&answer, "created").len();
    assert!(created > 30, "{answer}");
    let again = odd
        .run(["export", "k8s", "--to", "mine", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(states(&again, "unchanged").len(), created + 1);
}

#[cfg(unix)]
#[test]
fn rendered_manifests_go_to_standard_output() {
    let odd = instance();
    let manifest = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n";
    // It answers only where it is given an overlay that is there.
    let script = format!(
        "case $1 in version) echo v5.6.0 ;; build) [ -f \"$2/kustomization.yaml\" ] && [ \"${{2##*/}}\" = production ] && printf '{}' ;; esac",
        manifest.replace('\n', "\\n")
    );
    let scripts = [("kustomize", script.as_str())];
    let output = export(&odd, &scripts, &["--overlay", "production"]).expect_code(0);
    assert_eq!(output.stdout, manifest);
    assert!(
        output.stderr.contains("1 objects by kustomize 5.6.0"),
        "{output:?}"
    );
    let list = export(
        &odd,
        &scripts,
        &["--overlay", "production", "--to", "-", "-o", "json"],
    )
    .expect_code(0)
    .json();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&"List".into(), &"Namespace".into())
    );
    let refused = export(&odd, &scripts, &[]).expect_code(1);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("kustomize 5.6.0 refuses "), "{refused:?}");
    let unknown = export(&odd, &scripts, &["--overlay", "staging"]).expect_code(2);
    assert!(
        unknown.stderr.contains("kind, kind-tools, production"),
        "{unknown:?}"
    );
    let other = export(&odd, &scripts, &["--instance", "demo"]).expect_code(2);
    assert!(other.stderr.contains("not of demo"), "{other:?}");
}

#[cfg(unix)]
#[test]
fn where_nothing_renders_what_to_install_is_told() {
    let odd = instance();
    let old = r#"echo '{"clientVersion": {"gitVersion": "v1.20.2"}}'"#;
    let output = export(&odd, &[("kubectl", old)], &[]).expect_code(3);
    let reason = "kustomize is not installed; kubectl is older than 1.24";
    assert!(output.stderr.contains(reason), "{output:?}");
    assert!(
        output
            .stderr
            .contains("kustomize 4.5.4 or later, or kubectl 1.24 or later"),
        "{output:?}"
    );
}

#[test]
fn compose_files_are_those_of_the_instance() {
    let odd = instance();
    let command = [
        "export",
        "compose",
        "--to",
        "stack",
        "--instance",
        "demo",
        "--offline",
    ];
    let output = odd.run(command).expect_code(0);
    assert!(
        output
            .stderr
            .contains("next: cd stack && scripts/images.sh && docker compose up --wait --no-build"),
        "{output:?}"
    );
    let options = LoadOptions {
        offline: true,
        ..LoadOptions::default()
    };
    let folder = odd.home().join("stack");
    let project = compose::load(&Source::Directory(folder.clone()), &options).unwrap();
    assert_eq!(project.name, "odd-demo");
    let gateway = &project.services["gateway"].ports[0];
    assert_eq!(gateway.published, Some(odd.port(odd_contracts::Role::Gateway)));
    assert!(folder.join("scripts/images.sh").is_file());
}

/// The script finds the recipes beside the compose files as it does in a checkout, and names the same images.
#[cfg(unix)]
#[test]
fn the_script_that_is_exported_names_the_same_images() {
    let odd = instance();
    let _ = odd
        .run(["export", "compose", "--to", "stack", "--offline"])
        .expect_code(0);
    let list = |script: &Path| {
        let output = std::process::Command::new(script)
            .args(["--list", "redis", "mongo"])
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.lines()
            .map(|line| line.split(' ').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let here = list(&odd.home().join("stack/scripts/images.sh"));
    assert_eq!(here.len(), 2);
    assert_eq!(
        here,
        list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/images.sh"))
    );
}

#[cfg(unix)]
#[test]
fn compose_files_on_standard_output_are_an_archive() {
    let odd = instance();
    let mut command = odd.command(["export", "compose"]);
    let archive = command.output().unwrap();
    assert!(archive.status.success());
    let file = odd.home().join("stack.tar");
    std::fs::write(&file, &archive.stdout).unwrap();
    let folder = odd.home().join("unpacked");
    std::fs::create_dir(&folder).unwrap();
    let unpacked = std::process::Command::new("tar")
        .arg("xf")
        .arg(&file)
        .arg("-C")
        .arg(&folder)
        .status();
    assert!(unpacked.unwrap().success());
    let _ = odd.run(["export", "compose", "--to", "written"]).expect_code(0);
    assert_eq!(contents(&folder), contents(&odd.home().join("written")));
    let json = odd.run(["export", "compose", "-o", "json"]).expect_code(2);
    assert!(
        json.stderr.contains("odd export compose --to DIRECTORY"),
        "{json:?}"
    );
}
