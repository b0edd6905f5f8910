//! `odd contracts`

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::instance;

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts")
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![contracts().join("fixtures").join(kind)];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory of fixtures") {
            let path = entry.expect("a fixture").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn a_document_keeps_its_contract_or_exits_with_6() {
    let odd = instance();
    let good = odd.home().join("good.json");
    std::fs::write(&good, json!({"type": "hello", "payload": {}}).to_string()).unwrap();
    let lines = odd.home().join("lines.ndjson");
    std::fs::write(
        &lines,
        "{\"type\":\"hello\",\"payload\":{}}\n\n{\"type\":\"\",\"payload\":[]}\n",
    )
    .unwrap();

    let output = odd.run(["contracts", "validate", "good.json"]).expect_code(0);
    assert_eq!(output.stdout, "✓ good.json keeps job-submission\n");
    let output = odd
        .run(["contracts", "validate", "good.json", "lines.ndjson"])
        .expect_code(6);
    assert!(
        output.stdout.contains("✗ lines.ndjson:3 breaks job-submission"),
        "{output:?}"
    );
    assert!(output.stdout.contains("/payload: "), "{output:?}");
    let answer = odd
        .run([
            "contracts",
            "validate",
            "good.json",
            "--schema",
            "event-envelope",
            "-o",
            "json",
        ])
        .expect_code(6)
        .json();
    assert_eq!((&answer["version"], &answer["ok"]), (&json!(1), &json!(false)));
    assert_eq!(answer["documents"][0]["schema"], "event-envelope");
    let _ = odd.run(["contracts", "validate", "missing.json"]).expect_code(3);
    let _ = odd
        .run(["contracts", "validate", "good.json", "--schema", "jobs"])
        .expect_code(2);
}

#[test]
fn every_golden_fixture_passes() {
    let odd = instance();
    let named = |file: &PathBuf| {
        let folder = file
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        folder
            .filter(|name| name.starts_with("terminal-"))
            .map(str::to_owned)
    };
    // Messages of the web terminal say of themselves too little to be told from submissions.
    let (terminal, others): (Vec<_>, Vec<_>) = fixtures("golden")
        .into_iter()
        .partition(|file| named(file).is_some());
    assert!(!terminal.is_empty() && !others.is_empty());
    let validate = || vec![PathBuf::from("contracts"), PathBuf::from("validate")];
    let _ = odd.run(validate().into_iter().chain(others)).expect_code(0);
    for schema in ["terminal-client", "terminal-server"] {
        let of_schema = terminal
            .iter()
            .filter(|file| named(file).as_deref() == Some(schema));
        let mut args = validate();
        args.extend(["--schema", schema].map(PathBuf::from));
        args.extend(of_schema.cloned());
        let _ = odd.run(args).expect_code(0);
    }
}

#[test]
fn a_breaking_change_without_a_major_version_exits_with_6_and_names_the_rule() {
    let odd = instance();
    let old = contracts().join("schemas/job.json");
    let mut schema: Value = serde_json::from_slice(&std::fs::read(&old).unwrap()).unwrap();
    let changed = odd.home().join("changed.json");
    let compat = |schema: &Value| {
        std::fs::write(&changed, schema.to_string()).unwrap();
        odd.run([Path::new("contracts"), Path::new("compat"), &old, &changed])
    };
    let _ = compat(&schema).expect_code(0);
    schema["properties"].as_object_mut().unwrap().remove("payload");
    let output = compat(&schema).expect_code(6);
    assert!(output.stdout.contains("field-removed"), "{output:?}");
    schema["$version"] = json!("99.0.0");
    let _ = compat(&schema).expect_code(0);
}
