//! The page is taken from `dist/site`, and compiled in anew when that was built anew.
#![expect(clippy::print_stdout, reason = "cargo reads it")]

fn main() {
    println!("cargo:rerun-if-changed=dist");
    println!("cargo:rerun-if-changed=build.rs");
}
