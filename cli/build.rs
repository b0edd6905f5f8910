//! Tells the binary what it is built from: commit and its date as the scripts name them, compiler, target.
//!
//! The repository is not asked here: each commit would compile the binary anew.

use std::process::Command;

/// Variables of the environment, and the name under which the sources find them.
const TOLD: [(&str, &str); 2] = [
    ("ODD_COMMIT", "ODD_BUILD_COMMIT"),
    ("ODD_COMMIT_DATE", "ODD_BUILD_COMMIT_DATE"),
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for (variable, name) in TOLD {
        println!("cargo:rerun-if-env-changed={variable}");
        tell(
            name,
            std::env::var(variable).ok().filter(|value| value != "unknown"),
        );
    }
    tell("ODD_BUILD_RUSTC", compiler());
    tell("ODD_BUILD_TARGET", std::env::var("TARGET").ok());
}

/// What is not known is not set, so that it is not known in the sources either.
fn tell(name: &str, value: Option<String>) {
    let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
    if let Some(value) = value {
        println!("cargo:rustc-env={name}={value}");
    }
}

/// The version of the compiler, such as `1.95.0 (59807616e 2026-04-14)`.
fn compiler() -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC")?)
        .arg("--version")
        .output()
        .ok()?;
    let told = String::from_utf8(output.stdout).ok()?;
    told.trim().strip_prefix("rustc ").map(str::to_owned)
}
