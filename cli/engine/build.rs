//! Builds this crate again when a file of the compose folder comes, changes or goes, since the binary carries them.

#[expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=../../compose");
    println!("cargo::rerun-if-changed=../../scripts/images.sh");
}
