//! The page is taken from `dist/site`, and compiled in anew when that was built anew.

fn main() {
    println!("cargo:rerun-if-changed=dist");
    println!("cargo:rerun-if-changed=build.rs");
}
