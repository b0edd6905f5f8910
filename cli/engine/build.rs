//! Builds this crate again when a file of the compose folder comes, changes or goes, since the binary carries them.

fn main() {
    println!("cargo::rerun-if-changed=../../compose");
    println!("cargo::rerun-if-changed=../../scripts/images.sh");
}
