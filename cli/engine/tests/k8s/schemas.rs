//! Strict validation against the schemas of Kubernetes (the newest minor that the validator carries) and of KEDA.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use odd_engine::kubernetes::Overlay;
use serde_json::{Value, json};

use crate::bed::{FOLDERS, broken, objects, rendered, tool};

/// Kinds that the schemas of Kubernetes lack: KEDA's are validated below, those of the operators nowhere.
const OF_OTHERS: [&str; 5] = [
    "ScaledObject",
    "TriggerAuthentication",
    "RabbitmqCluster",
    "Cluster",
    "MongoDBCommunity",
];

/// Validates KEDA's objects of those on standard input; its module takes fields that it does not know.
const KEDA: &str = r#"
const kinds = require(process.env.KEDA + "/keda.sh/v1alpha1");
const objects = JSON.parse(require("fs").readFileSync(0)).filter((it) => it.apiVersion === "keda.sh/v1alpha1");
for (const it of objects) new kinds[it.kind](it).validate();
console.log(objects.length);
"#;

/// What the validator says of files: its lines of errors, and the kinds that it has no schema for.
fn validate(files: &[PathBuf]) -> (Vec<String>, BTreeSet<String>) {
    let mut command = Command::new(tool("kubernetes-validate"));
    let output = command
        .args(["--strict", "--quiet"])
        .args(files)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    let (mut errors, mut unknown) = (Vec::new(), BTreeSet::new());
    for line in said.lines() {
        if let Some((_, rest)) = line.split_once("Couldn't find schema for kind ") {
            unknown.insert(rest.split(' ').next().unwrap().to_owned());
        } else {
            errors.push(line.to_owned());
        }
    }
    assert_eq!(output.status.success(), errors.is_empty(), "{said}");
    (errors, unknown)
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_object_keeps_the_schema_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &&str| written(folder.path(), &name.replace('/', "-"), &rendered(name).text);
    // What is in the overlay kind is in kind-tools, too.
    let files: Vec<PathBuf> = FOLDERS[2..].iter().map(file).collect();
    let (errors, unknown) = validate(&files);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert_eq!(unknown, OF_OTHERS.map(str::to_owned).into());
}

#[test]
fn a_manifest_that_breaks_its_schema_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let of = ("Deployment", "gateway");
    let breaks = [
        (
            "/spec/template/spec/terminationGracePeriodseconds",
            Some(json!(20)),
            "terminationGracePeriodseconds",
        ),
        (
            "/spec/template/spec/containers/0/image",
            Some(json!(1)),
            "containers.0.image",
        ),
        ("/spec/selector", None, "selector"),
    ];
    let mut files = Vec::new();
    for (number, (pointer, value, _)) in breaks.iter().enumerate() {
        let changed = broken(objects(Overlay::Kind), of, pointer, value.clone());
        let changed = changed
            .iter()
            .find(|it| it["kind"] == of.0 && it["metadata"]["name"] == of.1);
        // JSON is YAML.
        files.push(written(
            folder.path(),
            &format!("{number}.yaml"),
            &changed.unwrap().to_string(),
        ));
    }
    let (errors, _) = validate(&files);
    for (number, (_, _, expected)) in breaks.iter().enumerate() {
        let file = format!("{number}.yaml");
        let told = errors
            .iter()
            .any(|line| line.contains(&file) && line.contains(expected));
        assert!(told, "{expected}: {errors:#?}");
    }
}

/// What KEDA's module says: the number of objects, or its error.
fn validate_keda(objects: &[Value]) -> Result<usize, String> {
    let mut child = Command::new("node")
        .args(["-e", KEDA])
        .env("KEDA", tool("keda"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node can be run");
    let text = serde_json::to_string(objects).unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn objects_of_keda_keep_their_schemas() {
    let objects = objects(Overlay::Production);
    assert_eq!(validate_keda(objects), Ok(2));
    let scaled = ("ScaledObject", "processor");
    for (pointer, value) in [
        ("/spec/maxReplicaCount", Some(json!("20"))),
        ("/spec/scaleTargetRef/name", None),
        ("/spec/triggers/0/type", None),
    ] {
        let error = validate_keda(&broken(objects, scaled, pointer, value)).unwrap_err();
        let field = pointer.rsplit('/').next().unwrap();
        assert!(error.contains(field), "{pointer}: {error}");
    }
}
